package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/checks"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

func TestMain(m *testing.M) {
	lab.Main()
	os.Exit(m.Run())
}

// up builds the programs, a lab of three hosts, and starts the controller and then all agents at one moment.
func up(t *testing.T) *cloud.Cloud {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "bin")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "../../cmd/weft-controller", "../../cmd/weft-nsagent")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	l, err := lab.Up(t.Context(), lab.Config{Dir: filepath.Join(dir, "lab"), Hosts: []string{"compute1", "compute2", "network1"}, Bin: bin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c, err := cloud.Dial(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.StartController(ctx); err != nil {
		t.Fatal(err, l.Logs())
	}
	if err := c.StartAgents(ctx); err != nil {
		t.Fatal(err, l.Logs())
	}
	return c
}

// TestCloud runs every check, in one lab: what the demo shows and what must hold are the same.
func TestCloud(t *testing.T) {
	c := up(t)
	for _, check := range checks.All() {
		t.Run(check.Name, func(t *testing.T) {
			if err := c.EnsureUp(t.Context()); err != nil {
				t.Fatal(err, c.Lab.Logs())
			}
			r := checks.Run(t.Context(), c, check)
			t.Logf("%s (%v)", r.Measured, r.Took.Round(time.Millisecond))
			if r.Err != nil {
				t.Error(fmt.Errorf("%w\n%s", r.Err, c.Lab.Logs()))
			}
		})
	}
}
