package plan

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// TestNamespaces holds every kind of namespace against its text in testdata.
func TestNamespaces(t *testing.T) {
	got, errs := Build(readAll(t, cloud()))
	if len(errs) > 0 {
		t.Errorf("errors: %v", errs)
	}
	for _, name := range []string{QRouter + dvr, QRouter + legacy, SNAT + dvr, FIP + external, QDHCP + private1} {
		golden(t, name+".txt", got[name].Text())
	}
	if len(got) != 5 {
		t.Errorf("there are %d namespaces", len(got))
	}
}

// TestFirstSteps is how a namespace comes to be.
func TestFirstSteps(t *testing.T) {
	got, _ := Build(readAll(t, cloud()))
	text := ""
	for _, s := range Diff(got[QRouter+dvr], Namespace{}) {
		text += s.String() + "\n"
	}
	golden(t, "first-steps.txt", text)
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", file, d)
	}
}
