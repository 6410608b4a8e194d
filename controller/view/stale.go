package view

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/state"
)

// Stale names connections that a host may remember of somebody who is gone: all of a zone, or those of an address in it.
type Stale struct {
	// Zone is the connection tracker's: the local VLAN of a network.
	Zone uint16
	// Address is the one side of the connections; invalid for all that the zone has.
	Address netip.Addr
}

// Newcomers lists what a host has to forget before the parts get their rows, each once: a network that takes a local VLAN
// begins without the connections of the one that had it, and a port that is bound for the first time, or gets another
// fixed address, without those of the port that had the address. What moves between hosts keeps its connections. An
// address of an allowed address pair has several holders at a time, by intent, and is nobody's to begin with.
func Newcomers(before, after state.Snapshot, host string, parts PartSet) []Stale {
	whole := map[uint16]bool{}
	begins := func(network string) {
		now, was := after.LocalVLAN(host, network), before.LocalVLAN(host, network)
		if now != nil && (was == nil || was.VLAN != now.VLAN) {
			whole[now.VLAN] = true
		}
	}
	var out []Stale
	for p := range parts {
		switch b := after.Binding(p.ID); {
		case p.Kind == NetworkPart:
			begins(p.ID)
		case p.Kind == PortPart && b != nil:
			begins(b.NetworkID)
			had := heldBefore(before, p.ID, b.NetworkID)
			for _, s := range Holds(after, host, p.ID) {
				if !slices.Contains(had, s.Address) {
					out = append(out, s)
				}
			}
		}
	}
	out = slices.DeleteFunc(out, func(s Stale) bool { return whole[s.Zone] })
	for zone := range whole {
		out = append(out, Stale{Zone: zone})
	}
	slices.SortFunc(out, func(a, b Stale) int { return cmp.Or(cmp.Compare(a.Zone, b.Zone), a.Address.Compare(b.Address)) })
	return slices.Compact(out)
}

// Leavers lists what a host remembers of networks that have left it, after their rows are gone: nobody needs it, and a network
// that takes the local VLAN before the host was told is a newcomer, whose zone is emptied in any case.
func Leavers(before, after state.Snapshot, host string, parts PartSet) []Stale {
	var out []Stale
	for p := range parts {
		if p.Kind != NetworkPart {
			continue
		}
		was := before.LocalVLAN(host, p.ID)
		if was != nil && after.LocalVLAN(host, p.ID) == nil && !taken(after, host, was.VLAN) {
			out = append(out, Stale{Zone: was.VLAN})
		}
	}
	slices.SortFunc(out, func(a, b Stale) int { return cmp.Compare(a.Zone, b.Zone) })
	return out
}

// taken says whether a network has a local VLAN of a host.
func taken(s state.Snapshot, host string, vlan uint16) bool {
	for l := range s.LocalVLANsOn(host) {
		if l.VLAN == vlan {
			return true
		}
	}
	return false
}

// heldBefore are the addresses that a port had on a network while it was bound, to whichever host.
func heldBefore(s state.Snapshot, port, network string) []netip.Addr {
	b, p := s.Binding(port), s.Port(port)
	if b == nil || p == nil || b.NetworkID != network {
		return nil
	}
	return addresses(p)
}

// Holds lists the connections that a port of a host can have by its fixed addresses; none when it is not bound there, or
// a firewall bridge judges it.
func Holds(s state.Snapshot, host, port string) []Stale {
	b, p := s.Binding(port), s.Port(port)
	if b == nil || p == nil || b.Host != host || behindBridge(s, b) {
		return nil
	}
	v := s.LocalVLAN(host, b.NetworkID)
	if v == nil {
		return nil
	}
	var out []Stale
	for _, ip := range addresses(p) {
		out = append(out, Stale{v.VLAN, ip})
	}
	return out
}
