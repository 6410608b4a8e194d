package store

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// makePort adds a port of Weft's own: no check, its addresses are free. The MAC is chosen.
func (t *Tx) makePort(p *model.Port) (*model.Port, error) {
	mac, err := t.freePortMAC()
	if err != nil {
		return nil, err
	}
	p.MAC, p.AdminStateUp = mac, true
	t.created(&p.Meta)
	t.putPort(nil, p)
	return p, nil
}

// changePort changes a port as Weft wants it: no check.
func (t *Tx) changePort(old *model.Port, change func(*model.Port)) {
	p := clonePort(old)
	change(p)
	if model.OwnedByWeft(p.DeviceOwner) {
		// Whoever speaks there may have any address.
		p.PortSecurityEnabled, p.SecurityGroups = false, nil
	}
	if t.updated(old, p) {
		t.putPort(old, p)
	}
}

// removePort removes a port: no check.
func (t *Tx) removePort(old *model.Port) {
	t.delete(state.Ports, old.ID)
	t.portChanged(old, nil)
}

// putPort stores a new (old is nil) or changed port.
func (t *Tx) putPort(old, p *model.Port) {
	t.put(state.Ports, p)
	t.portChanged(old, p)
}

// portChanged puts bindings right, and notes what else depends on a port.
func (t *Tx) portChanged(old, p *model.Port) {
	if old == nil || p == nil || p.MAC != old.MAC || p.BindingHostID != old.BindingHostID || p.DeviceOwner != old.DeviceOwner {
		t.rebind(t.claimsOf(old, p))
	}
	for _, q := range []*model.Port{old, p} {
		if q != nil && q.DeviceOwner == model.OwnerDistributedInterface {
			t.pending.spread.add(q.NetworkID)
		}
	}
	t.groupSetChanged(old, p)
	if old == nil {
		return
	}
	for _, f := range old.FixedIPs {
		if p == nil || !slices.Contains(p.FixedIPs, f) {
			t.pending.freedAddress(old.NetworkID)
		}
	}
}

// user is who has a port: the port itself, or the object for which Weft made it.
func (t *Tx) user(p *model.Port) Ref {
	var k state.Kind
	switch p.DeviceOwner {
	case model.OwnerRouterInterface, model.OwnerDistributedInterface, model.OwnerRouterGateway, model.OwnerCentralizedSNAT:
		k = state.Routers
	case model.OwnerFloatingIP:
		k = state.FloatingIPs
	case model.OwnerFIPGateway:
		k = state.Hosts
	case model.OwnerDHCP:
		k = state.Networks
	default:
		return refTo(state.Ports, p)
	}
	if obj := t.Object(k, p.DeviceID); obj != nil {
		return refTo(k, obj)
	}
	return refTo(state.Ports, p)
}

// fleeting says whether a port comes and goes with others, so that it holds up nobody who wants its subnet or network gone.
func fleeting(p *model.Port) bool {
	return p.DeviceOwner == model.OwnerDHCP || p.DeviceOwner == model.OwnerFIPGateway
}

// portUsers are the users of ports, each once, but for fleeting ones.
func (t *Tx) portUsers(u *users, ports func(func(*model.Port) bool)) {
	seen := map[Ref]bool{}
	for p := range ports {
		if r := t.user(p); !fleeting(p) && !seen[r] {
			seen[r] = true
			u.addRef(r)
		}
	}
}

// checkOwner refuses a device_owner that only Weft gives.
func checkOwner(c *checks, p *model.Port) {
	if model.OwnedByWeft(p.DeviceOwner) {
		c.add("device_owner", "%s is for ports that Weft makes itself; choose another, or leave it empty", p.DeviceOwner)
	}
}

// checkOwnPort lets people change what a port of Weft's own is called, and nothing else.
func (t *Tx) checkOwnPort(c *checks, old, p *model.Port) {
	by := t.user(old)
	for _, f := range []struct {
		field    string
		old, new any
	}{
		{"metadata.project_id", old.ProjectID, p.ProjectID},
		{"mac_address", old.MAC, p.MAC},
		{"fixed_ips", cloneSlice(old.FixedIPs), p.FixedIPs},
		{"device_id", old.DeviceID, p.DeviceID},
		{"device_owner", old.DeviceOwner, p.DeviceOwner},
		{"admin_state_up", old.AdminStateUp, p.AdminStateUp},
		{"binding_host_id", old.BindingHostID, p.BindingHostID},
		{"port_security_enabled", old.PortSecurityEnabled, p.PortSecurityEnabled},
		{"security_groups", cloneSlice(old.SecurityGroups), p.SecurityGroups},
		{"allowed_address_pairs", old.AllowedAddressPairs, p.AllowedAddressPairs},
		{"qos_policy_id", old.QoSPolicyID, p.QoSPolicyID},
		{"extra_dhcp_opts", old.ExtraDHCPOpts, p.ExtraDHCPOpts},
		{"instance", old.Instance, p.Instance},
	} {
		if !reflect.DeepEqual(f.old, f.new) {
			c.add(f.field, "cannot be changed: Weft made the port for %s", by)
		}
	}
}

// checkUses refuses to take an address from a port that a floating IP or a port forwarding leads to.
func (t *Tx) checkUses(c *checks, old, p *model.Port) {
	has := func(ip netip.Addr) bool {
		return slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.IP == ip })
	}
	for f := range t.FloatingIPsOfPort(old.ID) {
		if !has(f.FixedIP) {
			c.add("fixed_ips", "%s stands for %s: disassociate it first", refTo(state.FloatingIPs, f), f.FixedIP)
		}
	}
	for f := range t.PortForwardingsTo(old.ID) {
		if !has(f.InternalIP) {
			c.add("fixed_ips", "%s leads to %s: delete it first", refTo(state.PortForwardings, f), f.InternalIP)
		}
	}
}
