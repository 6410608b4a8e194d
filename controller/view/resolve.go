package view

import (
	"reflect"

	"github.com/weft-sdn/weft/controller/model"
)

// resolveNamespaces finds the hosts that what was collected concerns.
func (a *affected) resolveNamespaces() {
	ns := &a.namespaces
	for network := range ns.routed {
		a.resolveRouted(network)
	}
	for id := range ns.routers {
		a.resolveRouter(id)
	}
	for id := range ns.floating {
		a.resolveFloatingIP(id)
	}
	for id := range ns.forwardings {
		for s := range a.snapshots() {
			if pf := s.PortForwarding(id); pf != nil {
				if at, ok := PortForwardingPlace(s, pf); ok {
					for _, host := range at.hosts() {
						a.add(host, PortForwardingPart, id)
					}
				}
			}
		}
	}
	for network := range ns.dhcp {
		a.resolveDHCP(network)
	}
	for network := range ns.served {
		for i := range 2 {
			for host := range a.servedOn(i, network) {
				ns.servedAt(host, network)
			}
		}
	}
	for at := range ns.at {
		for p := range a.before.PortsOf(at.network) {
			a.endpointAt(at.host, p, a.after.Port(p.ID))
		}
		for p := range a.after.PortsOf(at.network) {
			if was := a.before.Port(p.ID); was == nil || was.NetworkID != at.network {
				a.endpointAt(at.host, was, p)
			}
		}
	}
	for id := range ns.endpoints {
		a.endpoint(a.before.Port(id), a.after.Port(id))
	}
}

// servedOn is the function of that name for the snapshot before (0) or after (1), looked up once.
func (a *affected) servedOn(side int, network string) map[string]served {
	hosts, known := a.namespaces.hosts[side][network]
	if !known {
		hosts = servedOn(a.side(side), network)
		if a.namespaces.hosts[side] == nil {
			a.namespaces.hosts[side] = map[string]map[string]served{}
		}
		a.namespaces.hosts[side][network] = hosts
	}
	return hosts
}

// knowing is a port before and after a change, with the hosts that may know it.
type knowing struct {
	hosts [2]map[string]served
	port  [2]*knower
}

func (a *affected) knowing(was, is *model.Port) knowing {
	var k knowing
	for i, p := range []*model.Port{was, is} {
		if p == nil {
			continue
		}
		if k.hosts[i] = a.servedOn(i, p.NetworkID); len(k.hosts[i]) > 0 {
			if a.namespaces.look[i] == nil {
				a.namespaces.look[i] = NewLookup(a.side(i), Host{})
			}
			k.port[i] = a.namespaces.look[i].knower(p)
		}
	}
	return k
}

// differs says whether a host must know something else of the port than before.
func (k knowing) differs(host string) bool {
	was, is := k.port[0].on(host, k.hosts[0][host]), k.port[1].on(host, k.hosts[1][host])
	if was != is || was == (known{}) {
		return was != is
	}
	return !reflect.DeepEqual(k.port[0].endpoint(was), k.port[1].endpoint(is))
}

// endpoint adds a port on every host that must know something else of it.
func (a *affected) endpoint(was, is *model.Port) {
	k := a.knowing(was, is)
	for i, p := range []*model.Port{was, is} {
		for host := range k.hosts[i] {
			if k.differs(host) {
				a.add(host, EndpointPart, p.ID)
			}
		}
	}
}

// endpointAt adds a port on a host if that one must know something else of it.
func (a *affected) endpointAt(host string, was, is *model.Port) {
	if a.knowing(was, is).differs(host) {
		p := was
		if p == nil {
			p = is
		}
		a.add(host, EndpointPart, p.ID)
	}
}

// resolveRouted: the network's rows on every host that carries it, and those of the ports that are bound there.
func (a *affected) resolveRouted(network string) {
	for s := range a.snapshots() {
		for v := range s.LocalVLANsOf(network) {
			a.add(v.Host, NetworkPart, network)
		}
		for b := range s.BindingsOf(network) {
			a.add(b.Host, PortPart, b.PortID)
		}
	}
}

func (a *affected) resolveRouter(id string) {
	for s := range a.snapshots() {
		for at := range s.RouterHostsOf(id) {
			a.add(at.Host, RouterPart, id)
		}
		if at := s.Schedule(id); at != nil {
			for _, host := range at.Hosts() {
				a.add(host, RouterPart, id)
			}
		}
	}
}

// resolveFloatingIP: where it is served, and in a fip namespace also the router, which leads there as long as one is.
func (a *affected) resolveFloatingIP(id string) {
	for s := range a.snapshots() {
		f := s.FloatingIP(id)
		if f == nil {
			continue
		}
		if at, ok := FloatingIPPlace(s, f); ok {
			for _, host := range at.hosts() {
				a.add(host, FloatingIPPart, id)
			}
			if at.In == PlaceFIP {
				a.add(at.Host, RouterPart, f.RouterID)
			}
		}
	}
}

func (a *affected) resolveDHCP(network string) {
	for s := range a.snapshots() {
		for p := range s.PortsOwned(network, model.OwnerDHCP) {
			host := p.BindingHostID
			if host == "" {
				continue
			}
			a.add(host, DHCPPart, network)
			if a.servedOn(0, network)[host] != a.servedOn(1, network)[host] {
				a.namespaces.servedAt(host, network)
			}
		}
	}
}
