package unixctl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-sdn/weft/test/ovs"
)

func TestCall(t *testing.T) {
	s := ovs.Start(t)
	s.Vsctl("add-br", "br0") // ovs-vswitchd knows all its commands once it has made a bridge
	// What a killed predecessor left.
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(s.Dir, "ovs-vswitchd.1.ctl"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()

	if got, err := Call(t.Context(), s.Dir, "ovs-vswitchd", "version"); err != nil || got != "ovs-vswitchd (Open vSwitch) 3.1.0\n" {
		t.Errorf("version: %q, %v", got, err)
	}
	if got, err := Call(t.Context(), s.Dir, "ovs-vswitchd", "fdb/show", "br-none"); err == nil || err.Error() != "ovs-vswitchd: fdb/show: no such bridge" {
		t.Errorf("a command that is refused: %q, %v", got, err)
	}
	s.KillSwitchd()
	if _, err := Call(t.Context(), s.Dir, "ovs-vswitchd", "version"); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("ovs-vswitchd does not run in %s\n", s.Dir)) {
		t.Errorf("a daemon that is dead: %v", err)
	}
}

func TestDaemonThatDoesNotAnswer(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, "ovs-vswitchd.1.ctl"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Call(ctx, dir, "ovs-vswitchd", "version"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
