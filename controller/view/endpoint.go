package view

import (
	"iter"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Endpoint is a port of a network as the namespaces of one host must know it.
type Endpoint struct {
	PortID    string
	NetworkID string
	MAC       model.MAC
	Addresses []model.FixedIP
	// Neighbour: a PERMANENT neighbour in the distributed routers of its network.
	Neighbour bool
	// DHCP: it is given its addresses here.
	DHCP bool
	// Metadata: it may ask here for what is told of it.
	Metadata bool

	// Hostname is told to DHCP and metadata; empty: made from the first address.
	Hostname string
	// Options are for DHCP.
	Options []model.DHCPOption
	// ProjectID, DeviceID and Instance are for Metadata.
	ProjectID, DeviceID string
	Instance            *model.Instance
}

// served is which namespaces of a host know the ports of a network.
type served struct {
	// distributed: a copy of a distributed router that joins the network.
	distributed bool
	// centralised: a centralised router that joins it.
	centralised bool
	// dhcp: the network's DHCP namespace; metadata: which also serves metadata.
	dhcp, metadata bool
}

func (v served) nothing() bool { return v == served{} }

func (l *Lookup) serves(network string) *served {
	if v, known := l.served[network]; known {
		return v
	}
	v := &served{}
	for _, p := range l.Routed(network).Ports {
		v.distributed = v.distributed || p.Here
	}
	for p := range l.s.PortsOwned(network, model.OwnerRouterInterface) {
		v.centralised = v.centralised || l.centralisedHere(p)
	}
	if d := dhcp(l.s, l.h, network); d != nil {
		v.dhcp, v.metadata = true, d.Metadata
	}
	if l.served != nil {
		l.served[network] = v
	}
	return v
}

// centralisedHere says whether a port is that of a centralised router on this host.
func (l *Lookup) centralisedHere(p *model.Port) bool {
	r, at := l.s.Router(p.DeviceID), l.s.Schedule(p.DeviceID)
	if r == nil || !r.AdminStateUp || r.Distributed || at == nil || at.Host != l.h.Name {
		return false
	}
	for _, i := range r.Interfaces {
		if i.PortID == p.ID {
			return true
		}
	}
	return false
}

// endpoint is what the host's namespaces must know of a port; nil when nothing.
//
// Neighbours are the ports that are bound somewhere and up, and those of routers and DHCP servers, if no other port may
// use one of their addresses: where an address is then, only the one who has it can say. Metadata is told by a distributed
// router to the ports on its own host, by a centralised one and by a DHCP server to all of the network.
func (l *Lookup) endpoint(p *model.Port) *Endpoint {
	v := l.serves(p.NetworkID)
	if v.nothing() || p.DeviceOwner == model.OwnerDistributedInterface || p.DeviceOwner == model.OwnerFloatingIP || len(p.FixedIPs) == 0 {
		return nil
	}
	ours := model.OwnedByWeft(p.DeviceOwner)
	b := l.s.Binding(p.ID)
	if b != nil && b.NetworkID != p.NetworkID {
		b = nil
	}
	e := Endpoint{PortID: p.ID, NetworkID: p.NetworkID, MAC: p.MAC, Addresses: p.FixedIPs}
	e.Neighbour = v.distributed && p.AdminStateUp && (b != nil || ours && p.BindingHostID != "") &&
		len(l.owned(p)) == len(addresses(p))
	e.DHCP = v.dhcp && !ours
	e.Metadata = !ours && (v.centralised || v.metadata || v.distributed && b != nil && b.Host == l.h.Name)
	if !e.Neighbour && !e.DHCP && !e.Metadata {
		return nil
	}
	if (e.DHCP || e.Metadata) && p.Instance != nil {
		e.Hostname = p.Instance.Hostname
	}
	if e.DHCP {
		e.Options = p.ExtraDHCPOpts
	}
	if e.Metadata {
		e.ProjectID, e.DeviceID, e.Instance = p.ProjectID, p.DeviceID, p.Instance
	}
	return &e
}

// servingHosts are the hosts that have a namespace which knows ports of the network, some of them more than once.
func servingHosts(s state.Snapshot, network string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !s.AnyOwned(network) {
			return
		}
		for _, p := range routedPorts(s, network) {
			for at := range s.RouterHostsOf(p.DeviceID) {
				if !yield(at.Host) {
					return
				}
			}
		}
		for p := range s.PortsOwned(network, model.OwnerRouterInterface) {
			if at := s.Schedule(p.DeviceID); at != nil && !yield(at.Host) {
				return
			}
		}
		for p := range s.PortsOwned(network, model.OwnerDHCP) {
			if p.BindingHostID != "" && !yield(p.BindingHostID) {
				return
			}
		}
	}
}

// servedNetworks are the networks whose ports the namespaces of a host know, each once.
func servedNetworks(s state.Snapshot, h Host) iter.Seq[string] {
	return func(yield func(string) bool) {
		seen := map[string]bool{}
		once := func(network string) bool {
			if seen[network] {
				return true
			}
			seen[network] = true
			return yield(network)
		}
		for at := range s.RouterHostsOn(h.Name) {
			if !interfaceNetworks(s, at.RouterID, once) {
				return
			}
		}
		for at := range s.SchedulesOn(h.Name) {
			if !interfaceNetworks(s, at.RouterID, once) {
				return
			}
		}
		for p := range s.PortsWantedOn(h.Name) {
			if p.DeviceOwner == model.OwnerDHCP && !once(p.NetworkID) {
				return
			}
		}
	}
}

// interfaceNetworks yields the networks of a router's subnets.
func interfaceNetworks(s state.Snapshot, router string, yield func(string) bool) bool {
	r := s.Router(router)
	if r == nil {
		return true
	}
	for _, i := range r.Interfaces {
		if p := s.Port(i.PortID); p != nil && !yield(p.NetworkID) {
			return false
		}
	}
	return true
}
