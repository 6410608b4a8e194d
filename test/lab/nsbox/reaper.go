package nsbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// child is a process that this init started itself.
type child struct {
	pid int
	// done is closed once status holds how it ended.
	done   chan struct{}
	status syscall.WaitStatus
}

// reaper owns wait4 for the whole process: as init it must bury every orphan of its PID namespace, and os/exec's own
// waiting could not be told apart from that.
type reaper struct {
	mu       sync.Mutex
	children map[int]*child
}

func newReaper() *reaper {
	r := &reaper{children: map[int]*child{}}
	deaths := make(chan os.Signal, 1)
	signal.Notify(deaths, syscall.SIGCHLD)
	go func() {
		for range deaths {
			for r.bury() {
			}
		}
	}()
	return r
}

// bury waits for one dead process, and says whether there was one.
func (r *reaper) bury() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ws syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
	if errors.Is(err, syscall.EINTR) {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	if c := r.children[pid]; c != nil {
		delete(r.children, pid)
		c.status = ws
		close(c.done)
	}
	return true
}

// start forks and executes argv in a session of its own, with the three standard files given.
func (r *reaper) start(argv, env []string, files [3]*os.File, cloneflags uintptr) (*child, error) {
	if len(argv) == 0 {
		return nil, errors.New("empty command")
	}
	// Inits and applets are this program again; their name is not a path but tells Main what to be.
	path := "/proc/self/exe"
	if argv[0] != initName && !strings.HasPrefix(argv[0], appletPrefix) {
		var err error
		if path, err = exec.LookPath(argv[0]); err != nil {
			return nil, fmt.Errorf("find program: %w", err)
		}
	}
	attr := &syscall.ProcAttr{
		Env: append(os.Environ(), env...),
		Sys: &syscall.SysProcAttr{Setsid: true, Cloneflags: cloneflags},
	}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	// Under the lock, so that a child which dies at once is registered before it is buried.
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	c := &child{pid: pid, done: make(chan struct{})}
	r.children[pid] = c
	return c, nil
}

// signal sends sig to c, or to its whole process group. A child that is already dead gets nothing, and neither does
// a stranger that inherited its number.
func (r *reaper) signal(c *child, sig syscall.Signal, group bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.children[c.pid] != c {
		return nil
	}
	pid := c.pid
	if group {
		pid = -pid
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %d to process %d: %w", sig, c.pid, err)
	}
	return nil
}
