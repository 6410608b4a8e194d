package openflow

import "fmt"

// RemovedReason says why a row went away.
type RemovedReason uint8

// Reasons (OpenFlow 1.5.1, 7.4.2).
const (
	RemovedIdleTimeout RemovedReason = 0
	RemovedHardTimeout RemovedReason = 1
	RemovedDelete      RemovedReason = 2
	RemovedGroupDelete RemovedReason = 3
	RemovedMeterDelete RemovedReason = 4
	RemovedEviction    RemovedReason = 5
)

// String is the reason as ovs-ofctl prints it.
func (r RemovedReason) String() string {
	if names := [...]string{"idle", "hard", "delete", "group_delete", "meter_delete", "eviction"}; int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprint(uint8(r))
}

// FlowRemoved tells that a row which was added with FlagSendFlowRem is gone.
type FlowRemoved struct {
	Cookie                   uint64
	Priority                 uint16
	Reason                   RemovedReason
	Table                    uint8
	IdleTimeout, HardTimeout uint16
	Counters
	Match RawMatch
}

// Append implements Message.
func (m *FlowRemoved) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendHeader(b, v, TypeFlowRemoved, xid)
	if v >= V15 {
		b = append(b, m.Table, byte(m.Reason))
		b = appendU16(appendU16(appendU16(b, m.Priority), m.IdleTimeout), m.HardTimeout)
		b = append(appendU64(b, m.Cookie), m.Match...)
		return finish(m.appendOXS(b), start)
	}
	b = append(appendU16(appendU64(b, m.Cookie), m.Priority), byte(m.Reason), m.Table)
	b = appendU32(appendU32(b, m.DurationSec), m.DurationNsec)
	b = appendU16(appendU16(b, m.IdleTimeout), m.HardTimeout)
	b = appendU64(appendU64(b, m.Packets), m.Bytes)
	return finish(append(b, m.Match...), start)
}

func parseFlowRemoved(b []byte, v Version) (*FlowRemoved, error) {
	c := body(b)
	m := &FlowRemoved{Counters: noCounters()}
	if v >= V15 {
		m.Table, m.Reason, m.Priority = c.u8(), RemovedReason(c.u8()), c.u16()
		m.IdleTimeout, m.HardTimeout, m.Cookie = c.u16(), c.u16(), c.u64()
	} else {
		m.Cookie, m.Priority, m.Reason, m.Table = c.u64(), c.u16(), RemovedReason(c.u8()), c.u8()
		m.DurationSec, m.DurationNsec = c.u32(), c.u32()
		m.IdleTimeout, m.HardTimeout = c.u16(), c.u16()
		m.Packets, m.Bytes = c.u64(), c.u64()
	}
	at := c.off
	m.Match = c.match()
	if err := c.err(); err != nil {
		return nil, err
	}
	if err := checkMatch(m.Match); err != nil {
		return nil, fmt.Errorf("match at byte %d: %w", at, err)
	}
	if v >= V15 {
		if err := m.pullOXS(&c); err != nil {
			return nil, err
		}
	}
	return m, c.end()
}
