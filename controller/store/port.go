package store

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreatePort adds a port for people. Those of model.OwnedByWeft are refused here, and only their name, description and
// labels can be changed by UpdatePort; DeletePort names the object that they belong to. An empty id or MAC is chosen; a fixed IP may lack the subnet or the address; nil fixed IPs mean
// one of each IP version that the network has subnets of, and a list without any means none; addresses that machines make
// themselves are added to either. With port security, nil security
// groups mean the default group of the project, and a list without any means none.
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
		t.checkFixedIPs(&c, "fixed_ips", p)
	}
	t.checkBindingHost(&c, p)
	t.checkSecurity(&c, p)
	t.checkQoS(&c, p.QoSPolicyID)
	checkOwner(&c, p)
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
		p.FixedIPs, err = t.anyFixedIPs("fixed_ips", n, p.DeviceOwner)
	} else {
		err = t.fillFixedIPs("fixed_ips", p, nil)
	}
	if err == nil {
		err = t.giveSelfMade("mac_address", p)
	}
	if err == nil && p.PortSecurityEnabled && in.SecurityGroups == nil {
		err = t.giveDefaultGroup(p)
	}
	if err != nil {
		return nil, err
	}
	t.created(&p.Meta)
	t.putPort(nil, p)
	return p, nil
}

// UpdatePort replaces a port by the whole new value. expected is the revision that the caller saw, or 0 for any. A zero
// MAC keeps the old one; no fixed IPs means none; a fixed IP with only a subnet keeps an address that the port has there. An
// address that a floating IP or a port forwarding leads to cannot be taken away. No security groups means none, but for a port
// whose port security is new: nil means the default group of the project then.
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
		t.remake(old, p)
		t.checkMAC(&c, p)
		t.checkFixedIPs(&c, "fixed_ips", p)
	}
	own := model.OwnedByWeft(old.DeviceOwner)
	if !own {
		if p.BindingHostID != old.BindingHostID {
			t.checkBindingHost(&c, p)
		}
		t.checkSecurity(&c, p)
		t.checkQoS(&c, p.QoSPolicyID)
		checkOwner(&c, p)
	}
	// Addresses are chosen even when there are mistakes, for what depends on them to be told too.
	none := t.fillFixedIPs("fixed_ips", p, old.FixedIPs)
	if none == nil {
		none = t.giveSelfMade("mac_address", p)
	}
	if own {
		t.checkOwnPort(&c, old, p)
	} else if none == nil {
		t.checkUses(&c, old, p)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if none != nil {
		return nil, none
	}
	if p.PortSecurityEnabled && !old.PortSecurityEnabled && in.SecurityGroups == nil {
		if err := t.giveDefaultGroup(p); err != nil {
			return nil, err
		}
	}
	if !t.updated(old, p) {
		return old, nil
	}
	t.putPort(old, p)
	return p, nil
}

// DeletePort removes a port, its binding and its state. As in Neutron, floating IPs that stand for it stay, associated with
// nothing, and port forwardings that lead to it go.
func (t *Tx) DeletePort(id string, expected int64) error {
	old := t.Port(id)
	if old == nil {
		return &ErrNotFound{state.Ports, id}
	}
	if err := expect(state.Ports, &old.Meta, expected); err != nil {
		return err
	}
	if model.OwnedByWeft(old.DeviceOwner) {
		return &ErrInUse{Kind: state.Ports, ID: id, By: []Ref{t.user(old)}, Total: 1}
	}
	for _, f := range slices.Collect(t.FloatingIPsOfPort(id)) {
		t.changeFloatingIP(f, func(f *model.FloatingIP) {
			f.PortID, f.FixedIP, f.RouterID, f.RulePriority = "", netip.Addr{}, "", 0
		})
	}
	for _, f := range slices.Collect(t.PortForwardingsTo(id)) {
		t.dropForwarding(f)
	}
	t.removePort(old)
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
	p.AllowedAddressPairs = cloneSlice(p.AllowedAddressPairs)
	p.ExtraDHCPOpts = cloneSlice(p.ExtraDHCPOpts)
	p.SecurityGroups = cloneSlice(p.SecurityGroups)
	if in.Instance != nil {
		i := *in.Instance
		i.UserData = cloneSlice(i.UserData)
		i.PublicKeys = cloneMap(i.PublicKeys)
		i.Meta = cloneMap(i.Meta)
		p.Instance = &i
	}
	return &p
}
