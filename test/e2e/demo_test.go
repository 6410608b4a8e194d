package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-sdn/weft/test/lab"
)

// demo is the command, with a run directory of its own.
type demo struct {
	t        *testing.T
	bin, dir string
}

func newDemo(t *testing.T) *demo {
	t.Helper()
	bin, err := os.MkdirTemp("", "weft-demo-")
	if err != nil {
		t.Fatal(err)
	}
	d := &demo{t, bin, filepath.Join(bin, "run")}
	t.Cleanup(func() {
		if _, err := lab.Remove(context.Background(), d.dir); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(bin); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(bin, 0o711); err != nil { // DHCP servers, who give up root, go through it to their files
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "../../cmd/weft", "../../cmd/weft-controller", "../../cmd/weft-nsagent")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return d
}

func (d *demo) command(args ...string) *exec.Cmd {
	return exec.CommandContext(d.t.Context(), filepath.Join(d.bin, "weft"), slices.Concat([]string{"demo", "--dir", d.dir}, args)...)
}

// must runs a command that has to end with an exit code and say something.
func (d *demo) must(code int, says string, args ...string) {
	d.t.Helper()
	cmd := d.command(args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		d.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), says) {
		d.t.Errorf("weft demo %s: exit code %d, want %d and %q in:\n%s", strings.Join(args, " "), got, code, says, out)
	}
}

// hintsWork does what "weft demo status" says about REST, which once asked for a host that the door refuses.
func (d *demo) hintsWork() {
	d.t.Helper()
	out, err := d.command("status").Output()
	if err != nil {
		d.t.Fatal(err)
	}
	_, hint, ok := strings.Cut(string(out), "REST: ")
	if got, err := exec.CommandContext(d.t.Context(), "sh", "-c", hint).Output(); !ok || err != nil || !strings.Contains(string(got), `"networks":[]`) {
		d.t.Errorf("%q answers %q, %v", hint, got, err)
	}
}

// processes are those that have the run directory in their command line or environment: of a demo all do.
func (d *demo) processes() (all []string) {
	d.t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, p := range dirs {
		line, err1 := os.ReadFile(p + "/cmdline")
		environ, err2 := os.ReadFile(p + "/environ")
		if err1 == nil && err2 == nil && (bytes.Contains(line, []byte(d.dir)) || bytes.Contains(environ, []byte(d.dir))) {
			all = append(all, filepath.Base(p)+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return all
}

// leftNothing fails while there is a process or a file of the demo.
func (d *demo) leftNothing() {
	d.t.Helper()
	if err := lab.Poll(d.t.Context(), 10*time.Second, func() error {
		if left := d.processes(); len(left) > 0 {
			return fmt.Errorf("processes are left: %q", left)
		}
		if _, err := os.Stat(d.dir); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the run directory is left: %v", err)
		}
		return nil
	}); err != nil {
		d.t.Error(err)
	}
}

// Ctrl-C, wherever it comes, leaves nothing.
func TestDemoInterrupted(t *testing.T) {
	d := newDemo(t)
	for _, tc := range []struct {
		// when is what it has said last.
		when string
		args []string
	}{
		{"hosts", nil}, {"controller", nil}, {"agents", nil}, {"VMs", nil}, {"PASS", []string{"--check"}},
	} {
		t.Run(tc.when, func(t *testing.T) {
			cmd := d.command(append([]string{"up", "--hosts", "compute1,network1"}, tc.args...)...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(out)
			for line := ""; !strings.HasPrefix(strings.TrimSpace(line), tc.when); {
				if line, err = r.ReadString('\n'); err != nil {
					t.Fatalf("%v; stderr: %s", err, stderr.String())
				}
			}
			if len(d.processes()) < 2 {
				t.Errorf("only %q run", d.processes())
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Error(err)
			}
			// 5: what was asked is not known.
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 5 || !strings.Contains(stderr.String(), "interrupted") {
				t.Errorf("%v, stderr: %s", err, stderr.String())
			}
			d.leftNothing()
		})
	}
}

// A second demo is refused while one is up, which does not notice; and it ends once.
func TestDemoIsUpOnce(t *testing.T) {
	d := newDemo(t)
	d.must(3, "no demo is up", "status")
	d.must(0, "Look around", "up", "--hosts", "compute1", "--empty")
	d.must(4, "a demo is up already", "up", "--hosts", "compute1", "--empty")
	d.must(0, "weft-nsagent", "status")
	d.hintsWork()
	d.must(0, "n_packets", "exec", "compute1", "--", "ovs-ofctl", "dump-flows", "br-tun")
	d.must(0, "1 passed, 0 failed", "check", "one host")
	d.must(2, "weft demo check --list", "check", "nosuch")
	d.must(0, "the demo is down", "down")
	d.leftNothing()
	d.must(0, "no demo is up", "down")
}
