package ofapps

import (
	"fmt"
	"strings"
	"testing"
)

const (
	toTCP   = ",nw_proto=6,tcp_src=40000,tcp_dst="
	from22  = ",nw_proto=6,tcp_src=22,tcp_dst="
	toUDP   = ",nw_proto=17,udp_src=40000,udp_dst="
	asked22 = "ct_state=trk|est|rpl,ct_nw_proto=6,ct_tp_dst=22"
	virt    = "00:00:5e:00:01:0a"
	group   = "dl_dst=01:00:5e:00:00:12"
	vrrpTo  = group + ",dl_type=0x0800,nw_dst=224.0.0.18,nw_proto=112,nw_src="
)

func TestWhatJudgedPortsHear(t *testing.T) {
	tun := func(src byte, more string) string { return from("vxlan-0a000002", m(src), "tun_id=0x64", more) }
	one, six := []string{tap(1)}, []string{tap(6)}
	nothing := []string(nil)
	judgedTraces(t, securedTenants, []judgedPacket{
		{"by port, from another host", "br-tun", tun(5, ipv4(1, "198.51.100.1", "10.1.0.1", toTCP+"22")), []string{isNew}, one},
		{"to another port", "br-tun", tun(5, ipv4(1, "198.51.100.1", "10.1.0.1", toTCP+"23")), []string{isNew}, nothing},
		{"by prefix and range", "br-tun", tun(5, ipv4(1, "10.200.0.1", "10.1.0.1", toTCP+"85")), []string{isNew}, one},
		{"outside the prefix", "br-tun", tun(5, ipv4(1, "192.0.2.1", "10.1.0.1", toTCP+"85")), []string{isNew}, nothing},
		{"outside the range", "br-tun", tun(5, ipv4(1, "10.200.0.1", "10.1.0.1", toTCP+"91")), []string{isNew}, nothing},
		{"by group", "br-tun", tun(2, ipv4(1, "10.1.0.2", "10.1.0.1", toUDP+"9")), []string{isNew}, one},
		{"by group, in a pair's block", "br-tun", tun(2, ipv4(1, "10.9.3.4", "10.1.0.1", toUDP+"9")), []string{isNew}, one},
		{"from no member", "br-tun", tun(2, ipv4(1, "10.1.0.7", "10.1.0.1", toUDP+"9")), []string{isNew}, nothing},
		{"by address group", "br-tun", tun(2, ipv4(7, "192.0.2.9", "10.1.0.7", toTCP+"5001")), []string{isNew}, []string{tap(7)}},
		{"by group, the same group's rule for another set", "br-tun", tun(2, ipv4(7, "10.1.0.2", "10.1.0.7", toUDP+"9")), []string{isNew}, nothing},
		{"echo request", "br-tun", tun(5, ipv4(1, "198.51.100.1", "10.1.0.1", ",nw_proto=1,icmp_type=8,icmp_code=0")), []string{isNew}, one},
		{"answer", "br-tun", tun(5, ipv4(1, "198.51.100.1", "10.1.0.1", toTCP+"9999")), []string{isAnswer}, one},
		{"error about a connection", "br-tun", tun(5, ipv4(1, "198.51.100.1", "10.1.0.1", ",nw_proto=1,icmp_type=3,icmp_code=4")), []string{"trk,rel"}, one},
		{"what belongs to nothing", "br-tun", tun(5, ipv4(1, "198.51.100.1", "10.1.0.1", toTCP+"22")), []string{isInvalid}, nothing},
		{"a connection that a rule allows goes on", "br-tun", tun(5, ipv4(1, "198.51.100.1", "10.1.0.1", toTCP+"22")), []string{isBegun}, one},
		{"a connection that none allows any more", "br-tun", tun(5, ipv4(1, "198.51.100.1", "10.1.0.1", toTCP+"23")), []string{isBegun}, nothing},
		{"by another network's group set", "br-tun", from("vxlan-0a000002", m(5), "tun_id=0xc8", ipv4(4, "198.51.100.1", "10.1.0.1", toTCP+"22")), []string{isNew}, []string{tap(4)}},

		{"between two ports of the host: both allow", "br-int", from(tap(1), m(1), ipv4(6, "10.1.0.1", "10.1.0.6", toTCP+"22")), []string{isNew}, six},
		{"the receiver does not", "br-int", from(tap(1), m(1), ipv4(6, "10.1.0.1", "10.1.0.6", toTCP+"23")), []string{isNew}, nothing},
		{"the sender does not", "br-int", from(tap(7), m(7), ipv4(1, "10.1.0.7", "10.1.0.1", toTCP+"22")), []string{isNew}, nothing},
		{"egress to a prefix", "br-int", from(tap(7), m(7), ipv4(2, "10.1.0.7", "192.0.2.53", toUDP+"53")), []string{isNew}, []string{toHost2}},
		{"egress past it", "br-int", from(tap(7), m(7), ipv4(2, "10.1.0.7", "192.0.2.54", toUDP+"53")), []string{isNew}, nothing},
		{"to a port that nobody judges", "br-int", from(tap(1), m(1), ipv4(10, "10.1.0.1", "10.1.0.10", toTCP+"23")), []string{isNew}, []string{tap(10)}},
		{"from a port that nobody judges", "br-int", from(tap(10), mac(10), ipv4(1, "10.1.0.10", "10.1.0.1", toTCP+"22")), []string{isNew}, one},
		{"the same, refused", "br-int", from(tap(10), mac(10), ipv4(1, "10.1.0.10", "10.1.0.1", toTCP+"23")), []string{isNew}, nothing},
		{"from a port without groups", "br-int", from(tap(9), m(9), ipv4(2, "10.1.0.9", "10.1.0.2", toTCP+"22")), []string{isNew}, nothing},
		{"to a port without groups", "br-tun", tun(2, ipv4(9, "10.1.0.2", "10.1.0.9", toTCP+"22")), []string{isNew}, nothing},
		{"ARP to a port without groups", "br-tun", tun(2, "dl_dst="+m(9)+",dl_type=0x0806,arp_op=2"), nil, []string{tap(9)}},

		{"a question for a remote address is answered here", "br-int", from(tap(1), m(1), arp("10.1.0.1", "10.1.0.2"), "arp_sha="+m(1)), nil,
			[]string{tap(1) + " from " + m(2), tap(6), tap(7), tap(8), tap(9), tap(10)}},
		{"the same by neighbour discovery", "br-int", from(tap(1), m(1), ns("fd00::1", "02", "fd00::2", ",nd_options_type=1,nd_sll="+m(1))), []string{isInvalid},
			[]string{tap(1) + " from " + m(2), tap(6), tap(7), tap(8), tap(9), tap(10)}},

		{"without connections: by rule", "br-tun", tun(2, ipv4(8, "10.1.0.2", "10.1.0.8", toTCP+"8")), nil, []string{tap(8)}},
		{"without connections: an answer is a packet like any other", "br-int", from(tap(1), m(1), ipv4(8, "10.1.0.1", "10.1.0.8", from22+"40000"), asked22), []string{isAnswer}, nothing},
		{"without connections: an answer that a rule allows", "br-int", from(tap(1), m(1), ipv4(8, "10.1.0.1", "10.1.0.8", from22+"9"), asked22), []string{isAnswer}, []string{tap(8)}},
		{"without connections: an error by rule", "br-tun", tun(2, ipv4(8, "10.1.0.2", "10.1.0.8", ",nw_proto=1,icmp_type=3,icmp_code=4")), nil, []string{tap(8)}},
		{"without connections, to who has them", "br-int", from(tap(8), m(8), ipv4(1, "10.1.0.8", "10.1.0.1", toTCP+"22")), []string{isNew}, one},
		{"without connections: UDP is not allowed", "br-int", from(tap(8), m(8), ipv4(2, "10.1.0.8", "10.1.0.2", toUDP+"9")), nil, nothing},

		{"DHCP answer to one", "br-tun", tun(5, ipv4(9, "10.1.0.3", "10.1.0.9", ",nw_proto=17,udp_src=67,udp_dst=68")), nil, []string{tap(9)}},
		{"DHCP answer to all", "br-tun", tun(5, bcast+",dl_type=0x0800,nw_src=10.1.0.3,nw_dst=255.255.255.255,nw_proto=17,udp_src=67,udp_dst=68"), nil,
			[]string{tap(1), tap(6), tap(7), tap(8), tap(9), tap(10)}},
		{"router advertisement", "br-tun", tun(5, "dl_dst=33:33:00:00:00:01,dl_type=0x86dd,ipv6_src=fe80::1,ipv6_dst=ff02::1,nw_proto=58,icmpv6_type=134,icmpv6_code=0"), nil,
			[]string{tap(1), tap(6), tap(7), tap(8), tap(9), tap(10)}},
		{"neither ARP nor IP, to one", "br-tun", tun(5, "dl_dst="+m(1)+",dl_type=0x88b5"), nil, nothing},
		{"neither ARP nor IP, to one that nobody judges", "br-tun", tun(5, "dl_dst="+mac(10)+",dl_type=0x88b5"), nil, []string{tap(10)}},
	})
}

// Frames for a group, or for all, are judged for each set of groups; who is not judged gets them in any case.
func TestWhatJudgedPortsHearOfGroups(t *testing.T) {
	cloud := securedTenants
	tun := func(more string) string { return from("vxlan-0a000002", m(5), "tun_id=0x64", more) }
	ten := []string{tap(10)}
	judgedTraces(t, cloud, []judgedPacket{
		{"by a rule of web", "br-tun", tun(vrrpTo + "198.51.100.1"), []string{isNew, isNew}, ten},
		{"TCP port of web", "br-tun", tun(group + ",dl_type=0x0800,nw_src=198.51.100.1,nw_dst=224.0.0.18" + toTCP + "22"), []string{isNew, isNew},
			[]string{tap(1), tap(6), tap(10)}},
		{"TCP port of db, from a member of web", "br-tun", tun(group + ",dl_type=0x0800,nw_src=10.1.0.2,nw_dst=224.0.0.18" + toTCP + "5432"), []string{isNew, isNew},
			[]string{tap(7), tap(10)}},
		{"TCP port of the stateless one", "br-tun", tun(group + ",dl_type=0x0800,nw_src=198.51.100.1,nw_dst=224.0.0.18" + toTCP + "7"), []string{isNew, isNew},
			[]string{tap(8), tap(10)}},
		{"to one station's address, but to all MACs", "br-tun", tun(bcast + ",dl_type=0x0800,nw_src=198.51.100.1,nw_dst=10.1.0.1" + toTCP + "23"), []string{isNew, isNew}, ten},
		{"from a judged port of the host", "br-int", from(tap(1), m(1), group+",dl_type=0x0800,nw_src=10.1.0.1,nw_dst=224.0.0.18"+toUDP+"5353"), []string{isNew, isNew},
			[]string{tap(6), tap(10), toHost2}},
		{"from a judged port that may not", "br-int", from(tap(7), m(7), group+",dl_type=0x0800,nw_src=10.1.0.7,nw_dst=224.0.0.18"+toUDP+"5353"), []string{isNew, isNew}, nil},
		{"from a port that nobody judges", "br-int", from(tap(10), mac(10), group+",dl_type=0x0800,nw_src=10.1.0.6,nw_dst=224.0.0.18"+toUDP+"5353"), []string{isNew, isNew},
			[]string{tap(1), tap(6), toHost2}},
		{"with a tag for priority only", "br-int", from(tap(10), mac(10), "vlan_tci=0x7000", group+",dl_type=0x0800,nw_src=10.1.0.6,nw_dst=224.0.0.18"+toUDP+"5353"), []string{isNew, isNew},
			[]string{tap(1), tap(6), toHost2}},
		{"neither ARP nor IP", "br-tun", tun(bcast + ",dl_type=0x88b5"), nil, ten},
		{"what no bridge forwards", "br-tun", tun("dl_dst=01:80:c2:00:00:00,dl_type=0x88b5"), nil, nil},

		{"to a MAC that moves: judged here, and sent on", "br-int", from(tap(1), m(1), "dl_dst="+virt+",dl_type=0x0800,nw_src=10.1.0.1,nw_dst=10.1.0.100"+toTCP+"22"), []string{isNew},
			[]string{tap(6), tap(10), toHost2}},
		{"refused here, and sent on all the same", "br-int", from(tap(1), m(1), "dl_dst="+virt+",dl_type=0x0800,nw_src=10.1.0.1,nw_dst=10.1.0.100"+toTCP+"23"), []string{isNew},
			[]string{tap(10), toHost2}},
		{"to a MAC that moves, from another host", "br-tun", tun("dl_dst=" + virt + ",dl_type=0x0800,nw_src=198.51.100.1,nw_dst=10.1.0.100" + toTCP + "22"), []string{isNew},
			[]string{tap(6), tap(10)}},
	})
}

func TestJudgedOnProviderNetwork(t *testing.T) {
	judgedTraces(t, securedProvider, []judgedPacket{
		{"in", "br-ex", from("eth0", m(3), "dl_vlan=42", ipv4(1, "10.1.0.2", "10.1.0.1", toTCP+"22")), []string{isNew}, []string{tap(1)}},
		{"in, refused", "br-ex", from("eth0", m(3), "dl_vlan=42", ipv4(1, "10.1.0.2", "10.1.0.1", toTCP+"23")), []string{isNew}, nil},
		{"out", "br-int", from(tap(1), m(1), ipv4(3, "10.1.0.1", "10.1.0.2", toTCP+"23")), []string{isNew}, []string{"eth0 vlan 42"}},
		{"out, spoofed", "br-int", from(tap(1), m(1), ipv4(3, "10.1.0.3", "10.1.0.2", toTCP+"23")), []string{isNew}, nil},
		{"multicast in", "br-ex", from("eth0", m(3), "dl_vlan=42", group+",dl_type=0x0800,nw_src=10.1.0.2,nw_dst=224.0.0.18"+toTCP+"22"), []string{isNew}, []string{tap(1)}},
		{"multicast in, refused", "br-ex", from("eth0", m(3), "dl_vlan=42", group+",dl_type=0x0800,nw_src=10.1.0.2,nw_dst=224.0.0.18"+toTCP+"23"), []string{isNew}, nil},
		{"multicast out", "br-int", from(tap(1), m(1), group+",dl_type=0x0800,nw_src=10.1.0.1,nw_dst=224.0.0.18"+toTCP+"23"), []string{isNew}, []string{"eth0 vlan 42"}},
		{"the other network of the host is not judged", "br-ex", from("eth0", m(9), ip(2)), nil, []string{tap(2)}},
	})
}

// What routers have routed is judged as anything else, wherever it was routed.
func TestJudgedAfterRouting(t *testing.T) {
	tun := func(dm string, key string, more string) string {
		return from("vxlan-0a000002", dm, "tun_id="+key, more)
	}
	to1 := func(port string) string {
		return "dl_dst=" + m(1) + ",dl_type=0x0800,nw_src=10.2.0.5,nw_dst=10.1.0.5" + toTCP + port
	}
	judgedTraces(t, securedRouted, []judgedPacket{
		{"routed on another host", "br-tun", tun(dm2, "0x64", to1("22")), []string{isNew}, []string{tap(1) + " from " + mac(mGwRed)}},
		{"routed on another host, refused", "br-tun", tun(dm2, "0x64", to1("23")), []string{isNew}, nil},
		{"routed here", "br-int", from(qr(gwRed), mac(mGwRed), to1("22")), []string{isNew}, []string{tap(1)}},
		{"routed here, refused", "br-int", from(qr(gwRed), mac(mGwRed), to1("23")), []string{isNew}, nil},
		{"to the router", "br-int", from(tap(1), m(1), "dl_dst="+mac(mGwRed)+",dl_type=0x0800,nw_src=10.1.0.5,nw_dst=10.2.0.5"+toTCP+"22"), []string{isNew}, []string{qr(gwRed)}},
		{"to the router, spoofed", "br-int", from(tap(1), m(1), "dl_dst="+mac(mGwRed)+",dl_type=0x0800,nw_src=10.1.0.7,nw_dst=10.2.0.5"+toTCP+"22"), nil, nil},
		{"answer for an address that moves, to all copies of the router", "br-int",
			from(tap(1), m(1), arpReply(mac(mGwRed), mac(mGwRed), "10.1.0.100")+",arp_sha="+m(1)), nil,
			[]string{qr(gwRed), toHost2, "vxlan-0a000003 key 0x64"}},
		{"the same, spoofed", "br-int", from(tap(1), m(1), arpReply(mac(mGwRed), mac(mGwRed), "10.1.0.1")+",arp_sha="+m(1)), nil, nil},
		{"advertisement of an address that moves, to all copies of the router", "br-int",
			from(tap(1), m(1), na(mac(mGwRed), "fd00:1::100")+",ipv6_src=fd00:1::100"), []string{isInvalid}, []string{qr(gwRed), toHost2, "vxlan-0a000003 key 0x64"}},
		{"the same, spoofed", "br-int", from(tap(1), m(1), na(mac(mGwRed), "fd00:1::1")+",ipv6_src=fd00:1::100"), []string{isInvalid}, nil},
	})
	judgedTraces(t, securedRoutedProvider, []judgedPacket{
		{"routed on another host, by a VLAN", "br-ex", from("eth0", dm2, "dl_vlan=42", "dl_dst="+m(1)+",dl_type=0x0800,nw_src=10.5.0.5,nw_dst=10.4.0.5"+toTCP+"22"), []string{isNew},
			[]string{tap(1) + " from " + mac(mGwVLAN)}},
		{"routed on another host, by a VLAN, refused", "br-ex", from("eth0", dm2, "dl_vlan=42", "dl_dst="+m(1)+",dl_type=0x0800,nw_src=10.5.0.5,nw_dst=10.4.0.5"+toTCP+"23"), []string{isNew}, nil},
		{"routed on another host, by a flat network", "br-ex", from("eth0", dm2, "dl_dst="+m(2)+",dl_type=0x0800,nw_src=10.4.0.5,nw_dst=10.5.0.5"+toTCP+"22"), []string{isNew},
			[]string{tap(2) + " from " + mac(mGwFlat)}},
		{"routed on another host, by a flat network, refused", "br-ex", from("eth0", dm2, "dl_dst="+m(2)+",dl_type=0x0800,nw_src=10.4.0.5,nw_dst=10.5.0.5"+toTCP+"23"), []string{isNew}, nil},
	})
}

// Where a Linux bridge judges, br-int does not.
func TestNothingIsJudgedOnHybridHost(t *testing.T) {
	for _, f := range RenderAll(hybrid(t).Snapshot(), "host1")["br-int"] {
		for _, o := range f.Match {
			if f.Table > 60 && fmt.Sprint(o.Field) == "in_port" {
				t.Errorf("%v", f)
			}
		}
	}
	judgedTraces(t, hybrid, []judgedPacket{
		{"to a port without groups", "br-int", from(tap(1), m(5), ipv4(9, "10.1.0.77", "10.1.0.9", toTCP+"23")), nil, []string{tap(9)}},
	})
}

// While a bridge judges that is to go, br-int refuses nothing that it would not refuse anybody, and learns of connections.
func TestBrIntLearnsWhileABridgeJudges(t *testing.T) {
	tun := func(more string) string { return from("vxlan-0a000002", m(5), "tun_id=0x64", more) }
	judgedTraces(t, released, []judgedPacket{
		{"to a port whose groups do not allow it", "br-tun", tun(ipv4(1, "10.1.0.77", "10.1.0.1", toTCP+"23")), []string{isNew}, []string{tap(1)}},
		{"an answer to something that it has not seen", "br-tun", tun(ipv4(1, "10.1.0.77", "10.1.0.1", toTCP+"23")), []string{isInvalid}, []string{tap(1)}},
		{"to a port without groups", "br-tun", tun(ipv4(9, "10.1.0.77", "10.1.0.9", toTCP+"23")), []string{isNew}, []string{tap(9)}},
		{"to a port with stateless groups", "br-tun", tun(ipv4(8, "10.1.0.77", "10.1.0.8", toTCP+"23")), nil, []string{tap(8)}},
		{"from a port whose groups do not allow it", "br-int", from(tap(9), m(9), ipv4(1, "10.1.0.9", "10.1.0.1", toUDP+"9")), []string{isInvalid, isInvalid}, []string{tap(1)}},
		{"spoofed", "br-int", from(tap(9), m(9), ipv4(1, "10.1.0.77", "10.1.0.1", toUDP+"9")), nil, nil},
	})
	for _, want := range []string{"set_field:0x7fffffff->reg7", "set_field:0xffffffff->reg7"} { // with connections, and without
		found := false
		for _, f := range RenderAll(released(t).Snapshot(), "host1")["br-int"] {
			found = found || f.Table == 0 && strings.Contains(fmt.Sprint(f.Actions), want)
		}
		if !found {
			t.Errorf("no port has %s", want)
		}
	}
}
