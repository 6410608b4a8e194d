package dnsmasq

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/test/space"
)

// rebuilt is the machine after it was installed anew: the same port, and another DUID.
func (m *machine6) rebuilt(n byte) *machine6 {
	again := *m
	again.duid = &dhcpv6.DUIDUUID{UUID: [16]byte{0: n, 15: 1}}
	return &again
}

// persist solicits until there is an address, as clients do, and says how long that took.
func (m *machine6) persist() (got string, took time.Duration) {
	m.t.Helper()
	began := time.Now()
	for {
		got = m.solicit()
		took = time.Since(began)
		if strings.HasPrefix(got, "fd00:") || took > 30*time.Second {
			return got, took
		}
		time.Sleep(lookGap) // what RFC 8415 tells clients to
	}
}

func (m *machine6) gets(want string) {
	m.t.Helper()
	got, took := m.persist()
	if got != want {
		m.t.Errorf("it gets %s, after %v", got, took)
	}
	m.t.Logf("%v", took)
}

// sockets is how many packet sockets there are in a namespace.
func sockets(s *space.Space) int {
	return strings.Count(s.Run("cat", "/proc/self/net/packet"), "\n") - 1
}

// TestRebuiltMachine: dnsmasq refuses a port its own address, as long as a lease lasts that the port's machine had with another DUID.
func TestRebuiltMachine(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	vm1, vm2 := s.machine6("fa:16:3e:00:00:11"), s.machine6("fa:16:3e:00:00:12")
	vm1.gets(vm1Gets)
	vm2.gets(vm2Gets)
	s.await("the leases", func() bool { return len(s.held6()) == 2 })
	pid := s.pid()

	vm1 = vm1.rebuilt(1)
	vm1.gets(vm1Gets)
	// By PXE, the same machine may be the same DUID, with another IAID.
	vm1.iaid = [4]byte{1}
	vm1.gets(vm1Gets)
	if got := s.counts(); got != "1 starts, 0 reloads, 2 releases" || s.pid() != pid {
		t.Errorf("%s, process %d, then %d", got, pid, s.pid())
	}
	// Whose lease it is keeps it, also when it is looked at, and vm2 has not noticed anything.
	time.Sleep(lookGap)
	if d := cmp.Diff([]string{vm1Gets, vm1Gets, vm2Gets, vm2Gets}, []string{vm1.renew("fd00:1::11"), vm1.solicit(), vm2.renew("fd00:1::12"), vm2.solicit()}); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := s.counts(); got != "1 starts, 0 reloads, 2 releases" {
		t.Errorf("in the end %s", got)
	}
	if s.ensure() {
		t.Errorf("another Ensure did something: %s", s.counts())
	}
}

// The next agent hears as well, where the server is the one that the former has started.
func TestRebuiltMachineAfterARestart(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	vm1 := s.machine6("fa:16:3e:00:00:11")
	vm1.gets(vm1Gets)
	s.restart()
	if got := vm1.rebuilt(1).solicit(); got != "NoAddrsAvail" || sockets(s.in) != 0 {
		t.Errorf("without an agent it gets %s, and there are %d sockets", got, sockets(s.in))
	}
	if s.ensure() {
		t.Error("the server was not taken up as it is")
	}
	vm1.rebuilt(1).gets(vm1Gets)
}

// TestThief: dnsmasq lets any port have any address of the network that it rebinds, whether another has a lease of it or not.
func TestThief(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	vm1, vm2 := s.machine6("fa:16:3e:00:00:11"), s.machine6("fa:16:3e:00:00:12")
	theft := strings.Replace(vm2Gets, "fd00:1::12", "fd00:1::11", 1)
	if got := vm2.rebind("fd00:1::11"); got != theft {
		t.Fatalf("vm2 rebinds vm1's address: %s", got)
	}
	s.await("the lease", func() bool { return len(s.held6()) == 1 })
	vm1.gets(vm1Gets)
	vm2.server = vm1.server
	if got := vm2.renew("fd00:1::11"); !strings.HasPrefix(got, "NoBinding") {
		t.Errorf("vm2 renews what it had of vm1: %s", got)
	}
	// Once more, while vm1 has it, which then begins anew.
	if got := vm2.rebind("fd00:1::11"); got != theft {
		t.Fatalf("vm2 rebinds vm1's address again: %s", got)
	}
	s.await("the leases", func() bool { return len(s.held6()) == 2 })
	vm1.gets(vm1Gets)
	if got := s.counts(); got != "1 starts, 0 reloads, 2 releases" {
		t.Errorf("in the end %s", got)
	}
	// vm2 solicits nothing of vm1's.
	vm2.gets(vm2Gets)
	if got := s.counts(); got != "1 starts, 0 reloads, 2 releases" {
		t.Errorf("after vm2 has solicited %s", got)
	}
}

// A MAC that is no port's changes nothing, nor does one whose port has no such address.
func TestStrangerReleasesNothing(t *testing.T) {
	s := newSite6(t)
	s.net.Hosts = append(s.net.Hosts, hostAt("vm3", "fa:16:3e:00:00:13", "vm3", "10.0.2.13"))
	s.ensure()
	vm1, vm3, stranger := s.machine6("fa:16:3e:00:00:11"), s.machine6("fa:16:3e:00:00:13"), s.machine6("fa:16:3e:00:00:66")
	vm1.gets(vm1Gets)
	s.await("the lease", func() bool { return len(s.held6()) == 1 })
	ask := func(m *machine6) string { return told(m.ask(dhcpv6.MessageTypeSolicit, m.association("fd00:1::11"))) }
	if d := cmp.Diff([]string{"nothing", "nothing", vm1Gets}, []string{ask(stranger), ask(vm3), vm1.renew("fd00:1::11")}); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := s.counts(); got != "1 starts, 0 reloads, 0 releases" {
		t.Error(got)
	}
}

// A machine that solicits all the time is looked after once in a second.
func TestManySolicits(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	a := s.machine6("fa:16:3e:00:00:11")
	a.gets(vm1Gets)
	time.Sleep(lookGap) // so that the next one is looked at
	began := time.Now()
	for n := range byte(20) {
		a.rebuilt(n + 1).solicit()
	}
	if most := 1 + time.Since(began)/lookGap; s.count("releases") > float64(most) || s.count("releases") == 0 {
		t.Errorf("in %v %s", time.Since(began), s.counts())
	}
}

// A server that does not hear keeps neither the listener nor who ends it.
func TestListenerOfAServerThatHangs(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	vm1 := s.machine6("fa:16:3e:00:00:11")
	vm1.gets(vm1Gets)
	if err := syscall.Kill(s.pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	vm1 = vm1.rebuilt(1)
	if got := vm1.solicit(); got != "nothing" {
		t.Errorf("it gets %s", got)
	}
	if err := syscall.Kill(s.pid(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	vm1.gets(vm1Gets)
}

// TestListenerLivesWithItsNetwork: with its namespace, its device, its stateful subnet, and its agent.
func TestListenerLivesWithItsNetwork(t *testing.T) {
	ignored := goleak.IgnoreCurrent()
	s := newSite6(t)
	s.ensure()
	vm1 := s.machine6("fa:16:3e:00:00:11")
	vm1.gets(vm1Gets)
	s.await("the lease", func() bool { return len(s.held6()) == 1 })
	one := func(what string, want int) {
		t.Helper()
		if got := sockets(s.in); got != want {
			t.Errorf("%s: %d sockets", what, got)
		}
	}
	one("at first", 1)
	s.ensure()
	one("with another Ensure", 1)

	// The namespace is another one of that name, with another device.
	old := s.in
	s.lan.Run("ip", "link", "del", "server")
	s.in = space.New(t, "qdhcp-net1")
	s.usable(s.in)
	s.in.Veth("ns-48089424-79", "fa:16:3e:00:00:01", s.lan, "server", "fa:16:3e:ff:00:01")
	s.lan.Run("ip", "link", "set", "server", "master", "br0")
	s.in.Run("ip", "addr", "add", "10.0.2.2/24", "dev", "ns-48089424-79")
	s.in.Run("ip", "addr", "add", "fd00:1::2/64", "dev", "ns-48089424-79")
	s.ensure()
	one("in another namespace", 1)
	if n := sockets(old); n != 0 {
		t.Errorf("in the old namespace %d sockets", n)
	}
	vm1 = vm1.rebuilt(1)
	vm1.gets(vm1Gets)

	// The device is down for a moment.
	s.in.Run("ip", "link", "set", "ns-48089424-79", "down")
	s.in.Run("ip", "link", "set", "ns-48089424-79", "up")
	s.in.Run("ip", "addr", "replace", "fd00:1::2/64", "dev", "ns-48089424-79")
	vm1 = vm1.rebuilt(2)
	vm1.gets(vm1Gets)

	s.net.Subnets[1].Stateless = true
	s.ensure()
	one("of a stateless subnet", 0)
	s.net.Subnets[1].Stateless = false
	s.ensure()
	one("of a stateful subnet again", 1)
	if err := s.Stop(t.Context(), "qdhcp-net1"); err != nil {
		t.Error(err)
	}
	one("after Stop", 0)
	if err := goleak.Find(ignored); err != nil {
		t.Error(err)
	}
	s.ensure()
	one("after the next Ensure", 1)
	s.Close()
	one("after Close", 0)
	if _, err := s.Ensure(t.Context(), s.in, s.net); err == nil || !strings.Contains(err.Error(), "closed") || !s.Alive("qdhcp-net1") {
		t.Errorf("Ensure after Close: %v, server alive %v", err, s.Alive("qdhcp-net1"))
	}
	one("in the end", 0)
}

// Real clients do not give up before their second Solicit.
func TestRealClientOfARebuiltMachine(t *testing.T) {
	s := newSite6(t)
	s.net.Subnets[1].DNS = s.net.Subnets[1].DNS[:1]
	s.ensure()
	s.machine6("fa:16:3e:00:00:11").gets("fd00:1::11 for 24h0m0s, dns fd00:1::2, search weft.internal, name vm1.weft.internal")
	began := time.Now()
	s.dhclient6("fa:16:3e:00:00:12", "BOUND6")
	t.Logf("fresh dhclient -6: %v", time.Since(began))
	began = time.Now()
	if got := s.dhclient6("fa:16:3e:00:00:11", "BOUND6"); got != "fd00:1::11 fd00:1::2 weft.internal." {
		t.Errorf("dhclient -6: %q", got)
	}
	t.Logf("dhclient -6: %v", time.Since(began))
}

// A lease file that is being written, and leases of several sorts.
func TestOthers(t *testing.T) {
	a := asker{duid: []byte{0, 4, 1}, associations: []association{{optionNA, 7}, {optionTA, 8}}}
	text := "1 fa:16:3e:00:00:11 10.0.2.11 vm1 *\nduid 00:01\n" +
		"1 7 fd00:1::1 vm1 00:04:01\n1 T8 fd00:1::1 vm1 00:04:01\n1 8 fd00:1::1 vm1 00:04:01\n1 7 fd00:1::2 vm1 00:04:02\n1 7 fd00:1::3 vm1 00:04:02\n1 7 fd00:1::1 * *\n1 9 fd00:1::1 vm1 00:04"
	var got []string
	for _, l := range others(wholeLines(text), []netip.Addr{ip("fd00:1::1"), ip("fd00:1::2")}, a) {
		got = append(got, l.String()+" of "+l.server)
	}
	if d := cmp.Diff([]string{"1 8 fd00:1::1 vm1 00:04:01 of 00:01", "1 7 fd00:1::2 vm1 00:04:02 of 00:01"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := wholeLines("1 7 fd"); got != "" {
		t.Errorf("of half a line %q is whole", got)
	}
}
