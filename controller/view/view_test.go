package view

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

var same = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmpopts.IgnoreUnexported(Host{}),
}

// three hosts: red on all three, blue on host2 and host3, green (learning) on host1, ext (flat) on host1.
func threeHosts(t testing.TB) *viewtest.Cloud {
	c := viewtest.New(t)
	c.Host(1, map[string]uint32{"patch-tun": 1, "patch-int": 2, "int-br-ex": 3, "phy-br-ex": 4, "vxlan-0a000002": 5, "gre-0a000003": 9, "gre-0a000002": 8})
	c.Host(2, map[string]uint32{"patch-tun": 1, "patch-int": 1, "vxlan-0a000001": 2, "vxlan-0a000003": 3, "gre-0a000001": 4})
	c.Host(3, map[string]uint32{"vxlan-0a000001": 7, "vxlan-0a000002": 8, "gre-0a000001": 9})
	c.Network("red", model.VXLAN, 100, true)
	c.Network("blue", model.VXLAN, 200, true)
	c.Network("green", model.GRE, 300, false)
	c.Network("ext", model.Flat, 0, false)
	for i, h := range []string{"host1", "host2", "host3"} {
		c.Carry(h, "red", uint16(i+1))
	}
	c.Carry("host2", "blue", 7)
	c.Carry("host3", "blue", 8)
	c.Carry("host1", "green", 9)
	c.Carry("host1", "ext", 10)
	c.Bind("red1", "red", "host1", 1, 11, "10.1.0.1")
	c.Bind("red2", "red", "host2", 2, 12, "10.1.0.2")
	c.Bind("red3", "red", "host3", 3, 13, "10.1.0.3")
	c.Bind("blue2", "blue", "host2", 4, 14, "10.1.0.4")
	c.Bind("blue3", "blue", "host3", 5, 15, "10.1.0.5")
	c.Bind("green1", "green", "host1", 6, 16, "10.1.0.6")
	c.Bind("ext1", "ext", "host1", 7, 17, "10.1.0.7")
	return c
}

func TestPartsOfAHost(t *testing.T) {
	s := threeHosts(t).Snapshot()
	var got []string
	for p := range Parts(s, "host1") {
		got = append(got, p.String())
	}
	want := []string{
		"host",
		"tunnel/gre/host2", "tunnel/gre/host3", "tunnel/vxlan/host2", "tunnel/vxlan/host3",
		"network/ext", "port/ext1",
		"network/green", "port/green1",
		"network/red", "port/red1", "port/red2", "port/red3",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("parts of host1 (-want +got):\n%s", d)
	}
	if n := len(slices.Collect(Parts(s, "nobody"))); n != 0 {
		t.Errorf("a host that does not exist has %d parts", n)
	}
}

func TestWhatAPartHolds(t *testing.T) {
	s := threeHosts(t).Snapshot()
	h, _ := ForHost(s, "host1")
	wantHost := Host{
		Name: "host1", DVRMAC: viewtest.DVRMAC(1), TunnelIP: netip.MustParseAddr("10.0.0.1"), Userspace: true, AnswersND: true,
		Meters: Meters{Kbps: true, Pktps: true}, PatchTun: 1, PatchInt: 2, Physical: []Physical{{Bridge: "br-ex", Int: 3, Phy: 4}},
	}
	if d := cmp.Diff(wantHost, h, same); d != "" {
		t.Errorf("host1 (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]uint32{5}, Flood(s, h, "red")); d != "" {
		t.Errorf("flood list of red: host3's tunnel has no port yet (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]uint32{8, 9}, Flood(s, h, "green")); d != "" {
		t.Errorf("flood list of green, which nobody else carries, but which learns (-want +got):\n%s", d)
	}
	n, l, r := ForPort(s, h, "red1")
	wantRed := Network{ID: "red", Type: "vxlan", Segment: 100, VLAN: 1, Up: true}
	if d := cmp.Diff(wantRed, n, same); d != "" {
		t.Errorf("red (-want +got):\n%s", d)
	}
	wantLocal := &LocalPort{ID: "red1", Interface: "tap-red1", OFPort: 11, MAC: viewtest.MAC(1), IPs: []netip.Addr{netip.MustParseAddr("10.1.0.1")}, Up: true}
	if d := cmp.Diff(wantLocal, l, same); d != "" || r != nil {
		t.Errorf("red1 on its own host (-want +got):\n%sremote: %v", d, r)
	}
	_, l, r = ForPort(s, h, "red2")
	wantRemote := &RemotePort{ID: "red2", MAC: viewtest.MAC(2), IPs: []netip.Addr{netip.MustParseAddr("10.1.0.2")}, Up: true, Tunnel: 5}
	if d := cmp.Diff(wantRemote, r, same); d != "" || l != nil {
		t.Errorf("red2 as host1 sees it (-want +got):\n%slocal: %v", d, l)
	}
	for _, id := range []string{"blue2", "nothing"} {
		if _, l, r := ForPort(s, h, id); l != nil || r != nil {
			t.Errorf("host1 does not carry the network of %s, but sees %v %v", id, l, r)
		}
	}
	ext, _ := ForNetwork(s, h, "ext")
	if d := cmp.Diff(Physical{Bridge: "br-ex", Int: 3, Phy: 4}, ext.Physical); d != "" {
		t.Errorf("bridge of ext (-want +got):\n%s", d)
	}
}

func TestWhatAnOperatorSetsWins(t *testing.T) {
	c := threeHosts(t)
	o := *c.Snapshot().Host("host2")
	o.TunnelIP = netip.MustParseAddr("192.0.2.2")
	o.BridgeMappings = map[string]string{"physnet1": "br-prov", "oops": "br-int"}
	c.Put(&o)
	s := c.Snapshot()
	h, _ := ForHost(s, "host2")
	if h.TunnelIP != o.TunnelIP {
		t.Errorf("tunnel address %s, want %s", h.TunnelIP, o.TunnelIP)
	}
	if d := cmp.Diff([]Physical{{Bridge: "br-prov"}}, h.Physical); d != "" {
		t.Errorf("bridges (-want +got):\n%s", d)
	}
	h1, _ := ForHost(s, "host1")
	tun, ok := ForTunnel(s, h1, TunnelID(model.VXLAN, "host2"))
	want := Tunnel{Type: "vxlan", Remote: "host2", Name: "vxlan-c0000202", LocalIP: h1.TunnelIP, RemoteIP: o.TunnelIP}
	if d := cmp.Diff(want, tun, same); d != "" || !ok {
		t.Errorf("tunnel from host1 (-want +got):\n%s", d)
	}
}

func TestTunnelOnlyBetweenHostsThatShareANetwork(t *testing.T) {
	s := threeHosts(t).Snapshot()
	for _, c := range []struct {
		host, tunnel string
		want         bool
	}{
		{"host1", "vxlan/host2", true},
		{"host2", "vxlan/host3", true},
		{"host1", "gre/host2", true}, // green learns: host1 floods to everybody
		{"host2", "gre/host1", false},
		{"host1", "geneve/host2", false},
		{"host1", "vxlan/host1", false},
		{"host1", "vxlan/nobody", false},
	} {
		h, _ := ForHost(s, c.host)
		if _, ok := ForTunnel(s, h, c.tunnel); ok != c.want {
			t.Errorf("%s: tunnel %s: %v, want %v", c.host, c.tunnel, ok, c.want)
		}
	}
}

func TestTunnelsDoNotMixAddressFamilies(t *testing.T) {
	c := threeHosts(t)
	f := *c.Snapshot().HostFacts("host2")
	f.TunnelIP = netip.MustParseAddr("fd00::2")
	c.Put(&f)
	s := c.Snapshot()
	h, _ := ForHost(s, "host1")
	if tun, ok := ForTunnel(s, h, "vxlan/host2"); ok {
		t.Errorf("IPv4 host1 has a tunnel to IPv6 host2: %v", tun)
	}
	if _, _, r := ForPort(s, h, "red2"); r != nil {
		t.Errorf("host1 knows a port that it has no tunnel to: %v", r)
	}
}

func TestTunnelNames(t *testing.T) {
	for _, c := range []struct{ typ, ip, want string }{
		{"vxlan", "10.91.0.21", "vxlan-0a5b0015"},
		{"geneve", "255.255.255.255", "geneve-ffffffff"},
		{"gre", "::ffff:10.0.0.1", "gre-0a000001"},
		{"geneve", "2001:db8::1", "geneve-dyb5pyok"},
	} {
		got := TunnelName(c.typ, netip.MustParseAddr(c.ip))
		if got != c.want || len(got) > 15 {
			t.Errorf("%s tunnel to %s is %q, want %q of at most 15 characters", c.typ, c.ip, got, c.want)
		}
	}
}

func TestResourcesOfAHost(t *testing.T) {
	c := threeHosts(t)
	p := *c.Snapshot().Port("red1")
	p.AdminStateUp = false
	c.Put(&p)
	s := c.Snapshot()
	local := netip.MustParseAddr("10.0.0.1")
	ip2, ip3 := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	want := Resources{
		Bridges: []Bridge{
			{"br-int", 0x77656674000168c6, "integration"},
			{"br-tun", 0x7765667400010d3b, "tunnel"},
			{"br-ex", 0x776566740001aae8, "physical"},
		},
		Tunnels: []Tunnel{
			{"gre", "host2", "gre-0a000002", local, ip2, 8, true},
			{"gre", "host3", "gre-0a000003", local, ip3, 9, true},
			{"vxlan", "host2", "vxlan-0a000002", local, ip2, 5, true},
			{"vxlan", "host3", "vxlan-0a000003", local, ip3, 0, false},
		},
		Ports: []PortBinding{
			{"ext1", "ext", "tap-ext1", 10, viewtest.MAC(7)},
			{"green1", "green", "tap-green1", 9, viewtest.MAC(6)},
			{"red1", "red", "tap-red1", 4095, viewtest.MAC(1)},
		},
	}
	if d := cmp.Diff(want, HostResources(s, "host1"), same); d != "" {
		t.Errorf("resources of host1 (-want +got):\n%s", d)
	}
}

func TestDatapathIDsLeadBack(t *testing.T) {
	s := threeHosts(t).Snapshot()
	for _, b := range HostResources(s, "host2").Bridges {
		host, bridge, ok := Datapath(s, b.DatapathID)
		if host != "host2" || bridge != b.Name || !ok {
			t.Errorf("%016x is %s of host2, but looks up as %q of %q", b.DatapathID, b.Name, bridge, host)
		}
	}
	for _, dpid := range []uint64{0, 0x776566740000_0000, DatapathID(9, BrInt), DatapathID(2, "br-foreign"), 0x0000e2b7aa5da34a} {
		if host, bridge, ok := Datapath(s, dpid); ok {
			t.Errorf("%016x is nobody's, but looks up as %s of %s", dpid, bridge, host)
		}
	}
}

func TestDatapathIDThatTwoBridgesShareIsRefused(t *testing.T) {
	c := threeHosts(t)
	f := *c.Snapshot().HostFacts("host2")
	f.BridgeMappings = map[string]string{"physnet1": "br-p24", "physnet2": "br-p479"}
	c.Put(&f)
	dpid := DatapathID(2, "br-p24")
	if other := DatapathID(2, "br-p479"); other != dpid {
		t.Fatalf("the names were chosen to clash, but make %x and %x", dpid, other)
	}
	if host, bridge, ok := Datapath(c.Snapshot(), dpid); ok {
		t.Errorf("looks up as %s of %s", bridge, host)
	}
}

// Three agents that start at the same instant must all end with each other's DVR MACs: in the original, an agent that
// came up while another listed the MACs was lost to it for good.
func TestEveryHostHasEveryOtherDVRMAC(t *testing.T) {
	s := threeHosts(t).Snapshot()
	peer := func(n byte) Peer {
		return Peer{fmt.Sprintf("host%d", n), viewtest.DVRMAC(n)}
	}
	for host, want := range map[string][]Peer{
		"host1": {peer(2), peer(3)}, "host2": {peer(1), peer(3)}, "host3": {peer(1), peer(2)},
	} {
		if d := cmp.Diff(want, Peers(s, host)); d != "" {
			t.Errorf("%s (-want +got):\n%s", host, d)
		}
	}
}
