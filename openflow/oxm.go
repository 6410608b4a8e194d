package openflow

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// U8 is field f with the value v, in as many bytes as the field has.
func U8(f Field, v uint8) OXM { return U64(f, uint64(v)) }

// U16 is field f with the value v.
func U16(f Field, v uint16) OXM { return U64(f, uint64(v)) }

// U32 is field f with the value v.
func U32(f Field, v uint32) OXM { return U64(f, uint64(v)) }

// U64 is field f with the value v. Wider fields get it in their least significant bits, narrower ones lose the rest.
func U64(f Field, v uint64) OXM { return OXM{Field: f, Value: number(f, v)} }

// U8Masked is field f with the value v in those bits that mask has.
func U8Masked(f Field, v, mask uint8) OXM { return U64Masked(f, uint64(v), uint64(mask)) }

// U16Masked is field f with the value v in those bits that mask has.
func U16Masked(f Field, v, mask uint16) OXM { return U64Masked(f, uint64(v), uint64(mask)) }

// U32Masked is field f with the value v in those bits that mask has.
func U32Masked(f Field, v, mask uint32) OXM { return U64Masked(f, uint64(v), uint64(mask)) }

// U64Masked is field f with the value v in those bits that mask has. A switch refuses other bits in v (OpenFlow 1.3.5,
// 7.2.3.5), so they are cleared.
func U64Masked(f Field, v, mask uint64) OXM {
	return OXM{Field: f, Value: number(f, v&mask), Mask: number(f, mask)}
}

func number(f Field, v uint64) string {
	var buf [maxTunMetadata]byte
	n := f.Bytes()
	if f.variable() {
		n = 8
	}
	for i := n - 1; i >= 0 && v != 0; i-- {
		buf[i] = byte(v)
		v >>= 8
	}
	return string(buf[:n])
}

// MACField is a MAC address field with the value mac.
func MACField(f Field, mac [6]byte) OXM { return OXM{Field: f, Value: string(mac[:])} }

// AddrField is an IPv4 or IPv6 address field with the value a. An IPv4 address in IPv6 form goes into an IPv4 field.
func AddrField(f Field, a netip.Addr) OXM {
	if f.Bytes() == 4 {
		a = a.Unmap()
	}
	return OXM{Field: f, Value: string(a.AsSlice())}
}

// PrefixField is an address field that lies in p. The mask of a whole address is left out.
func PrefixField(f Field, p netip.Prefix) OXM {
	o := AddrField(f, p.Masked().Addr())
	if p.Bits() == p.Addr().BitLen() {
		return o
	}
	var mask [16]byte
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	o.Mask = string(mask[:len(o.Value)])
	return o
}

// Bytes is field f with a value in wire form, and a mask of the same length, or none. Bits of the value outside the mask
// are cleared.
func Bytes(f Field, value, mask []byte) OXM {
	o := OXM{Field: f, Value: string(value), Mask: string(mask)}
	if len(mask) > 0 && len(mask) == len(value) {
		o.Value = masked(o.Value, o.Mask)
	}
	return o
}

// Uint is the value as a number: its least significant 64 bits.
func (o OXM) Uint() uint64 { return stringUint(o.Value) }

// MaskUint is the mask as a number, all ones for an exact match.
func (o OXM) MaskUint() uint64 {
	if o.Mask == "" {
		return 1<<min(8*len(o.Value), 64) - 1
	}
	return stringUint(o.Mask)
}

func stringUint(s string) uint64 {
	var v uint64
	for i := max(0, len(s)-8); i < len(s); i++ {
		v = v<<8 | uint64(s[i])
	}
	return v
}

// Addr is the value of an address field; the zero Addr for any other.
func (o OXM) Addr() netip.Addr {
	a, _ := netip.AddrFromSlice([]byte(o.Value))
	return a
}

// variable says that the width of the field is that of its value.
func (f Field) variable() bool {
	f = f.Plain()
	return f >= TunMetadata0 && f < TunMetadata0+64
}

// whole says that the mask is all ones. For a field of variable width that says nothing: the field may be wider.
func (o *OXM) whole() bool { return allOnes(o.Mask) && !o.Field.variable() }

// appendOXM appends an element of a match. An unknown element stands as it came.
func appendOXM(b []byte, o *OXM, p place) []byte {
	c := o.Field.code(p)
	if c == nil {
		return append(b, o.Value...)
	}
	b = c.append(b, len(o.Value)+len(o.Mask), o.Mask != "")
	b = append(b, o.Value...)
	return append(b, o.Mask...)
}

// append appends the header in front of n bytes of value and mask.
func (c *wireCode) append(b []byte, n int, masked bool) []byte {
	h := c.header | uint32(n)
	if masked {
		h |= 1 << 8
	}
	if c.experimental() {
		return appendU32(appendU32(b, h+4), c.experimenter)
	}
	return appendU32(b, h)
}

// oxmHead is an element's header, taken apart.
type oxmHead struct {
	field  Field
	masked bool
	// head and payload are lengths in bytes.
	head, payload int
}

// readOXMHead reads the header at the beginning of b, and makes sure that the payload is there too.
func readOXMHead(b []byte, p place) (oxmHead, error) {
	h, err := readOXMHeader(b, p)
	if err == nil && len(b) < h.head+h.payload {
		err = fmt.Errorf("match element %x: %d bytes where %d should follow", b[:h.head], len(b)-h.head, h.payload)
	}
	return h, err
}

// readOXMHeader is like readOXMHead for a header that stands alone, as actions have them.
func readOXMHeader(b []byte, p place) (oxmHead, error) {
	if len(b) < 4 {
		return oxmHead{}, fmt.Errorf("match element: %d bytes are no header", len(b))
	}
	v := binary.BigEndian.Uint32(b)
	h := oxmHead{masked: v>>8&1 != 0, head: 4, payload: int(v & 0xff)}
	var experimenter uint32
	if v>>16 == classExperimenter {
		if len(b) < 8 || h.payload < 4 {
			return h, fmt.Errorf("match element %x: no experimenter", b[:4])
		}
		experimenter = binary.BigEndian.Uint32(b[4:])
		h.head, h.payload = 8, h.payload-4
	}
	h.field = fieldOfCode(v, experimenter, p)
	n := h.payload
	if h.masked {
		n /= 2
	}
	switch {
	case h.field == 0,
		h.field.variable() && (n == 0 && h.masked || n > maxTunMetadata),
		!h.field.variable() && n != h.field.Bytes(),
		h.masked && h.payload%2 != 0:
		// A length that the field cannot have is told as an unknown field, so that it re-encodes identically.
		h.field = UnknownField
	}
	return h, nil
}

// oxm takes the element that h heads out of s, which begins with it.
func (h oxmHead) oxm(s string) OXM {
	end := h.head + h.payload
	switch {
	case h.field == UnknownField:
		return OXM{Field: UnknownField, Value: s[:end]}
	case h.masked:
		mid := h.head + h.payload/2
		return OXM{Field: h.field, Value: s[h.head:mid], Mask: s[mid:end]}
	}
	return OXM{Field: h.field, Value: s[h.head:end]}
}
