package namespaces

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/nsagent/kernel"
)

// inBox says that this process has mount and network namespaces of its own, with a kernel.Dir of its own.
const inBox = "WEFT_NAMESPACES_TEST_BOX"

// TestMain runs the tests in a box: nothing of the machine's is seen or touched.
func TestMain(m *testing.M) {
	if os.Getuid() != 0 {
		fmt.Println("skipped: namespaces need root")
		os.Exit(0)
	}
	if os.Getenv(inBox) == "" {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), inBox+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		if err := cmd.Run(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	err := os.MkdirAll(kernel.Dir, 0o755)
	if err == nil {
		err = syscall.Mount("tmpfs", kernel.Dir, "tmpfs", 0, "")
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
