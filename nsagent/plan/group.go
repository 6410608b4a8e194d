package plan

import (
	"cmp"
	"maps"
	"slices"
)

// Sources are the resources that one namespace is made of.
type Sources struct {
	Namespace string
	// One of these is not nil. A qrouter namespace with a link to a fip namespace has Fip too, when it is known.
	Router *Router
	Snat   *Snat
	Fip    *FipNamespace
	DHCP   *DHCP
	// Routers are those of a fip namespace.
	Routers         []*Router
	FloatingIPs     []*FloatingIP
	PortForwardings []*PortForwarding
	Endpoints       []*Endpoint

	// What follows is of the host's own namespace.

	Firewalls       []*PortFirewall
	GroupSets       []*GroupSet
	RemoteGroups    []*RemoteGroup
	RemoteAddresses []*RemoteAddress
}

// Group sorts resources by the namespaces that they say something about.
func Group(resources map[string]Resource) map[string]*Sources {
	g := &grouping{out: map[string]*Sources{}, networks: map[string][]*Sources{}, fips: map[string]*FipNamespace{}}
	names := slices.Sorted(maps.Keys(resources))
	for _, name := range names {
		g.namespace(resources[name])
	}
	for _, name := range names {
		g.part(resources[name])
	}
	return g.out
}

type grouping struct {
	out map[string]*Sources
	// networks are the namespaces with a device on a network whose ports they must know.
	networks map[string][]*Sources
	fips     map[string]*FipNamespace
}

func (g *grouping) add(s *Sources) *Sources {
	g.out[s.Namespace] = s
	return s
}

func (g *grouping) on(network string, s *Sources) {
	if !slices.Contains(g.networks[network], s) {
		g.networks[network] = append(g.networks[network], s)
	}
}

// namespace takes a resource that is a namespace.
func (g *grouping) namespace(r Resource) {
	switch r := r.(type) {
	case *Router:
		s := g.add(&Sources{Namespace: QRouter + r.RouterID, Router: r})
		for _, i := range r.Interfaces {
			g.on(i.NetworkID, s)
		}
	case *Snat:
		g.add(&Sources{Namespace: SNAT + r.RouterID, Snat: r})
	case *FipNamespace:
		g.add(&Sources{Namespace: FIP + r.NetworkID, Fip: r})
		g.fips[r.NetworkID] = r
	case *DHCP:
		g.on(r.NetworkID, g.add(&Sources{Namespace: QDHCP + r.NetworkID, DHCP: r}))
	case *PortFirewall, *GroupSet, *RemoteGroup, *RemoteAddress:
		if g.out[Home] == nil {
			g.add(&Sources{Namespace: Home})
		}
	}
}

// part takes a resource that is a part of namespaces.
func (g *grouping) part(r Resource) {
	switch r := r.(type) {
	case *Router:
		if r.LinkLocal.IsValid() {
			g.out[QRouter+r.RouterID].Fip = g.fips[r.FipNetworkID]
			if s := g.out[FIP+r.FipNetworkID]; s != nil {
				s.Routers = append(s.Routers, r)
			}
		}
	case *FloatingIP:
		if s := g.out[natSpace(r.Place, r.RouterID)]; s != nil {
			s.FloatingIPs = append(s.FloatingIPs, r)
		}
		if s := g.out[FIP+r.NetworkID]; r.Place == PlaceFip && s != nil {
			s.FloatingIPs = append(s.FloatingIPs, r)
		}
	case *PortForwarding:
		if s := g.out[natSpace(r.Place, r.RouterID)]; s != nil {
			s.PortForwardings = append(s.PortForwardings, r)
		}
	case *Endpoint:
		for _, s := range g.networks[r.NetworkID] {
			s.Endpoints = append(s.Endpoints, r)
		}
	case *PortFirewall:
		g.out[Home].Firewalls = append(g.out[Home].Firewalls, r)
	case *GroupSet:
		g.out[Home].GroupSets = append(g.out[Home].GroupSets, r)
	case *RemoteGroup:
		g.out[Home].RemoteGroups = append(g.out[Home].RemoteGroups, r)
	case *RemoteAddress:
		g.out[Home].RemoteAddresses = append(g.out[Home].RemoteAddresses, r)
	}
}

// natSpace is the namespace that translates the addresses of a floating IP or port forwarding.
func natSpace(place, routerID string) string {
	if place == PlaceSnat {
		return SNAT + routerID
	}
	return QRouter + routerID
}

// Equal says whether two namespaces are made of the very same resources.
func (s *Sources) Equal(o *Sources) bool {
	if s == nil || o == nil {
		return s == o
	}
	return s.Namespace == o.Namespace && s.Router == o.Router && s.Snat == o.Snat && s.Fip == o.Fip && s.DHCP == o.DHCP && slices.Equal(s.Routers, o.Routers) &&
		slices.Equal(s.FloatingIPs, o.FloatingIPs) && slices.Equal(s.PortForwardings, o.PortForwardings) && slices.Equal(s.Endpoints, o.Endpoints) &&
		slices.Equal(s.Firewalls, o.Firewalls) && slices.Equal(s.GroupSets, o.GroupSets) && slices.Equal(s.RemoteGroups, o.RemoteGroups) &&
		slices.Equal(s.RemoteAddresses, o.RemoteAddresses)
}

// Own is the resource that the namespace is; "" for the host's own namespace.
func (s *Sources) Own() string {
	switch {
	case s.Namespace == Home:
		return ""
	case s.Router != nil:
		return s.Router.Resource()
	case s.Snat != nil:
		return s.Snat.Resource()
	case s.DHCP != nil:
		return s.DHCP.Resource()
	}
	return s.Fip.Resource()
}

// StandsFor are the resources that are not true while the namespace is not: itself, and the floating IPs and port
// forwardings that it serves; of the host's own namespace, the firewall bridges.
func (s *Sources) StandsFor() []string {
	var out []string
	if s.Namespace != Home {
		out = append(out, s.Own())
	}
	for _, f := range s.Firewalls {
		out = append(out, f.Resource())
	}
	for _, f := range s.FloatingIPs {
		out = append(out, f.Resource())
	}
	for _, p := range s.PortForwardings {
		out = append(out, p.Resource())
	}
	return out
}

// Resources are all that the namespace is made of.
func (s *Sources) Resources() []string {
	out := s.StandsFor()
	for _, e := range s.Endpoints {
		out = append(out, e.Resource())
	}
	for _, g := range s.GroupSets {
		out = append(out, g.Resource())
	}
	for _, g := range s.RemoteGroups {
		out = append(out, g.Resource())
	}
	for _, a := range s.RemoteAddresses {
		out = append(out, a.Resource())
	}
	return out
}

// Homeless are the resources that no namespace takes in, with the reason: what they are part of is not there.
func Homeless(resources map[string]Resource, grouped map[string]*Sources) map[string]*FieldError {
	out := map[string]*FieldError{}
	for name, r := range resources {
		var place, router string
		switch r := r.(type) {
		case *FloatingIP:
			place, router = r.Place, r.RouterID
			if place == PlaceFip && grouped[FIP+r.NetworkID] == nil {
				out[name] = &FieldError{"network_id", "this host is told of no fip namespace of network " + r.NetworkID}
			}
		case *PortForwarding:
			place, router = r.Place, r.RouterID
		case *Router:
			if r.LinkLocal.IsValid() && grouped[FIP+r.FipNetworkID] == nil {
				out[name] = &FieldError{"fip_network_id", "this host is told of no fip namespace of network " + r.FipNetworkID}
			}
			continue
		default:
			continue
		}
		if grouped[natSpace(place, router)] == nil {
			out[name] = &FieldError{"router_id", "this host is told of no namespace " + natSpace(place, router)}
		}
	}
	return out
}

func sortedBy[T any, K cmp.Ordered](list []T, key func(T) K) []T {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return list
}
