package fakeswitch

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/openflow"
)

// key is what makes a row one: table, priority and match.
type key struct {
	table    uint8
	priority uint16
	match    string // in wire form
}

// row is one row. Rows are not changed but replaced, so that a bundle can be undone.
type row struct {
	key
	cookie       uint64
	idle, hard   uint16
	importance   uint16
	flags        uint16
	instructions string // in the wire form of version
	version      openflow.Version
	since        time.Time
	packets      uint64
}

type table map[key]*row

func (r *row) matched() openflow.Match {
	m, _, err := openflow.ParseMatch([]byte(r.match))
	if err != nil {
		panic("fakeswitch: a stored match does not parse: " + err.Error())
	}
	return m
}

// encoded is the instructions in the wire form of a version.
func (r *row) encoded(v openflow.Version) string {
	if v == r.version {
		return r.instructions
	}
	actions, err := openflow.ParseInstructions([]byte(r.instructions), r.version)
	if err != nil {
		panic("fakeswitch: stored instructions do not parse: " + err.Error())
	}
	return string(openflow.AppendInstructions(nil, actions, v))
}

func (t table) sorted() []*row {
	rows := make([]*row, 0, len(t))
	for _, r := range t {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.table, b.table), -cmp.Compare(a.priority, b.priority), strings.Compare(a.match, b.match))
	})
	return rows
}

// undo is a row before a change; was is nil when there was none.
type undo struct {
	key key
	was *row
}

func (t table) set(k key, r *row, log *[]undo) {
	if log != nil {
		*log = append(*log, undo{k, t[k]})
	}
	if r == nil {
		delete(t, k)
	} else {
		t[k] = r
	}
}

func (t table) rollBack(log []undo) {
	for _, u := range slices.Backward(log) {
		t.set(u.key, u.was, nil)
	}
}

// choose finds the rows that a modify or delete means.
func (t table) choose(m *openflow.FlowMod, k key) []*row {
	strict := m.Command == openflow.FlowModifyStrict || m.Command == openflow.FlowDeleteStrict
	var out []*row
	if strict && m.Table != openflow.AllTables {
		if r := t[k]; r != nil && wanted(r, m) {
			out = append(out, r)
		}
		return out
	}
	for _, r := range t {
		if (m.Table == openflow.AllTables || m.Table == r.table) && wanted(r, m) &&
			(strict && r.match == k.match && r.priority == k.priority || !strict && covers(m.Match, r)) {
			out = append(out, r)
		}
	}
	return out
}

// wanted checks what restricts modify and delete beside the match.
func wanted(r *row, m *openflow.FlowMod) bool {
	if (r.cookie^m.Cookie)&m.CookieMask != 0 {
		return false
	}
	deletes := m.Command == openflow.FlowDelete || m.Command == openflow.FlowDeleteStrict
	return !deletes || (m.OutPort == openflow.PortAny || sendsTo(r, m.OutPort))
}

func sendsTo(r *row, port uint32) bool {
	actions, err := openflow.ParseInstructions([]byte(r.instructions), r.version)
	if err != nil {
		panic("fakeswitch: stored instructions do not parse: " + err.Error())
	}
	for _, a := range actions {
		if o, ok := a.(openflow.Output); ok && o.Port == port {
			return true
		}
	}
	return false
}

// covers says whether every packet of the row would match m: each element of m is in the row, and at least as strict.
func covers(m openflow.Match, r *row) bool {
	if len(m) == 0 {
		return true
	}
	has := r.matched()
	for _, want := range m {
		if !slices.ContainsFunc(has, func(o openflow.OXM) bool { return within(o, want) }) {
			return false
		}
	}
	return true
}

// within says whether o fixes every bit that want fixes, to the same value.
func within(o, want openflow.OXM) bool {
	if o.Field != want.Field || len(o.Value) != len(want.Value) {
		return false
	}
	for i := range len(want.Value) {
		mask, omask := byte(0xff), byte(0xff)
		if want.Mask != "" {
			mask = want.Mask[i]
		}
		if o.Mask != "" {
			omask = o.Mask[i]
		}
		if mask&^omask != 0 || (o.Value[i]^want.Value[i])&mask != 0 {
			return false
		}
	}
	return true
}
