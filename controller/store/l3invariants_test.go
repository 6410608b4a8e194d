package store

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// fit are the network hosts that could take something which needs those physical networks.
func fit(s state.Snapshot, physnets ...string) (hosts []string) {
	for h := range s.Hosts() {
		f, health := s.HostFacts(h.ID), s.HostHealth(h.ID)
		if f == nil || h.Draining || health != nil && health.Down {
			continue
		}
		roles, mappings := h.Roles, h.BridgeMappings
		if len(roles) == 0 {
			roles = f.Roles
		}
		if len(mappings) == 0 {
			mappings = f.BridgeMappings
		}
		ok := slices.Contains(roles, model.RoleNetwork)
		for _, p := range physnets {
			ok = ok && (p == "" || mappings[p] != "")
		}
		if ok {
			hosts = append(hosts, h.ID)
		}
	}
	return hosts
}

// interfacesOf are the ports by which a router is on its subnets.
func interfacesOf(s state.Snapshot, r *model.Router) (ports []*model.Port) {
	for _, i := range r.Interfaces {
		ports = append(ports, s.Port(i.PortID))
	}
	return ports
}

// routersRight looks at routers, their ports, and where they are.
func routersRight(t failer, s state.Snapshot, unique func(string, string, ...any)) {
	t.Helper()
	owned := map[string]bool{}
	for r := range s.Routers() {
		owner, want := model.OwnerRouterInterface, 0
		if r.Distributed {
			owner = model.OwnerDistributedInterface
		}
		var physnets []string
		var subnets []*model.Subnet
		for n, p := range interfacesOf(s, r) {
			if p == nil || p.DeviceOwner != owner || p.DeviceID != r.ID || len(p.FixedIPs) == 0 {
				t.Errorf("router %s: interface %d has port %+v", r.ID, n, p)
				return
			}
			owned[p.ID] = true
			want++
			physnets = append(physnets, s.Network(p.NetworkID).PhysicalNetwork)
			if s.Network(p.NetworkID).RouterExternal {
				t.Errorf("router %s has an interface on an external network", r.ID)
			}
			for _, f := range p.FixedIPs {
				subnets = append(subnets, s.Subnet(f.SubnetID))
			}
			unique(r.ID, "subnet %s of router %s", r.Interfaces[n].SubnetID, r.ID)
		}
		snat := map[string]bool{}
		for p := range s.PortsOfDevice(r.ID) {
			if p.DeviceOwner == model.OwnerCentralizedSNAT {
				owned[p.ID] = true
				for _, f := range p.FixedIPs {
					snat[f.SubnetID] = true
				}
			}
		}
		if r.Gateway != nil {
			g := s.Port(r.Gateway.PortID)
			if g == nil || g.DeviceOwner != model.OwnerRouterGateway || g.DeviceID != r.ID || g.NetworkID != r.Gateway.NetworkID || !slices.Equal(g.FixedIPs, r.Gateway.FixedIPs) {
				t.Errorf("router %s: gateway %+v has port %+v", r.ID, *r.Gateway, g)
				return
			}
			owned[g.ID] = true
			physnets = append(physnets, s.Network(g.NetworkID).PhysicalNetwork)
			if !s.Network(g.NetworkID).RouterExternal {
				t.Errorf("router %s has its gateway on a network that is not external", r.ID)
			}
			for _, f := range g.FixedIPs {
				subnets = append(subnets, s.Subnet(f.SubnetID))
			}
		}
		for n, sn := range subnets {
			for _, o := range subnets[:n] {
				if sn.CIDR.Overlaps(o.CIDR) {
					t.Errorf("router %s is on %s and %s", r.ID, sn.CIDR, o.CIDR)
				}
			}
			if wanted := r.Distributed && r.Gateway != nil && !s.Network(sn.NetworkID).RouterExternal; wanted != snat[sn.ID] {
				t.Errorf("router %s has a snat port on subnet %s: %t", r.ID, sn.CIDR, snat[sn.ID])
			}
			delete(snat, sn.ID)
		}
		for id := range snat {
			t.Errorf("router %s has a snat port on subnet %s, where it is not", r.ID, id)
		}
		for _, route := range r.Routes {
			if !slices.ContainsFunc(subnets, func(sn *model.Subnet) bool { return sn.CIDR.Contains(route.NextHop) }) {
				t.Errorf("router %s: route %s goes nowhere", r.ID, route)
			}
		}
		scheduledRight(t, s, r, physnets)
	}
	for obj := range s.ByIDPrefix(state.Schedules, "") {
		if sc := obj.(*model.Schedule); s.Router(sc.RouterID) == nil || s.Host(sc.Host) == nil || sc.Reason == "" || sc.Since.IsZero() {
			t.Errorf("schedule %+v", *sc)
		}
	}
	for p := range s.Ports() {
		switch p.DeviceOwner {
		case model.OwnerRouterInterface, model.OwnerDistributedInterface, model.OwnerRouterGateway, model.OwnerCentralizedSNAT:
			if !owned[p.ID] {
				t.Errorf("port %s of router %s, which does not know it", p.ID, p.DeviceID)
			}
		}
	}
	spreadRight(t, s, unique)
}

// scheduledRight looks at where the centralised part of a router is, and its ports with it.
func scheduledRight(t failer, s state.Snapshot, r *model.Router, physnets []string) {
	t.Helper()
	needs := r.Gateway != nil || len(r.Interfaces) > 0
	if r.Distributed {
		needs = r.Gateway != nil && len(r.Interfaces) > 0
	}
	sc, can, at := s.Schedule(r.ID), fit(s, physnets...), ""
	switch {
	case sc == nil && needs && len(can) > 0:
		t.Errorf("router %s is nowhere, but could be on %v", r.ID, can)
	case sc != nil && !needs:
		t.Errorf("router %s is on %s for nothing", r.ID, sc.Host)
	case sc != nil && sc.Next != "":
		// It stays on a host that is drained and alive until the other one is ready.
		health := s.HostHealth(sc.Host)
		if !s.Host(sc.Host).Draining || health != nil && health.Down || !slices.Contains(can, sc.Next) {
			t.Errorf("router %s is on %s and moves to %s, of %v", r.ID, sc.Host, sc.Next, can)
		}
	case sc != nil && !slices.Contains(can, sc.Host) && len(can) > 0:
		t.Errorf("router %s is on %s, but should be on one of %v", r.ID, sc.Host, can)
	}
	if sc != nil {
		at = sc.Host
	}
	for p := range s.PortsOfDevice(r.ID) {
		want := at
		if p.DeviceOwner == model.OwnerDistributedInterface {
			want = ""
		}
		if model.OwnedByWeft(p.DeviceOwner) && p.BindingHostID != want {
			t.Errorf("%s port %s of router %s is to be on %q, want %q", p.DeviceOwner, p.ID, r.ID, p.BindingHostID, want)
		}
	}
}

// routedOn says whether a distributed router with an interface on the network is on the host.
func routedOn(s state.Snapshot, host, network string) bool {
	for obj := range s.ByIDPrefix(state.RouterHosts, "") {
		h := obj.(*model.RouterHost)
		if r := s.Router(h.RouterID); h.Host == host && r != nil {
			for _, p := range interfacesOf(s, r) {
				if p.NetworkID == network {
					return true
				}
			}
		}
	}
	return false
}

// spreadRight looks at which hosts the distributed routers are on: where a port can reach them, through each other too.
func spreadRight(t failer, s state.Snapshot, unique func(string, string, ...any)) {
	t.Helper()
	var routers []*model.Router
	nets := map[string]map[string]bool{}
	for r := range s.Routers() {
		if r.Distributed && r.AdminStateUp && len(r.Interfaces) > 0 {
			routers = append(routers, r)
			nets[r.ID] = map[string]bool{}
			for _, p := range interfacesOf(s, r) {
				nets[r.ID][p.NetworkID] = true
			}
		}
	}
	// Networks that a packet from each router can come to: closed under the other routers.
	for changed := true; changed; {
		changed = false
		for _, a := range routers {
			for _, b := range routers {
				shared := false
				for n := range nets[b.ID] {
					shared = shared || nets[a.ID][n]
				}
				for n := range nets[b.ID] {
					if shared && !nets[a.ID][n] {
						nets[a.ID][n], changed = true, true
					}
				}
			}
		}
	}
	want := map[string]bool{}
	for _, r := range routers {
		for obj := range s.ByIDPrefix(state.Bindings, "") {
			b := obj.(*model.Binding)
			if owner := s.Port(b.PortID).DeviceOwner; nets[r.ID][b.NetworkID] && (owner == model.OwnerDHCP || owner == model.OwnerRouterInterface || !model.OwnedByWeft(owner)) {
				want[r.ID+"/"+b.Host] = true
			}
		}
		// The centralised part of a router sends to the networks of all that its packets can come to.
		for _, other := range routers {
			if sc := s.Schedule(other.ID); sc != nil && maps.Equal(nets[r.ID], nets[other.ID]) {
				want[r.ID+"/"+sc.Host] = true
				if sc.Next != "" {
					want[r.ID+"/"+sc.Next] = true
				}
			}
		}
	}
	for obj := range s.ByIDPrefix(state.RouterHosts, "") {
		h := obj.(*model.RouterHost)
		if !want[state.Key(h)] {
			t.Errorf("router %s is on %s, where nobody needs it", h.RouterID, h.Host)
		}
		delete(want, state.Key(h))
		unique(h.RouterID, "link-local %s %d", h.Host, h.LinkLocal)
		if r := s.Router(h.RouterID); r != nil {
			for _, p := range interfacesOf(s, r) {
				if s.LocalVLAN(h.Host, p.NetworkID) == nil {
					t.Errorf("router %s is on %s, where its network %s has no VLAN", r.ID, h.Host, p.NetworkID)
				}
			}
		}
	}
	for key := range want {
		t.Errorf("router/host %s is missing", key)
	}
}

// floatingRight looks at floating IPs and port forwardings, and the hosts that serve them.
func floatingRight(t failer, s state.Snapshot, unique func(string, string, ...any)) {
	t.Helper()
	served := map[string]bool{}
	for f := range s.FloatingIPs() {
		n := s.Network(f.FloatingNetworkID)
		p := s.PortByIP(f.FloatingNetworkID, f.Address)
		if n == nil || !n.RouterExternal || p == nil || p.DeviceID != f.ID || p.DeviceOwner != model.OwnerFloatingIP || !s.Subnet(f.SubnetID).CIDR.Contains(f.Address) {
			t.Errorf("floating IP %+v on %+v has port %+v", *f, n, p)
			return
		}
		var to []netip.Addr
		var subnets []string
		lead := func(port string, ip netip.Addr) {
			q := s.Port(port)
			if q == nil {
				t.Errorf("floating IP %s leads to port %s, which is gone", f.Address, port)
				return
			}
			at := slices.IndexFunc(q.FixedIPs, func(i model.FixedIP) bool { return i.IP == ip })
			if at < 0 || !ip.Is4() {
				t.Errorf("floating IP %s leads to %s, which port %s has not", f.Address, ip, port)
				return
			}
			to, subnets = append(to, ip), append(subnets, q.FixedIPs[at].SubnetID)
		}
		if f.PortID != "" {
			lead(f.PortID, f.FixedIP)
			unique(f.ID, "fixed IP %s %s %s", f.PortID, f.FixedIP, f.FloatingNetworkID)
			unique(f.ID, "rule %s %d", f.RouterID, f.RulePriority)
			if f.RulePriority < 32768 || f.RulePriority > 72767 {
				t.Errorf("floating IP %s has rule %d", f.Address, f.RulePriority)
			}
		} else if f.RulePriority != 0 || f.FixedIP.IsValid() {
			t.Errorf("floating IP %+v without port", *f)
		}
		for pf := range s.PortForwardingsOf(f.ID) {
			if f.PortID != "" {
				t.Errorf("floating IP %s has a port and port forwardings", f.Address)
			}
			lead(pf.InternalPortID, pf.InternalIP)
			for o := range s.PortForwardingsOf(f.ID) {
				if o.ID != pf.ID && o.Protocol == pf.Protocol && o.External.First <= pf.External.Last && pf.External.First <= o.External.Last {
					t.Errorf("port forwardings %s and %s overlap", o.ID, pf.ID)
				}
			}
		}
		r := s.Router(f.RouterID)
		if (f.RouterID != "") != (len(to) > 0) || len(to) > 0 && (r == nil || r.Gateway == nil || r.Gateway.NetworkID != f.FloatingNetworkID) {
			t.Errorf("floating IP %+v leads to %v by router %+v", *f, to, r)
			return
		}
		for _, id := range subnets {
			if !slices.ContainsFunc(interfacesOf(s, r), func(p *model.Port) bool {
				return slices.ContainsFunc(p.FixedIPs, func(i model.FixedIP) bool { return i.SubnetID == id })
			}) {
				t.Errorf("router %s is not on subnet %s, which floating IP %s leads to", r.ID, id, f.Address)
			}
		}
		if b := s.Binding(f.PortID); b != nil && r != nil && r.Distributed && s.RouterHost(r.ID, b.Host) != nil {
			mappings := s.Host(b.Host).BridgeMappings
			if len(mappings) == 0 {
				mappings = s.HostFacts(b.Host).BridgeMappings
			}
			if mappings[n.PhysicalNetwork] != "" {
				served[b.Host+" "+n.ID] = true
			}
		}
	}
	for pf := range s.PortForwardings() {
		if s.FloatingIP(pf.FloatingIPID) == nil {
			t.Errorf("port forwarding %s of no floating IP", pf.ID)
		}
	}
	for p := range s.Ports() {
		switch p.DeviceOwner {
		case model.OwnerFloatingIP:
			if f := s.FloatingIP(p.DeviceID); f == nil {
				t.Errorf("port %s of floating IP %s, which is gone", p.ID, p.DeviceID)
			}
		case model.OwnerFIPGateway:
			key := p.DeviceID + " " + p.NetworkID
			if !served[key] || p.BindingHostID != p.DeviceID || len(p.FixedIPs) != 1 {
				t.Errorf("port %+v serves no floating IP", *p)
			}
			delete(served, key)
		}
	}
	for key := range served {
		if _, network, _ := strings.Cut(key, " "); addressLeft(s, network) {
			t.Errorf("host and network %s have floating IPs, but no gateway port", key)
		}
	}
}

// addressLeft says whether an IPv4 subnet of a network has a free address.
func addressLeft(s state.Snapshot, network string, only ...string) bool {
	for sn := range s.SubnetsOf(network) {
		if !sn.CIDR.Addr().Is4() || len(only) > 0 && !slices.Contains(only, sn.ID) {
			continue
		}
		for _, r := range sn.AllocationPools {
			for a := r.Start; !r.End.Less(a); a = a.Next() {
				if a != sn.GatewayIP && s.PortByIP(network, a) == nil {
					return true
				}
			}
		}
	}
	return false
}

// servedRight looks at the ports of DHCP servers, of which there are two a network.
func servedRight(t failer, s state.Snapshot) {
	t.Helper()
	for p := range s.Ports() {
		if p.DeviceOwner == model.OwnerDHCP && (p.DeviceID != p.NetworkID || s.Host(p.BindingHostID) == nil) {
			t.Errorf("DHCP port %+v", *p)
		}
	}
	for n := range s.Networks() {
		var served []string
		for sn := range s.SubnetsOf(n.ID) {
			if sn.EnableDHCP {
				served = append(served, sn.ID)
			}
		}
		on := map[string]bool{}
		ports := 0
		for p := range s.PortsOwned(n.ID, model.OwnerDHCP) {
			ports++
			on[p.BindingHostID] = true
			for _, f := range p.FixedIPs {
				if !slices.Contains(served, f.SubnetID) {
					t.Errorf("DHCP port %s has an address of subnet %s, which it does not serve", p.ID, f.SubnetID)
				}
			}
			for _, id := range served {
				if !slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.SubnetID == id }) && addressLeft(s, n.ID, id) {
					t.Errorf("DHCP port %s has no address of subnet %s", p.ID, id)
				}
			}
		}
		if ports > 2 || len(on) < ports || ports > 0 && len(served) == 0 {
			t.Errorf("network %s has %d DHCP ports on hosts %v", n.ID, ports, on)
		}
		can, idle := fit(s, n.PhysicalNetwork), 0
		for _, h := range can {
			if !on[h] {
				idle++
			}
		}
		if idle == 0 || len(served) == 0 {
			continue
		}
		if ports < 2 && addressLeft(s, n.ID, served...) {
			t.Errorf("network %s has %d DHCP ports, but could have more on %v", n.ID, ports, can)
		}
		for h := range on {
			if !slices.Contains(can, h) {
				t.Errorf("network %s is served from %s, but could be from %v", n.ID, h, can)
			}
		}
	}
}
