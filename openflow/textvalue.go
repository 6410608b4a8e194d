package openflow

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// appendHex appends a number as printf's %#x does: zero has no 0x.
func appendHex(b []byte, v uint64) []byte {
	if v == 0 {
		return append(b, '0')
	}
	return strconv.AppendUint(append(b, "0x"...), v, 16)
}

// appendHexBytes is appendHex for a number of any length, big-endian.
func appendHexBytes(b []byte, s string) []byte {
	for s != "" && s[0] == 0 {
		s = s[1:]
	}
	if s == "" {
		return append(b, '0')
	}
	b = strconv.AppendUint(append(b, "0x"...), uint64(s[0]), 16)
	for i := 1; i < len(s); i++ {
		b = append(b, hexDigits[s[i]>>4], hexDigits[s[i]&15])
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendHexPadded appends a number as printf's 0x%0*x does, in at least width digits.
func appendHexPadded(b []byte, v uint64, width int) []byte {
	b = append(b, "0x"...)
	for d := 4 * (width - 1); d > 0 && v>>d == 0; d -= 4 {
		b = append(b, '0')
	}
	return strconv.AppendUint(b, v, 16)
}

var reservedPorts = map[uint32]string{
	PortInPort: "IN_PORT", PortTable: "TABLE", PortNormal: "NORMAL", PortFlood: "FLOOD", PortAll: "ALL",
	PortController: "CONTROLLER", PortLocal: "LOCAL", PortAny: "ANY", PortUnset: "UNSET",
}

// PortUnset is what ActsetOutput has when the action set has no output (OpenFlow 1.5.1, 7.2.2.1, OFPP_UNSET).
const PortUnset uint32 = 0xfffffff7

func appendPort(b []byte, port uint32) []byte {
	if port >= PortMax {
		if name := reservedPorts[port]; name != "" {
			return append(b, name...)
		}
	}
	return strconv.AppendUint(b, uint64(port), 10)
}

// PortName is how ovs-ofctl names a port: its number, or IN_PORT, LOCAL … for reserved ones.
func PortName(port uint32) string { return string(appendPort(nil, port)) }

// appendAddr writes addresses as inet_ntop does. It differs from netip in addresses of the deprecated form ::192.0.2.1.
func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is6() && !a.Is4In6() {
		x := a.As16()
		if binary.BigEndian.Uint64(x[:]) == 0 && binary.BigEndian.Uint32(x[8:]) == 0 && (x[12] != 0 || x[13] != 0) {
			return netip.AddrFrom4([4]byte(x[12:])).AppendTo(append(b, "::"...))
		}
	}
	return a.AppendTo(b)
}

func appendMAC(b []byte, s string) []byte {
	for i := range len(s) {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hexDigits[s[i]>>4], hexDigits[s[i]&15])
	}
	return b
}

// prefixLen is the length of a mask that is a prefix.
func prefixLen(mask string) (int, bool) {
	n := 0
	for n < 8*len(mask) && mask[n/8]&(0x80>>(n%8)) != 0 {
		n++
	}
	for i := n; i < 8*len(mask); i++ {
		if mask[i/8]&(0x80>>(i%8)) != 0 {
			return 0, false
		}
	}
	return n, true
}

func appendMaskedAddr(b []byte, value, mask string) []byte {
	a, _ := netip.AddrFromSlice([]byte(value))
	b = appendAddr(b, a)
	if mask == "" || allOnes(mask) {
		return b
	}
	b = append(b, '/')
	if n, ok := prefixLen(mask); ok {
		return strconv.AppendInt(b, int64(n), 10)
	}
	m, _ := netip.AddrFromSlice([]byte(mask))
	return appendAddr(b, m)
}

func appendMaskedMAC(b []byte, value, mask string) []byte {
	b = appendMAC(b, value)
	if mask == "" || allOnes(mask) {
		return b
	}
	return appendMAC(append(b, '/'), mask)
}

// Names of bits, from the least significant.
var (
	ctStateNames = []string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"}
	tcpFlagNames = []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"}
	tunFlagNames = []string{"oam"}
	// fragNames are by value and mask.
	fragNames = map[[2]uint8]string{{0, 3}: "no", {1, 3}: "first", {3, 3}: "later", {0, 1}: "no", {1, 1}: "yes",
		{0, 2}: "not_later", {2, 2}: "later"}
)

// The bits that fields of more bytes than they need really have.
const (
	tcpFlagsMask  = 0xfff
	tunFlagsMask  = 1
	ctStateMask   = 0xffff
	ctStateNamed  = 0xff
	fragMask      = 3
	vlanVIDMask   = 0x0fff
	vlanFieldMask = 0x1fff
)

// appendFlags writes bits: all of them as "syn|ack" when the mask is full, else each as "+syn-ack".
func appendFlags(b []byte, names []string, v, mask, full uint64) []byte {
	switch {
	case mask == full && v == 0:
		return append(b, '0')
	case mask == 0:
		return append(b, "0/0"...)
	}
	start := len(b)
	var nameless uint64
	for i := range 64 {
		bit := uint64(1) << i
		name := ""
		if i < len(names) {
			name = names[i]
		}
		switch {
		case mask == full:
			if v&bit != 0 && name == "" {
				nameless |= bit
			} else if v&bit != 0 {
				b = append(append(b, name...), '|')
			}
		case mask&bit != 0:
			if name == "" {
				name = "[Unknown]"
			}
			b = append(append(b, "-+"[v&bit>>i]), name...)
		}
	}
	if nameless != 0 {
		b = append(appendHex(b, nameless), '|')
	}
	if mask == full && len(b) > start {
		b = b[:len(b)-1]
	}
	return b
}

// appendValue writes a value and its mask as the field wants it, as set_field actions have it.
func appendValue(b []byte, f Field, value, mask string) []byte {
	o := OXM{Field: f, Value: value, Mask: mask}
	if o.whole() {
		o.Mask, mask = "", ""
	}
	if mask != "" && stringZero(mask) {
		return append(b, "ANY"...)
	}
	switch f.info().format {
	case asMAC:
		return appendMaskedMAC(b, value, mask)
	case asIPv4, asIPv6:
		return appendMaskedAddr(b, value, mask)
	case asPort:
		if mask == "" {
			return appendPort(b, uint32(o.Uint()))
		}
	case asPort16:
		if mask == "" {
			return appendPort(b, wide(uint16(o.Uint())))
		}
	case asCTState:
		return appendFlags(b, ctStateNames, o.Uint(), o.MaskUint(), ctStateMask)
	case asTunFlags:
		return appendFlags(b, tunFlagNames, o.Uint(), o.MaskUint()&tunFlagsMask, tunFlagsMask)
	case asTCPFlags:
		return appendFlags(b, tcpFlagNames, o.Uint(), o.MaskUint()&tcpFlagsMask, tcpFlagsMask)
	case asFrag:
		return append(b, fragName(o)...)
	case asPacketType:
		return appendPacketType(b, uint32(o.Uint()))
	case asHex:
		b = appendHexBytes(b, value)
		if mask == "" {
			return b
		}
		return appendHexBytes(append(b, '/'), mask)
	}
	b = strconv.AppendUint(b, o.Uint(), 10)
	if mask == "" {
		return b
	}
	return appendHexBytes(append(b, '/'), mask)
}

func fragName(o OXM) string {
	mask := o.MaskUint() & fragMask
	if name, ok := fragNames[[2]uint8{uint8(o.Uint() & mask), uint8(mask)}]; ok {
		return name
	}
	return "<error>"
}

func appendPacketType(b []byte, v uint32) []byte {
	if v == 0 {
		return append(b, "eth"...)
	}
	b = append(appendArg(b, "packet_type=(", uint64(v>>16)), ',')
	return append(appendHex(b, uint64(v&0xffff)), ')')
}

func stringZero(s string) bool {
	for i := range len(s) {
		if s[i] != 0 {
			return false
		}
	}
	return true
}

// appendSubfield writes NXM_NX_REG0[0..15].
func appendSubfield(b []byte, s Subfield) []byte {
	c := s.Field.code(inNicira)
	if c == nil {
		return append(b, "<unknown>"...)
	}
	b = append(b, c.name...)
	switch {
	case s.Ofs == 0 && int(s.Bits) == s.fieldBits():
		return append(b, "[]"...)
	case s.Bits == 1:
		return append(appendArg(b, "[", uint64(s.Ofs)), ']')
	}
	b = appendArg(b, "[", uint64(s.Ofs))
	return append(appendArg(b, "..", uint64(s.Ofs)+uint64(s.Bits)-1), ']')
}

// fieldBits is how many bits the whole field has.
func (s Subfield) fieldBits() int {
	if s.Width != 0 {
		return 8 * int(s.Width)
	}
	return s.Field.Bits()
}

// String is how ovs-ofctl writes the subfield.
func (s Subfield) String() string { return string(appendSubfield(nil, s)) }
