package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// firstZone is the first of the zones of firewall bridges: those below are the local VLANs, in which Open vSwitch's kernel
// datapath tracks.
const firstZone = 4097

// Zones gives each bridge of the sources a zone: the one that it has, or one that nobody has. was are those that are in use.
func (s *Sources) Zones(was map[string]uint16) map[string]uint16 {
	out, taken := map[string]uint16{}, map[uint16]bool{}
	for _, f := range s.Firewalls {
		if z := was[BridgeOf(f.PortID)]; z != 0 && !taken[z] {
			out[BridgeOf(f.PortID)], taken[z] = z, true
		}
	}
	for _, z := range was {
		taken[z] = true // what is left of its connections may still be there
	}
	next := uint16(firstZone)
	for _, f := range s.Firewalls {
		if out[BridgeOf(f.PortID)] != 0 {
			continue
		}
		for taken[next] && next != 0 {
			next++
		}
		out[BridgeOf(f.PortID)], taken[next] = next, true
	}
	return out
}

// ReadZones finds the zones of bridges in rules.
func ReadZones(set Ruleset) map[string]uint16 {
	out := map[string]uint16{}
	for _, r := range set["raw"].Chains[fw+"PREROUTING"].Rules {
		words := strings.Fields(r)
		i, z := slices.Index(words, "-i"), slices.Index(words, "--zone")
		if i < 0 || z < 0 || i+1 >= len(words) || z+1 >= len(words) {
			continue
		}
		var n uint16
		if _, err := fmt.Sscanf(words[z+1], "%d", &n); err == nil && n >= firstZone {
			out[words[i+1]] = n
		}
	}
	return out
}

// home is the host's own namespace: firewall bridges, and what judges on them.
func (b *builder) home(zones map[string]uint16) {
	f := &filter{v4: b.n.IPv4, v6: b.n.IPv6, eth: Ruleset{}}
	b.n.Ethernet, b.n.Sets = f.eth, map[string]Set{}
	if len(b.s.Firewalls) == 0 {
		return
	}
	b.set("net/bridge/bridge-nf-call-iptables", "1")
	b.set("net/bridge/bridge-nf-call-ip6tables", "1")
	f.base()
	b.sets()
	sets, stateful := map[uint32]bool{}, map[uint32]bool{}
	for _, p := range b.s.Firewalls {
		stateful[p.GroupSet] = stateful[p.GroupSet] || !p.Stateless
	}
	for _, g := range b.s.GroupSets {
		sets[g.Number] = true
		f.groups(b.known(g), stateful[g.Number])
	}
	names := map[string]string{}
	for _, p := range b.s.Firewalls {
		if other := names[p.PortID[:routerPart]]; other != "" {
			b.fail(p.Resource(), "port_id", "ports %s and %s have the same first %d characters, from which chains are named", other, p.PortID, routerPart)
			continue
		}
		names[p.PortID[:routerPart]] = p.PortID
		if p.GroupSet != 0 && !sets[p.GroupSet] {
			b.fail(p.Resource(), "group_set", "this host is told of no groupset/%d", p.GroupSet)
			continue
		}
		zone := zones[BridgeOf(p.PortID)]
		f.port(p, zone)
		if p.Stateless {
			zone = 0 // nothing of it is tracked
		}
		b.n.Bridges = append(b.n.Bridges, Bridge{Name: BridgeOf(p.PortID), PortID: p.PortID, MAC: p.MAC, MTU: p.MTU, Interface: p.Interface, VLAN: p.VLAN,
			Senders: p.Senders, Zone: zone, Leaving: p.Leaving, For: p.Resource()})
	}
	slices.SortFunc(b.n.Bridges, func(x, y Bridge) int { return strings.Compare(x.Name, y.Name) })
}

// SameButMembers says whether firewall bridges are made of the very same resources as by other sources, but for addresses of remote groups.
func (s *Sources) SameButMembers(o *Sources) bool {
	return o != nil && len(s.Firewalls) > 0 && slices.Equal(s.Firewalls, o.Firewalls) && slices.Equal(s.GroupSets, o.GroupSets) &&
		slices.Equal(s.RemoteGroups, o.RemoteGroups)
}

// BuildSets is Build of sources that are the same but for members as those that was was built of: the sets are others, and nothing else
// has to be gone through, however many ports there are.
func (s *Sources) BuildSets(was Namespace) Namespace {
	b := &builder{n: was, s: s, errs: map[string]*FieldError{}} // which groups are in the way of each other was told by Build
	b.n.Sets = map[string]Set{}
	b.sets()
	return b.n
}

// known leaves out the rules that name a group which this host is not told of, and says so.
func (b *builder) known(g *GroupSet) *GroupSet {
	out := &GroupSet{Number: g.Number}
	for i, r := range g.Rules {
		if _, told := b.n.Sets[setOf(r)]; r.Group != "" && !told {
			b.fail(g.Resource(), fmt.Sprintf("rules[%d].remote_group_id", i), "this host is told of no set for remotegroup/%s", r.Group)
			continue
		}
		out.Rules = append(out.Rules, r)
	}
	return out
}

func setOf(r FirewallRule) string {
	if r.Group == "" {
		return ""
	}
	return SetName(r.Group, r.IPv6)
}

// sets adds the addresses of groups. Two groups whose sets would have one name have none: neither may allow what the other
// does.
func (b *builder) sets() {
	groups := map[string]*RemoteGroup{}
	for _, g := range b.s.RemoteGroups {
		key := g.ID[:setPart]
		if other := groups[key]; other != nil {
			for _, x := range []*RemoteGroup{other, g} {
				b.fail(x.Resource(), "group_id", "groups %s and %s have the same first %d characters, from which sets are named", other.ID, g.ID, setPart)
			}
			delete(b.n.Sets, SetName(g.ID, false))
			delete(b.n.Sets, SetName(g.ID, true))
			continue
		}
		groups[key] = g
		for _, ipv6 := range []bool{false, true} {
			b.n.Sets[SetName(g.ID, ipv6)] = Set{IPv6: ipv6}
		}
	}
	members := map[string][]netip.Prefix{}
	for _, a := range b.s.RemoteAddresses {
		for _, g := range a.Groups {
			members[SetName(g, a.Prefix.Addr().Is6())] = append(members[SetName(g, a.Prefix.Addr().Is6())], a.Prefix)
		}
	}
	for name, set := range b.n.Sets {
		set.Entries = entries(members[name])
		b.n.Sets[name] = set
	}
}
