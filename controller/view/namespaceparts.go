package view

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// namespaceParts lists the parts of a host that namespaces are made of, each once.
func namespaceParts(s state.Snapshot, h Host, yield func(Part) bool) {
	for at := range s.RouterHostsOn(h.Name) {
		if !yield(Part{RouterPart, at.RouterID}) {
			return
		}
	}
	for at := range s.SchedulesOn(h.Name) {
		if s.RouterHost(at.RouterID, h.Name) == nil && !yield(Part{RouterPart, at.RouterID}) {
			return
		}
	}
	fips := map[string]bool{}
	for p := range s.PortsOfDevice(h.Name) {
		if p.DeviceOwner != model.OwnerFIPGateway || fips[p.NetworkID] {
			continue
		}
		fips[p.NetworkID] = true
		if !yield(Part{FIPNetworkPart, p.NetworkID}) {
			return
		}
	}
	if len(fips) > 0 && !boundFloatingIPs(s, h, yield) || !centralFloatingIPs(s, h, yield) || !dhcpParts(s, h, yield) {
		return
	}
	l := NewLookup(s, h)
	for network := range servedNetworks(s, h) {
		for p := range s.PortsOf(network) {
			if l.endpoint(p) != nil && !yield(Part{EndpointPart, p.ID}) {
				return
			}
		}
	}
}

// boundFloatingIPs are those that the host serves in its fip namespaces.
func boundFloatingIPs(s state.Snapshot, h Host, yield func(Part) bool) bool {
	for b := range s.BindingsOn(h.Name) {
		for f := range s.FloatingIPsOfPort(b.PortID) {
			if at, ok := FloatingIPPlace(s, f); ok && at == (Place{Host: h.Name, In: PlaceFIP}) && !yield(Part{FloatingIPPart, f.ID}) {
				return false
			}
		}
	}
	return true
}

// centralFloatingIPs are the floating IPs and port forwardings that the host serves with the centralised parts of routers.
func centralFloatingIPs(s state.Snapshot, h Host, yield func(Part) bool) bool {
	for sched := range s.SchedulesOn(h.Name) {
		for f := range s.FloatingIPsOfRouter(sched.RouterID) {
			at, ok := FloatingIPPlace(s, f)
			if ok && at.on(h.Name) && at.In != PlaceFIP && !yield(Part{FloatingIPPart, f.ID}) {
				return false
			}
			for pf := range s.PortForwardingsOf(f.ID) {
				if !yield(Part{PortForwardingPart, pf.ID}) {
					return false
				}
			}
		}
	}
	return true
}

func dhcpParts(s state.Snapshot, h Host, yield func(Part) bool) bool {
	seen := map[string]bool{}
	for p := range s.PortsWantedOn(h.Name) {
		if p.DeviceOwner != model.OwnerDHCP || seen[p.NetworkID] {
			continue
		}
		seen[p.NetworkID] = true
		if !yield(Part{DHCPPart, p.NetworkID}) {
			return false
		}
	}
	return true
}
