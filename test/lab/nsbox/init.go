package nsbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// argv0 of this program when it is to be the init of a box.
const initName = "weft-lab-init"

// appletPrefix starts argv0 of this program when it is to be one of the applets.
const appletPrefix = "weft-lab:"

// ready is set by Main. Without it a child of ours would be this program's ordinary main, all over again.
var ready bool

// Main must be called first thing in main (of a test binary: in TestMain). In a child process that a box started, it
// does what the child is for and exits: be the init of a box, or run one of the applets, which get their arguments
// and return the exit status. Otherwise it returns at once.
func Main(applets map[string]func(args []string) int) {
	ready = true
	name := os.Args[0]
	if name == initName {
		if err := beInit(os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "weft-lab-init: %v\n", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if applet, ok := strings.CutPrefix(name, appletPrefix); ok {
		run, ok := applets[applet]
		if !ok {
			fmt.Fprintf(os.Stderr, "%s: no such applet\n", name)
			os.Exit(2)
		}
		os.Exit(run(os.Args[1:]))
	}
}

// freed is the byte that frees an init from its leash.
const freed = 'f'

// beInit sets the box up and serves its control socket until the leash breaks or the process is killed.
func beInit(args []string) error {
	if len(args) != 1 {
		return errors.New("not for use by hand")
	}
	if os.Getpid() != 1 {
		return errors.New("not the first process of a PID namespace")
	}
	var spec Spec
	if err := json.Unmarshal([]byte(args[0]), &spec); err != nil {
		return fmt.Errorf("read spec: %w", err)
	}
	if err := spec.mount(); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte(spec.Name)); err != nil {
		return fmt.Errorf("set hostname: %w", err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("set lo up: %w: %s", err, out)
	}
	listener, err := net.Listen("unix", spec.Socket)
	if err != nil {
		return fmt.Errorf("listen on the control socket: %w", err)
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Box", newService(spec.Name)); err != nil {
		return fmt.Errorf("register service: %w", err)
	}
	go server.Accept(listener)
	if spec.Leashed {
		return watchLeash(os.Stdin)
	}
	select {}
}

// watchLeash returns when the other end of the leash, held by the process that opened the box, is gone without having
// set the box free.
func watchLeash(leash io.Reader) error {
	var b [1]byte
	if _, err := io.ReadFull(leash, b[:]); err != nil {
		return nil
	}
	if b[0] != freed {
		return fmt.Errorf("unknown byte %q on the leash", b[0])
	}
	select {}
}
