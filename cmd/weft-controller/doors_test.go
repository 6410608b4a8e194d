package main

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
)

// A door that one has closed who served it is served by the next, without a moment in which nobody can knock.
func TestDoorsAreLent(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "door")} {
		door, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer door.Close()
		knock := func() {
			t.Helper()
			c, err := net.Dial(network, door.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}
		for range 3 {
			use := lend(door)
			knock()
			if c, err := use.Accept(); err != nil {
				t.Fatal(err)
			} else {
				c.Close()
			}
			done := make(chan error, 1)
			go func() {
				_, err := use.Accept()
				done <- err
			}()
			if err := use.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: who has closed it: %v", network, err)
			}
			knock() // waits for the next
			if c, err := use.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: who has closed it is given %v, %v", network, c, err)
			}
			next := lend(door)
			if c, err := next.Accept(); err != nil {
				t.Errorf("%s: who came in between: %v", network, err)
			} else {
				c.Close()
			}
			next.Close()
		}
	}
}
