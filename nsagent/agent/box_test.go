package agent

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/nsagent/kernel"
)

// inBox says that this process has mount and network namespaces of its own, in which it may make others.
const inBox = "WEFT_AGENT_TEST_BOX"

// TestMain runs the tests in a box: nothing of the machine's is seen or touched.
func TestMain(m *testing.M) {
	if os.Getenv(inBox) == "" {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), inBox+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		if err := cmd.Run(); err != nil {
			if _, ended := err.(*exec.ExitError); !ended {
				fmt.Println("a box for the tests (is this root?):", err)
			}
			os.Exit(1)
		}
		os.Exit(0)
	}
	for _, f := range []func() error{
		func() error { return os.MkdirAll(kernel.Dir, 0o755) },
		func() error { return syscall.Mount("tmpfs", kernel.Dir, "tmpfs", 0, "") },
		exec.Command("ip", "link", "set", "lo", "up").Run,
	} {
		if err := f(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m)
}
