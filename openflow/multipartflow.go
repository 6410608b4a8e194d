package openflow

import (
	"encoding/binary"
	"fmt"
)

// FlowStatsRequest chooses rows for MultipartFlow and MultipartAggregate.
type FlowStatsRequest struct {
	// Table is AllTables for all.
	Table uint8
	// OutPort and OutGroup choose rows that send there; PortAny and GroupAny choose all.
	OutPort, OutGroup uint32
	// CookieMask are the bits of Cookie that count.
	Cookie, CookieMask uint64
	Match              Match
}

// AllFlows chooses every row of every table.
func AllFlows() FlowStatsRequest {
	return FlowStatsRequest{Table: AllTables, OutPort: PortAny, OutGroup: GroupAny}
}

// Append appends the body of a request.
func (r *FlowStatsRequest) Append(b []byte, v Version) []byte {
	b = appendU32(append(b, r.Table, 0, 0, 0), r.OutPort)
	b = appendZeros(appendU32(b, r.OutGroup), 4)
	return AppendMatch(appendU64(appendU64(b, r.Cookie), r.CookieMask), r.Match)
}

// ParseFlowStatsRequest decodes the body of a request.
func ParseFlowStatsRequest(b []byte, v Version) (FlowStatsRequest, error) {
	c := cursor{b: b}
	r := FlowStatsRequest{Table: c.u8()}
	c.skip(3)
	r.OutPort, r.OutGroup = c.u32(), c.u32()
	c.skip(4)
	r.Cookie, r.CookieMask = c.u64(), c.u64()
	at := c.off
	match := c.match()
	if err := c.end(); err != nil {
		return r, err
	}
	var err error
	if r.Match, err = decodeMatch(match); err != nil {
		err = fmt.Errorf("match at byte %d: %w", at, err)
	}
	return r, err
}

// FlowStats is one row as a switch has it. Match and Instructions alias the message: decode what is wanted, and copy what
// is kept.
type FlowStats struct {
	Table                    uint8
	Priority                 uint16
	IdleTimeout, HardTimeout uint16
	Flags                    uint16
	// Importance is not said in OpenFlow 1.3.
	Importance uint16
	Cookie     uint64
	Counters
	Match        RawMatch
	Instructions RawInstructions
}

const flowStatsLen = 48 // up to the match; 24 in OpenFlow 1.5

// Append appends one element of the body of a reply.
func (s *FlowStats) Append(b []byte, v Version) []byte {
	start := len(b)
	if v >= V15 {
		b = append(b, 0, 0, 0, 0, s.Table, 0)
		b = appendU16(appendU16(appendU16(b, s.Priority), s.IdleTimeout), s.HardTimeout)
		b = appendU64(appendU16(appendU16(b, s.Flags), s.Importance), s.Cookie)
		b = s.appendOXS(append(b, s.Match...))
	} else {
		b = append(b, 0, 0, s.Table, 0)
		b = appendU16(appendU32(appendU32(b, s.DurationSec), s.DurationNsec), s.Priority)
		b = appendU16(appendU16(appendU16(b, s.IdleTimeout), s.HardTimeout), s.Flags)
		if v >= V14 {
			b = appendZeros(appendU16(b, s.Importance), 2)
		} else {
			b = appendZeros(b, 4)
		}
		b = appendU64(appendU64(appendU64(b, s.Cookie), s.Packets), s.Bytes)
		b = append(b, s.Match...)
	}
	b = append(b, s.Instructions...)
	putLen(b, start, len(b)-start)
	return b
}

// EachFlowStats decodes the rows in the body of a reply into one FlowStats after the other, without allocating. What
// each gets is good until it returns; its error ends the walk and is returned as it is.
func EachFlowStats(b []byte, v Version, each func(*FlowStats) error) error {
	var s FlowStats
	for at := 0; at < len(b); {
		n, err := s.parse(b[at:], v)
		if err != nil {
			return fmt.Errorf("flow at byte %d of the body: %w", at, err)
		}
		if err := each(&s); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// parse decodes the first row of b and returns its length.
func (s *FlowStats) parse(b []byte, v Version) (int, error) {
	if len(b) < 24 {
		return 0, errShort
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > len(b) {
		return 0, fmt.Errorf("it says that it is %d bytes long, of %d", n, len(b))
	}
	b = b[:n:n]
	var err error
	if v >= V15 {
		err = s.parse15(b)
	} else {
		err = s.parse13(b, v)
	}
	if err != nil {
		return 0, err
	}
	if err := checkMatch(s.Match); err != nil {
		return 0, fmt.Errorf("match: %w", err)
	}
	if err := ValidateInstructions(s.Instructions); err != nil {
		return 0, fmt.Errorf("instructions: %w", err)
	}
	return n, nil
}

func (s *FlowStats) parse13(b []byte, v Version) error {
	if len(b) < flowStatsLen {
		return errShort
	}
	s.Table = b[2]
	s.DurationSec, s.DurationNsec = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	s.Priority = binary.BigEndian.Uint16(b[12:])
	s.IdleTimeout, s.HardTimeout = binary.BigEndian.Uint16(b[14:]), binary.BigEndian.Uint16(b[16:])
	s.Flags, s.Importance = binary.BigEndian.Uint16(b[18:]), 0
	if v >= V14 {
		s.Importance = binary.BigEndian.Uint16(b[20:])
	}
	s.Cookie = binary.BigEndian.Uint64(b[24:])
	s.Packets, s.Bytes = binary.BigEndian.Uint64(b[32:]), binary.BigEndian.Uint64(b[40:])
	s.IdleAge, s.Flows = ^uint32(0), ^uint32(0)
	m, err := rawMatch(b[flowStatsLen:])
	if err != nil {
		return err
	}
	s.Match, s.Instructions = m, RawInstructions(b[flowStatsLen+len(m):])
	return nil
}

func (s *FlowStats) parse15(b []byte) error {
	if len(b) < 24 {
		return errShort
	}
	s.Table = b[4]
	s.Priority = binary.BigEndian.Uint16(b[6:])
	s.IdleTimeout, s.HardTimeout = binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b[10:])
	s.Flags, s.Importance = binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:])
	s.Cookie = binary.BigEndian.Uint64(b[16:])
	s.Counters = noCounters()
	c := cursor{b: b[24:], off: 24}
	s.Match = c.match()
	if err := c.err(); err != nil {
		return err
	}
	if err := s.pullOXS(&c); err != nil {
		return err
	}
	s.Instructions = RawInstructions(c.rest())
	return nil
}

// rawMatch is the match that b begins with, padding included.
func rawMatch(b []byte) (RawMatch, error) {
	c := cursor{b: b}
	m := c.match()
	return m, c.err()
}

// AppendAggregate appends the body of the reply to MultipartAggregate: Packets, Bytes and Flows.
func AppendAggregate(b []byte, s *Counters, v Version) []byte {
	if v >= V15 {
		return s.appendOXS(b)
	}
	return appendZeros(appendU32(appendU64(appendU64(b, s.Packets), s.Bytes), s.Flows), 4)
}

// ParseAggregate decodes the body of the reply to MultipartAggregate.
func ParseAggregate(b []byte, v Version) (Counters, error) {
	c := cursor{b: b}
	s := noCounters()
	if v >= V15 {
		if err := s.pullOXS(&c); err != nil {
			return s, err
		}
		return s, c.end()
	}
	s.Packets, s.Bytes, s.Flows = c.u64(), c.u64(), c.u32()
	c.skip(4)
	return s, c.end()
}
