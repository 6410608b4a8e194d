package store

import (
	"fmt"
	"maps"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// carry sees to it that a host has a VLAN for a network exactly while a port of it is bound there, or a distributed router
// with an interface on it is there. It returns the ports that were waiting for a VLAN which has become free: they are to be
// bound, and then all touched places looked at again.
func (t *Tx) carry(touched map[place]bool) claims {
	// What is given up comes first, so that it can be taken again.
	c := newClaims()
	full := map[string]bool{}
	for _, p := range sortedPlaces(touched) {
		if _, known := full[p.host]; !known {
			full[p.host] = t.isFull(p.host)
		}
		if t.releaseVLAN(p) && full[p.host] {
			t.waiting(p.host, c, touched)
		}
	}
	// Ports before routers, those that were waiting too: a port without a VLAN is not bound, and what is not bound may need
	// no router.
	var vlans vlansOf
	for _, forPorts := range []bool{true, false} {
		if !forPorts && len(c.ports) > 0 {
			break
		}
		for _, p := range sortedPlaces(touched) {
			if vlans.host != p.host {
				vlans = t.vlansOn(p.host)
			}
			t.takeVLAN(p, forPorts, &vlans)
		}
	}
	return c
}

func sortedPlaces(places map[place]bool) []place {
	return slices.SortedFunc(maps.Keys(places), func(a, b place) int {
		return slices.Compare([]string{a.host, a.network}, []string{b.host, b.network})
	})
}

// isFull says whether a host has no VLAN left.
func (t *Tx) isFull(host string) bool {
	n := 0
	for range t.LocalVLANsOn(host) {
		n++
	}
	return n >= model.MaxVLAN
}

// releaseVLAN gives back the VLAN of a network that the host does not carry any more, and says whether it did.
func (t *Tx) releaseVLAN(p place) bool {
	if t.LocalVLAN(p.host, p.network) == nil || t.routed(p) {
		return false
	}
	for range t.BindingsAt(p.host, p.network) {
		return false
	}
	t.delete(state.LocalVLANs, p.host+"/"+p.network)
	return true
}

// routed says whether a distributed router with an interface on the network is on the host.
func (t *Tx) routed(p place) bool {
	for i := range t.PortsOwned(p.network, model.OwnerDistributedInterface) {
		if t.RouterHost(i.DeviceID, p.host) != nil {
			return true
		}
	}
	return false
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

// takeVLAN gives a network that a host carries, for ports or for routers, the lowest free VLAN there. When none is free the
// ports are not bound, and say why; a router is there without that network.
func (t *Tx) takeVLAN(p place, forPorts bool, vlans *vlansOf) {
	if t.LocalVLAN(p.host, p.network) != nil {
		return
	}
	var bound []*model.Binding
	if forPorts {
		bound = slices.Collect(t.BindingsAt(p.host, p.network))
	}
	if forPorts && len(bound) == 0 || !forPorts && !t.routed(p) {
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
		t.rebound(b)
		t.put(state.PortStates, &model.PortState{
			PortID: b.PortID, Status: model.PortError, Host: b.Host, Reason: NoLocalVLAN, Since: t.now,
			Message: fmt.Sprintf("host %s carries %d networks already, one for each VLAN of br-int: move ports to another host", b.Host, model.MaxVLAN),
		})
	}
}

// waiting finds who wants a VLAN of a host that had none left: ports that could not be bound, and networks of routers.
func (t *Tx) waiting(host string, c claims, touched map[place]bool) {
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
	for h := range t.RouterHostsOn(host) {
		for p := range t.distributedPorts(h.RouterID) {
			if t.LocalVLAN(host, p.NetworkID) == nil {
				touched[place{host, p.NetworkID}] = true
			}
		}
	}
}
