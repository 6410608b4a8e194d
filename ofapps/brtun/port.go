package brtun

import (
	"net/netip"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// RemotePort renders the rows for a port on another host: where its MAC is, and the answers for its addresses. While the
// tunnel is not there, nothing is answered for what could not be reached, and nothing sent: it would be flooded to all hosts
// but the one that it is for.
func RemotePort(h view.Host, n view.Network, p view.RemotePort) []flow.Flow {
	if !p.Up {
		return nil
	}
	owner, known := flow.Cookie(flow.PortCookie, p.ID), UcastToTun.Row(2, flow.DlVlan(n.VLAN), flow.DlDst(p.MAC))
	if p.Tunnel == 0 {
		return flow.Owned(owner, known.Drop())
	}
	rows := append(make([]flow.Flow, 0, 1+len(p.IPs)), known.Do(flow.PopVLAN(), flow.SetTunID(n.Segment), flow.Output(p.Tunnel)))
	for _, ip := range p.IPs {
		switch {
		case ip.Is4():
			rows = append(rows, ArpResponder.Row(1, asked(n, ip)).Do(arpReply(p.MAC, ip)...))
		case h.AnswersND:
			rows = append(rows, ArpResponder.Row(1, asked(n, ip), flow.NDOption(flow.SourceLinkAddress)).Do(beginNA(p, ip)...))
		}
	}
	return flow.Owned(owner, rows...)
}

// LocalPort renders the rows for a port on this host. It has heard the question on br-int already and answers it itself,
// so that the question need not leave the host. An announcement of its own must: stations elsewhere may remember another
// MAC for the address.
func LocalPort(n view.Network, p view.LocalPort) []flow.Flow {
	if !n.Tunnelled() || n.Learn || !p.Up || p.OFPort == 0 {
		return nil
	}
	var rows []flow.Flow
	for _, ip := range p.IPs {
		if ip.Is4() {
			rows = append(rows, ArpResponder.Row(2, asked(n, ip), flow.ARPSPA(ip)).Goto(FloodToTun))
		}
		rows = append(rows, ArpResponder.Row(1, asked(n, ip)).Drop())
	}
	return flow.Owned(flow.Cookie(flow.PortCookie, p.ID), rows...)
}

// What is the same in the rows of all ports, of which a host has 100,000, is made once.
var (
	arpRequest   = flow.And(flow.ARP(), flow.ARPOp(flow.ARPRequest))
	becomesReply = flow.SetARPOp(flow.ARPReply)
	hearsSHA     = flow.Move(openflow.ARPSHA, openflow.ARPTHA)
	hearsSPA     = flow.Move(openflow.ARPSPA, openflow.ARPTPA)
	goesBack     = flow.Move(openflow.EthSrc, openflow.EthDst)
)

// asked matches a question for an address: an ARP request, or a neighbour solicitation.
func asked(n view.Network, ip netip.Addr) openflow.Match {
	if ip.Is4() {
		return flow.And(flow.DlVlan(n.VLAN), arpRequest, flow.ARPTPA(ip))
	}
	return flow.And(flow.DlVlan(n.VLAN), flow.ICMPv6(flow.NeighborSolicitation), flow.NDTarget(ip))
}

// arpReply turns an ARP request into its answer and sends it back.
func arpReply(mac [6]byte, ip netip.Addr) []openflow.Action {
	return []openflow.Action{
		becomesReply,
		hearsSHA,
		hearsSPA,
		flow.SetARPSHA(mac),
		flow.SetARPSPA(ip),
		goesBack,
		flow.SetEthSrc(mac),
		flow.InPortOut(),
	}
}

// beginNA turns a neighbour solicitation into an advertisement (RFC 4861, 4.3, 4.4), all but the link-layer address in
// its option: Open vSwitch lets that be written only where the row has matched an advertisement, so finishNA does it.
//
// Only a solicitation with a source link-layer address comes here. One without it, of a station that tests whether an
// address is free, has no room for the answer's option, and is flooded to who can answer it.
func beginNA(p view.RemotePort, ip netip.Addr) []openflow.Action {
	flags := flow.NDSolicited | flow.NDOverride
	if p.Router {
		flags |= flow.NDRouter
	}
	return []openflow.Action{
		goesBack,
		flow.SetEthSrc(p.MAC),
		flow.Move(openflow.IPv6Src, openflow.IPv6Dst),
		flow.SetIPv6Src(ip),
		flow.SetICMPv6Type(flow.NeighborAdvertisement),
		flow.SetNDOption(flow.TargetLinkAddress),
		flow.SetNDFlags(flags),
		flow.Goto(NdAnswer),
	}
}

// finishNA completes the advertisement and sends it back.
func finishNA() flow.Flow {
	return NdAnswer.Row(1, flow.ICMPv6(flow.NeighborAdvertisement)).
		Do(flow.Move(openflow.EthSrc, openflow.NDTLL), flow.InPortOut())
}
