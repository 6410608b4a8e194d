package openflow

import (
	"fmt"
	"strings"
)

// protocols are the words that stand for an Ethernet type and an IP protocol.
var protocols = map[string]struct{ ethType, proto uint64 }{
	"ip": {ethIPv4, 0}, "ipv4": {ethIPv4, 0}, "ip4": {ethIPv4, 0}, "arp": {ethARP, 0}, "rarp": {ethRARP, 0},
	"icmp": {ethIPv4, protoICMP}, "tcp": {ethIPv4, protoTCP}, "udp": {ethIPv4, protoUDP}, "sctp": {ethIPv4, protoSCTP},
	"ipv6": {ethIPv6, 0}, "ip6": {ethIPv6, 0}, "icmp6": {ethIPv6, protoICMPv6}, "tcp6": {ethIPv6, protoTCP},
	"udp6": {ethIPv6, protoUDP}, "sctp6": {ethIPv6, protoSCTP}, "mpls": {ethMPLS, 0}, "mplsm": {ethMPLSMcast, 0},
}

// matchReader collects the parts of a match in text form.
type matchReader struct{ m Match }

// ParseMatchText reads a match as ovs-ofctl takes and prints it, for instance "arp,dl_vlan=3,arp_tpa=10.0.0.1". What it
// returns is canonical. A field whose prerequisite is missing ("nw_src" without "ip") is an error; ovs-ofctl only warns,
// and then matches more than it was asked to.
func ParseMatchText(s string) (Match, error) {
	var r matchReader
	c := scanner{s}
	for {
		key, value, ok := c.next()
		if !ok {
			break
		}
		known, err := r.part(key, value)
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, fmt.Errorf("match %q: %q is no field", s, key)
		}
	}
	return r.match()
}

// part takes one part of a match; known says that it is one.
func (r *matchReader) part(key, value string) (known bool, err error) {
	if p, ok := protocols[key]; ok && value == "" {
		r.set(U64(EthType, p.ethType))
		if p.proto != 0 {
			r.set(U64(IPProto, p.proto))
		}
		return true, nil
	}
	var o OXM
	switch key {
	case "eth":
		return true, nil
	case "dl_vlan":
		v, err := parseUint(value, 16)
		if err != nil {
			return true, fmt.Errorf("dl_vlan: %w", err)
		}
		if v == 0xffff {
			r.set(U16(VlanVID, 0))
		} else if v > vlanVIDMask {
			return true, fmt.Errorf("dl_vlan: %d is no VLAN id", v)
		} else {
			r.set(U16(VlanVID, VLANPresent|uint16(v)))
		}
		return true, nil
	case "dl_vlan_pcp", "vlan_pcp":
		v, err := parseUint(value, 8)
		if err != nil || v > 7 {
			return true, fmt.Errorf("%s: %q is none of 0 to 7", key, value)
		}
		r.merge(U16Masked(VlanVID, VLANPresent, VLANPresent))
		r.set(U8(VlanPCP, uint8(v)))
		return true, nil
	case "gtpu_flags", "gtpu_msgtype":
		key = "tun_" + key
	}
	if strings.Contains(key, "[") {
		return true, r.subfield(key, value)
	}
	f, ok := fieldsByName[key]
	if !ok || fields[f].name != key && fields[f].alias != key {
		return false, nil
	}
	switch {
	case value == "" && f.variable():
		o = OXM{Field: f, Value: "\x00", Mask: "\x00"}
	case value == "":
		return true, fmt.Errorf("%s has no value", key)
	default:
		if o, err = parseValue(f, value); err != nil {
			return true, err
		}
	}
	r.set(o)
	return true, nil
}

// subfield takes NXM_NX_REG0[0..15]=1.
func (r *matchReader) subfield(key, value string) error {
	sub, err := parseSubfield(key)
	if err != nil {
		return err
	}
	v, err := bitsOf(value, sub)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	r.merge(shifted(sub, v))
	return nil
}

func (r *matchReader) find(f Field) *OXM {
	for i := range r.m {
		if r.m[i].Field == f {
			return &r.m[i]
		}
	}
	return nil
}

// set replaces what was said of a field.
func (r *matchReader) set(o OXM) {
	if old := r.find(o.Field); old != nil {
		*old = o
	} else {
		r.m = append(r.m, o)
	}
}

// merge adds bits to what was said of a field.
func (r *matchReader) merge(o OXM) {
	old := r.find(o.Field)
	if old == nil || len(old.Value) != len(o.Value) {
		r.set(o)
		return
	}
	v, m := []byte(old.Value), []byte(old.Mask)
	if old.Mask == "" {
		m = []byte(ones[:len(v)])
	}
	for i := range v {
		v[i] = v[i]&^o.Mask[i] | o.Value[i]
		m[i] |= o.Mask[i]
	}
	old.Value, old.Mask = string(v), string(m)
}

// match ends the reading: fields that share a word are told apart by the packet's type.
func (r *matchReader) match() (Match, error) {
	ethType, proto := uint64(0), uint64(0)
	if o := r.find(EthType); o != nil {
		ethType = o.Uint()
	}
	if o := r.find(IPProto); o != nil {
		proto = o.Uint()
	}
	for i := range r.m {
		r.m[i] = inContext(r.m[i], ethType, proto)
	}
	m := normalize(r.m)
	return m, m.Check()
}

// inContext turns the field of the ambiguous words nw_src, nw_dst, nw_proto, tp_src, tp_dst, icmp_type and icmp_code into
// what it means in packets of that type.
func inContext(o OXM, ethType, proto uint64) OXM {
	switch ethType {
	case ethARP, ethRARP:
		switch o.Field {
		case IPv4Src:
			o.Field = ARPSPA
		case IPv4Dst:
			o.Field = ARPTPA
		case IPProto:
			o = U16(ARPOp, uint16(o.Uint()))
		}
		return o
	case ethIPv6:
		switch o.Field {
		case ICMPType:
			o.Field = ICMPv6Type
		case ICMPCode:
			o.Field = ICMPv6Code
		}
	}
	if o.Field != TCPSrc && o.Field != TCPDst {
		return o
	}
	d := o.Field - TCPSrc
	switch {
	case proto == protoUDP:
		o.Field = UDPSrc + d
	case proto == protoSCTP:
		o.Field = SCTPSrc + d
	case proto == protoICMP && ethType == ethIPv4 && o.Mask == "":
		o = U8(ICMPType+d, uint8(o.Uint()))
	case proto == protoICMPv6 && ethType == ethIPv6 && o.Mask == "":
		o = U8(ICMPv6Type+d, uint8(o.Uint()))
	}
	return o
}
