package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/checks"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// shared is the lab of all tests: they run one after the other.
var shared struct {
	once  sync.Once
	cloud *cloud.Cloud
	err   error
	dir   string
}

func TestMain(m *testing.M) {
	lab.Main()
	code := m.Run()
	if err := end(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// up answers the shared lab. The first caller builds the programs and a lab of three hosts, and starts the controller and
// then all agents at one moment.
func up(t *testing.T) *cloud.Cloud {
	t.Helper()
	shared.once.Do(func() { shared.cloud, shared.err = begin(context.Background()) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	if err := shared.cloud.EnsureUp(t.Context()); err != nil {
		t.Fatal(err, shared.cloud.Lab.Logs())
	}
	return shared.cloud
}

func begin(ctx context.Context) (*cloud.Cloud, error) {
	var bin string
	var err error
	if shared.dir, bin, err = workshop(ctx); err != nil {
		return nil, err
	}
	l, err := lab.Up(ctx, lab.Config{
		Dir: filepath.Join(shared.dir, "lab"), Hosts: []string{"compute1", "compute2", "network1"}, Bin: bin,
		ControllerArgs: checks.ControllerArgs(), AgentArgs: checks.AgentArgs(),
	})
	if err != nil {
		return nil, err
	}
	c, err := cloud.Dial(l)
	if err != nil {
		return nil, errors.Join(err, l.Down(ctx))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = c.StartController(ctx)
	if err == nil {
		err = c.StartAgents(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, l.Logs()), l.Down(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// workshop makes a directory for a lab, with the lab's programs in bin. It is to be removed also after an error.
func workshop(ctx context.Context) (dir, bin string, err error) {
	if dir, err = os.MkdirTemp("", "weft-e2e-"); err != nil {
		return "", "", err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // DHCP servers, who give up root, go through it to their files
		return dir, "", err
	}
	bin = filepath.Join(dir, "bin")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin+"/", "../../cmd/weft-controller", "../../cmd/weft-nsagent")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, bin, nil
}

// end takes the lab away.
func end() error {
	var err error
	if shared.cloud != nil {
		err = errors.Join(shared.cloud.Close(), shared.cloud.Lab.Down(context.Background()))
	}
	if shared.dir != "" {
		err = errors.Join(err, os.RemoveAll(shared.dir))
	}
	return err
}

// TestCloud runs every check, in one lab: what the demo shows and what must hold are the same.
func TestCloud(t *testing.T) {
	c := up(t)
	runner := checks.NewRunner(c)
	for _, check := range checks.All() {
		t.Run(check.Name, func(t *testing.T) {
			if err := c.EnsureUp(t.Context()); err != nil {
				t.Fatal(err, c.Lab.Logs())
			}
			r := runner.Run(t.Context(), check)
			t.Logf("%s (%v)", r.Measured, r.Took.Round(time.Millisecond))
			if r.Err != nil {
				t.Error(fmt.Errorf("%w\n%s", r.Err, c.Lab.Logs()))
			}
		})
	}
	if err := runner.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
