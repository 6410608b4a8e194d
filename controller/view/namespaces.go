package view

import (
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// set is a set of ids. The zero value is empty.
type set map[string]struct{}

func (s *set) add(id string) {
	if *s == nil {
		*s = set{}
	}
	(*s)[id] = struct{}{}
}

// place of a network: on which host.
type networkAt struct{ host, network string }

// namespaces collects, while the changes are gone through, what may differ about routers and the like. What that means for
// which hosts is found out in the end, once.
type namespaces struct {
	routers     set // a router, on all its hosts
	routed      set // a network: the ports of distributed routers on it
	floating    set // a floating IP, wherever it is served
	forwardings set // a port forwarding likewise
	dhcp        set // a network: its DHCP namespaces
	endpoints   set // a port, wherever it is known
	served      set // a network: all its ports, wherever they are known
	at          map[networkAt]struct{}
	// hosts are those that know the ports of a network, by side (0: before, 1: after) and network.
	hosts [2]map[string]map[string]served
	// look is by side; it is of no host.
	look [2]*Lookup
	// owned is, by side, what was last found out about a network: whether it has ports of ours.
	owned [2]struct {
		network string
		any     bool
	}
}

// servedAt adds a network on a host: all its ports, as that host knows them.
func (ns *namespaces) servedAt(host, network string) {
	if ns.at == nil {
		ns.at = map[networkAt]struct{}{}
	}
	ns.at[networkAt{host, network}] = struct{}{}
}

// routerOwners are the device owners of the ports whose device is a router.
var routerOwners = []string{model.OwnerRouterInterface, model.OwnerDistributedInterface, model.OwnerRouterGateway, model.OwnerCentralizedSNAT}

// changeOfNamespaces takes changes of objects that only namespaces are made of.
func (a *affected) changeOfNamespaces(c state.Change) {
	switch c.Kind {
	case state.Routers:
		a.router(sides[model.Router](c))
	case state.FloatingIPs:
		a.floatingIP(sides[model.FloatingIP](c))
	case state.PortForwardings:
		a.namespaces.forwardings.add(c.Key)
	case state.RouterHosts:
		a.routerHost(sides[model.RouterHost](c))
	case state.Schedules:
		a.schedule(sides[model.Schedule](c))
	case state.Subnets:
		a.subnet(sides[model.Subnet](c))
	case state.Interfaces:
		a.tap(sides[model.Interface](c))
	}
}

func (a *affected) router(o, n *model.Router) {
	ns := &a.namespaces
	either := o
	if either == nil {
		either = n
	}
	turned := o == nil || n == nil || o.AdminStateUp != n.AdminStateUp || o.Distributed != n.Distributed
	led := turned || (o.Gateway == nil) != (n.Gateway == nil) || o.Gateway != nil && o.Gateway.NetworkID != n.Gateway.NetworkID
	joined := turned || !slices.Equal(o.Interfaces, n.Interfaces)
	if !led && !joined && slices.Equal(o.Routes, n.Routes) && sameGateway(o.Gateway, n.Gateway) {
		return
	}
	ns.routers.add(either.ID)
	if led {
		a.floatingIPsOf(either.ID)
	}
	if !joined {
		return
	}
	for i, r := range []*model.Router{o, n} {
		if r == nil {
			continue
		}
		s := a.side(i)
		for _, at := range r.Interfaces {
			other := []*model.Router{n, o}[i]
			if p := s.Port(at.PortID); p != nil && (turned || !slices.Contains(other.Interfaces, at)) {
				a.joined(p.NetworkID)
			}
		}
	}
}

func sameGateway(o, n *model.ExternalGateway) bool {
	if o == nil || n == nil {
		return o == n
	}
	return o.PortID == n.PortID && o.EnableSNAT == n.EnableSNAT
}

// joined is a network that a router joins, leaves, or is otherwise on.
func (a *affected) joined(network string) {
	a.namespaces.routed.add(network)
	a.namespaces.dhcp.add(network)
	a.namespaces.served.add(network)
}

// floatingIPsOf adds all that is served for a router.
func (a *affected) floatingIPsOf(router string) {
	for s := range a.snapshots() {
		for f := range s.FloatingIPsOfRouter(router) {
			a.namespaces.floating.add(f.ID)
			for pf := range s.PortForwardingsOf(f.ID) {
				a.namespaces.forwardings.add(pf.ID)
			}
		}
	}
}

func (a *affected) floatingIP(o, n *model.FloatingIP) {
	id := ""
	if o != nil {
		id = o.ID
	} else {
		id = n.ID
	}
	a.namespaces.floating.add(id)
	if o != nil && n != nil && o.Address == n.Address && o.RouterID == n.RouterID && o.FloatingNetworkID == n.FloatingNetworkID {
		return
	}
	for s := range a.snapshots() {
		for pf := range s.PortForwardingsOf(id) {
			a.namespaces.forwardings.add(pf.ID)
		}
	}
}

func (a *affected) routerHost(o, n *model.RouterHost) {
	at := n
	if at == nil {
		at = o
	}
	a.add(at.Host, RouterPart, at.RouterID)
	if o != nil && n != nil {
		return
	}
	for s := range a.snapshots() {
		interfaceNetworks(s, at.RouterID, func(network string) bool {
			a.gatewayAt(at.Host, network)
			a.namespaces.servedAt(at.Host, network)
			return true
		})
		if r := s.Router(at.RouterID); r == nil || r.Gateway == nil {
			continue
		}
		for b := range s.BindingsOn(at.Host) {
			a.floatingIPsTo(b.PortID)
		}
	}
}

// gatewayAt is a network on a host where the device of a distributed router comes, goes or changes its number.
func (a *affected) gatewayAt(host, network string) {
	a.add(host, NetworkPart, network)
	for s := range a.snapshots() {
		l := Once(s, Host{Name: host})
		for b := range s.BindingsAt(host, network) {
			if p := s.Port(b.PortID); p != nil && l.roams(p) {
				a.add(host, PortPart, b.PortID)
			}
		}
	}
}

// floatingIPsTo adds the floating IPs of a port. Those that were its own before have changed themselves.
func (a *affected) floatingIPsTo(port string) {
	for f := range a.after.FloatingIPsOfPort(port) {
		a.namespaces.floating.add(f.ID)
	}
}

func (a *affected) schedule(o, n *model.Schedule) {
	if o != nil && n != nil && o.Host == n.Host && o.Next == n.Next {
		return
	}
	for i, at := range []*model.Schedule{o, n} {
		if at == nil {
			continue
		}
		a.floatingIPsOf(at.RouterID)
		for _, host := range at.Hosts() {
			a.add(host, RouterPart, at.RouterID)
			interfaceNetworks(a.side(i), at.RouterID, func(network string) bool {
				a.namespaces.servedAt(host, network)
				return true
			})
		}
	}
}

func (a *affected) subnet(o, n *model.Subnet) {
	either := n
	if either == nil {
		either = o
	}
	a.namespaces.dhcp.add(either.NetworkID)
	if o != nil && n != nil && o.CIDR == n.CIDR && o.GatewayIP == n.GatewayIP && o.NetworkID == n.NetworkID && o.IPv6RAMode == n.IPv6RAMode &&
		(n.IPv6RAMode == "" || slices.Equal(o.DNSNameservers, n.DNSNameservers)) {
		return
	}
	for s := range a.snapshots() {
		for _, sub := range []*model.Subnet{o, n} {
			if sub == nil {
				continue
			}
			a.namespaces.dhcp.add(sub.NetworkID)
			a.devicesOn(s, sub.NetworkID, func(p *model.Port) bool {
				return slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.SubnetID == sub.ID })
			})
			for range s.PortsOwned(sub.NetworkID, model.OwnerDistributedInterface) {
				a.namespaces.routed.add(sub.NetworkID)
				break
			}
		}
	}
}

// devicesOn adds what has a device on a network: routers and fip namespaces.
func (a *affected) devicesOn(s state.Snapshot, network string, keep func(*model.Port) bool) {
	for _, owner := range routerOwners {
		for p := range s.PortsOwned(network, owner) {
			if keep(p) {
				a.namespaces.routers.add(p.DeviceID)
			}
		}
	}
	for p := range s.PortsOwned(network, model.OwnerFIPGateway) {
		if keep(p) {
			a.add(p.DeviceID, FIPNetworkPart, network)
		}
	}
}

// tap is a device of a namespace that the host has reported, or reports no more.
func (a *affected) tap(o, n *model.Interface) {
	if o != nil && n != nil && o.OFPort == n.OFPort && o.IfaceID == n.IfaceID {
		return
	}
	i := n
	if i == nil {
		i = o
	}
	id, ok := strings.CutPrefix(i.Name, "tap")
	if !ok || len(id) == 0 || len(id) > 11 {
		return
	}
	for s := range a.snapshots() {
		if len(id) < 11 {
			a.tapOf(i.Host, s.Port(id))
			continue
		}
		for obj := range s.ByIDPrefix(state.Ports, id) {
			a.tapOf(i.Host, obj.(*model.Port))
		}
	}
}

func (a *affected) tapOf(host string, p *model.Port) {
	if p == nil {
		return
	}
	switch p.DeviceOwner {
	case model.OwnerDistributedInterface:
		a.add(host, RouterPart, p.DeviceID)
		a.gatewayAt(host, p.NetworkID)
	case model.OwnerRouterInterface, model.OwnerRouterGateway, model.OwnerCentralizedSNAT:
		a.add(host, RouterPart, p.DeviceID)
	case model.OwnerFIPGateway:
		a.add(host, FIPNetworkPart, p.NetworkID)
	case model.OwnerDHCP:
		a.add(host, DHCPPart, p.NetworkID)
	}
}
