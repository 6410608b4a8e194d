package openflow

import (
	"encoding/binary"
	"fmt"
	"net"
)

// Bits of Port.Config (OpenFlow 1.5.1, 7.2.1.1).
const (
	PortConfigDown       uint32 = 1 << 0
	PortConfigNoRecv     uint32 = 1 << 2
	PortConfigNoFwd      uint32 = 1 << 5
	PortConfigNoPacketIn uint32 = 1 << 6
)

// Bits of Port.State.
const (
	PortStateLinkDown uint32 = 1 << 0
	PortStateBlocked  uint32 = 1 << 1
	PortStateLive     uint32 = 1 << 2
)

// Port describes a port of a switch.
type Port struct {
	Number uint32
	// HardwareAddr is an Ethernet address.
	HardwareAddr [6]byte
	// Name has at most 15 bytes.
	Name          string
	Config, State uint32
	// Ethernet says what the link can do; nil when OpenFlow 1.4 and later leave it out.
	Ethernet *PortEthernet
	// Properties are those of OpenFlow 1.4 and later as received, padding included. When nil, Append makes them from
	// Ethernet.
	Properties []byte
}

// PortEthernet are bit maps of features and speeds in kbit/s.
type PortEthernet struct {
	Current, Advertised, Supported, Peer uint32
	CurrentSpeed, MaxSpeed               uint32
}

const (
	portNameLen          = 16
	portEthernetProperty = 0
	portEthernetLen      = 28 // with 4 bytes of padding, without the property's header
)

// MAC is the hardware address in the form of package net.
func (p *Port) MAC() net.HardwareAddr { return p.HardwareAddr[:] }

// AppendPort appends a port as port-status messages and port descriptions carry it.
func AppendPort(b []byte, p *Port, v Version) []byte {
	start := len(b)
	b = appendZeros(appendU32(b, p.Number), 4)
	b = appendZeros(append(b, p.HardwareAddr[:]...), 2)
	b = appendU32(appendU32(appendText(b, p.Name, portNameLen), p.Config), p.State)
	switch {
	case v < V14:
		e := p.Ethernet
		if e == nil {
			e = &PortEthernet{}
		}
		return e.append(b)
	case p.Properties != nil:
		b = append(b, p.Properties...)
	case p.Ethernet != nil:
		b = appendU16(appendU16(b, portEthernetProperty), 4+portEthernetLen)
		b = p.Ethernet.append(appendZeros(b, 4))
	}
	putLen(b, start+4, len(b)-start)
	return b
}

func (e *PortEthernet) append(b []byte) []byte {
	for _, n := range [...]uint32{e.Current, e.Advertised, e.Supported, e.Peer, e.CurrentSpeed, e.MaxSpeed} {
		b = appendU32(b, n)
	}
	return b
}

func (e *PortEthernet) read(b []byte) {
	for i, p := range [...]*uint32{&e.Current, &e.Advertised, &e.Supported, &e.Peer, &e.CurrentSpeed, &e.MaxSpeed} {
		*p = binary.BigEndian.Uint32(b[4*i:])
	}
}

// ParsePort decodes the first port of b and tells how many bytes it takes.
func ParsePort(b []byte, v Version) (Port, int, error) {
	c := cursor{b: b}
	p := Port{Number: c.u32()}
	n := int(c.u16())
	c.skip(2)
	copy(p.HardwareAddr[:], c.take(6))
	c.skip(2)
	p.Name = c.text(portNameLen)
	p.Config, p.State = c.u32(), c.u32()
	if v < V14 {
		eth := c.take(24)
		if err := c.err(); err != nil {
			return p, 0, err
		}
		p.Ethernet = &PortEthernet{}
		p.Ethernet.read(eth)
		return p, c.off, nil
	}
	p.Properties = c.take(n - c.off)
	if err := c.err(); err != nil {
		return p, 0, err
	}
	err := properties(p.Properties, 40, func(typ uint16, value []byte) error {
		if typ != portEthernetProperty {
			return nil
		}
		if len(value) != portEthernetLen {
			return fmt.Errorf("%d bytes of value, not %d", len(value), portEthernetLen)
		}
		p.Ethernet = &PortEthernet{}
		p.Ethernet.read(value[4:])
		return nil
	})
	return p, c.off, err
}

// PortReason says what happened to a port.
type PortReason uint8

// Reasons (OpenFlow 1.5.1, 7.4.3).
const (
	PortAdded    PortReason = 0
	PortDeleted  PortReason = 1
	PortModified PortReason = 2
)

// PortStatus tells that a port came, went or changed.
type PortStatus struct {
	Reason PortReason
	Port   Port
}

// Append implements Message.
func (m *PortStatus) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = append(appendHeader(b, v, TypePortStatus, xid), byte(m.Reason))
	return finish(AppendPort(appendZeros(b, 7), &m.Port, v), start)
}

func parsePortStatus(b []byte, v Version) (*PortStatus, error) {
	c := body(b)
	m := &PortStatus{Reason: PortReason(c.u8())}
	c.skip(7)
	var n int
	var err error
	if m.Port, n, err = ParsePort(c.b, v); err != nil {
		return nil, fmt.Errorf("port at byte %d: %w", c.off, err)
	}
	c.skip(n)
	return m, c.end()
}
