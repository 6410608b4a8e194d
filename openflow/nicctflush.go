package openflow

import "net/netip"

// Messages that make a switch forget connections (nicira-ext.h, NXT_CT_FLUSH_ZONE and, since Open vSwitch 3.1, NXT_CT_FLUSH).
const (
	nxtCTFlushZone = 29
	nxtCTFlush     = 32
)

// Properties of NXT_CT_FLUSH, and of the tuple in it.
const (
	ctFlushOrigTuple = 0
	ctFlushZone      = 2

	ctTupleSrc      = 0
	ctTupleDst      = 1
	ctTupleSrcPort  = 2
	ctTupleDstPort  = 3
	ctTupleICMPID   = 4
	ctTupleICMPType = 5
	ctTupleICMPCode = 6
)

// Protocols of IP (IANA) that the tuple has identifiers of.
const icmpProtocol, icmpv6Protocol = 1, 58

// CTFlush makes the switch's connection tracker forget connections of a zone: all of them, or those whose first packet
// came from Src and went to Dst, as far as these are valid. Open vSwitch knows addresses in it since version 3.1; older
// ones refuse them.
type CTFlush struct {
	Zone     uint16
	Src, Dst netip.Addr
	// Protocol is IP's number; 0 for any. What follows is of the protocol, of the first packet as well; ports that are 0 are any.
	Protocol           uint8
	SrcPort, DstPort   uint16
	ICMPID             uint16
	ICMPType, ICMPCode uint8
}

// Append implements Message.
func (m *CTFlush) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU32(appendHeader(b, v, TypeExperimenter, xid), ExperimenterNicira)
	if !m.Src.IsValid() && !m.Dst.IsValid() {
		return finish(appendU16(appendZeros(appendU32(b, nxtCTFlushZone), 6), m.Zone), start)
	}
	b = appendZeros(append(appendU32(b, nxtCTFlush), m.Protocol), 7)
	tuple := len(b)
	b = appendZeros(appendU16(b, ctFlushOrigTuple), 6)
	b = appendCTAddress(b, ctTupleSrc, m.Src)
	b = appendCTAddress(b, ctTupleDst, m.Dst)
	if m.SrcPort != 0 {
		b = appendCTNumber(b, ctTupleSrcPort, byte(m.SrcPort>>8), byte(m.SrcPort))
	}
	if m.DstPort != 0 {
		b = appendCTNumber(b, ctTupleDstPort, byte(m.DstPort>>8), byte(m.DstPort))
	}
	if m.Protocol == icmpProtocol || m.Protocol == icmpv6Protocol {
		b = appendCTNumber(b, ctTupleICMPID, byte(m.ICMPID>>8), byte(m.ICMPID))
		b = appendCTNumber(b, ctTupleICMPType, m.ICMPType)
		b = appendCTNumber(b, ctTupleICMPCode, m.ICMPCode)
	}
	putLen(b, tuple+2, len(b)-tuple)
	b = appendU16(appendU16(appendU16(b, ctFlushZone), 8), m.Zone)
	return finish(appendZeros(b, 2), start)
}

// appendCTAddress appends an address, as one of IPv6.
func appendCTAddress(b []byte, property uint16, a netip.Addr) []byte {
	if !a.IsValid() {
		return b
	}
	start, mapped := len(b), a.As16()
	b = append(appendU16(appendU16(b, property), 4+16), mapped[:]...)
	return pad(b, start)
}

// appendCTNumber appends a number of one or two bytes.
func appendCTNumber(b []byte, property uint16, value ...byte) []byte {
	start := len(b)
	return pad(append(appendU16(appendU16(b, property), uint16(4+len(value))), value...), start)
}

// IsCTFlush says whether a message is a CTFlush, which no controller is sent, and so is not decoded.
func IsCTFlush(m *Experimenter) bool {
	return m.Experimenter == ExperimenterNicira && (m.Type == nxtCTFlushZone || m.Type == nxtCTFlush)
}
