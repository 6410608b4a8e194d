package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// startTimeout is how long a daemon may take until it works.
	startTimeout = 10 * time.Second
	// endTimeout is how long it may take to end after a signal.
	endTimeout = 2 * time.Second
)

// process is a running daemon of ours. Its file descriptor means this very process, even after it has ended and
// another has its number.
type process struct {
	pid, fd int
	argv    []string
}

// open takes hold of a process that serves the directory; nil when that process does not, or is none.
func (d *Daemons) open(pid int, dir string) *process {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	p := &process{pid: pid, fd: fd}
	line, err := os.ReadFile(p.proc("cmdline"))
	if err == nil {
		p.argv = strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	}
	if len(p.argv) == 0 || filepath.Base(p.argv[0]) != d.cfg.Program || !slices.Contains(p.argv, d.cfg.Mark(dir)) || !p.sees(dir) {
		p.close()
		return nil
	}
	return p
}

func (p *process) close() {
	if p != nil {
		unix.Close(p.fd)
	}
}

func (p *process) proc(name string) string { return fmt.Sprintf("/proc/%d/%s", p.pid, name) }

// sees says whether the directory is the same for that process as for us: on a machine with containers another may have
// one of that name.
func (p *process) sees(dir string) bool {
	ours, err := os.Stat(dir)
	if err != nil {
		return false
	}
	theirs, err := os.Stat(p.proc("root") + dir)
	return err == nil && os.SameFile(ours, theirs)
}

// is says whether the process has that command line and lives in that network namespace.
func (p *process) is(argv []string, home string) bool {
	ns, err := os.Readlink(p.proc("ns/net"))
	return err == nil && ns == home && slices.Equal(p.argv, argv)
}

func (p *process) signal(s syscall.Signal) error {
	if err := unix.PidfdSendSignal(p.fd, s, nil, 0); err != nil {
		return fmt.Errorf("%v to process %d: %w", s, p.pid, err)
	}
	return nil
}

// handles says whether the process has a handler for SIGHUP. One that has none would end by it.
func (p *process) handles() bool {
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if set, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			caught, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
			return err == nil && caught>>(unix.SIGHUP-1)&1 == 1
		}
	}
	return false
}

// errEnded says that a daemon is not there any more.
var errEnded = errors.New("it ended as soon as it was started; the system log tells why")

// awaitHandler waits until the process handles SIGHUP, which programs see to when they are about to work.
func (p *process) awaitHandler(ctx context.Context) error {
	for !p.handles() {
		switch {
		case p.awaitEnd(ctx, 5*time.Millisecond):
			return errEnded
		case ctx.Err() != nil:
			return fmt.Errorf("process %d does not come to work: %w", p.pid, ctx.Err())
		}
	}
	return nil
}

// hangUp makes the process read its files again.
func (p *process) hangUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := p.awaitHandler(ctx); err != nil {
		return err
	}
	return p.signal(unix.SIGHUP)
}

// awaitEnd waits until the process has ended, and says whether it has.
func (p *process) awaitEnd(ctx context.Context, d time.Duration) bool {
	for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, int(min(time.Until(end), 20*time.Millisecond).Milliseconds())+1)
		if n > 0 || (err != nil && err != unix.EINTR) {
			return n > 0
		}
	}
	return false
}

// running finds the process that the pid file of a directory names; nil when there is none.
func (d *Daemons) running(dir string) *process {
	pid, err := strconv.Atoi(strings.TrimSpace(Read(dir, pidFile)))
	if err != nil || pid <= 1 {
		return nil
	}
	return d.open(pid, dir)
}

// all finds every process that serves a directory, whatever its pid file says.
func (d *Daemons) all(dir string) ([]*process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []*process
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if p := d.open(pid, dir); p != nil {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// end ends every process that serves a directory.
func (d *Daemons) end(ctx context.Context, dir string) error {
	ps, err := d.all(dir)
	var errs []error
	for _, p := range ps {
		errs = append(errs, p.end(ctx, d.cfg.Ends))
		p.close()
	}
	return errors.Join(append(errs, err)...)
}

func (p *process) end(ctx context.Context, signals []syscall.Signal) error {
	for _, s := range signals {
		if err := p.signal(s); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
		if p.awaitEnd(ctx, endTimeout) {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", p.pid)
}

// identity tells network namespaces apart.
func identity(in Space) (id string, err error) {
	err = in.Do(func() error {
		id, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	return id, err
}

// Find finds a program, and says where it would come from: pkg is Debian's package.
func Find(program, pkg string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("the program %s is missing on this host (Debian: apt install %s): %w", program, pkg, err)
	}
	return path, nil
}

// Run runs a program inside a namespace to its end, which is soon for one that goes on as a daemon.
func Run(ctx context.Context, in Space, argv []string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &said, &said
	// A session of its own: what ends the agent must not end it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = time.Second
	if err := in.Do(cmd.Start); err != nil {
		return err
	}
	err := cmd.Wait()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, strings.TrimSpace(said.String()))
	}
	return nil
}
