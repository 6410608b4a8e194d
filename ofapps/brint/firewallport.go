package brint

import (
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

var (
	unspecified4 = netip.MustParsePrefix("0.0.0.0/32")
	unspecified6 = netip.MustParsePrefix("::/128")
	everybody4   = netip.MustParsePrefix("255.255.255.255/32")
)

// sentBy renders the row that lets a port of this host talk: one that is judged goes through the firewall's tables.
func sentBy(n view.Network, p view.LocalPort) flow.Flow {
	do := append(limitSent(p), flow.SetReg(vlan, uint32(n.VLAN)))
	if p.Security != nil {
		do = append(do, flow.SetReg(groups, register(p.Security.Set)))
	}
	return LocalSwitching.Row(1, flow.InPort(p.OFPort), flow.NoVLAN()).Do(append(do, flow.Goto(afterLocal(p)))...)
}

// judgedPort renders what a judged port has for itself: the addresses that it may send from (its own, its allowed address
// pairs, and the link-local ones that belong to their MACs), and the way out to it.
func judgedPort(h view.Host, p view.LocalPort) []flow.Flow {
	if p.Security == nil {
		return nil
	}
	in := flow.InPort(p.OFPort)
	judge := []openflow.Action{flow.Track(zone, RulesEgress)}
	switch {
	case p.Security.Set.Stateless:
		judge = []openflow.Action{flow.Goto(RulesEgress)}
	case h.Userspace:
		judge = append(marked(0, p.OFPort), judge...)
	}
	way := flow.Output(p.OFPort)
	if p.LimitsHearing() {
		way = flow.Goto(Apart)
	}
	rows := []flow.Flow{Deliver.Row(10, flow.Reg(judged, p.OFPort)).Do(way)}
	if h.Userspace {
		rows = append(rows, passedByOne(p.OFPort)...)
	}
	for _, s := range senders(p) {
		from := flow.And(in, flow.DlSrc(s.MAC))
		rows = append(rows, BaseEgress.Row(70, from, flow.From(s.IP)).Do(judge...))
		if s.IP.Addr().Is4() {
			rows = append(rows, BaseEgress.Row(80, from, flow.ARPFrom(s.IP), flow.ARPSHA(s.MAC)).Goto(AcceptOrIngress))
			continue
		}
		nd := flow.And(from, flow.Whole(), flow.NDTargetIn(s.IP))
		rows = append(rows,
			NdSender.Row(80, nd, flow.ICMPv6(flow.NeighborAdvertisement)).Goto(Forward),
			// Whether somebody has the address already (RFC 4862, 5.4.2).
			NdSender.Row(80, nd, flow.ICMPv6(flow.NeighborSolicitation), flow.From(unspecified6)).Goto(Forward))
	}
	for _, mac := range macs(p) {
		from := flow.And(in, flow.DlSrc(mac))
		rows = append(rows,
			BaseEgress.Row(80, from, flow.From(unspecified4), flow.To(everybody4), flow.UDP(false, dhcpClient, dhcpServer)).Goto(AcceptOrIngress),
			BaseEgress.Row(80, from, flow.From(unspecified6)).Goto(RulesEgress))
	}
	return rows
}

// senders are those of the port, and the link-local address of each MAC.
func senders(p view.LocalPort) []model.Sender {
	out := p.Security.Senders[:len(p.Security.Senders):len(p.Security.Senders)]
	for _, mac := range macs(p) {
		ll := model.Sender{MAC: mac, IP: whole6(mac.LinkLocal())}
		if !contains(out, ll) {
			out = append(out, ll)
		}
	}
	return out
}

func whole6(ip netip.Addr) netip.Prefix { return netip.PrefixFrom(ip, ip.BitLen()) }

func contains(senders []model.Sender, s model.Sender) bool {
	for _, t := range senders {
		if t == s {
			return true
		}
	}
	return false
}

// macs are the port's own and those of its allowed address pairs, each once.
func macs(p view.LocalPort) []model.MAC {
	out := []model.MAC{p.MAC}
	for _, s := range p.Security.Senders {
		if s.MAC != p.MAC && s.MAC != out[len(out)-1] {
			out = append(out, s.MAC)
		}
	}
	return out
}
