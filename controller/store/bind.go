package store

import (
	"maps"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// NoLocalVLAN is the reason in the state of a port that an interface claims, but that cannot be bound because all local
// VLANs of the host are taken.
const NoLocalVLAN = "NoLocalVLAN"

// claims are the ports whose binding a change may have touched: by id, and all those with some MAC.
type claims struct {
	ports map[string]bool
	macs  map[model.MAC]bool
}

func newClaims() claims { return claims{map[string]bool{}, map[model.MAC]bool{}} }

func (c claims) attached(mac string) {
	if m, err := model.ParseMAC(mac); err == nil {
		c.macs[m] = true
	}
}

// claimsOf tells whom a change of a port concerns: itself, those with the same MAC (which then is, or is no longer,
// ambiguous), and those that were recognised by the MAC of an interface whose iface-id now means, or no longer means, a
// port.
func (t *Tx) claimsOf(old, new *model.Port) claims {
	c := newClaims()
	for _, p := range []*model.Port{old, new} {
		if p == nil {
			continue
		}
		c.ports[p.ID] = true
		if old == nil || new == nil || old.MAC != new.MAC {
			c.macs[p.MAC] = true
		}
		if old == nil || new == nil {
			for i := range t.InterfacesByIfaceID(p.ID) {
				c.attached(i.AttachedMAC)
			}
		}
	}
	return c
}

// interfaceClaims tells whom an interface concerns.
func (c claims) interfaceClaims(i *model.Interface) {
	if i.IfaceID != "" {
		c.ports[i.IfaceID] = true
	}
	c.attached(i.AttachedMAC)
}

// place is a network on a host.
type place struct{ host, network string }

// rebind decides anew where ports are bound, and keeps local VLANs and port states in step.
func (t *Tx) rebind(c claims) { t.rebindAt(c, map[place]bool{}) }

// rebindAt also looks at the VLANs of places that are touched already.
func (t *Tx) rebindAt(c claims, touched map[place]bool) {
	for {
		for m := range c.macs {
			for p := range t.PortsByAttachedMAC(m) {
				c.ports[p.ID] = true
			}
		}
		for _, id := range slices.Sorted(maps.Keys(c.ports)) {
			t.bind(id, touched)
		}
		// All ports first, so that a VLAN whose only port moves to another interface of the host stays.
		c = t.carry(touched)
		if len(c.ports) == 0 {
			return
		}
	}
}

// bind puts one port's binding right.
func (t *Tx) bind(id string, touched map[place]bool) {
	old := t.Binding(id)
	var want *model.Binding
	if p := t.Port(id); p != nil {
		want = t.wanted(p)
	}
	if old == nil && want == nil || old != nil && want != nil && *old == *want {
		if want == nil {
			t.delete(state.PortStates, id)
		}
		return
	}
	if old != nil {
		touched[place{old.Host, old.NetworkID}] = true
		t.delete(state.Bindings, id)
		t.rebound(old)
	}
	if want != nil {
		touched[place{want.Host, want.NetworkID}] = true
		t.put(state.Bindings, want)
		t.rebound(want)
	}
	// What was acknowledged was acknowledged for the old binding.
	t.delete(state.PortStates, id)
}

// rebound notes what depends on a binding that came or went: which distributed routers the host needs, and whether its fip
// namespace serves a floating IP.
func (t *Tx) rebound(b *model.Binding) {
	t.pending.places.add(place{b.Host, b.NetworkID})
	for range t.FloatingIPsOfPort(b.PortID) {
		t.pending.floating.add(b.Host)
		return
	}
}

// wanted is the binding that a port should have: the interface with its iface-id, else, if the port's MAC is the only
// one of its kind, an interface with that attached-mac whose iface-id is no port's. Of several, the one that appeared
// last: a port that moves is plugged at the new place before it is unplugged at the old one.
//
// Of Weft's own ports, an interface of a distributed router is on many hosts, and bound to none; nothing is plugged for the
// address of a floating IP; and the others are bound by iface-id to the host that was chosen for them, and nowhere else.
func (t *Tx) wanted(p *model.Port) *model.Binding {
	own := model.OwnedByWeft(p.DeviceOwner)
	if own && (p.BindingHostID == "" || p.DeviceOwner == model.OwnerDistributedInterface || p.DeviceOwner == model.OwnerFloatingIP) {
		return nil
	}
	var best *model.Interface
	by := model.BoundByIfaceID
	for i := range t.InterfacesByIfaceID(p.ID) {
		if t.eligible(i, p) && later(i, best) {
			best = i
		}
	}
	if best == nil && !own && t.onlyMAC(p) {
		by = model.BoundByMAC
		for i := range t.InterfacesByMAC(p.MAC.String()) {
			if t.eligible(i, p) && later(i, best) && (i.IfaceID == "" || t.Port(i.IfaceID) == nil) {
				best = i
			}
		}
	}
	if best == nil {
		return nil
	}
	return &model.Binding{
		PortID: p.ID, NetworkID: p.NetworkID, Host: best.Host, Interface: best.Name, OFPort: best.OFPort, BoundBy: by, Firewalled: best.Firewalled,
	}
}

// eligible says whether an interface can carry a port: OVS could add it, its host is known, and it is the host that was
// asked for.
func (t *Tx) eligible(i *model.Interface, p *model.Port) bool {
	return i.OFPort > 0 && (p.BindingHostID == "" || p.BindingHostID == i.Host) && t.HostFacts(i.Host) != nil
}

// later orders interfaces by appearance; the names decide between those that one transaction brought.
func later(a, b *model.Interface) bool {
	if b == nil || a.Seen != b.Seen {
		return b == nil || a.Seen > b.Seen
	}
	return a.Host > b.Host || a.Host == b.Host && a.Name > b.Name
}

func (t *Tx) onlyMAC(p *model.Port) bool {
	n := 0
	for range t.PortsByAttachedMAC(p.MAC) {
		n++
	}
	return n == 1
}
