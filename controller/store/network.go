package store

import (
	"fmt"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateNetwork adds a network. An empty id, type, MTU or segment id is chosen. L2Population becomes false where there
// are no tunnels.
func (t *Tx) CreateNetwork(in *model.Network) (*model.Network, error) {
	n := cloneNetwork(in)
	if n.Type == "" {
		n.Type = t.cfg.TenantNetworkTypes[0]
	}
	c := checks{kind: state.Networks, violations: n.Validate()}
	if old := t.Network(n.ID); n.ID != "" && old != nil {
		c.take("metadata.id", n.ID, state.Networks, old)
	}
	t.checkMTU(&c, n)
	t.checkQoS(&c, n.QoSPolicyID)
	t.checkSegment(&c, n)
	if err := c.err(); err != nil {
		return nil, err
	}
	if n.Type != model.Flat && n.SegmentID == 0 {
		id, err := t.freeSegment(n.Type, n.PhysicalNetwork)
		if err != nil {
			return nil, err
		}
		n.SegmentID = id
	}
	t.created(&n.Meta)
	t.put(state.Networks, n)
	return n, nil
}

// UpdateNetwork replaces a network by the whole new value. expected is the revision that the caller saw, or 0 for any.
// An MTU of 0 has it computed again.
func (t *Tx) UpdateNetwork(in *model.Network, expected int64) (*model.Network, error) {
	old := t.Network(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.Networks, in.ID}
	}
	if err := expect(state.Networks, &old.Meta, expected); err != nil {
		return nil, err
	}
	n := cloneNetwork(in)
	c := checks{kind: state.Networks, violations: n.Validate()}
	immutable(&c, "provider_network_type", old.Type, n.Type)
	immutable(&c, "provider_physical_network", old.PhysicalNetwork, n.PhysicalNetwork)
	immutable(&c, "provider_segmentation_id", old.SegmentID, n.SegmentID)
	t.checkMTU(&c, n)
	t.checkQoS(&c, n.QoSPolicyID)
	t.checkExternalChange(&c, old, n)
	if n.MTU < model.MinMTUv6 && n.MTU != old.MTU {
		for s := range t.SubnetsOf(n.ID) {
			if s.CIDR.Addr().Is6() {
				c.add("mtu", "%d is too small for IPv6, which %s has; the least is %d", n.MTU, refTo(state.Subnets, s), model.MinMTUv6)
				break
			}
		}
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if !t.updated(old, n) {
		return old, nil
	}
	t.put(state.Networks, n)
	return n, nil
}

// checkExternalChange refuses to make a network external, or no longer external, while routers and floating IPs rely on
// what it is.
func (t *Tx) checkExternalChange(c *checks, old, n *model.Network) {
	if n.RouterExternal == old.RouterExternal {
		return
	}
	var u users
	if old.RouterExternal {
		for r := range t.RoutersByGateway(old.ID) {
			u.add(state.Routers, r)
		}
		for f := range t.FloatingIPsOfNetwork(old.ID) {
			u.add(state.FloatingIPs, f)
		}
		c.use("router_external", old.ID, fmt.Sprintf("router_external of %s", refTo(state.Networks, old)), u)
		return
	}
	for _, owner := range []string{model.OwnerRouterInterface, model.OwnerDistributedInterface} {
		for p := range t.PortsOwned(old.ID, owner) {
			c.add("router_external", "%s has an interface on the network: remove it first, for routers have none on external networks", t.user(p))
		}
	}
}

// DeleteNetwork removes a network that has neither subnets nor ports. Ports of DHCP and of hosts' fip namespaces go with it.
func (t *Tx) DeleteNetwork(id string, expected int64) error {
	old := t.Network(id)
	if old == nil {
		return &ErrNotFound{state.Networks, id}
	}
	if err := expect(state.Networks, &old.Meta, expected); err != nil {
		return err
	}
	var u users
	t.portUsers(&u, t.PortsOf(id))
	for s := range t.SubnetsOf(id) {
		u.add(state.Subnets, s)
	}
	if err := u.err(state.Networks, id); err != nil {
		return err
	}
	t.dropFleeting(id, "")
	t.delete(state.Networks, id)
	return nil
}

func cloneNetwork(in *model.Network) *model.Network {
	n := *in
	n.Meta = cloneMeta(n.Meta)
	n.L2Population = n.L2Population && (n.Type == "" || model.Tunnelled(n.Type))
	return &n
}

// checkMTU fills in the MTU when none is given, and refuses one that the underlay cannot carry.
func (t *Tx) checkMTU(c *checks, n *model.Network) {
	limit, why := t.cfg.UnderlayMTU, ""
	if model.Tunnelled(n.Type) {
		overhead := model.Overhead(n.Type)
		ip := "IPv4"
		if t.cfg.UnderlayIPv6 {
			// An IPv6 header has 40 bytes (RFC 8200 3), an IPv4 header 20.
			overhead, ip = overhead+20, "IPv6"
		}
		limit -= overhead
		why = fmt.Sprintf(" minus %d for %s over %s", overhead, n.Type, ip)
	}
	if n.MTU == 0 {
		n.MTU = limit
	}
	if n.MTU > limit && n.MTU <= model.MaxMTU {
		c.add("mtu", "%d is too large; at most %d fit (underlay MTU %d%s)", n.MTU, limit, t.cfg.UnderlayMTU, why)
	}
}
