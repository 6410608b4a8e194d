// Package space makes network namespaces for tests: nameless ones, which nobody else on the machine sees, and which end
// with the test.
package space

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Space is a network namespace.
type Space struct {
	name string
	t    testing.TB
	file *os.File
}

// New makes a namespace whose loopback is up. The name is only what Name says.
func New(t testing.TB, name string) *Space {
	t.Helper()
	s := &Space{name: name, t: t}
	err := onThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("a network namespace (is this root?): %w", err)
		}
		s.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.file.Close() })
	s.Run("ip", "link", "set", "lo", "up")
	return s
}

// onThread runs a function on a thread of its own, which is back home afterwards. It does not end: the kernel would kill
// the daemons that other goroutines have started from it with Pdeathsig.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		err = f()
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// Name is the name that was given.
func (s *Space) Name() string { return s.name }

// Do runs a function inside; sockets and processes that it makes belong there.
func (s *Space) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

// Path leads to the namespace, for "ip link set … netns PATH", as long as this process lives.
func (s *Space) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.file.Fd()) }

// Try runs a program inside and returns all that it said.
func (s *Space) Try(argv ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(s.t.Context(), argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := s.Do(func() error {
		if err := cmd.Start(); err != nil {
			return err
		}
		return cmd.Wait()
	})
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out.Bytes())
	}
	return out.String(), err
}

// Run runs a program inside, which must succeed, and returns what it said.
func (s *Space) Run(argv ...string) string {
	s.t.Helper()
	out, err := s.Try(argv...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// Veth makes a pair of devices: dev here, and peer in the other namespace. Both are up, and neither leaves checksums to
// hardware that is not there.
func (s *Space) Veth(dev, mac string, other *Space, peer, peerMAC string) {
	s.t.Helper()
	s.Run("ip", "link", "add", dev, "address", mac, "type", "veth", "peer", "name", peer, "address", peerMAC, "netns", other.Path())
	for _, end := range []struct {
		in  *Space
		dev string
	}{{s, dev}, {other, peer}} {
		end.in.Run("ethtool", "-K", end.dev, "tx", "off")
		end.in.Run("ip", "link", "set", end.dev, "up")
	}
}
