package flow

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/openflow"
)

func one(o openflow.OXM) openflow.Match { return openflow.Match{o} }

// Broadcast is the Ethernet broadcast address.
var Broadcast = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// InPort matches packets that came in by a port.
func InPort(port uint32) openflow.Match { return one(openflow.U32(openflow.InPort, port)) }

// DlVlan matches packets that are tagged with a VLAN, 0..4095.
func DlVlan(vlan uint16) openflow.Match {
	return one(openflow.U16(openflow.VlanVID, vlan|openflow.VLANPresent))
}

// Untagged matches packets without a VLAN tag.
func Untagged() openflow.Match { return one(openflow.U16(openflow.VlanVID, 0)) }

// NoVLAN matches packets without a VLAN id: those without a tag, and those with one for priority only.
func NoVLAN() openflow.Match { return one(openflow.U16Masked(openflow.VlanVID, 0, 0x0fff)) }

// DlSrc matches the source MAC.
func DlSrc(mac [6]byte) openflow.Match { return one(openflow.MACField(openflow.EthSrc, mac)) }

// DlDst matches the destination MAC.
func DlDst(mac [6]byte) openflow.Match { return one(openflow.MACField(openflow.EthDst, mac)) }

// Unicast matches packets for one station: the group bit of the destination is off (IEEE 802, 8.2).
func Unicast() openflow.Match {
	return dlDstMasked("\x00\x00\x00\x00\x00\x00", "\x01\x00\x00\x00\x00\x00")
}

// Multicast matches packets for a group, or for all.
func Multicast() openflow.Match {
	return dlDstMasked("\x01\x00\x00\x00\x00\x00", "\x01\x00\x00\x00\x00\x00")
}

// SolicitedNode matches the destination MAC of multicast neighbour solicitations (RFC 4291, 2.7.1; RFC 2464, 7).
func SolicitedNode() openflow.Match {
	return dlDstMasked("\x33\x33\xff\x00\x00\x00", "\xff\xff\xff\x00\x00\x00")
}

func dlDstMasked(value, mask string) openflow.Match {
	return one(openflow.OXM{Field: openflow.EthDst, Value: value, Mask: mask})
}

// TunID matches packets that came with a tunnel key.
func TunID(id uint32) openflow.Match { return one(openflow.U64(openflow.TunID, uint64(id))) }

// ARP matches ARP packets.
func ARP() openflow.Match { return one(openflow.U16(openflow.EthType, 0x0806)) }

// Operations of ARP (RFC 826).
const (
	ARPRequest uint16 = 1
	ARPReply   uint16 = 2
)

// ARPOp matches the operation.
func ARPOp(op uint16) openflow.Match { return one(openflow.U16(openflow.ARPOp, op)) }

// ARPSPA matches the address of who asks.
func ARPSPA(ip netip.Addr) openflow.Match { return one(openflow.AddrField(openflow.ARPSPA, ip)) }

// ARPTPA matches the address that is asked for.
func ARPTPA(ip netip.Addr) openflow.Match { return one(openflow.AddrField(openflow.ARPTPA, ip)) }

// ARPTHA matches the MAC of who is answered.
func ARPTHA(mac [6]byte) openflow.Match { return one(openflow.MACField(openflow.ARPTHA, mac)) }

// Types of ICMPv6 messages, and the option types of neighbour discovery (RFC 4861, 4.2 to 4.4, 4.6.1).
const (
	RouterAdvertisement   uint8 = 134
	NeighborSolicitation  uint8 = 135
	NeighborAdvertisement uint8 = 136
	SourceLinkAddress     uint8 = 1
	TargetLinkAddress     uint8 = 2
)

// ICMPv6 matches ICMPv6 messages of a type, with code 0.
func ICMPv6(typ uint8) openflow.Match {
	return openflow.Match{
		openflow.U16(openflow.EthType, 0x86dd),
		openflow.U8(openflow.IPProto, 58),
		openflow.U8(openflow.ICMPv6Type, typ),
		openflow.U8(openflow.ICMPv6Code, 0),
	}
}

// IP matches IPv4 packets.
func IP() openflow.Match { return one(openflow.U16(openflow.EthType, 0x0800)) }

// IPv6 matches IPv6 packets.
func IPv6() openflow.Match { return one(openflow.U16(openflow.EthType, 0x86dd)) }

// To matches IPv4 or IPv6 packets to an address of a block.
func To(block netip.Prefix) openflow.Match {
	if block.Addr().Is4() {
		return And(IP(), one(openflow.PrefixField(openflow.IPv4Dst, block)))
	}
	return And(IPv6(), one(openflow.PrefixField(openflow.IPv6Dst, block)))
}

// NDTarget matches the address that a neighbour solicitation asks for, or an advertisement is about.
func NDTarget(ip netip.Addr) openflow.Match { return one(openflow.AddrField(openflow.NDTarget, ip)) }

// NDOption matches the type of a neighbour discovery message's option.
func NDOption(typ uint8) openflow.Match { return one(openflow.U8(openflow.NDOptionsType, typ)) }

// And matches what all of the matches match.
func And(matches ...openflow.Match) openflow.Match { return slices.Concat(matches...) }
