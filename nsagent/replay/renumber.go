package replay

import (
	"slices"

	"github.com/weft-sdn/weft/openflow"
)

// placed is a set, divided by what the ports of the bridge allow.
type placed struct {
	// ready are rows, renumbered, that can go in. Some may lack outputs: a flood over five tunnels must not wait for the
	// sixth.
	ready []openflow.FlowMod
	// waiting are rows, as they were saved, that lack something: an output, or the interface that they match.
	waiting []openflow.FlowMod
}

// place divides the rows of a set, given the ports that a bridge has now.
func (s *Set) place(now map[uint32]Interface) placed {
	n := s.numbers(now)
	p := placed{ready: make([]openflow.FlowMod, 0, len(s.Flows))}
	for i := range s.Flows {
		row, complete := n.row(&s.Flows[i])
		if row != nil {
			p.ready = append(p.ready, *row)
		}
		if !complete {
			p.waiting = append(p.waiting, s.Flows[i])
		}
	}
	return p
}

// numbering maps the port numbers that a set was saved with to those of now. A number that it lacks was not that of a
// port when the set was saved.
type numbering map[uint32]uint32

// missing is where an interface is that does not exist.
const missing = 0

func (s *Set) numbers(now map[uint32]Interface) numbering {
	at := map[Interface]uint32{}
	for number, i := range now {
		at[i] = number
	}
	n := numbering{}
	for number, i := range s.Ports {
		n[number] = at[i] // missing when there is none
	}
	return n
}

// port renumbers one port. Reserved numbers mean the same always.
func (n numbering) port(p uint32) (uint32, bool) {
	if p >= openflow.PortMax || p == 0 {
		return p, true
	}
	to, known := n[p]
	return to, known && to != missing
}

// row renumbers a row. It returns nil when the interface that it matches is missing, and says whether nothing is. A row all
// of whose outputs are missing drops until they come: without it, a packet to a MAC that is known would be flooded to
// those who have come back already.
func (n numbering) row(m *openflow.FlowMod) (row *openflow.FlowMod, complete bool) {
	if n.keeps(m) {
		return m, true
	}
	return n.rewrite(*m)
}

// keeps says whether all ports of a row have the numbers that they had. Mostly they do, and there are many rows.
func (n numbering) keeps(m *openflow.FlowMod) bool {
	for i := range m.Match {
		if o := &m.Match[i]; o.Field == openflow.InPort && o.Mask == "" && !n.same(uint32(o.Uint())) {
			return false
		}
	}
	return n.keepsAll(m.Actions)
}

func (n numbering) same(p uint32) bool {
	to, ok := n.port(p)
	return ok && to == p
}

func (n numbering) keepsAll(actions []openflow.Action) bool {
	for _, a := range actions {
		ok := true
		switch t := a.(type) {
		case openflow.Output:
			ok = n.same(t.Port)
		case openflow.OutputTrunc:
			ok = n.same(t.Port)
		case openflow.Resubmit:
			ok = n.same(t.Port)
		case openflow.Clone:
			ok = n.keepsAll(t.Actions)
		case openflow.WriteActions:
			ok = n.keepsAll(t.Actions)
		}
		if !ok {
			return false
		}
	}
	return true
}

func (n numbering) rewrite(m openflow.FlowMod) (row *openflow.FlowMod, complete bool) {
	if i := slices.IndexFunc(m.Match, func(o openflow.OXM) bool { return o.Field == openflow.InPort && o.Mask == "" }); i >= 0 {
		p, ok := n.port(uint32(m.Match[i].Uint()))
		if !ok {
			return nil, false
		}
		m.Match = slices.Clone(m.Match)
		m.Match[i] = openflow.U32(openflow.InPort, p)
	}
	actions, dropped, sends := n.actions(m.Actions)
	if dropped && !sends {
		actions = nil
	}
	m.Actions = actions
	return &m, !dropped
}

// actions renumbers a list, without the outputs to what is missing. sends says whether any output is left.
func (n numbering) actions(in []openflow.Action) (out []openflow.Action, dropped, sends bool) {
	for _, a := range in {
		keep := true
		switch t := a.(type) {
		case openflow.Output:
			t.Port, keep = n.port(t.Port)
			a, sends = t, sends || keep
		case openflow.OutputTrunc:
			t.Port, keep = n.port(t.Port)
			a, sends = t, sends || keep
		case openflow.Resubmit:
			t.Port, keep = n.port(t.Port)
			a, sends = t, sends || keep
		case openflow.Clone:
			var d, s bool
			t.Actions, d, s = n.actions(t.Actions)
			a, dropped, sends = t, dropped || d, sends || s
		case openflow.WriteActions:
			var d, s bool
			t.Actions, d, s = n.actions(t.Actions)
			a, dropped, sends = t, dropped || d, sends || s
		case openflow.GotoTable:
			sends = true
		}
		if keep {
			out = append(out, a)
		} else {
			dropped = true
		}
	}
	return out, dropped, sends
}
