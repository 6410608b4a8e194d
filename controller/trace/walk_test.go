package trace

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

const (
	vm1, vm2, vm3, vm4 = "tap-00000001-0000-4000-8000-000000000000", "tap-00000002-0000-4000-8000-000000000000",
		"tap-00000003-0000-4000-8000-000000000000", "tap-00000004-0000-4000-8000-000000000000"
	qrouter, snat, fip = "qrouter-" + router, "snat-" + router, "fip-" + ext
)

// way is what the fleet says, and what is told.
type wayTest struct {
	name     string
	change   func(c *viewtest.Cloud)
	from, to int // to is 0 for an address only
	src, dst string
	port     uint16
	switches map[string][]string
	routes   map[string]report.RouteAnswer
	lacking  map[string]int
	asked    []string // nil: not looked at
	want     string
}

func (w wayTest) run(t *testing.T) {
	t.Helper()
	t.Run(w.name, func(t *testing.T) {
		c := cloud(t)
		if w.change != nil {
			w.change(c)
		}
		s := c.Snapshot()
		a := &answers{t: t, switches: w.switches, routes: w.routes, lacking: w.lacking}
		var to *model.Port
		if w.to != 0 {
			to = s.Port(id(w.to))
		}
		if d := cmp.Diff(strings.TrimSpace(w.want), a.follow(s, w.from, to, w.src, w.dst, w.port)); d != "" {
			t.Errorf("way (-want +got):\n%s", d)
		}
		if d := cmp.Diff(w.asked, a.asked); d != "" && w.asked != nil {
			t.Errorf("asked (-want +got):\n%s", d)
		}
	})
}

func forward(dev, mac, via, neighbour string) report.RouteAnswer {
	state := "PERMANENT"
	if neighbour == "" {
		state = "NONE"
	}
	return report.RouteAnswer{Kind: report.RouteForward, Table: 254, Device: dev, DeviceMAC: mac, Via: addr(via), Neighbour: neighbour, NeighbourState: state}
}

func mac(n byte) string { return viewtest.MAC(n).String() }

func TestWaysOnOneNetwork(t *testing.T) {
	delivered := map[string][]string{
		"host1 br-int " + vm1:         {tunnelTo(2, 100), "br-int 0 in_port=5, priority 1, cookie 0x7:goto_table:94", "br-int 94 priority 0, cookie 0x7:NORMAL", "br-tun 20 dl_vlan=1, priority 2, cookie 0x7:output:3"},
		"host2 br-tun vxlan-0a000001": {"12", "br-tun 4 tun_id=0x64, priority 1, cookie 0x7:output:1", "br-int 92 reg5=0x5, priority 10, cookie 0x7:output:5"},
	}
	for _, w := range []wayTest{
		{name: "tunnel", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", switches: delivered, want: `
host1 br-int→br-tun: T0→T94 | T20; vxlan 100 to host2
host2 br-tun→br-int: T4 | T92; to ` + vm2 + `
DELIVERED at host2 ` + vm2 + `: to port 00000002 on host2`,
			asked: []string{"host1 br-int " + vm1 + " " + mac(1) + " > " + mac(2) + ", 10.0.1.5 > 10.0.1.6, ttl 64",
				"host2 br-tun vxlan-0a000001 " + mac(1) + " > " + mac(2) + ", 10.0.1.5 > 10.0.1.6, ttl 64, key 100 from 10.0.0.1 to 10.0.0.2"}},
		{name: "IPv6", from: web, to: far, src: "fd00:1::5", dst: "fd00:1::6", switches: delivered, want: `
host1 br-int→br-tun: T0→T94 | T20; vxlan 100 to host2
host2 br-tun→br-int: T4 | T92; to ` + vm2 + `
DELIVERED at host2 ` + vm2 + `: to port 00000002 on host2`},
		{name: "one host, flooded", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", change: func(c *viewtest.Cloud) {
			b := *c.Snapshot().Binding(id(far))
			b.Host = "host1"
			c.Put(&b)
		}, switches: map[string][]string{"host1 br-int " + vm1: {"3,26,12,1,2," + tunnelTo(3, 100), "br-int 94 priority 0, cookie 0x7:NORMAL; -> no learned MAC for destination, flooding"}}, want: `
host1 br-int: T94; to ` + vm2 + `
  flooded: it also goes to veth0, eth2, the tunnel to host3
DELIVERED at host1 ` + vm2 + `: to port 00000002 on host1`},
		{name: "a row drops it", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", switches: map[string][]string{
			"host1 br-int " + vm1: {"drop", "br-int 0 in_port=5, priority 1, cookie 0x7:goto_table:60", "br-int 60 dl_vlan=9, priority 3, cookie 0x7:drop"}}, want: `
host1 br-int: T0→T60
DROPPED at host1 br-int table 60 T60: in br-int table 60 T60 on host1: row cookie=0x7, table=60, priority=3,dl_vlan=9 actions=drop, of port seven
try: weft explain --bridge br-int 'cookie=0x7, table=60, priority=3,dl_vlan=9 actions=drop'`},
		{name: "no row matches", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", switches: map[string][]string{"host1 br-int " + vm1: {"drop", "br-int 0 No match.:drop"}}, want: `
host1 br-int: T0
DROPPED at host1 br-int table 0 T0: in br-int table 0 T0 on host1: no row matches
try: weft drift host1`},
		{name: "sender is down", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", change: func(c *viewtest.Cloud) {
			p := *c.Snapshot().Port(id(web))
			p.AdminStateUp, p.Name = false, "web"
			c.Put(&p)
		}, switches: map[string][]string{"host1 br-int " + vm1: {"drop", "br-int 0 priority 0, cookie 0x1:drop"}}, want: `
host1 br-int: T0
DROPPED at host1 br-int table 0 T0: in br-int table 0 T0 on host1: row cookie=0x1, table=0, priority=0 actions=drop; port web is set down (admin_state_up is false)
try: weft explain --bridge br-int 'cookie=0x1, table=0, priority=0 actions=drop'`},
		{name: "flooded, and by none of them there", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", switches: map[string][]string{
			"host1 br-int " + vm1: {"26," + tunnelTo(3, 100), "br-int 94 priority 0, cookie 0x7:NORMAL; -> no learned MAC for destination, flooding", "br-tun 22 dl_vlan=1, priority 1, cookie 0x7:output:2", "br-ex 2 priority 0:drop"}}, want: `
host1 br-int→br-tun→br-ex: T94 | T22 | T2
DROPPED at host1 br-tun: on host1 it goes to veth0, the tunnel to host3, and not to port 00000002 on host2
try: weft explain --bridge br-tun 'cookie=0x7, table=22, priority=1,dl_vlan=1 actions=output:2'`},
		{name: "flooded here, and not to its port", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", switches: map[string][]string{
			"host1 br-int " + vm1:         delivered["host1 br-int "+vm1],
			"host2 br-tun vxlan-0a000001": {"26", "br-tun 10 priority 0, cookie 0x7:output:1", "br-int 94 priority 0, cookie 0x7:NORMAL; -> no learned MAC for destination, flooding", "br-ex 2 priority 0:drop"}}, want: `
host1 br-int→br-tun: T0→T94 | T20; vxlan 100 to host2
host2 br-tun→br-int: T10 | T94
DROPPED at host2 br-int: on host2 it goes to veth0, and not to port 00000002 on host2
try: weft explain --bridge br-int 'cookie=0x7, table=94, priority=0 actions=NORMAL'`},
		{name: "the same address on another network", from: web, to: 5, src: "10.0.1.5", dst: "10.0.1.6", change: func(c *viewtest.Cloud) {
			c.Bind(id(5), red, "host3", 5, 9, "10.0.1.6")
		}, switches: delivered, want: `
host1 br-int→br-tun: T0→T94 | T20; vxlan 100 to host2
host2 br-tun→br-int: T4 | T92; to ` + vm2 + `
DROPPED at host2 ` + vm2 + `: it ends at port 00000002 of network blue, which has 10.0.1.6, too: port 00000005 is on network red, and not reached from here by that address
try: weft describe port 00000005`},
		{name: "to somebody else", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", switches: map[string][]string{"host1 br-int " + vm1: {"13", "br-int 94 priority 0, cookie 0x7:NORMAL"}}, want: `
host1 br-int: T94
DROPPED at host1 br-int: on host1 it goes to ` + vm3 + `, and not to port 00000002 on host2
try: weft explain --bridge br-int 'cookie=0x7, table=94, priority=0 actions=NORMAL'`},
		{name: "to nobody's interface", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", switches: map[string][]string{"host1 br-int " + vm1: {"26", "br-int 94 priority 0, cookie 0x7:NORMAL"}}, want: `
host1 br-int: T94
DROPPED at host1 br-int: on host1 it goes to veth0, and not to port 00000002 on host2
try: weft explain --bridge br-int 'cookie=0x7, table=94, priority=0 actions=NORMAL'`},
		{name: "the switch warns", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", switches: map[string][]string{
			"host1 br-int " + vm1: {"drop", "br-tun 20 dl_vlan=1, priority 2, cookie 0x7:output:3; -> output to native tunnel; -> neighbor cache miss for 10.0.0.2 on bridge br-phy, sending ARP request"}}, want: `
host1 br-tun: T20
  the switch says: neighbor cache miss for 10.0.0.2 on bridge br-phy, sending ARP request
DROPPED at host1 br-tun table 20 T20: in br-tun table 20 T20 on host1: row cookie=0x7, table=20, priority=2,dl_vlan=1 actions=output:3, of port seven; the switch says: neighbor cache miss for 10.0.0.2 on bridge br-phy, sending ARP request
try: weft explain --bridge br-tun 'cookie=0x7, table=20, priority=2,dl_vlan=1 actions=output:3'`},
		{name: "a host is away", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", switches: map[string][]string{"host1 br-int " + vm1: delivered["host1 br-int "+vm1]}, want: `
host1 br-int→br-tun: T0→T94 | T20; vxlan 100 to host2
UNKNOWN at host2 br-tun: what becomes of it in br-tun of host2 could not be found out: its agent is not connected since 12:01:07
try: weft describe host host2`},
		{name: "nobody has the address", from: web, src: "10.0.1.5", dst: "10.0.1.77", want: `
DROPPED at host1 port 00000001: nobody on network blue has the address 10.0.1.77: who asks for its MAC gets no answer
try: weft get ports --network blue`},
		{name: "its own address", from: web, src: "10.0.1.5", dst: "10.0.1.5", want: `
DROPPED at host1 port 00000001: 10.0.1.5 is its own address on network blue: the packet does not leave it
try: weft describe port 00000001`},
		{name: "two may have the address", from: web, src: "10.0.1.5", dst: "10.0.1.100", change: func(c *viewtest.Cloud) {
			c.Bind(id(5), blue, "host3", 5, 9, "10.0.1.9")
			c.Allow(id(5), "10.0.1.100")
			c.Allow(id(far), "10.0.1.100")
		}, want: `
UNKNOWN at host1 port 00000001: 10.0.1.100 may be had by port 00000002, port 00000005 (allowed address pairs): who of them has it now is not known here; trace to one of them by its name`},
		{name: "no router", from: blank, src: "10.0.3.5", dst: "10.0.1.5", change: func(c *viewtest.Cloud) {
			n := *c.Snapshot().Network(vlan)
			n.Type, n.PhysicalNetwork = model.VXLAN, ""
			c.Put(&n)
		}, want: `
DROPPED at host3 port 00000004: no router is on the subnet of 10.0.3.5: its gateway, 10.0.3.1, is nobody's address on network vlan
try: weft router add-subnet --help`},
		{name: "no gateway", from: db, src: "10.0.2.5", dst: "10.0.1.5", change: func(c *viewtest.Cloud) {
			c.Put(&model.Subnet{Meta: model.Meta{ID: "s-red"}, NetworkID: red, CIDR: netip.MustParsePrefix("10.0.2.0/24")})
		}, want: `
DROPPED at host1 port 00000003: port 00000003 has no way to 10.0.1.5: it is not on its subnet, which has no gateway
try: weft get subnets`},
	} {
		w.run(t)
	}
}

func TestWaysByAPhysicalNetwork(t *testing.T) {
	out := map[string][]string{"host3 br-int " + vm4: {"push_vlan(vid=300,pcp=0),2,1", "br-int 94 priority 0, cookie 0x7:NORMAL", "br-ex 2 dl_vlan=1, priority 1, cookie 0x7:NORMAL"}}
	other := func(host string) func(*viewtest.Cloud) {
		return func(c *viewtest.Cloud) {
			c.Host(9, nil)
			c.Bind(id(7), vlan, host, 7, 9, "10.0.3.7")
		}
	}
	for _, w := range []wayTest{
		{name: "to another host", from: blank, src: "10.0.3.5", dst: "10.0.3.7", change: func(c *viewtest.Cloud) {
			other("host1")(c)
			b := *c.Snapshot().Binding(id(7))
			b.Interface = "veth0"
			c.Put(&b)
		}, switches: map[string][]string{"host3 br-int " + vm4: out["host3 br-int "+vm4], "host1 br-ex eth2": {"26", "br-ex 3 priority 0, cookie 0x7:NORMAL", "br-int 0 dl_vlan=300, priority 3, cookie 0x7:goto_table:60"}}, want: `
host3 br-int→br-ex: T94 | T2; out by eth2, VLAN 300
host1 br-ex→br-int: T3 | T0; to veth0
DELIVERED at host1 veth0: to port 00000007 on host1`,
			asked: []string{"host3 br-int " + vm4 + " " + mac(4) + " > " + mac(7) + ", 10.0.3.5 > 10.0.3.7, ttl 64", "host1 br-ex eth2 " + mac(4) + " > " + mac(7) + ", 10.0.3.5 > 10.0.3.7, ttl 64, vlan 300"}},
		{name: "which wire is not known", from: blank, src: "10.0.3.5", dst: "10.0.3.7", change: other("host9"), switches: out, want: `
host3 br-int→br-ex: T94 | T2; out by eth2, VLAN 300
UNKNOWN at host9 br-ex: it leaves host3 by eth2; by which of eth2, eth3 it comes into br-ex of host9 is not known here`},
		{name: "no bridge there", from: blank, src: "10.0.3.5", dst: "10.0.3.7", change: func(c *viewtest.Cloud) {
			other("host9")(c)
			c.Put(&model.HostFacts{Host: "host9", TunnelIP: addr("10.0.0.9")})
		}, switches: out, want: `
host3 br-int→br-ex: T94 | T2; out by eth2, VLAN 300
DROPPED at host9 : it leaves host3 by eth2, and host9 has no bridge to that physical network
try: weft get hosts -o wide`},
		{name: "bound nowhere", from: blank, src: "10.0.3.5", dst: "10.0.3.7", change: func(c *viewtest.Cloud) {
			c.Put(&model.Port{Meta: model.Meta{ID: id(7)}, NetworkID: vlan, MAC: viewtest.MAC(7), AdminStateUp: true, FixedIPs: []model.FixedIP{{SubnetID: "s-vlan", IP: addr("10.0.3.7")}}})
		}, switches: out, want: `
host3 br-int→br-ex: T94 | T2; out by eth2, VLAN 300
DROPPED at host3 br-ex: it leaves by eth2, and port 00000007 is bound to no host
try: weft describe port 00000007`},
		{name: "to a machine outside", from: blank, src: "10.0.3.5", dst: "10.0.3.99", switches: out, want: `
host3 port 00000004: sends to 10.0.3.99, which is no port's address here: somebody on the physical network of vlan may have it; traced with the MAC 02:00:00:00:00:01 instead of his
host3 br-int→br-ex: T94 | T2; out by eth2, VLAN 300
LEFT at host3 br-ex: by eth2 of br-ex on host3, from 10.0.3.5 to 10.0.3.99`},
		{name: "to a router outside", from: blank, src: "10.0.3.5", dst: "8.8.8.8", switches: out, want: `
host3 port 00000004: sends to 10.0.3.1, which is no port's address here: somebody on the physical network of vlan may have it; traced with the MAC 02:00:00:00:00:01 instead of his
host3 br-int→br-ex: T94 | T2; out by eth2, VLAN 300
LEFT at host3 br-ex: by eth2 of br-ex on host3, from 10.0.3.5 to 8.8.8.8`},
	} {
		w.run(t)
	}
}
