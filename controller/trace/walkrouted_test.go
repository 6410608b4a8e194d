package trace

import (
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// toRouter is what br-int of a host says of a packet to the router, and out how it sends on what comes from a device.
func toRouter(dp string) []string {
	return []string{dp, "br-int 94 priority 0, cookie 0x7:NORMAL"}
}

func TestWaysThroughRouters(t *testing.T) {
	east := map[string][]string{
		"host1 br-int " + vm1 + " " + mac(11): toRouter("21"),
		"host1 br-int tap00000012-00":         toRouter("13"),
	}
	local := map[string]report.RouteAnswer{"host1 " + qrouter + " qr-00000011-00": forward("qr-00000012-00", mac(12), "10.0.2.5", mac(3))}
	outside := map[string][]string{
		"host1 br-int " + vm1 + " " + mac(11):    toRouter("21"),
		"host2 br-int " + vm2 + " " + mac(11):    toRouter("21"),
		"host2 br-int tap00000011-00":            toRouter("23"),
		"host1 br-int tap00000015-00":            toRouter("push_vlan(vid=400,pcp=0),2"),
		"host2 br-int tap00000014-00":            toRouter("push_vlan(vid=400,pcp=0),2"),
		"host1 br-ex eth2 " + mac(15):            toRouter("25"),
		"host1 br-int tap00000011-00 " + mac(1):  toRouter("11"),
		"host2 br-int tap00000011-00 " + mac(13): toRouter("23"),
	}
	routes := map[string]report.RouteAnswer{
		"host1 " + qrouter + " qr-00000011-00": forward("rfp-99999999-0", "0a:00:00:00:00:01", "169.254.64.1", "0a:00:00:00:00:02"),
		"host1 " + fip + " fpr-99999999-0":     forward("fg-00000015-00", mac(15), "203.0.113.1", "ce:00:00:00:00:01"),
		"host2 " + qrouter + " qr-00000011-00": forward("qr-00000011-00", mac(11), "10.0.1.3", mac(13)),
		"host2 " + snat + " sg-00000013-00":    forward("qg-00000014-00", mac(14), "203.0.113.1", ""),
		"host1 " + fip + " fg-00000015-00":     forward("fpr-99999999-0", "0a:00:00:00:00:02", "169.254.64.0", "0a:00:00:00:00:01"),
		"host1 " + qrouter + " rfp-99999999-0": forward("qr-00000011-00", mac(11), "10.0.1.5", mac(1)),
	}
	with := func(key string, a report.RouteAnswer) map[string]report.RouteAnswer {
		out := map[string]report.RouteAnswer{key: a}
		for k, r := range routes {
			if k != key {
				out[k] = r
			}
		}
		return out
	}
	for _, w := range []wayTest{
		{name: "to another subnet on the host", from: web, to: db, src: "10.0.1.5", dst: "10.0.2.5", switches: east, routes: local, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: route by table main to 10.0.2.5, dev qr-00000012-00, ttl 64→63, neighbour ` + mac(3) + ` PERMANENT
host1 br-int: T94; to ` + vm3 + `
DELIVERED at host1 ` + vm3 + `: to port 00000003 on host1`,
			asked: []string{"host1 br-int " + vm1 + " " + mac(1) + " > " + mac(11) + ", 10.0.1.5 > 10.0.2.5, ttl 64",
				"host1 " + qrouter + " qr-00000011-00 10.0.1.5 > 10.0.2.5",
				"host1 br-int tap00000012-00 " + mac(12) + " > " + mac(3) + ", 10.0.1.5 > 10.0.2.5, ttl 63"}},
		{name: "no route", from: web, to: db, src: "10.0.1.5", dst: "10.0.2.5", switches: east,
			routes: map[string]report.RouteAnswer{"host1 " + qrouter + " qr-00000011-00": {Kind: report.RouteDrop, Message: "there is no route to the destination"}}, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: there is no route to the destination
DROPPED at host1 ` + qrouter + `: ` + qrouter + ` of host1 drops it: there is no route to the destination
try: weft ns host1 qrouter-99999999`},
		{name: "the neighbour is wrong", from: web, to: db, src: "10.0.1.5", dst: "10.0.2.5", switches: map[string][]string{
			"host1 br-int " + vm1: toRouter("21"), "host1 br-int tap00000012-00": toRouter("26")},
			routes: map[string]report.RouteAnswer{"host1 " + qrouter + " qr-00000011-00": forward("qr-00000012-00", mac(12), "10.0.2.5", mac(99))}, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: route by table main to 10.0.2.5, dev qr-00000012-00, ttl 64→63, neighbour ` + mac(99) + ` PERMANENT
  10.0.2.5 is known there as ` + mac(99) + `, and port 00000003 has ` + mac(3) + `
host1 br-int: T94; to veth0
DROPPED at host1 veth0: it ends at veth0 of host1, which is no port's interface
try: weft interfaces host1`},
		{name: "the neighbour is wrong, and the right one hears it", from: web, to: db, src: "10.0.1.5", dst: "10.0.2.5", switches: map[string][]string{
			"host1 br-int " + vm1: toRouter("21"), "host1 br-int tap00000012-00": toRouter("13")},
			routes: map[string]report.RouteAnswer{"host1 " + qrouter + " qr-00000011-00": forward("qr-00000012-00", mac(12), "10.0.2.5", mac(99))}, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: route by table main to 10.0.2.5, dev qr-00000012-00, ttl 64→63, neighbour ` + mac(99) + ` PERMANENT
  10.0.2.5 is known there as ` + mac(99) + `, and port 00000003 has ` + mac(3) + `
host1 br-int: T94; to ` + vm3 + `
DROPPED at host1 ` + vm3 + `: it comes to port 00000003 for the MAC ` + mac(99) + `, which is not the port's
try: weft describe port 00000003`},
		{name: "nobody answers the router", from: web, src: "10.0.1.5", dst: "10.0.2.77", switches: east,
			routes: map[string]report.RouteAnswer{"host1 " + qrouter + " qr-00000011-00": forward("qr-00000012-00", mac(12), "10.0.2.77", "")}, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: route by table main to 10.0.2.77, dev qr-00000012-00, ttl 64→63
DROPPED at host1 ` + qrouter + `: nobody on network red has the address 10.0.2.77: ` + qrouter + ` of host1 asks for its MAC, and gets no answer
try: weft ns host1 qrouter-99999999`},
		{name: "to the router itself", from: web, src: "10.0.1.5", dst: "10.0.1.1", switches: east,
			routes: map[string]report.RouteAnswer{"host1 " + qrouter + " qr-00000011-00": {Kind: report.RouteLocal}}, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: 10.0.1.1 is its own address
DELIVERED at host1 ` + qrouter + `: to 10.0.1.1, an address of ` + qrouter + ` on host1`},
		{name: "the router keeps it", from: web, to: db, src: "10.0.1.5", dst: "10.0.2.5", switches: east,
			routes: map[string]report.RouteAnswer{"host1 " + qrouter + " qr-00000011-00": {Kind: report.RouteLocal}}, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: 10.0.2.5 is its own address
DROPPED at host1 ` + qrouter + `: ` + qrouter + ` of host1 keeps it: 10.0.2.5 is its own address
try: weft ns host1 qrouter-99999999`},
		{name: "metadata", from: web, src: "10.0.1.5", dst: "169.254.169.254", port: 80, switches: east, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: the metadata service answers
DELIVERED at host1 ` + qrouter + `: the metadata service in ` + qrouter + ` of host1 answers`},
		{name: "outside, by floating IP", from: web, src: "10.0.1.5", dst: "198.51.100.1", switches: outside, routes: routes, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: route by table main to 169.254.64.1, dev rfp-99999999-0, ttl 64→63, neighbour 0a:00:00:00:00:02 PERMANENT
  nat: source 10.0.1.5 → 203.0.113.3, by floating IP 203.0.113.3
  the rules of iptables that translate are there
host1 fip-ext: route by table main to 203.0.113.1, dev fg-00000015-00, ttl 63→62, neighbour ce:00:00:00:00:01 PERMANENT
host1 br-int: T94; out by eth2, VLAN 400
LEFT at host1 br-ex: by eth2 of br-ex on host1, from 203.0.113.3 to 198.51.100.1`},
		{name: "outside, rules are missing", from: web, src: "10.0.1.5", dst: "198.51.100.1", switches: outside, routes: routes, lacking: map[string]int{qrouter: 2}, want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: route by table main to 169.254.64.1, dev rfp-99999999-0, ttl 64→63
  nat: source 10.0.1.5 → 203.0.113.3, by floating IP 203.0.113.3
UNKNOWN at host1 ` + qrouter + `: ` + qrouter + ` on host1 should translate its addresses, but lacks 2 rules of iptables
try: weft ns host1 qrouter-99999999 --diff`},
		{name: "outside, by the gateway", from: far, src: "10.0.1.6", dst: "198.51.100.1", port: 80, switches: outside, routes: routes, want: `
host2 br-int: T94; to tap00000011-00
host2 ` + qrouter + `: route by table main to 10.0.1.3, dev qr-00000011-00, ttl 64→63, neighbour ` + mac(13) + ` PERMANENT
host2 br-int: T94; to tap00000013-00
host2 ` + snat + `: route by table main to 203.0.113.1, dev qg-00000014-00, ttl 63→62, neighbour not known yet (NONE)
  nat: source 10.0.1.6 → 203.0.113.2, the gateway address of the router
  the rules of iptables that translate are there
  it asks for the MAC of 203.0.113.1 first, on the physical network of ext; traced with 02:00:00:00:00:01 instead
host2 br-int: T94; out by eth2, VLAN 400
LEFT at host2 br-ex: by eth2 of br-ex on host2, from 203.0.113.2 to 198.51.100.1`},
		{name: "without SNAT", from: far, src: "10.0.1.6", dst: "198.51.100.1", switches: outside, routes: routes, change: func(c *viewtest.Cloud) {
			r := *c.Snapshot().Router(router)
			g := *r.Gateway
			g.EnableSNAT = false
			r.Gateway = &g
			c.Put(&r)
		}, want: `
host2 br-int: T94; to tap00000011-00
host2 ` + qrouter + `: route by table main to 10.0.1.3, dev qr-00000011-00, ttl 64→63, neighbour ` + mac(13) + ` PERMANENT
host2 br-int: T94; to tap00000013-00
host2 ` + snat + `: route by table main to 203.0.113.1, dev qg-00000014-00, ttl 63→62, neighbour not known yet (NONE)
  it asks for the MAC of 203.0.113.1 first, on the physical network of ext; traced with 02:00:00:00:00:01 instead
host2 br-int: T94; out by eth2, VLAN 400
LEFT at host2 br-ex: by eth2 of br-ex on host2, from 10.0.1.6 to 198.51.100.1`},
		{name: "to a floating IP", from: far, src: "10.0.1.6", dst: "203.0.113.3", switches: outside,
			routes: with("host2 "+snat+" sg-00000013-00", forward("qg-00000014-00", mac(14), "203.0.113.3", "")), want: `
host2 br-int: T94; to tap00000011-00
host2 ` + qrouter + `: route by table main to 10.0.1.3, dev qr-00000011-00, ttl 64→63, neighbour ` + mac(13) + ` PERMANENT
host2 br-int: T94; to tap00000013-00
host2 ` + snat + `: route by table main to 203.0.113.3, dev qg-00000014-00, ttl 63→62, neighbour not known yet (NONE)
  nat: source 10.0.1.6 → 203.0.113.2, the gateway address of the router
  the rules of iptables that translate are there
  it asks for the MAC of 203.0.113.3 first; traced with ` + mac(15) + `, that of port 00000015
host2 br-int: T94; out by eth2, VLAN 400
host1 br-ex→br-int: T3 | T94; to tap00000015-00
host1 fip-ext: route by table main to 169.254.64.0, dev fpr-99999999-0, ttl 62→61, neighbour 0a:00:00:00:00:01 PERMANENT
host1 ` + qrouter + `: route by table main to 10.0.1.5, dev qr-00000011-00, ttl 61→60, neighbour ` + mac(1) + ` PERMANENT
  nat: destination 203.0.113.3 → 10.0.1.5, by floating IP 203.0.113.3
  the rules of iptables that translate are there
host1 br-int: T94; to ` + vm1 + `
DELIVERED at host1 ` + vm1 + `: to port 00000001 on host1`},
		{name: "a strange device", from: web, src: "10.0.1.5", dst: "198.51.100.1", switches: outside, routes: with("host1 "+qrouter+" qr-00000011-00", forward("wg0", "", "10.9.0.1", "")), want: `
host1 br-int: T94; to tap00000011-00
host1 ` + qrouter + `: route by table main to 10.9.0.1, dev wg0, ttl 64→63
UNKNOWN at host1 ` + qrouter + `: it leaves ` + qrouter + ` of host1 by wg0, which is no device of ours
try: weft ns host1 qrouter-99999999`},
		{name: "in circles", from: web, src: "10.0.1.5", dst: "198.51.100.1", switches: map[string][]string{"host1 br-int " + vm1: toRouter("21"), "host1 br-int tap00000011-00": toRouter("21")},
			routes: with("host1 "+qrouter+" qr-00000011-00", forward("qr-00000011-00", mac(11), "10.0.1.1", mac(11))), want: circles()},
	} {
		if w.name == "to a floating IP" {
			w.switches["host1 br-ex eth2"] = []string{"25", "br-ex 3 priority 0, cookie 0x7:NORMAL", "br-int 94 priority 0, cookie 0x7:NORMAL"}
			delete(w.switches, "host1 br-ex eth2 "+mac(15))
		}
		w.run(t)
	}
}

func circles() string {
	out := ""
	for i := range maxLegs / 2 {
		ttl := timeToLive - i
		out += "host1 br-int: T94; to tap00000011-00\nhost1 " + qrouter + ": route by table main to 10.0.1.1, dev qr-00000011-00, ttl " +
			itoa(ttl) + "→" + itoa(ttl-1) + ", neighbour " + mac(11) + " PERMANENT\n"
	}
	return out + "UNKNOWN at host1 " + qrouter + ": it has gone 16 legs, and is not there yet: it seems to go in circles"
}

func itoa(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }

// A centralised router translates in its one namespace, whichever side a packet comes from.
func TestWaysThroughACentralisedRouter(t *testing.T) {
	central := func(more ...func(*viewtest.Cloud)) func(*viewtest.Cloud) {
		return func(c *viewtest.Cloud) {
			s := c.Snapshot()
			r := *s.Router(router)
			r.Distributed = false
			c.Put(&r)
			for _, n := range []int{gwBlue, gwRed} {
				p := *s.Port(id(n))
				p.DeviceOwner = model.OwnerRouterInterface
				c.Put(&p, &model.Binding{PortID: p.ID, NetworkID: p.NetworkID, Host: "host2", Interface: "tap" + p.ID[:11], OFPort: uint32(n)})
			}
			c.Change(func(tx viewtest.Tx) { tx.Delete("ports", id(snatBlue)); tx.Delete("bindings", id(snatBlue)) })
			for _, f := range more {
				f(c)
			}
		}
	}
	forwarding := func(c *viewtest.Cloud) {
		c.Put(&model.FloatingIP{Meta: model.Meta{ID: "pf-ip"}, FloatingNetworkID: ext, Address: addr("203.0.113.9"), RouterID: router},
			&model.PortForwarding{Meta: model.Meta{ID: "pf"}, FloatingIPID: "pf-ip", Protocol: "tcp", External: model.PortRange{First: 8080, Last: 8089},
				InternalPortID: id(db), InternalIP: addr("10.0.2.5"), Internal: model.PortRange{First: 80, Last: 89}})
	}
	switches := map[string][]string{
		"host2 br-int " + vm2 + " " + mac(11):   toRouter("21"),
		"host2 br-int tap00000011-00":           {tunnelTo(1, 100), "br-int 94 priority 0, cookie 0x7:NORMAL"},
		"host2 br-int tap00000012-00":           {tunnelTo(1, 200), "br-int 94 priority 0, cookie 0x7:NORMAL"},
		"host2 br-int tap00000014-00":           toRouter("push_vlan(vid=400,pcp=0),2"),
		"host1 br-tun vxlan-0a000002 " + mac(1): toRouter("11"),
		"host1 br-tun vxlan-0a000002 " + mac(3): toRouter("13"),
	}
	for _, w := range []wayTest{
		{name: "floating IP of the same router", from: far, src: "10.0.1.6", dst: "203.0.113.3", port: 80, change: central(), switches: switches,
			routes: map[string]report.RouteAnswer{"host2 " + qrouter + " qr-00000011-00": forward("qr-00000011-00", mac(11), "10.0.1.5", mac(1))},
			asked: []string{"host2 br-int " + vm2 + " " + mac(2) + " > " + mac(11) + ", 10.0.1.6 > 203.0.113.3, ttl 64",
				"host2 " + qrouter + " qr-00000011-00 10.0.1.6 > 10.0.1.5",
				"host2 br-int tap00000011-00 " + mac(11) + " > " + mac(1) + ", 203.0.113.2 > 10.0.1.5, ttl 63",
				"host1 br-tun vxlan-0a000002 " + mac(11) + " > " + mac(1) + ", 203.0.113.2 > 10.0.1.5, ttl 63, key 100 from 10.0.0.2 to 10.0.0.1"}, want: `
host2 br-int: T94; to tap00000011-00
host2 ` + qrouter + `: route by table main to 10.0.1.5, dev qr-00000011-00, ttl 64→63, neighbour ` + mac(1) + ` PERMANENT
  nat: destination 203.0.113.3 → 10.0.1.5, by floating IP 203.0.113.3
  nat: source 10.0.1.6 → 203.0.113.2, the gateway address of the router
  the rules of iptables that translate are there
host2 br-int: T94; vxlan 100 to host1
host1 br-int: T94; to ` + vm1 + `
DELIVERED at host1 ` + vm1 + `: to port 00000001 on host1`},
		{name: "port forwarding", from: far, src: "10.0.1.6", dst: "203.0.113.9", port: 8083, change: central(forwarding), switches: switches,
			routes: map[string]report.RouteAnswer{"host2 " + qrouter + " qr-00000011-00": forward("qr-00000012-00", mac(12), "10.0.2.5", mac(3))}, want: `
host2 br-int: T94; to tap00000011-00
host2 ` + qrouter + `: route by table main to 10.0.2.5, dev qr-00000012-00, ttl 64→63, neighbour ` + mac(3) + ` PERMANENT
  nat: destination 203.0.113.9 → 10.0.2.5, port 83, by a port forwarding of floating IP 203.0.113.9
  nat: source 10.0.1.6 → 203.0.113.2, the gateway address of the router
  the rules of iptables that translate are there
host2 br-int: T94; vxlan 200 to host1
host1 br-int: T94; to ` + vm3 + `
DELIVERED at host1 ` + vm3 + `: to port 00000003 on host1`},
		{name: "outside", from: far, src: "10.0.1.6", dst: "198.51.100.1", change: central(), switches: switches,
			routes: map[string]report.RouteAnswer{"host2 " + qrouter + " qr-00000011-00": forward("qg-00000014-00", mac(14), "203.0.113.1", "ce:00:00:00:00:01")}, want: `
host2 br-int: T94; to tap00000011-00
host2 ` + qrouter + `: route by table main to 203.0.113.1, dev qg-00000014-00, ttl 64→63, neighbour ce:00:00:00:00:01 PERMANENT
  nat: source 10.0.1.6 → 203.0.113.2, the gateway address of the router
  the rules of iptables that translate are there
host2 br-int: T94; out by eth2, VLAN 400
LEFT at host2 br-ex: by eth2 of br-ex on host2, from 203.0.113.2 to 198.51.100.1`},
	} {
		w.run(t)
	}
}

func TestWaysThatRulesJudge(t *testing.T) {
	secure := func(bridges ...int) func(*viewtest.Cloud) {
		return func(c *viewtest.Cloud) {
			c.Group("servers", 1, "egress ipv4 tcp 80-90", "ingress ipv4 tcp 80 from 10.0.1.0/24")
			c.Group("others", 2)
			c.Secure(id(web), "servers")
			c.Secure(id(far), "others", "servers")
			for _, n := range bridges {
				b := *c.Snapshot().Binding(id(n))
				b.Firewalled = true
				c.Put(&b)
			}
		}
	}
	refusedAt := func(table string) map[string][]string {
		return map[string][]string{"host1 br-int " + vm1: {"drop", "br-int 0 in_port=5, priority 1, cookie 0x7:goto_table:71",
			"br-int " + table + " priority 0, cookie 0x1:goto_table:93", "br-int 93 priority 0, cookie 0x1:drop"}}
	}
	remote := func(table string) map[string][]string {
		return map[string][]string{
			"host1 br-int " + vm1: {tunnelTo(2, 100), "br-tun 20 dl_vlan=1, priority 2, cookie 0x7:output:3"},
			"host2 br-tun vxlan-0a000001": {"drop", "br-tun 4 tun_id=0x64, priority 1, cookie 0x7:output:1",
				"br-int " + table + " priority 0, cookie 0x1:goto_table:93", "br-int 93 reg4=0x1/0x1, priority 1, cookie 0x1:drop"}}
	}
	through := map[string][]string{"host1 br-int " + vm1: {tunnelTo(2, 100), "br-tun 20 dl_vlan=1, priority 2, cookie 0x7:output:3"},
		"host2 br-tun vxlan-0a000001": {"12", "br-int 94 priority 0, cookie 0x7:NORMAL"}}
	const leg1 = "host1 br-tun: T20; vxlan 100 to host2\n"
	for _, w := range []wayTest{
		{name: "may not be sent", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", port: 22, change: secure(), switches: refusedAt("72"), want: `
host1 br-int: T0→T72→T93
DROPPED at host1 br-int table 72 T72: in br-int table 72 T72 on host1: no rule of group servers lets port 00000001 send tcp to port 22 to 10.0.1.6
try: weft rules 00000001`},
		{name: "may be sent, and the row says no", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", port: 80, change: secure(), switches: refusedAt("72"), want: `
host1 br-int: T0→T72→T93
DROPPED at host1 br-int table 72 T72: in br-int table 72 T72 on host1: "egress IPv4 tcp 80:90 to anybody" of servers allows it, and the row says otherwise: cookie=0x1, table=72, priority=0 actions=goto_table:93
try: weft drift host1`},
		{name: "may not be heard", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", port: 81, change: secure(), switches: remote("82"), want: leg1 + `host2 br-tun→br-int: T4 | T82→T93
DROPPED at host2 br-int table 82 T82: in br-int table 82 T82 on host2: no rule of groups others, servers lets port 00000002 hear tcp to port 81 from 10.0.1.5
try: weft rules 00000002`},
		{name: "firewall bridges let through", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", port: 80, change: secure(web, far), switches: through, want: `
host1 qbr00000001-00: "egress IPv4 tcp 80:90 to anybody" of servers allows it
  iptables judges here: not traced, but what the rules of its groups say
` + leg1 + `host2 br-int: T94; to ` + vm2 + `
host2 qbr00000002-00: "ingress IPv4 tcp 80 from 10.0.1.0/24" of servers allows it
  iptables judges here: not traced, but what the rules of its groups say
DELIVERED at host2 ` + vm2 + `: to port 00000002 on host2`},
		{name: "a firewall bridge refuses what is sent", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", change: secure(web), want: `
host1 qbr00000001-00: no rule of group servers lets port 00000001 send icmp echo request to 10.0.1.6
  iptables judges here: not traced, but what the rules of its groups say
DROPPED at host1 qbr00000001-00: by the firewall bridge qbr00000001-00 of host1: no rule of group servers lets port 00000001 send icmp echo request to 10.0.1.6
try: weft rules 00000001`},
		{name: "a firewall bridge refuses what is heard", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", port: 81, change: secure(web, far), switches: through, want: `
host1 qbr00000001-00: "egress IPv4 tcp 80:90 to anybody" of servers allows it
  iptables judges here: not traced, but what the rules of its groups say
` + leg1 + `host2 br-int: T94; to ` + vm2 + `
host2 qbr00000002-00: no rule of groups others, servers lets port 00000002 hear tcp to port 81 from 10.0.1.5
  iptables judges here: not traced, but what the rules of its groups say
DROPPED at host2 qbr00000002-00: by the firewall bridge qbr00000002-00 of host2: no rule of groups others, servers lets port 00000002 hear tcp to port 81 from 10.0.1.5
try: weft rules 00000002`},
		{name: "no groups at all", from: web, to: far, src: "10.0.1.5", dst: "10.0.1.6", change: func(c *viewtest.Cloud) { c.Secure(id(web)) }, switches: refusedAt("72"), want: `
host1 br-int: T0→T72→T93
DROPPED at host1 br-int table 72 T72: in br-int table 72 T72 on host1: port 00000001 has no security group, so that nothing is allowed
try: weft rules 00000001`},
	} {
		w.run(t)
	}
}
