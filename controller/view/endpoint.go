package view

import (
	"iter"
	"slices"

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

// servedOn is served by host, for the hosts that have such a namespace. The cost is the number of those hosts.
func servedOn(s state.Snapshot, network string) map[string]served {
	if !s.AnyOwned(network) {
		return nil
	}
	out := map[string]served{}
	note := func(host string, change func(*served)) {
		v := out[host]
		change(&v)
		out[host] = v
	}
	for _, p := range routedPorts(s, network) {
		for at := range s.RouterHostsOf(p.DeviceID) {
			note(at.Host, func(v *served) { v.distributed = true })
		}
	}
	for p := range s.PortsOwned(network, model.OwnerRouterInterface) {
		for _, host := range centralisedAt(s, p) {
			note(host, func(v *served) { v.centralised = true })
		}
	}
	for p := range s.PortsOwned(network, model.OwnerDHCP) {
		if p.BindingHostID == "" || out[p.BindingHostID].dhcp {
			continue
		}
		if d := dhcp(s, Host{Name: p.BindingHostID}, network); d != nil {
			note(p.BindingHostID, func(v *served) { v.dhcp, v.metadata = true, d.Metadata })
		}
	}
	return out
}

// serves is served for the host, at a cost that does not depend on the others.
func (l *Lookup) serves(network string) served {
	if v, known := l.served[network]; known {
		return v
	}
	var v served
	for _, p := range l.Routed(network).Ports {
		v.distributed = v.distributed || p.Here
	}
	for p := range l.s.PortsOwned(network, model.OwnerRouterInterface) {
		v.centralised = v.centralised || slices.Contains(centralisedAt(l.s, p), l.h.Name)
	}
	if d := dhcp(l.s, l.h, network); d != nil {
		v.dhcp, v.metadata = true, d.Metadata
	}
	if l.served != nil {
		l.served[network] = v
	}
	return v
}

// centralisedAt are the hosts of the centralised router that a port is of; none when it is of none, or of one that is down or
// nowhere.
func centralisedAt(s state.Snapshot, p *model.Port) []string {
	r, at := s.Router(p.DeviceID), s.Schedule(p.DeviceID)
	if r == nil || !r.AdminStateUp || r.Distributed || at == nil ||
		!slices.ContainsFunc(r.Interfaces, func(i model.RouterInterface) bool { return i.PortID == p.ID }) {
		return nil
	}
	return at.Hosts()
}

// known is what the namespaces of a host do with a port.
type known struct{ neighbour, dhcp, metadata bool }

// knower tells, for one port, what hosts do with it.
type knower struct {
	p *model.Port
	// host is where it is bound, if it is; ours says that it is a port of Weft's own.
	host string
	ours bool
	// neighbour: it may be one.
	neighbour bool
}

// knower looks a port up. It is nil for a port that no namespace knows.
//
// Neighbours are the ports that are bound somewhere and up, and those of routers and DHCP servers, if no other port may
// use one of their addresses: where an address is then, only the one who has it can say.
func (l *Lookup) knower(p *model.Port) *knower {
	if p == nil || p.DeviceOwner == model.OwnerDistributedInterface || p.DeviceOwner == model.OwnerFloatingIP || len(p.FixedIPs) == 0 {
		return nil
	}
	k := &knower{p: p, ours: model.OwnedByWeft(p.DeviceOwner)}
	b := l.s.Binding(p.ID)
	if b != nil && b.NetworkID == p.NetworkID {
		k.host = b.Host
	}
	k.neighbour = p.AdminStateUp && (k.host != "" || k.ours && p.BindingHostID != "") && len(l.owned(p)) == len(addresses(p))
	return k
}

// on says what a host does with the port. Metadata is told by a distributed router to the ports on its own host, by a
// centralised one and by a DHCP server to all of the network.
func (k *knower) on(host string, v served) known {
	if k == nil || v == (served{}) {
		return known{}
	}
	return known{
		neighbour: v.distributed && k.neighbour,
		dhcp:      v.dhcp && !k.ours,
		metadata:  !k.ours && (v.centralised || v.metadata || v.distributed && k.host == host),
	}
}

// endpoint is what a host that does this with the port must know of it.
func (k *knower) endpoint(do known) *Endpoint {
	if do == (known{}) {
		return nil
	}
	p := k.p
	e := &Endpoint{PortID: p.ID, NetworkID: p.NetworkID, MAC: p.MAC, Addresses: p.FixedIPs,
		Neighbour: do.neighbour, DHCP: do.dhcp, Metadata: do.metadata}
	if (do.dhcp || do.metadata) && p.Instance != nil {
		e.Hostname = p.Instance.Hostname
	}
	if do.dhcp {
		e.Options = p.ExtraDHCPOpts
	}
	if do.metadata {
		e.ProjectID, e.DeviceID, e.Instance = p.ProjectID, p.DeviceID, p.Instance
	}
	return e
}

// endpoint is what the host's namespaces must know of a port; nil when nothing.
func (l *Lookup) endpoint(p *model.Port) *Endpoint {
	v := l.serves(p.NetworkID)
	if v == (served{}) {
		return nil
	}
	k := l.knower(p)
	return k.endpoint(k.on(l.h.Name, v))
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
