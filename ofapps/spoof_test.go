package ofapps

import (
	"strings"
	"testing"
)

const isNew, isAnswer, isBegun, isInvalid = "trk,new", "trk,est,rpl", "trk,est", "trk,inv"

// ipv4 and ipv6 are packets of a protocol between two addresses, to a MAC.
func ipv4(dst byte, src, to, more string) string {
	return "dl_dst=" + mac(dst) + ",dl_type=0x0800,nw_src=" + src + ",nw_dst=" + to + more
}

func ipv6(dst byte, src, to, more string) string {
	return "dl_dst=" + mac(dst) + ",dl_type=0x86dd,ipv6_src=" + src + ",ipv6_dst=" + to + more
}

const toHost2 = "vxlan-0a000002 key 0x64"

// What a hostile machine sends does not get out, whatever its rules: here they allow everything.
func TestNothingSpoofedGetsOut(t *testing.T) {
	const tcp = ",nw_proto=6,tcp_src=40000,tcp_dst=80"
	const dhcp = ",nw_proto=17,udp_src=68,udp_dst=67"
	ll := "fe80::f816:3eff:fe00:1"
	vm := func(more ...string) string { return from(tap(1), m(1), more...) }
	as := func(mac string, more ...string) string { return from(tap(1), mac, more...) }
	icmp6 := func(src, to, typ, more string) string {
		return ipv6(2, src, to, ",nw_proto=58,nw_ttl=255,icmpv6_type="+typ+",icmpv6_code=0"+more)
	}
	sha := func(mac, arp string) string { return arp + ",arp_sha=" + mac }

	out, nowhere := []string{toHost2}, []string(nil)
	flood := []string{tap(6), tap(7), tap(8), tap(9), tap(10), toHost2}
	judgedTraces(t, securedTenants, []judgedPacket{
		{"own MAC and address", "br-int", vm(ipv4(2, "10.1.0.1", "10.1.0.2", tcp)), []string{isNew}, out},
		{"own MAC and IPv6 address", "br-int", vm(ipv6(2, "fd00::1", "fd00::2", tcp)), []string{isNew}, out},
		{"own MAC and link-local address", "br-int", vm(ipv6(2, ll, "fd00::2", tcp)), []string{isNew}, out},
		{"another MAC", "br-int", as(m(5), ipv4(2, "10.1.0.1", "10.1.0.2", tcp)), nil, nowhere},
		{"the MAC of the receiver", "br-int", as(m(2), ipv4(2, "10.1.0.1", "10.1.0.2", tcp)), nil, nowhere},
		{"another address", "br-int", vm(ipv4(2, "10.1.0.9", "10.1.0.2", tcp)), nil, nowhere},
		{"the address of a member of the group", "br-int", vm(ipv4(2, "10.1.0.6", "10.1.0.2", tcp)), nil, nowhere},
		{"no address", "br-int", vm(ipv4(2, "0.0.0.0", "10.1.0.2", tcp)), nil, nowhere},
		{"another IPv6 address", "br-int", vm(ipv6(2, "fd00::9", "fd00::2", tcp)), nil, nowhere},
		{"another link-local address", "br-int", vm(ipv6(2, "fe80::1", "fd00::2", tcp)), nil, nowhere},
		{"no IPv6 address", "br-int", vm(ipv6(2, "::", "fd00::2", tcp)), nil, nowhere},

		{"ARP for the own address", "br-int", vm(sha(m(1), arp("10.1.0.1", "10.1.0.99"))), nil, flood},
		{"ARP for the gateway", "br-int", vm(sha(m(1), arp("10.1.0.254", "10.1.0.99"))), nil, nowhere},
		{"announcement of the gateway", "br-int", vm(sha(m(1), strings.Replace(arp("10.1.0.254", "10.1.0.254"), "arp_op=1", "arp_op=2", 1))), nil, nowhere},
		{"ARP of another MAC inside", "br-int", vm(sha(m(5), arp("10.1.0.1", "10.1.0.99"))), nil, nowhere},
		{"ARP from another MAC", "br-int", as(m(5), sha(m(1), arp("10.1.0.1", "10.1.0.99"))), nil, nowhere},
		{"neither ARP nor IP", "br-int", vm(bcast, "dl_type=0x88b5"), nil, nowhere},
		{"reverse ARP", "br-int", vm(bcast, "dl_type=0x8035,arp_op=3"), nil, nowhere},

		{"DHCP request", "br-int", vm(bcast, "dl_type=0x0800,nw_src=0.0.0.0,nw_dst=255.255.255.255"+dhcp), nil, []string{tap(10), toHost2}},
		{"DHCP request from another MAC", "br-int", as(m(5), bcast, "dl_type=0x0800,nw_src=0.0.0.0,nw_dst=255.255.255.255"+dhcp), nil, nowhere},
		{"DHCP request without an address to one station", "br-int", vm(ipv4(2, "0.0.0.0", "10.1.0.2", dhcp)), nil, nowhere},
		{"DHCP offer", "br-int", vm(bcast, "dl_type=0x0800,nw_src=10.1.0.1,nw_dst=255.255.255.255,nw_proto=17,udp_src=67,udp_dst=68"), nil, nowhere},
		{"DHCP offer to one station", "br-int", vm(ipv4(2, "10.1.0.1", "10.1.0.2", ",nw_proto=17,udp_src=67,udp_dst=68")), nil, nowhere},
		{"DHCP offer from another port", "br-int", vm(ipv4(2, "10.1.0.1", "10.1.0.2", ",nw_proto=17,udp_src=1067,udp_dst=68")), nil, nowhere},
		{"DHCPv6 request", "br-int", vm(ipv6(2, ll, "fd00::2", ",nw_proto=17,udp_src=546,udp_dst=547")), []string{isNew}, out},
		{"DHCPv6 advertisement", "br-int", vm(ipv6(2, ll, "fd00::2", ",nw_proto=17,udp_src=547,udp_dst=546")), nil, nowhere},

		{"router solicitation", "br-int", vm(icmp6(ll, "ff02::2", "133", "")), []string{isInvalid}, out},
		{"router advertisement", "br-int", vm(icmp6(ll, "ff02::1", "134", "")), nil, nowhere},
		{"neighbour solicitation", "br-int", vm(icmp6("fd00::1", "fd00::2", "135", ",nd_target=fd00::2")), []string{isInvalid}, out},
		{"neighbour solicitation from another address", "br-int", vm(icmp6("fd00::9", "fd00::2", "135", ",nd_target=fd00::2")), nil, nowhere},
		{"whether the own address is free", "br-int", vm(icmp6("::", "fd00::2", "135", ",nd_target=fd00::1")), nil, out},
		{"whether another's address is free", "br-int", vm(icmp6("::", "fd00::2", "135", ",nd_target=fd00::2")), nil, nowhere},
		{"neighbour advertisement", "br-int", vm(icmp6("fd00::1", "fd00::2", "136", ",nd_target=fd00::1")), []string{isInvalid}, out},
		{"neighbour advertisement of another's address", "br-int", vm(icmp6("fd00::1", "fd00::2", "136", ",nd_target=fd00::2")), []string{isInvalid}, nowhere},
		{"neighbour advertisement from another address", "br-int", vm(icmp6("fd00::9", "fd00::2", "136", ",nd_target=fd00::1")), nil, nowhere},
		{"redirect", "br-int", vm(icmp6(ll, "fd00::2", "137", "")), []string{isInvalid}, nowhere},
		{"MLD report", "br-int", vm(icmp6("::", "ff02::16", "143", "")), nil, out},

		{"tag of another network", "br-int", vm("dl_vlan=7", ipv4(2, "10.1.0.1", "10.1.0.2", tcp)), nil, nowhere},
		{"tag of the own network", "br-int", vm("dl_vlan=1", ipv4(2, "10.1.0.1", "10.1.0.2", tcp)), nil, nowhere},
		{"tag for priority only", "br-int", vm("vlan_tci=0x7000", ipv4(2, "10.1.0.1", "10.1.0.2", tcp)), []string{isNew}, out},
		{"IPv6 headers that end nowhere", "br-int", vm(ipv6(2, "fd00::1", "fd00::2", ",nw_proto=0")), nil, nowhere},

		{"pair with its own MAC", "br-int", from(tap(6), "00:00:5e:00:01:0a", ipv4(2, "10.1.0.100", "10.1.0.2", tcp)), []string{isNew}, out},
		{"pair with the port's MAC", "br-int", from(tap(6), m(6), ipv4(2, "10.1.0.100", "10.1.0.2", tcp)), nil, nowhere},
		{"own address with a pair's MAC", "br-int", from(tap(6), "00:00:5e:00:01:0a", ipv4(2, "10.1.0.6", "10.1.0.2", tcp)), nil, nowhere},
		{"within a pair's block", "br-int", from(tap(6), m(6), ipv4(2, "10.9.255.1", "10.1.0.2", tcp)), []string{isNew}, out},
		{"ARP of a pair", "br-int", from(tap(6), "00:00:5e:00:01:0a", sha("00:00:5e:00:01:0a", arp("10.1.0.100", "10.1.0.99"))), nil,
			[]string{tap(1), tap(7), tap(8), tap(9), tap(10), toHost2}},
		{"the same from another port", "br-int", as("00:00:5e:00:01:0a", sha("00:00:5e:00:01:0a", arp("10.1.0.100", "10.1.0.99"))), nil, nowhere},

		{"from a port that nobody judges, anything", "br-int", from(tap(10), m(5), ipv4(2, "10.1.0.9", "10.1.0.2", tcp)), nil, out},
	})
}
