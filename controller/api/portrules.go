package api

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// What counts the packets that a rule has let through.
const (
	byRule        = "rule"
	byRemoteGroup = "remote group"
	bySameRule    = "same rule"
	byNothing     = "none"
)

// GetPortRules implements DiagnosticsService.
func (s *Server) GetPortRules(ctx context.Context, req *weftv1.GetPortRulesRequest) (*weftv1.GetPortRulesResponse, error) {
	sight := s.sight()
	obj, err := find(sight.Snapshot, state.Ports, req.Port, nil)
	if err != nil {
		return nil, s.refuse(err)
	}
	port := obj.(*model.Port)
	res := &weftv1.GetPortRulesResponse{Port: spellRef(refTo(state.Ports, port)), Secured: port.Secured()}
	if !res.Secured {
		res.Message = "port_security_enabled is false: everything passes"
		if model.OwnedByWeft(port.DeviceOwner) {
			res.Message = "a port of Weft's own: nobody judges it"
		}
		return res, nil
	}
	rules := rulesOf(sight.Snapshot, port)
	for _, r := range rules {
		res.Rules = append(res.Rules, &weftv1.PortRule{SecurityGroup: groupRef(sight.Snapshot, r), Rule: spellRule(r), Text: inWords(sight.Snapshot, r)})
	}
	b := sight.Binding(port.ID)
	if b == nil {
		res.Message = "not counted: the port is bound to no host"
		return res, nil
	}
	res.Host = b.Host
	h, _ := view.ForHost(sight.Snapshot, b.Host)
	for other := range sight.BindingsOn(b.Host) {
		if p := sight.Port(other.PortID); p != nil && p.Secured() && p.GroupSetKey() == port.GroupSetKey() {
			res.PortsSharing++
		}
	}
	if _, local, _ := view.ForPort(sight.Snapshot, h, port.ID); local == nil || local.Security == nil || local.Security.Set.Number == view.AllowAll {
		c, err := s.cfg.Fleet.Firewall(ctx, b.Host, port.ID)
		if err != nil {
			res.Message = "not counted: " + err.Error()
			return res, nil
		}
		countBridge(c, res)
		return res, nil
	}
	rows, err := s.cfg.Fleet.Flows(ctx, b.Host, view.BrInt)
	if err != nil {
		if ctx.Err() != nil {
			return nil, s.refuse(switchError(ctx, err))
		}
		res.Message = "not counted: " + err.Error()
		return res, nil
	}
	set, _ := view.ForGroupSet(sight.Snapshot, h, port.GroupSetKey())
	count(sight.Snapshot, h, set, rows, res)
	return res, nil
}

// rulesOf are the rules of all groups of a port, by direction, group and id.
func rulesOf(s state.Snapshot, port *model.Port) []*model.SecurityGroupRule {
	var out []*model.SecurityGroupRule
	for _, g := range port.SecurityGroups {
		out = slices.AppendSeq(out, s.RulesOf(g))
	}
	name := func(r *model.SecurityGroupRule) string { return groupRef(s, r).GetName() }
	slices.SortFunc(out, func(a, b *model.SecurityGroupRule) int {
		return cmp.Or(-strings.Compare(a.Direction, b.Direction), strings.Compare(name(a), name(b)),
			strings.Compare(a.SecurityGroupID, b.SecurityGroupID), strings.Compare(a.ID, b.ID))
	})
	return out
}

func groupRef(s state.Snapshot, r *model.SecurityGroupRule) *weftv1.ObjectRef {
	if g := s.SecurityGroup(r.SecurityGroupID); g != nil {
		return spellRef(refTo(state.SecurityGroups, g))
	}
	return &weftv1.ObjectRef{Kind: "securitygroup", Id: r.SecurityGroupID}
}

// inWords is what a rule allows, with the name of the group that it names.
func inWords(s state.Snapshot, r *model.SecurityGroupRule) string {
	text := r.Traffic()
	if g := s.SecurityGroup(r.RemoteGroupID); g != nil && g.Name != "" {
		text = strings.Replace(text, g.ID, g.Name, 1)
	}
	if g := s.AddressGroup(r.RemoteAddressGroupID); g != nil && g.Name != "" {
		text = strings.Replace(text, g.ID, g.Name, 1)
	}
	return text
}

// counter finds rows by what they match and do, whoever wanted them.
type counter map[string]report.Row

func newCounter(rows []report.Row) counter {
	c := counter{}
	for _, r := range rows {
		text := r.Text
		if strings.HasPrefix(text, "cookie=") {
			_, text, _ = strings.Cut(text, ", ")
		}
		c[text] = r
	}
	return c
}

func (c counter) find(f flow.Flow) (report.Row, bool) {
	f.Cookie = 0
	r, ok := c[f.String()]
	return r, ok
}

// count fills in what the rows of br-int have counted.
func count(s state.Snapshot, h view.Host, set view.GroupSet, rows []report.Row, res *weftv1.GetPortRulesResponse) {
	c := newCounter(rows)
	res.Counted = true
	byID := map[string]view.Rule{}
	for _, r := range set.Rules {
		byID[r.ID] = r
	}
	for _, out := range res.Rules {
		out.CountedBy = byNothing
		r, inForce := byID[out.Rule.Metadata.Id]
		if !inForce {
			continue
		}
		wanted := brint.GroupSet(view.GroupSet{Set: set.Set, Rules: []view.Rule{r}})
		if r.Remote != 0 && len(wanted) > 0 {
			wanted = conjunction(s, h, out.Rule, r.Ingress)
			out.CountedBy = byRemoteGroup
		}
		for _, f := range slices.DeleteFunc(wanted, brint.JudgesAnswers) {
			row, ok := c.find(f)
			if !ok {
				continue // it is being programmed
			}
			if r.Remote == 0 {
				out.CountedBy = byRule
				if row.Cookie != f.Cookie {
					out.CountedBy, out.SameAs = bySameRule, sameAs(res.Rules, row.Cookie)
				}
			}
			out.Packets += row.Packets
			out.Bytes += row.Bytes
		}
	}
	sent, heard := brint.Drops()
	if row, ok := c.find(sent); ok {
		res.RefusedEgressPackets, res.RefusedEgressBytes = row.Packets, row.Bytes
	}
	if row, ok := c.find(heard); ok {
		res.RefusedIngressPackets, res.RefusedIngressBytes = row.Packets, row.Bytes
	}
}

// countBridge fills in what the rules of a firewall bridge have counted.
func countBridge(c report.Firewall, res *weftv1.GetPortRulesResponse) {
	const header = 14 // of Ethernet
	res.Counted, res.FirewallBridge = true, true
	for _, r := range res.Rules {
		n, there := c.Rules[r.Rule.Metadata.Id]
		if r.CountedBy = byRule; !there {
			r.CountedBy = byNothing
		}
		r.Packets, r.Bytes = n.Packets, n.Bytes+header*n.Packets
	}
	res.RefusedIngressPackets, res.RefusedIngressBytes = c.RefusedIngress.Packets, c.RefusedIngress.Bytes+header*c.RefusedIngress.Packets
	res.RefusedEgressPackets, res.RefusedEgressBytes = c.RefusedEgress.Packets, c.RefusedEgress.Bytes+header*c.RefusedEgress.Packets
}

// conjunction is the row that counts for all rules of a direction which name a group: rows with clauses count nothing.
func conjunction(s state.Snapshot, h view.Host, r *weftv1.SecurityGroupRule, ingress bool) []flow.Flow {
	g, ok := view.ForRemoteGroup(s, h, cmp.Or(r.RemoteGroupId, r.RemoteAddressGroupId))
	if !ok {
		return nil
	}
	g.Ingress, g.Egress = ingress, !ingress
	return brint.RemoteGroup(g)
}

func sameAs(rules []*weftv1.PortRule, cookie uint64) *weftv1.ObjectRef {
	for _, r := range rules {
		if id := r.Rule.Metadata.Id; flow.Cookie(flow.SecurityGroupRuleCookie, id) == cookie {
			return &weftv1.ObjectRef{Kind: "securitygrouprule", Id: id}
		}
	}
	return nil
}
