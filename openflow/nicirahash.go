package openflow

import (
	"fmt"
	"strings"
)

// Multipath hashes the packet, chooses one of a number of links by that, and puts its number into a field.
type Multipath struct {
	// Fields are what is hashed (Open vSwitch, NX_HASH_FIELDS_*), with Basis as the key.
	Fields, Basis uint16
	// Algorithm chooses (Open vSwitch, NX_MP_ALG_*) one of Links, with Arg to go by.
	Algorithm uint16
	// Links is 1 to 65536.
	Links uint32
	Arg   uint32
	Dst   Subfield
}

var (
	hashFields = []string{"eth_src", "symmetric_l4", "symmetric_l3l4", "symmetric_l3l4+udp", "nw_src", "nw_dst",
		"symmetric_l3"}
	multipathAlgorithms = []string{"modulo_n", "hash_threshold", "hrw", "iter_hash"}
)

func (a Multipath) String() string { return string(a.appendText(nil)) }

func (a Multipath) appendText(b []byte) []byte {
	b = fmt.Appendf(b, "multipath(%s,%d,%s,%d,%d,", nameOf(hashFields, a.Fields), a.Basis,
		nameOf(multipathAlgorithms, a.Algorithm), a.Links, a.Arg)
	return append(appendSubfield(b, a.Dst), ')')
}

func nameOf(names []string, n uint16) string {
	if int(n) < len(names) {
		return names[n]
	}
	return "<unknown>"
}

func (a Multipath) appendWire(b []byte, _ Version) []byte {
	start := len(b)
	b = appendU16(appendU16(appendNicira(b, subtypeMultipath, 32), a.Fields), a.Basis)
	b = appendU16(appendU16(appendZeros(b, 2), a.Algorithm), uint16(a.Links-1))
	b = appendU16(appendZeros(appendU32(b, a.Arg), 2), a.Dst.ofsBits())
	b = a.Dst.appendHeader(b, inNicira)
	return b[:start+32]
}

func parseMultipath(c *cursor) Action {
	a := Multipath{Fields: c.u16(), Basis: c.u16()}
	c.skip(2)
	a.Algorithm, a.Links, a.Arg = c.u16(), uint32(c.u16())+1, c.u32()
	c.skip(2)
	a.Dst.setOfsBits(c.u16())
	if !a.Dst.parseHeader(c) {
		return nil
	}
	return a
}

// parseMultipathText reads "FIELDS,BASIS,ALGORITHM,LINKS,ARG,DST".
func parseMultipathText(s string) (Action, error) {
	p := strings.Split(strings.ReplaceAll(s, " ", ""), ",")
	if len(p) != 6 {
		return nil, fmt.Errorf("%q has %d arguments of 6", s, len(p))
	}
	a := Multipath{}
	var err error
	if a.Fields, err = numberOf(hashFields, p[0]); err != nil {
		return nil, err
	}
	if err := parseInto(&a.Basis, p[1]); err != nil {
		return nil, err
	}
	if a.Algorithm, err = numberOf(multipathAlgorithms, p[2]); err != nil {
		return nil, err
	}
	if err := parseInto(&a.Links, p[3]); err != nil {
		return nil, err
	}
	if a.Links < 1 || a.Links > 65536 {
		return nil, fmt.Errorf("%d links: there can be 1 to 65536", a.Links)
	}
	if err := parseInto(&a.Arg, p[4]); err != nil {
		return nil, err
	}
	a.Dst, err = parseSubfield(p[5])
	return a, err
}

func numberOf(names []string, s string) (uint16, error) {
	for i, n := range names {
		if strings.EqualFold(s, n) {
			return uint16(i), nil
		}
	}
	return 0, fmt.Errorf("%q is none of %s", s, strings.Join(names, ", "))
}
