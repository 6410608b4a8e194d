package lab_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/nsbox"
)

func TestServerTellsWhoCalls(t *testing.T) {
	l := up(t, "compute1", "compute2")
	a, b := vm(t, l, "compute1", 1), vm(t, l, "compute2", 2)
	s, err := l.StartServer(t.Context(), a.Box, 80, 81)
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"tcp", "udp"} {
		g, err := lab.Ask(t.Context(), b.Box, network, netip.AddrPortFrom(ip4(1), 81))
		if err != nil {
			t.Fatal(err)
		}
		if g.Server != "vm1" || g.Caller.Addr() != ip4(2) {
			t.Errorf("%s: %+v, want vm1 called by %s", network, g, ip4(2))
		}
	}
	if got := exec(t, b.Box, "curl", "-s", "http://10.0.0.1/who"); !strings.Contains(got, `"server":"vm1"`) {
		t.Errorf("by HTTP: %q", got)
	}
	session, err := l.StartSession(t.Context(), b.Box, netip.AddrPortFrom(ip4(1), 80))
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Await(t.Context(), 800, 10*time.Second); err != nil {
		t.Error(err)
	}
	// While the server's link is down nothing comes back, but TCP does not give up.
	exec(t, l.Hosts[0].Box, "ip", "link", "set", "dev", a.Interface(), "down")
	before, err := session.Now()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Poll(t.Context(), 10*time.Second, func() error {
		r, err := session.Now()
		if err == nil && r.Sent < before.Sent+400 {
			err = fmt.Errorf("%d bytes sent", r.Sent-before.Sent)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	exec(t, l.Hosts[0].Box, "ip", "link", "set", "dev", a.Interface(), "up")
	if err := session.Await(t.Context(), 800, 20*time.Second); err != nil {
		t.Error(err)
	}
	r, err := session.Stop(t.Context())
	if err != nil || r.Broken != "" || r.Greeting.Server != "vm1" || r.LongestGap < 100*time.Millisecond {
		t.Errorf("session: %+v, %v; want a gap and no break", r, err)
	}
	session, err = l.StartSession(t.Context(), b.Box, netip.AddrPortFrom(ip4(1), 80))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := lab.Poll(t.Context(), 10*time.Second, func() error {
		r, err := session.Now()
		if err == nil && r.Broken == "" {
			err = fmt.Errorf("not broken: %+v", r)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if _, err := lab.Ask(t.Context(), b.Box, "tcp", netip.AddrPortFrom(ip4(1), 80)); err == nil {
		t.Error("a server that was stopped answers")
	}
}

func TestPulseFollowsAnAddressThatMoves(t *testing.T) {
	l := up(t, "compute1", "compute2")
	a, b, c := vm(t, l, "compute1", 1), vm(t, l, "compute2", 2), vm(t, l, "compute1", 3)
	vip := ip4(100)
	if err := a.TakeVIP(t.Context(), vip); err != nil {
		t.Fatal(err)
	}
	p, err := l.StartPulse(t.Context(), c.Box, vip)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Await(t.Context(), 50, 10*time.Second); err != nil {
		t.Error(err)
	}
	if err := a.DropVIP(t.Context(), vip); err != nil {
		t.Fatal(err)
	}
	if err := b.TakeVIP(t.Context(), vip); err != nil {
		t.Fatal(err)
	}
	if err := p.Await(t.Context(), 50, 10*time.Second); err != nil {
		t.Error(err)
	}
	r, err := p.Stop(t.Context())
	if err != nil || r.Gap == 0 || r.Gap > time.Second || r.Sent < 100 || r.Received >= r.Sent {
		t.Errorf("pulse: %+v, %v; want a gap of less than a second", r, err)
	}
	if got := exec(t, c.Box, "ip", "neigh", "show", vip.String()); !strings.Contains(got, b.MAC) {
		t.Errorf("neighbour after the announcement: %q, want %s", got, b.MAC)
	}
}

// dnsmasq serves one VM on a host, by hand.
func dnsmasq(t *testing.T, l *lab.Lab, server, client *lab.VM) {
	t.Helper()
	if _, err := server.Box.Start(t.Context(), nsbox.Command{Name: "dnsmasq", Argv: []string{
		"dnsmasq", "--keep-in-foreground", "--no-hosts", "--no-resolv", "--interface=eth0", "--except-interface=lo", "--bind-dynamic", "--conf-file=/dev/null",
		"--dhcp-leasefile=/run/leases", "--dhcp-range=10.0.0.0,static,255.255.255.0,86400s", "--dhcp-host=" + client.MAC + ",two,10.0.0.2",
		"--dhcp-option=option:mtu,1400", "--dhcp-option=option:classless-static-route,169.254.169.254/32,10.0.0.1,0.0.0.0/0,10.0.0.1",
		"--dhcp-option=option:router,10.0.0.1", "--dhcp-option=option:dns-server,10.0.0.1,10.0.0.3", "--domain=weft.internal",
		"--dhcp-option-force=option:bootfile-name,pxelinux.0",
	}}); err != nil {
		t.Fatal(err)
	}
}

func TestDHCPClientsGetLeases(t *testing.T) {
	l := up(t, "compute1")
	server, client, stranger := vm(t, l, "compute1", 1), vm(t, l, "compute1", 2), vm(t, l, "compute1", 3)
	dnsmasq(t, l, server, client)
	exec(t, client.Box, "ip", "addr", "flush", "dev", "eth0")
	for _, name := range lab.Clients {
		lease, err := client.Lease(t.Context(), name)
		if err != nil {
			t.Error(name, err)
			continue
		}
		routes := []string{"169.254.169.254/32 10.0.0.1", "0.0.0.0/0 10.0.0.1"}
		if lease.Address.String() != "10.0.0.2/24" || lease.Gateway != ip4(1) || lease.Server != ip4(1) || lease.MTU != 1400 ||
			!slices.Equal(lease.DNS, []netip.Addr{ip4(1), ip4(3)}) || lease.Hostname != "two" || lease.Domain != "weft.internal" ||
			!slices.Equal(lease.Routes, routes) || lease.Bootfile != "pxelinux.0" || lease.Duration != 24*time.Hour {
			t.Errorf("%s: %+v", name, lease)
		}
		if err := client.UseLease(t.Context(), lease); err != nil {
			t.Error(err)
		}
	}
	if got := exec(t, client.Box, "ip", "route", "get", "198.51.100.9"); !strings.Contains(got, "via 10.0.0.1") {
		t.Errorf("route of the lease: %s", got)
	}
	if got := exec(t, client.Box, "cat", "/sys/class/net/eth0/mtu"); got != "1400\n" {
		t.Errorf("MTU of the lease: %s", got)
	}
	if lease, err := stranger.Lease(t.Context(), "udhcpc"); err == nil {
		t.Errorf("who is not served got %+v", lease)
	}
}

func TestNovaChecksSignatures(t *testing.T) {
	l := up(t)
	nova, err := l.StartNova(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	// printf vm-1 | openssl dgst -sha256 -hmac secret
	const signature = "8d8df128f7f73330977b8bd71fc9442bf6c491ce9b938aa95d11265d36ce09f5"
	get := func(sig string) string {
		return exec(t, l.Controller, "curl", "-s", "-H", "X-Instance-ID: vm-1", "-H", "X-Instance-ID-Signature: "+sig, nova.URL+"/latest/meta-data/")
	}
	if got := get("wrong"); !strings.Contains(got, "Invalid") {
		t.Errorf("wrong signature: %q", got)
	}
	get(signature)
	all, err := nova.Requests()
	if err != nil || len(all) != 2 || all[0].Signed || !all[1].Signed || all[1].Path != "/latest/meta-data/" || all[1].Header.Get("X-Instance-ID") != "vm-1" {
		t.Errorf("requests: %+v, %v", all, err)
	}
	if err := nova.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHostJoinsAndLeaves(t *testing.T) {
	l := up(t, "compute1")
	h, err := l.AddHost(t.Context(), lab.HostConfig{Name: "network2"})
	if err != nil {
		t.Fatal(err)
	}
	wire(t, l, h)
	wire(t, l, l.Hosts[0])
	a, b := vm(t, l, "compute1", 1), vm(t, l, "network2", 2)
	if r := pings(t, a, ip4(2), lab.Pings{}); r.Received != 3 {
		t.Errorf("ping a VM on a host that joined: %+v", r)
	}
	again, err := lab.Open(l.Dir)
	if err != nil || len(again.Hosts) != 2 || again.Hosts[1].TunnelIP != h.TunnelIP {
		t.Fatalf("open: %+v, %v", again, err)
	}
	if err := l.RemoveHost(t.Context(), "network2"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.VM(b.Name); err == nil {
		t.Error("a VM outlived its host")
	}
	third, err := l.AddHost(t.Context(), lab.HostConfig{Name: "network2"})
	if err != nil || third.Number == h.Number {
		t.Errorf("a number was used twice: %v, %v", third, err)
	}
}

func TestNamespacesOfAHost(t *testing.T) {
	l := up(t, "compute1")
	h := l.Hosts[0]
	exec(t, h.Box, "ip", "netns", "add", "qrouter-1")
	exec(t, h.Box, "ip", "link", "add", "name", "tap1", "type", "veth", "peer", "name", "qr-1", "netns", "qrouter-1")
	if got, err := h.Namespaces(t.Context()); err != nil || !slices.Equal(got, []string{"qrouter-1"}) {
		t.Errorf("namespaces: %v, %v", got, err)
	}
	if out, err := h.Netns(t.Context(), "qrouter-1", "ip", "-br", "link", "show", "qr-1"); err != nil || !strings.HasPrefix(out, "qr-1") {
		t.Errorf("in the namespace: %q, %v", out, err)
	}
	if n, err := h.Received(t.Context(), "qrouter-1", "qr-1"); err != nil || n != 0 {
		t.Errorf("packets: %d, %v", n, err)
	}
	if got, err := h.Conntrack(t.Context(), "qrouter-1", "10.0.0.1"); err != nil || len(got) != 0 {
		t.Errorf("connections: %v, %v", got, err)
	}
	if got, err := h.Processes(t.Context(), "ovs-vswitchd"); err != nil || len(got) != 1 {
		t.Errorf("processes: %v, %v", got, err)
	}
}
