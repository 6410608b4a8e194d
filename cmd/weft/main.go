// Command weft is what people type: networks, subnets, ports and hosts, and answers to why a VM cannot be reached.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weft-sdn/weft/cmd/weft/internal/cli"
	"github.com/weft-sdn/weft/cmd/weft/internal/demo"
	"github.com/weft-sdn/weft/cmd/weft/internal/screen"
	"github.com/weft-sdn/weft/test/lab"
)

func main() {
	// In a process of the demo's this never returns.
	lab.Main()
	env := cli.Env{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		OutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Getenv:      os.Getenv,
		Lab:         demo.API,
		Now:         time.Now,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Whoever does not end in time ends at the second signal.
	context.AfterFunc(ctx, stop)
	code := cli.Main(ctx, rootCommand(env), env, os.Args[1:])
	stop()
	os.Exit(code)
}

// rootCommand makes the whole command line.
func rootCommand(env cli.Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "weft",
		Short: "Networks for fleets of Open vSwitch hosts",
		Long: `Networks for fleets of Open vSwitch hosts: make and change them, see what they are doing, and find out why a VM cannot
be reached. Objects are named by name, id or unique id prefix.`,
	}
	cli.AddTo(root, env)
	try := demo.Command(screen.New(env.Out, screen.Colour(env.OutTerminal, env.Getenv)))
	try.GroupID = "try"
	root.AddGroup(&cobra.Group{ID: try.GroupID, Title: "To try it:"})
	root.AddCommand(try)
	return root
}
