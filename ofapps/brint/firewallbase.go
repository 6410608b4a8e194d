package brint

import (
	"slices"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// Ports of DHCP (RFC 2131, 4.1; RFC 8415, 7.2).
const (
	dhcpServer, dhcpClient     = 67, 68
	dhcpv6Server, dhcpv6Client = 547, 546
)

// Types of ICMPv6 messages (RFC 4861, 4; RFC 2710, 3; RFC 9777, 5.2).
const (
	mldQuery, mldReport, mldDone, mldReport2 uint8 = 130, 131, 132, 143
	routerSolicitation                       uint8 = 133
)

// States of connections that rows ask for.
const (
	ctNew, ctEst, ctRel, ctRpl = openflow.CTNew, openflow.CTEstablished, openflow.CTRelated, openflow.CTReply
	ctInv, ctTrk               = openflow.CTInvalid, openflow.CTTracked
)

// firewallBase renders the rows that all judged ports share.
func firewallBase(h view.Host) []flow.Flow {
	sent, heard := Drops()
	return slices.Concat(
		[]flow.Flow{
			// The network of a packet with a tag is told by the tag, that of others by the port that they came by.
			Transient.Row(2, flow.PriorityTagged()).Goto(AcceptOrIngress),
			Transient.Row(1, flow.Tagged()).Do(openflow.Move{Src: openflow.VlanTCI.Range(0, 11), Dst: vlan.Range(0, 11)}, flow.Goto(AcceptOrIngress)),
			Transient.Row(0).Goto(AcceptOrIngress),
		},
		senderRows(),
		aroundRules(RulesEgress, RepliesEgress, bySender, AcceptOrIngress),
		aroundReplies(RepliesEgress, bySender, AcceptOrIngress),
		receiverRows(h),
		aroundRules(RulesIngress, RepliesIngress, byReceiver, AcceptIngress),
		aroundReplies(RepliesIngress, byReceiver, AcceptIngress),
		acceptedRows(AcceptIngress, Deliver),
		acceptedRows(AcceptedEgress, Forward),
		passedRows(h),
		[]flow.Flow{
			Deliver.Row(0).Drop(),
			sent,
			heard,
			Forward.Row(0).Do(flow.Normal()),
		},
	)
}

// Drops renders the rows that count what was refused: what judged ports have sent, and what they were not to hear.
func Drops() (sent, heard flow.Flow) {
	return Refused.Row(0).Drop(), Refused.Row(1, flow.RegBits(phase, toOne, toOne)).Drop()
}

// senderRows are what no port may send, and what every port may: its addresses have been checked by then.
func senderRows() []flow.Flow {
	hidden := flow.And(flow.FirstFragment(), flow.CTState(ctTrk, ctInv), flow.CTProto(flow.UDPProto))
	rows := []flow.Flow{
		// A router or DHCP server is nobody's but ours. Whatever its own port, a server's answer goes to the client's.
		BaseEgress.Row(90, flow.ICMPv6Type(flow.RouterAdvertisement)).Goto(Refused),
		BaseEgress.Row(90, flow.UDP(false, 0, dhcpClient)).Goto(Refused),
		BaseEgress.Row(90, flow.UDP(true, 0, dhcpv6Client)).Goto(Refused),
		// Extension headers that the switch cannot follow to their end may hide anything.
		BaseEgress.Row(90, flow.IPv6(), flow.Proto(0)).Goto(Refused),
		BaseEgress.Row(0).Goto(Refused),

		// A station without an address yet asks whether one is free.
		RulesEgress.Row(120, flow.From(unspecified6), flow.ICMPv6Type(flow.NeighborSolicitation), flow.Whole()).Goto(NdSender),
		RulesEgress.Row(115, flow.From(unspecified6)).Goto(Refused),
		RulesEgress.Row(110, flow.UDP(false, dhcpClient, dhcpServer), flow.Whole()).Goto(AcceptOrIngress),
		RulesEgress.Row(110, flow.UDP(true, dhcpv6Client, dhcpv6Server), flow.Whole()).Goto(AcceptOrIngress),
		RulesEgress.Row(110, flow.ICMPv6Type(flow.NeighborAdvertisement), flow.Whole()).Goto(NdSender),
		// The same in fragments whose header lies further in: the connection tracker has seen it. Without connections nobody
		// has.
		RulesEgress.Row(105, flow.IP(), hidden, flow.CTTPDst(dhcpClient, 0xffff)).Goto(Refused),
		RulesEgress.Row(105, flow.IPv6(), hidden, flow.CTTPDst(dhcpv6Client, 0xffff)).Goto(Refused),
		RulesEgress.Row(105, flow.UDP(false, 0, 0), flow.Fragment(), stateless()).Goto(Refused),
		RulesEgress.Row(105, flow.UDP(true, 0, 0), flow.Fragment(), stateless()).Goto(Refused),

		NdSender.Row(0).Goto(Refused),
	}
	for _, typ := range []uint8{mldQuery, mldReport, mldDone, routerSolicitation, flow.NeighborSolicitation, mldReport2} {
		rows = append(rows, RulesEgress.Row(110, flow.ICMPv6Type(typ), flow.Whole()).Goto(AcceptOrIngress))
	}
	// Without an address it may ask for routers, too, and join the groups that it will need (RFC 4861, 4.1; RFC 3590, 4).
	for _, typ := range []uint8{mldReport, routerSolicitation, mldReport2} {
		rows = append(rows, RulesEgress.Row(120, flow.From(unspecified6), flow.ICMPv6Type(typ), flow.Whole()).Goto(AcceptOrIngress))
	}
	return rows
}

// judging says for whom tables judge: phase matches what they judge, and one the value of it for which there is one judgement of the
// connection.
type judging struct {
	phase openflow.Match
	one   uint32
}

var (
	bySender   = judging{flow.Reg(phase, 0), 0}
	byReceiver = judging{flow.RegBits(phase, toOne, toOne), toOne}
)

// aroundRules renders what comes before and after the rules of groups in their table.
func aroundRules(t, replies *flow.Table, by judging, accept *flow.Table) []flow.Flow {
	rows := []flow.Flow{
		// A firewall bridge judges as yet. What belongs to no connection that is known may belong to one that it knows.
		t.Row(101, flow.RegBits(groups, view.AllowAll, view.AllowAll)).Goto(accept),
		t.Row(100, flow.CTState(ctInv, 0), stateful()).Goto(Refused),
		t.Row(95, flow.CTState(ctEst|ctRpl|ctTrk, ctRel), stateful()).Goto(replies),
		// Errors about what was allowed, as long as it has not been cut.
		t.Row(95, flow.CTState(ctRel|ctTrk, ctNew|ctInv), flow.CTMark(0, cut), stateful()).Goto(accept),
		t.Row(90, flow.CTState(ctRpl|ctTrk, 0), stateful()).Goto(Refused),
		t.Row(90, flow.CTState(ctRel|ctTrk, 0), stateful()).Goto(Refused),
	}
	// What is left belongs to the connection's first direction. Of its later fragments nobody knows the ports: they go as
	// far as the connection tracker is asked again, and wait there for the first, which has been judged.
	rows = append(rows, both(t, 85, flow.And(flow.LaterFragment(), flow.CTState(ctTrk, 0), by.phase, stateful()), flow.Goto(accept))...)
	return append(rows, unlessAllowed(t, by)...)
}

// aroundReplies renders what comes before and after the rules in the form of answers. What the tracker says of all of them
// is +est+rpl-rel.
func aroundReplies(t *flow.Table, by judging, accept *flow.Table) []flow.Flow {
	var rows []flow.Flow
	if t == RepliesIngress {
		// A client of DHCP asks whatever its rules. Answers are heard always; their fragments come here.
		for _, p := range [][2]uint16{{dhcpClient, dhcpServer}, {dhcpv6Client, dhcpv6Server}} {
			rows = append(rows, t.Row(80, flow.Family(p[0] == dhcpv6Client), begunBy(flow.UDPProto), flow.CTTPSrc(p[0], 0xffff), flow.CTTPDst(p[1], 0xffff)).Goto(accept))
		}
	}
	// Later fragments wait in the connection tracker as those of the first direction do.
	rows = append(rows, both(t, 75, flow.And(flow.LaterFragment(), flow.CTState(ctTrk, 0), by.phase), flow.Goto(accept))...)
	return append(rows, unlessAllowed(t, by)...)
}

// begunBy matches answers by the protocol of what they answer to.
func begunBy(proto uint8) openflow.Match {
	return flow.And(flow.CTState(ctRpl|ctTrk, 0), flow.CTProto(proto))
}

// unlessAllowed cuts a connection that no row before has allowed, but for copies, which others may be allowed. A fragment must not reach
// the connection tracker: it would find those that wait for it.
func unlessAllowed(t *flow.Table, by judging) []flow.Flow {
	rows := both(t, 40, flow.And(flow.CTState(ctEst|ctTrk, 0), flow.CTMark(0, cut), flow.Whole(), flow.Reg(phase, by.one), stateful()),
		flow.Commit(zone, flow.SetCTMark(cut, cut)), flow.Goto(Refused))
	return append(rows, t.Row(0).Goto(Refused))
}

// always matches what every judged port hears.
func always() []openflow.Match {
	ms := []openflow.Match{
		flow.ARP(),
		flow.And(flow.UDP(false, dhcpServer, dhcpClient), flow.Whole()),
		flow.And(flow.UDP(true, dhcpv6Server, dhcpv6Client), flow.Whole()),
	}
	for _, typ := range []uint8{mldQuery, flow.RouterAdvertisement, flow.NeighborSolicitation, flow.NeighborAdvertisement} {
		ms = append(ms, flow.And(flow.ICMPv6Type(typ), flow.Whole()))
	}
	return ms
}

// receiverRows are what leads to a judged port.
func receiverRows(h view.Host) []flow.Flow {
	var asCopies, asOne []openflow.Action
	if h.Userspace {
		asCopies, asOne = markedBy(asCopy, vlan), markedBy(asReceiver, judged)
	}
	rows := []flow.Flow{
		AcceptOrIngress.Row(95, flow.LinkReserved()).Goto(Forward),
		AcceptOrIngress.Row(0).Goto(AcceptedEgress),
		ToEach.Row(0).Goto(Copies),
		Copies.Row(0).Drop(),
		ToPort.Row(1, flow.Tagged()).Do(flow.PopVLAN(), flow.Goto(BaseIngress)),
		ToPort.Row(0).Goto(BaseIngress),
		BaseIngress.Row(80, flow.IP()).Goto(RulesIngress),
		BaseIngress.Row(80, flow.IPv6()).Goto(RulesIngress),
		BaseIngress.Row(0).Goto(Refused),
	}
	for _, m := range always() {
		// For all: flooded as on any network.
		rows = append(rows, AcceptOrIngress.Row(90, m, flow.Multicast()).Goto(Forward), BaseIngress.Row(100, m).Goto(AcceptIngress))
	}
	ofCopy := flow.And(flow.CTState(ctTrk, 0), flow.Fragment(), flow.Reg(phase, toEach), stateful())
	return slices.Concat(rows,
		both(ToEach, 2, flow.And(flow.CTState(0, ctTrk), flow.Tagged()), flow.PopVLAN(), flow.TrackApart(zone, Copies, asCopies...)),
		both(ToEach, 1, flow.CTState(0, ctTrk), flow.TrackApart(zone, Copies, asCopies...)),
		// What the tracker has kept and lets go of must not come back to it (docs/decisions/0077).
		both(Copies, 110, flow.And(flow.Fragment(), flow.CTState(ctInv, 0)), flow.SetReg(phase, toEach), flow.Goto(Refused)),
		both(BaseIngress, 90, flow.And(flow.CTState(0, ctTrk), stateful()), flow.TrackApart(zone, RulesIngress, asOne...)),
		// Fragments of a copy wait for its first apart from those of the other copies: in Open vSwitch what came by the same way from the
		// tracker, and is in one zone, belongs to one datagram. From there on they come by a way of their own.
		both(ToPort, 3, flow.And(ofCopy, flow.Tagged()), flow.PopVLAN(), flow.Track(waits.Range(0, 15), BaseIngress)),
		both(ToPort, 2, ofCopy, flow.Track(waits.Range(0, 15), BaseIngress)),
		both(BaseIngress, 90, ofCopy, flow.Track(zone, RulesIngress)),
	)
}

// acceptedRows tell the connection tracker of what is allowed, and let it go on.
func acceptedRows(t, next *flow.Table) []flow.Flow {
	commit := func(mark ...openflow.Action) []openflow.Action {
		return []openflow.Action{flow.SetPktMark(passed, passed), flow.CommitTo(zone, Passed, mark...)}
	}
	rows := slices.Concat(
		both(t, 40, flow.CTState(ctNew|ctTrk, 0), commit()...),
		both(t, 40, flow.And(flow.CTState(ctEst|ctTrk, ctRpl|ctRel), flow.CTMark(cut, cut)), commit(flow.SetCTMark(0, cut))...),
		// Fragments of one datagram meet again in the connection tracker, or none goes on.
		both(t, 30, flow.And(flow.CTState(ctTrk, 0), flow.Fragment()), commit()...),
	)
	return append(rows, t.Row(0).Goto(next))
}

// passedRows look at what comes out of the connection tracker when it has been told of a packet.
//
// The tracker of the userspace datapath, before Open vSwitch 4.0, hands fragments that it has kept, of whatever datagram, to the next
// packet that it looks at, and they go the way of that one: those beyond the 32nd of a datagram, which nobody has judged, and parts of
// one that was never whole, when it has waited for 15 s (+inv, without +trk).
//
// Before 3.3.5 the packet may be of any port and network: there each port that is judged has rows of its own.
func passedRows(h view.Host) []flow.Flow {
	rows := append(both(Passed, 3, flow.And(flow.Fragment(), flow.CTState(ctInv, 0)), flow.Goto(Refused)), Passed.Row(0).Goto(Refused))
	if h.Userspace {
		return rows
	}
	return append(rows, passedOn(passed, passed, 1, nil)...)
}

// passedOn lets on what has a mark: to the receivers or, in an earlier phase, to whom nobody judges here.
func passedOn(mark, mask uint32, priority uint16, is openflow.Match) []flow.Flow {
	on := func(priority uint16, m openflow.Match, next *flow.Table) flow.Flow {
		return Passed.Row(priority, m, flow.PktMark(mark, mask)).Do(flow.SetPktMark(0, mask), flow.Goto(next))
	}
	return []flow.Flow{on(priority+1, flow.And(is, byReceiver.phase), Deliver), on(priority, is, Forward)}
}

// passedByOne lets on what one port has sent, or is to hear, and passedCopies what several of a network are to.
func passedByOne(ofport uint32) []flow.Flow {
	const all = ^uint32(0)
	return append(passedOn(passed|ofport, all, 1, flow.InPort(ofport)),
		Passed.Row(2, flow.Reg(phase, toOne), flow.Reg(judged, ofport), flow.PktMark(passed|asReceiver|ofport, all)).Do(flow.SetPktMark(0, all), flow.Goto(Deliver)))
}

func passedCopies(vlanID uint32) flow.Flow {
	const all = ^uint32(0)
	return Passed.Row(2, flow.Reg(phase, toEach), flow.Reg(vlan, vlanID), flow.PktMark(passed|asCopy|vlanID, all)).Do(flow.SetPktMark(0, all), flow.Goto(Deliver))
}
