package store

import (
	"cmp"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
)

// serveDHCP gives a network with subnets that are served by DHCP its ports on network hosts: DHCPAgentsPerNetwork of them, or
// as many as there are hosts that are fit, each with an address on every such subnet that has one left. A port stays on its
// host as long as that one is fit, and while there is none to move to.
func (t *Tx) serveDHCP(f *fleet, network string) {
	n := t.Network(network)
	if n == nil {
		return
	}
	var served []*model.Subnet
	for s := range t.SubnetsOf(network) {
		if s.EnableDHCP {
			served = append(served, s)
		}
	}
	slices.SortFunc(served, func(a, b *model.Subnet) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), cmp.Compare(a.ID, b.ID))
	})
	most := t.cfg.DHCPAgentsPerNetwork
	if len(served) == 0 {
		most = 0
	}
	var physnets []string
	if n.PhysicalNetwork != "" {
		physnets = []string{n.PhysicalNetwork}
	}

	on := map[string]bool{}
	var homeless []*model.Port
	// The oldest stay, when there are too many.
	ports := slices.SortedFunc(t.PortsOwned(network, model.OwnerDHCP), func(a, b *model.Port) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), cmp.Compare(a.ID, b.ID))
	})
	for _, p := range ports {
		if host := p.BindingHostID; len(on) < most && !on[host] && t.Unfit(host, physnets) == "" {
			on[host] = true
			t.serveFrom(f, p, host, served)
		} else {
			homeless = append(homeless, p)
		}
	}
	place := func() string {
		if len(on) >= most {
			return ""
		}
		f.look(t)
		host, _ := f.least(t, physnets, f.networks, on)
		return host
	}
	for _, p := range homeless {
		host := place()
		if was := p.BindingHostID; host == "" && len(on) < most && !on[was] && t.Host(was) != nil {
			host = was
		}
		if host == "" {
			t.moveDHCP(f, p.BindingHostID, "")
			t.removePort(p)
			continue
		}
		on[host] = true
		t.serveFrom(f, p, host, served)
	}
	for host := place(); host != ""; host = place() {
		on[host] = true
		p := &model.Port{
			Meta: model.Meta{ProjectID: n.ProjectID}, NetworkID: network,
			DeviceID: network, DeviceOwner: model.OwnerDHCP, BindingHostID: host,
		}
		if p.FixedIPs = t.servedBy(p, served); len(p.FixedIPs) == 0 {
			return
		}
		if _, err := t.makePort(p); err != nil {
			return
		}
		t.moveDHCP(f, "", host)
	}
}

// lacksDHCP says whether a network could do with more DHCP ports, or with more addresses of those that it has.
func (t *Tx) lacksDHCP(network string) bool {
	served := 0
	for s := range t.SubnetsOf(network) {
		if s.EnableDHCP {
			served++
		}
	}
	ports := 0
	for p := range t.PortsOwned(network, model.OwnerDHCP) {
		if ports++; len(p.FixedIPs) < served {
			return true
		}
	}
	return served > 0 && ports < t.cfg.DHCPAgentsPerNetwork
}

// serveFrom puts a DHCP port on a host, with addresses on the subnets; without any it goes.
func (t *Tx) serveFrom(f *fleet, p *model.Port, host string, served []*model.Subnet) {
	ips := t.servedBy(p, served)
	if len(ips) == 0 {
		t.moveDHCP(f, p.BindingHostID, "")
		t.removePort(p)
		return
	}
	t.moveDHCP(f, p.BindingHostID, host)
	if host != p.BindingHostID || !slices.Equal(ips, p.FixedIPs) {
		t.changePort(p, func(p *model.Port) { p.BindingHostID, p.FixedIPs = host, ips })
	}
}

// servedBy are the addresses that a DHCP port has, and those that it lacks as far as there are some left.
func (t *Tx) servedBy(p *model.Port, served []*model.Subnet) (ips []model.FixedIP) {
	for _, s := range served {
		ip := onSubnet(p, s.ID)
		if !ip.IsValid() {
			ip = t.freeAddress(s, nil)
		}
		if ip.IsValid() {
			ips = append(ips, model.FixedIP{SubnetID: s.ID, IP: ip})
		}
	}
	return ips
}

func (t *Tx) moveDHCP(f *fleet, from, to string) {
	if f.known && from != to {
		f.networks[from]--
		f.networks[to]++
	}
}

// dropFleeting takes the addresses of a subnet, or all of a network when subnet is empty, from the ports that come and go
// with others. What is then missing elsewhere is pending.
func (t *Tx) dropFleeting(network, subnet string) {
	for _, owner := range []string{model.OwnerDHCP, model.OwnerFIPGateway} {
		for _, p := range slices.Collect(t.PortsOwned(network, owner)) {
			left := slices.DeleteFunc(slices.Clone(p.FixedIPs), func(f model.FixedIP) bool { return subnet == "" || f.SubnetID == subnet })
			switch {
			case len(left) == len(p.FixedIPs):
				continue
			case len(left) == 0:
				t.removePort(p)
			default:
				t.changePort(p, func(p *model.Port) { p.FixedIPs = left })
			}
			if owner == model.OwnerFIPGateway {
				t.pending.floating.add(p.DeviceID)
			}
		}
	}
	if subnet != "" {
		t.pending.networks.add(network)
	}
}
