package radvd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/test/space"
)

func alive(pid int) bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return len(line) > 0
}

func anyOf(advertisement) bool { return true }

func TestMachineConfiguresItself(t *testing.T) {
	s := newSite(t)
	s.want.Devices[0].OtherConfig = true
	s.want.Devices[0].DNS = append(s.want.Devices[0].DNS, ip("fd00:1::53"), ip("fd00:1::54"), ip("fd00:1::55"), ip("fd00:1::56"))
	s.in.Run("ip", "addr", "add", "fd00:2::1/64", "dev", "qr-48adc8c6-aa")
	s.want.Devices[0].Prefixes = append(s.want.Devices[0].Prefixes, plan.AdvertisedPrefix{Prefix: cidr("fd00:2::/64")})
	s.ensure()
	began := time.Now()
	m := s.machine("fa:16:3e:00:00:11")
	m.has("fd00:1::f816:3eff:fe00:11/64", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global")
	t.Logf("a machine has its address %v after it came", time.Since(began))
	m.has("default via "+routerLL, "ip", "-6", "route")
	m.has("fd00:2::/64 dev eth0", "ip", "-6", "route")
	m.has("1450", "sysctl", "net.ipv6.conf.eth0.mtu")
	if out := m.Run("ip", "-6", "addr", "show", "dev", "eth0"); strings.Contains(out, "fd00:2::") {
		t.Errorf("an address of a prefix that is not autonomous: %s", out)
	}
	m.Run("ping", "-c1", "-W5", "fd00:2::1")
	want := "lifetime 300 M false O true mtu 1450 prefixes [fd00:1::/64 A fd00:2::/64] dns [fd00:1::53 fd00:1::54 fd00:1::55 fd00:1::56]"
	if got := m.hears("an advertisement", 0, anyOf).String(); got != want {
		t.Errorf("heard %s", got)
	}
	// Nobody but root may change what it reads, and it is not root who listens.
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil || strings.Contains(string(status), "Uid:\t0") {
		t.Errorf("%v: %s", err, status)
	}
}

func TestSolicitationIsAnsweredAtOnce(t *testing.T) {
	s := newSite(t)
	s.ensure()
	m := s.machine("fa:16:3e:00:00:11")
	m.hears("the first", 0, anyOf)
	m.has("fd00:1::f816:3eff:fe00:11/64", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global")
	for range 3 {
		n, began := len(m.all()), time.Now()
		m.solicit()
		t.Logf("answered after %v", m.hears("an answer", n, anyOf).at.Sub(began))
	}
}

// What changes is announced at once, by the same process, and nothing is taken back.
func TestChangesAreAnnouncedAtOnce(t *testing.T) {
	s := newSite(t)
	if !s.ensure() {
		t.Error("the first Ensure did nothing")
	}
	pid := s.pid()
	if s.ensure() {
		t.Errorf("the second Ensure did something: %s", s.counts())
	}
	m := s.machine("fa:16:3e:00:00:11")
	m.has("default via "+routerLL, "ip", "-6", "route")

	n, began := len(m.all()), time.Now()
	s.in.Run("ip", "addr", "add", "fd00:9::1/64", "dev", "qr-48adc8c6-aa")
	s.want.Devices[0].Prefixes = []plan.AdvertisedPrefix{{Prefix: cidr("fd00:9::/64"), Autonomous: true}}
	s.want.Devices[0].Managed = true
	if !s.ensure() {
		t.Error("a change did nothing")
	}
	a := m.hears("the new prefix", n, func(a advertisement) bool { return slices.Equal(a.prefixes, []string{"fd00:9::/64 A"}) && a.managed })
	t.Logf("a change is announced after %v", a.at.Sub(began))
	m.has("fd00:9::f816:3eff:fe00:11/64", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global")
	m.loyal()

	// Another device of the router.
	s.device(s.in, "qr-00000000-22", "fa:16:3e:00:00:02", "router2")
	s.in.Run("ip", "addr", "add", "fd00:5::1/64", "dev", "qr-00000000-22")
	n = len(m.all())
	s.want.Devices = append(s.want.Devices, plan.AdvertisingDevice{Name: "qr-00000000-22", MTU: 1450,
		Advertisement: plan.Advertisement{DefaultRouter: true, Prefixes: []plan.AdvertisedPrefix{{Prefix: cidr("fd00:5::/64"), Autonomous: true}}}})
	s.ensure()
	m.hears("the other device", n, func(a advertisement) bool { return slices.Equal(a.prefixes, []string{"fd00:5::/64 A"}) })
	m.loyal()
	if s.pid() != pid || s.counts() != "1 starts, 2 reloads" {
		t.Errorf("process %d, then %d: %s", pid, s.pid(), s.counts())
	}
}

// A router that is nobody's default router is heard all the same.
func TestNoDefaultRouter(t *testing.T) {
	s := newSite(t)
	s.want.Devices[0].DefaultRouter = false
	s.ensure()
	m := s.machine("fa:16:3e:00:00:11")
	m.has("fd00:1::f816:3eff:fe00:11/64", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global")
	if out := m.Run("ip", "-6", "route", "show", "default"); out != "" {
		t.Errorf("default route: %s", out)
	}
	// It becomes one.
	s.want.Devices[0].DefaultRouter = true
	s.ensure()
	m.has("default via "+routerLL, "ip", "-6", "route")
}

// The bug that SIGTERM would be: machines lose their default route. Stop and a new start take nothing back.
func TestNobodyHearsAGoodbye(t *testing.T) {
	s := newSite(t)
	s.ensure()
	m := s.machine("fa:16:3e:00:00:11")
	m.has("default via "+routerLL, "ip", "-6", "route")
	if err := s.Stop(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	if left := s.processes(); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	n := len(m.all())
	s.ensure()
	m.hears("the router again", n, anyOf)
	m.loyal()

	n = len(m.all())
	if err := syscall.Kill(s.pid(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears("radvd's goodbye", n, func(a advertisement) bool { return a.lifetime == 0 })
	s.await("its end", func() bool { return len(s.processes()) == 0 })
	if out := m.Run("ip", "-6", "route", "show", "default"); out != "" {
		t.Errorf("default route after a goodbye: %s", out)
	}
	s.ensure()
	m.has("default via "+routerLL, "ip", "-6", "route")
}

func TestItOutlivesTheAgentAndComesBackWhenItDies(t *testing.T) {
	s := newSite(t)
	s.ensure()
	pid := s.pid()
	m := s.machine("fa:16:3e:00:00:11")
	m.hears("the first", 0, anyOf)
	s.restart()
	if s.ensure() || s.pid() != pid {
		t.Errorf("it was not taken up: %s, process %d, then %d", s.counts(), pid, s.pid())
	}
	if got, err := s.Running(); err != nil || !slices.Equal(got, []string{namespace}) || !s.Alive(namespace) {
		t.Errorf("running: %v, %v, alive: %v", got, err, s.Alive(namespace))
	}

	// The agent wrote the file and was killed before it could tell radvd.
	n := len(m.all())
	s.want.Devices[0].OtherConfig = true
	if _, err := (daemon.Files{confFile: render(s.want)}).Write(s.Dir(router)); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.ensure()
	m.hears("what was written", n, func(a advertisement) bool { return a.otherConfig })
	if s.pid() != pid {
		t.Errorf("process %d, then %d", pid, s.pid())
	}

	for _, p := range s.processes() { // the one that remains root, too
		if p == pid {
			continue
		}
		if err := syscall.Kill(p, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case name := <-s.Deaths():
		if name != namespace {
			t.Errorf("%q has ended", name)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody said that it has ended")
	}
	n = len(m.all())
	if !s.ensure() || s.pid() == pid || s.pid() == 0 {
		t.Errorf("process %d, then %d", pid, s.pid())
	}
	m.hears("the router again", n, anyOf)
	m.loyal()

	// The pid file is lost, or names another process.
	for _, text := range []string{"", "1\n", "garbage"} {
		if err := os.WriteFile(filepath.Join(s.Dir(router), pidFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s.ensure()
		if ps := s.processes(); len(ps) != 2 || !slices.Contains(ps, s.pid()) {
			t.Errorf("with pid file %q there are %v, and the one of the pid file is %d", text, ps, s.pid())
		}
	}
	m.loyal()
}

// Reloads that come as fast as they can, from the first moment on: radvd ends by a SIGHUP that it gets before it handles one.
func TestReloadsRightAfterTheStart(t *testing.T) {
	s := newSite(t)
	m := s.machine("fa:16:3e:00:00:11")
	s.ensure()
	pid := s.pid()
	for i := range 30 {
		s.want.Devices[0].OtherConfig = i%2 == 0
		s.ensure()
	}
	n := len(m.all())
	s.want.Devices[0].DNS = append(s.want.Devices[0].DNS, ip("fd00:1::53"))
	s.ensure()
	m.hears("the last change", n, func(a advertisement) bool { return len(a.dns) == 1 })
	if s.pid() != pid || s.counts() != "1 starts, 31 reloads" {
		t.Errorf("process %d, then %d: %s", pid, s.pid(), s.counts())
	}
	m.loyal()
}

// The namespace was removed by somebody and made again: the old process still lives, where nobody hears it.
func TestNamespaceIsAnotherOne(t *testing.T) {
	s := newSite(t)
	s.ensure()
	pid := s.pid()
	s.in = space.New(t, namespace)
	s.in.Run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.default.accept_dad=0")
	s.lan.Run("ip", "link", "del", "router")
	s.device(s.in, "qr-48adc8c6-aa", "fa:16:3e:00:00:01", "router")
	s.ensure()
	if p := s.pid(); p == pid || p == 0 || alive(pid) {
		t.Errorf("process %d, then %d; the old one lives: %v", pid, p, alive(pid))
	}
	s.machine("fa:16:3e:00:00:11").has("default via "+routerLL, "ip", "-6", "route")
}

func TestStopLeavesNothing(t *testing.T) {
	s := newSite(t)
	s.ensure()
	for _, name := range []string{namespace, "qrouter-..", "qdhcp-x", "qrouter-"} {
		if err := s.Stop(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(s.Dir(router)); !os.IsNotExist(err) || len(s.processes()) > 0 {
		t.Errorf("files: %v, processes %v", err, s.processes())
	}
	if got, err := s.Running(); err != nil || len(got) != 0 {
		t.Errorf("running: %v, %v", got, err)
	}
}

func TestProblems(t *testing.T) {
	s := newSite(t)
	s.want.Devices[0].MTU = 100
	_, err := s.Ensure(t.Context(), s.in, s.want)
	if d := cmp.Diff("radvd of router "+router+": device qr-48adc8c6-aa: mtu 100 is not in 1280..65535", fmt.Sprint(err)); d != "" {
		t.Error(d)
	}
	s.want.Devices[0].MTU = 1450
	// Somebody holds its pid file.
	if err := os.MkdirAll(filepath.Join(s.Dir(router), pidFile, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ensure(t.Context(), s.in, s.want); err == nil || !strings.HasPrefix(err.Error(), "radvd of router "+router+": ") {
		t.Errorf("error %v", err)
	}
	if err := os.RemoveAll(filepath.Join(s.Dir(router), pidFile)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "/nowhere")
	_, err = s.Ensure(t.Context(), s.in, s.want)
	if err == nil || !strings.HasPrefix(err.Error(), "radvd of router "+router+": the program radvd is missing on this host (Debian: apt install radvd): ") {
		t.Errorf("without a program: %v", err)
	}
}
