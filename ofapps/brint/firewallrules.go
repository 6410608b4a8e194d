package brint

import (
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// Priorities of rules in their tables.
const (
	byRule   = 70
	byRemote = 60
)

// GroupSet renders the rules of a set of groups: a row a rule, for all ports of the host that have these groups, and for
// a range of ports a row for each block that the range falls into. A rule that another of the set has already said makes no
// row.
//
// Rules that name a group are one clause of a conjunctive match; the group's addresses, which all sets share, are the other.
func GroupSet(s view.GroupSet) []flow.Flow {
	if s.Number == 0 {
		return nil
	}
	r := ruleRows{set: s.Set, at: map[string]int{}}
	for _, rule := range s.Rules {
		r.add(rule)
	}
	return r.rows
}

type ruleRows struct {
	set  view.Set
	rows []flow.Flow
	// at is where the row of a match is.
	at map[string]int
}

func (r *ruleRows) add(rule view.Rule) {
	t, accept := RulesEgress, AcceptOrIngress
	if rule.Ingress {
		t, accept = RulesIngress, AcceptIngress
	}
	mine := flow.And(flow.Reg(groups, register(r.set)), flow.Family(rule.IPv6))
	cookie := flow.Cookie(flow.SecurityGroupRuleCookie, rule.ID)
	for _, m := range transport(rule) {
		switch {
		case rule.Remote != 0:
			f := t.Row(byRemote, mine, m).Do(flow.Clause(rule.Remote, 2))
			f.Cookie = cookie
			r.put(f)
			continue
		case rule.Prefix.IsValid() && rule.Ingress:
			m = flow.And(m, flow.From(rule.Prefix))
		case rule.Prefix.IsValid():
			m = flow.And(m, flow.To(rule.Prefix))
		}
		f := t.Row(byRule, mine, m).Goto(accept)
		f.Cookie = cookie
		r.put(f)
	}
}

// put adds a row; clauses go to the row that has the match already.
func (r *ruleRows) put(f flow.Flow) {
	k := string(openflow.AppendMatch([]byte{f.Table, byte(f.Priority)}, f.Match))
	i, there := r.at[k]
	if !there {
		r.at[k] = len(r.rows)
		r.rows = append(r.rows, f)
		return
	}
	old := &r.rows[i]
	for _, a := range f.Actions {
		if c, ok := a.(openflow.Conjunction); ok && !has(old.Actions, c) {
			old.Actions = append(old.Actions, c)
		}
	}
}

func has(actions []openflow.Action, c openflow.Conjunction) bool {
	for _, a := range actions {
		if a == openflow.Action(c) {
			return true
		}
	}
	return false
}

// transport is what a rule says of protocol, ports, type and code: none if nothing can meet it, several for a range.
func transport(r view.Rule) []openflow.Match {
	switch {
	case r.Protocol == nil && r.Min == nil:
		return []openflow.Match{nil}
	case r.Protocol == nil:
		return nil
	case r.Min == nil:
		return []openflow.Match{flow.Proto(*r.Protocol)}
	}
	proto := flow.Proto(*r.Protocol)
	switch *r.Protocol {
	case flow.TCPProto, flow.UDPProto, flow.SCTPProto:
		return ports(r, proto)
	case flow.ICMPProto, flow.ICMPv6Proto:
		if (*r.Protocol == flow.ICMPv6Proto) == r.IPv6 && *r.Min < 256 && (r.Max == nil || *r.Max < 256) {
			return []openflow.Match{flow.And(proto, icmp(r))}
		}
	}
	// The switch does not know the ports of any other protocol.
	return nil
}

func ports(r view.Rule, proto openflow.Match) []openflow.Match {
	if r.Max == nil {
		return nil
	}
	var out []openflow.Match
	for _, b := range blocks(*r.Min, *r.Max) {
		out = append(out, flow.And(proto, flow.Port(*r.Protocol, b.port, b.mask)))
	}
	return out
}

func icmp(r view.Rule) openflow.Match {
	if r.Max == nil {
		return flow.ICMPTypeCode(r.IPv6, uint8(*r.Min), 0, false)
	}
	return flow.ICMPTypeCode(r.IPv6, uint8(*r.Min), uint8(*r.Max), true)
}

// block is the ports that are the same in the bits that mask has.
type block struct{ port, mask uint16 }

// blocks splits a range of ports into as few blocks as there must be, at most 30.
func blocks(first, last uint16) []block {
	var out []block
	for at := uint32(first); at <= uint32(last); {
		size := uint32(1)
		for at&size == 0 && size < 1<<16 && at+2*size-1 <= uint32(last) {
			size *= 2
		}
		out = append(out, block{uint16(at), ^uint16(size - 1)})
		at += size
	}
	return out
}

// RemoteGroup renders what becomes of packets that meet both clauses of the rules that name a group.
func RemoteGroup(g view.RemoteGroup) []flow.Flow {
	var rows []flow.Flow
	if g.Egress {
		rows = append(rows, RulesEgress.Row(byRemote, flow.ConjID(g.Number)).Goto(AcceptOrIngress))
	}
	if g.Ingress {
		rows = append(rows, RulesIngress.Row(byRemote, flow.ConjID(g.Number)).Goto(AcceptIngress))
	}
	return flow.Owned(groupCookie(g), rows...)
}

// Remote renders an address of remote groups: one row a direction, with all the groups that have it.
func Remote(r view.Remote) []flow.Flow {
	var rows []flow.Flow
	if len(r.Egress) > 0 {
		rows = append(rows, flow.Owned(groupCookie(r.Egress[0]), RulesEgress.Row(byRemote, flow.To(r.Prefix)).Do(clauses(r.Egress)...))...)
	}
	if len(r.Ingress) > 0 {
		rows = append(rows, flow.Owned(groupCookie(r.Ingress[0]), RulesIngress.Row(byRemote, flow.From(r.Prefix)).Do(clauses(r.Ingress)...))...)
	}
	return rows
}

func clauses(groups []view.RemoteGroup) []openflow.Action {
	var out []openflow.Action
	for _, g := range groups {
		if c := flow.Clause(g.Number, 1); len(out) == 0 || out[len(out)-1] != c {
			out = append(out, c)
		}
	}
	return out
}

func groupCookie(g view.RemoteGroup) uint64 {
	if g.Address {
		return flow.Cookie(flow.AddressGroupCookie, g.ID)
	}
	return flow.Cookie(flow.SecurityGroupCookie, g.ID)
}
