package flow

import (
	"net/netip"

	"github.com/weft-sdn/weft/openflow"
)

// From matches IPv4 or IPv6 packets from an address of a block.
func From(block netip.Prefix) openflow.Match {
	if block.Addr().Is4() {
		return And(IP(), one(openflow.PrefixField(openflow.IPv4Src, block)))
	}
	return And(IPv6(), one(openflow.PrefixField(openflow.IPv6Src, block)))
}

// Numbers of IP protocols (IANA, "Protocol Numbers").
const (
	ICMPProto   uint8 = 1
	TCPProto    uint8 = 6
	UDPProto    uint8 = 17
	ICMPv6Proto uint8 = 58
	SCTPProto   uint8 = 132
)

// Proto matches the IP protocol; the row must say ip or ipv6 too. Of an IPv6 packet it is that behind the extension headers.
func Proto(proto uint8) openflow.Match { return one(openflow.U8(openflow.IPProto, proto)) }

// UDP matches UDP datagrams over IPv4, or over IPv6, from one port to another; 0 is any.
func UDP(ipv6 bool, src, dst uint16) openflow.Match {
	m := And(Family(ipv6), Proto(UDPProto))
	if src != 0 {
		m = append(m, openflow.U16(openflow.UDPSrc, src))
	}
	if dst != 0 {
		m = append(m, openflow.U16(openflow.UDPDst, dst))
	}
	return m
}

// Family matches IPv4 packets, or IPv6 packets.
func Family(ipv6 bool) openflow.Match {
	if ipv6 {
		return IPv6()
	}
	return IP()
}

// ICMPv6Type matches ICMPv6 messages of a type, whatever their code.
func ICMPv6Type(typ uint8) openflow.Match {
	return And(IPv6(), Proto(ICMPv6Proto), one(openflow.U8(openflow.ICMPv6Type, typ)))
}

// Port matches the destination port of TCP, UDP or SCTP, in those bits that mask has; the row must say which of them.
func Port(proto uint8, port, mask uint16) openflow.Match {
	field := map[uint8]openflow.Field{TCPProto: openflow.TCPDst, UDPProto: openflow.UDPDst, SCTPProto: openflow.SCTPDst}[proto]
	return one(openflow.U16Masked(field, port, mask))
}

// SCTPFrom matches the source port of SCTP as Port does the destination's.
func SCTPFrom(port, mask uint16) openflow.Match {
	return one(openflow.U16Masked(openflow.SCTPSrc, port, mask))
}

// ICMPTypeCode matches the type, and with withCode the code, of ICMP messages, or ICMPv6 messages.
func ICMPTypeCode(ipv6 bool, typ, code uint8, withCode bool) openflow.Match {
	fields := [2]openflow.Field{openflow.ICMPType, openflow.ICMPCode}
	if ipv6 {
		fields = [2]openflow.Field{openflow.ICMPv6Type, openflow.ICMPv6Code}
	}
	m := one(openflow.U8(fields[0], typ))
	if withCode {
		m = append(m, openflow.U8(fields[1], code))
	}
	return m
}

// ARPSHA matches the MAC that an ARP packet's sender says to have.
func ARPSHA(mac [6]byte) openflow.Match { return one(openflow.MACField(openflow.ARPSHA, mac)) }

// ARPFrom matches ARP packets whose sender says to have an address of a block.
func ARPFrom(block netip.Prefix) openflow.Match {
	return And(ARP(), one(openflow.PrefixField(openflow.ARPSPA, block)))
}

// NDTargetIn matches neighbour solicitations and advertisements (the row says which) about an address of a block.
func NDTargetIn(block netip.Prefix) openflow.Match {
	return one(openflow.PrefixField(openflow.NDTarget, block))
}

// Whole matches packets that are no fragments.
func Whole() openflow.Match { return one(openflow.U8Masked(openflow.IPFrag, 0, 3)) }

// Fragment matches fragments, the first one too.
func Fragment() openflow.Match { return one(openflow.U8Masked(openflow.IPFrag, 1, 1)) }

// FirstFragment matches fragments that a datagram begins with.
func FirstFragment() openflow.Match { return one(openflow.U8Masked(openflow.IPFrag, 1, 3)) }

// LaterFragment matches fragments from the middle and the end of a datagram, which have no header of TCP, UDP or ICMP.
func LaterFragment() openflow.Match { return one(openflow.U8Masked(openflow.IPFrag, 3, 3)) }

// Tagged matches packets with a VLAN tag, also one that is for priority only.
func Tagged() openflow.Match {
	return one(openflow.U16Masked(openflow.VlanVID, openflow.VLANPresent, openflow.VLANPresent))
}

// PriorityTagged matches packets whose VLAN tag is for priority only: its id is 0 (IEEE 802.1Q, 6.9).
func PriorityTagged() openflow.Match {
	return one(openflow.U16(openflow.VlanVID, openflow.VLANPresent))
}

// LinkReserved matches the group addresses that no bridge forwards (IEEE 802.1Q, 8.6.3).
func LinkReserved() openflow.Match {
	return dlDstMasked("\x01\x80\xc2\x00\x00\x00", "\xff\xff\xff\xff\xff\xf0")
}
