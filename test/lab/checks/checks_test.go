package checks_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/checks"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

func TestMain(m *testing.M) {
	lab.Main()
	os.Exit(m.Run())
}

// TestAll is "weft demo check" on a lab of its own, with the programs as they are now.
func TestAll(t *testing.T) {
	dir, err := os.MkdirTemp("", "weft-checks-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	bin := filepath.Join(dir, "bin")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", bin+"/", "../../../cmd/weft-controller", "../../../cmd/weft-nsagent").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	l, err := lab.Up(t.Context(), lab.Config{Dir: filepath.Join(dir, "lab"), Hosts: []string{"compute1", "compute2", "network1"}, Bin: bin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.Logs())
		}
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c, err := cloud.Dial(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.StartController(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.StartAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, check := range checks.All() {
		t.Run(check.Name, func(t *testing.T) {
			r := checks.Run(t.Context(), c, check)
			if r.Err != nil {
				t.Errorf("%s: %v", r.Measured, r.Err)
				return
			}
			t.Log(r.Measured)
		})
	}
}
