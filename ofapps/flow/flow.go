package flow

import (
	"cmp"
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
	return openflow.Flow{
		Table: f.Table, Priority: f.Priority, Match: f.Match, Actions: f.Actions, Cookie: f.Cookie,
		IdleTimeout: f.IdleTimeout, HardTimeout: f.HardTimeout, Flags: f.Flags,
	}.String()
}

// Line is the row without its cookie, and with its table even when that is 0.
func (f Flow) Line() string {
	f.Cookie = 0
	if f.Table == 0 {
		return "table=0, " + f.String()
	}
	return f.String()
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
