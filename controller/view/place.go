package view

import (
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Places in which a floating IP or a port forwarding is served, as the node protocol spells them.
const (
	// PlaceRouter is the qrouter namespace of a centralised router.
	PlaceRouter = "router"
	// PlaceFIP is the fip namespace of the host that the port is on.
	PlaceFIP = "fip"
	// PlaceSNAT is the snat namespace of a distributed router.
	PlaceSNAT = "snat"
)

// Place is a namespace that serves something of a router: on which host, and of which sort.
type Place struct {
	Host string
	// In is PlaceRouter, PlaceFIP or PlaceSNAT.
	In string
	// Next is the host that it moves to, where the namespace is being made; empty when it stays.
	Next string
}

// hosts are those that have the namespace.
func (p Place) hosts() []string {
	if p.Next == "" {
		return []string{p.Host}
	}
	return []string{p.Host, p.Next}
}

func (p Place) on(host string) bool { return slices.Contains(p.hosts(), host) }

// FloatingIPPlace says where a floating IP is served. False: nowhere, because it is not associated, because its router is
// down or leads elsewhere, or because no network host has the router.
//
// A centralised router serves it where it is. A distributed one serves it on the port's own host, if FIPHost says so and
// the host's fip namespace has its port; else in the snat namespace.
func FloatingIPPlace(s state.Snapshot, f *model.FloatingIP) (Place, bool) {
	if f.PortID == "" || !f.FixedIP.IsValid() {
		return Place{}, false
	}
	if host := FIPHost(s, f); host != "" && fipGateway(s, host, f.FloatingNetworkID) != nil {
		return Place{Host: host, In: PlaceFIP}, true
	}
	return centralPlace(s, f)
}

// PortForwardingPlace says where a port forwarding of a floating IP is served: always with the centralised part of the
// router.
func PortForwardingPlace(s state.Snapshot, pf *model.PortForwarding) (Place, bool) {
	f := s.FloatingIP(pf.FloatingIPID)
	if f == nil {
		return Place{}, false
	}
	return centralPlace(s, f)
}

// FIPHost names the host whose fip namespace should serve a floating IP: that of the port, when a distributed router is
// there and the host has a bridge to the external network. Empty: none. Whoever allocates gives the host a port of that
// namespace (model.OwnerFIPGateway) for as long as some floating IP names it.
func FIPHost(s state.Snapshot, f *model.FloatingIP) string {
	r := routerOf(s, f)
	if r == nil || !r.Distributed || f.PortID == "" || !f.FixedIP.IsValid() {
		return ""
	}
	b := s.Binding(f.PortID)
	if b == nil || s.RouterHost(r.ID, b.Host) == nil || !LeadsTo(s, b.Host, f.FloatingNetworkID) {
		return ""
	}
	return b.Host
}

// LeadsTo says whether a host has a bridge to the physical network that carries a network.
func LeadsTo(s state.Snapshot, host, network string) bool {
	n := s.Network(network)
	return n != nil && !model.Tunnelled(n.Type) && PhysicalBridge(s, host, n.PhysicalNetwork) != ""
}

// PhysicalBridge is the bridge of a host that leads to a physical network, or empty.
func PhysicalBridge(s state.Snapshot, host, physicalNetwork string) string {
	if b := bridgeMappings(s.Host(host), s.HostFacts(host))[physicalNetwork]; physical(b) {
		return b
	}
	return ""
}

// TapName is the name on br-int of the device of a port of ours: tap and the first 11 characters of the port's id.
func TapName(port string) string { return "tap" + port[:min(11, len(port))] }

func centralPlace(s state.Snapshot, f *model.FloatingIP) (Place, bool) {
	r := routerOf(s, f)
	if r == nil {
		return Place{}, false
	}
	at := s.Schedule(r.ID)
	switch {
	case at == nil:
		return Place{}, false
	case r.Distributed:
		return Place{at.Host, PlaceSNAT, at.Next}, true
	}
	return Place{at.Host, PlaceRouter, at.Next}, true
}

// routerOf is the router that serves a floating IP, or nil when none can.
func routerOf(s state.Snapshot, f *model.FloatingIP) *model.Router {
	r := s.Router(f.RouterID)
	if r == nil || !r.AdminStateUp || r.Gateway == nil || r.Gateway.NetworkID != f.FloatingNetworkID {
		return nil
	}
	return r
}

// fipGateway is the port of a host's fip namespace on an external network, or nil. The cost is the number of external
// networks for which the host has one.
func fipGateway(s state.Snapshot, host, network string) *model.Port {
	for p := range s.PortsOfDevice(host) {
		if p.DeviceOwner == model.OwnerFIPGateway && p.NetworkID == network {
			return p
		}
	}
	return nil
}
