package openflow

import (
	"encoding/binary"
	"net/netip"
)

// Flags of the ct action (Open vSwitch, NX_CT_F_*).
const (
	ctCommit = 1 << 0
	ctForce  = 1 << 1
)

// CT sends the packet through the connection tracker.
type CT struct {
	// Commit remembers the connection. Force makes the packet's direction the original one; it needs Commit.
	Commit, Force bool
	// Zone is the zone, if ZoneSrc names no field.
	Zone    uint16
	ZoneSrc Subfield
	// Table is where a copy of the packet goes on, with its connection's state; NoTable for nowhere.
	Table uint8
	// ALG is the port of a protocol whose related connections are to be found: 21, 69, or 0.
	ALG uint16
	// Exec are executed in the connection tracker: NAT, and setting CTMark and CTLabel.
	Exec []Action
}

// NoTable is the table of a CT that sends the packet nowhere.
const NoTable = 0xff

func (a CT) String() string { return string(a.appendText(nil)) }

func (a CT) appendText(b []byte) []byte {
	b = append(b, "ct("...)
	if a.Commit {
		b = append(b, "commit,"...)
	}
	if a.Force {
		b = append(b, "force,"...)
	}
	if a.Table != NoTable {
		b = append(appendArg(b, "table=", uint64(a.Table)), ',')
	}
	if a.ZoneSrc.Field != 0 {
		b = append(appendSubfield(append(b, "zone="...), a.ZoneSrc), ',')
	} else if a.Zone != 0 {
		b = append(appendArg(b, "zone=", uint64(a.Zone)), ',')
	}
	exec := a.Exec
	if len(exec) > 0 {
		if nat, ok := exec[0].(NAT); ok {
			b = append(nat.appendText(b), ',')
			exec = exec[1:]
		}
	}
	if len(exec) > 0 {
		b = append(appendActionList(append(b, "exec("...), exec), "),"...)
	}
	switch a.ALG {
	case 0:
	case 21:
		b = append(b, "alg=ftp,"...)
	case 69:
		b = append(b, "alg=tftp,"...)
	default:
		b = append(appendArg(b, "alg=", uint64(a.ALG)), ',')
	}
	return closeList(b)
}

func (a CT) appendWire(b []byte, v Version) []byte {
	start := len(b)
	var flags uint16
	if a.Commit {
		flags |= ctCommit
	}
	if a.Force {
		flags |= ctForce
	}
	b = appendU16(appendNicira(b, subtypeCT, 0), flags)
	if a.ZoneSrc.Field != 0 {
		b = appendU16(a.ZoneSrc.appendHeader(b, inNicira), a.ZoneSrc.ofsBits())
	} else {
		b = append(b, 0, 0, 0, 0, byte(a.Zone>>8), byte(a.Zone))
	}
	b = append(b, a.Table, 0, 0, 0, byte(a.ALG>>8), byte(a.ALG))
	return finishAction(AppendActions(b, a.Exec, v), start)
}

func (p *actionParser) ct(c *cursor, depth int) (Action, error) {
	flags := c.u16()
	a := CT{Commit: flags&ctCommit != 0, Force: flags&ctForce != 0}
	if len(c.b) >= 4 && binary.BigEndian.Uint32(c.b) != 0 {
		if !a.ZoneSrc.parseHeader(c) {
			return nil, nil
		}
		a.ZoneSrc.setOfsBits(c.u16())
	} else {
		c.skip(4)
		a.Zone = c.u16()
	}
	a.Table = c.u8()
	c.skip(3)
	a.ALG = c.u16()
	if c.short {
		return nil, nil
	}
	var err error
	a.Exec, err = p.actions(nil, c.rest(), depth+1)
	return a, err
}

// NATFlags say what NAT changes, and how it chooses (Open vSwitch, NX_NAT_F_*).
type NATFlags uint16

// What NAT changes, and how it chooses.
const (
	NATSource NATFlags = 1 << iota
	NATDestination
	NATPersistent
	NATHash
	NATRandom
)

// NAT translates addresses, inside CT only. Without flags it treats packets as their committed connection says.
type NAT struct {
	Flags NATFlags
	// Min and Max are the range of addresses; Max may be the zero Addr for one address only, Min too for none.
	Min, Max netip.Addr
	// PortMin and PortMax are the range of ports; 0 is unsaid.
	PortMin, PortMax uint16
}

// What an NAT's range says (Open vSwitch, NX_NAT_RANGE_*).
const (
	natIPv4Min = 1 << iota
	natIPv4Max
	natIPv6Min
	natIPv6Max
	natPortMin
	natPortMax
)

func (a NAT) String() string { return string(a.appendText(nil)) }

func (a NAT) appendText(b []byte) []byte {
	b = append(b, "nat"...)
	switch {
	case a.Flags&NATSource != 0:
		b = append(b, "(src"...)
	case a.Flags&NATDestination != 0:
		b = append(b, "(dst"...)
	default:
		return b
	}
	if !a.Min.IsValid() {
		return append(b, ')')
	}
	b = appendNATAddr(append(b, '='), a.Min, a.PortMin != 0)
	if a.Max.IsValid() && a.Max != a.Min {
		b = appendNATAddr(append(b, '-'), a.Max, a.PortMin != 0)
	}
	if a.PortMin != 0 {
		b = appendArg(b, ":", uint64(a.PortMin))
		if a.PortMax != 0 && a.PortMax != a.PortMin {
			b = appendArg(b, "-", uint64(a.PortMax))
		}
	}
	for i, name := range []string{"persistent", "hash", "random"} {
		if a.Flags&(NATPersistent<<i) != 0 {
			b = append(append(b, ','), name...)
		}
	}
	return append(b, ')')
}

func appendNATAddr(b []byte, a netip.Addr, bracket bool) []byte {
	if bracket && a.Is6() {
		return append(appendAddr(append(b, '['), a), ']')
	}
	return appendAddr(b, a)
}

func (a NAT) appendWire(b []byte, _ Version) []byte {
	start := len(b)
	b = append(appendNicira(b, subtypeNAT, 0), 0, 0, byte(a.Flags>>8), byte(a.Flags), 0, 0)
	var present byte
	for i, addr := range [...]netip.Addr{a.Min, a.Max} {
		switch {
		case addr.Is4():
			x := addr.As4()
			b, present = append(b, x[:]...), present|natIPv4Min<<i
		case addr.Is6():
			x := addr.As16()
			b, present = append(b, x[:]...), present|natIPv6Min<<i
		}
	}
	for i, port := range [...]uint16{a.PortMin, a.PortMax} {
		if port != 0 {
			b, present = appendU16(b, port), present|natPortMin<<i
		}
	}
	b[start+15] = present
	return finishAction(b, start)
}

func parseNAT(c *cursor) Action {
	c.skip(2)
	a := NAT{Flags: NATFlags(c.u16())}
	present := c.u16()
	for i, addr := range [...]*netip.Addr{&a.Min, &a.Max} {
		switch {
		case present&(natIPv4Min<<i) != 0:
			*addr, _ = netip.AddrFromSlice(c.take(4))
		case present&(natIPv6Min<<i) != 0:
			*addr, _ = netip.AddrFromSlice(c.take(16))
		}
	}
	for i, port := range [...]*uint16{&a.PortMin, &a.PortMax} {
		if present&(natPortMin<<i) != 0 {
			*port = c.u16()
		}
	}
	return a
}
