package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/policy"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
)

// arrive is where the packet leaves br-int by a port: a machine's, or that of a namespace.
func (w *walk) arrive(host, name string) stage {
	p := w.portAt(host, name)
	if p == nil {
		return w.end(Dropped, host, name, "weft interfaces "+host, "it ends at %s of %s, which is no port's interface", name, host)
	}
	if mac, err := model.ParseMAC(w.ethDst); err == nil && !slices.Contains(p.Stations(), mac) {
		return w.end(Dropped, host, name, describe(p), "it comes to %s for the MAC %s, which is not the port's%s", called(p), w.ethDst, w.known())
	}
	if at, ours := w.spaceOf(p); ours {
		return w.route(host, at)
	}
	if b := w.s.Binding(p.ID); b != nil && b.Firewalled {
		if stop, over := w.judgeBridge(b, p, false); over {
			return stop
		}
	}
	if d := w.req.Destination; d != nil && d.ID != p.ID && owns(p, w.packet.Dst) {
		return w.end(Dropped, host, name, describe(d), "it ends at %s of network %s, which has %v, too: %s is on network %s, and not reached from here by that address",
			called(p), networkName(w.s.Network(p.NetworkID)), w.packet.Dst, called(d), networkName(w.s.Network(d.NetworkID)))
	} else if d != nil && d.ID != p.ID || !owns(p, w.packet.Dst) {
		return w.end(Dropped, host, name, describe(p), "it ends at %s, which does not have %v%s", called(p), w.packet.Dst, w.known())
	}
	w.out.To = p
	return w.end(Delivered, host, name, "", "to %s on %s", called(p), host)
}

// judgement is what the model says of a port's rules: of what it sends, or is to hear.
func (w *walk) judgement(p *model.Port, sends bool) policy.Judgement {
	if sends {
		return policy.May(w.s, policy.End{Port: p.ID}, policy.End{}, w.packet).Egress
	}
	return policy.May(w.s, policy.End{}, policy.End{Port: p.ID}, w.packet).Ingress
}

// verdictOf is a judgement in words.
func (w *walk) verdictOf(p *model.Port, sends bool, j policy.Judgement) string {
	switch {
	case j.Rule != nil:
		return fmt.Sprintf("\"%s\" of %s allows it", w.ruleText(j.Rule), w.groupName(j.Rule.SecurityGroupID))
	case j.Allowed:
		return "it is allowed: " + j.Why
	}
	var groups []string
	for _, id := range p.SecurityGroups {
		groups = append(groups, w.groupName(id))
	}
	slices.Sort(groups)
	whose := "of groups " + strings.Join(groups, ", ")
	if len(groups) == 1 {
		whose = "of group " + groups[0]
	}
	const noRule = "no rule allows it"
	switch {
	case j.Why != noRule:
		return j.Why
	case len(groups) == 0:
		return fmt.Sprintf("%s has no security group, so that nothing is allowed", called(p))
	case sends:
		return fmt.Sprintf("no rule %s lets %s send %s to %v", whose, called(p), Describe(w.packet), w.packet.Dst)
	}
	return fmt.Sprintf("no rule %s lets %s hear %s from %v", whose, called(p), Describe(w.packet), w.packet.Src)
}

func (w *walk) groupName(id string) string {
	if g := w.s.SecurityGroup(id); g != nil && g.Name != "" {
		return g.Name
	}
	return id[:min(8, len(id))]
}

func (w *walk) ruleText(r *model.SecurityGroupRule) string {
	text := r.Traffic()
	if r.RemoteGroupID != "" {
		text = strings.Replace(text, r.RemoteGroupID, w.groupName(r.RemoteGroupID), 1)
	}
	if g := w.s.AddressGroup(r.RemoteAddressGroupID); g != nil && g.Name != "" {
		text = strings.Replace(text, g.ID, g.Name, 1)
	}
	return text
}

// judgeBridge adds the leg through a firewall bridge. Its rules of iptables cannot be traced: the model tells what they say. over:
// they refuse the packet.
func (w *walk) judgeBridge(b *model.Binding, p *model.Port, sends bool) (stop stage, over bool) {
	j := w.judgement(p, sends)
	place := "qbr" + strings.TrimPrefix(view.TapName(p.ID), "tap")
	text := w.verdictOf(p, sends, j)
	w.leg(Leg{Host: b.Host, Place: place, Text: text, Notes: []string{"iptables judges here: not traced, but what the rules of its groups say"}})
	if j.Allowed {
		return nil, false
	}
	return w.end(Dropped, b.Host, place, "weft rules "+short(p), "by the firewall bridge %s of %s: %s", place, b.Host, text), true
}

// Tables of br-int that judge what a port sends, and what it hears.
var (
	egressTables  = []uint8{brint.BaseEgress.ID, brint.RulesEgress.ID, brint.RepliesEgress.ID, brint.NdSender.ID}
	ingressTables = []uint8{brint.BaseIngress.ID, brint.RulesIngress.ID, brint.RepliesIngress.ID, brint.AcceptIngress.ID}
)

// refused says whether the row is of the table that only counts what others refused.
func (s Step) refused() bool { return s.Bridge == view.BrInt && s.Table == brint.Refused.ID }

// nowhere is the end of a packet that does not leave the bridges of a host, or does, but not to who is to get it.
func (w *walk) nowhere(host string, q report.TraceQuestion, s said, ways []way) stage {
	steps := w.decisive(host, s.steps)
	if len(steps) == 0 {
		return w.end(Unknown, host, q.Bridge, "", "the switch names no row")
	}
	last := steps[len(steps)-1]
	if last.refused() && len(steps) > 1 {
		last = steps[len(steps)-2]
	}
	place := fmt.Sprintf("%s table %d %s", last.Bridge, last.Table, w.names.Table(last.Bridge, last.Table))
	if len(ways) > 0 {
		var names []string
		for _, o := range ways {
			names = append(names, o.String())
		}
		return w.end(Dropped, host, last.Bridge, w.explain(host, last), "on %s it goes to %s, and not to %s%s", host, several(names), w.aimed(), w.known())
	}
	if last.Bridge == view.BrInt {
		if slices.Contains(egressTables, last.Table) {
			return w.refused(host, place, last, w.req.Source, true)
		}
		if slices.Contains(ingressTables, last.Table) && w.aim.port != nil {
			return w.refused(host, place, last, w.aim.port, false)
		}
	}
	why := "row " + last.Row()
	if last.Match == "" {
		why = "no row matches"
	} else if owner := w.names.Owner(last.Cookie); owner != "" {
		why += ", of " + owner
	}
	if n := len(last.Notes); n > 0 && trouble([]Step{last}) != "" {
		why += "; the switch says: " + trouble([]Step{last})
	}
	return w.end(Dropped, host, place, w.explain(host, last), "in %s on %s: %s%s", place, host, why, w.known())
}

// refused is the end of a packet in the tables that judge a port.
func (w *walk) refused(host, place string, last Step, p *model.Port, sends bool) stage {
	j := w.judgement(p, sends)
	text := w.verdictOf(p, sends, j)
	next := "weft rules " + short(p)
	if j.Allowed {
		text += ", and the row says otherwise: " + last.Row()
		next = "weft drift " + host
	}
	return w.end(Dropped, host, place, next, "in %s on %s: %s", place, host, text)
}

// decisive are the steps up to the one that decided: of copies that were flooded, the one towards who is to get the packet.
func (w *walk) decisive(host string, steps []Step) []Step {
	flooded := slices.ContainsFunc(steps, func(s Step) bool { return len(s.Notes) > 0 && strings.HasSuffix(s.Notes[0], "flooding") })
	n := w.s.Network(w.network)
	if !flooded || n == nil {
		return steps
	}
	towards := func(s Step) bool { return s.Bridge != view.BrInt && s.Bridge != view.BrTun }
	switch {
	case w.aim.host == host:
		towards = func(s Step) bool { return s.Bridge == view.BrInt }
	case model.Tunnelled(n.Type):
		towards = func(s Step) bool { return s.Bridge == view.BrTun }
	}
	for i := len(steps) - 1; i >= 0; i-- {
		if towards(steps[i]) {
			return steps[:i+1]
		}
	}
	return steps
}

func (w *walk) explain(host string, s Step) string {
	if s.Match == "" || s.Cookie == 0 {
		return "weft drift " + host
	}
	return fmt.Sprintf("weft explain --bridge %s '%s'", s.Bridge, s.Row())
}

// aimed names who is to get the packet on its network.
func (w *walk) aimed() string {
	switch {
	case w.aim.port == nil:
		return "the physical network"
	case w.aim.host == "":
		return called(w.aim.port) + ", which is bound to no host"
	}
	return called(w.aim.port) + " on " + w.aim.host
}

// known is what the model knows that forbids the way; it is "", or begins with "; ".
func (w *walk) known() string {
	var why []string
	for _, p := range []*model.Port{w.req.Source, w.aim.port} {
		switch {
		case p == nil:
			continue
		case !p.AdminStateUp:
			why = append(why, called(p)+" is set down (admin_state_up is false)")
		case p == w.aim.port && w.aim.host == "":
			why = append(why, called(p)+" is bound to no host")
		}
		if n := w.s.Network(p.NetworkID); n != nil && !n.AdminStateUp {
			why = append(why, "network "+networkName(n)+" is set down (admin_state_up is false)")
		}
		if r := w.s.Router(p.DeviceID); r != nil && !r.AdminStateUp && p.DeviceOwner != "" {
			why = append(why, "its router is set down (admin_state_up is false)")
		}
	}
	if len(why) == 0 {
		return ""
	}
	return "; " + strings.Join(slices.Compact(why), ", ")
}

func isICMP(p policy.Packet) bool {
	return p.Src.Is4() && p.Protocol == policy.ICMP || p.Src.Is6() && p.Protocol == policy.ICMPv6
}

// Describe is a packet in words, without its addresses.
func Describe(p policy.Packet) string {
	name := model.ProtocolName(p.Protocol)
	switch {
	case isICMP(p) && (p.Type == 8 || p.Type == 128):
		return name + " echo request"
	case isICMP(p):
		return fmt.Sprintf("%s type %d code %d", name, p.Type, p.Code)
	case p.Protocol == policy.TCP || p.Protocol == policy.UDP || p.Protocol == policy.SCTP:
		return fmt.Sprintf("%s to port %d", name, p.DstPort)
	}
	return name
}
