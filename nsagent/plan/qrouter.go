package plan

import (
	"hash/crc32"
	"net/netip"
	"slices"
)

// centralised is a router that is on one host.
func (b *builder) centralised(r *Router) {
	b.forwards()
	devices := map[string][]netip.Prefix{}
	for _, i := range r.Interfaces {
		devices[b.port(devRouter, i.Device)] = i.Addresses
	}
	if r.Gateway != nil {
		devices[b.gateway(*r.Gateway)] = r.Gateway.Addresses
	}
	b.extra(r.Routes, devices, false)
	b.advertise(r)
	b.metadata(r)
	b.translate(r.Gateway)
}

// distributed is one of the copies of a distributed router.
func (b *builder) distributed(r *Router) {
	b.forwards()
	devices := map[string][]netip.Prefix{}
	for _, i := range r.Interfaces {
		name := b.port(devRouter, i.Device)
		devices[name] = i.Addresses
		// A VM that takes over an address by a gratuitous ARP must be believed by every copy.
		b.set("net/ipv4/conf/"+name+"/arp_accept", "1")
		b.neighbours(name, i.Device)
		for _, a := range i.SnatAddresses {
			b.toSnat(name, i.Device, a)
		}
	}
	b.extra(r.Routes, devices, true)
	b.behind(r)
	b.advertise(r)
	b.metadata(r)
	rfp := b.toFip(r)
	for _, f := range b.s.FloatingIPs {
		switch {
		case f.Place != PlaceFip:
			b.fail(f.Resource(), "place", "%q is for a centralised router, and %s is distributed", f.Place, r.RouterID)
		case rfp == "":
			b.fail(f.Resource(), "router_id", "router %s has no link to a fip namespace on this host", r.RouterID)
		case f.NetworkID != r.FipNetworkID:
			b.fail(f.Resource(), "network_id", "router %s is linked to the fip namespace of network %s", r.RouterID, r.FipNetworkID)
		default:
			b.n.Rules = append(b.n.Rules, Rule{Priority: f.RulePriority, From: single(f.Fixed), Table: FloatingTable, For: f.Resource()})
			b.dnat(f, "-i "+rfp+" ")
		}
	}
	for _, p := range b.s.PortForwardings {
		b.fail(p.Resource(), "place", "%q is for a centralised router, and %s is distributed", p.Place, r.RouterID)
	}
	if rfp != "" {
		b.natChains()
		b.rule4("nat", "POSTROUTING", "! -o "+rfp+" -m conntrack ! --ctstate DNAT -j ACCEPT")
		b.dropInvalid(rfp)
	}
}

// neighbours adds the ports of a device's network that are on its subnets: nobody need ask for them, and nobody can
// answer falsely.
func (b *builder) neighbours(name string, d Device) {
	for _, e := range b.s.Endpoints {
		if !e.Neighbour || e.NetworkID != d.NetworkID {
			continue
		}
		for _, a := range e.Addresses {
			if contains(d.Addresses, a.IP) {
				b.n.Neighbours = append(b.n.Neighbours, Neighbour{Dev: name, IP: a.IP, MAC: e.MAC, For: e.Resource()})
			}
		}
	}
}

// toSnat leads what comes from a subnet, and is not for another, to the router's snat namespace.
func (b *builder) toSnat(name string, d Device, via netip.Addr) {
	for _, p := range d.Addresses {
		if !p.Contains(via) {
			continue
		}
		n := snatTable(p)
		b.n.Rules = append(b.n.Rules, Rule{Priority: n, IPv6: p.Addr().Is6(), From: p, Table: n, For: b.own})
		b.route(n, everything(via), b.own, Hop{Via: via, Dev: name})
	}
}

// behind leads what comes from a block behind another router, which is of no subnet of this one, to the snat namespace too:
// by the subnet that the next hop of the extra route to the block is on.
func (b *builder) behind(r *Router) {
	ruled := map[netip.Prefix]bool{}
	for _, route := range r.Routes {
		for _, i := range r.Interfaces {
			for _, p := range i.Addresses {
				if route.Destination.Bits() == 0 || ruled[route.Destination] || !p.Contains(route.NextHop) || !slices.ContainsFunc(i.SnatAddresses, p.Contains) {
					continue
				}
				ruled[route.Destination] = true
				n := snatTable(p)
				b.n.Rules = append(b.n.Rules, Rule{Priority: n, IPv6: p.Addr().Is6(), From: route.Destination, Table: n, For: b.own})
			}
		}
	}
}

// snatTable is the number of a gateway address's rule and routing table, as Neutron counts: an IPv4 address as a number,
// a hash of 30 bits of an IPv6 address with its prefix length (dvr_local_router.py, _get_snat_idx).
func snatTable(gateway netip.Prefix) uint32 {
	if a := gateway.Addr(); a.Is4() {
		return number(a)
	}
	const mask = 1<<30 - 1
	c := crc32.ChecksumIEEE([]byte(gateway.String()))
	c = c>>30 ^ c&mask
	if c < firstFloatingRule {
		c += mask
	}
	return c
}

// number is an IPv4 address as a number.
func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// toFip makes the pair to the fip namespace, and gives the name of the end here, or "" without one.
func (b *builder) toFip(r *Router) string {
	if !r.LinkLocal.IsValid() || b.s.Fip == nil {
		return ""
	}
	rfp, fpr := routerDevice(devToFip, r.RouterID), routerDevice(devToRouter, r.RouterID)
	here, there := r.LinkLocal.Addr(), r.LinkLocal.Addr().Next()
	b.n.Links = append(b.n.Links, Link{Name: rfp, MAC: pairMAC(devToFip, r.RouterID), MTU: b.s.Fip.Device.MTU, Up: true, Offload: true,
		Peer: Peer{FIP + r.FipNetworkID, fpr}, For: b.own})
	b.device(rfp)
	b.address(rfp, netip.PrefixFrom(here, 31), b.own)
	b.n.Neighbours = append(b.n.Neighbours, Neighbour{Dev: rfp, IP: there, MAC: pairMAC(devToRouter, r.RouterID), For: b.own})
	b.route(FloatingTable, everything(there), b.own, Hop{Via: there, Dev: rfp})
	return rfp
}

// advertise tells machines of the router where they are to be told.
func (b *builder) advertise(r *Router) {
	var devices []AdvertisingDevice
	for _, i := range r.Interfaces {
		if i.Advertisement != nil {
			devices = append(devices, AdvertisingDevice{Name: portDevice(devRouter, i.PortID), MTU: i.MTU, Advertisement: *i.Advertisement})
		}
	}
	if len(devices) > 0 {
		b.n.Advertiser = &Advertiser{RouterID: r.RouterID, Namespace: b.n.Name, Devices: sortedBy(devices, func(d AdvertisingDevice) string { return d.Name })}
	}
}

// metadata leads the metadata address to the listener, and keeps everybody else from it.
func (b *builder) metadata(r *Router) {
	if !r.Metadata {
		return
	}
	const asked = "-d " + metadataIP + "/32 -i " + devRouter + "+ -p tcp -m tcp --dport 80 "
	b.rule4("nat", "PREROUTING", asked+"-j REDIRECT --to-ports "+metadataPort)
	b.rule4("mangle", "PREROUTING", asked+"-j MARK --set-xmark 0x1/0xffff")
	b.ordered4("filter", "INPUT", "-m mark --mark 0x1/0xffff -j ACCEPT", "-p tcp -m tcp --dport "+metadataPort+" -j DROP")
	rule(b.n.IPv6, l3, "filter", "INPUT", "-p tcp -m tcp --dport "+metadataPort+" -j DROP")
	l := &Listener{Namespace: b.n.Name, Addr: ":" + metadataPort, RouterID: r.RouterID, Callers: map[netip.Addr]*Caller{}}
	for _, e := range b.s.Endpoints {
		for _, a := range e.Addresses {
			for _, i := range r.Interfaces {
				if e.Metadata && i.NetworkID == e.NetworkID && contains(i.Addresses, a.IP) {
					l.Callers[a.IP] = e.Caller
				}
			}
		}
	}
	b.n.Listener = l
}
