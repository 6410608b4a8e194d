package view

import (
	"iter"
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// securityChange collects what concerns the firewalls of hosts. What follows from it is found out at the end, once for
// each host, group and port.
type securityChange struct {
	// ports may be judged by another set, or send from other addresses.
	ports set
	// keys are, by host, the sets of groups that ports there may have begun or ceased to have.
	keys map[string]set
	// rules are the hosts on which rules in force may name other groups than before.
	rules set
	// members are, by group, the addresses that came to it or left it.
	members map[string]map[netip.Prefix]bool
	// numbers are the groups that rules may have to name by another number.
	numbers set
	// drivers are hosts on which something else judges.
	drivers set
	placed  [2]map[string]placed
}

// placed is where the ports of a security group are: by host, the keys of their sets.
type placed map[string]set

// security takes in one change of any kind.
func (a *affected) security(c state.Change) {
	switch c.Kind {
	case state.Hosts:
		if hybrid(a.before, c.Key) != hybrid(a.after, c.Key) {
			a.sec.drivers.add(c.Key)
		}
	case state.Ports:
		a.securedPort(sides[model.Port](c))
	case state.Bindings:
		// Behind a firewall bridge another judges the port.
		if o, n := sides[model.Binding](c); moved(o, n) || o.Firewalled != n.Firewalled {
			a.securedPlace(a.before, c.Key)
			a.securedPlace(a.after, c.Key)
		}
	case state.SecurityGroups:
		a.securityGroup(sides[model.SecurityGroup](c))
	case state.SecurityGroupRules:
		a.securityGroupRule(sides[model.SecurityGroupRule](c))
	case state.AddressGroups:
		a.addressGroup(sides[model.AddressGroup](c))
	case state.GroupSets:
		a.groupSet(sides[model.GroupSet](c))
	}
}

func (a *affected) securedPort(o, n *model.Port) {
	was, is := o != nil && o.Secured(), n != nil && n.Secured()
	if !was && !is {
		return
	}
	if was != is || o.NetworkID != n.NetworkID || o.GroupSetKey() != n.GroupSetKey() {
		id := either(o, n).ID
		a.sec.ports.add(id)
		a.securedPlace(a.before, id)
		a.securedPlace(a.after, id)
	}
	// That other senders make other rows of the port is what portChanged knows.
	before, after := memberships(o), memberships(n)
	for m := range before {
		if !after[m] {
			a.sec.member(m)
		}
	}
	for m := range after {
		if !before[m] {
			a.sec.member(m)
		}
	}
}

func either[T any](o, n *T) *T {
	if o != nil {
		return o
	}
	return n
}

type membership struct {
	group   string
	address netip.Prefix
}

// memberships are the groups of a port, each with each of the port's addresses.
func memberships(p *model.Port) map[membership]bool {
	if p == nil || !p.Secured() {
		return nil
	}
	out := map[membership]bool{}
	for _, address := range p.Members() {
		for _, g := range p.SecurityGroups {
			out[membership{g, address}] = true
		}
	}
	return out
}

func (c *securityChange) member(m membership) {
	if c.members == nil {
		c.members = map[string]map[netip.Prefix]bool{}
	}
	if c.members[m.group] == nil {
		c.members[m.group] = map[netip.Prefix]bool{}
	}
	c.members[m.group][m.address] = true
}

func (c *securityChange) key(host, key string) {
	if c.keys == nil {
		c.keys = map[string]set{}
	}
	s := c.keys[host]
	s.add(key)
	c.keys[host] = s
}

// securedPlace notes that a port was, or is, on its host with its groups.
func (a *affected) securedPlace(s state.Snapshot, id string) {
	if b := s.Binding(id); b != nil {
		if p := securedOn(s, b); p != nil {
			a.sec.key(b.Host, p.GroupSetKey())
		}
	}
}

func (a *affected) securityGroup(o, n *model.SecurityGroup) {
	same := o != nil && n != nil && o.Stateful == n.Stateful
	id := either(o, n).ID
	if !same {
		for s := range a.snapshots() {
			for p := range s.PortsSecuredBy(id) {
				a.sec.ports.add(p.ID)
			}
		}
		a.groupRules(id)
		a.rulesMayName(id)
	}
	if o == nil || n == nil || o.Number != n.Number {
		a.sec.numbers.add(id)
	}
}

func (a *affected) securityGroupRule(o, n *model.SecurityGroupRule) {
	if o != nil && n != nil && sameRule(o, n) {
		return
	}
	for _, r := range []*model.SecurityGroupRule{o, n} {
		if r == nil {
			continue
		}
		a.groupRules(r.SecurityGroupID)
		if remoteOf(r) != "" {
			a.rulesMayName(r.SecurityGroupID)
		}
	}
}

func sameRule(o, n *model.SecurityGroupRule) bool {
	return o.SecurityGroupID == n.SecurityGroupID && o.Direction == n.Direction && o.EtherType == n.EtherType &&
		equal(o.Protocol, n.Protocol) && equal(o.PortRangeMin, n.PortRangeMin) && equal(o.PortRangeMax, n.PortRangeMax) &&
		o.RemoteIPPrefix == n.RemoteIPPrefix && o.RemoteGroupID == n.RemoteGroupID && o.RemoteAddressGroupID == n.RemoteAddressGroupID
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func (a *affected) addressGroup(o, n *model.AddressGroup) {
	id := either(o, n).ID
	if o == nil || n == nil || o.Number != n.Number {
		a.sec.numbers.add(id)
	}
	count := map[netip.Prefix]int{}
	if o != nil {
		for _, p := range o.Addresses {
			count[p.Masked()] |= 1
		}
	}
	if n != nil {
		for _, p := range n.Addresses {
			count[p.Masked()] |= 2
		}
	}
	for p, sides := range count {
		if sides != 3 {
			a.sec.member(membership{id, p})
		}
	}
}

func (a *affected) groupSet(o, n *model.GroupSet) {
	if o != nil && n != nil && o.Number == n.Number {
		return
	}
	key := either(o, n).Key
	for s := range a.snapshots() {
		for p := range s.PortsWithGroupSet(key) {
			a.sec.ports.add(p.ID)
			if b := s.Binding(p.ID); b != nil && securedOn(s, b) != nil {
				a.sec.key(b.Host, key)
				a.sec.rules.add(b.Host)
			}
		}
	}
}

// groupRules notes that the rules of a group are others: so are those of all sets with it.
func (a *affected) groupRules(group string) {
	for host, keys := range a.placements(group) {
		for key := range keys {
			a.add(host, GroupSetPart, key)
		}
	}
}

// rulesMayName notes that the rules of a group may name other groups.
func (a *affected) rulesMayName(group string) {
	for host := range a.placements(group) {
		a.sec.rules.add(host)
	}
}

// placements are the hosts, in both snapshots, with ports that have a security group.
func (a *affected) placements(group string) iter.Seq2[string, set] {
	return func(yield func(string, set) bool) {
		for i, s := range []state.Snapshot{a.before, a.after} {
			for host, keys := range a.placedIn(i, s, group) {
				if !yield(host, keys) {
					return
				}
			}
		}
	}
}

func (a *affected) placedIn(side int, s state.Snapshot, group string) placed {
	if at, known := a.sec.placed[side][group]; known {
		return at
	}
	at := placed{}
	for p := range s.PortsSecuredBy(group) {
		b := s.Binding(p.ID)
		if b == nil || securedOn(s, b) == nil {
			continue
		}
		keys := at[b.Host]
		keys.add(p.GroupSetKey())
		at[b.Host] = keys
	}
	if a.sec.placed[side] == nil {
		a.sec.placed[side] = map[string]placed{}
	}
	a.sec.placed[side][group] = at
	return at
}
