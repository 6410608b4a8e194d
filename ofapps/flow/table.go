package flow

import (
	"slices"

	"github.com/weft-sdn/weft/openflow"
)

// Table declares a table of a pipeline: what it is for, and what its rows may do. Check holds the rows against it.
type Table struct {
	ID   uint8
	Name string
	// About says in one line what the table decides.
	About string
	// Match lists the fields that rows may match.
	Match []openflow.Field
	// Set lists the fields that rows may change.
	Set []openflow.Field
	// Next names the tables that rows may send packets on to. All of them have a higher ID.
	Next []string
	// Learns names the tables that rows may teach the switch rows for. They too have a higher ID.
	Learns []string
}

// Row begins a row of the table that matches all of the matches: Do ends it.
func (t *Table) Row(priority uint16, matches ...openflow.Match) Head {
	return Head{t.ID, priority, slices.Concat(matches...)}
}

// Head is a row that does not say yet what it does.
type Head struct {
	table    uint8
	priority uint16
	match    openflow.Match
}

// Do makes the row. Without actions it drops. What two matches of the row say alike is said once.
func (h Head) Do(actions ...openflow.Action) Flow {
	return Flow{Table: h.table, Priority: h.priority, Match: slices.Compact(openflow.Canonical(h.match)), Actions: actions}
}

// Drop makes a row that drops.
func (h Head) Drop() Flow { return h.Do() }

// Goto makes a row that sends the packet on as it is.
func (h Head) Goto(t *Table) Flow { return h.Do(Goto(t)) }
