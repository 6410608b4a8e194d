package openflow

import "fmt"

// OutputReg sends the packet out of the port whose number is in a field.
type OutputReg struct {
	Src Subfield
	// MaxLen is as in Output. Open vSwitch does not print it.
	MaxLen uint16
}

func (a OutputReg) String() string { return string(a.appendText(nil)) }

func (a OutputReg) appendText(b []byte) []byte { return appendSubfield(append(b, "output:"...), a.Src) }

func (a OutputReg) appendWire(b []byte, _ Version) []byte {
	start := len(b)
	c := a.Src.Field.code(inNicira)
	if c == nil {
		return b
	}
	if c.experimental() {
		b = appendU16(appendU16(appendNicira(b, subtypeOutputReg2, 24), a.Src.ofsBits()), a.MaxLen)
		b = a.Src.appendHeader(b, inNicira)
	} else {
		b = appendU16(appendNicira(b, subtypeOutputReg, 24), a.Src.ofsBits())
		b = appendU16(a.Src.appendHeader(b, inNicira), a.MaxLen)
	}
	return appendZeros(b, start+24-len(b))
}

func parseOutputReg(c *cursor, second bool) Action {
	a := OutputReg{}
	a.Src.setOfsBits(c.u16())
	if second {
		a.MaxLen = c.u16()
	}
	if !a.Src.parseHeader(c) {
		return nil
	}
	if !second {
		a.MaxLen = c.u16()
	}
	return a
}

// OutputTrunc sends the first MaxLen bytes of the packet out of a port.
type OutputTrunc struct {
	Port   uint32
	MaxLen uint32
}

func (a OutputTrunc) String() string { return string(a.appendText(nil)) }

func (a OutputTrunc) appendText(b []byte) []byte {
	b = appendPort(append(b, "output(port="...), a.Port)
	return append(appendArg(b, ",max_len=", uint64(a.MaxLen)), ')')
}

func (a OutputTrunc) appendWire(b []byte, _ Version) []byte {
	return appendU32(appendU16(appendNicira(b, subtypeOutputTrunc, 16), narrow(a.Port)), a.MaxLen)
}

// StackPush puts a field's bits on a stack.
type StackPush struct{ Src Subfield }

func (a StackPush) String() string { return string(a.appendText(nil)) }

func (a StackPush) appendText(b []byte) []byte { return appendSubfield(append(b, "push:"...), a.Src) }

func (a StackPush) appendWire(b []byte, _ Version) []byte {
	return appendStack(b, subtypeStackPush, a.Src)
}

// StackPop takes a field's bits from the stack.
type StackPop struct{ Dst Subfield }

func (a StackPop) String() string { return string(a.appendText(nil)) }

func (a StackPop) appendText(b []byte) []byte { return appendSubfield(append(b, "pop:"...), a.Dst) }

func (a StackPop) appendWire(b []byte, _ Version) []byte {
	return appendStack(b, subtypeStackPop, a.Dst)
}

func appendStack(b []byte, subtype uint16, s Subfield) []byte {
	start := len(b)
	b = s.appendHeader(appendU16(appendNicira(b, subtype, 24), s.Ofs), inNicira)
	b = appendU16(b, s.Bits)
	return appendZeros(b, start+24-len(b))
}

func parseStack(c *cursor, push bool) Action {
	s := Subfield{Ofs: c.u16()}
	if !s.parseHeader(c) {
		return nil
	}
	s.Bits = c.u16()
	if push {
		return StackPush{Src: s}
	}
	return StackPop{Dst: s}
}

// CheckPktLarger sets a bit if the packet is longer than Len bytes.
type CheckPktLarger struct {
	Len uint16
	// Dst is one bit.
	Dst Subfield
}

func (a CheckPktLarger) String() string { return string(a.appendText(nil)) }

func (a CheckPktLarger) appendText(b []byte) []byte {
	return appendSubfield(fmt.Appendf(b, "check_pkt_larger(%d)->", a.Len), a.Dst)
}

func (a CheckPktLarger) appendWire(b []byte, _ Version) []byte {
	start := len(b)
	b = appendU16(appendU16(appendNicira(b, subtypeCheckPktLarger, 24), a.Len), a.Dst.Ofs)
	b = a.Dst.appendHeader(b, inNicira)
	return appendZeros(b, start+24-len(b))
}

func parseCheckPktLarger(c *cursor) Action {
	a := CheckPktLarger{Len: c.u16(), Dst: Subfield{Ofs: c.u16(), Bits: 1}}
	if !a.Dst.parseHeader(c) {
		return nil
	}
	return a
}

// DeleteField takes a tunnel metadata field off the packet.
type DeleteField struct {
	// Field is whole.
	Field Subfield
}

func (a DeleteField) String() string { return string(a.appendText(nil)) }

func (a DeleteField) appendText(b []byte) []byte {
	return append(append(b, "delete_field:"...), a.Field.Field.info().name...)
}

func (a DeleteField) appendWire(b []byte, _ Version) []byte {
	start := len(b)
	b = a.Field.appendHeader(appendNicira(b, subtypeDeleteField, 24), inNicira)
	return appendZeros(b, start+24-len(b))
}

func parseDeleteField(c *cursor) Action {
	a := DeleteField{}
	if !a.Field.parseHeader(c) {
		return nil
	}
	a.Field.Bits = uint16(8 * a.Field.width())
	return a
}

// DecTTLIDs is like DecTTL, but a packet whose TTL is used up goes to the controllers with these ids.
type DecTTLIDs struct {
	// IDs are big-endian 16-bit numbers. A string keeps the type comparable.
	IDs string
}

func (a DecTTLIDs) String() string { return string(a.appendText(nil)) }

func (a DecTTLIDs) appendText(b []byte) []byte {
	b = append(b, "dec_ttl("...)
	for i := 0; i+1 < len(a.IDs); i += 2 {
		b = append(appendArg(b, "", uint64(a.IDs[i])<<8|uint64(a.IDs[i+1])), ',')
	}
	return closeList(b)
}

func (a DecTTLIDs) appendWire(b []byte, _ Version) []byte {
	start := len(b)
	b = appendZeros(appendU16(appendNicira(b, subtypeDecTTLIDs, 0), uint16(len(a.IDs)/2)), 4)
	return finishAction(append(b, a.IDs...), start)
}

func parseDecTTLIDs(c *cursor) Action {
	n := int(c.u16())
	c.skip(4)
	return DecTTLIDs{IDs: string(c.take(2 * n))}
}
