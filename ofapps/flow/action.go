package flow

import (
	"net/netip"

	"github.com/weft-sdn/weft/openflow"
)

// ethertypeVLAN is the tag protocol id of 802.1Q.
const ethertypeVLAN uint16 = 0x8100

// Output sends the packet out of a port.
func Output(port uint32) openflow.Action { return openflow.Output{Port: port} }

// InPortOut sends the packet back to where it came from.
func InPortOut() openflow.Action { return openflow.Output{Port: openflow.PortInPort} }

// Normal lets the bridge forward the packet as a learning switch does, by the VLANs of its ports.
func Normal() openflow.Action { return openflow.Output{Port: openflow.PortNormal} }

// Goto sends the packet on to another table of the pipeline.
func Goto(t *Table) openflow.Action { return openflow.GotoTable{Table: t.ID} }

// PushVLAN tags the packet; SetVLAN says with what.
func PushVLAN() openflow.Action { return openflow.PushVLAN{EthType: ethertypeVLAN} }

// PopVLAN takes the outer tag off.
func PopVLAN() openflow.Action { return openflow.PopVLAN{} }

// SetVLAN writes the VLAN id, 0..4095, of a tag that is there.
func SetVLAN(vlan uint16) openflow.Action {
	return set(openflow.U16(openflow.VlanVID, vlan|openflow.VLANPresent))
}

// SetTunID writes the key that a tunnel will carry.
func SetTunID(id uint32) openflow.Action { return set(openflow.U64(openflow.TunID, uint64(id))) }

// SetEthSrc writes the source MAC.
func SetEthSrc(mac [6]byte) openflow.Action { return set(openflow.MACField(openflow.EthSrc, mac)) }

// SetEthDst writes the destination MAC.
func SetEthDst(mac [6]byte) openflow.Action { return set(openflow.MACField(openflow.EthDst, mac)) }

// SetARPOp writes the operation of an ARP packet.
func SetARPOp(op uint16) openflow.Action { return set(openflow.U16(openflow.ARPOp, op)) }

// SetARPSHA writes the MAC of the ARP packet's sender.
func SetARPSHA(mac [6]byte) openflow.Action { return set(openflow.MACField(openflow.ARPSHA, mac)) }

// SetARPSPA writes the address of the ARP packet's sender.
func SetARPSPA(ip netip.Addr) openflow.Action { return set(openflow.AddrField(openflow.ARPSPA, ip)) }

// SetIPv6Src writes the source address of an IPv6 packet.
func SetIPv6Src(ip netip.Addr) openflow.Action { return set(openflow.AddrField(openflow.IPv6Src, ip)) }

// SetICMPv6Type writes the type of an ICMPv6 message.
func SetICMPv6Type(typ uint8) openflow.Action { return set(openflow.U8(openflow.ICMPv6Type, typ)) }

// SetNDOption writes the type of a neighbour discovery message's option.
func SetNDOption(typ uint8) openflow.Action { return set(openflow.U8(openflow.NDOptionsType, typ)) }

// Flags of a neighbour advertisement, in the 32 bits that follow its checksum (RFC 4861, 4.4).
const (
	NDRouter    uint32 = 1 << 31
	NDSolicited uint32 = 1 << 30
	NDOverride  uint32 = 1 << 29
)

// SetNDFlags writes the flags of a neighbour advertisement.
func SetNDFlags(flags uint32) openflow.Action { return set(openflow.U32(openflow.NDReserved, flags)) }

// SetDSCP writes the differentiated services codepoint (RFC 2474), 0..63, of an IPv4 or IPv6 packet.
func SetDSCP(dscp uint8) openflow.Action { return set(openflow.U8(openflow.IPDSCP, dscp)) }

// Metered drops the packet when the meter's rate is exceeded. It comes first in its row.
func Metered(meter uint32) openflow.Action { return openflow.Meter{ID: meter} }

// Apart lets nothing that becomes of the packet from here on befall other copies of it: a meter that drops one ends, in Open
// vSwitch, all that the packet had before it. What is done after check_pkt_larger is done to a packet of its own. bit is
// written and says nothing: no packet is as long.
func Apart(bit openflow.Subfield) openflow.Action {
	return openflow.CheckPktLarger{Len: 65535, Dst: bit}
}

func set(o openflow.OXM) openflow.Action { return openflow.SetField{OXM: o} }

// Move copies a whole field into another of the same width.
func Move(from, to openflow.Field) openflow.Action {
	return openflow.Move{Src: from.Whole(), Dst: to.Whole()}
}
