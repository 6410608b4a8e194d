package store

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreatePort adds a port. An empty id or MAC is chosen; a fixed IP may lack the subnet or the address; nil fixed IPs mean
// one of each IP version that the network has subnets of, and a list without any means none.
func (t *Tx) CreatePort(in *model.Port) (*model.Port, error) {
	p := clonePort(in)
	c := checks{kind: state.Ports, violations: p.Validate()}
	if old := t.Port(p.ID); p.ID != "" && old != nil {
		c.take("metadata.id", p.ID, state.Ports, old)
	}
	n := t.Network(p.NetworkID)
	if n == nil && p.NetworkID != "" {
		c.add("network_id", "network %q does not exist", p.NetworkID)
	}
	if n != nil {
		t.checkMAC(&c, p)
		t.checkFixedIPs(&c, p)
	}
	t.checkBindingHost(&c, p)
	err := c.err()
	if err != nil {
		return nil, err
	}
	if p.MAC.IsZero() {
		if p.MAC, err = t.freePortMAC(); err != nil {
			return nil, err
		}
	}
	if in.FixedIPs == nil {
		p.FixedIPs, err = t.anyFixedIPs(n)
	} else {
		err = t.fillFixedIPs(p, nil)
	}
	if err != nil {
		return nil, err
	}
	t.created(&p.Meta)
	t.put(state.Ports, p)
	t.rebind(t.claimsOf(nil, p))
	return p, nil
}

// UpdatePort replaces a port by the whole new value. expected is the revision that the caller saw, or 0 for any. A zero
// MAC keeps the old one; no fixed IPs means none; a fixed IP with only a subnet keeps an address that the port has there.
func (t *Tx) UpdatePort(in *model.Port, expected int64) (*model.Port, error) {
	old := t.Port(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.Ports, in.ID}
	}
	if err := expect(state.Ports, &old.Meta, expected); err != nil {
		return nil, err
	}
	p := clonePort(in)
	if p.MAC.IsZero() {
		p.MAC = old.MAC
	}
	c := checks{kind: state.Ports, violations: p.Validate()}
	immutable(&c, "network_id", old.NetworkID, p.NetworkID)
	if p.NetworkID == old.NetworkID {
		t.checkMAC(&c, p)
		t.checkFixedIPs(&c, p)
	}
	if p.BindingHostID != old.BindingHostID {
		t.checkBindingHost(&c, p)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if err := t.fillFixedIPs(p, old.FixedIPs); err != nil {
		return nil, err
	}
	if !t.updated(old, p) {
		return old, nil
	}
	t.put(state.Ports, p)
	if p.MAC != old.MAC || p.BindingHostID != old.BindingHostID {
		t.rebind(t.claimsOf(old, p))
	}
	return p, nil
}

// DeletePort removes a port, its binding and its state.
func (t *Tx) DeletePort(id string, expected int64) error {
	old := t.Port(id)
	if old == nil {
		return &ErrNotFound{state.Ports, id}
	}
	if err := expect(state.Ports, &old.Meta, expected); err != nil {
		return err
	}
	t.delete(state.Ports, id)
	t.rebind(t.claimsOf(old, nil))
	return nil
}

func (t *Tx) checkMAC(c *checks, p *model.Port) {
	if by := t.PortByMAC(p.NetworkID, p.MAC); !p.MAC.IsZero() && by != nil && by.ID != p.ID {
		c.take("mac_address", p.MAC.String(), state.Ports, by)
	}
}

func (t *Tx) checkBindingHost(c *checks, p *model.Port) {
	if p.BindingHostID != "" && t.Host(p.BindingHostID) == nil {
		c.add("binding_host_id", "host %q does not exist: create it, or start its agent", p.BindingHostID)
	}
}

func clonePort(in *model.Port) *model.Port {
	p := *in
	p.Meta = cloneMeta(p.Meta)
	p.FixedIPs = cloneSlice(p.FixedIPs)
	return &p
}
