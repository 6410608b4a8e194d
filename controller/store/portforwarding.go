package store

import (
	"fmt"
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreatePortForwarding adds a port forwarding of a floating IP that is not associated otherwise. All of one floating IP go
// through one router, which becomes the floating IP's RouterID. InternalIP is filled in when the port has one IPv4 address.
func (t *Tx) CreatePortForwarding(in *model.PortForwarding) (*model.PortForwarding, error) {
	f := clonePortForwarding(in)
	c := checks{kind: state.PortForwardings, violations: f.Validate()}
	if old := t.PortForwarding(f.ID); f.ID != "" && old != nil {
		c.take("metadata.id", f.ID, state.PortForwardings, old)
	}
	router := t.checkForwarding(&c, f)
	if err := c.err(); err != nil {
		return nil, err
	}
	t.created(&f.Meta)
	t.put(state.PortForwardings, f)
	t.forwardedBy(f, router)
	return f, nil
}

// UpdatePortForwarding replaces a port forwarding by the whole new value. expected is the revision that the caller saw, or
// 0 for any. An InternalIP that is left out, or that was the former port's and is not the new one's, is chosen anew for another
// port.
func (t *Tx) UpdatePortForwarding(in *model.PortForwarding, expected int64) (*model.PortForwarding, error) {
	old := t.PortForwarding(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.PortForwardings, in.ID}
	}
	if err := expect(state.PortForwardings, &old.Meta, expected); err != nil {
		return nil, err
	}
	f := clonePortForwarding(in)
	if f.InternalPortID == old.InternalPortID {
		if !f.InternalIP.IsValid() {
			f.InternalIP = old.InternalIP
		}
	} else if f.InternalIP == old.InternalIP && !t.hasAddress(f.InternalPortID, f.InternalIP) {
		f.InternalIP = netip.Addr{}
	}
	c := checks{kind: state.PortForwardings, violations: f.Validate()}
	immutable(&c, "floatingip_id", old.FloatingIPID, f.FloatingIPID)
	var router *model.Router
	if f.FloatingIPID == old.FloatingIPID {
		router = t.checkForwarding(&c, f)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if !t.updated(old, f) {
		return old, nil
	}
	t.put(state.PortForwardings, f)
	t.forwardedBy(f, router)
	return f, nil
}

// DeletePortForwarding removes a port forwarding.
func (t *Tx) DeletePortForwarding(id string, expected int64) error {
	old := t.PortForwarding(id)
	if old == nil {
		return &ErrNotFound{state.PortForwardings, id}
	}
	if err := expect(state.PortForwardings, &old.Meta, expected); err != nil {
		return err
	}
	t.dropForwarding(old)
	return nil
}

// dropForwarding removes a port forwarding, and with the last one of a floating IP its router.
func (t *Tx) dropForwarding(f *model.PortForwarding) {
	t.delete(state.PortForwardings, f.ID)
	for range t.PortForwardingsOf(f.FloatingIPID) {
		return
	}
	t.changeFloatingIP(t.FloatingIP(f.FloatingIPID), func(f *model.FloatingIP) { f.RouterID = "" })
}

func (t *Tx) forwardedBy(f *model.PortForwarding, r *model.Router) {
	t.changeFloatingIP(t.FloatingIP(f.FloatingIPID), func(f *model.FloatingIP) { f.RouterID = r.ID })
}

// checkForwarding fills in the internal address, and finds the router. It refuses what cannot be forwarded.
func (t *Tx) checkForwarding(c *checks, f *model.PortForwarding) *model.Router {
	fip := t.FloatingIP(f.FloatingIPID)
	switch {
	case fip == nil && f.FloatingIPID != "":
		c.add("floatingip_id", "floatingip %q does not exist", f.FloatingIPID)
	case fip != nil && fip.PortID != "":
		c.add("floatingip_id", "%s is associated with %s: disassociate it first, or use another", refTo(state.FloatingIPs, fip), refTo(state.Ports, t.Port(fip.PortID)))
	}
	p, ip := t.checkInternal(c, "internal_port_id", f.InternalPortID, "internal_ip_address", f.InternalIP)
	if ip.IsValid() {
		f.InternalIP = ip
		for o := range t.FloatingIPsOfPort(p.ID) {
			if o.FixedIP == ip {
				c.add("internal_ip_address", "%s stands for %s: disassociate it first, for an answer takes the way of the floating IP", refTo(state.FloatingIPs, o), ip)
			}
		}
	}
	if fip == nil {
		return nil
	}
	others := false
	for o := range t.PortForwardingsOf(fip.ID) {
		if o.ID == f.ID {
			continue
		}
		others = true
		if o.Protocol == f.Protocol && o.External.Overlaps(f.External) {
			c.take(externalField(f), fmt.Sprintf("%s port %s of %s", f.Protocol, f.External, fip.Address), state.PortForwardings, o)
		}
	}
	if !ip.IsValid() {
		return nil
	}
	r := t.checkRouterBetween(c, "internal_port_id", p, ip, fip.FloatingNetworkID, fip.RouterID)
	if r != nil && others && r.ID != fip.RouterID {
		c.add("internal_port_id", "%s of %s is reached by %s, but the other port forwardings of %s go through %s: use another floating IP",
			ip, refTo(state.Ports, p), refTo(state.Routers, r), refTo(state.FloatingIPs, fip), refTo(state.Routers, t.Router(fip.RouterID)))
	}
	return r
}

func externalField(f *model.PortForwarding) string {
	if f.External.Len() == 1 {
		return "external_port"
	}
	return "external_port_range"
}

func clonePortForwarding(in *model.PortForwarding) *model.PortForwarding {
	f := *in
	f.Meta = cloneMeta(f.Meta)
	return &f
}
