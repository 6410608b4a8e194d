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

// MakeNoDevices leaves the devices of namespaces out from now on.
func (a *Agent) MakeNoDevices() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deviceless = true
}

// MakeDevices makes the devices that were left out, and from now on all.
func (a *Agent) MakeDevices() error {
	a.mu.Lock()
	a.deviceless = false
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

// Refuse says that a resource cannot be made true, or, with nil, that it is now; and answers the last Delta again.
func (a *Agent) Refuse(resource string, why *nodev1.ResourceError) error {
	a.mu.Lock()
	if a.refused == nil {
		a.refused = map[string]*nodev1.ResourceError{}
	}
	if delete(a.refused, resource); why != nil {
		a.refused[resource] = why
	}
	last := a.answered
	a.mu.Unlock()
	if last == nil {
		return nil
	}
	return a.say(a.answer(last))
}

// answer is what a Delta is answered with: an Ack, or a Nack while something is refused.
func (a *Agent) answer(d *nodev1.Delta) *nodev1.SyncRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answered = d
	if len(a.refused) == 0 {
		return &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Ack{Ack: &nodev1.Ack{Nonce: d.Nonce, Revision: d.Revision}}}
	}
	n := &nodev1.Nack{Nonce: d.Nonce, Revision: d.Revision}
	for _, name := range slices.Sorted(maps.Keys(a.refused)) {
		n.Errors = append(n.Errors, a.refused[name])
	}
	return &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Nack{Nack: n}}
}

// Forget has the agent hold another version of a resource than it was told, as after a change that it missed.
func (a *Agent) Forget(resource string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.held[resource]; r != nil {
		a.held[resource] = &nodev1.Resource{Name: r.Name, Version: r.Version + "'", Spec: r.Spec}
	}
}
