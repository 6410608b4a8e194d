package plan

import (
	"net/netip"
	"slices"
)

// snat is the centralised part of a distributed router.
func (b *builder) snat(s *Snat) {
	b.forwards()
	// A connection that this namespace did not see begin, because the router has just moved here, must not be taken up
	// with another source address.
	b.set("net/netfilter/nf_conntrack_tcp_loose", "0")
	devices := map[string][]netip.Prefix{}
	for _, d := range s.Interfaces {
		devices[b.port(devSnat, d)] = d.Addresses
	}
	devices[b.gateway(s.Gateway)] = s.Gateway.Addresses
	b.extra(s.Routes, devices, false)
	b.translate(&s.Gateway)
}

// fip is where the floating IPs of distributed routers meet an external network.
func (b *builder) fip(f *FipNamespace) {
	b.forwards()
	fg := b.port(devExternal, f.Device)
	// It answers for the floating IPs that are behind it, at once.
	b.set("net/ipv4/conf/"+fg+"/proxy_arp", "1")
	b.set("net/ipv4/neigh/"+fg+"/proxy_delay", "0")
	rule(b.n.IPv4, l3, "raw", "PREROUTING", "-j CT --notrack")
	via := map[string]Hop{}
	for _, r := range b.s.Routers {
		rfp, fpr := routerDevice(devToFip, r.RouterID), routerDevice(devToRouter, r.RouterID)
		there, here := r.LinkLocal.Addr(), r.LinkLocal.Addr().Next()
		via[r.RouterID] = Hop{Via: there, Dev: fpr}
		b.n.Links = append(b.n.Links, Link{Name: fpr, MAC: pairMAC(devToRouter, r.RouterID), MTU: f.Device.MTU, Up: true, Offload: true,
			Peer: Peer{QRouter + r.RouterID, rfp}, Given: true, For: b.own})
		b.device(fpr)
		b.address(fpr, netip.PrefixFrom(here, 31), b.own)
		b.n.Neighbours = append(b.n.Neighbours, Neighbour{Dev: fpr, IP: there, MAC: pairMAC(devToFip, r.RouterID), For: b.own})
		table := number(here)
		b.defaults(table, fg, f.Device, slices.DeleteFunc(slices.Clone(f.GatewayIPs), func(a netip.Addr) bool { return !a.Is4() }))
		b.n.Rules = append(b.n.Rules, Rule{Priority: table, IIF: fpr, Table: table, For: b.own})
	}
	for _, x := range b.s.FloatingIPs {
		if hop, ok := via[x.RouterID]; ok {
			b.route(MainTable, single(x.Floating), x.Resource(), hop)
		} else {
			b.fail(x.Resource(), "router_id", "router %s has no link to this network's fip namespace on this host", x.RouterID)
		}
	}
}

// dhcp is where the DHCP server of a network is.
func (b *builder) dhcp(d *DHCP) {
	b.set("net/ipv4/ip_forward", "0")
	b.set("net/ipv6/conf/all/forwarding", "0")
	ns := b.port(devDHCP, d.Device)
	for _, s := range d.Subnets {
		if s.Gateway.IsValid() && contains(d.Device.Addresses, s.Gateway) {
			b.route(MainTable, everything(s.Gateway), b.own, Hop{Via: s.Gateway, Dev: ns})
			break
		}
	}
	// Old clients check a checksum that nobody filled in.
	rule(b.n.IPv4, dhcp, "mangle", "POSTROUTING", "-p udp -m udp --dport 68 -j CHECKSUM --checksum-fill")
	served := map[string]netip.Prefix{}
	server := &Server{NetworkID: d.NetworkID, Namespace: b.n.Name, Device: ns, Domain: d.Domain, MTU: d.Device.MTU, Subnets: d.Subnets}
	for _, s := range d.Subnets {
		served[s.ID] = s.CIDR
	}
	for _, e := range b.s.Endpoints {
		h := ServerHost{PortID: e.PortID, MAC: e.MAC, Hostname: e.Hostname, Options: e.Options}
		for _, a := range e.Addresses {
			if subnet, ok := served[a.SubnetID]; ok && a.IP.Is4() == subnet.Addr().Is4() {
				h.Addresses = append(h.Addresses, a)
			}
		}
		if e.DHCP && len(h.Addresses) > 0 {
			server.Hosts = append(server.Hosts, h)
		}
	}
	b.n.Server = server
	if d.Metadata {
		b.address(ns, single(netip.MustParseAddr(metadataIP)), b.own)
		l := &Listener{Namespace: b.n.Name, Addr: metadataIP + ":80", NetworkID: d.NetworkID, Callers: map[netip.Addr]*Caller{}}
		for _, e := range b.s.Endpoints {
			for _, a := range e.Addresses {
				if e.Metadata {
					l.Callers[a.IP] = e.Caller
				}
			}
		}
		b.n.Listener = l
	}
}
