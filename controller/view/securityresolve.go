package view

import (
	"maps"

	"github.com/weft-sdn/weft/controller/state"
)

// resolveSecurity adds what follows from all changes. It comes last: it also looks at what others have added.
func (a *affected) resolveSecurity() {
	for host := range a.sec.drivers {
		for s := range a.snapshots() {
			for p := range Parts(s, host) {
				a.add(host, p.Kind, p.ID)
			}
		}
	}
	for id := range a.sec.ports {
		for s := range a.snapshots() {
			if b := s.Binding(id); b != nil {
				a.add(b.Host, PortPart, id)
			}
		}
	}
	for host, keys := range a.sec.keys {
		for key := range keys {
			a.add(host, GroupSetPart, key)
			for _, by := range []judge{byRows, byBridge} {
				if hasSet(a.before, host, key, by) != hasSet(a.after, host, key, by) {
					a.sec.rules.add(host)
				}
			}
		}
	}
	for host := range a.sec.rules {
		a.namedGroups(host)
	}
	for id := range a.sec.numbers {
		a.number(id)
	}
	for id, addresses := range a.sec.members {
		for host := range a.namedOn(id) {
			for address := range addresses {
				a.add(host, RemotePart, RemoteID(address))
			}
		}
	}
	for host, parts := range a.hosts {
		a.judgedOn(host, parts)
	}
}

// namedGroups finds out which groups the rules in force on a host have begun or ceased to name.
func (a *affected) namedGroups(host string) {
	for _, by := range []judge{byRows, byBridge} {
		before, after := allUses(a.before, host, by), allUses(a.after, host, by)
		for id := range union(before, after) {
			if before[id] != after[id] {
				a.remoteGroup(host, id)
			}
		}
	}
}

func union(a, b map[string]use) map[string]bool {
	out := map[string]bool{}
	for id := range a {
		out[id] = true
	}
	for id := range b {
		out[id] = true
	}
	return out
}

// allUses are the groups that rules name by which a judge judges on a host.
func allUses(s state.Snapshot, host string, by judge) map[string]use {
	out := map[string]use{}
	done := map[string]bool{}
	for b := range s.BindingsOn(host) {
		p := by(s, b)
		if p == nil || len(p.SecurityGroups) == 0 {
			continue
		}
		key := p.GroupSetKey()
		if done[key] || s.GroupSet(key) == nil {
			continue
		}
		done[key] = true
		for r := range rulesOf(s, p.SecurityGroups) {
			if id := remoteOf(r); id != "" {
				out[id] |= useOf(r)
			}
		}
	}
	return out
}

// remoteGroup adds a group and all its addresses.
func (a *affected) remoteGroup(host, id string) {
	a.add(host, RemoteGroupPart, id)
	for s := range a.snapshots() {
		for address := range members(s, id) {
			a.add(host, RemotePart, RemoteID(address))
		}
	}
}

// number is a group that rules name by another number, or that came to exist or ceased to.
func (a *affected) number(id string) {
	for s := range a.snapshots() {
		for r := range rulesAbout(s, id) {
			a.groupRules(r.SecurityGroupID)
		}
	}
	for host := range a.namedOn(id) {
		a.remoteGroup(host, id)
	}
}

// namedOn are the hosts on which rules in force, in either snapshot, may name a group.
func (a *affected) namedOn(id string) set {
	var hosts set
	for i, s := range []state.Snapshot{a.before, a.after} {
		for r := range rulesAbout(s, id) {
			for host := range a.placedIn(i, s, r.SecurityGroupID) {
				hosts.add(host)
			}
		}
	}
	return hosts
}

// judgedOn adds what leads frames to the judged and limited ports of a host, which hangs on the ports, networks and bridges there.
func (a *affected) judgedOn(host string, parts PartSet) {
	for s := range a.snapshots() {
		j := judged{a, s, host, map[string]bool{}}
		for p := range maps.Clone(parts) {
			j.part(p)
		}
	}
}

// judged adds what hangs on parts of a host, in one snapshot. networks are those that it has looked at.
type judged struct {
	*affected
	s        state.Snapshot
	host     string
	networks map[string]bool
}

func (j judged) part(p Part) {
	switch p.Kind {
	case HostPart:
		for v := range j.s.LocalVLANsOn(j.host) {
			j.network(v.NetworkID)
		}
	case NetworkPart:
		j.network(p.ID)
	case PortPart:
		j.port(p.ID)
	}
}

// network adds a network's multicast part if the host has judged or limited ports of it.
func (j judged) network(id string) {
	if j.networks[id] {
		return
	}
	j.networks[id] = true
	for b := range j.s.BindingsAt(j.host, id) {
		if led(j.s, b) != nil {
			j.add(j.host, MulticastPart, id)
			return
		}
	}
}

func (j judged) port(id string) {
	b := j.s.Binding(id)
	if b == nil || b.Host != j.host {
		return
	}
	j.network(b.NetworkID)
	if p := led(j.s, b); p != nil {
		for mac := range stations(j.s, b, p) {
			j.add(j.host, StationPart, StationID(p.NetworkID, mac))
		}
	}
}
