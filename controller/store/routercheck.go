package store

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// leg is a subnet that a router is on.
type leg struct {
	// field is what put it there.
	field  string
	subnet *model.Subnet
	// address is the router's own on it.
	address netip.Addr
	// isNew: this request puts the router there.
	isNew bool
}

// checkRouter finds out what the interfaces and the gateway of a new (old is nil) or changed router mean, and fills it in,
// but for the ports that are still to be made. It refuses what cannot be.
func (t *Tx) checkRouter(c *checks, old, r *model.Router) error {
	before := len(c.violations) + len(c.taken)
	var legs []leg
	asked := slices.Clone(r.Interfaces)
	for i := range r.Interfaces {
		field, n := fmt.Sprintf("interfaces[%d]", i), &r.Interfaces[i]
		legs = append(legs, t.checkInterface(c, field, old, n)...)
		// One by its subnet, the other by its port; what is said twice in the same way, the model has told.
		if j := slices.Index(r.Interfaces[:i], *n); j >= 0 && asked[i].SubnetID != asked[j].SubnetID && asked[i].PortID != asked[j].PortID {
			c.add(field, "is the same as interfaces[%d]", j)
		}
	}
	gateway, none := t.checkGateway(c, old, r)
	legs = append(legs, gateway...)
	checkOverlaps(c, legs)
	// What is wrong with an interface or the gateway would be told again of all routes that go there.
	wrong := slices.ContainsFunc(c.violations, func(v model.Violation) bool { return strings.HasPrefix(v.Field, "routes[") })
	if none == nil && !wrong && len(c.violations)+len(c.taken) == before {
		t.checkRoutes(c, old, r, legs)
	}
	if old != nil {
		t.checkUsers(c, old, r, legs)
	}
	if err := c.err(); err != nil {
		return err
	}
	return none
}

// checkInterface fills in an interface, and returns the subnets that it leads to; none when it cannot be.
func (t *Tx) checkInterface(c *checks, field string, old *model.Router, n *model.RouterInterface) []leg {
	if old != nil {
		if at := t.interfaceOf(old, *n); at >= 0 && *n != (model.RouterInterface{}) {
			*n = old.Interfaces[at]
			return t.legsOf(field, t.Port(n.PortID), false)
		}
	}
	switch {
	case n.PortID != "":
		return t.checkInterfacePort(c, field, n)
	case n.SubnetID != "":
		return t.checkInterfaceSubnet(c, field, n)
	}
	return nil
}

func (t *Tx) legsOf(field string, p *model.Port, isNew bool) (legs []leg) {
	for _, f := range p.FixedIPs {
		legs = append(legs, leg{field, t.Subnet(f.SubnetID), f.IP, isNew})
	}
	return legs
}

func (t *Tx) checkInterfaceSubnet(c *checks, field string, n *model.RouterInterface) []leg {
	field += ".subnet_id"
	s := t.Subnet(n.SubnetID)
	if s == nil {
		c.add(field, "subnet %q does not exist", n.SubnetID)
		return nil
	}
	if !t.checkInside(c, field, s.NetworkID) {
		return nil
	}
	if !s.GatewayIP.IsValid() {
		c.add(field, "%s has no gateway_ip for the router to take: set one, or give a port instead", refTo(state.Subnets, s))
		return nil
	}
	if by := t.PortByIP(s.NetworkID, s.GatewayIP); by != nil {
		c.add(field, "gateway_ip %s of %s is taken by %s: give a port with another address instead", s.GatewayIP, refTo(state.Subnets, s), t.user(by))
		return nil
	}
	return []leg{{field, s, s.GatewayIP, true}}
}

// checkInside refuses interfaces on external networks: what has the gateway's address there is outside, and a router that
// took it would cut off everybody.
func (t *Tx) checkInside(c *checks, field, network string) bool {
	if n := t.Network(network); n.RouterExternal {
		c.add(field, "%s is external: routers have their gateway there, and no interfaces", refTo(state.Networks, n))
		return false
	}
	return true
}

func (t *Tx) checkInterfacePort(c *checks, field string, n *model.RouterInterface) []leg {
	subnetField := field + ".subnet_id"
	field += ".port_id"
	p := t.Port(n.PortID)
	if p == nil {
		c.add(field, "port %q does not exist", n.PortID)
		return nil
	}
	ref, before := refTo(state.Ports, p), len(c.violations)
	if model.OwnedByWeft(p.DeviceOwner) {
		c.add(field, "%s was made for %s; give one that belongs to nothing yet", ref, t.user(p))
	} else if p.DeviceID != "" || p.DeviceOwner != "" {
		c.add(field, "%s belongs to device %q (%s); give one that belongs to nothing yet", ref, p.DeviceID, p.DeviceOwner)
	}
	if b := t.Binding(p.ID); b != nil {
		c.add(field, "%s is plugged in: interface %s of host %s", ref, b.Interface, b.Host)
	}
	for f := range t.FloatingIPsOfPort(p.ID) {
		c.add(field, "%s has %s: disassociate it first", ref, refTo(state.FloatingIPs, f))
	}
	for f := range t.PortForwardingsTo(p.ID) {
		c.add(field, "%s has %s: delete it first", ref, refTo(state.PortForwardings, f))
	}
	v4 := 0
	for _, f := range p.FixedIPs {
		if f.IP.Is4() {
			v4++
		}
	}
	switch {
	case len(p.FixedIPs) == 0:
		c.add(field, "%s has no address; give it one of the subnet first", ref)
	case v4 > 1:
		c.add(field, "%s has %d IPv4 addresses; an interface has one: give each its own port", ref, v4)
	}
	t.checkInside(c, field, p.NetworkID)
	if n.SubnetID != "" && !onSubnet(p, n.SubnetID).IsValid() {
		c.add(subnetField, "%s has no address of subnet %q; leave it out, or give another port", ref, n.SubnetID)
	}
	if len(c.violations) != before {
		return nil
	}
	if n.SubnetID == "" {
		n.SubnetID = p.FixedIPs[0].SubnetID
	}
	return t.legsOf(field, p, true)
}

const gatewayField = "external_gateway_info"

// checkGateway fills in the gateway's addresses. The error says that there are none left.
func (t *Tx) checkGateway(c *checks, old, r *model.Router) (legs []leg, none error) {
	g := r.Gateway
	if g == nil {
		return nil, nil
	}
	g.PortID = ""
	var was []model.FixedIP
	if old != nil && old.Gateway != nil && old.Gateway.NetworkID == g.NetworkID {
		g.PortID, was = old.Gateway.PortID, old.Gateway.FixedIPs
	}
	n := t.checkExternal(c, gatewayField+".network_id", g.NetworkID)
	if n == nil {
		return nil, nil
	}
	p := &model.Port{Meta: model.Meta{ID: g.PortID}, NetworkID: n.ID, FixedIPs: g.FixedIPs, DeviceOwner: model.OwnerRouterGateway}
	switch {
	case len(g.FixedIPs) > 0:
		t.checkFixedIPs(c, gatewayField+".external_fixed_ips", p)
		none = t.fillFixedIPs(gatewayField+".external_fixed_ips", p, was)
	case was != nil:
		p.FixedIPs = cloneSlice(was)
	default:
		p.FixedIPs, none = t.anyFixedIPs(gatewayField+".external_fixed_ips", n, p.DeviceOwner)
	}
	g.FixedIPs = p.FixedIPs
	for i, f := range g.FixedIPs {
		s := t.Subnet(f.SubnetID)
		if s == nil || s.NetworkID != n.ID || !f.IP.IsValid() {
			continue
		}
		if f.IP == s.GatewayIP {
			c.add(fmt.Sprintf("%s.external_fixed_ips[%d].ip_address", gatewayField, i), "%s is the gateway_ip of %s, which is the next router's; choose another", f.IP, refTo(state.Subnets, s))
		}
		legs = append(legs, leg{gatewayField, s, f.IP, !slices.Contains(was, f)})
	}
	return legs, none
}

// checkExternal finds an external network with subnets.
func (t *Tx) checkExternal(c *checks, field, id string) *model.Network {
	n := t.Network(id)
	switch {
	case id == "":
		// The model has said so.
		return nil
	case n == nil:
		c.add(field, "network %q does not exist", id)
		return nil
	case !n.RouterExternal:
		c.add(field, "%s is not external: set router_external on it, or choose another", refTo(state.Networks, n))
		return nil
	}
	for range t.SubnetsOf(id) {
		return n
	}
	c.add(field, "%s has no subnet to take addresses from: create one first", refTo(state.Networks, n))
	return nil
}

// checkOverlaps refuses a router that would have two ways to one address.
func checkOverlaps(c *checks, legs []leg) {
	for i, l := range legs {
		for _, o := range legs[:i] {
			if !l.isNew && !o.isNew || !l.subnet.CIDR.Overlaps(o.subnet.CIDR) || l.field == gatewayField && o.field == gatewayField {
				continue
			}
			// The one that comes later is the mistake, unless it was there before.
			l, o := l, o
			if !l.isNew {
				l, o = o, l
			}
			if l.subnet.ID == o.subnet.ID {
				c.add(l.field, "%s is on the router already, by %s", refTo(state.Subnets, l.subnet), o.field)
			} else {
				c.add(l.field, "%s of %s overlaps %s of %s, which is on the router too", l.subnet.CIDR, refTo(state.Subnets, l.subnet), o.subnet.CIDR, refTo(state.Subnets, o.subnet))
			}
		}
	}
}

// checkRoutes refuses next hops that are not on the router's subnets. Those of routes that it had before are told by
// checkUsers.
func (t *Tx) checkRoutes(c *checks, old, r *model.Router, legs []leg) {
	var blocks []string
	for _, l := range legs {
		blocks = append(blocks, l.subnet.CIDR.String())
	}
	for i, route := range r.Routes {
		field := fmt.Sprintf("routes[%d].nexthop", i)
		if !route.NextHop.IsValid() || old != nil && slices.Contains(old.Routes, route) {
			continue
		}
		at := slices.IndexFunc(legs, func(l leg) bool { return l.subnet.CIDR.Contains(route.NextHop) })
		switch {
		case at < 0 && len(blocks) == 0:
			c.add(field, "%s is out of reach: the router has neither interfaces nor a gateway", route.NextHop)
		case at < 0:
			c.add(field, "%s is in none of the router's subnets (%s)", route.NextHop, strings.Join(blocks, ", "))
		case legs[at].address == route.NextHop:
			c.add(field, "%s is the router's own address", route.NextHop)
		}
	}
}
