package brint

import (
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// Registers of the firewall.
const (
	// phase says what the packet is judged as; see below.
	phase = openflow.Reg4
	// judged is the OpenFlow number of the port that the packet is judged for as a receiver; 0 stands for all that have the
	// same groups.
	judged = openflow.Reg5
	// vlan is the local VLAN of the packet's network, which is also the zone of its connections.
	vlan = openflow.Reg6
	// groups is the number of the set of groups of the judged port, and statelessSet.
	groups = openflow.Reg7
	// waits is the zone in which fragments of a copy wait for each other.
	waits = openflow.Reg8
)

// Values of phase. 0 is what a sender may send.
const (
	// toOne: what the one receiver may hear.
	toOne = 1
	// flooded: judged receivers have their copies; the rest of the network is to get the packet.
	flooded = 2
	// toEach: what one of several receivers may hear. It has the bit of toOne too.
	toEach = 3
)

// statelessSet is the bit of the register groups which says that the groups are stateless.
const statelessSet uint32 = 1 << 31

// cut is the bit of a connection's mark which says that it was allowed, and is not any more.
const cut = 1

// The mark of a packet. While the connection tracker is told, it says that the packet has come to the end of the rules (passed). On the
// userspace datapath it also says, from when the connection is looked up, who is judged: the number of a port, which is the sender's
// or, with asReceiver, the receiver's; or, with asCopy, the local VLAN of the network.
const (
	passed     uint32 = 1 << 31
	asReceiver uint32 = 1 << 30
	asCopy     uint32 = 1 << 29
)

// marked is a packet's mark of whom it is judged for.
func marked(as, number uint32) []openflow.Action {
	return []openflow.Action{flow.SetPktMark(as|number, ^uint32(0))}
}

// markedBy is the same with the number in a register.
func markedBy(as uint32, reg openflow.Field) []openflow.Action {
	return append(marked(as, 0), openflow.Move{Src: reg.Range(0, 15), Dst: openflow.PktMark.Range(0, 15)})
}

// zone is the connection tracker's zone: the local VLAN.
var zone = vlan.Range(0, 15)

// The tables of the firewall.
var (
	BaseEgress = &flow.Table{
		ID: 71, Name: "BaseEgress", About: "What a judged port sends must come from its own MAC and addresses; then its connection is looked up",
		Match: []openflow.Field{
			openflow.InPort, openflow.EthSrc, openflow.EthType, openflow.ARPSPA, openflow.ARPSHA, openflow.IPv4Src, openflow.IPv4Dst,
			openflow.IPv6Src, openflow.IPProto, openflow.UDPSrc, openflow.UDPDst, openflow.ICMPv6Type,
		},
		Set:  []openflow.Field{openflow.PktMark},
		Next: []string{"RulesEgress", "AcceptOrIngress", "Refused"},
	}
	RulesEgress = ruleTable(72, "RulesEgress", "What the groups of the sender allow; a connection that nothing allows any more is marked and cut",
		[]openflow.Field{openflow.IPv4Dst, openflow.IPv6Dst, openflow.IPv6Src}, []string{"RepliesEgress", "AcceptOrIngress", "NdSender", "Refused"})
	RepliesEgress = replyTable(73, "RepliesEgress", "Answers in connections that the sender's groups let in: when nothing lets them in any more, they are marked and cut",
		[]openflow.Field{openflow.IPv4Dst, openflow.IPv6Dst}, []string{"AcceptOrIngress", "Refused"})
	AcceptOrIngress = &flow.Table{
		ID: 74, Name: "AcceptOrIngress", About: "Allowed, or sent by a port that nobody judges: for a judged port of this host its rules come next",
		Match: []openflow.Field{vlan, openflow.EthDst, openflow.EthType, openflow.IPProto, openflow.IPFrag, openflow.ICMPv6Type, openflow.UDPSrc, openflow.UDPDst},
		Set:   []openflow.Field{phase, judged, groups},
		Next:  []string{"ToEach", "ToPort", "AcceptedEgress", "Forward"},
	}
	NdSender = &flow.Table{
		ID: 75, Name: "NdSender", About: "Neighbour discovery: a judged port speaks for its own addresses only",
		Match: []openflow.Field{
			openflow.InPort, openflow.EthSrc, openflow.EthType, openflow.IPProto, openflow.IPFrag, openflow.IPv6Src, openflow.ICMPv6Type, openflow.ICMPv6Code, openflow.NDTarget,
		},
		Next: []string{"Refused", "Forward"},
	}
	ToEach = &flow.Table{
		ID: 76, Name: "ToEach", About: "For several judged ports with stateful groups: the connection is looked up once for all, if it has not been",
		Match: []openflow.Field{openflow.VlanVID, openflow.EthType, openflow.CTState},
		Set:   []openflow.Field{openflow.VlanVID, openflow.PktMark},
		Next:  []string{"Copies"},
	}
	Copies = &flow.Table{
		ID: 77, Name: "Copies", About: "A copy for each judged port, or for each set of groups",
		Match: []openflow.Field{vlan, openflow.EthDst, openflow.EthType, openflow.IPFrag, openflow.CTState},
		Set:   []openflow.Field{phase, judged, groups, waits},
		Next:  []string{"ToPort", "Refused"},
	}
	ToPort = &flow.Table{
		ID: 80, Name: "ToPort", About: "For a judged port: without a tag from here on; fragments of a copy wait for each other",
		Match: []openflow.Field{phase, groups, openflow.VlanVID, openflow.EthType, openflow.IPFrag, openflow.CTState},
		Set:   []openflow.Field{openflow.VlanVID},
		Next:  []string{"BaseIngress"},
	}
	BaseIngress = &flow.Table{
		ID: 81, Name: "BaseIngress", About: "What every judged port hears: ARP, neighbour discovery, answers to DHCP; of the rest the connection is looked up",
		Match: []openflow.Field{phase, groups, openflow.EthType, openflow.CTState, openflow.IPProto, openflow.IPFrag, openflow.ICMPv6Type, openflow.UDPSrc, openflow.UDPDst},
		Set:   []openflow.Field{openflow.PktMark},
		Next:  []string{"RulesIngress", "AcceptIngress", "Refused"},
	}
	RulesIngress = ruleTable(82, "RulesIngress", "What the groups of the receiver allow; a connection that nothing allows any more is marked and cut",
		[]openflow.Field{openflow.IPv4Src, openflow.IPv6Src}, []string{"RepliesIngress", "AcceptIngress", "Refused"})
	RepliesIngress = replyTable(83, "RepliesIngress", "Answers in connections that the receiver's groups let out: when nothing lets them out any more, they are marked and cut",
		[]openflow.Field{openflow.IPv4Src, openflow.IPv6Src}, []string{"AcceptIngress", "Refused"})
	AcceptIngress = &flow.Table{
		ID: 84, Name: "AcceptIngress", About: "Allowed to the judged port: a new connection is remembered, one that was cut and is allowed again is restored",
		Match: accepted, Set: acceptedAs, Next: []string{"Passed", "Deliver"},
	}
	AcceptedEgress = &flow.Table{
		ID: 90, Name: "AcceptedEgress", About: "Goes to somebody that nobody judges here: connections as in AcceptIngress",
		Match: accepted, Set: acceptedAs, Next: []string{"Passed", "Forward"},
	}
	Passed = &flow.Table{
		ID: 91, Name: "Passed", About: "Allowed, and the connection tracker has been told: what it hands out of others' goes no further",
		Match: []openflow.Field{phase, judged, vlan, openflow.InPort, openflow.PktMark, openflow.EthType, openflow.IPFrag, openflow.CTState},
		Set:   []openflow.Field{openflow.PktMark},
		Next:  []string{"Deliver", "Refused", "Forward"},
	}
	Deliver = &flow.Table{
		ID: 92, Name: "Deliver", About: "Out of the judged port, or of those with the same groups",
		Match: []openflow.Field{phase, vlan, judged, groups},
		Set:   []openflow.Field{judged},
		Next:  []string{"Apart"},
	}
	Refused = &flow.Table{
		ID: 93, Name: "Refused", About: "Dropped, and counted by direction: what a port may not hear, and what it may not send",
		Match: []openflow.Field{phase},
	}
	Forward = &flow.Table{
		ID: 94, Name: "Forward", About: "Forwarded by MAC and VLAN; what judged ports have their copies of goes to the others of the network",
		Match: []openflow.Field{phase, judged, vlan, openflow.VlanVID, openflow.InPort, openflow.EthDst, openflow.EthType, openflow.ARPOp, openflow.IPProto, openflow.IPFrag, openflow.ICMPv6Type, openflow.ICMPv6Code},
		Set:   []openflow.Field{openflow.VlanVID, openflow.EthDst, judged},
		Next:  []string{"Apart"},
	}
)

var firewallTables = []*flow.Table{
	BaseEgress, RulesEgress, RepliesEgress, AcceptOrIngress, NdSender, ToEach, Copies, ToPort, BaseIngress, RulesIngress, RepliesIngress, AcceptIngress, AcceptedEgress, Passed,
	Deliver, Refused, Forward,
}

// accepted are the fields that tell what the connection tracker must be told of an allowed packet, acceptedAs those that this sets.
var (
	accepted   = []openflow.Field{openflow.EthType, openflow.IPFrag, openflow.CTState, openflow.CTMark}
	acceptedAs = []openflow.Field{openflow.PktMark, openflow.CTMark}
)

func ruleTable(id uint8, name, about string, addresses []openflow.Field, next []string) *flow.Table {
	return &flow.Table{
		ID: id, Name: name, About: about,
		Match: append(addresses,
			phase, groups, openflow.CTState, openflow.CTMark, openflow.CTNwProto, openflow.CTTPDst, openflow.ConjID, openflow.EthType,
			openflow.IPProto, openflow.IPFrag, openflow.TCPDst, openflow.UDPSrc, openflow.UDPDst, openflow.SCTPDst,
			openflow.ICMPType, openflow.ICMPCode, openflow.ICMPv6Type, openflow.ICMPv6Code,
		),
		Set: []openflow.Field{openflow.CTMark}, Next: next,
	}
}

// replyTable matches by what began the connection, which is known of the first fragment of an answer, too, wherever its header is.
func replyTable(id uint8, name, about string, addresses []openflow.Field, next []string) *flow.Table {
	return &flow.Table{
		ID: id, Name: name, About: about,
		Match: append(addresses,
			phase, groups, openflow.CTState, openflow.CTMark, openflow.CTNwProto, openflow.CTTPSrc, openflow.CTTPDst, openflow.ConjID, openflow.EthType,
			openflow.IPProto, openflow.IPFrag, openflow.SCTPSrc,
		),
		Set: []openflow.Field{openflow.CTMark}, Next: next,
	}
}

// register is what stands for a set in the register groups.
func register(s view.Set) uint32 {
	if s.Stateless {
		return s.Number | statelessSet
	}
	return s.Number
}

// stateful matches packets judged by stateful groups; stateless the others.
func stateful() openflow.Match  { return flow.RegBits(groups, 0, statelessSet) }
func stateless() openflow.Match { return flow.RegBits(groups, statelessSet, statelessSet) }

// both makes two rows of one: the switch lets rows use the connection tracker, and match fragments, only where they say
// that the packet is IPv4, or that it is IPv6.
func both(t *flow.Table, priority uint16, m openflow.Match, do ...openflow.Action) []flow.Flow {
	return []flow.Flow{t.Row(priority, flow.IP(), m).Do(do...), t.Row(priority, flow.IPv6(), m).Do(do...)}
}
