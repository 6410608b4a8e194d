package fakeagent

import (
	"maps"
	"slices"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// devices are those of a namespace.
func devices(r *nodev1.Resource) []*nodev1.Device {
	var out []*nodev1.Device
	gateway := func(g *nodev1.Gateway) {
		if g != nil {
			out = append(out, g.Device)
		}
	}
	switch s := r.GetSpec().(type) {
	case *nodev1.Resource_Router:
		for _, i := range s.Router.Interfaces {
			out = append(out, i.Device)
		}
		gateway(s.Router.Gateway)
	case *nodev1.Resource_Snat:
		out = append(out, s.Snat.Interfaces...)
		gateway(s.Snat.Gateway)
	case *nodev1.Resource_FipNamespace:
		out = append(out, s.FipNamespace.Device)
	case *nodev1.Resource_Dhcp:
		out = append(out, s.Dhcp.Device)
	}
	return out
}

func tap(d *nodev1.Device) string { return "tap" + d.PortId[:min(11, len(d.PortId))] }

// newDevices makes the devices that are not there yet. The caller holds a.mu.
func (a *Agent) newDevices() []*nodev1.InterfaceFact {
	var made []*nodev1.InterfaceFact
	for _, name := range slices.Sorted(maps.Keys(a.held)) {
		for _, d := range devices(a.held[name]) {
			if a.ofports[tap(d)] != 0 {
				continue
			}
			a.ofports[tap(d)] = a.nextPort()
			made = append(made, &nodev1.InterfaceFact{Name: tap(d), Bridge: "br-int", Ofport: a.ofports[tap(d)], IfaceId: d.PortId})
		}
	}
	return made
}

// MakeDevices makes the devices that Deviceless has left out, and from now on all.
func (a *Agent) MakeDevices() error {
	a.mu.Lock()
	a.Deviceless = false
	inv := &nodev1.Inventory{Interfaces: a.newDevices()}
	a.mu.Unlock()
	return a.say(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Inventory{Inventory: inv}})
}

// Held are the resources that the host was told to make true, by name.
func (a *Agent) Held() map[string]*nodev1.Resource {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.held)
}
