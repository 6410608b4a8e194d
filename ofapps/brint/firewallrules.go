package brint

import (
	"net/netip"

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
// a range of ports a row for each block that the range falls into; and as much again for answers, unless the groups are
// stateless. A rule that another of the set has already said makes no row.
//
// Rules that name a group are one clause of a conjunctive match; the group's addresses, which all sets share, are the other.
func GroupSet(s view.GroupSet) []flow.Flow {
	if s.Number == 0 {
		return nil
	}
	r := ruleRows{set: s.Set, at: map[string]int{}}
	for _, rule := range s.Rules {
		r.add(rule, firstOf(rule.Ingress))
		if !s.Stateless {
			r.add(rule, answersTo(rule.Ingress))
		}
	}
	return r.rows
}

// place is where rules of one direction judge packets, and how the packets show what the rules are about.
type place struct {
	table, accept *flow.Table
	// remote matches the other side.
	remote func(netip.Prefix) openflow.Match
	// port matches a port of TCP, UDP or SCTP; icmp a type and a code.
	port func(proto uint8, port, mask uint16) openflow.Match
	icmp func(ipv6 bool, typ, code uint8, withCode bool) openflow.Match
}

// firstOf is where packets of a connection's first direction are judged.
func firstOf(ingress bool) place {
	if ingress {
		return place{RulesIngress, AcceptIngress, flow.From, port, icmp}
	}
	return place{RulesEgress, AcceptOrIngress, flow.To, port, icmp}
}

// answersTo is where answers are judged by the rules of a direction: they go the other way.
func answersTo(ingress bool) place {
	if ingress {
		return place{RepliesEgress, AcceptOrIngress, flow.To, askedPort, askedICMP}
	}
	return place{RepliesIngress, AcceptIngress, flow.From, askedPort, askedICMP}
}

func port(proto uint8, port, mask uint16) openflow.Match {
	return flow.And(flow.Proto(proto), flow.Port(proto, port, mask))
}

func icmp(ipv6 bool, typ, code uint8, withCode bool) openflow.Match {
	return flow.And(flow.Proto(icmpProto(ipv6)), flow.ICMPTypeCode(ipv6, typ, code, withCode))
}

func icmpProto(ipv6 bool) uint8 {
	if ipv6 {
		return flow.ICMPv6Proto
	}
	return flow.ICMPProto
}

// askedPort matches answers by the port that was asked. Of SCTP the tracker does not know it (Open vSwitch 3.1, userspace).
func askedPort(proto uint8, port, mask uint16) openflow.Match {
	if proto == flow.SCTPProto {
		return flow.And(flow.Proto(proto), flow.SCTPFrom(port, mask))
	}
	return flow.And(begunBy(proto), flow.CTTPDst(port, mask))
}

// askedICMP matches answers by the type and code of the question.
func askedICMP(ipv6 bool, typ, code uint8, withCode bool) openflow.Match {
	m := flow.And(begunBy(icmpProto(ipv6)), flow.CTTPSrc(uint16(typ), 0xffff))
	if withCode {
		m = flow.And(m, flow.CTTPDst(uint16(code), 0xffff))
	}
	return m
}

// JudgesAnswers says whether a row is one of those by which answers are judged.
func JudgesAnswers(f flow.Flow) bool {
	return f.Table == RepliesEgress.ID || f.Table == RepliesIngress.ID
}

type ruleRows struct {
	set  view.Set
	rows []flow.Flow
	// at is where the row of a match is.
	at map[string]int
}

func (r *ruleRows) add(rule view.Rule, at place) {
	mine := flow.And(flow.Reg(groups, register(r.set)), flow.Family(rule.IPv6))
	for _, m := range at.transport(rule) {
		var f flow.Flow
		switch {
		case rule.Remote != 0:
			f = at.table.Row(byRemote, mine, m).Do(flow.Clause(rule.Remote, 2))
		case rule.Prefix.IsValid():
			f = at.table.Row(byRule, mine, m, at.remote(rule.Prefix)).Goto(at.accept)
		default:
			f = at.table.Row(byRule, mine, m).Goto(at.accept)
		}
		f.Cookie = flow.Cookie(flow.SecurityGroupRuleCookie, rule.ID)
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
func (at place) transport(r view.Rule) []openflow.Match {
	switch {
	case r.Protocol == nil && r.Min == nil:
		return []openflow.Match{nil}
	case r.Protocol == nil:
		return nil
	case r.Min == nil:
		return []openflow.Match{flow.Proto(*r.Protocol)}
	}
	switch *r.Protocol {
	case flow.TCPProto, flow.UDPProto, flow.SCTPProto:
		return at.ports(r)
	case flow.ICMPProto, flow.ICMPv6Proto:
		if *r.Protocol == icmpProto(r.IPv6) && *r.Min < 256 && (r.Max == nil || *r.Max < 256) {
			code := uint16(0)
			if r.Max != nil {
				code = *r.Max
			}
			return []openflow.Match{at.icmp(r.IPv6, uint8(*r.Min), uint8(code), r.Max != nil)}
		}
	}
	// The switch does not know the ports of any other protocol.
	return nil
}

func (at place) ports(r view.Rule) []openflow.Match {
	if r.Max == nil {
		return nil
	}
	var out []openflow.Match
	for _, b := range blocks(*r.Min, *r.Max) {
		out = append(out, at.port(*r.Protocol, b.port, b.mask))
	}
	return out
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
	for _, at := range judgedBy(g.Egress, g.Ingress) {
		rows = append(rows, at.table.Row(byRemote, flow.ConjID(g.Number)).Goto(at.accept))
	}
	return flow.Owned(groupCookie(g), rows...)
}

// Remote renders an address of remote groups: one row a table, with all the groups that have it.
func Remote(r view.Remote) []flow.Flow {
	var rows []flow.Flow
	add := func(groups []view.RemoteGroup, places []place) {
		for _, at := range places {
			rows = append(rows, flow.Owned(groupCookie(groups[0]), at.table.Row(byRemote, at.remote(r.Prefix)).Do(clauses(groups)...))...)
		}
	}
	add(r.Egress, judgedBy(len(r.Egress) > 0, false))
	add(r.Ingress, judgedBy(false, len(r.Ingress) > 0))
	return rows
}

// judgedBy is where rules of directions judge.
func judgedBy(egress, ingress bool) (out []place) {
	if egress {
		out = append(out, firstOf(false), answersTo(false))
	}
	if ingress {
		out = append(out, firstOf(true), answersTo(true))
	}
	return out
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
