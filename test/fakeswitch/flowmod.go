package fakeswitch

import (
	"cmp"
	"time"

	"github.com/weft-sdn/weft/openflow"
)

// Refusals, as Open vSwitch words them.
var (
	errPermission = &openflow.Error{Type: openflow.ErrorBadRequest, Code: 5}    // OFPBRC_EPERM
	errBadTable   = &openflow.Error{Type: openflow.ErrorFlowModFailed, Code: 2} // OFPFMFC_BAD_TABLE_ID
	errTableFull  = &openflow.Error{Type: openflow.ErrorFlowModFailed, Code: 1} // OFPFMFC_TABLE_FULL
	errOverlap    = &openflow.Error{Type: openflow.ErrorFlowModFailed, Code: 3} // OFPFMFC_OVERLAP
	errBadCommand = &openflow.Error{Type: openflow.ErrorFlowModFailed, Code: 6} // OFPFMFC_BAD_COMMAND
	errSlave      = &openflow.Error{Type: openflow.ErrorBadRequest, Code: 10}   // OFPBRC_IS_SECONDARY
	errBadType    = &openflow.Error{Type: openflow.ErrorBadRequest, Code: 1}    // OFPBRC_BAD_TYPE
	errBadLen     = &openflow.Error{Type: openflow.ErrorBadRequest, Code: 6}    // OFPBRC_BAD_LEN
	errBadStat    = &openflow.Error{Type: openflow.ErrorBadRequest, Code: 2}    // OFPBRC_BAD_STAT
	errStale      = &openflow.Error{Type: openflow.ErrorRoleRequestFailed, Code: 0}
)

// check refuses what Open vSwitch refuses when it reads a flow-mod.
func (s *Switch) check(m *openflow.FlowMod) *openflow.Error {
	switch {
	case m.Command > openflow.FlowDeleteStrict:
		return errBadCommand
	case m.Command < openflow.FlowDelete && m.Table == openflow.AllTables:
		return errBadTable
	case m.Command == openflow.FlowAdd && m.Table == Tables:
		return errPermission // the table is there, and Open vSwitch's own
	case m.Command < openflow.FlowDelete && s.lacksMeter(m.Actions):
		return errInvalidMeter
	case s.cfg.Refuse != nil:
		return s.cfg.Refuse(m)
	}
	return nil
}

// transaction applies flow-mods of c, or of nobody in particular, and can take them back. The holder holds s.mu.
type transaction struct {
	s      *Switch
	c      *conn
	undo   []undo
	events []event
	// reason is why rows go away; 0 means that a flow-mod removes them.
	reason openflow.RemovedReason
}

// event is one change of a row, by the message with that xid.
type event struct {
	kind   openflow.UpdateEvent
	reason openflow.RemovedReason // of a removal
	row    *row
	xid    uint32
}

// apply applies a checked flow-mod that came in version v.
func (t *transaction) apply(m *openflow.FlowMod, xid uint32, v openflow.Version) *openflow.Error {
	k := key{m.Table, m.Priority, string(openflow.AppendMatch(nil, m.Match))}
	if m.Command == openflow.FlowAdd {
		return t.add(k, m, xid, v)
	}
	for _, r := range t.s.table.choose(m, k) {
		if m.Command == openflow.FlowDelete || m.Command == openflow.FlowDeleteStrict {
			t.set(r.key, nil, openflow.UpdateRemoved, r, xid)
			continue
		}
		n := *r // since OpenFlow 1.2 modify leaves the cookie, the timeouts and the flags as they are
		n.instructions, n.version = string(openflow.AppendInstructions(nil, m.Actions, v)), v
		if n.instructions == r.encoded(v) {
			continue
		}
		t.set(r.key, &n, openflow.UpdateModified, &n, xid)
	}
	return nil
}

func (t *transaction) add(k key, m *openflow.FlowMod, xid uint32, v openflow.Version) *openflow.Error {
	old := t.s.table[k]
	switch {
	case old == nil && t.s.cfg.MaxFlows > 0 && len(t.s.table) >= t.s.cfg.MaxFlows:
		return errTableFull
	case m.Flags&openflow.FlagCheckOverlap != 0 && old != nil:
		return errOverlap
	}
	r := &row{key: k, cookie: m.Cookie, idle: m.IdleTimeout, hard: m.HardTimeout, importance: m.Importance,
		flags:        m.Flags &^ openflow.FlagCheckOverlap,
		instructions: string(openflow.AppendInstructions(nil, m.Actions, v)), version: v, since: time.Now()}
	// Also when it takes the place of another row.
	t.set(k, r, openflow.UpdateAdded, r, xid)
	return nil
}

func (t *transaction) set(k key, to *row, kind openflow.UpdateEvent, told *row, xid uint32) {
	t.s.table.set(k, to, &t.undo)
	t.events = append(t.events, event{kind, cmp.Or(t.reason, openflow.RemovedDelete), told, xid})
}

// finish tells those who want to know.
func (t *transaction) finish() {
	t.s.report(t.c, t.events)
	for _, e := range t.events {
		if e.kind == openflow.UpdateRemoved && e.row.flags&openflow.FlagSendFlowRem != 0 {
			t.s.flowRemoved(e.row, e.reason)
		}
	}
}

// rollBack makes the tables what they were.
func (t *transaction) rollBack() { t.s.table.rollBack(t.undo) }

func (s *Switch) flowRemoved(r *row, reason openflow.RemovedReason) {
	m := &openflow.FlowRemoved{Cookie: r.cookie, Priority: r.priority, Reason: reason, Table: r.table,
		IdleTimeout: r.idle, HardTimeout: r.hard, Counters: counters(r), Match: openflow.RawMatch(r.match)}
	for c := range s.conns {
		if c.version != 0 && c.role != openflow.RoleSlave {
			c.send(m, 0)
		}
	}
}

func counters(r *row) openflow.Counters {
	d := time.Since(r.since)
	return openflow.Counters{Packets: r.packets, DurationSec: uint32(d / time.Second), DurationNsec: uint32(d % time.Second), IdleAge: ^uint32(0), Flows: ^uint32(0)}
}
