package plan

import (
	"fmt"
	"net/netip"
	"slices"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// linkLocals are the addresses between qrouter and fip namespaces (Neutron's; RFC 3927).
var linkLocals = netip.MustParsePrefix("169.254.64.0/18")

func (r *reader) router(n *nodev1.Router) *Router {
	out := &Router{RouterID: r.uuid("router_id", n.GetRouterId()), Distributed: n.GetDistributed(), Metadata: n.GetMetadata(), Routes: r.routes("routes", n.GetRoutes())}
	var devices []Device
	for i, in := range n.GetInterfaces() {
		f := fmt.Sprintf("interfaces[%d]", i)
		x := RouterInterface{Device: r.device(f+".device", in.GetDevice()), SnatAddresses: r.addrs(f+".snat_addresses", in.GetSnatAddresses())}
		if len(x.SnatAddresses) > 0 && !out.Distributed {
			r.fail(f+".snat_addresses", "only a distributed router has any")
		}
		for j, a := range x.SnatAddresses {
			if !contains(x.Addresses, a) {
				r.fail(fmt.Sprintf("%s.snat_addresses[%d]", f, j), "%v is on no subnet of the device's addresses %v", a, x.Addresses)
			}
		}
		x.Advertisement = r.advertisement(f+".advertisement", in.GetAdvertisement(), x.Device)
		out.Interfaces = append(out.Interfaces, x)
		devices = append(devices, x.Device)
	}
	if g := n.GetGateway(); g != nil {
		if out.Distributed {
			r.fail("gateway", "that of a distributed router is in its snat resource")
		}
		gw := r.gateway("gateway", g)
		out.Gateway = &gw
		devices = append(devices, gw.Device)
	}
	r.distinct("interfaces", devices...)
	r.linkLocal(n, out)
	return out
}

// maxAdvertisedDNS is how many name servers a router tells of for each subnet, as many as one may have.
const maxAdvertisedDNS = 16

func (r *reader) advertisement(f string, n *nodev1.RouterAdvertisement, d Device) *Advertisement {
	if n == nil {
		return nil
	}
	out := &Advertisement{DefaultRouter: n.GetDefaultRouter(), Managed: n.GetManaged(), OtherConfig: n.GetOtherConfig()}
	if len(n.GetPrefixes()) == 0 {
		r.fail(f+".prefixes", "there is none, so there is nothing to advertise")
	}
	seen := map[netip.Prefix]bool{}
	for i, a := range n.GetPrefixes() {
		field := fmt.Sprintf("%s.prefixes[%d]", f, i)
		p := r.block(field+".prefix", a.GetPrefix())
		switch {
		case !p.IsValid():
		case !p.Addr().Is6():
			r.fail(field+".prefix", "%v is not IPv6", p)
		case p.Addr().IsLinkLocalUnicast():
			r.fail(field+".prefix", "%v is on every link, and nobody tells of it", p)
		case !slices.ContainsFunc(d.Addresses, func(x netip.Prefix) bool { return x.Masked() == p }):
			r.fail(field+".prefix", "%v is no subnet of the device's addresses %v", p, d.Addresses)
		case seen[p]:
			r.fail(field+".prefix", "%v is there twice", p)
		case a.GetAutonomous() && p.Bits() != 64:
			r.fail(field+".autonomous", "%v has %d bits, and machines make themselves an address of a prefix of 64", p, p.Bits())
		}
		seen[p] = true
		out.Prefixes = append(out.Prefixes, AdvertisedPrefix{Prefix: p, Autonomous: a.GetAutonomous()})
	}
	if most := maxAdvertisedDNS * len(n.GetPrefixes()); len(n.GetDnsNameservers()) > most {
		r.fail(f+".dns_nameservers", "there are %d; at most %d are possible", len(n.GetDnsNameservers()), most)
	}
	for i, a := range r.addrs(f+".dns_nameservers", n.GetDnsNameservers()) {
		field := fmt.Sprintf("%s.dns_nameservers[%d]", f, i)
		if a.Is4() {
			r.fail(field, "%v is not an IPv6 address", a)
		}
		if slices.Contains(out.DNS, a) {
			r.fail(field, "%v is there twice", a)
		}
		out.DNS = append(out.DNS, a)
	}
	return out
}

func (r *reader) linkLocal(n *nodev1.Router, out *Router) {
	if n.GetLinkLocal() == "" {
		if n.GetFipNetworkId() != "" {
			r.fail("fip_network_id", "it is there and link_local is not")
		}
		return
	}
	if !out.Distributed {
		r.fail("link_local", "only a distributed router has one")
	}
	p := r.block("link_local", n.GetLinkLocal())
	if p.IsValid() && (p.Bits() != 31 || !linkLocals.Contains(p.Addr())) {
		r.fail("link_local", "%v is not a pair of addresses (/31) out of %v", p, linkLocals)
	}
	out.LinkLocal = p
	out.FipNetworkID = r.uuid("fip_network_id", n.GetFipNetworkId())
}

func (r *reader) snat(n *nodev1.Snat) *Snat {
	out := &Snat{RouterID: r.uuid("router_id", n.GetRouterId()), Gateway: r.gateway("gateway", n.GetGateway()), Routes: r.routes("routes", n.GetRoutes())}
	devices := []Device{out.Gateway.Device}
	for i, d := range n.GetInterfaces() {
		out.Interfaces = append(out.Interfaces, r.device(fmt.Sprintf("interfaces[%d]", i), d))
		devices = append(devices, out.Interfaces[i])
	}
	r.distinct("interfaces", devices...)
	return out
}

func (r *reader) fipNamespace(n *nodev1.FipNamespace) *FipNamespace {
	return &FipNamespace{NetworkID: r.uuid("network_id", n.GetNetworkId()), Device: r.device("device", n.GetDevice()), GatewayIPs: r.gatewayIPs("gateway_ips", n.GetGatewayIps())}
}

// Priorities of rules that lead a fixed address to table 16 (Neutron's range).
const (
	firstFloatingRule = 32768
	lastFloatingRule  = 72767
)

func (r *reader) floatingIP(n *nodev1.FloatingIp) *FloatingIP {
	out := &FloatingIP{ID: r.uuid("id", n.GetId()), RouterID: r.uuid("router_id", n.GetRouterId()),
		Floating: r.addr4("floating_ip_address", n.GetFloatingIpAddress()), Fixed: r.addr4("fixed_ip_address", n.GetFixedIpAddress()),
		Place: r.oneOf("place", n.GetPlace(), PlaceRouter, PlaceFip, PlaceSnat), NetworkID: r.uuid("network_id", n.GetNetworkId())}
	if out.Place == PlaceFip {
		out.RulePriority = n.GetRulePriority()
		if out.RulePriority < firstFloatingRule || out.RulePriority > lastFloatingRule {
			r.fail("rule_priority", "%d is not in %d..%d", out.RulePriority, firstFloatingRule, lastFloatingRule)
		}
	}
	if out.Floating == out.Fixed {
		r.fail("fixed_ip_address", "it is the floating address itself")
	}
	return out
}

func (r *reader) portForwarding(n *nodev1.PortForwarding) *PortForwarding {
	out := &PortForwarding{ID: r.uuid("id", n.GetId()), RouterID: r.uuid("router_id", n.GetRouterId()), Place: r.oneOf("place", n.GetPlace(), PlaceRouter, PlaceSnat),
		Floating: r.addr4("floating_ip_address", n.GetFloatingIpAddress()), Protocol: r.oneOf("protocol", n.GetProtocol(), "tcp", "udp"),
		External: r.ports("external", n.GetExternalFirst(), n.GetExternalLast()), Internal: r.addr4("internal_ip_address", n.GetInternalIpAddress()),
		InternalPorts: r.ports("internal", n.GetInternalFirst(), n.GetInternalLast())}
	in, ex := out.InternalPorts, out.External
	if in.First != in.Last && in.Last-in.First != ex.Last-ex.First {
		r.fail("internal_last", "%d to %d are not as many ports as %d to %d, and not one", in.First, in.Last, ex.First, ex.Last)
	}
	return out
}

func (r *reader) ports(field string, first, last uint32) PortRange {
	if first < 1 || first > 65535 {
		r.fail(field+"_first", "%d is not in 1..65535", first)
	}
	if last < first || last > 65535 {
		r.fail(field+"_last", "%d is not in %d..65535", last, first)
	}
	return PortRange{uint16(first), uint16(last)}
}

// contains says whether an address is on one of the subnets.
func contains(subnets []netip.Prefix, a netip.Addr) bool {
	for _, p := range subnets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
