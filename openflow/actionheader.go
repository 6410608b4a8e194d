package openflow

import "fmt"

// PushVLAN puts an 802.1Q tag before the packet's others.
type PushVLAN struct {
	// EthType is 0x8100 or 0x88a8.
	EthType uint16
}

func (a PushVLAN) String() string { return string(a.appendText(nil)) }

func (a PushVLAN) appendText(b []byte) []byte { return fmt.Appendf(b, "push_vlan:0x%04x", a.EthType) }

func (a PushVLAN) appendWire(b []byte, _ Version) []byte {
	return appendEthTypeAction(b, typePushVLAN, a.EthType)
}

// PopVLAN takes the outermost 802.1Q tag off.
type PopVLAN struct{}

func (a PopVLAN) String() string { return "pop_vlan" }

func (a PopVLAN) appendText(b []byte) []byte { return append(b, "pop_vlan"...) }

func (a PopVLAN) appendWire(b []byte, _ Version) []byte {
	return append(b, 0, typePopVLAN, 0, 8, 0, 0, 0, 0)
}

// PushMPLS puts an MPLS label before the packet's others.
type PushMPLS struct {
	// EthType is 0x8847 or 0x8848.
	EthType uint16
}

func (a PushMPLS) String() string { return string(a.appendText(nil)) }

func (a PushMPLS) appendText(b []byte) []byte { return fmt.Appendf(b, "push_mpls:0x%04x", a.EthType) }

func (a PushMPLS) appendWire(b []byte, _ Version) []byte {
	return appendEthTypeAction(b, typePushMPLS, a.EthType)
}

// PopMPLS takes the outermost MPLS label off.
type PopMPLS struct {
	// EthType says what the packet is then.
	EthType uint16
}

func (a PopMPLS) String() string { return string(a.appendText(nil)) }

func (a PopMPLS) appendText(b []byte) []byte { return fmt.Appendf(b, "pop_mpls:0x%04x", a.EthType) }

func (a PopMPLS) appendWire(b []byte, _ Version) []byte {
	return appendEthTypeAction(b, typePopMPLS, a.EthType)
}

func appendEthTypeAction(b []byte, typ byte, ethType uint16) []byte {
	return append(b, 0, typ, 0, 8, byte(ethType>>8), byte(ethType), 0, 0)
}

// DecTTL takes one from the TTL of IPv4 or the hop limit of IPv6. A packet whose last it was goes to the controller.
type DecTTL struct{}

func (a DecTTL) String() string { return "dec_ttl" }

func (a DecTTL) appendText(b []byte) []byte { return append(b, "dec_ttl"...) }

func (a DecTTL) appendWire(b []byte, _ Version) []byte {
	return append(b, 0, typeDecTTL, 0, 8, 0, 0, 0, 0)
}

// SetTTL sets the TTL of IPv4 or the hop limit of IPv6.
type SetTTL struct{ TTL uint8 }

func (a SetTTL) String() string { return string(a.appendText(nil)) }

func (a SetTTL) appendText(b []byte) []byte { return appendArg(b, "mod_nw_ttl:", uint64(a.TTL)) }

func (a SetTTL) appendWire(b []byte, _ Version) []byte {
	return append(b, 0, typeSetTTL, 0, 8, a.TTL, 0, 0, 0)
}

// DecMPLSTTL takes one from the TTL of the outermost MPLS label.
type DecMPLSTTL struct{}

func (a DecMPLSTTL) String() string { return "dec_mpls_ttl" }

func (a DecMPLSTTL) appendText(b []byte) []byte { return append(b, "dec_mpls_ttl"...) }

func (a DecMPLSTTL) appendWire(b []byte, _ Version) []byte {
	return append(b, 0, typeDecMPLSTTL, 0, 8, 0, 0, 0, 0)
}

// SetMPLSTTL sets the TTL of the outermost MPLS label.
type SetMPLSTTL struct{ TTL uint8 }

func (a SetMPLSTTL) String() string { return string(a.appendText(nil)) }

func (a SetMPLSTTL) appendText(b []byte) []byte { return fmt.Appendf(b, "set_mpls_ttl(%d)", a.TTL) }

func (a SetMPLSTTL) appendWire(b []byte, _ Version) []byte {
	return append(b, 0, typeSetMPLSTTL, 0, 8, a.TTL, 0, 0, 0)
}

// parseStandardAction returns nil for a type that it does not know.
func parseStandardAction(typ uint16, c *cursor, v Version) Action {
	switch typ {
	case typeOutput:
		return Output{Port: c.u32(), MaxLen: c.u16()}
	case typeGroup:
		return Group{ID: c.u32()}
	case typeSetQueue:
		return SetQueue{Queue: c.u32()}
	case typePushVLAN:
		return PushVLAN{EthType: c.u16()}
	case typePopVLAN:
		return PopVLAN{}
	case typePushMPLS:
		return PushMPLS{EthType: c.u16()}
	case typePopMPLS:
		return PopMPLS{EthType: c.u16()}
	case typeDecTTL:
		return DecTTL{}
	case typeSetTTL:
		return SetTTL{TTL: c.u8()}
	case typeDecMPLSTTL:
		return DecMPLSTTL{}
	case typeSetMPLSTTL:
		return SetMPLSTTL{TTL: c.u8()}
	case typeSetField:
		return parseSetField(c, v)
	case typeCopyField:
		return parseCopyField(c)
	case typeMeter:
		return Meter{ID: c.u32()}
	}
	return nil
}
