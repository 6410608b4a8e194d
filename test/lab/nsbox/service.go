package nsbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// namespaces are what a box has of its own.
const namespaces = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS

// defaultTimeout bounds commands that say nothing else.
const defaultTimeout = time.Minute

// service is the init's side of the control socket. Its exported methods are called by package net/rpc.
type service struct {
	box    string
	reaper *reaper

	mu      sync.Mutex
	running map[string]*kept
}

// kept is a process by name, through all its restarts.
type kept struct {
	cmd   Command
	child *child
	// stopped says that it must not be started again.
	stopped bool
	// gone is closed when the process is dead for good.
	gone chan struct{}
}

func newService(box string) *service {
	return &service{box: box, reaper: newReaper(), running: map[string]*kept{}}
}

// BoxName is how the process of a box within this one is called in List.
func BoxName(box string) string { return "box " + box }

// OpenBoxArgs asks for a box within this one.
type OpenBoxArgs struct {
	Spec Spec
	Log  string
}

// OpenBox starts the init of a box within this one and answers its process id, as this box sees it.
func (s *service) OpenBox(args OpenBoxArgs, pid *int) error {
	argv, err := args.Spec.argv()
	if err != nil {
		return err
	}
	return s.keep(Command{Name: BoxName(args.Spec.Name), Argv: argv, Log: args.Log}, namespaces, pid)
}

// Start starts a process and answers its process id.
func (s *service) Start(cmd Command, pid *int) error {
	return s.keep(cmd, 0, pid)
}

func (s *service) keep(cmd Command, cloneflags uintptr, pid *int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[cmd.Name] != nil {
		return fmt.Errorf("%s: %s runs already", s.box, cmd.Name)
	}
	c, err := s.launch(cmd, cloneflags)
	if err != nil {
		return err
	}
	k := &kept{cmd: cmd, child: c, gone: make(chan struct{})}
	s.running[cmd.Name] = k
	*pid = c.pid
	go s.tend(k)
	return nil
}

// launch starts a process with its log as standard output and error.
func (s *service) launch(cmd Command, cloneflags uintptr) (*child, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.box, err)
	}
	defer null.Close()
	log := null
	if cmd.Log != "" {
		if log, err = os.OpenFile(cmd.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644); err != nil {
			return nil, fmt.Errorf("%s: open log: %w", s.box, err)
		}
		defer log.Close()
	}
	c, err := s.reaper.start(cmd.Argv, cmd.Env, [3]*os.File{null, log, log}, cloneflags)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s.box, cmd.Name, err)
	}
	return c, nil
}

// tend starts a process again after each death, until it may not or cannot.
func (s *service) tend(k *kept) {
	defer close(k.gone)
	for {
		<-k.child.done
		if k.cmd.Restart > 0 {
			time.Sleep(k.cmd.Restart)
		}
		s.mu.Lock()
		var next *child
		var err error
		if k.cmd.Restart > 0 && !k.stopped {
			next, err = s.launch(k.cmd, 0)
		}
		if next == nil {
			delete(s.running, k.cmd.Name)
			s.mu.Unlock()
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s: not started again: %v\n", k.cmd.Name, err)
			}
			return
		}
		k.child = next
		s.mu.Unlock()
	}
}

// KillArgs says which process gets which signal.
type KillArgs struct {
	Name   string
	Signal syscall.Signal
	// Stop ends Command.Restart and answers when the process is dead, or an error after Timeout.
	Stop    bool
	Timeout time.Duration
}

// Kill sends a signal to a running process.
func (s *service) Kill(args KillArgs, _ *struct{}) error {
	s.mu.Lock()
	k := s.running[args.Name]
	if k == nil {
		s.mu.Unlock()
		return fmt.Errorf("%s: %s does not run", s.box, args.Name)
	}
	k.stopped = k.stopped || args.Stop
	err := s.reaper.signal(k.child, args.Signal, false)
	s.mu.Unlock()
	if err != nil || !args.Stop {
		return err
	}
	select {
	case <-k.gone:
		return nil
	case <-time.After(args.Timeout):
		return fmt.Errorf("%s: %s still runs %v after signal %d", s.box, args.Name, args.Timeout, args.Signal)
	}
}

// List answers the running processes, by name.
func (s *service) List(_ struct{}, list *[]Process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, k := range s.running {
		*list = append(*list, Process{Name: name, PID: k.child.pid, Box: k.cmd.Argv[0] == initName, Argv: k.cmd.Argv})
	}
	sort.Slice(*list, func(i, j int) bool { return (*list)[i].Name < (*list)[j].Name })
	return nil
}

// Run runs a command to its end. Its output goes to memory files and not through pipes, so that a daemon which it
// leaves behind holds nobody up.
func (s *service) Run(cmd Once, out *Output) error {
	var files [3]*os.File
	for i, name := range []string{"stdin", "stdout", "stderr"} {
		fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
		if err != nil {
			return fmt.Errorf("%s: make %s: %w", s.box, name, err)
		}
		files[i] = os.NewFile(uintptr(fd), name)
		defer files[i].Close()
	}
	if _, err := files[0].WriteAt(cmd.Stdin, 0); err != nil {
		return fmt.Errorf("%s: fill stdin: %w", s.box, err)
	}
	c, err := s.reaper.start(cmd.Argv, cmd.Env, files, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", s.box, err)
	}
	timeout := cmd.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		out.TimedOut = true
		if err := s.reaper.signal(c, syscall.SIGKILL, true); err != nil {
			return fmt.Errorf("%s: %w", s.box, err)
		}
		<-c.done
	}
	out.Code = exitCode(c.status)
	if out.Stdout, err = contents(files[1]); err != nil {
		return fmt.Errorf("%s: read stdout: %w", s.box, err)
	}
	if out.Stderr, err = contents(files[2]); err != nil {
		return fmt.Errorf("%s: read stderr: %w", s.box, err)
	}
	return nil
}

// contents reads a file from its start, wherever its offset is.
func contents(f *os.File) ([]byte, error) {
	var b bytes.Buffer
	_, err := io.Copy(&b, io.NewSectionReader(f, 0, 1<<62))
	return b.Bytes(), err
}

// ForwardArgs names both ends of a forwarding.
type ForwardArgs struct {
	// Socket is the unix socket to listen on, Address the TCP address to dial inside the box for each connection.
	Socket, Address string
}

// Forward lets processes outside reach a TCP address inside, through a unix socket, as long as the box lives.
func (s *service) Forward(args ForwardArgs, _ *struct{}) error {
	listener, err := net.Listen("unix", args.Socket)
	if err != nil {
		return fmt.Errorf("%s: %w", s.box, err)
	}
	go func() {
		for {
			outer, err := listener.Accept()
			if err != nil {
				fmt.Fprintf(os.Stderr, "forward %s: %v\n", args.Socket, err)
				return
			}
			go relay(outer.(*net.UnixConn), args.Address)
		}
	}()
	return nil
}

// relay carries bytes both ways until both sides have said all.
func relay(outer *net.UnixConn, address string) {
	defer outer.Close()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		// Nobody listens, as while the controller is down: the caller sees the end of the connection.
		return
	}
	inner := conn.(*net.TCPConn)
	defer inner.Close()
	var both sync.WaitGroup
	both.Go(func() {
		_, err := io.Copy(inner, outer)
		if err = errors.Join(err, inner.CloseWrite()); err != nil {
			inner.Close()
		}
	})
	both.Go(func() {
		_, err := io.Copy(outer, inner)
		if err = errors.Join(err, outer.CloseWrite()); err != nil {
			outer.Close()
		}
	})
	both.Wait()
}
