package openflow

import (
	"slices"
)

// Canonical returns the match as Open vSwitch would list it in a dump of OpenFlow 1.3 or 1.4: sorted, wide registers
// split into their 32-bit parts, values cleared where the mask is, masks of all ones left out, elements that match
// everything dropped. Two matches that mean the same have one canonical form, and so one wire form.
//
// It adds nothing: a match that lacks what its fields need (ip before nw_src) is refused by a switch, canonical or not.
// m itself is unchanged; when it is canonical already, it is what is returned.
func Canonical(m Match) Match {
	if isCanonical(m) {
		return m
	}
	return normalize(append(make(Match, 0, len(m)+3), m...))
}

// isCanonical says that m needs no work. It does not allocate.
func isCanonical(m Match) bool {
	for i := range m {
		o := &m[i]
		if i > 0 && o.Field <= m[i-1].Field {
			return false
		}
		switch f := o.Field; {
		case f >= UnknownField, f == VlanTCI, f == IPTOS, f == InPort16, f >= XReg0 && f <= XXReg3, f == PacketType:
			return false
		case o.Mask == "":
			if impliedMask(o) != "" {
				return false
			}
		case o.whole() || stringZero(o.Mask) && !f.variable() || !within(o.Value, o.Mask):
			return false
		case wholeMask(f) != "" && o.Mask == wholeMask(f):
			return false
		}
	}
	return true
}

// within says that the value has no bit outside the mask.
func within(value, mask string) bool {
	for i := range len(mask) {
		if i >= len(value) || value[i]&^mask[i] != 0 {
			return false
		}
	}
	return true
}

// masked is the value without the bits outside the mask, which must be as long.
func masked(value, mask string) string {
	v := []byte(value)
	for i := range v {
		v[i] &= mask[i]
	}
	return string(v)
}

// wholeMask is the mask of fields whose used bits are fewer than their bytes hold, where Open vSwitch takes that mask
// for an exact match.
func wholeMask(f Field) string {
	switch f {
	case VlanVID:
		return "\x1f\xff"
	case IPFrag:
		return "\x03"
	case NSHSPI:
		return "\x00\xff\xff\xff"
	}
	return ""
}

// impliedMask is the mask under which Open vSwitch lists an exact match of fields of which it keeps fewer bits than
// there are.
func impliedMask(o *OXM) string {
	switch o.Field {
	case CTState:
		return "\x00\x00\x00\xff"
	case TunFlags:
		return "\x00\x01"
	case TunERSPANVer, TunERSPANDir, TunERSPANHWID, TunGTPUFlags, TunGTPUMsgType:
		// Open vSwitch takes the value for the mask (lib/match.c, match_set_tun_erspan_ver and its like).
		return o.Value
	}
	return ""
}

// normalize makes m canonical in place, or in a copy where it must grow.
func normalize(m Match) Match {
	out := m[:0]
	var wide []OXM
	for i := range m {
		o := m[i]
		if o.Field.Plain() != UnknownField {
			o.Field = o.Field.Plain()
		}
		if f := o.Field; f == VlanTCI || f >= XReg0 && f <= XXReg3 {
			wide = append(wide, o)
			continue
		}
		if o, ok := normalizeOXM(o); ok {
			out = append(out, o)
		}
	}
	for _, o := range wide {
		out = appendParts(out, o)
	}
	slices.SortStableFunc(out, func(a, b OXM) int { return int(a.Field) - int(b.Field) })
	return out
}

// normalizeOXM says no to an element that matches everything.
func normalizeOXM(o OXM) (OXM, bool) {
	switch o.Field {
	case InPort16:
		return U32(InPort, wide(uint16(o.Uint()))), true
	case IPTOS:
		return U8(IPDSCP, uint8(o.Uint())>>2), true
	case PacketType:
		// Ethernet is what every packet is unless somebody says otherwise, and a switch does not repeat it.
		if o.Mask == "" && o.Uint() == 0 {
			return o, false
		}
	}
	if o.whole() || o.Mask != "" && o.Mask == wholeMask(o.Field) {
		o.Mask = ""
	}
	if o.Mask == "" {
		o.Mask = impliedMask(&o)
	}
	switch {
	case o.Mask == "":
	case o.whole():
		o.Mask = ""
	case stringZero(o.Mask) && !o.Field.variable():
		return o, false
	case len(o.Value) == len(o.Mask) && !within(o.Value, o.Mask):
		o.Value = masked(o.Value, o.Mask)
	}
	return o, true
}

// appendParts appends the fields that o is made of.
func appendParts(m Match, o OXM) Match {
	mask := o.Mask
	if mask == "" {
		mask = string(ones[:len(o.Value)])
	}
	if o.Field == VlanTCI {
		tci, bits := uint16(o.Uint()), uint16(stringUint(mask))
		if vid, ok := normalizeOXM(U16Masked(VlanVID, tci&0x1fff, bits&0x1fff)); ok {
			m = append(m, vid)
		}
		if bits&0xe000 != 0 && tci&bits&0x1fff != 0 {
			m = append(m, U8(VlanPCP, uint8(tci>>13)))
		}
		return m
	}
	reg, n := Reg0+4*(o.Field-XXReg0), 4
	if o.Field < XXReg0 {
		reg, n = Reg0+2*(o.Field-XReg0), 2
	}
	if len(o.Value) != 4*n {
		return append(m, o)
	}
	for i := range n {
		part := OXM{Field: reg + Field(i), Value: o.Value[4*i : 4*i+4], Mask: mask[4*i : 4*i+4]}
		if part, ok := normalizeOXM(part); ok {
			m = append(m, part)
		}
	}
	return m
}

const ones = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
