package nsbox

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// Command is a process to start and keep in a box.
type Command struct {
	// Name is unique among the box's running processes; Kill and Wait use it.
	Name string
	// Argv is the program, looked up in PATH unless it holds a slash, and its arguments.
	Argv []string
	// Env is added to the box's own environment.
	Env []string
	// Log receives standard output and standard error, appended. Empty: they are thrown away.
	Log string
	// Restart, if not 0, is how long after its death the process is started again, as systemd's Restart=always does.
	Restart time.Duration
}

// Process is a process that a box keeps.
type Process struct {
	Name string
	// PID is the process id inside the box's PID namespace.
	PID int
	// Box says that it is the init of a box within this one.
	Box  bool
	Argv []string
}

// Once is a command to run to its end.
type Once struct {
	Argv []string
	Env  []string
	// Stdin is given to the command whole.
	Stdin []byte
	// Timeout ends the command and its process group with SIGKILL. 0 means a minute.
	Timeout time.Duration
}

// Output is what a command that ran to its end left.
type Output struct {
	Stdout, Stderr []byte
	// Code is the exit status, or 128 + the number of the signal that ended it, as shells count.
	Code     int
	TimedOut bool
}

// ExitError is a command that ended with an exit status other than 0.
type ExitError struct {
	Box  string
	Argv []string
	Output
}

// Error shows the command, its exit status and the last lines of what it said.
func (e *ExitError) Error() string {
	said := strings.TrimSpace(string(e.Stderr))
	if said == "" {
		said = strings.TrimSpace(string(e.Stdout))
	}
	lines := strings.Split(said, "\n")
	said = strings.Join(lines[max(0, len(lines)-3):], "; ")
	how := fmt.Sprintf("exit status %d", e.Code)
	if e.TimedOut {
		how = "timed out"
	}
	return fmt.Sprintf("%s: %s: %s: %s", e.Box, strings.Join(e.Argv, " "), how, said)
}

// exitCode is the exit status as shells count it.
func exitCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
