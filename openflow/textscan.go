package openflow

import (
	"fmt"
	"strconv"
	"strings"
)

const blanks = " \t\r\n"

// scanner takes the parts of a list as ovs-ofctl writes them: key, key=value, key:value, key(value), key(value)->rest.
type scanner struct{ s string }

// next returns false at the end. The value of key(a)->b is "a)->b", as in ovs-ofctl.
func (c *scanner) next() (key, value string, ok bool) {
	s := strings.TrimLeft(c.s, ","+blanks)
	if s == "" {
		c.s = ""
		return "", "", false
	}
	n := strings.IndexAny(s, ":=(,"+blanks)
	if n < 0 {
		c.s = ""
		return s, "", true
	}
	key, s = s[:n], s[n:]
	switch s[0] {
	case ':', '=':
		n := valueLen(s[1:], ","+blanks)
		value, c.s = s[1:1+n], s[1+n:]
	case '(':
		n := valueLen(s[1:], ")")
		value, s = s[1:1+n], s[1+n:]
		if strings.HasPrefix(s, ")->") {
			n = 1 + valueLen(s[1:], ","+blanks)
			value, s = value+s[:n], s[n:]
		} else if s != "" {
			s = s[1:]
		}
		c.s = s
	default:
		c.s = s[1:]
	}
	return key, value, true
}

// valueLen is how long a value is that ends at one of the bytes in end, outside parentheses and brackets.
func valueLen(s, end string) int {
	depth := 0
	for i := range len(s) {
		if depth == 0 && strings.IndexByte(end, s[i]) >= 0 {
			return i
		}
		switch s[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		}
	}
	return len(s)
}

// parseUint reads a number in decimal or with 0x, of so many bits.
func parseUint(s string, bits int) (uint64, error) {
	v, err := strconv.ParseUint(s, 0, bits)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of %d bits", s, bits)
	}
	return v, nil
}

// parseWide reads a number into n bytes; n of 0 is as many as its digits need.
func parseWide(s string, n int) (string, error) {
	hex, isHex := strings.CutPrefix(strings.ToLower(s), "0x")
	if !isHex {
		v, err := parseUint(s, min(64, 8*max(n, 1)))
		if err != nil {
			return "", err
		}
		if n == 0 {
			n = 1
		}
		return bitsValue(uint16(8*n), v), nil
	}
	if n == 0 {
		n = (len(hex) + 1) / 2
	}
	for len(hex) > 2*n && hex[0] == '0' {
		hex = hex[1:]
	}
	if hex == "" || len(hex) > 2*n || n > maxTunMetadata {
		return "", fmt.Errorf("%q is no number of %d bytes", s, n)
	}
	out := make([]byte, n)
	for i := range len(hex) {
		d := strings.IndexByte(hexDigits, hex[len(hex)-1-i])
		if d < 0 {
			return "", fmt.Errorf("%q is no number", s)
		}
		out[n-1-i/2] |= byte(d) << (4 * (i % 2))
	}
	return string(out), nil
}

// PortNamed reads a port number, or the name of a reserved port: IN_PORT, LOCAL …
func PortNamed(s string) (uint32, error) {
	for port, name := range reservedPorts {
		if strings.EqualFold(s, name) {
			return port, nil
		}
	}
	if strings.EqualFold(s, "NONE") {
		return PortAny, nil
	}
	v, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no port", s)
	}
	if v >= 0xff00 && v <= 0xffff {
		return wide(uint16(v)), nil
	}
	return uint32(v), nil
}

// parseSubfield reads NXM_NX_REG0[0..15], and the field's plain name for all of it.
func parseSubfield(s string) (Subfield, error) {
	name, bits, bracket := strings.Cut(s, "[")
	f, ok := FieldNamed(name)
	if !ok {
		return Subfield{}, fmt.Errorf("%q is no field", name)
	}
	sub := f.Whole()
	if !bracket {
		return sub, nil
	}
	bits, ok = strings.CutSuffix(bits, "]")
	if !ok {
		return Subfield{}, fmt.Errorf("%q has no closing bracket", s)
	}
	if bits == "" {
		return sub, nil
	}
	from, to, isRange := strings.Cut(bits, "..")
	if !isRange {
		to = from
	}
	a, err := parseUint(from, 16)
	if err != nil {
		return Subfield{}, err
	}
	b, err := parseUint(to, 16)
	if err != nil {
		return Subfield{}, err
	}
	if a > b || int(b) >= f.Bits() {
		return Subfield{}, fmt.Errorf("%q: %v has %d bits", s, f, f.Bits())
	}
	return f.Range(int(a), int(b)), nil
}
