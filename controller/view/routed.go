package view

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// RouterPort is the port of a distributed router on a network, as one host has it. It has the same MAC and addresses on
// every host that has the router, and is bound to none.
type RouterPort struct {
	ID       string
	RouterID string
	MAC      model.MAC
	// IPs are its addresses, sorted.
	IPs []netip.Addr
	// Here says that the router is on this host.
	Here bool
	// OFPort is the number of its device on this host's br-int, 0 while there is none.
	OFPort uint32
}

// LinkLocal is the link-local address that Linux gives to an interface with the port's MAC (RFC 4291, appendix A).
func (p RouterPort) LinkLocal() netip.Addr { return p.MAC.LinkLocal() }

// Routed is what the distributed routers that are up have on a network, as one host sees it.
type Routed struct {
	// Ports are ordered: those with the gateway_ip of a subnet first, then by address and id.
	Ports []RouterPort
}

// Gateway is the first of the ports that has an address of a family and its device here; nil when there is none.
func (r Routed) Gateway(ipv6 bool) *RouterPort {
	for i, p := range r.Ports {
		if p.Here && p.OFPort != 0 && slices.ContainsFunc(p.IPs, func(ip netip.Addr) bool { return ip.Is6() == ipv6 }) {
			return &r.Ports[i]
		}
	}
	return nil
}

// ForRouted looks up what the distributed routers have on a network. The cost is the number of their ports there.
func ForRouted(s state.Snapshot, h Host, network string) Routed {
	return Once(s, h).Routed(network)
}

// RoutedNetwork is a network on which a distributed router has a port, on a host that has both.
type RoutedNetwork struct {
	Network Network
	Port    RouterPort
}

// ForRouter looks up the networks that a distributed router joins on a host: none when it is not there. What is not up,
// or not carried by the host, is left out.
func ForRouter(s state.Snapshot, h Host, id string) []RoutedNetwork {
	return Once(s, h).Router(id)
}

// Router is as the function ForRouter.
func (l *Lookup) Router(id string) []RoutedNetwork {
	r := l.s.Router(id)
	if r == nil || l.s.RouterHost(id, l.h.Name) == nil {
		return nil
	}
	var out []RoutedNetwork
	for _, p := range distributedPorts(l.s, r) {
		if n := l.network(p.NetworkID); n != nil && n.Up && p.AdminStateUp {
			out = append(out, RoutedNetwork{*n, l.routerPort(p)})
		}
	}
	return out
}

func (l *Lookup) routerPort(p *model.Port) RouterPort {
	out := RouterPort{ID: p.ID, RouterID: p.DeviceID, MAC: p.MAC, IPs: addresses(p)}
	if l.s.RouterHost(p.DeviceID, l.h.Name) != nil {
		out.Here, out.OFPort = true, tapOf(l.s, l.h.Name, p.ID)
	}
	return out
}

// tapOf is the OpenFlow number of the device of one of our own ports on a host, 0 while it is not there.
func tapOf(s state.Snapshot, host, port string) uint32 {
	if i := s.Interface(host, TapName(port)); i != nil && i.IfaceID == port {
		return i.OFPort
	}
	return 0
}

// distributedPorts are the ports of a router on subnets if it is distributed and up.
func distributedPorts(s state.Snapshot, r *model.Router) []*model.Port {
	if !r.Distributed || !r.AdminStateUp {
		return nil
	}
	return interfacePorts(s, r, model.OwnerDistributedInterface)
}

// interfacePorts are a router's ports on subnets, in the order of its interfaces, each once.
func interfacePorts(s state.Snapshot, r *model.Router, owner string) []*model.Port {
	var ports []*model.Port
	for _, i := range r.Interfaces {
		if p := s.Port(i.PortID); p != nil && p.DeviceOwner == owner && p.DeviceID == r.ID && !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	return ports
}

// routed is Routed with the model's ports of Routed.Ports, in the same order.
type routed struct {
	Routed
	ports []*model.Port
}

// unrouted is what most networks are.
var unrouted routed

// Routed is as the function ForRouted.
func (l *Lookup) Routed(network string) Routed { return l.routed(network).Routed }

func (l *Lookup) routed(network string) *routed {
	if r, known := l.routeds[network]; known {
		return r
	}
	out := &unrouted
	if ports := routedPorts(l.s, network); len(ports) > 0 {
		out = &routed{ports: ports}
		for _, p := range ports {
			out.Ports = append(out.Ports, l.routerPort(p))
		}
	}
	if l.routeds != nil {
		l.routeds[network] = out
	}
	return out
}

// routedPorts are the ports of distributed routers on a network, as Routed orders them. Without a network there are none.
func routedPorts(s state.Snapshot, network string) []*model.Port {
	var ports []*model.Port
	for p := range s.PortsOwned(network, model.OwnerDistributedInterface) {
		r := s.Router(p.DeviceID)
		if r != nil && p.AdminStateUp && slices.Contains(distributedPorts(s, r), p) {
			ports = append(ports, p)
		}
	}
	if len(ports) < 2 {
		return ports
	}
	first := func(p *model.Port) int {
		if slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return isGateway(s, p, f) }) {
			return 0
		}
		return 1
	}
	slices.SortFunc(ports, func(p, q *model.Port) int {
		return cmp.Or(first(p)-first(q), slices.CompareFunc(addresses(p), addresses(q), netip.Addr.Compare), cmp.Compare(p.ID, q.ID))
	})
	return ports
}

// isGateway says whether an address is its subnet's gateway_ip.
func isGateway(s state.Snapshot, p *model.Port, f model.FixedIP) bool {
	sub := subnetOf(s, p, f)
	return sub != nil && sub.GatewayIP == f.IP
}

// here are the router ports that have their device on this host.
func (r *routed) here() []RouterPort {
	var out []RouterPort
	for _, p := range r.Ports {
		if p.Here && p.OFPort != 0 {
			out = append(out, p)
		}
	}
	return out
}
