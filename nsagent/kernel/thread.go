package kernel

import (
	"fmt"
	"io/fs"
	"runtime"

	"github.com/vishvananda/netns"
)

// Do runs f inside the namespace, on a thread of its own. Sockets that f opens and processes that it starts belong to the
// namespace; goroutines that it starts do not. Others than who closes the namespace may call it, too: Close waits for them, and
// afterwards the error wraps fs.ErrClosed.
func (n *Namespace) Do(f func() error) error {
	// The numbers of handles that were closed may be those of other files.
	n.inside.RLock()
	defer n.inside.RUnlock()
	if n.closed {
		return fmt.Errorf("enter namespace %s: %w", n.name, fs.ErrClosed)
	}
	return onThread(func() error {
		if err := netns.Set(n.ns); err != nil {
			return fmt.Errorf("enter namespace %s: %w", n.name, err)
		}
		return f()
	}, n.host.home)
}

// onThread runs f on a thread that may go to another namespace. It is used again only when it is back at home.
func onThread(f func() error, home netns.NsHandle) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := f()
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		} // else the thread ends with the goroutine
		done <- err
	}()
	return <-done
}
