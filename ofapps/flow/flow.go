package flow

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/weft-sdn/weft/openflow"
)

// Flow is one row of a bridge.
type Flow struct {
	// Table is 0..253.
	Table    uint8
	Priority uint16
	// Match is canonical: openflow.Canonical has put it into the order of a dump.
	Match   openflow.Match
	Actions []openflow.Action
	// Cookie tells who wanted the row; see Cookie.
	Cookie uint64
	// IdleTimeout and HardTimeout are in seconds; 0 is never.
	IdleTimeout, HardTimeout uint16
	// Flags are those of a flow-mod.
	Flags uint16
}

// String is the row as ovs-ofctl -O OpenFlow13 --no-stats dump-flows prints it, without the blank that begins the line.
// A cookie or a table of 0 is left out.
func (f Flow) String() string {
	b := make([]byte, 0, 256)
	if f.Cookie != 0 {
		b = append(b, "cookie=0x"...)
		b = strconv.AppendUint(b, f.Cookie, 16)
		b = append(b, ", "...)
	}
	if f.Table != 0 {
		b = f.appendTable(b)
	}
	return string(f.appendRow(b))
}

// Line is the row without its cookie, and with its table even when that is 0.
func (f Flow) Line() string {
	return string(f.appendRow(f.appendTable(make([]byte, 0, 256))))
}

func (f Flow) appendTable(b []byte) []byte {
	b = append(b, "table="...)
	b = strconv.AppendUint(b, uint64(f.Table), 10)
	return append(b, ", "...)
}

// flagWords spells the flags of a flow-mod in the order of ofputil_flow_mod_flags_format (Open vSwitch, lib/ofp-flow.c).
var flagWords = []struct {
	bit  uint16
	word string
}{
	{openflow.FlagSendFlowRem, "send_flow_rem "},
	{openflow.FlagCheckOverlap, "check_overlap "},
	{openflow.FlagResetCounts, "reset_counts "},
	{openflow.FlagNoPacketCounts, "no_packet_counts "},
	{openflow.FlagNoByteCounts, "no_byte_counts "},
}

// defaultPriority is the one that Open vSwitch does not print (OFP_DEFAULT_PRIORITY).
const defaultPriority = 0x8000

func (f Flow) appendRow(b []byte) []byte {
	if f.IdleTimeout != 0 {
		b = append(b, "idle_timeout="...)
		b = strconv.AppendUint(b, uint64(f.IdleTimeout), 10)
		b = append(b, ", "...)
	}
	if f.HardTimeout != 0 {
		b = append(b, "hard_timeout="...)
		b = strconv.AppendUint(b, uint64(f.HardTimeout), 10)
		b = append(b, ", "...)
	}
	for _, w := range flagWords {
		if f.Flags&w.bit != 0 {
			b = append(b, w.word...)
		}
	}
	match := f.Match.String()
	if f.Priority != defaultPriority {
		b = append(b, "priority="...)
		b = strconv.AppendUint(b, uint64(f.Priority), 10)
		if match != "" {
			b = append(b, ',')
		}
	}
	b = append(b, match...)
	if f.Priority != defaultPriority || match != "" {
		b = append(b, ' ')
	}
	b = append(b, "actions="...)
	if len(f.Actions) == 0 {
		return append(b, "drop"...)
	}
	for i, a := range f.Actions {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, a.String()...)
	}
	return b
}

// Order sorts rows as people read them: by table, the higher priority first, then by the text of the match.
func Order(f, g Flow) int {
	return cmp.Or(
		cmp.Compare(f.Table, g.Table),
		cmp.Compare(g.Priority, f.Priority),
		strings.Compare(f.Match.String(), g.Match.String()),
	)
}

// Owned gives all rows to one owner.
func Owned(cookie uint64, rows ...Flow) []Flow {
	for i := range rows {
		rows[i].Cookie = cookie
	}
	return rows
}
