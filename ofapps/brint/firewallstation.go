package brint

import (
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// Station renders what leads frames with a MAC to the judged ports that they may be for. A MAC that others may have too,
// here or on other hosts, is where its holder is: each port that may be it hears what its rules say, and so does the rest
// of the network.
func Station(s view.Station) []flow.Flow {
	is := flow.And(flow.Reg(vlan, uint32(s.Network.VLAN)), flow.DlDst(s.MAC))
	h := AcceptOrIngress.Row(100, is)
	if s.Limited != nil {
		return flow.Owned(flow.Cookie(flow.PortCookie, s.Limited.ID), h.Do(flow.SetReg(judged, s.Limited.OFPort), flow.Goto(AcceptedEgress)))
	}
	owner := flow.Cookie(flow.PortCookie, s.Receivers[0].ID)
	if s.Alone {
		r := s.Receivers[0]
		return flow.Owned(owner, h.Do(append(judge(toOne, r.OFPort, r.Set), flow.Goto(ToPort))...))
	}
	var to receivers
	for _, r := range s.Receivers {
		to.add(r.OFPort, r.Set)
	}
	return flow.Owned(owner, to.rows(100, is)...)
}

// receivers are copies of a packet for judged ports: those that nobody tracks, and those that are judged by their connection.
type receivers struct{ untracked, tracked []openflow.Action }

// apart is the first zone in which copies wait, above those of networks: nothing is remembered in them.
const apart = 1 << 15

func (to *receivers) add(port uint32, s view.Set) {
	as := judge(toEach, port, s)
	if s.Stateless {
		to.untracked = append(to.untracked, flow.Copy(ToPort, as...))
		return
	}
	to.tracked = append(to.tracked, flow.Copy(ToPort, append(as, flow.SetReg(waits, uint32(apart+len(to.tracked))))...))
}

// rows renders what makes the copies, and lets the rest of the network have the packet. That comes first: where the packet's connection
// is looked up already, the tracker may keep a fragment back, and then nothing comes after it. Nor does anything come after the
// looking up (docs/decisions/0077).
func (to *receivers) rows(priority uint16, is openflow.Match) []flow.Flow {
	do := append([]openflow.Action{flow.Copy(AcceptedEgress, flow.SetReg(phase, flooded))}, to.untracked...)
	if len(to.tracked) == 0 {
		return []flow.Flow{AcceptOrIngress.Row(priority, is).Do(do...)}
	}
	return []flow.Flow{
		AcceptOrIngress.Row(priority, is).Do(append(do, flow.Goto(ToEach))...),
		Copies.Row(priority, is).Do(to.tracked...),
	}
}

func judge(as, port uint32, s view.Set) []openflow.Action {
	return []openflow.Action{flow.SetReg(phase, as), flow.SetReg(judged, port), flow.SetReg(groups, register(s))}
}

// Multicast renders how a network with judged ports is flooded: ports with the same groups are judged at once, and what no
// port's rules are asked about goes to all others.
func Multicast(h view.Host, m view.Multicast) []flow.Flow {
	mine := flow.Reg(vlan, uint32(m.Network.VLAN))
	var rows []flow.Flow
	var to receivers
	for _, j := range m.Judged {
		if j.Set.Number == 0 {
			continue // nothing is allowed to them
		}
		to.add(0, j.Set)
		rows = append(rows, Deliver.Row(50, flow.Reg(phase, toEach), flow.Reg(judged, 0), mine, flow.Reg(groups, register(j.Set))).
			Do(then(outputs(j.Ports), limited(j.Limited)...)...))
	}
	if len(m.Judged) > 0 {
		if h.Userspace {
			rows = append(rows, passedCopies(uint32(m.Network.VLAN)))
		}
		rows = append(rows, to.rows(80, flow.And(mine, flow.Multicast()))...)
		rows = append(rows, flood(m, 10, flow.And(flow.Reg(phase, flooded), mine), nil, m.Ports, m.Limited)...)
	}
	rows = append(rows, limitedFlood(m)...)
	return flow.Owned(flow.Cookie(flow.NetworkCookie, m.Network.ID), rows...)
}

// flood renders what sends packets of a network out of ports of this host, and on to the others.
func flood(m view.Multicast, priority uint16, is openflow.Match, first []openflow.Action, ports, limitedPorts []uint32) []flow.Flow {
	here := then(outputs(ports), limited(limitedPorts)...)
	out := here
	if m.Uplink != 0 {
		out = then(here, flow.PushVLAN(), flow.SetVLAN(m.Network.VLAN), flow.Output(m.Uplink))
	}
	return []flow.Flow{
		// Nothing that came from the other hosts goes back to them.
		Forward.Row(priority, is, flow.DlVlan(m.Network.VLAN)).Do(then(first, untagged(here)...)...),
		Forward.Row(priority, is, flow.Untagged()).Do(then(first, out...)...),
		Forward.Row(priority, is, flow.PriorityTagged()).Do(then(first, untagged(out)...)...),
	}
}

func outputs(ports []uint32) []openflow.Action {
	var out []openflow.Action
	for _, p := range ports {
		out = append(out, flow.Output(p))
	}
	return out
}

// untagged takes a tag off first, if anything follows.
func untagged(do []openflow.Action) []openflow.Action {
	if len(do) == 0 {
		return nil
	}
	return append([]openflow.Action{flow.PopVLAN()}, do...)
}
