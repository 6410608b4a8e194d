package store

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Where routers advertise a prefix, machines make themselves an address of it and of their MAC, whoever wants it or not: every
// port of the network that is not Weft's own has that address, and no other of the subnet.

// checkSelfMade lets a port have just the one address that its machine makes itself.
func (t *Tx) checkSelfMade(c *checks, field string, s *model.Subnet, p *model.Port, i int) {
	f := &p.FixedIPs[i]
	switch own := p.MAC.AddressIn(s.CIDR); {
	case slices.ContainsFunc(p.FixedIPs[:i], func(o model.FixedIP) bool { return o.SubnetID == s.ID }):
		c.add(field+".subnet_id", "machines on %s make themselves one address of their MAC, and this is the second; leave it out", refTo(state.Subnets, s))
	case f.IP.IsValid() && p.MAC.IsZero():
		c.add(field+".ip_address", "machines on %s make their address of their MAC, which is not chosen yet; leave ip_address out", refTo(state.Subnets, s))
	case f.IP.IsValid() && f.IP != own:
		c.add(field+".ip_address", "machines on %s make their address of their MAC: it is %s; leave ip_address out", refTo(state.Subnets, s), own)
	}
}

// giveSelfMade adds the addresses that the port's machine makes itself: it hears routers whether somebody asked for an address or not.
func (t *Tx) giveSelfMade(list string, p *model.Port) error {
	if model.OwnedByWeft(p.DeviceOwner) {
		return nil
	}
	for s := range t.SubnetsOf(p.NetworkID) {
		if !s.SelfMade() || onSubnet(p, s.ID).IsValid() {
			continue
		}
		f, err := t.selfMade(list, s, p)
		if err != nil {
			return err
		}
		p.FixedIPs = append(p.FixedIPs, f)
	}
	return nil
}

// selfMade is the address that a port's machine makes itself on a subnet. An error for the field says that somebody else has it.
func (t *Tx) selfMade(field string, s *model.Subnet, p *model.Port) (model.FixedIP, error) {
	f := model.FixedIP{SubnetID: s.ID, IP: p.MAC.AddressIn(s.CIDR)}
	c := checks{kind: state.Ports}
	if by := t.PortByIP(p.NetworkID, f.IP); by != nil && by.ID != p.ID {
		c.takenBy(field, f.IP.String(), t.user(by))
	}
	return f, c.err()
}

// remake has the addresses made anew that went with a former MAC.
func (t *Tx) remake(old, p *model.Port) {
	if p.MAC == old.MAC || model.OwnedByWeft(p.DeviceOwner) {
		return
	}
	for i, f := range p.FixedIPs {
		if s := t.Subnet(f.SubnetID); s != nil && s.SelfMade() && f.IP == old.MAC.AddressIn(s.CIDR) {
			p.FixedIPs[i].IP = netip.Addr{}
		}
	}
}

// spreadSelfMade gives the ports of a network their addresses of a subnet, as many as the transaction has room for. Where somebody
// else has the address, the port goes without.
func (t *Tx) spreadSelfMade(subnet string) {
	s := t.Subnet(subnet)
	if s == nil || !s.SelfMade() {
		return
	}
	var lacking []*model.Port
	for p := range t.PortsOf(s.NetworkID) {
		if !model.OwnedByWeft(p.DeviceOwner) && !onSubnet(p, s.ID).IsValid() {
			lacking = append(lacking, p)
		}
	}
	for _, p := range lacking {
		if t.spent() {
			t.pending.selfMade.add(subnet)
			return
		}
		if f, err := t.selfMade("", s, p); err == nil {
			t.changePort(p, func(p *model.Port) { p.FixedIPs = append(p.FixedIPs, f) })
		}
	}
}

// dropSelfMade takes the addresses of a subnet from the ports whose machines made them.
func (t *Tx) dropSelfMade(s *model.Subnet) {
	if !s.SelfMade() {
		return
	}
	for _, p := range slices.Collect(t.PortsOfSubnet(s.ID)) {
		if !model.OwnedByWeft(p.DeviceOwner) {
			t.changePort(p, func(p *model.Port) {
				p.FixedIPs = slices.DeleteFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.SubnetID == s.ID })
			})
		}
	}
}
