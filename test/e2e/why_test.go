package e2e

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// weft runs the command line with the demo's controller, and answers its exit code and what it said.
func (d *demo) weft(args ...string) (code int, said string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), filepath.Join(d.bin, "weft"), slices.Concat([]string{"--server", "unix:" + filepath.Join(d.dir, "api.sock")}, args)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		d.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// weft why says of a machine's faults what its packets say: each is made by hand, on the host that it is on.
func TestWhy(t *testing.T) {
	d := newDemo(t)
	d.must(0, "Look around", "up", "--hosts", "compute1,network1")
	why := func(when string, code int, says ...string) {
		t.Helper()
		got, said := d.weft("why", "vmb")
		for _, s := range says {
			if !strings.Contains(said, s) {
				t.Errorf("%s: not said: %q", when, s)
			}
		}
		if got != code || t.Failed() {
			t.Fatalf("%s: exit code %d, want %d:\n%s", when, got, code, said)
		}
	}
	reaches := func(when, address string, yes bool) {
		t.Helper()
		err := d.command("vm", "exec", "vmb", "--", "ping", "-c", "3", "-W", "1", "-i", "0.2", address).Run()
		if (err == nil) != yes {
			t.Errorf("%s: reaches %s: %v, want %v", when, address, err, yes)
		}
	}
	const gateway, world = "10.0.1.1", "203.0.113.1"
	fine := []string{"DHCP server", "gateway " + gateway, "metadata service", "the world, " + world, "nothing wrong was found"}
	why("as it is", 0, fine...)
	reaches("as it is", world, true)

	route := func(verb string) {
		t.Helper()
		d.must(0, "", "exec", "network1", "--", "sh", "-c", `ip netns exec "$(ip netns list | grep -o 'snat-[^ ]*')" ip route `+verb+" blackhole "+world)
	}
	route("add")
	why("a route leads nowhere", 1, "FAIL  the world, "+world, "1 wrong", "try: weft trace vmb "+world)
	reaches("a route leads nowhere", world, false)
	reaches("a route leads nowhere", gateway, true)
	route("del")
	why("the route has gone", 0, fine...)
	reaches("the route has gone", world, true)

	for _, s := range []struct {
		flag string
		up   bool
	}{{"--admin-state-up=false", false}, {"--admin-state-up=true", true}} {
		for _, command := range [][]string{{"set", "port", "vmb", s.flag}, {"wait"}} {
			if code, said := d.weft(command...); code != 0 {
				t.Fatalf("%v: %s", command, said)
			}
		}
		if s.up {
			why("set up again", 0, fine...)
		} else {
			why("set down", 1, "FAIL  gateway "+gateway)
		}
		reaches(s.flag, gateway, s.up)
	}
	d.must(0, "the demo is down", "down")
}
