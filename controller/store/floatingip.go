package store

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateFloatingIP adds a floating IP: an address of an external network, chosen or given, which a port of Weft's own keeps.
// With a port it is associated at once. SubnetID, FixedIP (of a port with one IPv4 address), RouterID and RulePriority are
// filled in.
func (t *Tx) CreateFloatingIP(in *model.FloatingIP) (*model.FloatingIP, error) {
	f := cloneFloatingIP(in)
	f.RouterID, f.RulePriority = "", 0
	c := checks{kind: state.FloatingIPs, violations: f.Validate()}
	if old := t.FloatingIP(f.ID); f.ID != "" && old != nil {
		c.take("metadata.id", f.ID, state.FloatingIPs, old)
	}
	none := t.checkFloatingAddress(&c, f)
	t.checkAssociation(&c, nil, f)
	if err := c.err(); err != nil {
		return nil, err
	}
	if none != nil {
		return nil, none
	}
	if err := t.giveRule(nil, f); err != nil {
		return nil, err
	}
	t.created(&f.Meta)
	_, err := t.makePort(&model.Port{
		Meta: model.Meta{ProjectID: f.ProjectID}, NetworkID: f.FloatingNetworkID,
		FixedIPs: []model.FixedIP{{SubnetID: f.SubnetID, IP: f.Address}}, DeviceID: f.ID, DeviceOwner: model.OwnerFloatingIP,
	})
	if err != nil {
		return nil, err
	}
	t.put(state.FloatingIPs, f)
	t.translated(f)
	return f, nil
}

// UpdateFloatingIP replaces a floating IP by the whole new value: associates it, moves it to another port, or, without
// PortID, disassociates it. expected is the revision that the caller saw, or 0 for any. Address and SubnetID may be left
// out. A FixedIP that is left out, or that was the former port's and is not the new one's, is chosen anew for another port.
func (t *Tx) UpdateFloatingIP(in *model.FloatingIP, expected int64) (*model.FloatingIP, error) {
	old := t.FloatingIP(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.FloatingIPs, in.ID}
	}
	if err := expect(state.FloatingIPs, &old.Meta, expected); err != nil {
		return nil, err
	}
	f := cloneFloatingIP(in)
	if f.SubnetID == "" {
		f.SubnetID = old.SubnetID
	}
	if !f.Address.IsValid() {
		f.Address = old.Address
	}
	// What stood for the former port does not hold for another one.
	if f.PortID != old.PortID && f.FixedIP == old.FixedIP && !t.hasAddress(f.PortID, f.FixedIP) {
		f.FixedIP = netip.Addr{}
	}
	c := checks{kind: state.FloatingIPs, violations: f.Validate()}
	if f.PortID == old.PortID && !f.FixedIP.IsValid() {
		f.FixedIP = old.FixedIP
	}
	immutable(&c, "floating_network_id", old.FloatingNetworkID, f.FloatingNetworkID)
	immutable(&c, "subnet_id", old.SubnetID, f.SubnetID)
	immutable(&c, "floating_ip_address", old.Address, f.Address)
	t.checkAssociation(&c, old, f)
	if err := c.err(); err != nil {
		return nil, err
	}
	if err := t.giveRule(old, f); err != nil {
		return nil, err
	}
	if !t.updated(old, f) {
		return old, nil
	}
	t.put(state.FloatingIPs, f)
	t.translated(old)
	t.translated(f)
	return f, nil
}

// DeleteFloatingIP removes a floating IP, and, as in Neutron, its port forwardings.
func (t *Tx) DeleteFloatingIP(id string, expected int64) error {
	old := t.FloatingIP(id)
	if old == nil {
		return &ErrNotFound{state.FloatingIPs, id}
	}
	if err := expect(state.FloatingIPs, &old.Meta, expected); err != nil {
		return err
	}
	for _, f := range slices.Collect(t.PortForwardingsOf(id)) {
		t.delete(state.PortForwardings, f.ID)
	}
	t.delete(state.FloatingIPs, id)
	t.translated(old)
	t.removePort(t.PortByIP(old.FloatingNetworkID, old.Address))
	return nil
}

// changeFloatingIP changes a floating IP as Weft wants it: no check.
func (t *Tx) changeFloatingIP(old *model.FloatingIP, change func(*model.FloatingIP)) {
	f := cloneFloatingIP(old)
	change(f)
	if t.updated(old, f) {
		t.put(state.FloatingIPs, f)
		t.translated(old)
		t.translated(f)
	}
}

// translated notes that the host of a floating IP's port has one more, or one less, to serve.
func (t *Tx) translated(f *model.FloatingIP) {
	if b := t.Binding(f.PortID); b != nil {
		t.pending.floating.add(b.Host)
	}
}

// checkFloatingAddress finds the subnet of the address that was asked for, or chooses an address. The error says that none
// is left.
func (t *Tx) checkFloatingAddress(c *checks, f *model.FloatingIP) (none error) {
	n := t.checkExternal(c, "floating_network_id", f.FloatingNetworkID)
	if n == nil {
		return nil
	}
	subnets := t.subnets4(n.ID)
	if f.SubnetID != "" {
		s := t.Subnet(f.SubnetID)
		switch {
		case s == nil:
			c.add("subnet_id", "subnet %q does not exist", f.SubnetID)
			return nil
		case s.NetworkID != n.ID:
			c.add("subnet_id", "%s is not on %s", refTo(state.Subnets, s), refTo(state.Networks, n))
			return nil
		case s.CIDR.Addr().Is6():
			c.add("subnet_id", "%s is IPv6, which is not translated; choose an IPv4 subnet", refTo(state.Subnets, s))
			return nil
		}
		subnets = []*model.Subnet{s}
	}
	if len(subnets) == 0 {
		c.add("floating_network_id", "%s has no IPv4 subnet to take the address from: create one first", refTo(state.Networks, n))
		return nil
	}
	if !f.Address.IsValid() {
		ip, err := t.anyAddress("floating_ip_address", subnets)
		f.SubnetID, f.Address = ip.SubnetID, ip.IP
		return err
	}
	if !f.Address.Is4() {
		// The model has said so.
		return nil
	}
	at := slices.IndexFunc(subnets, func(s *model.Subnet) bool { return s.CIDR.Contains(f.Address) })
	if at < 0 {
		var blocks []string
		for _, s := range subnets {
			blocks = append(blocks, s.CIDR.String())
		}
		where := refTo(state.Networks, n)
		if f.SubnetID != "" {
			where = refTo(state.Subnets, subnets[0])
		}
		c.add("floating_ip_address", "%s is outside %s (%s)", f.Address, where, orNone(blocks))
		return nil
	}
	s := subnets[at]
	f.SubnetID = s.ID
	if why := model.Usable(f.Address, s.CIDR); why != "" {
		c.add("floating_ip_address", "%s", why)
	} else if f.Address == s.GatewayIP {
		c.add("floating_ip_address", "%s is the gateway_ip of %s, which is the next router's; choose another", f.Address, refTo(state.Subnets, s))
	} else if by := t.PortByIP(n.ID, f.Address); by != nil {
		c.takenBy("floating_ip_address", f.Address.String(), t.user(by))
	}
	return nil
}

// hasAddress says whether a port that exists has the address.
func (t *Tx) hasAddress(port string, ip netip.Addr) bool {
	p := t.Port(port)
	return p != nil && slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.IP == ip })
}

func cloneFloatingIP(in *model.FloatingIP) *model.FloatingIP {
	f := *in
	f.Meta = cloneMeta(f.Meta)
	return &f
}
