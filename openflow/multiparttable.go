package openflow

// SwitchDesc describes a switch: the body of the reply to MultipartDesc.
type SwitchDesc struct{ Manufacturer, Hardware, Software, SerialNumber, Datapath string }

// Lengths of the strings of a SwitchDesc, with a zero byte (OpenFlow 1.5.1, 7.3.5.1).
const (
	descLen   = 256
	serialLen = 32
)

// Append appends the body of a reply.
func (s *SwitchDesc) Append(b []byte) []byte {
	b = appendText(appendText(appendText(b, s.Manufacturer, descLen), s.Hardware, descLen), s.Software, descLen)
	return appendText(appendText(b, s.SerialNumber, serialLen), s.Datapath, descLen)
}

// ParseSwitchDesc decodes the body of a reply.
func ParseSwitchDesc(b []byte) (SwitchDesc, error) {
	c := cursor{b: b}
	s := SwitchDesc{Manufacturer: c.text(descLen), Hardware: c.text(descLen), Software: c.text(descLen),
		SerialNumber: c.text(serialLen), Datapath: c.text(descLen)}
	return s, c.end()
}

// TableStats are the counters of a flow table.
type TableStats struct {
	Table uint8
	// Active counts rows.
	Active           uint32
	Lookups, Matches uint64
}

// Append appends one element of the body of a reply.
func (s *TableStats) Append(b []byte, _ Version) []byte {
	return appendU64(appendU64(appendU32(append(b, s.Table, 0, 0, 0), s.Active), s.Lookups), s.Matches)
}

// ParseTableStats decodes the first element of the body of a reply, and tells how many bytes it takes.
func ParseTableStats(b []byte, _ Version) (TableStats, int, error) {
	c := cursor{b: b}
	s := TableStats{Table: c.u8()}
	c.skip(3)
	s.Active, s.Lookups, s.Matches = c.u32(), c.u64(), c.u64()
	return s, c.off, c.err()
}

// TableFeatures says what a flow table is called and can do.
type TableFeatures struct {
	Table uint8
	// Command is said in OpenFlow 1.5 only.
	Command                      uint8
	Name                         string
	MetadataMatch, MetadataWrite uint64
	Capabilities, MaxEntries     uint32
	// Properties are the lists of fields, actions and tables, in wire form with their padding.
	Properties []byte
}

const tableNameLen = 32

// Append appends one element of the body of a request or reply.
func (s *TableFeatures) Append(b []byte, v Version) []byte {
	start := len(b)
	b = append(b, 0, 0, s.Table, 0, 0, 0, 0, 0)
	if v >= V15 {
		b[start+3] = s.Command
	}
	b = appendU64(appendU64(appendText(b, s.Name, tableNameLen), s.MetadataMatch), s.MetadataWrite)
	b = append(appendU32(appendU32(b, s.Capabilities), s.MaxEntries), s.Properties...)
	putLen(b, start, len(b)-start)
	return b
}

// ParseTableFeatures decodes the first element of a body, and tells how many bytes it takes.
func ParseTableFeatures(b []byte, v Version) (TableFeatures, int, error) {
	c := cursor{b: b}
	n := int(c.u16())
	s := TableFeatures{Table: c.u8(), Command: c.u8()}
	if v < V15 {
		s.Command = 0
	}
	c.skip(4)
	s.Name = c.text(tableNameLen)
	s.MetadataMatch, s.MetadataWrite, s.Capabilities, s.MaxEntries = c.u64(), c.u64(), c.u32(), c.u32()
	at := c.off
	s.Properties = c.take(n - c.off)
	if err := c.err(); err != nil {
		return s, 0, err
	}
	err := properties(s.Properties, at, func(uint16, []byte) error { return nil })
	return s, c.off, err
}

// TableDesc is the configuration of a flow table, since OpenFlow 1.4.
type TableDesc struct {
	Table  uint8
	Config uint32
	// Properties are kept as they came.
	Properties []byte
}

// Append appends one element of the body of a reply.
func (s *TableDesc) Append(b []byte, _ Version) []byte {
	start := len(b)
	b = append(appendU32(append(b, 0, 0, s.Table, 0), s.Config), s.Properties...)
	putLen(b, start, len(b)-start)
	return b
}

// ParseTableDesc decodes the first element of the body of a reply, and tells how many bytes it takes.
func ParseTableDesc(b []byte, _ Version) (TableDesc, int, error) {
	c := cursor{b: b}
	n := int(c.u16())
	s := TableDesc{Table: c.u8()}
	c.skip(1)
	s.Config = c.u32()
	s.Properties = c.take(n - c.off)
	return s, c.off, c.err()
}

// TableStatus tells that the vacancy of a table passed a threshold, since OpenFlow 1.4.
type TableStatus struct {
	Reason uint8
	Table  TableDesc
}

// Append implements Message.
func (m *TableStatus) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendZeros(append(appendHeader(b, v, TypeTableStatus, xid), m.Reason), 7)
	return finish(m.Table.Append(b, v), start)
}

func parseTableStatus(b []byte) (*TableStatus, error) {
	c := body(b)
	m := &TableStatus{Reason: c.u8()}
	c.skip(7)
	var n int
	var err error
	if m.Table, n, err = ParseTableDesc(c.b, 0); err != nil {
		return nil, err
	}
	c.skip(n)
	return m, c.end()
}
