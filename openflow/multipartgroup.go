package openflow

import "fmt"

// BucketCounter counts what went through a bucket.
type BucketCounter struct{ Packets, Bytes uint64 }

// GroupStats are the counters of a group.
type GroupStats struct {
	GroupID uint32
	// References is how many rows and groups send to it.
	References                uint32
	Packets, Bytes            uint64
	DurationSec, DurationNsec uint32
	Buckets                   []BucketCounter
}

// Append appends one element of the body of a reply.
func (s *GroupStats) Append(b []byte, _ Version) []byte {
	start := len(b)
	b = appendZeros(appendU32(appendU32(appendZeros(b, 4), s.GroupID), s.References), 4)
	b = appendU32(appendU32(appendU64(appendU64(b, s.Packets), s.Bytes), s.DurationSec), s.DurationNsec)
	for _, k := range s.Buckets {
		b = appendU64(appendU64(b, k.Packets), k.Bytes)
	}
	putLen(b, start, len(b)-start)
	return b
}

// ParseGroupStats decodes the first element of the body of a reply, and tells how many bytes it takes.
func ParseGroupStats(b []byte, _ Version) (GroupStats, int, error) {
	c := cursor{b: b}
	n := int(c.u16())
	c.skip(2)
	s := GroupStats{GroupID: c.u32(), References: c.u32()}
	c.skip(4)
	s.Packets, s.Bytes, s.DurationSec, s.DurationNsec = c.u64(), c.u64(), c.u32(), c.u32()
	k := cursor{b: c.take(n - c.off), off: c.off}
	for len(k.b) > 0 {
		s.Buckets = append(s.Buckets, BucketCounter{Packets: k.u64(), Bytes: k.u64()})
	}
	c.short = c.short || k.short
	return s, c.off, c.err()
}

// GroupDesc is a group as a switch has it.
type GroupDesc struct {
	Type    GroupType
	GroupID uint32
	Buckets []Bucket
	// Properties are those of OpenFlow 1.5, as they came.
	Properties []byte
}

// Append appends one element of the body of a reply.
func (s *GroupDesc) Append(b []byte, v Version) []byte {
	start := len(b)
	b = appendU32(append(b, 0, 0, byte(s.Type), 0), s.GroupID)
	if v >= V15 {
		b = appendZeros(b, 8)
	}
	at := len(b)
	for i := range s.Buckets {
		b = s.Buckets[i].append(b, v)
	}
	if v >= V15 {
		putLen(b, at-8, len(b)-at)
		b = append(b, s.Properties...)
	}
	putLen(b, start, len(b)-start)
	return b
}

// ParseGroupDesc decodes the first element of the body of a reply, and tells how many bytes it takes.
func ParseGroupDesc(b []byte, v Version) (GroupDesc, int, error) {
	c := cursor{b: b}
	n := int(c.u16())
	s := GroupDesc{Type: GroupType(c.u8())}
	c.skip(1)
	s.GroupID = c.u32()
	k := n - c.off
	if v >= V15 {
		k = int(c.u16())
		c.skip(6)
	}
	at := c.off
	buckets := c.take(k)
	if v >= V15 {
		s.Properties = c.take(n - c.off)
	}
	if err := c.err(); err != nil {
		return s, 0, err
	}
	var err error
	s.Buckets, err = parseBuckets(buckets, at, v)
	return s, c.off, err
}

// GroupFeatures says what groups a switch can make. The arrays are indexed by GroupType.
type GroupFeatures struct {
	Types, Capabilities uint32
	MaxGroups, Actions  [4]uint32
}

// Append appends the body of a reply.
func (s *GroupFeatures) Append(b []byte) []byte {
	b = appendU32(appendU32(b, s.Types), s.Capabilities)
	for _, n := range append(s.MaxGroups[:], s.Actions[:]...) {
		b = appendU32(b, n)
	}
	return b
}

// ParseGroupFeatures decodes the body of a reply.
func ParseGroupFeatures(b []byte) (GroupFeatures, error) {
	c := cursor{b: b}
	s := GroupFeatures{Types: c.u32(), Capabilities: c.u32()}
	for i := range s.MaxGroups {
		s.MaxGroups[i] = c.u32()
	}
	for i := range s.Actions {
		s.Actions[i] = c.u32()
	}
	return s, c.end()
}

// MeterStats are the counters of a meter.
type MeterStats struct {
	MeterID uint32
	// Flows counts rows that use it.
	Flows                     uint32
	Packets, Bytes            uint64
	DurationSec, DurationNsec uint32
	Bands                     []BucketCounter
}

// Append appends one element of the body of a reply.
func (s *MeterStats) Append(b []byte, _ Version) []byte {
	start := len(b)
	b = appendU32(appendZeros(appendU32(b, s.MeterID), 8), s.Flows)
	b = appendU32(appendU32(appendU64(appendU64(b, s.Packets), s.Bytes), s.DurationSec), s.DurationNsec)
	for _, k := range s.Bands {
		b = appendU64(appendU64(b, k.Packets), k.Bytes)
	}
	putLen(b, start+4, len(b)-start)
	return b
}

// ParseMeterStats decodes the first element of the body of a reply, and tells how many bytes it takes.
func ParseMeterStats(b []byte, _ Version) (MeterStats, int, error) {
	c := cursor{b: b}
	s := MeterStats{MeterID: c.u32()}
	n := int(c.u16())
	c.skip(6)
	s.Flows, s.Packets, s.Bytes, s.DurationSec, s.DurationNsec = c.u32(), c.u64(), c.u64(), c.u32(), c.u32()
	k := cursor{b: c.take(n - c.off), off: c.off}
	for len(k.b) > 0 {
		s.Bands = append(s.Bands, BucketCounter{Packets: k.u64(), Bytes: k.u64()})
	}
	c.short = c.short || k.short
	return s, c.off, c.err()
}

// MeterConfig is a meter as a switch has it.
type MeterConfig struct {
	Flags   uint16
	MeterID uint32
	Bands   []MeterBand
}

// Append appends one element of the body of a reply.
func (s *MeterConfig) Append(b []byte, _ Version) []byte {
	start := len(b)
	b = appendBands(appendU32(appendU16(appendZeros(b, 2), s.Flags), s.MeterID), s.Bands)
	putLen(b, start, len(b)-start)
	return b
}

// ParseMeterConfig decodes the first element of the body of a reply, and tells how many bytes it takes.
func ParseMeterConfig(b []byte, _ Version) (MeterConfig, int, error) {
	c := cursor{b: b}
	n := int(c.u16())
	s := MeterConfig{Flags: c.u16(), MeterID: c.u32()}
	at := c.off
	bands := c.take(n - c.off)
	if err := c.err(); err != nil {
		return s, 0, err
	}
	var err error
	if s.Bands, err = parseBands(bands, at); err != nil {
		return s, 0, fmt.Errorf("meter %d: %w", s.MeterID, err)
	}
	return s, c.off, nil
}

// MeterFeatures says what meters a switch can make.
type MeterFeatures struct {
	MaxMeter uint32
	// BandTypes has bit t set for each band type t.
	BandTypes           uint32
	Capabilities        uint32
	MaxBands, MaxColors uint8
	// Features is what OpenFlow 1.5 adds, as it came.
	Features []byte
}

// Append appends the body of a reply.
func (s *MeterFeatures) Append(b []byte) []byte {
	b = appendU32(appendU32(appendU32(b, s.MaxMeter), s.BandTypes), s.Capabilities)
	return append(append(b, s.MaxBands, s.MaxColors, 0, 0), s.Features...)
}

// ParseMeterFeatures decodes the body of a reply.
func ParseMeterFeatures(b []byte) (MeterFeatures, error) {
	c := cursor{b: b}
	s := MeterFeatures{MaxMeter: c.u32(), BandTypes: c.u32(), Capabilities: c.u32(), MaxBands: c.u8(), MaxColors: c.u8()}
	c.skip(2)
	if len(c.b) > 0 {
		s.Features = c.rest()
	}
	return s, c.err()
}
