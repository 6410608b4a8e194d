package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// commandTimeout is how long a command may take; then it is killed, with all that it has started. lineTimeout is how much longer
// for each line that it is given: 20,000 of them, which 400 firewall bridges have, take iptables-restore 2 s on an idle machine.
const (
	commandTimeout = 10 * time.Second
	lineTimeout    = time.Millisecond
)

// ErrNoCommand: a program that is needed is not installed.
var ErrNoCommand = errors.New("program not found")

// command is a command that runs inside a namespace.
type command struct {
	cmd         *exec.Cmd
	out, errors bytes.Buffer
	cancel      context.CancelFunc
	ctx         context.Context
	timeout     time.Duration
}

// start starts a command inside.
func (n *Namespace) start(ctx context.Context, stdin string, argv ...string) (*command, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %s; install it, or put its directory into PATH", ErrNoCommand, argv[0])
	}
	c := &command{timeout: commandTimeout + time.Duration(strings.Count(stdin, "\n"))*lineTimeout}
	c.ctx, c.cancel = context.WithTimeout(ctx, c.timeout)
	c.cmd = exec.CommandContext(c.ctx, path, argv[1:]...)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = strings.NewReader(stdin), &c.out, &c.errors
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Cancel = func() error { return syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) }
	c.cmd.WaitDelay = time.Second
	if err := n.Do(c.cmd.Start); err != nil {
		c.cancel()
		return nil, fmt.Errorf("%s: %w", argv[0], err)
	}
	return c, nil
}

// wait waits for the end of the command and gives what it printed.
func (c *command) wait() (string, error) {
	defer c.cancel()
	err := c.cmd.Wait()
	switch {
	case err == nil:
		return c.out.String(), nil
	case errors.Is(c.ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("%s did not end within %v, and was killed", c.cmd.Args[0], c.timeout)
	case c.ctx.Err() != nil:
		return "", c.ctx.Err()
	}
	return "", fmt.Errorf("%s: %w: %s", c.cmd.Args[0], err, strings.TrimSpace(c.errors.String()))
}
