package dnsmasq

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// What vm1 and vm2 of newSite6 get.
const (
	options6 = ", dns fd00:1::2 2001:db8::53, search weft.internal, name "
	vm1Gets  = "fd00:1::11 for 24h0m0s" + options6 + "vm1.weft.internal"
	vm2Gets  = "fd00:1::12 for 24h0m0s" + options6 + "vm2.weft.internal"
)

func TestWhatAMachineGetsByDHCPv6(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	got := []string{s.machine6("fa:16:3e:00:00:11").solicit(), s.machine6("fa:16:3e:00:00:12").solicit(), s.leaseOf("fa:16:3e:00:00:11").YourIPAddr.String()}
	if d := cmp.Diff([]string{vm1Gets, vm2Gets, "10.0.2.11"}, got); d != "" {
		t.Errorf("vm1 and vm2 (-want +got):\n%s", d)
	}
	stranger := s.machine6("fa:16:3e:00:00:66")
	if got := stranger.solicit() + ", " + stranger.inform(); got != "nothing, nothing" {
		t.Errorf("a machine that is no port gets %s", got)
	}
}

// Machines of a stateless subnet have made their addresses themselves.
func TestStatelessMachines(t *testing.T) {
	s := newSite6(t)
	s.net.Subnets[1].Stateless = true
	s.ensure()
	vm1, vm2 := s.machine6("fa:16:3e:00:00:11"), s.machine6("fa:16:3e:00:00:12")
	stranger := s.machine6("fa:16:3e:00:00:66")
	const options = "dns fd00:1::2 2001:db8::53, search weft.internal"
	got := []string{vm1.inform(), vm2.inform(), stranger.inform(), vm1.solicit(), vm2.solicit(), s.leaseOf("fa:16:3e:00:00:11").YourIPAddr.String()}
	want := []string{options, options, "nothing", "NoAddrsAvail", "NoAddrsAvail", "10.0.2.11"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("stateless (-want +got):\n%s", d)
	}

	// With several subnets dnsmasq does not know which one a machine is of.
	s.in.Run("ip", "addr", "add", "fd00:2::2/64", "dev", "ns-48089424-79")
	s.net.Subnets = append(s.net.Subnets, plan.ServerSubnet{ID: "sub7", CIDR: cidr("fd00:2::/64"), NoDNS: true})
	s.net.Hosts = append(s.net.Hosts, hostAt("vm3", "fa:16:3e:00:00:13", "vm3", "fd00:1::13", "fd00:2::13"))
	s.ensure()
	vm3 := s.machine6("fa:16:3e:00:00:13")
	got = []string{vm1.inform(), vm1.solicit(), vm3.inform(), vm3.solicit()}
	want = []string{options, "NoAddrsAvail", options + ", name vm3.weft.internal", "fd00:2::13 for 24h0m0s, search weft.internal, name vm3.weft.internal"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("with another subnet (-want +got):\n%s", d)
	}
}

func TestSeveralIPv6Addresses(t *testing.T) {
	s := newSite6(t)
	s.in.Run("ip", "addr", "add", "fd00:2::2/64", "dev", "ns-48089424-79")
	s.net.Subnets = append(s.net.Subnets, plan.ServerSubnet{ID: "sub7", CIDR: cidr("fd00:2::/64"), DNS: []netip.Addr{ip("fd00:1::2"), ip("2001:db8::53")}})
	s.net.Hosts[0] = hostAt("vm1", "fa:16:3e:00:00:11", "vm1", "fd00:1::111", "fd00:1::11", "10.0.2.11", "fd00:2::11")
	s.ensure()
	if got := s.machine6("fa:16:3e:00:00:11").solicit(); got != "fd00:1::111 for 24h0m0s, fd00:2::11 for 24h0m0s"+options6+"vm1.weft.internal" {
		t.Errorf("vm1, with two addresses in one subnet and one in another, gets %s", got)
	}
	if got := s.leaseOf("fa:16:3e:00:00:11").YourIPAddr.String(); got != "10.0.2.11" {
		t.Errorf("vm1 has %s", got)
	}
}

// What changes is read; the process stays. A lease of an address that another port has now is no hindrance.
func TestIPv6ChangesAreServedWithoutARestart(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	pid := s.pid()
	vm1, vm2, vm3 := s.machine6("fa:16:3e:00:00:11"), s.machine6("fa:16:3e:00:00:12"), s.machine6("fa:16:3e:00:00:13")
	if d := cmp.Diff([]string{vm1Gets, vm2Gets, "nothing"}, []string{vm1.solicit(), vm2.solicit(), vm3.solicit()}); d != "" {
		t.Errorf("at first (-want +got):\n%s", d)
	}
	s.await("the leases", func() bool { return len(s.held6()) == 2 })

	// vm1 goes, and vm3 gets its address; vm2 gets another one.
	s.net.Hosts = []plan.ServerHost{hostAt("vm2", "fa:16:3e:00:00:12", "vm2", "fd00:1::22"), hostAt("vm3", "fa:16:3e:00:00:13", "vm1", "fd00:1::11")}
	if !s.ensure() {
		t.Error("a change of hosts did nothing")
	}
	got := []string{vm2.renew("fd00:1::12"), vm2.solicit(), vm3.solicit(), vm1.solicit(), vm1.rebind("fd00:1::11")}
	want := []string{"NoBinding, dns fd00:1::2, name vm2", "fd00:1::22 for 24h0m0s" + options6 + "vm2.weft.internal", vm1Gets, "nothing"}
	if d := cmp.Diff(want, got[:4]); d != "" {
		t.Errorf("after the change (-want +got):\n%s", d)
	}
	if !strings.HasPrefix(got[4], "fd00:1::11 for 0s") {
		t.Errorf("vm1, which is no port any more, rebinds: %s", got[4])
	}
	// The third is that of vm1's IPv4 address.
	if s.pid() != pid || s.counts() != "1 starts, 1 reloads, 3 releases" {
		t.Errorf("process %d, then %d: %s", pid, s.pid(), s.counts())
	}
	if s.ensure() {
		t.Errorf("another Ensure did something: %s", s.counts())
	}

	// They change addresses.
	s.net.Hosts[0].Addresses, s.net.Hosts[1].Addresses = s.net.Hosts[1].Addresses, s.net.Hosts[0].Addresses
	s.ensure()
	got = []string{vm2.solicit(), vm3.solicit()}
	want = []string{"fd00:1::11 for 24h0m0s" + options6 + "vm2.weft.internal", "fd00:1::22 for 24h0m0s" + options6 + "vm1.weft.internal"}
	if d := cmp.Diff(want, got); d != "" || s.pid() != pid {
		t.Errorf("process %d, then %d (-want +got):\n%s", pid, s.pid(), d)
	}
	if s.ensure() {
		t.Errorf("another Ensure did something: %s", s.counts())
	}
}

// A server that is started again is the one that machines know, with the leases of those that are still there.
func TestRestartKeepsDUIDAndLeases(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	vm1, vm2 := s.machine6("fa:16:3e:00:00:11"), s.machine6("fa:16:3e:00:00:12")
	if d := cmp.Diff([]string{vm1Gets, vm2Gets}, []string{vm1.solicit(), vm2.solicit()}); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	dir := s.Dir("net1")
	s.await("the leases", func() bool { return len(s.held6()) == 2 })
	duid := serverDUID(daemon.Read(dir, leaseFile))
	pid := s.pid()
	s.leaseOf("fa:16:3e:00:00:11")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.await("its end", func() bool { return !s.Alive("qdhcp-net1") })

	// While it is down, vm2's address is given to vm3.
	s.net.Hosts[1] = hostAt("vm3", "fa:16:3e:00:00:13", "vm2", "fd00:1::12")
	s.restart()
	s.ensure()
	want := []string{vm1.iaidText() + " fd00:1::11", "fa:16:3e:00:00:11 10.0.2.11"}
	if got := s.held(); !slices.Equal(got, want) || serverDUID(daemon.Read(dir, leaseFile)) != duid || duid == "" {
		t.Errorf("leases %q, DUID %s, want %q, %s", got, serverDUID(daemon.Read(dir, leaseFile)), want, duid)
	}
	vm3 := s.machine6("fa:16:3e:00:00:13")
	got := []string{vm1.renew("fd00:1::11"), vm2.solicit(), vm3.solicit()}
	if d := cmp.Diff([]string{vm1Gets, "nothing", vm2Gets}, got); d != "" {
		t.Errorf("after the restart (-want +got):\n%s", d)
	}
}

// Without its IPv6 subnet a network has a server that does not know of DHCPv6.
func TestIPv6SubnetGoesAndComesBack(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	vm1, both := s.machine6("fa:16:3e:00:00:11"), s.net
	vm1.solicit()
	s.await("the lease", func() bool { return len(s.held6()) == 1 })
	s.net.Subnets = s.net.Subnets[:1]
	s.ensure()
	if got := s.held6(); len(got) != 0 || s.ensure() {
		t.Errorf("leases %q, or another Ensure did something: %s", got, s.counts())
	}
	if got := vm1.rebind("fd00:1::11"); got != "nothing" {
		t.Errorf("without DHCPv6 vm1 rebinds %s", got)
	}
	s.net = both
	s.ensure()
	if got := vm1.renew("fd00:1::11"); got != "NoBinding, dns fd00:1::2, name vm1" {
		t.Errorf("vm1 renews with the same server: %s", got)
	}
	if got := vm1.solicit(); got != vm1Gets {
		t.Errorf("vm1 gets %s", got)
	}
}

// A server on another host has another DUID, and knows no leases. Machines ask any server then.
func TestLeaseOfAnotherServerIsRebound(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	vm1 := s.machine6("fa:16:3e:00:00:11")
	vm1.solicit()
	s.await("the lease", func() bool { return len(s.held6()) == 1 })
	if err := s.Stop(t.Context(), "qdhcp-net1"); err != nil {
		t.Fatal(err)
	}
	s.in.Run("ip", "link", "set", "ns-48089424-79", "address", "fa:16:3e:00:00:02")
	s.ensure()
	stranger, again := s.machine6("fa:16:3e:00:00:66"), s.machine6("fa:16:3e:00:00:12")
	if got := stranger.rebind("fd00:1::11"); !strings.HasPrefix(got, "fd00:1::11 for 0s") {
		t.Errorf("a machine that is no port rebinds %s", got)
	}
	if d := cmp.Diff([]string{"nothing", vm1Gets}, []string{vm1.renew("fd00:1::11"), vm1.rebind("fd00:1::11")}); d != "" {
		t.Errorf("renew, rebind (-want +got):\n%s", d)
	}
	if got := again.solicit(); got != vm2Gets {
		t.Errorf("vm2 gets %s", got)
	}
}

// The clients that people have in their images.
func TestRealClientsOfDHCPv6(t *testing.T) {
	s := newSite6(t)
	s.net.Subnets[1].DNS = s.net.Subnets[1].DNS[:1]
	s.ensure()
	if got := s.dhclient6("fa:16:3e:00:00:11", "BOUND6"); got != "fd00:1::11 fd00:1::2 weft.internal." {
		t.Errorf("dhclient -6: %q", got)
	}
	s.net.Subnets[1].Stateless = true
	s.ensure()
	if got := s.dhclient6("fa:16:3e:00:00:12", "RENEW6", "-S"); got != "fd00:1::2 weft.internal." {
		t.Errorf("dhclient -6 -S: %q", got)
	}
}

// dhclient6 is what dhclient gives its script in the end: address, name servers, domains.
func (s *site) dhclient6(mac, reason string, flags ...string) string {
	s.t.Helper()
	m, dir := s.machine(mac), s.t.TempDir()
	script, said, pid := filepath.Join(dir, "script"), filepath.Join(dir, "said"), filepath.Join(dir, "pid")
	text := "#!/bin/sh\n[ \"$reason\" = " + reason + " ] && echo $new_ip6_address $new_dhcp6_name_servers $new_dhcp6_domain_search >" + said + "; exit 0\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		s.t.Fatal(err)
	}
	m.Run(slices.Concat([]string{"dhclient", "-6"}, flags, []string{"-1", "-v", "-pf", pid, "-lf", filepath.Join(dir, "leases"), "-sf", script, "-cf", "/dev/null", "eth0"})...)
	s.await("dhclient's number", func() bool { return daemon.Read(dir, "pid") != "" })
	m.Run("dhclient", "-6", "-x", "-pf", pid, "-lf", filepath.Join(dir, "leases"), "-sf", "/bin/true", "-cf", "/dev/null", "eth0")
	return strings.TrimSpace(daemon.Read(dir, "said"))
}

// A server that does not hear must not keep its network's worker, and the lease is released when it hears again.
func TestServerThatHangsWithIPv6Leases(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	vm1, vm2 := s.machine6("fa:16:3e:00:00:11"), s.machine6("fa:16:3e:00:00:12")
	vm1.solicit()
	vm2.solicit()
	s.await("the leases", func() bool { return len(s.held6()) == 2 })
	pid := s.pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// vm2's address is given to vm3, and nobody has vm1's any more.
	s.net.Hosts = []plan.ServerHost{hostAt("vm3", "fa:16:3e:00:00:13", "vm2", "fd00:1::12")}
	began := time.Now()
	_, err := s.Ensure(t.Context(), s.in, s.net)
	if err == nil || !strings.Contains(err.Error(), "is not released: dnsmasq does not answer") || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.ensure()
	if got := s.machine6("fa:16:3e:00:00:13").solicit(); got != vm2Gets || s.pid() != pid {
		t.Errorf("vm3 gets %s; process %d, then %d", got, pid, s.pid())
	}
}

// Names of IPv6 addresses are resolved, too.
func TestWhatANameOfBothFamiliesResolvesTo(t *testing.T) {
	s := newSite6(t)
	s.net.Subnets[1].Stateless = true
	s.ensure()
	m := s.machine("fa:16:3e:00:00:11")
	m.Run("ip", "addr", "add", "10.0.2.11/24", "dev", "eth0")
	got, err := s.lookup(m, "vm1.weft.internal.")
	slices.Sort(got)
	if err != nil || !slices.Equal(got, []string{"10.0.2.11", "fd00:1::11"}) {
		t.Errorf("vm1.weft.internal: %v, %v", got, err)
	}
}

// Hundreds of ports that go at once do not make the server deaf.
func TestManyLeasesAreReleased(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	vm2 := s.machine6("fa:16:3e:00:00:12")
	vm2.solicit()
	s.await("the lease", func() bool { return len(s.held6()) == 1 })
	dir := s.Dir("net1")
	pid := s.pid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.await("its end", func() bool { return !s.Alive("qdhcp-net1") })
	text := strings.TrimSuffix(daemon.Read(dir, leaseFile), "\n")
	few := s.net.Hosts
	for i := range 200 {
		a := netip.AddrFrom16([16]byte{0: 0xfd, 3: 1, 13: 1, 15: byte(i)})
		mac := "fa:16:3e:00:01:" + string("0123456789abcdef"[i>>4]) + string("0123456789abcdef"[i&15])
		s.net.Hosts = append(s.net.Hosts, hostAt("many", mac, "many", a.String()))
		text += "\n" + lease{expiry: "4000000000", id: []string{"1", "T1"}[i%2], ip: a, name: "*", client: "00:02:" + mac}.String()
	}
	if _, err := daemon.Write(dir, leaseFile, text+"\n"); err != nil {
		t.Fatal(err)
	}
	s.ensure()
	if got := len(s.held6()); got != 201 {
		t.Fatalf("%d leases", got)
	}
	s.net.Hosts = few
	began := time.Now()
	s.ensure()
	t.Logf("%v for 200 leases", time.Since(began))
	s.await("the leases to go", func() bool { return len(s.held6()) == 1 })
	if got := vm2.renew("fd00:1::12"); got != vm2Gets {
		t.Errorf("vm2 renews: %s", got)
	}
}

// TestStrangersRebind: dnsmasq has a lease without a client until the next message, and an Ensure failed because of it.
func TestStrangersRebind(t *testing.T) {
	s := newSite6(t)
	s.ensure()
	s.machine6("fa:16:3e:00:00:66").rebind("fd00:1::11")
	s.net.Hosts = []plan.ServerHost{hostAt("vm3", "fa:16:3e:00:00:13", "vm1", "fd00:1::11")}
	s.ensure()
	if got := s.machine6("fa:16:3e:00:00:13").solicit(); got != vm1Gets {
		t.Errorf("vm3 gets %s", got)
	}
}
