// Package house guards how the packages of Weft are stacked (docs/decisions/0002-floors.md). It holds only tests.
package house
