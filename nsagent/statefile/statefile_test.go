package statefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

func open1(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func sample() State {
	return State{Epoch: 7, Revision: 41, Resources: []*nodev1.Resource{
		{Name: "bridge/br-int", Version: "v1", Spec: &nodev1.Resource_Bridge{Bridge: &nodev1.Bridge{Name: "br-int", Role: "integration"}}},
		{Name: "port/p1", Version: "v2", Spec: &nodev1.Resource_Port{Port: &nodev1.PortBinding{PortId: "p1", Vlan: 3}}},
	}}
}

func TestStateComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	d := open1(t, path)
	if s, err := d.Load(); err != nil || len(s.Resources) != 0 {
		t.Fatalf("state of a new directory: %+v, %v", s, err)
	}
	if err := d.Save(sample()); err != nil {
		t.Fatal(err)
	}
	got, err := d.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got, protocmp.Transform()); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	d.Close()
	open1(t, path)
}

func TestWrongFileIsSetAside(t *testing.T) {
	good, err := encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 1
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "does not begin as a desired state does"},
		{"cut", good[:len(good)-3], "checksum is wrong"},
		{"one bit", flipped, "checksum is wrong"},
		{"of a later agent", []byte(strings.Replace(string(good), "state 1 ", "state 2 ", 1)), "of format 2, and this agent reads 1"},
		{"something else", []byte(strings.Repeat("x", 1000)), "does not begin as a desired state does"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open1(t, t.TempDir())
			path := filepath.Join(d.Path(), fileName)
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := d.Load()
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), c.want) || len(s.Resources) != 0 {
				t.Fatalf("state %+v, error %v", s, err)
			}
			aside, err := os.ReadFile(corrupt.Aside)
			if err != nil || string(aside) != string(c.file) {
				t.Errorf("set aside: %q, %v", aside, err)
			}
			if s, err := d.Load(); err != nil || len(s.Resources) != 0 {
				t.Errorf("after that: %+v, %v", s, err)
			}
		})
	}
}

func TestOneAgentAtATime(t *testing.T) {
	path := t.TempDir()
	d := open1(t, path)
	_, err := Open(path)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "another agent uses it: process ") {
		t.Errorf("second agent: %v", err)
	}
	d.Close()
	open1(t, path)
}

func TestDirectoryThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("error %v", err)
	}
	if _, err := Open("/proc/weft"); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("error %v", err)
	}
	d := open1(t, t.TempDir())
	if err := os.RemoveAll(d.Path()); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(sample()); err == nil || !strings.HasPrefix(err.Error(), "save the desired state: ") {
		t.Errorf("error %v", err)
	}
}
