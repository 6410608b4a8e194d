package api

import (
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// What a line of ovs-ofctl dump-flows says of a firewall's row.
var (
	matchIn  = regexp.MustCompile(`\bpriority=([0-9]+,\S+)\s+actions=`)
	groupsIn = regexp.MustCompile(`\b(?:conjunction\(|conj_id=)([0-9]+)`)
	familyIn = regexp.MustCompile(`\bpriority=[0-9]+,(ip|ipv6),`)
)

// rulesBehind are the rules of security groups that a row with these owners is there for, by id. The line is the row's, or
// empty when only its cookie is known: then they are those behind any row with the cookie.
func rulesBehind(s state.Snapshot, owners []*weftv1.ObjectRef, line string) []*model.SecurityGroupRule {
	found := map[string]*model.SecurityGroupRule{}
	for _, o := range owners {
		switch state.Kind(o.Kind + "s") {
		case state.SecurityGroupRules:
			if r := s.SecurityGroupRule(o.Id); r != nil {
				found[r.ID] = r
				sharing(s, r, line, found)
			}
		case state.SecurityGroups, state.AddressGroups:
			naming(s, o, line, found)
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *model.SecurityGroupRule) int { return strings.Compare(a.ID, b.ID) })
}

// sharing finds the rules that have a row of r's, the line's if there is one, in a set of groups that some port has.
func sharing(s state.Snapshot, r *model.SecurityGroupRule, line string, found map[string]*model.SecurityGroupRule) {
	keys := map[string]bool{}
	for p := range s.PortsSecuredBy(r.SecurityGroupID) {
		keys[p.GroupSetKey()] = true
	}
	for key := range keys {
		set, _ := view.AnyGroupSet(s, key)
		sayers := map[string][]string{}
		for _, rule := range set.Rules {
			for _, f := range brint.GroupSet(view.GroupSet{Set: set.Set, Rules: []view.Rule{rule}}) {
				sayers[rowKey(f)] = append(sayers[rowKey(f)], rule.ID)
			}
		}
		for row, ids := range sayers {
			if !slices.Contains(ids, r.ID) || line != "" && row != rowKeyOf(line) {
				continue
			}
			for _, id := range ids {
				found[id] = s.SecurityGroupRule(id)
			}
		}
	}
}

// naming finds the rules that name the group which owns a row, or the groups that its line names, in the direction and of the
// family that the row is about, and that judge some port.
func naming(s state.Snapshot, owner *weftv1.ObjectRef, line string, found map[string]*model.SecurityGroupRule) {
	about := []iter.Seq[*model.SecurityGroupRule]{s.RulesAboutGroup(owner.Id), s.RulesAboutAddressGroup(owner.Id)}
	for _, m := range groupsIn.FindAllStringSubmatch(line, -1) {
		n, err := strconv.ParseUint(m[1], 10, 32)
		if err != nil {
			continue
		}
		if g := s.SecurityGroupByNumber(uint32(n)); g != nil {
			about = append(about, s.RulesAboutGroup(g.ID))
		}
		if g := s.AddressGroupByNumber(uint32(n)); g != nil {
			about = append(about, s.RulesAboutAddressGroup(g.ID))
		}
	}
	direction, family := "", ""
	switch tableOf(line) {
	case tableName(brint.RulesIngress), tableName(brint.RepliesEgress):
		direction = model.Ingress
	case tableName(brint.RulesEgress), tableName(brint.RepliesIngress):
		direction = model.Egress
	}
	if m := familyIn.FindStringSubmatch(line); m != nil {
		family = map[string]string{"ip": model.IPv4, "ipv6": model.IPv6}[m[1]]
	}
	for _, rules := range about {
		for r := range rules {
			if (direction == "" || r.Direction == direction) && (family == "" || r.EtherType == family) {
				for range s.PortsSecuredBy(r.SecurityGroupID) {
					found[r.ID] = r
					break
				}
			}
		}
	}
}

// rowKey tells rows of a switch apart: table, priority and match.
func rowKey(f flow.Flow) string { return fmt.Sprintf("%d %d,%s", f.Table, f.Priority, f.Match) }

// rowKeyOf is the rowKey of the row that a line is of, or empty.
func rowKeyOf(line string) string {
	m := matchIn.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	return tableOf(line) + " " + m[1]
}

// tableOf is the number of the table that a line is of, or the number of the table of br-int that it names; empty when it
// tells neither.
func tableOf(line string) string {
	m := tableIn.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	for _, t := range []*flow.Table{brint.RulesIngress, brint.RulesEgress, brint.RepliesIngress, brint.RepliesEgress} {
		if strings.EqualFold(m[2], t.Name) {
			return tableName(t)
		}
	}
	return m[2]
}

func tableName(t *flow.Table) string { return strconv.Itoa(int(t.ID)) }
