package nsbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Box is a live box, seen from outside through its control socket. Its methods may be called from many goroutines.
type Box struct {
	// Name is the hostname inside.
	Name   string
	client *rpc.Client
	// pid as this process sees it; pidfd refers to the very same process, even after it died.
	pid   int
	pidfd int
}

// Leash keeps a box alive: when the process that holds it ends, however it ends, so does the box.
type Leash struct {
	pipe *os.File
}

// Free lets the box live on without this process. The leash is of no more use.
func (l *Leash) Free() error {
	if _, err := l.pipe.Write([]byte{freed}); err != nil {
		return fmt.Errorf("free the box: %w", err)
	}
	return l.pipe.Close()
}

// Open starts a box as a child of this process, on a leash. What its init has to say goes to log.
func Open(ctx context.Context, spec Spec, log string) (*Box, *Leash, error) {
	if !ready {
		return nil, nil, errors.New("call Main first thing in main (tests: in TestMain)")
	}
	spec.Leashed = true
	argv, err := spec.argv()
	if err != nil {
		return nil, nil, err
	}
	out, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("box %s: %w", spec.Name, err)
	}
	defer out.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("box %s: %w", spec.Name, err)
	}
	defer read.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args, cmd.Stdin, cmd.Stdout, cmd.Stderr = argv, read, out, out
	// A session of its own: Ctrl-C is for the process that holds the leash.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: namespaces}
	if err := cmd.Start(); err != nil {
		write.Close()
		return nil, nil, fmt.Errorf("box %s: %w", spec.Name, err)
	}
	died := make(chan error, 1)
	go func() { died <- cmd.Wait() }()
	box, err := dial(ctx, spec, log, died)
	if err != nil {
		write.Close()
		return nil, nil, err
	}
	return box, &Leash{pipe: write}, nil
}

// Open starts a box within b, and answers it with the process id of its init as b sees it: "ip link set DEV netns PID"
// in b gives it a device.
func (b *Box) Open(ctx context.Context, spec Spec, log string) (*Box, int, error) {
	var pid int
	if err := b.call(ctx, "OpenBox", OpenBoxArgs{Spec: spec, Log: log}, &pid); err != nil {
		return nil, 0, err
	}
	box, err := dial(ctx, spec, log, nil)
	if err != nil {
		return nil, 0, err
	}
	return box, pid, nil
}

// dial connects to a box that is about to come up.
func dial(ctx context.Context, spec Spec, log string, died <-chan error) (*Box, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		box, err := Connect(spec.Name, spec.Socket)
		if err == nil {
			return box, nil
		}
		select {
		case <-tick.C:
		case how := <-died:
			return nil, fmt.Errorf("box %s did not come up: %v: %s", spec.Name, how, lastLine(log))
		case <-ctx.Done():
			return nil, fmt.Errorf("box %s did not come up: %w: %s", spec.Name, context.Cause(ctx), lastLine(log))
		}
	}
}

// lastLine is the end of a log, to make an error say why.
func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// Connect finds a live box by its control socket. The error wraps fs.ErrNotExist or ECONNREFUSED when there is none.
func Connect(name, socket string) (*Box, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("box %s: %w", name, err)
	}
	pid, pidfd, err := peer(conn.(*net.UnixConn))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("box %s: %w", name, err)
	}
	b := &Box{Name: name, client: rpc.NewClient(conn), pid: pid, pidfd: pidfd}
	// An answer on this connection proves that the process behind it lives, so pidfd is that process and no later one.
	if _, err := b.List(context.Background()); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// peer is the process that listens at the other end.
func peer(conn *net.UnixConn) (pid, pidfd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); e != nil {
		return 0, 0, e
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read peer credentials: %w", err)
	}
	pidfd, err = unix.PidfdOpen(int(cred.Pid), 0)
	if err != nil {
		return 0, 0, fmt.Errorf("open process %d: %w", cred.Pid, err)
	}
	return int(cred.Pid), pidfd, nil
}

// Close lets go of the box; it lives on.
func (b *Box) Close() error {
	return errors.Join(b.client.Close(), unix.Close(b.pidfd))
}

// PID is the process id of the box's init, as the caller's PID namespace has it.
func (b *Box) PID() int { return b.pid }

// call calls the box's init. A call that ctx ends goes on in the box; commands have timeouts of their own.
func (b *Box) call(ctx context.Context, method string, args, reply any) error {
	call := b.client.Go("Box."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		var refused rpc.ServerError
		if call.Error != nil && !errors.As(call.Error, &refused) {
			return fmt.Errorf("%s: the box is gone: %w", b.Name, call.Error)
		}
		return call.Error
	case <-ctx.Done():
		return fmt.Errorf("%s: %s: %w", b.Name, method, context.Cause(ctx))
	}
}

// Start starts a process that runs until it ends, is killed, or the box ends. It answers its process id inside.
func (b *Box) Start(ctx context.Context, cmd Command) (int, error) {
	var pid int
	err := b.call(ctx, "Start", cmd, &pid)
	return pid, err
}

// Signal sends a signal to a process that Start started. Command.Restart stays in force.
func (b *Box) Signal(ctx context.Context, name string, sig syscall.Signal) error {
	return b.call(ctx, "Kill", KillArgs{Name: name, Signal: sig}, &struct{}{})
}

// Stop sends a signal to a process that Start started and waits for its end; it is not started again. The error after
// timeout says that it still runs.
func (b *Box) Stop(ctx context.Context, name string, sig syscall.Signal, timeout time.Duration) error {
	return b.call(ctx, "Kill", KillArgs{Name: name, Signal: sig, Stop: true, Timeout: timeout}, &struct{}{})
}

// List lists the processes that were started and have not ended, by name.
func (b *Box) List(ctx context.Context) ([]Process, error) {
	var list []Process
	err := b.call(ctx, "List", struct{}{}, &list)
	return list, err
}

// Run runs a command to its end, whatever its exit status is.
func (b *Box) Run(ctx context.Context, cmd Once) (Output, error) {
	var out Output
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline); cmd.Timeout == 0 || left < cmd.Timeout {
			cmd.Timeout = max(left, time.Millisecond)
		}
	}
	err := b.call(ctx, "Run", cmd, &out)
	return out, err
}

// Exec runs a command and answers its standard output. The error is an *ExitError when the command failed.
func (b *Box) Exec(ctx context.Context, argv ...string) (string, error) {
	return b.ExecInput(ctx, "", argv...)
}

// ExecInput is Exec with a standard input.
func (b *Box) ExecInput(ctx context.Context, stdin string, argv ...string) (string, error) {
	out, err := b.Run(ctx, Once{Argv: argv, Stdin: []byte(stdin)})
	if err != nil {
		return "", err
	}
	if out.Code != 0 {
		return string(out.Stdout), &ExitError{Box: b.Name, Argv: argv, Output: out}
	}
	return string(out.Stdout), nil
}

// Forward lets processes outside reach a TCP address inside, through a unix socket, as long as the box lives.
func (b *Box) Forward(ctx context.Context, socket, address string) error {
	return b.call(ctx, "Forward", ForwardArgs{Socket: socket, Address: address}, &struct{}{})
}

// Applet is the command line of one of Main's applets inside the box.
func Applet(name string, args ...string) []string {
	return append([]string{appletPrefix + name}, args...)
}

// Attach is the command line that runs argv in the box with the caller's terminal.
func (b *Box) Attach(argv []string) []string {
	return append([]string{"nsenter", fmt.Sprintf("--target=%d", b.pid), "--mount", "--net", "--uts", "--pid", "--wdns=/", "--"}, argv...)
}

// Kill ends the box and everything in it, and returns when nothing of it runs any more.
func (b *Box) Kill(ctx context.Context) error {
	if err := unix.PidfdSendSignal(b.pidfd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%s: kill: %w", b.Name, err)
	}
	for {
		// Readable once the process is dead; the kernel lets an init die only after all of its PID namespace.
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(b.pidfd), Events: unix.POLLIN}}, 50)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("%s: wait for the end: %w", b.Name, err)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: wait for the end: %w", b.Name, err)
		}
	}
}
