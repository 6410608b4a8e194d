package dnsmasq

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/test/ovs"
	"github.com/weft-sdn/weft/test/space"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a network with a DHCP server, and machines on it.
type site struct {
	*Servers
	t        testing.TB
	state    string
	registry *prometheus.Registry
	net      plan.Server
	in, lan  *space.Space
	n        int
}

func newSite(t *testing.T) *site {
	t.Helper()
	for _, p := range []string{"dnsmasq", "dhcp_release", "udhcpc", "dhclient"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%v: scripts/bootstrap.sh installs it", err)
		}
	}
	dir, err := os.MkdirTemp("", "dhcp") // t.TempDir is below a directory that is closed to others
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, state: filepath.Join(dir, "state"), in: space.New(t, "qdhcp-net1"), lan: space.New(t, "lan")}
	t.Cleanup(func() {
		if err := s.Stop(context.Background(), "qdhcp-net1"); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	s.restart()
	s.usable(s.in)
	s.lan.Run("ip", "link", "add", "br0", "up", "type", "bridge")
	s.in.Veth("ns-48089424-79", "fa:16:3e:00:00:01", s.lan, "server", "fa:16:3e:ff:00:01")
	s.lan.Run("ip", "link", "set", "server", "master", "br0")
	s.in.Run("ip", "addr", "add", "10.0.2.2/24", "dev", "ns-48089424-79")
	s.net = plan.Server{NetworkID: "net1", Namespace: "qdhcp-net1", Device: "ns-48089424-79", Domain: "weft.internal", MTU: 1450,
		Subnets: []plan.ServerSubnet{{ID: "sub1", CIDR: cidr("10.0.2.0/24"), Gateway: ip("10.0.2.1"), DNS: []netip.Addr{ip("10.0.2.2")}, MetadataVia: ip("10.0.2.1")}},
		Hosts: []plan.ServerHost{
			hostAt("vm1", "fa:16:3e:00:00:11", "vm1", "10.0.2.11"),
			hostAt("vm2", "fa:16:3e:00:00:12", "host-10-0-2-12", "10.0.2.12"),
		}}
	return s
}

// usable makes IPv6 addresses usable at once, without a check for duplicates.
func (s *site) usable(in *space.Space) {
	s.t.Helper()
	if err := in.Do(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0) }); err != nil {
		s.t.Fatal(err)
	}
}

// restart makes the Servers that an agent has after its restart.
func (s *site) restart() {
	if s.Servers != nil {
		s.Close()
	}
	s.registry = prometheus.NewRegistry()
	s.Servers = New(Config{StateDir: s.state, Metrics: s.registry})
}

// ensure returns whether something was done.
func (s *site) ensure() bool {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	changed, err := s.Ensure(ctx, s.in, s.net)
	if err != nil {
		s.t.Fatal(err)
	}
	return changed
}

func (s *site) pid() int {
	s.t.Helper()
	return s.PID(s.net.NetworkID)
}

// processes are those whose command line names the network's directory.
func (s *site) processes() (pids []int) {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range found {
		if line, _ := os.ReadFile(f); strings.Contains(string(line), "--pid-file="+s.Dir(s.net.NetworkID)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// counts are how often servers were started and made to read, and leases released.
func (s *site) counts() string {
	s.t.Helper()
	return fmt.Sprintf("%v starts, %v reloads, %v releases", s.count("starts"), s.count("reloads"), s.count("releases"))
}

func (s *site) count(of string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "weft_dhcp_"+of+"_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	s.t.Fatalf("there is no counter of %s", of)
	return 0
}

// machine is a network namespace with eth0 on the network.
func (s *site) machine(mac string) *space.Space {
	s.t.Helper()
	s.n++
	m := space.New(s.t, fmt.Sprint("vm", s.n))
	s.usable(m)
	port := fmt.Sprint("port", s.n)
	m.Veth("eth0", mac, s.lan, port, fmt.Sprintf("fa:16:3e:ff:01:%02x", s.n))
	s.lan.Run("ip", "link", "set", port, "master", "br0")
	return m
}

// client is a DHCP client on a machine.
func (s *site) client(m *space.Space) *nclient4.Client {
	s.t.Helper()
	var c *nclient4.Client
	err := m.Do(func() (err error) {
		c, err = nclient4.New("eth0", nclient4.WithTimeout(2*time.Second), nclient4.WithRetry(4))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// asked are the options that clients ask for.
func asked(codes ...dhcpv4.OptionCode) dhcpv4.Modifier {
	return dhcpv4.WithRequestedOptions(append(codes, dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionDomainName,
		dhcpv4.OptionHostName, dhcpv4.OptionClasslessStaticRoute, dhcpv4.GenericOptionCode(249))...)
}

// lease is what a machine of that MAC gets.
func (s *site) leaseOf(mac string, codes ...dhcpv4.OptionCode) *dhcpv4.DHCPv4 {
	s.t.Helper()
	l, err := s.client(s.machine(mac)).Request(s.t.Context(), asked(codes...))
	if err != nil {
		s.t.Fatal(err)
	}
	return l.ACK
}

// unserved says that nobody offers a machine anything.
func (s *site) unserved(mac string) {
	s.t.Helper()
	m := s.machine(mac)
	var c *nclient4.Client
	if err := m.Do(func() (err error) {
		c, err = nclient4.New("eth0", nclient4.WithTimeout(300*time.Millisecond), nclient4.WithRetry(2))
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if o, err := c.DiscoverOffer(s.t.Context()); err == nil {
		s.t.Errorf("%s was offered %v", mac, o.YourIPAddr)
	}
	// Nor is a question about the network answered to one that gave itself an address.
	inform, err := dhcpv4.NewInform(net.HardwareAddr(c.InterfaceAddr()), net.IPv4(10, 0, 2, 99))
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 300*time.Millisecond)
	defer cancel()
	if a, err := c.SendAndRead(ctx, c.RemoteAddr(), inform, nil); err == nil {
		s.t.Errorf("%s was told %v", mac, a.Options)
	}
}

// held are the leases on disk, as "MAC address".
func (s *site) held() []string {
	var out []string
	for _, l := range leases(daemon.Read(s.Dir(s.net.NetworkID), leaseFile)) {
		out = append(out, l.id+" "+l.ip.String())
	}
	slices.Sort(out)
	return out
}

func (s *site) await(what string, holds func() bool) {
	s.t.Helper()
	ovs.Await(s.t, what, holds)
}
