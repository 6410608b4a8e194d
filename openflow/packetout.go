package openflow

import "fmt"

// PacketOut makes the switch send a packet, or one that it keeps. There is no reply but to a refusal.
type PacketOut struct {
	// BufferID is NoBuffer when Data is the packet.
	BufferID uint32
	// InPort is where the packet is taken to come from; PortController if nowhere. In OpenFlow 1.5 it goes into Match.
	InPort uint32
	// Match is further metadata, in OpenFlow 1.5 only.
	Match   Match
	Actions []Action
	Data    []byte
}

// Append implements Message.
func (m *PacketOut) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU32(appendHeader(b, v, TypePacketOut, xid), m.BufferID)
	if v < V15 {
		b = appendU32(b, m.InPort)
	}
	lenAt := len(b)
	if v < V15 {
		b = appendZeros(b, 8)
	} else {
		b = AppendMatch(appendZeros(b, 4), m.metadata())
	}
	actionsAt := len(b)
	b = AppendActions(b, m.Actions, v)
	putLen(b, lenAt, len(b)-actionsAt)
	return finish(append(b, m.Data...), start)
}

// metadata is the match of OpenFlow 1.5, where InPort is an ordinary field.
func (m *PacketOut) metadata() Match {
	for _, o := range m.Match {
		if o.Field == InPort {
			return m.Match
		}
	}
	port := OXM{Field: InPort, Value: string(appendU32(nil, m.InPort))}
	return append(Match{port}, m.Match...)
}

func parsePacketOut(b []byte, v Version) (*PacketOut, error) {
	c := body(b)
	m := &PacketOut{BufferID: c.u32()}
	var n int
	if v >= V15 {
		n = int(c.u16())
		c.skip(2)
		at := c.off
		match := c.match()
		if err := c.err(); err != nil {
			return nil, err
		}
		var err error
		if m.Match, err = decodeMatch(match); err != nil {
			return nil, fmt.Errorf("match at byte %d: %w", at, err)
		}
		for _, o := range m.Match {
			if o.Field == InPort && len(o.Value) == 4 {
				m.InPort = uint32(o.Value[0])<<24 | uint32(o.Value[1])<<16 | uint32(o.Value[2])<<8 | uint32(o.Value[3])
			}
		}
	} else {
		m.InPort = c.u32()
		n = int(c.u16())
		c.skip(6)
	}
	at := c.off
	actions := c.take(n)
	if err := c.err(); err != nil {
		return nil, err
	}
	var err error
	if m.Actions, err = ParseActionList(actions, v); err != nil {
		return nil, fmt.Errorf("actions at byte %d: %w", at, err)
	}
	m.Data = c.rest()
	return m, nil
}
