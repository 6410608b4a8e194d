package store

import (
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateSubnet adds a subnet. A zero GatewayIP means that it has none (model.DefaultGateway gives the usual one); empty
// pools become all that the block has left.
func (t *Tx) CreateSubnet(in *model.Subnet) (*model.Subnet, error) {
	s := cloneSubnet(in)
	c := checks{kind: state.Subnets, violations: s.Validate()}
	if old := t.Subnet(s.ID); s.ID != "" && old != nil {
		c.take("metadata.id", s.ID, state.Subnets, old)
	}
	n := t.Network(s.NetworkID)
	switch {
	case n == nil && s.NetworkID != "":
		c.add("network_id", "network %q does not exist", s.NetworkID)
	case n != nil && s.CIDR.IsValid():
		for other := range t.SubnetsOf(n.ID) {
			if other.CIDR.Overlaps(s.CIDR) {
				c.add("cidr", "%s overlaps %s of %s, which is on the same network", s.CIDR, other.CIDR, refTo(state.Subnets, other))
			}
		}
		if s.CIDR.Addr().Is6() && n.MTU < model.MinMTUv6 {
			c.add("cidr", "IPv6 needs an MTU of %d, but %s has %d", model.MinMTUv6, refTo(state.Networks, n), n.MTU)
		}
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	t.created(&s.Meta)
	t.put(state.Subnets, s)
	return s, nil
}

// UpdateSubnet replaces a subnet by the whole new value. expected is the revision that the caller saw, or 0 for any.
// Ports keep their addresses, whatever becomes of the pools.
func (t *Tx) UpdateSubnet(in *model.Subnet, expected int64) (*model.Subnet, error) {
	old := t.Subnet(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.Subnets, in.ID}
	}
	if err := expect(state.Subnets, &old.Meta, expected); err != nil {
		return nil, err
	}
	s := cloneSubnet(in)
	c := checks{kind: state.Subnets, violations: s.Validate()}
	immutable(&c, "network_id", old.NetworkID, s.NetworkID)
	immutable(&c, "cidr", old.CIDR, s.CIDR)
	if err := c.err(); err != nil {
		return nil, err
	}
	if !t.updated(old, s) {
		return old, nil
	}
	t.put(state.Subnets, s)
	return s, nil
}

// DeleteSubnet removes a subnet that no port has an address of.
func (t *Tx) DeleteSubnet(id string, expected int64) error {
	old := t.Subnet(id)
	if old == nil {
		return &ErrNotFound{state.Subnets, id}
	}
	if err := expect(state.Subnets, &old.Meta, expected); err != nil {
		return err
	}
	var u users
	for p := range t.PortsOfSubnet(id) {
		u.add(state.Ports, p)
	}
	if err := u.err(state.Subnets, id); err != nil {
		return err
	}
	t.delete(state.Subnets, id)
	t.hints.setAddress(id, netip.Addr{})
	return nil
}

func cloneSubnet(in *model.Subnet) *model.Subnet {
	s := *in
	s.Meta = cloneMeta(s.Meta)
	s.AllocationPools = cloneSlice(s.AllocationPools)
	if len(s.AllocationPools) == 0 && s.CIDR == s.CIDR.Masked() {
		s.AllocationPools = model.DefaultPools(s.CIDR, s.GatewayIP)
	}
	return &s
}
