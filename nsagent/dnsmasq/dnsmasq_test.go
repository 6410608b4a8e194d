package dnsmasq

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/test/space"
)

func TestWhatAMachineGets(t *testing.T) {
	s := newSite(t)
	s.net.Hosts[1].Options = []plan.Option{{Name: "mtu", Value: "1300"}, {Name: "ntp-server", Value: "10.0.0.123"}, {Name: "224", Value: "hello"}}
	s.ensure()

	ack := s.leaseOf("fa:16:3e:00:00:11")
	got := map[string]string{
		"address": ack.YourIPAddr.String(), "mask": net.IP(ack.SubnetMask()).String(), "router": join(ack.Router()), "dns": join(ack.DNS()),
		"domain": ack.DomainName(), "host": ack.HostName(), "lease": ack.IPAddressLeaseTime(0).String(), "121": dhcpv4.Routes(ack.ClasslessStaticRoute()).String(),
		"mtu": string(ack.Options.Get(dhcpv4.OptionInterfaceMTU)), "249 is 121": boolean(slices.Equal(ack.Options.Get(dhcpv4.GenericOptionCode(249)), ack.Options.Get(dhcpv4.OptionClasslessStaticRoute))),
	}
	want := map[string]string{
		"address": "10.0.2.11", "mask": "255.255.255.0", "router": "10.0.2.1", "dns": "10.0.2.2", "domain": "weft.internal", "host": "vm1", "lease": "24h0m0s",
		// Nobody asked for the MTU; it is told all the same.
		"121": "route to 169.254.169.254/32 via 10.0.2.1; route to 0.0.0.0/0 via 10.0.2.1", "mtu": "\x05\xaa", "249 is 121": "yes",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lease of vm1 (-want +got):\n%s", d)
	}

	ack = s.leaseOf("fa:16:3e:00:00:12", dhcpv4.OptionInterfaceMTU, dhcpv4.OptionNTPServers, dhcpv4.GenericOptionCode(224))
	got = map[string]string{"address": ack.YourIPAddr.String(), "mtu": string(ack.Options.Get(dhcpv4.OptionInterfaceMTU)), "ntp": join(ack.NTPServers()),
		"224": string(ack.Options.Get(dhcpv4.GenericOptionCode(224)))}
	want = map[string]string{"address": "10.0.2.12", "mtu": "\x05\x14", "ntp": "10.0.0.123", "224": "hello"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lease of vm2, which has options of its own (-want +got):\n%s", d)
	}

	s.unserved("fa:16:3e:00:00:66")
}

// alive says whether a process works; one that has ended and waits for its parent does not.
func alive(pid int) bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return len(line) > 0
}

func join(ips []net.IP) string {
	var out []string
	for _, i := range ips {
		out = append(out, i.String())
	}
	return strings.Join(out, " ")
}

func boolean(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// The clients that people have in their images.
func TestRealClients(t *testing.T) {
	s := newSite(t)
	s.ensure()
	m := s.machine("fa:16:3e:00:00:11")
	out := m.Run("udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "1", "-s", "/bin/true")
	if !strings.Contains(out, "lease of 10.0.2.11 obtained") {
		t.Errorf("udhcpc: %s", out)
	}
	m = s.machine("fa:16:3e:00:00:12")
	dir := t.TempDir()
	// dhclient does what a script says when it has a lease, and goes on as a daemon then.
	script, said := filepath.Join(dir, "script"), filepath.Join(dir, "said")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n[ \"$reason\" = BOUND ] && echo $new_ip_address $new_routers $new_interface_mtu $new_domain_name >"+said+"; exit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	pid := filepath.Join(dir, "pid")
	m.Run("dhclient", "-1", "-v", "-pf", pid, "-lf", filepath.Join(dir, "leases"), "-sf", script, "-cf", "/dev/null", "eth0")
	if got := strings.TrimSpace(daemon.Read(dir, "said")); got != "10.0.2.12 10.0.2.1 1450 weft.internal" {
		t.Errorf("dhclient: %q", got)
	}
	s.await("dhclient's number", func() bool { return daemon.Read(dir, "pid") != "" })
	m.Run("dhclient", "-x", "-pf", pid, "-lf", filepath.Join(dir, "leases"), "-sf", "/bin/true", "-cf", "/dev/null", "eth0")
}

func TestWhatADisplayNameResolvesTo(t *testing.T) {
	s := newSite(t)
	s.ensure()
	m := s.machine("fa:16:3e:00:00:11")
	m.Run("ip", "addr", "add", "10.0.2.11/24", "dev", "eth0")
	for name, want := range map[string]string{"vm1.weft.internal.": "10.0.2.11", "host-10-0-2-12.weft.internal.": "10.0.2.12"} {
		if got, err := s.lookup(m, name); err != nil || !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// lookup asks the network's server for the addresses of a name.
func (s *site) lookup(m *space.Space, name string) ([]string, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (c net.Conn, err error) {
		err = m.Do(func() (err error) { c, err = net.Dial(network, "10.0.2.2:53"); return err })
		return c, err
	}}
	return r.LookupHost(s.t.Context(), name)
}

// What changes is read; the process stays.
func TestChangesAreServedWithoutARestart(t *testing.T) {
	s := newSite(t)
	if !s.ensure() {
		t.Error("the first Ensure did nothing")
	}
	pid := s.pid()
	if s.ensure() {
		t.Errorf("the second Ensure did something: %s", s.counts())
	}
	s.leaseOf("fa:16:3e:00:00:12")
	want := []string{"fa:16:3e:00:00:11 10.0.2.11", "fa:16:3e:00:00:12 10.0.2.12"}
	s.await("the leases", func() bool { return slices.Equal(s.held(), want) })

	// vm1 goes, vm2 changes its address, and vm3 gets that of vm1.
	s.net.Hosts = []plan.ServerHost{hostAt("vm2", "fa:16:3e:00:00:12", "vm2", "10.0.2.22"), hostAt("vm3", "fa:16:3e:00:00:13", "vm3", "10.0.2.11")}
	if !s.ensure() {
		t.Error("a change of hosts did nothing")
	}
	if got := s.leaseOf("fa:16:3e:00:00:13").YourIPAddr.String(); got != "10.0.2.11" {
		t.Errorf("vm3 has %s", got)
	}
	if got := s.leaseOf("fa:16:3e:00:00:12").YourIPAddr.String(); got != "10.0.2.22" {
		t.Errorf("vm2 has %s", got)
	}
	s.unserved("fa:16:3e:00:00:11")
	if s.pid() != pid || s.counts() != "1 starts, 1 reloads, 2 releases" {
		t.Errorf("process %d, then %d: %s", pid, s.pid(), s.counts())
	}

	// Another command line is another process, which knows the leases.
	s.net.MTU = 1400
	s.ensure()
	if p := s.pid(); p == pid || p == 0 {
		t.Errorf("process %d, then %d", pid, p)
	}
	if d := cmp.Diff([]string{"fa:16:3e:00:00:12 10.0.2.22", "fa:16:3e:00:00:13 10.0.2.11"}, s.held()); d != "" {
		t.Errorf("leases (-want +got):\n%s", d)
	}
}

// Who waits for it hears at once that a server has ended.
func TestDeathIsTold(t *testing.T) {
	s := newSite(t)
	s.ensure()
	if err := syscall.Kill(s.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case name := <-s.Deaths():
		if name != s.net.Namespace {
			t.Errorf("%q has ended, want %q", name, s.net.Namespace)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody said so")
	}
	s.ensure()
	s.leaseOf("fa:16:3e:00:00:12")
}

// dnsmasq 2.90 dies of reading its hosts file again when a line of it had a tag and was used for a lease.
func TestPortWithOptionsIsChangedWithoutARestart(t *testing.T) {
	s := newSite(t)
	s.net.Hosts[1].Options = []plan.Option{{Name: "tftp-server", Value: "10.0.0.1"}}
	s.ensure()
	pid := s.pid()
	for _, n := range []string{"3", "4", "5"} {
		s.leaseOf("fa:16:3e:00:00:12")
		s.net.Hosts[1].Addresses[0].IP = ip("10.0.2.2" + n)
		s.net.Hosts[1].Options[0].Value = "10.0.0." + n
		s.ensure()
		ack := s.leaseOf("fa:16:3e:00:00:12", dhcpv4.OptionTFTPServerName)
		if got := ack.YourIPAddr.String() + " " + ack.TFTPServerName(); got != "10.0.2.2"+n+" 10.0.0."+n {
			t.Errorf("after change %s: %s", n, got)
		}
	}
	if got := s.pid(); got != pid {
		t.Errorf("process %d, then %d", pid, got)
	}
}

func TestTwoSubnets(t *testing.T) {
	s := newSite(t)
	s.in.Run("ip", "addr", "add", "10.0.3.2/24", "dev", "ns-48089424-79")
	s.net.Subnets = append(s.net.Subnets, plan.ServerSubnet{ID: "sub2", CIDR: cidr("10.0.3.0/24"), MetadataVia: ip("10.0.3.2")})
	s.net.Hosts = append(s.net.Hosts, hostAt("vm3", "fa:16:3e:00:00:13", "vm3", "10.0.3.13"))
	s.ensure()
	ack := s.leaseOf("fa:16:3e:00:00:13")
	if ack.YourIPAddr.String() != "10.0.3.13" || ack.Router() != nil || dhcpv4.Routes(ack.ClasslessStaticRoute()).String() != "route to 169.254.169.254/32 via 10.0.3.2" {
		t.Errorf("%s", ack.Summary())
	}
	if got := s.leaseOf("fa:16:3e:00:00:11").YourIPAddr.String(); got != "10.0.2.11" {
		t.Errorf("vm1 has %s", got)
	}
}

func TestServerOutlivesTheAgentAndComesBackWhenItDies(t *testing.T) {
	s := newSite(t)
	s.ensure()
	pid := s.pid()
	s.restart()
	if s.ensure() || s.pid() != pid {
		t.Errorf("the server was not taken up: %s, process %d, then %d", s.counts(), pid, s.pid())
	}
	if got, err := s.Running(); err != nil || !slices.Equal(got, []string{"qdhcp-net1"}) || !s.Alive("qdhcp-net1") {
		t.Errorf("running: %v, %v, alive: %v", got, err, s.Alive("qdhcp-net1"))
	}

	// The agent wrote the files and was killed before it could tell the server.
	dir := s.Dir("net1")
	s.net.Hosts = append(s.net.Hosts, hostAt("vm3", "fa:16:3e:00:00:13", "vm3", "10.0.2.13"))
	files, err := render(s.net)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.files().Write(dir); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.ensure()
	if got := s.leaseOf("fa:16:3e:00:00:13").YourIPAddr.String(); got != "10.0.2.13" {
		t.Errorf("vm3 has %s", got)
	}

	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.await("its end", func() bool { return !s.Alive("qdhcp-net1") })
	if !s.ensure() || s.pid() == pid || s.pid() == 0 {
		t.Errorf("process %d, then %d", pid, s.pid())
	}
	if got := s.leaseOf("fa:16:3e:00:00:11").YourIPAddr.String(); got != "10.0.2.11" {
		t.Errorf("vm1 has %s", got)
	}

	// Somebody changed a file, and may have made the server read it.
	if err := os.WriteFile(filepath.Join(dir, hostFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.pid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !s.ensure() {
		t.Error("a changed file is not put right")
	}
	if got := s.leaseOf("fa:16:3e:00:00:12").YourIPAddr.String(); got != "10.0.2.12" {
		t.Errorf("vm2 has %s", got)
	}

	// The pid file is lost, or names another process.
	for _, text := range []string{"", "1\n", "garbage"} {
		if err := os.WriteFile(filepath.Join(dir, pidFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s.ensure()
		if ps := s.processes(); len(ps) != 1 || ps[0] != s.pid() {
			t.Errorf("with pid file %q there are servers %v", text, ps)
		}
	}
}

// The namespace was removed by somebody and made again: the old process still lives, where nobody hears it.
func TestNamespaceIsAnotherOne(t *testing.T) {
	s := newSite(t)
	s.ensure()
	pid := s.pid()
	s.in = space.New(t, "qdhcp-net1")
	s.in.Veth("ns-48089424-79", "fa:16:3e:00:00:01", s.lan, "server2", "fa:16:3e:ff:00:02")
	s.lan.Run("ip", "link", "set", "server2", "master", "br0")
	s.lan.Run("ip", "link", "del", "server")
	s.in.Run("ip", "addr", "add", "10.0.2.2/24", "dev", "ns-48089424-79")
	s.ensure()
	if p := s.pid(); p == pid || p == 0 {
		t.Errorf("process %d, then %d", pid, p)
	}
	if alive(pid) {
		t.Error("the old process lives")
	}
	if got := s.leaseOf("fa:16:3e:00:00:11").YourIPAddr.String(); got != "10.0.2.11" {
		t.Errorf("vm1 has %s", got)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	s := newSite(t)
	s.ensure()
	pid := s.pid()
	if err := s.Stop(t.Context(), "qdhcp-net1"); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("the process lives")
	}
	if _, err := os.Stat(s.Dir("net1")); !os.IsNotExist(err) {
		t.Errorf("files are left: %v", err)
	}
	for _, namespace := range []string{"qdhcp-net1", "qdhcp-..", "qrouter-x", "qdhcp-"} {
		if err := s.Stop(t.Context(), namespace); err != nil {
			t.Errorf("%s: %v", namespace, err)
		}
	}
	if got, err := s.Running(); err != nil || len(got) != 0 {
		t.Errorf("running: %v, %v", got, err)
	}
}

// A machine that got its lease from a server on another host renews it here.
func TestLeaseOfAnotherServerIsRenewed(t *testing.T) {
	s := newSite(t)
	s.ensure()
	m := s.machine("fa:16:3e:00:00:11")
	c := s.client(m)
	l, err := c.Request(t.Context(), asked())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context(), "qdhcp-net1"); err != nil {
		t.Fatal(err)
	}
	s.ensure()
	again, err := dhcpv4.NewRenewFromAck(l.ACK, dhcpv4.WithBroadcast(true))
	if err != nil {
		t.Fatal(err)
	}
	ack, err := c.SendAndRead(t.Context(), c.RemoteAddr(), again, nil)
	if err != nil || ack.MessageType() != dhcpv4.MessageTypeAck {
		t.Errorf("%v, %v", ack, err)
	}
}

func TestWhatCannotBeServedIsToldAndTheRestIs(t *testing.T) {
	s := newSite(t)
	s.net.Hosts = append(s.net.Hosts, hostAt("vm3", "fa:16:3e:00:00:13", "bad name", "10.0.2.13"))
	_, err := s.Ensure(t.Context(), s.in, s.net)
	if err == nil || err.Error() != `dnsmasq of network net1: port vm3: hostname "bad name" is no name: 1 to 63 letters, digits and "-" are` {
		t.Errorf("error %v", err)
	}
	if got := s.leaseOf("fa:16:3e:00:00:11").YourIPAddr.String(); got != "10.0.2.11" {
		t.Errorf("vm1 has %s", got)
	}

	t.Setenv("PATH", "/nowhere")
	_, err = s.Ensure(t.Context(), s.in, s.net)
	if err == nil || !strings.HasPrefix(err.Error(), "dnsmasq of network net1: the program dnsmasq is missing on this host (Debian: apt install dnsmasq-base): ") {
		t.Errorf("without a program: %v", err)
	}
}

func TestDnsmasqThatDoesNotStartSaysWhy(t *testing.T) {
	s := newSite(t)
	if err := s.in.Do(func() error {
		ln, err := net.Listen("tcp4", "10.0.2.2:53")
		if err == nil {
			t.Cleanup(func() { ln.Close() })
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Ensure(t.Context(), s.in, s.net)
	if err == nil || !strings.Contains(err.Error(), "dnsmasq of network net1: dnsmasq: exit status 2: dnsmasq: failed to create listening socket for 10.0.2.2: Address already in use") {
		t.Errorf("error %v", err)
	}
}

func TestDirectoryThatDnsmasqCannotReach(t *testing.T) {
	s := newSite(t)
	if err := os.Chmod(filepath.Dir(s.state), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := s.Ensure(t.Context(), s.in, s.net)
	if err == nil || !strings.Contains(err.Error(), "is closed to others (mode 0700), and dnsmasq, which gives up root, could not read its files below it: chmod o+x "+filepath.Dir(s.state)) {
		t.Errorf("error %v", err)
	}
}

// A server that does not hear must not keep its network's worker.
func TestServerThatHangs(t *testing.T) {
	s := newSite(t)
	s.ensure()
	pid := s.pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.net.Hosts = s.net.Hosts[1:]
	began := time.Now()
	_, err := s.Ensure(t.Context(), s.in, s.net)
	if err == nil || !strings.Contains(err.Error(), "the lease of 10.0.2.11 by fa:16:3e:00:00:11 is not released") || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if err := s.Stop(t.Context(), "qdhcp-net1"); err != nil {
		t.Errorf("stop: %v", err)
	}
	if alive(pid) {
		t.Error("the process lives")
	}
}
