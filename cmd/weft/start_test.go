package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The command line starts in milliseconds, and has no store inside: it talks to one that has.
func TestHasNoStoreInside(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		for _, heavy := range []string{"go.etcd.io/", "github.com/weft-sdn/weft/controller/store", "github.com/weft-sdn/weft/controller/api", "github.com/ovn-kubernetes/libovsdb"} {
			if strings.HasPrefix(dep, heavy) {
				t.Errorf("weft imports %s", dep)
			}
		}
	}
}
