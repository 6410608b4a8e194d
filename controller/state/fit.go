package state

import (
	"fmt"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
)

// Roles are the roles of a host as they are in force: what an operator set replaces what the agent reported; compute
// when nobody says otherwise.
func (s Snapshot) Roles(host string) []string {
	if h := s.Host(host); h != nil && len(h.Roles) > 0 {
		return h.Roles
	}
	if f := s.HostFacts(host); f != nil && len(f.Roles) > 0 {
		return f.Roles
	}
	return []string{model.RoleCompute}
}

// BridgeMappings is physical network → bridge of a host as it is in force: what an operator set replaces the whole map
// that the agent reported.
func (s Snapshot) BridgeMappings(host string) map[string]string {
	if h := s.Host(host); h != nil && len(h.BridgeMappings) > 0 {
		return h.BridgeMappings
	}
	if f := s.HostFacts(host); f != nil {
		return f.BridgeMappings
	}
	return nil
}

// Unfit says why a host takes neither centralised parts of routers nor DHCP servers that need those physical networks, as
// what a sentence about the host goes on with: "is draining". Empty: it takes them.
func (s Snapshot) Unfit(host string, physnets []string) string {
	h, f := s.Host(host), s.HostFacts(host)
	switch health := s.HostHealth(host); {
	case h == nil:
		return "is gone"
	case !slices.Contains(s.Roles(host), model.RoleNetwork):
		return "is no network host"
	case h.Draining:
		return "is draining"
	case health != nil && health.Down:
		return "is down"
	case f == nil:
		return "has not reported yet"
	}
	if len(physnets) > 0 {
		mappings := s.BridgeMappings(host)
		for _, p := range physnets {
			if mappings[p] == "" {
				return fmt.Sprintf("has no bridge for physical network %s", p)
			}
		}
	}
	return ""
}

// Centralised says whether a router has a part that is on one network host.
func (s Snapshot) Centralised(r *model.Router) bool {
	if r.Distributed {
		return r.Gateway != nil && len(r.Interfaces) > 0
	}
	return r.Gateway != nil || len(r.Interfaces) > 0
}

// PhysicalNetworks are the physical networks that a host with the centralised part of a router must have bridges to:
// those of the gateway and of the interfaces, sorted.
func (s Snapshot) PhysicalNetworks(r *model.Router) []string {
	var names []string
	add := func(network string) {
		if n := s.Network(network); n != nil && n.PhysicalNetwork != "" {
			names = append(names, n.PhysicalNetwork)
		}
	}
	if r.Gateway != nil {
		add(r.Gateway.NetworkID)
	}
	for _, i := range r.Interfaces {
		if p := s.Port(i.PortID); p != nil {
			add(p.NetworkID)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Spreads says whether a router is on hosts by RouterHosts: a distributed one that is up and has an interface.
func Spreads(r *model.Router) bool { return r.Distributed && r.AdminStateUp && len(r.Interfaces) > 0 }
