package openflow

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Unknown is what a counter of 64 bits says that a switch does not keep.
const Unknown uint64 = math.MaxUint64

// Counters of a row. What is not known is all ones.
type Counters struct {
	// DurationSec and DurationNsec are how long the row is there.
	DurationSec, DurationNsec uint32
	// IdleAge is for how many seconds no packet has matched. Only OpenFlow 1.5 tells it.
	IdleAge uint32
	// Flows counts rows, in an aggregate.
	Flows uint32
	// Packets and Bytes count what matched.
	Packets, Bytes uint64
}

func noCounters() Counters {
	return Counters{DurationSec: math.MaxUint32, DurationNsec: math.MaxUint32, IdleAge: math.MaxUint32, Flows: math.MaxUint32,
		Packets: Unknown, Bytes: Unknown}
}

// Headers of OXS fields: class 0x8002, field << 1, length (OpenFlow 1.5.1, 7.2.4).
const (
	oxsDuration = 0x80020008
	oxsIdleTime = 0x80020208
	oxsFlows    = 0x80020604
	oxsPackets  = 0x80020808
	oxsBytes    = 0x80020a08
)

// appendOXS appends the statistics that are known, in the order in which Open vSwitch writes them.
func (s *Counters) appendOXS(b []byte) []byte {
	start := len(b)
	b = appendZeros(b, 4)
	if s.DurationSec != math.MaxUint32 {
		b = appendU32(appendU32(appendU32(b, oxsDuration), s.DurationSec), s.DurationNsec)
	}
	if s.IdleAge != math.MaxUint32 {
		b = appendU32(appendU32(appendU32(b, oxsIdleTime), s.IdleAge), 0)
	}
	if s.Packets != Unknown {
		b = appendU64(appendU32(b, oxsPackets), s.Packets)
	}
	if s.Bytes != Unknown {
		b = appendU64(appendU32(b, oxsBytes), s.Bytes)
	}
	if s.Flows != math.MaxUint32 {
		b = appendU32(appendU32(b, oxsFlows), s.Flows)
	}
	putLen(b, start+2, len(b)-start)
	return pad(b, start)
}

// pullOXS takes statistics off a cursor. Fields that it does not know are passed over.
func (s *Counters) pullOXS(c *cursor) error {
	at := c.off
	c.skip(2)
	n := int(c.u16())
	if n < 4 && !c.short {
		return fmt.Errorf("statistics at byte %d say that they are %d bytes long", at, n)
	}
	b := c.take(n - 4)
	c.skip(pad8(n))
	if err := c.err(); err != nil {
		return err
	}
	return s.readOXS(b, at+4)
}

func (s *Counters) readOXS(b []byte, at int) error {
	for len(b) > 0 {
		if len(b) < 4 || len(b) < 4+int(b[3]) {
			return fmt.Errorf("statistic at byte %d: %w", at, errShort)
		}
		n := 4 + int(b[3])
		switch v := b[4:n]; binary.BigEndian.Uint32(b) {
		case oxsDuration:
			s.DurationSec, s.DurationNsec = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
		case oxsIdleTime:
			s.IdleAge = binary.BigEndian.Uint32(v)
		case oxsPackets:
			s.Packets = binary.BigEndian.Uint64(v)
		case oxsBytes:
			s.Bytes = binary.BigEndian.Uint64(v)
		case oxsFlows:
			s.Flows = binary.BigEndian.Uint32(v)
		}
		b, at = b[n:], at+n
	}
	return nil
}
