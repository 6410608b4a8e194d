package brint

import (
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// arrival is how packets of a network that distributed routers of other hosts have sent, or that answer those of this
// host, come in.
type arrival struct {
	// is what tells the network's packets from others in the tables from and to.
	is openflow.Match
	// from holds what was routed elsewhere, to what is for a router here.
	from, to *flow.Table
	// strip takes the tag off, if there is one; local makes it the local VLAN.
	strip, local []openflow.Action
}

// arrivalOf is false for a network that nothing comes in by yet.
func arrivalOf(n view.Network) (arrival, bool) {
	switch {
	case n.Tunnelled():
		return arrival{flow.DlVlan(n.VLAN), DvrToSrcMac, DvrDstMac, []openflow.Action{flow.PopVLAN()}, nil}, true
	case n.Physical.Int == 0:
		return arrival{}, false
	}
	a := arrival{from: DvrToSrcMacPhysical, to: DvrDstMacPhysical}
	if n.Type == model.Flat {
		a.is = flow.And(flow.InPort(n.Physical.Int), flow.Untagged())
		a.local = []openflow.Action{flow.PushVLAN(), flow.SetVLAN(n.VLAN)}
	} else {
		a.is = flow.And(flow.InPort(n.Physical.Int), flow.DlVlan(uint16(n.Segment)))
		a.strip = []openflow.Action{flow.PopVLAN()}
		a.local = []openflow.Action{flow.SetVLAN(n.VLAN)}
	}
	return a, true
}

func then(first []openflow.Action, more ...openflow.Action) []openflow.Action {
	return append(first[:len(first):len(first)], more...)
}

// routedNetwork renders what a network with distributed routers has for all its ports.
//
// A router asks for an address that nobody told it with its host's DVR MAC as the source: the question goes to all ports
// as it came, since no port is asked in particular. So does a packet to a MAC that is no port's own, which an allowed
// address pair may be. Its source must not become the router's MAC here: the switch would learn that the router is behind
// the tunnel, and lead what is for the copy at home out of the host.
func routedNetwork(h view.Host, n view.Network, r view.Routed) []flow.Flow {
	a, ok := arrivalOf(n)
	if !ok || len(r.Ports) == 0 {
		return nil
	}
	on := then(a.local, flow.Goto(Transient))
	rows := []flow.Flow{
		a.from.Row(3, a.is, flow.ARP(), flow.ARPOp(flow.ARPRequest)).Do(on...),
		a.from.Row(3, a.is, flow.ICMPv6(flow.NeighborSolicitation)).Do(on...),
		a.from.Row(2, a.is, flow.IP(), flow.Unicast()).Do(on...),
		a.from.Row(2, a.is, flow.IPv6(), flow.Unicast()).Do(on...),
	}
	if h.DVRMAC == (model.MAC{}) {
		return rows
	}
	gw4, gw6 := r.Gateway(false), r.Gateway(true)
	if gw4 == nil {
		gw4 = gw6
	}
	if gw4 != nil {
		rows = append(rows, a.to.Row(1, a.is, flow.DlDst(h.DVRMAC)).Do(a.toRouter(*gw4)...))
	}
	if gw6 != nil && gw6.ID != gw4.ID {
		rows = append(rows, a.to.Row(2, a.is, flow.IPv6(), flow.DlDst(h.DVRMAC)).Do(a.toRouter(*gw6)...))
	}
	return rows
}

// toRouter gives a packet to a router on this host.
func (a arrival) toRouter(p view.RouterPort) []openflow.Action {
	return then(a.strip, flow.SetEthDst(p.MAC), flow.Output(p.OFPort))
}

// Router renders the rows of a distributed router's device on one of its networks: it may talk, and hears the answers to
// what it asked with the host's DVR MAC as the source.
func Router(h view.Host, r view.RoutedNetwork) []flow.Flow {
	p := r.Port
	if p.OFPort == 0 {
		return nil
	}
	rows := []flow.Flow{
		LocalSwitching.Row(1, flow.InPort(p.OFPort), flow.NoVLAN()).Do(flow.SetReg(vlan, uint32(r.Network.VLAN)), flow.Goto(Transient)),
	}
	if a, ok := arrivalOf(r.Network); ok && h.DVRMAC != (model.MAC{}) {
		dm := flow.DlDst(h.DVRMAC)
		rows = append(rows, a.to.Row(3, a.is, dm, flow.ARP(), flow.ARPTHA(p.MAC)).Do(a.toRouter(p)...))
		for _, ip := range p.IPs {
			if ip.Is6() && ip != p.LinkLocal() {
				rows = append(rows, a.to.Row(3, a.is, dm, flow.To(whole(ip))).Do(a.toRouter(p)...))
			}
		}
		rows = append(rows, a.to.Row(3, a.is, dm, flow.To(whole(p.LinkLocal()))).Do(a.toRouter(p)...))
	}
	return flow.Owned(flow.Cookie(flow.RouterCookie, p.RouterID), rows...)
}

func whole(ip netip.Addr) netip.Prefix { return netip.PrefixFrom(ip, ip.BitLen()) }

// routedTo renders what leads packets that were routed on another host to a port of this one: from the MAC of the router's
// port on the port's own subnet, as if they had been routed here. The original chose that MAC by VLAN and destination
// alone, so that on a network of both families one of them came from the other's gateway.
func routedTo(n view.Network, p view.LocalPort) []flow.Flow {
	a, ok := arrivalOf(n)
	if !ok {
		return nil
	}
	var rows []flow.Flow
	for _, v := range p.Via {
		family := flow.IP()
		if v.IPv6 {
			family = flow.IPv6()
		}
		priority := uint16(4)
		if v.To.IsValid() {
			family, priority = flow.To(v.To), 5
		}
		do := then(a.strip, flow.SetEthSrc(v.MAC), flow.Output(p.OFPort))
		if p.Security != nil {
			// What was routed is judged by the port's rules as anything else.
			do = then(a.local, flow.SetEthSrc(v.MAC), flow.Goto(Transient))
		} else if p.LimitsHearing() {
			do = then(a.strip, flow.SetEthSrc(v.MAC), flow.SetReg(judged, p.OFPort), flow.Goto(Apart))
		}
		rows = append(rows, a.from.Row(priority, a.is, family, flow.DlDst(p.MAC)).Do(do...))
	}
	return rows
}

// heard renders the answers of a port, which may hold an address that moves between ports, to routers here: each also
// leaves the host, because the copy of the router that asked may be on another, and all copies have one MAC.
func heard(h view.Host, n view.Network, p view.LocalPort) []flow.Flow {
	out := h.PatchTun
	if !n.Tunnelled() {
		out = n.Physical.Int
	}
	var rows []flow.Flow
	for _, r := range p.Hearers {
		do := []openflow.Action{flow.Output(r.OFPort)}
		if out != 0 {
			do = append(do, flow.PushVLAN(), flow.SetVLAN(n.VLAN), flow.Output(out))
		}
		for _, answer := range []openflow.Match{
			flow.And(flow.ARP(), flow.ARPOp(flow.ARPReply)), flow.ICMPv6(flow.NeighborAdvertisement),
		} {
			at, priority := LocalSwitching, uint16(2)
			if p.Security != nil || limitsSending(p) {
				// It must be the port's to answer so, and within its limits.
				at, priority = Forward, 20
			}
			rows = append(rows, at.Row(priority, flow.InPort(p.OFPort), flow.Untagged(), answer, flow.DlDst(r.MAC)).Do(do...))
		}
	}
	return rows
}
