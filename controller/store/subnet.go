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
	t.pending.freedAll(s.NetworkID)
	if s.EnableDHCP {
		t.pending.networks.add(s.NetworkID)
	}
	if s.SelfMade() {
		t.pending.selfMade.add(s.ID)
	}
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
	immutable(&c, "ipv6_ra_mode", old.IPv6RAMode, s.IPv6RAMode)
	immutable(&c, "ipv6_address_mode", old.IPv6AddressMode, s.IPv6AddressMode)
	t.checkGatewayChange(&c, old, s)
	if err := c.err(); err != nil {
		return nil, err
	}
	if !t.updated(old, s) {
		return old, nil
	}
	t.put(state.Subnets, s)
	t.pending.freedAll(s.NetworkID)
	t.pending.networks.add(s.NetworkID)
	return s, nil
}

// checkGatewayChange refuses to move the gateway away from the router that has its address, and to where it would be two
// things: the outside's next router and somebody here.
func (t *Tx) checkGatewayChange(c *checks, old, s *model.Subnet) {
	if s.GatewayIP == old.GatewayIP || s.NetworkID != old.NetworkID {
		return
	}
	if by := t.PortByIP(old.NetworkID, old.GatewayIP); by != nil && routerInterface(by) {
		c.add("gateway_ip", "%s is the address of %s: remove its interface first", old.GatewayIP, t.user(by))
	}
	if by := t.PortByIP(old.NetworkID, s.GatewayIP); s.GatewayIP.IsValid() && by != nil && model.OwnedByWeft(by.DeviceOwner) && !routerInterface(by) {
		c.add("gateway_ip", "%s is the address of %s; choose another", s.GatewayIP, t.user(by))
	}
}

func routerInterface(p *model.Port) bool {
	return p.DeviceOwner == model.OwnerRouterInterface || p.DeviceOwner == model.OwnerDistributedInterface
}

// DeleteSubnet removes a subnet that no port has an address of. Ports of DHCP and of hosts' fip namespaces give theirs back, and
// so do those whose machines made theirs themselves.
func (t *Tx) DeleteSubnet(id string, expected int64) error {
	old := t.Subnet(id)
	if old == nil {
		return &ErrNotFound{state.Subnets, id}
	}
	if err := expect(state.Subnets, &old.Meta, expected); err != nil {
		return err
	}
	t.dropSelfMade(old)
	var u users
	t.portUsers(&u, t.PortsOfSubnet(id))
	if err := u.err(state.Subnets, id); err != nil {
		return err
	}
	t.dropFleeting(old.NetworkID, id)
	t.delete(state.Subnets, id)
	t.hints.setAddress(id, netip.Addr{})
	return nil
}

func cloneSubnet(in *model.Subnet) *model.Subnet {
	s := *in
	s.Meta = cloneMeta(s.Meta)
	s.AllocationPools = cloneSlice(s.AllocationPools)
	s.DNSNameservers = cloneSlice(s.DNSNameservers)
	s.HostRoutes = cloneSlice(s.HostRoutes)
	if len(s.AllocationPools) == 0 && s.CIDR == s.CIDR.Masked() {
		s.AllocationPools = model.DefaultPools(s.CIDR, s.GatewayIP)
	}
	return &s
}
