package view

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// RemoteGroup is a security group or address group that rules in force on the host name as the other side.
type RemoteGroup struct {
	ID     string
	Number uint32
	// Address says that it is an address group.
	Address bool
	// Egress and Ingress say in which direction there are such rules.
	Egress, Ingress bool
}

// Remote is an address, or a block, that belongs to remote groups.
type Remote struct {
	Prefix netip.Prefix
	// Egress and Ingress are the groups, by number, that rules of that direction and family in force on the host name.
	Egress, Ingress []RemoteGroup
}

// use says in which directions, and for which families, rules in force on a host name a group.
type use uint8

const (
	egress4 use = 1 << iota
	egress6
	ingress4
	ingress6
)

func useOf(r *model.SecurityGroupRule) use {
	u := egress4
	if r.EtherType == model.IPv6 {
		u = egress6
	}
	if r.Direction == model.Ingress {
		u <<= 2
	}
	return u
}

func (u use) egress() bool  { return u&(egress4|egress6) != 0 }
func (u use) ingress() bool { return u&(ingress4|ingress6) != 0 }

// of narrows down to what concerns addresses of a family.
func (u use) of(ipv6 bool) use {
	if ipv6 {
		return u & (egress6 | ingress6)
	}
	return u & (egress4 | ingress4)
}

// ForRemoteGroup looks up a remote group part. False means that no rule in force on the host names the group. The cost is
// the number of rules that name it, and at worst the number of ports on the host.
func ForRemoteGroup(s state.Snapshot, h Host, id string) (RemoteGroup, bool) {
	return Once(s, h).RemoteGroup(id)
}

// RemoteGroup is as the function ForRemoteGroup.
func (l *Lookup) RemoteGroup(id string) (RemoteGroup, bool) { return l.named().group(id) }

// ForRemote looks up a remote part: false when the address belongs to no group that rules in force on the host name. The
// cost is that of the groups of the ports that have exactly this address, whatever the number of their other members.
func ForRemote(s state.Snapshot, h Host, id string) (Remote, bool) {
	return Once(s, h).Remote(id)
}

// Remote is as the function ForRemote.
func (l *Lookup) Remote(id string) (Remote, bool) { return l.named().remote(id) }

func (l *Lookup) named() *uses {
	if l.uses != nil {
		return l.uses
	}
	return newUses(l.s, l.h.Name, byRows)
}

func (l *Lookup) filtered() *uses {
	if l.filters != nil {
		return l.filters
	}
	return newUses(l.s, l.h.Name, byBridge)
}

// RemoteID is the ID of the part for an address or block.
func RemoteID(address netip.Prefix) string { return address.String() }

// uses answers, for one host and one judge, which groups rules in force name. What it found out it keeps.
type uses struct {
	s     state.Snapshot
	host  string
	judge judge
	// on are the security groups that ports of the host have, as far as they were asked for.
	on map[string]bool
	by map[string]use
}

func newUses(s state.Snapshot, host string, by judge) *uses {
	return &uses{s: s, host: host, judge: by, on: map[string]bool{}, by: map[string]use{}}
}

// has says whether a judged port that is bound to the host has the security group.
func (u *uses) has(group string) bool {
	if is, known := u.on[group]; known {
		return is
	}
	is := false
	for b := range u.s.BindingsOn(u.host) {
		p := u.judge(u.s, b)
		if p != nil && slices.Contains(p.SecurityGroups, group) && u.s.GroupSet(p.GroupSetKey()) != nil {
			is = true
			break
		}
	}
	u.on[group] = is
	return is
}

// of says how rules in force on the host name a group.
func (u *uses) of(id string) use {
	if how, known := u.by[id]; known {
		return how
	}
	var how use
	for r := range rulesAbout(u.s, id) {
		if how&useOf(r) == 0 && u.s.SecurityGroup(r.SecurityGroupID) != nil && u.has(r.SecurityGroupID) {
			how |= useOf(r)
		}
	}
	u.by[id] = how
	return how
}

// rulesAbout iterates over the rules that name a security group or address group.
func rulesAbout(s state.Snapshot, id string) iter.Seq[*model.SecurityGroupRule] {
	return func(yield func(*model.SecurityGroupRule) bool) {
		for r := range s.RulesAboutGroup(id) {
			if !yield(r) {
				return
			}
		}
		for r := range s.RulesAboutAddressGroup(id) {
			// A rule that names both is of the security group, as remoteOf has it.
			if r.RemoteGroupID == "" && !yield(r) {
				return
			}
		}
	}
}

func (u *uses) group(id string) (RemoteGroup, bool) {
	number := groupNumber(u.s, id)
	if number == 0 {
		return RemoteGroup{}, false
	}
	how := u.of(id)
	return RemoteGroup{ID: id, Number: number, Address: u.s.SecurityGroup(id) == nil, Egress: how.egress(), Ingress: how.ingress()}, how != 0
}

func (u *uses) remote(id string) (Remote, bool) {
	address, err := netip.ParsePrefix(id)
	if err != nil {
		return Remote{}, false
	}
	out := Remote{Prefix: address}
	seen := map[string]bool{}
	add := func(id string) {
		if seen[id] {
			return
		}
		seen[id] = true
		g, ok := u.group(id)
		if !ok {
			return
		}
		how := u.of(id).of(address.Addr().Is6())
		if how.egress() {
			out.Egress = append(out.Egress, g)
		}
		if how.ingress() {
			out.Ingress = append(out.Ingress, g)
		}
	}
	for p := range u.s.PortsWithMember(address) {
		for _, id := range p.SecurityGroups {
			if u.s.SecurityGroup(id) != nil {
				add(id)
			}
		}
	}
	for g := range u.s.AddressGroupsWith(address) {
		if u.s.SecurityGroup(g.ID) == nil {
			add(g.ID)
		}
	}
	byNumber := func(a, b RemoteGroup) int { return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID)) }
	slices.SortFunc(out.Egress, byNumber)
	slices.SortFunc(out.Ingress, byNumber)
	return out, len(out.Egress)+len(out.Ingress) > 0
}

// members iterates over the addresses of a security group or address group; some may come twice.
func members(s state.Snapshot, id string) iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		if s.SecurityGroup(id) == nil {
			if g := s.AddressGroup(id); g != nil {
				for _, a := range g.Addresses {
					if !yield(a.Masked()) {
						return
					}
				}
			}
			return
		}
		for p := range s.PortsSecuredBy(id) {
			if !p.Secured() {
				continue
			}
			for _, a := range p.Members() {
				if !yield(a) {
					return
				}
			}
		}
	}
}

// rulesOf iterates over the rules of those security groups that exist.
func rulesOf(s state.Snapshot, groups []string) iter.Seq[*model.SecurityGroupRule] {
	return func(yield func(*model.SecurityGroupRule) bool) {
		for _, id := range groups {
			if s.SecurityGroup(id) == nil {
				continue
			}
			for r := range s.RulesOf(id) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

func sortRules(rules []Rule) {
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
}
