package ofapps

import (
	"net/netip"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
)

// firewallSymbols take the place of values in the registers of the firewall.
var firewallSymbols = strings.NewReplacer(
	"reg6=0xbb9", "reg6=V", "set_field:0xbb9->reg6", "set_field:V->reg6",
	"reg5=0x232b", "reg5=port", "set_field:0x232b->reg5", "set_field:port->reg5", "set_field:0x232c->reg5", "set_field:port2->reg5",
	"0x8000238d", "STATELESS_SET", "0x238d", "SET", "conj_id=9201", "conj_id=G", "conjunction(9201,", "conjunction(G,",
	"00:00:5e:00:01:0a", "PAIR_M", "fe80::f816:3eff:feaa:aaaa", "LL", "198.51.100.100", "PAIR_IP", "fe80::200:5eff:fe00:10a", "PAIR_LL",
	"203.0.113.0/24", "REMOTE", "2001:db8:2::/48", "REMOTE", "203.0.113.5", "MEMBER", "2001:db8:3::5", "MEMBER",
)

// firewallExample adds every row that the firewall knows.
func firewallExample(rows Rows, h view.Host, n view.Network, p view.LocalPort) {
	n.Physical = view.Physical{}
	set := view.Set{Number: 9101}
	p.Via, p.Hearers = nil, nil
	for _, s := range []view.Set{set, {Number: set.Number, Stateless: true}} {
		p.Security = &view.Security{Set: s, Senders: []model.Sender{{MAC: virtual, IP: netip.MustParsePrefix("198.51.100.100/32")}}}
		for _, ip := range p.IPs {
			p.Security.Senders = append(p.Security.Senders, model.Sender{MAC: p.MAC, IP: netip.PrefixFrom(ip, ip.BitLen())})
		}
		rows.add(view.BrInt, brint.LocalPort(h, n, p))
	}
	rows.add(view.BrInt, brint.GroupSet(view.GroupSet{Set: set, Rules: firewallRules()}))
	g := view.RemoteGroup{ID: "group", Number: 9201, Egress: true, Ingress: true}
	rows.add(view.BrInt, brint.RemoteGroup(g))
	for _, member := range []string{"203.0.113.5/32", "2001:db8:3::5/128"} {
		rows.add(view.BrInt, brint.Remote(view.Remote{Prefix: netip.MustParsePrefix(member),
			Egress: []view.RemoteGroup{g}, Ingress: []view.RemoteGroup{g}}))
	}
	one, two := view.Receiver{ID: "port", OFPort: 9003, Set: set}, view.Receiver{ID: "port2", OFPort: 9005, Set: set}
	two.OFPort = 9004
	rows.add(view.BrInt, brint.Station(view.Station{Network: n, MAC: p.MAC, Receivers: []view.Receiver{one}, Alone: true}))
	rows.add(view.BrInt, brint.Station(view.Station{Network: n, MAC: virtual, Receivers: []view.Receiver{one, two}}))
	rows.add(view.BrInt, brint.Multicast(h, view.Multicast{Network: n, Judged: []view.Hearers{{Set: set, Ports: []uint32{9003}}},
		Ports: []uint32{9004}, Uplink: h.PatchTun}))
}

func firewallRules() []view.Rule {
	tcp, icmp, first, last := uint8(6), uint8(1), uint16(80), uint16(81)
	echo, code := uint16(8), uint16(0)
	rule := func(ingress bool) []view.Rule {
		return []view.Rule{
			{Ingress: ingress}, {Ingress: ingress, IPv6: true},
			{Ingress: ingress, Protocol: &icmp, Min: &echo, Max: &code},
			{Ingress: ingress, Protocol: &tcp, Min: &first, Max: &last, Prefix: netip.MustParsePrefix("203.0.113.0/24")},
			{Ingress: ingress, IPv6: true, Protocol: &tcp, Prefix: netip.MustParsePrefix("2001:db8:2::/48")},
			{Ingress: ingress, Protocol: &tcp, Min: &first, Max: &last, Remote: 9201},
			{Ingress: ingress, IPv6: true, Remote: 9201},
		}
	}
	return append(rule(false), rule(true)...)
}
