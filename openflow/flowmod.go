package openflow

import "fmt"

// FlowCommand says what a flow-mod does.
type FlowCommand uint8

// Flow-mod commands (OpenFlow 1.5.1, 7.3.4.2). The strict ones mean exactly the row of that match and priority, the others every
// row that the match covers.
const (
	FlowAdd          FlowCommand = 0
	FlowModify       FlowCommand = 1
	FlowModifyStrict FlowCommand = 2
	FlowDelete       FlowCommand = 3
	FlowDeleteStrict FlowCommand = 4
)

// Flow-mod flags (OpenFlow 1.5.1, 7.3.4.3).
const (
	FlagSendFlowRem    uint16 = 1 << 0
	FlagCheckOverlap   uint16 = 1 << 1
	FlagResetCounts    uint16 = 1 << 2
	FlagNoPacketCounts uint16 = 1 << 3
	FlagNoByteCounts   uint16 = 1 << 4
)

// Numbers that stand for none or all (OpenFlow 1.5.1, 7.3.4.1, 7.3.4.3).
const (
	NoBuffer  uint32 = 0xffffffff
	GroupMax  uint32 = 0xffffff00
	GroupAll  uint32 = 0xfffffffc
	GroupAny  uint32 = 0xffffffff
	AllTables uint8  = 0xff
)

// FlowMod adds, changes or removes rows of a flow table. There is no reply but to a refusal.
//
// Zero is not "none" for BufferID, OutPort and OutGroup: use NoBuffer, PortAny and GroupAny.
type FlowMod struct {
	Command FlowCommand
	Table   uint8
	// Priority is 0 to 65535; the highest row that matches wins.
	Priority uint16
	Cookie   uint64
	// CookieMask are the bits of the cookie by which modify and delete choose rows; 0 chooses by match only. It must be 0
	// for FlowAdd.
	CookieMask uint64
	// IdleTimeout and HardTimeout are in seconds; 0 is for ever.
	IdleTimeout, HardTimeout uint16
	// Importance is not said in OpenFlow 1.3.
	Importance uint16
	BufferID   uint32
	// OutPort and OutGroup restrict deletes to rows that send there.
	OutPort, OutGroup uint32
	Flags             uint16
	Match             Match
	Actions           []Action
}

// Append implements Message. It does not allocate when b has room.
func (m *FlowMod) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendHeader(b, v, TypeFlowMod, xid)
	b = appendU64(appendU64(b, m.Cookie), m.CookieMask)
	b = append(b, m.Table, byte(m.Command))
	b = appendU16(appendU16(appendU16(b, m.IdleTimeout), m.HardTimeout), m.Priority)
	b = appendU32(appendU32(appendU32(b, m.BufferID), m.OutPort), m.OutGroup)
	b = appendU16(b, m.Flags)
	if v >= V14 {
		b = appendU16(b, m.Importance)
	} else {
		b = appendZeros(b, 2)
	}
	b = AppendMatch(b, m.Match)
	return finish(AppendInstructions(b, m.Actions, v), start)
}

// ParseFlowMod decodes a whole flow-mod message.
func ParseFlowMod(b []byte, v Version) (*FlowMod, error) {
	c := body(b)
	m := &FlowMod{Cookie: c.u64(), CookieMask: c.u64(), Table: c.u8(), Command: FlowCommand(c.u8()),
		IdleTimeout: c.u16(), HardTimeout: c.u16(), Priority: c.u16(),
		BufferID: c.u32(), OutPort: c.u32(), OutGroup: c.u32(), Flags: c.u16()}
	if v >= V14 {
		m.Importance = c.u16()
	} else {
		c.skip(2)
	}
	at := c.off
	match := c.match()
	if err := c.err(); err != nil {
		return nil, err
	}
	var err error
	if m.Match, err = decodeMatch(match); err != nil {
		return nil, fmt.Errorf("match at byte %d: %w", at, err)
	}
	at = c.off
	if m.Actions, err = ParseInstructions(c.rest(), v); err != nil {
		return nil, fmt.Errorf("instructions at byte %d: %w", at, err)
	}
	return m, nil
}
