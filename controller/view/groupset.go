package view

import (
	"net/netip"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// GroupSet is a set of security groups that some port of the host has, with the rules of all its groups.
type GroupSet struct {
	Set
	// Rules are ordered by id.
	Rules []Rule
}

// Rule is a rule of a security group.
type Rule struct {
	ID string
	// Ingress: it is about what comes to the port; else about what the port sends.
	Ingress bool
	IPv6    bool
	// Protocol is the IP protocol's number; nil: any.
	Protocol *uint8
	// Min and Max are those of model.SecurityGroupRule: ports, or type and code of ICMP.
	Min, Max *uint16
	// Prefix is where the other side is; the zero Prefix is anywhere. It is not set together with Remote.
	Prefix netip.Prefix
	// Remote is the number of the security group or address group that the other side is in, and RemoteID its id; 0: of none in
	// particular.
	Remote   uint32
	RemoteID string
}

// ForGroupSet looks up a group set part. False means that br-int judges no port of the host with exactly these groups. The cost is the
// number of ports on the host, and of rules in the set.
func ForGroupSet(s state.Snapshot, h Host, key string) (GroupSet, bool) {
	return Once(s, h).GroupSet(key)
}

// GroupSet is as the function ForGroupSet.
func (l *Lookup) GroupSet(key string) (GroupSet, bool) { return l.groupSet(key, byRows) }

func (l *Lookup) groupSet(key string, by judge) (GroupSet, bool) {
	if !hasSet(l.s, l.h.Name, key, by) {
		return GroupSet{}, false
	}
	return AnyGroupSet(l.s, key)
}

// AnyGroupSet is a group set as every host sees it that judges a port with exactly these groups; false means that there is no
// such port.
func AnyGroupSet(s state.Snapshot, key string) (GroupSet, bool) {
	gs := s.GroupSet(key)
	if gs == nil || key == "" {
		return GroupSet{}, false
	}
	groups := strings.Split(key, ",")
	out := GroupSet{Set: setOf(s, groups, key)}
	for r := range rulesOf(s, groups) {
		if rule, ok := ruleOf(s, r); ok {
			out.Rules = append(out.Rules, rule)
		}
	}
	sortRules(out.Rules)
	return out, true
}

// ruleOf is false for a rule that can allow nothing: the group that it names does not exist.
func ruleOf(s state.Snapshot, r *model.SecurityGroupRule) (Rule, bool) {
	rule := Rule{
		ID: r.ID, Ingress: r.Direction == model.Ingress, IPv6: r.EtherType == model.IPv6,
		Protocol: r.Protocol, Min: r.PortRangeMin, Max: r.PortRangeMax,
	}
	if id := remoteOf(r); id != "" {
		rule.Remote, rule.RemoteID = groupNumber(s, id), id
		return rule, rule.Remote != 0
	}
	if r.RemoteIPPrefix.IsValid() {
		rule.Prefix = r.RemoteIPPrefix.Masked()
		return rule, rule.Prefix.Addr().Is6() == rule.IPv6
	}
	return rule, true
}

// remoteOf is the id of the security group or address group that a rule names, or empty.
func remoteOf(r *model.SecurityGroupRule) string {
	if r.RemoteGroupID != "" {
		return r.RemoteGroupID
	}
	return r.RemoteAddressGroupID
}

// groupNumber is the number of a security group or address group, 0 when there is no such group.
func groupNumber(s state.Snapshot, id string) uint32 {
	if g := s.SecurityGroup(id); g != nil {
		return g.Number
	}
	if g := s.AddressGroup(id); g != nil {
		return g.Number
	}
	return 0
}

// hasSet says whether a judge judges a port that is bound to the host and has exactly these groups.
func hasSet(s state.Snapshot, host, key string, by judge) bool {
	for b := range s.BindingsOn(host) {
		if p := by(s, b); p != nil && p.GroupSetKey() == key {
			return true
		}
	}
	return false
}
