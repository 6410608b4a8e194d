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
					a.add(at.Host, PortForwardingPart, id)
				}
			}
		}
	}
	for network := range ns.dhcp {
		a.resolveDHCP(network)
	}
	for network := range ns.served {
		for s := range a.snapshots() {
			for host := range servingHosts(s, network) {
				ns.servedAt(host, network)
			}
		}
	}
	for at := range ns.at {
		for p := range a.before.PortsOf(at.network) {
			a.endpointAt(at.host, p.ID)
		}
		for p := range a.after.PortsOf(at.network) {
			if was := a.before.Port(p.ID); was == nil || was.NetworkID != at.network {
				a.endpointAt(at.host, p.ID)
			}
		}
	}
	for id := range ns.endpoints {
		for s := range a.snapshots() {
			if p := s.Port(id); p != nil {
				for host := range servingHosts(s, p.NetworkID) {
					a.endpointAt(host, id)
				}
			}
		}
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
			a.add(at.Host, RouterPart, id)
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
			a.add(at.Host, FloatingIPPart, id)
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
			if *a.lookup(0, host).serves(network) != *a.lookup(1, host).serves(network) {
				a.namespaces.servedAt(host, network)
			}
		}
	}
}

// endpointAt adds a port on a host if what the host must know of it differs.
func (a *affected) endpointAt(host, port string) {
	var was, is *Endpoint
	for i, e := range []**Endpoint{&was, &is} {
		if s := a.side(i); s.Host(host) != nil {
			if p := s.Port(port); p != nil {
				*e = a.lookup(i, host).endpoint(p)
			}
		}
	}
	if !reflect.DeepEqual(was, is) {
		a.add(host, EndpointPart, port)
	}
}
