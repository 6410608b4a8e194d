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

	ctTupleSrc = 0
	ctTupleDst = 1
)

// CTFlush makes the switch's connection tracker forget connections of a zone: all of them, or those whose first packet
// came from Src and went to Dst, as far as these are valid. Open vSwitch knows addresses in it since version 3.1; older
// ones refuse them.
type CTFlush struct {
	Zone     uint16
	Src, Dst netip.Addr
}

// Append implements Message.
func (m *CTFlush) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU32(appendHeader(b, v, TypeExperimenter, xid), ExperimenterNicira)
	if !m.Src.IsValid() && !m.Dst.IsValid() {
		return finish(appendU16(appendZeros(appendU32(b, nxtCTFlushZone), 6), m.Zone), start)
	}
	b = appendZeros(appendU32(b, nxtCTFlush), 8) // of any protocol and family
	tuple := len(b)
	b = appendZeros(appendU16(b, ctFlushOrigTuple), 6)
	b = appendCTAddress(b, ctTupleSrc, m.Src)
	b = appendCTAddress(b, ctTupleDst, m.Dst)
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

// IsCTFlush says whether a message is a CTFlush, which no controller is sent, and so is not decoded.
func IsCTFlush(m *Experimenter) bool {
	return m.Experimenter == ExperimenterNicira && (m.Type == nxtCTFlushZone || m.Type == nxtCTFlush)
}
