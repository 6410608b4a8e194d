package openflow

import (
	"encoding/binary"
	"math/bits"
)

// SetField sets a field, or those bits of it that the mask has.
//
// OpenFlow 1.3 and 1.4 know no mask there: such an action goes out as one Load for each run of bits, is printed as
// that, and comes back as that.
type SetField struct{ OXM }

func (a SetField) String() string { return string(a.appendText(nil)) }

func (a SetField) appendText(b []byte) []byte {
	if a.Mask != "" && !a.whole() && !stringZero(a.Mask) && !a.needsLoad2() {
		for i, l := range loads(nil, &a.OXM) {
			if i > 0 {
				b = append(b, ',')
			}
			b = l.appendText(b)
		}
		return b
	}
	b = append(b, "set_field:"...)
	b = appendValue(b, a.Field, a.Value, a.Mask)
	return append(append(b, "->"...), a.Field.info().name...)
}

func (a SetField) appendWire(b []byte, v Version) []byte {
	o := a.OXM
	if o.whole() {
		o.Mask = ""
	}
	if o.Mask != "" && v < V15 {
		if o.needsLoad2() {
			return appendLoad2(b, o)
		}
		var buf [4]Load
		for _, l := range loads(buf[:0], &o) {
			b = l.appendWire(b, v)
		}
		return b
	}
	o.trim()
	start := len(b)
	b = appendOXM(appendAction(b, typeSetField), &o, v.place())
	return finishAction(b, start)
}

// trim takes leading zeros off the value of a field of variable width, as Open vSwitch does in actions.
func (o *OXM) trim() {
	for o.Field.variable() && len(o.Value) > 0 && o.Value[0] == 0 && (o.Mask == "" || o.Mask[0] == 0) {
		o.Value = o.Value[1:]
		if o.Mask != "" {
			o.Mask = o.Mask[1:]
		}
	}
}

// place is where set-field and copy-field name their fields.
func (v Version) place() place {
	if v >= V15 {
		return inMatch15
	}
	return inMatch
}

func allOnes(s string) bool {
	for i := range len(s) {
		if s[i] != 0xff {
			return false
		}
	}
	return s != ""
}

func parseSetField(c *cursor, v Version) Action {
	h, err := readOXMHead(c.b, v.place())
	if err != nil || h.field == UnknownField || h.masked && v < V15 {
		return nil
	}
	return SetField{h.oxm(string(c.take(h.head + h.payload)))}
}

// Load sets bits of a field, at most 64 of them. OpenFlow 1.5 has no such action: there it goes out as SetField.
type Load struct {
	Value uint64
	Dst   Subfield
}

func (a Load) String() string { return string(a.appendText(nil)) }

func (a Load) appendText(b []byte) []byte {
	b = appendHex(append(b, "load:"...), a.Value)
	return appendSubfield(append(b, "->"...), a.Dst)
}

func (a Load) appendWire(b []byte, v Version) []byte {
	if v >= V15 {
		return SetField{a.oxm()}.appendWire(b, v)
	}
	c := a.Dst.Field.code(inNicira)
	if c == nil {
		return b
	}
	if c.experimental() || a.Dst.Field.variable() {
		return appendLoad2(b, a.oxm())
	}
	b = appendNicira(b, subtypeRegLoad, 24)
	b = appendU16(b, a.Dst.ofsBits())
	b = c.append(b, a.Dst.width(), false)
	return appendU64(b, a.Value)
}

// oxm is the field with a mask of the bits that are loaded.
func (a Load) oxm() OXM {
	n := a.Dst.width()
	value, mask := make([]byte, n), make([]byte, n)
	for i := range int(a.Dst.Bits) {
		at := int(a.Dst.Ofs) + i
		if byt := n - 1 - at/8; byt >= 0 {
			mask[byt] |= 1 << (at % 8)
			if i < 64 && a.Value>>i&1 != 0 {
				value[byt] |= 1 << (at % 8)
			}
		}
	}
	return OXM{Field: a.Dst.Field, Value: string(value), Mask: string(mask)}
}

// ofsBits is how most Nicira actions tell offset and width: 10 bits and, less one, 6 bits.
func (s Subfield) ofsBits() uint16 { return s.Ofs<<6 | (s.Bits-1)&0x3f }

// width is the field's width on the wire, in bytes.
func (s Subfield) width() int {
	if s.Width != 0 {
		return int(s.Width)
	}
	return s.Field.Bytes()
}

// needsLoad2 says that the field has no code of 32 bits and one width, which Load needs.
func (o *OXM) needsLoad2() bool {
	c := o.Field.code(inNicira)
	return c == nil || c.experimental() || o.Field.variable()
}

// loads appends the loads that set exactly the bits in the mask.
func loads(out []Load, o *OXM) []Load {
	n := 8 * len(o.Mask)
	for at := 0; at < n; {
		if !bitOf(o.Mask, at) {
			at++
			continue
		}
		l := Load{Dst: Subfield{Field: o.Field, Ofs: uint16(at)}}
		for ; at < n && l.Dst.Bits < 64 && bitOf(o.Mask, at); at++ {
			if bitOf(o.Value, at) {
				l.Value |= 1 << l.Dst.Bits
			}
			l.Dst.Bits++
		}
		out = append(out, l)
	}
	return out
}

// bitOf is bit i of a big-endian number, from the least significant.
func bitOf(s string, i int) bool {
	at := len(s) - 1 - i/8
	return at >= 0 && s[at]>>(i%8)&1 != 0
}

// appendLoad2 appends the load of fields that have no code of 32 bits, or no fixed width.
func appendLoad2(b []byte, o OXM) []byte {
	if o.whole() {
		o.Mask = ""
	}
	o.trim()
	start := len(b)
	b = appendOXM(appendNicira(b, subtypeRegLoad2, 0), &o, inNicira)
	return finishAction(b, start)
}

func parseLoad(c *cursor) Action {
	dst := Subfield{}
	dst.setOfsBits(c.u16())
	if !dst.parseHeader(c) {
		return nil
	}
	l := Load{Dst: dst, Value: c.u64()}
	if bits.Len64(l.Value) > int(dst.Bits) || int(dst.Ofs)+int(dst.Bits) > 8*dst.width() {
		return nil
	}
	return l
}

func parseLoad2(c *cursor) Action {
	h, err := readOXMHead(c.b, inNicira)
	if err != nil || h.field == UnknownField {
		return nil
	}
	return SetField{h.oxm(string(c.take(h.head + h.payload)))}
}

func (s *Subfield) setOfsBits(v uint16) { s.Ofs, s.Bits = v>>6, v&0x3f+1 }

// parseHeader takes the field's header off. It says no to what is no field of this package.
func (s *Subfield) parseHeader(c *cursor) bool { return s.parseHeaderAt(c, inNicira) }

func (s *Subfield) parseHeaderAt(c *cursor, p place) bool {
	if len(c.b) < 4 {
		return false
	}
	h, err := readOXMHeader(c.b, p)
	if err != nil || h.field == UnknownField || h.masked {
		return false
	}
	s.Field = h.field
	if h.field.variable() && h.payload != h.field.Bytes() {
		s.Width = uint8(h.payload)
	}
	c.skip(h.head)
	return true
}

// appendHeader appends the field's header alone; four zeros for no field.
func (s Subfield) appendHeader(b []byte, p place) []byte {
	c := s.Field.code(p)
	if c == nil {
		return appendZeros(b, 4)
	}
	return c.append(b, s.width(), false)
}

// Move copies bits from one field to another. Dst.Bits counts; Src.Bits should be the same.
type Move struct{ Src, Dst Subfield }

func (a Move) String() string { return string(a.appendText(nil)) }

func (a Move) appendText(b []byte) []byte {
	b = appendSubfield(append(b, "move:"...), a.Src)
	return appendSubfield(append(b, "->"...), a.Dst)
}

func (a Move) appendWire(b []byte, v Version) []byte {
	start := len(b)
	p := inNicira
	if v >= V15 {
		p = inMatch15
		b = appendAction(b, typeCopyField)
	} else {
		b = appendNicira(b, subtypeRegMove, 0)
	}
	b = appendU16(appendU16(appendU16(b, a.Dst.Bits), a.Src.Ofs), a.Dst.Ofs)
	if v >= V15 {
		b = append(b, 0, 0)
	}
	b = a.Dst.appendHeader(a.Src.appendHeader(b, p), p)
	return finishAction(b, start)
}

func parseMove(c *cursor, p place) Action {
	n := c.u16()
	a := Move{Src: Subfield{Bits: n, Ofs: c.u16()}, Dst: Subfield{Bits: n, Ofs: c.u16()}}
	if p == inMatch15 {
		c.skip(2)
	}
	if !a.Src.parseHeaderAt(c, p) || !a.Dst.parseHeaderAt(c, p) {
		return nil
	}
	return a
}

func parseCopyField(c *cursor) Action { return parseMove(c, inMatch15) }

// appendNicira begins a Nicira action whose length is n; 0 leaves it to finishAction.
func appendNicira(b []byte, subtype uint16, n int) []byte {
	b = append(b, 0xff, 0xff, byte(n>>8), byte(n))
	b = binary.BigEndian.AppendUint32(b, experimenterNicira)
	return append(b, byte(subtype>>8), byte(subtype))
}
