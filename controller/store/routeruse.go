package store

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// routeKind is what users of an interface that are routes are called; routes have no id.
const routeKind state.Kind = "routes"

// checkUsers refuses to take away what floating IPs, port forwardings and routes of the router need: legs are what is left.
func (t *Tx) checkUsers(c *checks, old, r *model.Router, legs []leg) {
	for _, i := range old.Interfaces {
		for _, l := range t.legsOf("", t.Port(i.PortID), false) {
			if slices.ContainsFunc(legs, func(left leg) bool { return left.subnet.ID == l.subnet.ID }) {
				continue
			}
			u := t.routesBy(old, r, legs, l)
			t.translationsBy(&u, old, l.subnet.ID)
			c.use("interfaces", old.ID, fmt.Sprintf("the interface of %s on %s", refTo(state.Routers, old), refTo(state.Subnets, l.subnet)), u)
		}
	}
	g := old.Gateway
	if g == nil {
		return
	}
	what := fmt.Sprintf("the gateway of %s to %s", refTo(state.Routers, old), refTo(state.Networks, t.Network(g.NetworkID)))
	var u users
	for _, l := range t.legsOf("", t.Port(g.PortID), false) {
		if slices.ContainsFunc(legs, func(left leg) bool { return left.subnet.ID == l.subnet.ID }) {
			continue
		}
		by := t.routesBy(old, r, legs, l)
		for _, ref := range by.refs {
			u.addRef(ref)
		}
	}
	if r.Gateway == nil || r.Gateway.NetworkID != g.NetworkID {
		for f := range t.FloatingIPsOfRouter(old.ID) {
			u.add(state.FloatingIPs, f)
		}
	}
	c.use(gatewayField, old.ID, what, u)
}

// routesBy are the routes that stay, and whose next hop goes with a leg.
func (t *Tx) routesBy(old, r *model.Router, left []leg, gone leg) (u users) {
	reached := func(a netip.Addr) bool {
		return slices.ContainsFunc(left, func(l leg) bool { return l.subnet.CIDR.Contains(a) })
	}
	for _, route := range r.Routes {
		if slices.Contains(old.Routes, route) && gone.subnet.CIDR.Contains(route.NextHop) && !reached(route.NextHop) {
			u.addRef(Ref{Kind: routeKind, ID: route.String()})
		}
	}
	return u
}

// translationsBy adds the floating IPs and port forwardings of a router that lead to an address of a subnet.
func (t *Tx) translationsBy(u *users, r *model.Router, subnet string) {
	on := func(port string, ip netip.Addr) bool {
		return slices.Contains(t.Port(port).FixedIPs, model.FixedIP{SubnetID: subnet, IP: ip})
	}
	for f := range t.FloatingIPsOfRouter(r.ID) {
		if f.PortID != "" && on(f.PortID, f.FixedIP) {
			u.add(state.FloatingIPs, f)
		}
		for pf := range t.PortForwardingsOf(f.ID) {
			if on(pf.InternalPortID, pf.InternalIP) {
				u.add(state.PortForwardings, pf)
			}
		}
	}
}
