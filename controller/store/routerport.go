package store

import (
	"errors"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
)

// connect gives a checked router the ports that it needs, and takes back the others. The error says that no address is
// left.
func (t *Tx) connect(old, r *model.Router) error {
	if old != nil {
		for _, i := range old.Interfaces {
			if !slices.ContainsFunc(r.Interfaces, func(n model.RouterInterface) bool { return n.PortID == i.PortID }) {
				t.removePort(t.Port(i.PortID))
			}
		}
	}
	owner := model.OwnerRouterInterface
	if r.Distributed {
		owner = model.OwnerDistributedInterface
	}
	for i := range r.Interfaces {
		n := &r.Interfaces[i]
		if n.PortID != "" {
			t.ownPort(t.Port(n.PortID), owner, r.ID)
			continue
		}
		s := t.Subnet(n.SubnetID)
		p, err := t.makePort(&model.Port{
			Meta: model.Meta{ProjectID: r.ProjectID}, NetworkID: s.NetworkID,
			FixedIPs: []model.FixedIP{{SubnetID: s.ID, IP: s.GatewayIP}}, DeviceID: r.ID, DeviceOwner: owner,
		})
		if err != nil {
			return err
		}
		n.PortID = p.ID
	}
	if err := t.connectGateway(old, r); err != nil {
		return err
	}
	return t.connectSNAT(r)
}

// ownPort makes a port a router's, or the router's port another kind. Where it is put, settle says.
func (t *Tx) ownPort(p *model.Port, owner, device string) {
	if p.DeviceOwner == owner && p.DeviceID == device {
		return
	}
	t.changePort(p, func(p *model.Port) { p.DeviceOwner, p.DeviceID, p.BindingHostID = owner, device, "" })
}

func (t *Tx) connectGateway(old, r *model.Router) error {
	g := r.Gateway
	if old != nil && old.Gateway != nil && (g == nil || g.PortID != old.Gateway.PortID) {
		t.removePort(t.Port(old.Gateway.PortID))
	}
	if g == nil {
		return nil
	}
	if g.PortID != "" {
		t.changePort(t.Port(g.PortID), func(p *model.Port) { p.FixedIPs = cloneSlice(g.FixedIPs) })
		return nil
	}
	p, err := t.makePort(&model.Port{
		Meta: model.Meta{ProjectID: r.ProjectID}, NetworkID: g.NetworkID,
		FixedIPs: cloneSlice(g.FixedIPs), DeviceID: r.ID, DeviceOwner: model.OwnerRouterGateway,
	})
	if err != nil {
		return err
	}
	g.PortID = p.ID
	return nil
}

// connectSNAT gives the snat namespace of a distributed router with a gateway one port for each interface, with an address
// of each of the interface's subnets: what a host's part of the router sends outside goes to the address of the same subnet
// and IP version.
func (t *Tx) connectSNAT(r *model.Router) error {
	have := map[string]*model.Port{}
	for p := range t.PortsOfDevice(r.ID) {
		if p.DeviceOwner == model.OwnerCentralizedSNAT {
			have[subnetsOf(p)] = p
		}
	}
	var missing []*model.Port
	if r.Distributed && r.Gateway != nil {
		for _, i := range r.Interfaces {
			p := t.Port(i.PortID)
			if on := subnetsOf(p); have[on] != nil {
				delete(have, on)
			} else {
				missing = append(missing, p)
			}
		}
	}
	for _, p := range have {
		t.removePort(p)
	}
	for _, i := range missing {
		p := &model.Port{
			Meta: model.Meta{ProjectID: r.ProjectID}, NetworkID: i.NetworkID, DeviceID: r.ID, DeviceOwner: model.OwnerCentralizedSNAT,
		}
		for _, f := range i.FixedIPs {
			p.FixedIPs = append(p.FixedIPs, model.FixedIP{SubnetID: f.SubnetID})
		}
		if err := t.fillFixedIPs("fixed_ips", p, nil); err != nil {
			var none *ErrExhausted
			errors.As(err, &none)
			return &ErrExhausted{gatewayField, "the gateway of a distributed router needs an address of its own on every subnet: " + none.What}
		}
		if _, err := t.makePort(p); err != nil {
			return err
		}
	}
	return nil
}

// subnetsOf is a key for the subnets that a port is on.
func subnetsOf(p *model.Port) string {
	var key string
	for _, f := range p.FixedIPs {
		key += f.SubnetID + " "
	}
	return key
}

// routerBetween finds the router that has an interface on the subnet and its gateway on the external network: the preferred
// one, else the one that the subnet's hosts use as their gateway, else the oldest.
func (t *Tx) routerBetween(subnet *model.Subnet, external, preferred string) *model.Router {
	var best *model.Router
	bestRank := 0
	for _, owner := range []string{model.OwnerRouterInterface, model.OwnerDistributedInterface} {
		for p := range t.PortsOwned(subnet.NetworkID, owner) {
			address, r := onSubnet(p, subnet.ID), t.Router(p.DeviceID)
			if !address.IsValid() || r.Gateway == nil || r.Gateway.NetworkID != external {
				continue
			}
			rank := 1
			switch {
			case r.ID == preferred:
				rank = 3
			case address == subnet.GatewayIP:
				rank = 2
			}
			if rank > bestRank || rank == bestRank && older(r, best) {
				best, bestRank = r, rank
			}
		}
	}
	return best
}

func older(a, b *model.Router) bool {
	if d := a.CreateTime.Compare(b.CreateTime); d != 0 {
		return d < 0
	}
	return a.ID < b.ID
}
