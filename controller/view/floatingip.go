package view

import (
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// FIPNamespace is the namespace fip- of an external network on a host.
type FIPNamespace struct {
	Device
	// GatewayIPs are as of ExternalGateway.
	GatewayIPs []netip.Addr
}

// FloatingIP is a floating IP that a host serves.
type FloatingIP struct {
	ID        string
	RouterID  string
	NetworkID string
	Address   netip.Addr
	FixedIP   netip.Addr
	// In is PlaceRouter, PlaceFIP or PlaceSNAT.
	In string
	// RulePriority is that of its rule in qrouter- (PlaceFIP).
	RulePriority uint32
}

// PortForwarding is a port forwarding that a host serves.
type PortForwarding struct {
	ID       string
	RouterID string
	// In is PlaceRouter or PlaceSNAT.
	In string
	// Address is that of the floating IP.
	Address  netip.Addr
	Protocol string
	External model.PortRange
	// InternalIP and Internal are where it leads.
	InternalIP netip.Addr
	Internal   model.PortRange
}

func fipNamespace(s state.Snapshot, h Host, network string) *FIPNamespace {
	p := fipGateway(s, h.Name, network)
	if p == nil {
		return nil
	}
	return &FIPNamespace{device(s, p), gatewayIPs(s, p)}
}

func floatingIP(s state.Snapshot, h Host, id string) *FloatingIP {
	f := s.FloatingIP(id)
	if f == nil {
		return nil
	}
	at, ok := FloatingIPPlace(s, f)
	if !ok || !at.on(h.Name) {
		return nil
	}
	return &FloatingIP{ID: id, RouterID: f.RouterID, NetworkID: f.FloatingNetworkID, Address: f.Address, FixedIP: f.FixedIP,
		In: at.In, RulePriority: f.RulePriority}
}

func portForwarding(s state.Snapshot, h Host, id string) *PortForwarding {
	pf := s.PortForwarding(id)
	if pf == nil {
		return nil
	}
	at, ok := PortForwardingPlace(s, pf)
	if !ok || !at.on(h.Name) {
		return nil
	}
	f := s.FloatingIP(pf.FloatingIPID)
	return &PortForwarding{ID: id, RouterID: f.RouterID, In: at.In, Address: f.Address, Protocol: pf.Protocol,
		External: pf.External, InternalIP: pf.InternalIP, Internal: pf.Internal}
}
