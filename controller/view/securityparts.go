package view

import (
	"maps"
	"slices"

	"github.com/weft-sdn/weft/controller/state"
)

// securityParts lists the parts of a host that its firewall is made of, and what leads to limited ports, each once. False
// means that it was told to stop.
func securityParts(s state.Snapshot, h Host, yield func(Part) bool) bool {
	seen := PartSet{}
	once := func(k PartKind, id string) bool {
		p := Part{k, id}
		if _, twice := seen[p]; twice {
			return true
		}
		seen.Add(p)
		return yield(p)
	}
	sets := map[string][]string{}
	for b := range s.BindingsOn(h.Name) {
		if p := led(s, b); p != nil && s.LocalVLAN(h.Name, p.NetworkID) != nil {
			if !once(MulticastPart, p.NetworkID) {
				return false
			}
			for mac := range stations(s, b, p) {
				if !once(StationPart, StationID(p.NetworkID, mac)) {
					return false
				}
			}
		}
		p := securedOn(s, b)
		if p == nil {
			continue
		}
		if key := p.GroupSetKey(); key != "" && s.GroupSet(key) != nil {
			sets[key] = p.SecurityGroups
		}
	}
	for _, key := range slices.Sorted(maps.Keys(sets)) {
		if !once(GroupSetPart, key) {
			return false
		}
		for r := range rulesOf(s, sets[key]) {
			id := remoteOf(r)
			if id == "" {
				continue
			}
			if _, done := seen[Part{RemoteGroupPart, id}]; done {
				continue
			}
			if !once(RemoteGroupPart, id) {
				return false
			}
			for a := range members(s, id) {
				if !once(RemotePart, RemoteID(a)) {
					return false
				}
			}
		}
	}
	return true
}
