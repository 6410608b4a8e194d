package statefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Dir is a state directory that is ours as long as it is open.
type Dir struct {
	path string
	lock *os.File
}

// ErrLocked says that another process has the directory.
var ErrLocked = errors.New("another agent uses it")

// Open makes the directory if need be (mode 0700) and locks it. The error is ErrLocked when another agent runs on it;
// any other says that the directory cannot be written.
func Open(path string) (*Dir, error) {
	d, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", path, err)
	}
	return d, nil
}

func open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w (it must be writable; choose another with --state-dir)", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(f.Name())
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: process %s; end that one first", ErrLocked, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	// The number is for people; the lock is what counts.
	if err := errors.Join(f.Truncate(0), second(f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0))); err != nil {
		f.Close()
		return nil, err
	}
	return &Dir{path, f}, nil
}

func second[T any](_ T, err error) error { return err }

// Path is where the directory is.
func (d *Dir) Path() string { return d.path }

// Close lets another process have the directory.
func (d *Dir) Close() error { return d.lock.Close() }
