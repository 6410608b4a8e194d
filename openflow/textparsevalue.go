package openflow

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// parseValue reads a value of field f as ovs-ofctl writes it, with its mask if there is one.
func parseValue(f Field, s string) (OXM, error) {
	if s == "*" || s == "ANY" {
		n := max(1, f.Bytes()&0x1f)
		zero := string(make([]byte, n))
		return OXM{Field: f, Value: zero, Mask: zero}, nil
	}
	o, err := parseFormatted(f, s)
	if err != nil {
		return o, fmt.Errorf("%v: %w", f, err)
	}
	if o.whole() {
		o.Mask = ""
	}
	if o.Mask != "" && !f.Maskable() && f != IPFrag {
		return o, fmt.Errorf("%v: %q has a mask, and this field takes none", f, s)
	}
	return o, nil
}

func parseFormatted(f Field, s string) (OXM, error) {
	value, mask, hasMask := strings.Cut(s, "/")
	switch f.info().format {
	case asMAC:
		return parseMasked(f, value, mask, hasMask, parseMAC)
	case asIPv4, asIPv6:
		return parseMaskedAddr(f, value, mask, hasMask)
	case asPort, asPort16:
		port, err := PortNamed(s)
		if f.Bytes() == 2 {
			port = uint32(narrow(port))
		}
		return U32(f, port), err
	case asCTState:
		return parseFlags(f, s, ctStateNames, ctStateNamed)
	case asTCPFlags:
		return parseFlags(f, s, tcpFlagNames, tcpFlagsMask)
	case asTunFlags:
		return parseFlags(f, s, tunFlagNames, tunFlagsMask)
	case asFrag:
		return parseFrag(f, s)
	case asPacketType:
		return parsePacketType(f, s)
	}
	n := f.Bytes()
	if f.variable() {
		n = 0
	}
	o, err := parseMasked(f, value, mask, hasMask, func(s string) (string, error) { return parseWide(s, n) })
	if n == 0 && o.Mask != "" {
		// The width of a variable field is that of the longer of the two.
		o.Value, o.Mask = widen(o.Value, len(o.Mask)), widen(o.Mask, len(o.Value))
	}
	return o, err
}

func widen(s string, n int) string { return string(make([]byte, max(0, n-len(s)))) + s }

func parseMasked(f Field, value, mask string, hasMask bool, parse func(string) (string, error)) (o OXM, err error) {
	o.Field = f
	if o.Value, err = parse(value); err == nil && hasMask {
		o.Mask, err = parse(mask)
	}
	if err == nil && len(o.Mask) == len(o.Value) {
		o.Value = masked(o.Value, o.Mask)
	}
	return o, err
}

func parseMAC(s string) (string, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 6 {
		return "", fmt.Errorf("%q is no MAC address", s)
	}
	var mac [6]byte
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 16, 8)
		if err != nil {
			return "", fmt.Errorf("%q is no MAC address", s)
		}
		mac[i] = byte(v)
	}
	return string(mac[:]), nil
}

func parseMaskedAddr(f Field, value, mask string, hasMask bool) (OXM, error) {
	a, err := parseAddr(f, value)
	if err != nil {
		return OXM{}, err
	}
	o := OXM{Field: f, Value: string(a.AsSlice())}
	if !hasMask {
		return o, nil
	}
	if n, err := strconv.ParseUint(mask, 10, 8); err == nil {
		p, err := a.Prefix(int(n))
		if err != nil {
			return OXM{}, fmt.Errorf("%q is no length of a prefix", mask)
		}
		if n == 0 {
			o.Mask = string(make([]byte, len(o.Value)))
			o.Value = o.Mask
			return o, nil
		}
		return PrefixField(f, p), nil
	}
	m, err := parseAddr(f, mask)
	if err != nil {
		return OXM{}, err
	}
	o.Mask = string(m.AsSlice())
	o.Value = masked(o.Value, o.Mask)
	return o, nil
}

func parseAddr(f Field, s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.BitLen() != f.Bits() {
		return netip.Addr{}, fmt.Errorf("%q is no address of %d bits", s, f.Bits())
	}
	return a, nil
}

// parseFlags reads 0x2/0x12, syn|ack and +syn-ack. allowed are all bits that there are.
func parseFlags(f Field, s string, names []string, allowed uint64) (OXM, error) {
	o, err := parseFlagBits(f, s, names)
	if err == nil && o.Uint()&^allowed != 0 || o.Mask != "" && o.MaskUint()&^allowed != 0 {
		return o, fmt.Errorf("%q has more than %s", s, strings.Join(names, ", "))
	}
	return o, err
}

func parseFlagBits(f Field, s string, names []string) (OXM, error) {
	if v, m, hasMask := strings.Cut(s, "/"); hasMask {
		value, err := parseUint(v, 8*f.Bytes())
		if err != nil {
			return OXM{}, err
		}
		mask, err := parseUint(m, 8*f.Bytes())
		return U64Masked(f, value, mask), err
	}
	bit := func(name string) (uint64, error) {
		for i, n := range names {
			if n == name {
				return 1 << i, nil
			}
		}
		v, err := parseUint(name, 8*f.Bytes())
		if err != nil {
			err = fmt.Errorf("%q is none of %s", name, strings.Join(names, ", "))
		}
		return v, err
	}
	if s == "" || s[0] != '+' && s[0] != '-' {
		var value uint64
		for _, name := range strings.Split(s, "|") {
			v, err := bit(name)
			if err != nil {
				return OXM{}, err
			}
			value |= v
		}
		return U64(f, value), nil
	}
	var value, mask uint64
	for s != "" {
		n := strings.IndexAny(s[1:], "+-")
		if n < 0 {
			n = len(s) - 1
		}
		v, err := bit(s[1 : 1+n])
		if err != nil {
			return OXM{}, err
		}
		mask |= v
		if s[0] == '+' {
			value |= v
		}
		s = s[1+n:]
	}
	return U64Masked(f, value, mask), nil
}

func parseFrag(f Field, s string) (OXM, error) {
	for _, o := range []OXM{U8(f, 0), U8(f, 1), U8(f, 3), U8Masked(f, 1, 1), U8Masked(f, 0, 2)} {
		if strings.EqualFold(s, fragName(o)) {
			return o, nil
		}
	}
	return OXM{}, fmt.Errorf("%q is none of no, yes, first, later, not_later", s)
}

// parsePacketType reads (1,0x800).
func parsePacketType(f Field, s string) (OXM, error) {
	ns, typ, ok := strings.Cut(strings.Trim(s, "()"), ",")
	if !ok {
		return OXM{}, fmt.Errorf("%q is no packet type such as (1,0x800)", s)
	}
	a, err := parseUint(ns, 16)
	if err != nil {
		return OXM{}, err
	}
	b, err := parseUint(typ, 16)
	return U64(f, a<<16|b), err
}

// bitsOf reads a number for a subfield; it must fit.
func bitsOf(s string, sub Subfield) (string, error) {
	n := (int(sub.Bits) + 7) / 8
	v, err := parseWide(s, n)
	if err != nil {
		return "", err
	}
	if spare := 8*n - int(sub.Bits); spare > 0 && v[0]>>(8-spare) != 0 {
		return "", fmt.Errorf("%q does not fit into %d bits", s, sub.Bits)
	}
	return v, nil
}

// shifted puts the bits of a subfield into their place in the whole field.
func shifted(sub Subfield, value string) OXM {
	n := sub.width()
	v, m := make([]byte, n), make([]byte, n)
	for i := range int(sub.Bits) {
		at := int(sub.Ofs) + i
		if n-1-at/8 < 0 {
			break
		}
		m[n-1-at/8] |= 1 << (at % 8)
		if bitOf(value, i) {
			v[n-1-at/8] |= 1 << (at % 8)
		}
	}
	return OXM{Field: sub.Field, Value: string(v), Mask: string(m)}
}
