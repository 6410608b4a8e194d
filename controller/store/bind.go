package store

import (
	"fmt"
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
func (t *Tx) rebind(c claims) {
	for {
		for m := range c.macs {
			for p := range t.PortsByAttachedMAC(m) {
				c.ports[p.ID] = true
			}
		}
		touched := map[place]bool{}
		for _, id := range slices.Sorted(maps.Keys(c.ports)) {
			t.bind(id, touched)
		}
		// All ports first, so that a VLAN whose only port moves to another interface of the host stays; then what is
		// given up, so that it can be taken again.
		places := slices.SortedFunc(maps.Keys(touched), func(a, b place) int {
			return slices.Compare([]string{a.host, a.network}, []string{b.host, b.network})
		})
		c = newClaims()
		for _, p := range places {
			if t.releaseVLAN(p) {
				t.waiting(p.host, c)
			}
		}
		var vlans vlansOf
		for _, p := range places {
			if vlans.host != p.host {
				vlans = t.vlansOn(p.host)
			}
			t.takeVLAN(p, &vlans)
		}
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
	}
	if want != nil {
		touched[place{want.Host, want.NetworkID}] = true
		t.put(state.Bindings, want)
	}
	// What was acknowledged was acknowledged for the old binding.
	t.delete(state.PortStates, id)
}

// wanted is the binding that a port should have: the interface with its iface-id, else, if the port's MAC is the only
// one of its kind, an interface with that attached-mac whose iface-id is no port's. Of several, the one that appeared
// last: a port that moves is plugged at the new place before it is unplugged at the old one.
func (t *Tx) wanted(p *model.Port) *model.Binding {
	var best *model.Interface
	by := model.BoundByIfaceID
	for i := range t.InterfacesByIfaceID(p.ID) {
		if t.eligible(i, p) && later(i, best) {
			best = i
		}
	}
	if best == nil && t.onlyMAC(p) {
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
		PortID: p.ID, NetworkID: p.NetworkID, Host: best.Host, Interface: best.Name, OFPort: best.OFPort, BoundBy: by,
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

// releaseVLAN gives back the VLAN of a network that has no port on the host any more, and says whether it did.
func (t *Tx) releaseVLAN(p place) bool {
	if t.LocalVLAN(p.host, p.network) == nil {
		return false
	}
	for range t.BindingsAt(p.host, p.network) {
		return false
	}
	t.delete(state.LocalVLANs, p.host+"/"+p.network)
	return true
}

// vlansOf are the VLANs that a host has taken.
type vlansOf struct {
	host  string
	taken [model.MaxVLAN + 1]bool
	// lowest is where the search for a free one begins.
	lowest int
}

func (t *Tx) vlansOn(host string) vlansOf {
	v := vlansOf{host: host, lowest: 1}
	for l := range t.LocalVLANsOn(host) {
		v.taken[l.VLAN] = true
	}
	return v
}

// takeVLAN gives a network that has ports on a host the lowest free VLAN there. When none is free its ports are not
// bound, and say why.
func (t *Tx) takeVLAN(p place, vlans *vlansOf) {
	bound := slices.Collect(t.BindingsAt(p.host, p.network))
	if len(bound) == 0 || t.LocalVLAN(p.host, p.network) != nil {
		return
	}
	for ; vlans.lowest <= model.MaxVLAN; vlans.lowest++ {
		if v := vlans.lowest; !vlans.taken[v] {
			vlans.taken[v] = true
			t.put(state.LocalVLANs, &model.LocalVLAN{Host: p.host, NetworkID: p.network, VLAN: uint16(v)})
			return
		}
	}
	for _, b := range bound {
		t.delete(state.Bindings, b.PortID)
		t.put(state.PortStates, &model.PortState{
			PortID: b.PortID, Status: model.PortError, Host: b.Host, Reason: NoLocalVLAN, Since: t.now,
			Message: fmt.Sprintf("host %s carries %d networks already, one for each VLAN of br-int: move ports to another host", b.Host, model.MaxVLAN),
		})
	}
}

// waiting claims the ports that could not be bound on a host for want of a VLAN.
func (t *Tx) waiting(host string, c claims) {
	stuck := func(id string) {
		if st := t.PortState(id); st != nil && st.Reason == NoLocalVLAN && st.Host == host {
			c.ports[id] = true
		}
	}
	for i := range t.InterfacesOf(host) {
		stuck(i.IfaceID)
		if m, err := model.ParseMAC(i.AttachedMAC); err == nil {
			for p := range t.PortsByAttachedMAC(m) {
				stuck(p.ID)
			}
		}
	}
}
