// Command print says what version it is, as the programs do.
package main

import (
	"fmt"

	"github.com/weft-sdn/weft/cmd/internal/program"
)

func main() { fmt.Println(program.Version()) }
