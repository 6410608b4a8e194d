package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// wire is a network with machines: a Linux bridge, to which taps of the router are added.
type wire struct {
	t    *testing.T
	host *Host
}

// bridge makes a bridge with the tap of a port in it.
func (w wire) bridge(name, tap string) {
	w.t.Helper()
	run(w.t, "ip", "link", "add", name, "type", "bridge")
	run(w.t, "ip", "link", "set", name, "up")
	run(w.t, "ip", "link", "set", tap, "master", name)
	w.t.Cleanup(func() { run(w.t, "ip", "link", "del", name) })
}

// machine makes a namespace on a bridge. Its name has a prefix of ours, because the package opens no others.
func (w wire) machine(n int, bridge, address, gateway string) *Namespace {
	w.t.Helper()
	m := ensure(w.t, w.host, fmt.Sprintf("qdhcp-machine%d", n))
	end := fmt.Sprintf("m%d", n)
	run(w.t, "ip", "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", m.Name())
	w.t.Cleanup(func() { run(w.t, "ip", "link", "del", end) }) // the namespace ends later
	run(w.t, "ip", "link", "set", end, "master", bridge, "up")
	in(w.t, m, "sh", "-ec", fmt.Sprintf("ethtool -K eth0 tx off >/dev/null; ip link set lo up; ip link set eth0 address %s up; ip addr add %s dev eth0", machineMAC(n), address))
	if gateway != "" {
		in(w.t, m, "ip", "route", "add", "default", "via", gateway)
	}
	return m
}

func machineMAC(n int) string { return fmt.Sprintf("fa:16:3e:aa:00:%02x", n) }

// serve answers each TCP connection in a namespace with its name and the caller's address, and then echoes.
func serve(t *testing.T, m *Namespace, port int) {
	t.Helper()
	var l net.Listener
	if err := m.Do(func() (err error) { l, err = net.Listen("tcp4", fmt.Sprintf(":%d", port)); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				from, _, _ := net.SplitHostPort(c.RemoteAddr().String())
				fmt.Fprintf(c, "%s to %s\n", from, m.Name())
				_, _ = io.Copy(c, c)
			}()
		}
	}()
}

// dial connects from a namespace, and gives what the other end says first.
func dial(m *Namespace, to string) (net.Conn, string, error) {
	var c net.Conn
	if err := m.Do(func() (err error) { c, err = net.DialTimeout("tcp4", to, time.Second); return err }); err != nil {
		return nil, "", err
	}
	line, err := hears(c)
	return c, line, err
}

func hears(c net.Conn) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return "", err
	}
	b := make([]byte, 1000)
	n, err := c.Read(b)
	return strings.TrimSpace(string(b[:n])), err
}

// ask connects and compares the answer.
func ask(t *testing.T, m *Namespace, to, want string) net.Conn {
	t.Helper()
	c, got, err := dial(m, to)
	if err != nil {
		t.Fatalf("%s → %s: %v", m.Name(), to, err)
	}
	t.Cleanup(func() { c.Close() })
	if got != want {
		t.Errorf("%s → %s: heard %q, want %q", m.Name(), to, got, want)
	}
	return c
}

// lives says whether a connection still carries data.
func lives(c net.Conn) bool {
	if _, err := c.Write([]byte("still there?\n")); err != nil {
		return false
	}
	got, err := hears(c)
	return err == nil && got == "still there?"
}

// TestTraffic sends real connections through a router: source NAT, floating IPs both ways, among each other and to itself,
// a port forwarding, and the cut of exactly those connections whose way was taken away.
func TestTraffic(t *testing.T) {
	h := open(t)
	w := wire{t, h}
	resources := router()
	pf := &plan.PortForwarding{ID: "aaaaaaaa-0000-4000-8000-000000000000", RouterID: routerID, Place: plan.PlaceRouter, Floating: netip.MustParseAddr("172.24.4.30"), Protocol: "tcp",
		External: plan.PortRange{First: 2222, Last: 2223}, Internal: netip.MustParseAddr("10.0.2.6"), InternalPorts: plan.PortRange{First: 80, Last: 81}}
	resources[pf.Resource()] = pf
	want := func() plan.Namespace { return build(t, resources)[plan.QRouter+routerID] }
	n := ensure(t, h, plan.QRouter+routerID)
	apply(t, n, want())
	w.bridge("ba", "tap00000001-00")
	w.bridge("bb", "tap00000002-00")
	w.bridge("bx", "tap00000003-00")
	a := w.machine(1, "ba", "10.0.1.5/24", "10.0.1.1") // has the floating IP 172.24.4.20
	b := w.machine(2, "bb", "10.0.2.6/24", "10.0.2.1") // has none
	x := w.machine(3, "bx", "172.24.4.1/24", "")       // the world
	for _, m := range []*Namespace{a, b, x} {
		serve(t, m, 80)
		serve(t, m, 81)
	}
	const na, nb, nx = "qdhcp-machine1", "qdhcp-machine2", "qdhcp-machine3"
	ask(t, a, "10.0.2.6:80", "10.0.1.5 to "+nb)                // inside, nothing is changed
	out := ask(t, b, "172.24.4.1:80", "172.24.4.10 to "+nx)    // SNAT
	fipOut := ask(t, a, "172.24.4.1:80", "172.24.4.20 to "+nx) // as the floating IP
	fipIn := ask(t, x, "172.24.4.20:80", "172.24.4.1 to "+na)  // to the floating IP
	ask(t, b, "172.24.4.20:80", "172.24.4.10 to "+na)          // from inside to the floating IP
	ask(t, a, "172.24.4.20:80", "172.24.4.20 to "+na)          // to its own
	ask(t, n, "172.24.4.20:80", "172.24.4.10 to "+na)          // from the router itself
	pf80 := ask(t, x, "172.24.4.30:2222", "172.24.4.1 to "+nb) // port forwarding, shifted
	ask(t, x, "172.24.4.30:2223", "172.24.4.1 to "+nb)
	ask(t, a, "172.24.4.30:2222", "172.24.4.20 to "+nb)
	if _, _, err := dial(x, "172.24.4.30:2224"); err == nil {
		t.Error("a port that is not forwarded answers")
	}
	if _, _, err := dial(a, "10.0.1.1:9697"); err == nil {
		t.Error("the metadata port answers")
	}

	// IPv6 is routed as it is.
	in(t, a, "sh", "-ec", "ip addr add fd00:1::5/64 dev eth0 nodad; ip route add default via fd00:1::1")
	in(t, x, "sh", "-ec", "ip addr add 2001:db8::1/64 dev eth0 nodad; ip route add fd00:1::/64 via 2001:db8::10")
	in(t, a, "ping", "-c1", "-W2", "2001:db8::1")

	more := floating(2, "172.24.4.21", "10.0.2.6")
	resources[more.Resource()] = more
	apply(t, n, want())
	for what, c := range map[string]net.Conn{"SNAT": out, "floating IP out": fipOut, "floating IP in": fipIn, "port forwarding": pf80} {
		if !lives(c) {
			t.Errorf("%s: cut when another floating IP was added", what)
		}
	}
	in2 := ask(t, x, "172.24.4.21:80", "172.24.4.1 to "+nb)
	delete(resources, floating(1, "172.24.4.20", "10.0.1.5").Resource())
	apply(t, n, want())
	if lives(fipIn) || lives(fipOut) {
		t.Errorf("a connection of the floating IP that was removed lives: in %v, out %v", lives(fipIn), lives(fipOut))
	}
	if _, _, err := dial(x, "172.24.4.20:80"); err == nil {
		t.Error("the floating IP that was removed answers")
	}
	delete(resources, pf.Resource())
	apply(t, n, want())
	if lives(pf80) {
		t.Error("the connection of the port forwarding lives")
	}
	if !lives(out) || !lives(in2) {
		t.Errorf("connections of others were cut: SNAT %v, floating IP %v", !lives(out), !lives(in2))
	}
	ask(t, a, "172.24.4.1:80", "172.24.4.10 to "+nx) // from now on like the others

	// Without SNAT, inside addresses are seen outside, and those who left with another one are cut; not those whose
	// address is translated for another reason.
	back := ask(t, a, "172.24.4.21:80", "172.24.4.10 to "+nb)
	in(t, x, "ip", "route", "add", "10.0.0.0/16", "via", "172.24.4.10")
	resources["router/"+routerID].(*plan.Router).Gateway.EnableSNAT = false
	apply(t, n, want())
	if lives(out) {
		t.Error("a connection lives with the address that SNAT gave it, when there is no SNAT any more")
	}
	if !lives(in2) || !lives(back) {
		t.Errorf("cut when SNAT was turned off: floating IP %v, to a floating IP from inside %v", !lives(in2), !lives(back))
	}
	ask(t, a, "172.24.4.1:80", "10.0.1.5 to "+nx)
}

// TestDistributedTraffic sends real connections through the three namespaces of a distributed router.
func TestDistributedTraffic(t *testing.T) {
	h := open(t)
	w := wire{t, h}
	sg := port(4, netA, "10.0.1.6/24")
	place := func(f *plan.FloatingIP, place string, priority uint32) *plan.FloatingIP {
		f.Place, f.RulePriority = place, priority
		return f
	}
	neighbour := func(n int, mac, ip string) *plan.Endpoint {
		return &plan.Endpoint{PortID: fmt.Sprintf("e%07x-0000-4000-8000-000000000000", n), NetworkID: netA, MAC: mac, Neighbour: true, Addresses: []plan.SubnetAddress{{IP: netip.MustParseAddr(ip)}}}
	}
	f2 := place(floating(2, "172.24.4.21", "10.0.1.7"), plan.PlaceFip, 32769)
	resources := named(
		&plan.Router{RouterID: routerID, Distributed: true, LinkLocal: netip.MustParsePrefix("169.254.64.0/31"), FipNetworkID: netID,
			Interfaces: []plan.RouterInterface{{Device: port(1, netA, "10.0.1.1/24"), SnatAddresses: []netip.Addr{netip.MustParseAddr("10.0.1.6")}}}},
		&plan.Snat{RouterID: routerID, Interfaces: []plan.Device{sg},
			Gateway: plan.Gateway{Device: port(3, netID, "172.24.4.10/24"), GatewayIPs: []netip.Addr{netip.MustParseAddr("172.24.4.1")}, EnableSNAT: true}},
		&plan.FipNamespace{NetworkID: netID, Device: port(5, netID, "172.24.4.11/24"), GatewayIPs: []netip.Addr{netip.MustParseAddr("172.24.4.1")}},
		place(floating(1, "172.24.4.20", "10.0.1.5"), plan.PlaceFip, 32768), f2,
		place(floating(3, "172.24.4.22", "10.0.1.8"), plan.PlaceSnat, 0),
		neighbour(1, machineMAC(1), "10.0.1.5"), neighbour(2, machineMAC(2), "10.0.1.7"), neighbour(4, machineMAC(4), "10.0.1.8"), neighbour(5, machineMAC(5), "10.0.1.9"), neighbour(6, sg.MAC, "10.0.1.6"))
	spaces := map[string]*Namespace{}
	names := []string{plan.FIP + netID, plan.SNAT + routerID, plan.QRouter + routerID, plan.FIP + netID}
	for _, name := range names[:3] {
		spaces[name] = ensure(t, h, name)
	}
	everywhere := func() {
		t.Helper()
		for _, name := range names { // the fip namespace once more, when the pair is there
			apply(t, spaces[name], build(t, resources)[name])
		}
	}
	everywhere()
	w.bridge("ba", "tap00000001-00")
	run(t, "ip", "link", "set", "tap00000004-00", "master", "ba")
	w.bridge("bx", "tap00000003-00")
	run(t, "ip", "link", "set", "tap00000005-00", "master", "bx")
	a := w.machine(1, "ba", "10.0.1.5/24", "10.0.1.1") // has 172.24.4.20
	b := w.machine(2, "ba", "10.0.1.7/24", "10.0.1.1") // has 172.24.4.21
	s := w.machine(4, "ba", "10.0.1.8/24", "10.0.1.1") // has 172.24.4.22, in snat
	c := w.machine(5, "ba", "10.0.1.9/24", "10.0.1.1") // has none
	x := w.machine(3, "bx", "172.24.4.1/24", "")
	for _, m := range []*Namespace{a, b, c, s, x} {
		serve(t, m, 80)
	}
	// No inside address may be seen outside.
	in(t, x, "iptables", "-A", "INPUT", "-s", "10.0.0.0/8", "-j", "ACCEPT")
	const na, nb, ns, nx = "qdhcp-machine1", "qdhcp-machine2", "qdhcp-machine4", "qdhcp-machine3"
	ask(t, x, "172.24.4.20:80", "172.24.4.1 to "+na)
	ask(t, a, "172.24.4.1:80", "172.24.4.20 to "+nx)
	ask(t, a, "172.24.4.21:80", "172.24.4.20 to "+nb) // between floating IPs of one host
	ask(t, b, "172.24.4.21:80", "172.24.4.21 to "+nb) // to its own
	ask(t, c, "172.24.4.1:80", "172.24.4.10 to "+nx)
	ask(t, c, "172.24.4.20:80", "172.24.4.10 to "+na) // through both snat and fip
	ask(t, x, "172.24.4.22:80", "172.24.4.1 to "+ns)  // served in snat
	ask(t, s, "172.24.4.1:80", "172.24.4.22 to "+nx)
	ask(t, s, "172.24.4.20:80", "172.24.4.22 to "+na)
	in2, out2 := ask(t, x, "172.24.4.21:80", "172.24.4.1 to "+nb), ask(t, b, "172.24.4.1:80", "172.24.4.21 to "+nx)
	delete(resources, f2.Resource())
	everywhere()
	if lives(in2) || lives(out2) {
		t.Errorf("a connection of the floating IP that was removed lives: in %v, out %v", lives(in2), lives(out2))
	}
	ask(t, b, "172.24.4.1:80", "172.24.4.10 to "+nx)
	// With a floating IP it leaves by another way; what it sends must not keep its old address on it.
	in(t, c, "ping", "-c1", "-W2", "172.24.4.1")
	f4 := place(floating(4, "172.24.4.23", "10.0.1.9"), plan.PlaceFip, 32770)
	resources[f4.Resource()] = f4
	everywhere()
	if text := in(t, spaces[plan.QRouter+routerID], "cat", "/proc/net/nf_conntrack"); strings.Contains(text, "src=10.0.1.9") {
		t.Errorf("entries of the way before are left:\n%s", text)
	}
	ask(t, c, "172.24.4.1:80", "172.24.4.23 to "+nx)
	if text := in(t, x, "iptables-save", "-c"); !strings.Contains(text, "[0:0] -A INPUT -s 10.0.0.0/8") {
		t.Errorf("inside addresses were seen outside:\n%s", text)
	}
}

// TestConntrackOfDatagrams: what needs no handshake is cut too. An entry that lives on because packets go on coming would
// keep its translation for ever.
func TestConntrackOfDatagrams(t *testing.T) {
	h := open(t)
	w := wire{t, h}
	resources := router()
	n := ensure(t, h, plan.QRouter+routerID)
	apply(t, n, build(t, resources)[n.Name()])
	w.bridge("ba", "tap00000001-00")
	w.bridge("bx", "tap00000003-00")
	a := w.machine(1, "ba", "10.0.1.5/24", "10.0.1.1")
	x := w.machine(3, "bx", "172.24.4.1/24", "")
	var server, client *net.UDPConn
	for _, s := range []struct {
		m *Namespace
		c **net.UDPConn
	}{{x, &server}, {a, &client}} {
		err := s.m.Do(func() (err error) { *s.c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 5353}); return err })
		if err != nil {
			t.Fatal(err)
		}
		defer (*s.c).Close()
	}
	seen := func() string {
		t.Helper()
		if _, err := client.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(172, 24, 4, 1), Port: 5353}); err != nil {
			t.Fatal(err)
		}
		if err := server.SetReadDeadline(time.Now().Add(3 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, from, err := server.ReadFromUDPAddrPort(make([]byte, 10))
		if err != nil {
			t.Fatal(err)
		}
		return from.Addr().String()
	}
	if got := seen(); got != "172.24.4.20" {
		t.Errorf("it comes from %s", got)
	}
	f := floating(1, "172.24.4.20", "10.0.1.5")
	delete(resources, f.Resource())
	apply(t, n, build(t, resources)[n.Name()])
	if got := seen(); got != "172.24.4.10" {
		t.Errorf("without a floating IP it comes from %s", got)
	}
	in(t, a, "ping", "-c1", "-W2", "172.24.4.1")
	resources[f.Resource()] = f
	apply(t, n, build(t, resources)[n.Name()])
	in(t, a, "ping", "-c1", "-W2", "172.24.4.1")
	in(t, x, "ping", "-c1", "-W2", "172.24.4.20")
	delete(resources, f.Resource())
	apply(t, n, build(t, resources)[n.Name()])
	if text := in(t, n, "cat", "/proc/net/nf_conntrack"); strings.Contains(text, "172.24.4.20") {
		t.Errorf("entries are left:\n%s", text)
	}
}

// TestAnnounce: the link hears who has an address.
func TestAnnounce(t *testing.T) {
	h := open(t)
	want := build(t, router())[plan.QRouter+routerID]
	n := ensure(t, h, want.Name)
	apply(t, n, want)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	tap, err := net.InterfaceByName("tap00000003-00")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: tap.Index}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 3}); err != nil {
		t.Fatal(err)
	}
	err = n.Announce([]plan.Announce{{Dev: "qg-00000003-00", Addresses: []netip.Addr{netip.MustParseAddr("172.24.4.20"), netip.MustParseAddr("2001:db8::20")}}})
	if err != nil {
		t.Fatal(err)
	}
	mac := []byte{0xfa, 0x16, 0x3e, 0, 0, 3}
	var arp, na bool
	for !arp || !na {
		b := make([]byte, 2000)
		size, _, err := unix.Recvfrom(fd, b, 0)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			t.Fatalf("not heard: arp %v, advertisement %v: %v", arp, na, err)
		}
		b = b[:size]
		a4 := []byte{172, 24, 4, 20}
		arp = arp || bytes.Equal(b[12:22], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}) && bytes.Equal(b[22:28], mac) && bytes.Equal(b[28:32], a4) && bytes.Equal(b[38:42], a4)
		na = na || (size > 80 && b[54] == 136 && bytes.Equal(b[62:78], netip.MustParseAddr("2001:db8::20").AsSlice()) && bytes.Equal(b[80:86], mac))
	}
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }
