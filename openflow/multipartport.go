package openflow

import "fmt"

// AppendNumber appends the body of the requests that choose by one number: MultipartPort (PortAny for all),
// MultipartGroup (GroupAll), MultipartMeter and MultipartMeterConfig (MeterAll); in OpenFlow 1.5 also MultipartPortDesc
// and MultipartGroupDesc.
func AppendNumber(b []byte, n uint32) []byte { return appendZeros(appendU32(b, n), 4) }

// ParseNumber is the inverse of AppendNumber.
func ParseNumber(b []byte) (uint32, error) {
	c := cursor{b: b}
	n := c.u32()
	c.skip(4)
	return n, c.end()
}

// PortStats are the counters of a port. What a switch does not keep is Unknown.
type PortStats struct {
	Port                                     uint32
	DurationSec, DurationNsec                uint32
	RxPackets, TxPackets, RxBytes, TxBytes   uint64
	RxDropped, TxDropped, RxErrors, TxErrors uint64
	// The Ethernet counters; OpenFlow 1.4 and later may leave them out, which makes them Unknown.
	RxFrameErr, RxOverErr, RxCRCErr, Collisions uint64
	// Properties are those of OpenFlow 1.4 and later as received, padding included. When nil, Append writes the Ethernet
	// counters.
	Properties []byte
}

func (s *PortStats) counts() [8]*uint64 {
	return [...]*uint64{&s.RxPackets, &s.TxPackets, &s.RxBytes, &s.TxBytes, &s.RxDropped, &s.TxDropped, &s.RxErrors, &s.TxErrors}
}

func (s *PortStats) ethernet() [4]*uint64 {
	return [...]*uint64{&s.RxFrameErr, &s.RxOverErr, &s.RxCRCErr, &s.Collisions}
}

const (
	portStatsLen         = 80 // OpenFlow 1.4, up to the properties
	portStatsEthernetLen = 36 // value of the property, with 4 bytes of padding
)

// Append appends one element of the body of a reply.
func (s *PortStats) Append(b []byte, v Version) []byte {
	start := len(b)
	if v >= V14 {
		b = appendU32(appendU32(appendU32(appendZeros(b, 4), s.Port), s.DurationSec), s.DurationNsec)
	} else {
		b = appendZeros(appendU32(b, s.Port), 4)
	}
	for _, n := range s.counts() {
		b = appendU64(b, *n)
	}
	switch {
	case v >= V14 && s.Properties != nil:
		b = append(b, s.Properties...)
	case v >= V14:
		b = s.appendEthernet(appendZeros(appendU16(appendU16(b, 0), 4+portStatsEthernetLen), 4))
	default:
		b = appendU32(appendU32(s.appendEthernet(b), s.DurationSec), s.DurationNsec)
	}
	if v >= V14 {
		putLen(b, start, len(b)-start)
	}
	return b
}

func (s *PortStats) appendEthernet(b []byte) []byte {
	for _, n := range s.ethernet() {
		b = appendU64(b, *n)
	}
	return b
}

// ParsePortStats decodes the first element of the body of a reply, and tells how many bytes it takes.
func ParsePortStats(b []byte, v Version) (PortStats, int, error) {
	c := cursor{b: b}
	var s PortStats
	if v < V14 {
		s.Port = c.u32()
		c.skip(4)
		for _, n := range s.counts() {
			*n = c.u64()
		}
		for _, n := range s.ethernet() {
			*n = c.u64()
		}
		s.DurationSec, s.DurationNsec = c.u32(), c.u32()
		return s, c.off, c.err()
	}
	n := int(c.u16())
	c.skip(2)
	s.Port, s.DurationSec, s.DurationNsec = c.u32(), c.u32(), c.u32()
	for _, n := range s.counts() {
		*n = c.u64()
	}
	for _, n := range s.ethernet() {
		*n = Unknown
	}
	s.Properties = c.take(n - c.off)
	if err := c.err(); err != nil {
		return s, 0, err
	}
	err := properties(s.Properties, portStatsLen, func(typ uint16, value []byte) error {
		if typ != 0 {
			return nil
		}
		if len(value) != portStatsEthernetLen {
			return fmt.Errorf("%d bytes of value, not %d", len(value), portStatsEthernetLen)
		}
		e := cursor{b: value[4:]}
		for _, n := range s.ethernet() {
			*n = e.u64()
		}
		return nil
	})
	return s, c.off, err
}

// QueueStatsRequest is the body of a request for MultipartQueue. Port is PortAny and Queue ^0 for all.
type QueueStatsRequest struct{ Port, Queue uint32 }

// Append appends the body.
func (r QueueStatsRequest) Append(b []byte) []byte { return appendU32(appendU32(b, r.Port), r.Queue) }

// ParseQueueStatsRequest decodes the body.
func ParseQueueStatsRequest(b []byte) (QueueStatsRequest, error) {
	c := cursor{b: b}
	r := QueueStatsRequest{Port: c.u32(), Queue: c.u32()}
	return r, c.end()
}

// QueueStats are the counters of a queue.
type QueueStats struct {
	Port, Queue                  uint32
	TxBytes, TxPackets, TxErrors uint64
	DurationSec, DurationNsec    uint32
	// Properties are those of OpenFlow 1.4 and later, as they came.
	Properties []byte
}

// Append appends one element of the body of a reply.
func (s *QueueStats) Append(b []byte, v Version) []byte {
	start := len(b)
	if v >= V14 {
		b = appendZeros(b, 8)
	}
	b = appendU32(appendU32(b, s.Port), s.Queue)
	b = appendU64(appendU64(appendU64(b, s.TxBytes), s.TxPackets), s.TxErrors)
	b = appendU32(appendU32(b, s.DurationSec), s.DurationNsec)
	if v >= V14 {
		b = append(b, s.Properties...)
		putLen(b, start, len(b)-start)
	}
	return b
}

// ParseQueueStats decodes the first element of the body of a reply, and tells how many bytes it takes.
func ParseQueueStats(b []byte, v Version) (QueueStats, int, error) {
	c := cursor{b: b}
	n := 0
	if v >= V14 {
		n = int(c.u16())
		c.skip(6)
	}
	s := QueueStats{Port: c.u32(), Queue: c.u32(), TxBytes: c.u64(), TxPackets: c.u64(), TxErrors: c.u64(),
		DurationSec: c.u32(), DurationNsec: c.u32()}
	if v >= V14 {
		s.Properties = c.take(n - c.off)
	}
	return s, c.off, c.err()
}
