package store

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// checkAssociation fills in the address and the router of a floating IP with a port, and refuses what cannot be translated.
// Without a port the router is that of its port forwardings.
func (t *Tx) checkAssociation(c *checks, old, f *model.FloatingIP) {
	f.RouterID = ""
	if f.PortID == "" {
		if old != nil && old.PortID == "" {
			f.RouterID = old.RouterID
		}
		return
	}
	for pf := range t.PortForwardingsOf(f.ID) {
		c.add("port_id", "%s leads from the floating IP: delete it first, or associate another floating IP", refTo(state.PortForwardings, pf))
		return
	}
	p, ip := t.checkInternal(c, "port_id", f.PortID, "fixed_ip_address", f.FixedIP)
	if !ip.IsValid() {
		return
	}
	f.FixedIP = ip
	for o := range t.FloatingIPsOfPort(p.ID) {
		if o.ID != f.ID && o.FixedIP == ip && o.FloatingNetworkID == f.FloatingNetworkID {
			c.take("fixed_ip_address", ip.String(), state.FloatingIPs, o)
		}
	}
	for pf := range t.PortForwardingsTo(p.ID) {
		if pf.InternalIP == ip {
			c.add("fixed_ip_address", "%s leads to %s: delete it first, for an answer takes the way of the floating IP", refTo(state.PortForwardings, pf), ip)
		}
	}
	preferred := ""
	if old != nil {
		preferred = old.RouterID
	}
	if r := t.checkRouterBetween(c, "port_id", p, ip, f.FloatingNetworkID, preferred); r != nil {
		f.RouterID = r.ID
	}
}

// checkInternal finds the port that is translated, and which of its addresses is meant; the zero Addr when it cannot be.
func (t *Tx) checkInternal(c *checks, portField, id, ipField string, ip netip.Addr) (*model.Port, netip.Addr) {
	p := t.Port(id)
	if p == nil {
		if id != "" {
			c.add(portField, "port %q does not exist", id)
		}
		return nil, netip.Addr{}
	}
	ref := refTo(state.Ports, p)
	if model.OwnedByWeft(p.DeviceOwner) {
		c.add(portField, "%s was made for %s; give the port of a machine", ref, t.user(p))
		return nil, netip.Addr{}
	}
	var v4 []string
	last := netip.Addr{}
	for _, f := range p.FixedIPs {
		if f.IP.Is4() {
			v4, last = append(v4, f.IP.String()), f.IP
		}
	}
	switch {
	case ip.IsValid() && !ip.Is4():
		// The model has said so.
	case len(v4) == 0:
		c.add(portField, "%s has no IPv4 address; give it one first", ref)
	case !ip.IsValid() && len(v4) > 1:
		c.add(ipField, "is missing: %s has several IPv4 addresses (%s); choose one", ref, strings.Join(v4, ", "))
	case !ip.IsValid():
		return p, last
	case !t.hasAddress(id, ip):
		c.add(ipField, "%s is no address of %s (%s)", ip, ref, strings.Join(v4, ", "))
	default:
		return p, ip
	}
	return nil, netip.Addr{}
}

// checkRouterBetween finds the router between an address of a port and an external network.
func (t *Tx) checkRouterBetween(c *checks, field string, p *model.Port, ip netip.Addr, external, preferred string) *model.Router {
	n := t.Network(external)
	if n == nil {
		return nil
	}
	var s *model.Subnet
	for _, f := range p.FixedIPs {
		if f.IP == ip {
			s = t.Subnet(f.SubnetID)
		}
	}
	r := t.routerBetween(s, external, preferred)
	if r == nil {
		c.add(field, "no router is between %s of %s and %s: connect a router that has its gateway there with %s",
			ip, refTo(state.Ports, p), refTo(state.Networks, n), refTo(state.Subnets, s))
	}
	return r
}

// giveRule gives an associated floating IP the priority of its rule, unique in the router: what it has, or the next free one.
func (t *Tx) giveRule(old, f *model.FloatingIP) error {
	f.RulePriority = 0
	if f.PortID == "" {
		return nil
	}
	if old != nil && old.RouterID == f.RouterID && old.RulePriority != 0 {
		f.RulePriority = old.RulePriority
		return nil
	}
	const all = model.MaxRulePriority - model.MinRulePriority + 1
	// Behind the one that was given out last, so that to find one does not take longer the more there are.
	first := t.hints.rule(f.RouterID)
	for i := range uint32(all) {
		rule := model.MinRulePriority + (first+i)%all
		if t.FloatingIPByRule(f.RouterID, rule) == nil {
			f.RulePriority = rule
			t.hints.setRule(f.RouterID, rule-model.MinRulePriority+1)
			return nil
		}
	}
	return &ErrExhausted{"port_id", fmt.Sprintf("%s has %d floating IPs, as many as it can: use another router", refTo(state.Routers, t.Router(f.RouterID)), all)}
}
