package store

import (
	"fmt"
	"math"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateHost adds a host; its ID is the hostname. DVRMAC and Number are chosen.
func (t *Tx) CreateHost(in *model.Host) (*model.Host, error) {
	h := cloneHost(in)
	c := checks{kind: state.Hosts, violations: h.Validate()}
	if old := t.Host(h.ID); old != nil {
		c.take("metadata.id", h.ID, state.Hosts, old)
	}
	t.checkTunnelIP(&c, h)
	err := c.err()
	if err != nil {
		return nil, err
	}
	if h.Number, h.DVRMAC, err = t.freeHost(); err != nil {
		return nil, err
	}
	t.created(&h.Meta)
	t.put(state.Hosts, h)
	return h, nil
}

// EnsureHost returns the host of that name, and registers it when it is new.
func (t *Tx) EnsureHost(name string) (*model.Host, error) {
	if h := t.Host(name); h != nil {
		return h, nil
	}
	return t.CreateHost(&model.Host{Meta: model.Meta{ID: name}})
}

// UpdateHost replaces a host by the whole new value. expected is the revision that the caller saw, or 0 for any.
func (t *Tx) UpdateHost(in *model.Host, expected int64) (*model.Host, error) {
	old := t.Host(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.Hosts, in.ID}
	}
	if err := expect(state.Hosts, &old.Meta, expected); err != nil {
		return nil, err
	}
	h := cloneHost(in)
	h.Number, h.DVRMAC = old.Number, old.DVRMAC
	c := checks{kind: state.Hosts, violations: h.Validate()}
	if h.TunnelIP != old.TunnelIP {
		t.checkTunnelIP(&c, h)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if !t.updated(old, h) {
		return old, nil
	}
	before := t.fitness(h.ID)
	t.put(state.Hosts, h)
	t.hostChanged(h.ID, before)
	return h, nil
}

// DeleteHost removes a host, and what its agent reported. No port may be bound to it or ask for it, but for Weft's own: what
// was put on the host goes elsewhere, or is nowhere when no other host can take it.
func (t *Tx) DeleteHost(id string, expected int64) error {
	old := t.Host(id)
	if old == nil {
		return &ErrNotFound{state.Hosts, id}
	}
	if err := expect(state.Hosts, &old.Meta, expected); err != nil {
		return err
	}
	var u users
	for p := range t.PortsWantedOn(id) {
		if !model.OwnedByWeft(p.DeviceOwner) {
			u.add(state.Ports, p)
		}
	}
	for b := range t.BindingsOn(id) {
		if p := t.Port(b.PortID); p.BindingHostID != id {
			u.add(state.Ports, p)
		}
	}
	if err := u.err(state.Hosts, id); err != nil {
		return err
	}
	c := newClaims()
	t.delete(state.Hosts, id)
	t.delete(state.HostFacts, id)
	t.delete(state.HostHealths, id)
	t.delete(state.SwitchFacts, id)
	t.pending.fitness = true
	t.pending.floating.add(id)
	for i := range t.InterfacesOf(id) {
		c.interfaceClaims(i)
		t.delete(state.Interfaces, state.Key(i))
	}
	t.rebind(c)
	return nil
}

func cloneHost(in *model.Host) *model.Host {
	h := *in
	h.Meta = cloneMeta(h.Meta)
	h.BridgeMappings = cloneMap(h.BridgeMappings)
	h.Roles = cloneSlice(h.Roles)
	return &h
}

// checkTunnelIP refuses a tunnel address that another host has in force.
func (t *Tx) checkTunnelIP(c *checks, h *model.Host) {
	if !h.TunnelIP.IsValid() {
		return
	}
	for other := range t.Hosts() {
		ip := other.TunnelIP
		if f := t.HostFacts(other.ID); f != nil && !ip.IsValid() {
			ip = f.TunnelIP
		}
		if other.ID != h.ID && ip == h.TunnelIP {
			c.take("tunnel_ip", ip.String(), state.Hosts, other)
		}
	}
}

// freeHost chooses the lowest free number, and a random MAC: other clouds may be on the same wire.
func (t *Tx) freeHost() (uint16, model.MAC, error) {
	numbers, macs := map[uint16]bool{}, map[model.MAC]bool{}
	for h := range t.Hosts() {
		numbers[h.Number], macs[h.DVRMAC] = true, true
	}
	mac, err := freeMAC(model.DVRMACPrefix, func(m model.MAC) bool { return macs[m] })
	if err != nil {
		return 0, mac, err
	}
	for n := 1; n <= math.MaxUint16; n++ {
		if !numbers[uint16(n)] {
			return uint16(n), mac, nil
		}
	}
	return 0, mac, &ErrExhausted{What: fmt.Sprintf("there are %d hosts already, as many as have a number: delete hosts that are gone", math.MaxUint16)}
}
