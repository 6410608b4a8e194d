package ofapps

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/view/viewtest"
)

const (
	dmac2 = "fa:16:3f:00:00:02"
	bcast = "dl_dst=ff:ff:ff:ff:ff:ff"
)

func tap(n int) string { return "tap-" + portID(n) }

func from(port, src string, more ...string) string {
	return strings.Join(append([]string{"in_port=" + port, "dl_src=" + src}, more...), ",")
}

func m(last byte) string {
	return "fa:16:3e:00:00:" + string([]byte{'0', '0' + last})
}

func ip(dst byte) string { return "dl_dst=" + m(dst) + ",dl_type=0x0800" }

func arp(spa, tpa string) string {
	return bcast + ",dl_type=0x0806,arp_op=1,arp_spa=" + spa + ",arp_tpa=" + tpa
}

func ns(src, group, target string, more string) string {
	return "dl_dst=33:33:ff:00:00:" + group + ",dl_type=0x86dd,nw_proto=58,nw_ttl=255,ipv6_src=" + src +
		",icmpv6_type=135,icmpv6_code=0,nd_target=" + target + more
}

// packet is a packet that comes into host1, and where it must leave, and nowhere else.
type packet struct {
	name, bridge, is string
	leaves           []string
}

func tracesOf(t *testing.T, cloud func(viewtest.T) *viewtest.Cloud, packets []packet) {
	h := startHost(t, cloud(t).Snapshot())
	for _, p := range packets {
		t.Run(p.name, func(t *testing.T) {
			if d := cmp.Diff(p.leaves, h.trace(t, p.bridge, p.is)); d != "" {
				t.Errorf("%s leaves by (-want +got):\n%s", p.is, d)
			}
		})
	}
}

func TestPacketsOnTunnelledNetworks(t *testing.T) {
	tracesOf(t, tenants, []packet{
		{"known unicast goes to the one host that has it", "br-int", from(tap(1), m(1), ip(2)),
			[]string{tap(6), "vxlan-0a000002 key 0x64"}},
		{"unknown unicast goes to every host that carries the network", "br-int", from(tap(1), m(1), ip(9)),
			[]string{tap(6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
		{"broadcast goes to every host that carries the network", "br-int", from(tap(1), m(1), bcast, "dl_type=0x0800"),
			[]string{tap(6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
		{"broadcast of another network goes to the hosts that carry that one", "br-int", from(tap(4), m(4), bcast, "dl_type=0x0800"),
			[]string{"vxlan-0a000002 key 0xc8"}},
		{"ARP request for a remote address is answered here", "br-int", from(tap(1), m(1), arp("10.1.0.1", "10.1.0.2")),
			[]string{tap(1), tap(6), tap(6)}},
		{"ARP request for a local address does not leave", "br-int", from(tap(1), m(1), arp("10.1.0.1", "10.1.0.6")),
			[]string{tap(6)}},
		{"ARP request for the same address in the other tenant's network is answered for that one", "br-int", from(tap(4), m(4), arp("10.1.0.1", "10.1.0.2")),
			[]string{tap(4)}},
		{"ARP request for an unknown address is flooded", "br-int", from(tap(1), m(1), arp("10.1.0.1", "10.1.0.99")),
			[]string{tap(6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
		{"announcement of an own address is flooded", "br-int", from(tap(1), m(1), arp("10.1.0.1", "10.1.0.1")),
			[]string{tap(6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
		{"announcement of an unknown address is flooded", "br-int", from(tap(1), m(1), arp("10.1.0.50", "10.1.0.50")),
			[]string{tap(6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
		{"gratuitous ARP reply is flooded", "br-int", from(tap(1), m(1), strings.Replace(arp("10.1.0.1", "10.1.0.1"), "arp_op=1", "arp_op=2", 1)),
			[]string{tap(6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
		{"neighbour solicitation for a remote address is answered here", "br-int", from(tap(1), m(1), ns("fd00::1", "02", "fd00::2", ",nd_options_type=1,nd_sll="+m(1))),
			[]string{tap(1), tap(6), tap(6)}},
		{"neighbour solicitation for a local address does not leave", "br-int", from(tap(6), m(6), ns("fe80::6", "01", "fd00::1", ",nd_options_type=1,nd_sll="+m(6))),
			[]string{tap(1)}},
		{"duplicate address detection of a remote address is flooded to who can answer it", "br-int", from(tap(1), m(1), ns("::", "02", "fd00::2", "")),
			[]string{tap(6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
		{"neighbour solicitation for an unknown address is flooded", "br-int", from(tap(1), m(1), ns("fd00::1", "09", "fd00::9", ",nd_options_type=1,nd_sll="+m(1))),
			[]string{tap(6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},

		{"what comes with red's key is for red", "br-tun", from("vxlan-0a000002", m(2), "tun_id=0x64", ip(1)),
			[]string{tap(1), tap(6)}},
		{"what comes with blue's key is for blue", "br-tun", from("vxlan-0a000002", m(5), "tun_id=0xc8", bcast, "dl_type=0x0800"),
			[]string{tap(4)}},
		{"a key of no network here is dropped", "br-tun", from("vxlan-0a000002", m(2), "tun_id=0x99", ip(1)), nil},
		{"what comes by a tunnel does not go into another", "br-tun", from("vxlan-0a000002", m(2), "tun_id=0x64", bcast, "dl_type=0x0800"),
			[]string{tap(1), tap(6)}},
		{"what another host routed is for no port here", "br-tun", from("vxlan-0a000002", dmac2, "tun_id=0x64", ip(1)), nil},

		{"a tag of another tenant's network is not let in", "br-int", from(tap(1), m(1), "dl_vlan=7", bcast, "dl_type=0x0800"), nil},
		{"nor is the tag of the own network", "br-int", from(tap(1), m(1), "dl_vlan=1", bcast, "dl_type=0x0800"), nil},
		{"nor the dead VLAN", "br-int", from("patch-tun", m(1), "dl_vlan=4095", bcast, "dl_type=0x0800"), nil},
		{"a port that nobody bound is not let in", "br-int", from("LOCAL", m(1), bcast, "dl_type=0x0800"), nil},
		{"local VLANs do not leave by the physical network", "br-ex", from("phy-br-ex", m(1), "dl_vlan=1", bcast, "dl_type=0x0800"), nil},
	})
}

// The tag in OVSDB is the agent's to set, and comes later than the interface: until then the port is a trunk.
func TestPortWithoutItsTagReachesNobody(t *testing.T) {
	h := startHost(t, tenants(t).Snapshot())
	h.Vsctl("clear", "port", tap(1), "tag")
	for _, tag := range []string{"dl_vlan=1", "dl_vlan=7"} {
		if got := h.trace(t, "br-int", from(tap(1), m(1), tag, bcast, "dl_type=0x0800")); got != nil {
			t.Errorf("%s: leaves by %v", tag, got)
		}
	}
	// That it is the row which holds it back, and not the switch: without the row's second match it reaches the other tenant.
	h.Ofctl("add-flow", "br-int", "priority=2,in_port=11,actions=goto_table:60")
	want := []string{tap(4), "vxlan-0a000002 key 0xc8"}
	if d := cmp.Diff(want, h.trace(t, "br-int", from(tap(1), m(1), "dl_vlan=7", bcast, "dl_type=0x0800"))); d != "" {
		t.Errorf("by a row that matches the port only (-want +got):\n%s", d)
	}
}

func TestPacketsOnProviderNetworks(t *testing.T) {
	tracesOf(t, provider, []packet{
		{"VLAN network: the local VLAN becomes the provider's", "br-int", from(tap(1), m(1), bcast, "dl_type=0x0800"), []string{"eth0 vlan 42"}},
		{"flat network: the local VLAN is taken off", "br-int", from(tap(2), m(2), bcast, "dl_type=0x0800"), []string{"eth0"}},
		{"from the provider's VLAN", "br-ex", from("eth0", m(3), "dl_vlan=42", ip(1)), []string{tap(1)}},
		{"from the flat network", "br-ex", from("eth0", m(9), ip(2)), []string{tap(2)}},
		{"from a VLAN of no network here", "br-ex", from("eth0", m(9), "dl_vlan=43", ip(1)), nil},
		{"from a VLAN that is a local one's number", "br-ex", from("eth0", m(9), "dl_vlan=5", ip(1)), nil},
		{"what another host routed is for no port here", "br-ex", from("eth0", dmac2, "dl_vlan=42", ip(1)), nil},
		{"ARP requests of provider networks go out", "br-int", from(tap(1), m(1), arp("10.1.0.1", "10.1.0.2")), []string{"eth0 vlan 42"}},
	})
}

func TestPacketsOfWhatIsDown(t *testing.T) {
	tracesOf(t, dead, []packet{
		{"a port that is down is not let in", "br-int", from(tap(1), m(1), bcast, "dl_type=0x0800"), nil},
		{"nor does it hear its network", "br-int", from(tap(6), m(6), bcast, "dl_type=0x0800"),
			[]string{"vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
		{"the address of a port that is down is not known", "br-int", from(tap(6), m(6), arp("10.1.0.6", "10.1.0.2")),
			[]string{"vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
		{"a port of a network that is down is not let in", "br-int", from(tap(4), m(4), bcast, "dl_type=0x0800"), nil},
		{"nor is what comes with the key of such a network", "br-tun", from("vxlan-0a000002", m(5), "tun_id=0xc8", ip(4)), nil},
	})
}

func TestPacketsOnLearningNetwork(t *testing.T) {
	s := learning(t).Snapshot()
	h := startHost(t, s)
	flood := []string{"gre-0a000002 key 0x12c", "gre-0a000003 key 0x12c", tap(2)}
	if d := cmp.Diff(flood, h.trace(t, "br-int", from(tap(1), m(1), ip(3)))); d != "" {
		t.Errorf("before anything is learned (-want +got):\n%s", d)
	}
	// With -generate the switch does what the packet makes it do: here, learn.
	in := h.trace(t, "br-tun", from("gre-0a000002", m(3), "tun_id=0x12c", ip(1)), "-generate")
	if d := cmp.Diff([]string{tap(1), tap(2)}, in); d != "" {
		t.Errorf("from the tunnel (-want +got):\n%s", d)
	}
	learned := "cookie=0x571fcccccccc0003, table=20, hard_timeout=300, priority=1,vlan_tci=0x0009/0x0fff,dl_dst=" + m(3) +
		" actions=load:0->NXM_OF_VLAN_TCI[],load:0x12c->NXM_NX_TUN_ID[],output:4"
	dump := func() string {
		return h.Ofctl("--no-stats", "dump-flows", "br-tun", "table=20,cookie=0x571f000000000000/0xffff000000000000")
	}
	if d := cmp.Diff(learned, strings.TrimSpace(dump())); d != "" {
		t.Errorf("learned rows (-want +got):\n%s", d)
	}
	out := h.trace(t, "br-int", from(tap(1), m(1), ip(3)))
	if d := cmp.Diff([]string{"gre-0a000002 key 0x12c"}, out); d != "" {
		t.Errorf("once learned (-want +got):\n%s", d)
	}
	// The network leaves the host: its row in LearnFromTun goes, and with it all that it learned.
	h.Ofctl("--strict", "del-flows", "br-tun", "table=10,priority=1,dl_vlan=9")
	if got := dump(); got != "" {
		t.Errorf("learned rows outlive their network:\n%s", got)
	}
}
