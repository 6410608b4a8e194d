package model

import (
	"fmt"
	"net/netip"
	"slices"
)

// Modes of IPv6 subnets. The names are Neutron's.
const (
	// SLAAC: machines make their addresses of an advertised prefix and their MAC (RFC 4862).
	SLAAC = "slaac"
	// DHCPv6Stateless: likewise, and DHCPv6 tells them the rest.
	DHCPv6Stateless = "dhcpv6-stateless"
	// DHCPv6Stateful: DHCPv6 gives them their addresses, and the rest.
	DHCPv6Stateful = "dhcpv6-stateful"
)

// noUnicast are blocks whose addresses no port can have, and why (RFC 6890, RFC 4291).
var noUnicast = []struct {
	block netip.Prefix
	why   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "means \"this network\""},
	{netip.MustParsePrefix("127.0.0.0/8"), "is loopback"},
	{netip.MustParsePrefix("224.0.0.0/4"), "is multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "is the limited broadcast address"},
	{netip.MustParsePrefix("::/128"), "is the unspecified address"},
	{netip.MustParsePrefix("::1/128"), "is loopback"},
	{netip.MustParsePrefix("fe80::/10"), "is link-local, which every interface has by itself"},
	{netip.MustParsePrefix("ff00::/8"), "is multicast"},
}

// Validate judges the subnet by itself. AllocationPools may be left to the store (empty).
func (s *Subnet) Validate() []Violation {
	var v violations
	v.id(&s.Meta)
	v.meta(&s.Meta)
	if s.NetworkID == "" {
		v.add("network_id", "is missing")
	}
	if !s.CIDR.IsValid() {
		v.add("cidr", "is missing: write e.g. 10.0.1.0/24 or fd00:1::/64")
		return v
	}
	if why := oddPrefix(s.CIDR); why != "" {
		v.add("cidr", "%s", why)
		return v
	}
	if s.CIDR.Bits() == 0 {
		v.add("cidr", "%s is the whole address space; give a smaller block", s.CIDR)
		return v
	}
	for _, n := range noUnicast {
		if n.block.Overlaps(s.CIDR) {
			v.add("cidr", "%s overlaps %s, which %s", s.CIDR, n.block, n.why)
		}
	}
	if g := s.GatewayIP; g.IsValid() {
		v.inBlock("gateway_ip", g, s.CIDR)
	}
	v.pools(s)
	v.modes(s)
	v.dhcp(s)
	return v
}

// SelfMade says whether machines make their addresses on the subnet themselves: each has the one that belongs to its MAC, and no other.
func (s *Subnet) SelfMade() bool {
	return selfMade(s.IPv6RAMode) || selfMade(s.IPv6AddressMode)
}

func selfMade(mode string) bool { return mode == SLAAC || mode == DHCPv6Stateless }

// WantsDHCPv6 says whether the subnet's ports are served by DHCPv6.
func (s *Subnet) WantsDHCPv6() bool {
	return s.IPv6AddressMode == DHCPv6Stateless || s.IPv6AddressMode == DHCPv6Stateful
}

func (v *violations) modes(s *Subnet) {
	before := len(*v)
	for _, m := range []struct{ field, mode string }{{"ipv6_ra_mode", s.IPv6RAMode}, {"ipv6_address_mode", s.IPv6AddressMode}} {
		switch {
		case m.mode == "":
		case m.mode != SLAAC && m.mode != DHCPv6Stateless && m.mode != DHCPv6Stateful:
			v.add(m.field, "%q is none of %s, %s, %s", m.mode, SLAAC, DHCPv6Stateless, DHCPv6Stateful)
		case s.CIDR.Addr().Is4():
			v.add(m.field, "is for IPv6 subnets, and %s is IPv4; leave it out", s.CIDR)
		case selfMade(m.mode) && s.CIDR.Bits() != 64:
			v.add(m.field, "%q needs a prefix of 64 bits, of which machines make themselves an address (RFC 4862), and %s has %d", m.mode, s.CIDR, s.CIDR.Bits())
		}
	}
	if len(*v) == before && s.IPv6AddressMode == DHCPv6Stateful && s.CIDR.Bits() < 64 {
		v.add("ipv6_address_mode", "%q is served for prefixes of 64 bits or more (dnsmasq), and %s has %d", s.IPv6AddressMode, s.CIDR, s.CIDR.Bits())
	}
	if len(*v) == before && s.IPv6RAMode != "" && s.IPv6AddressMode != "" && s.IPv6RAMode != s.IPv6AddressMode {
		v.add("ipv6_address_mode", "%q is not what routers advertise by ipv6_ra_mode %q; give both the same, or only one", s.IPv6AddressMode, s.IPv6RAMode)
	}
}

// Limits of what DHCP announces: an option holds 255 bytes (RFC 2132 2), a name server takes 4 of them and a classless
// route up to 9 (RFC 3442).
const (
	MaxNameservers = 16
	MaxHostRoutes  = 20
)

func (v *violations) dhcp(s *Subnet) {
	if s.CIDR.Addr().Is6() {
		switch {
		case s.EnableDHCP && !s.WantsDHCPv6():
			v.add("enable_dhcp", "is true, and %s is IPv6: give it the ipv6_address_mode %s or %s, or leave enable_dhcp out",
				s.CIDR, DHCPv6Stateful, DHCPv6Stateless)
		case !s.EnableDHCP && s.WantsDHCPv6():
			v.add("enable_dhcp", "is false, and ipv6_address_mode is %q; leave one of them out", s.IPv6AddressMode)
		}
	}
	if n := len(s.DNSNameservers); n > MaxNameservers {
		v.add("dns_nameservers", "there are %d; at most %d are allowed", n, MaxNameservers)
	} else {
		v.nameservers(s)
	}
	if len(s.HostRoutes) > 0 && s.CIDR.Addr().Is6() {
		v.add("host_routes", "are announced by DHCP for IPv4 only, and %s is IPv6; leave them out", s.CIDR)
		return
	}
	if n := len(s.HostRoutes); n > MaxHostRoutes {
		v.add("host_routes", "there are %d; at most %d are allowed", n, MaxHostRoutes)
		return
	}
	before := len(*v)
	v.routes("host_routes", s.HostRoutes)
	if len(*v) != before {
		return
	}
	for i, r := range s.HostRoutes {
		v.inBlock(fmt.Sprintf("host_routes[%d].nexthop", i), r.NextHop, s.CIDR)
	}
}

func (v *violations) nameservers(s *Subnet) {
	seen := map[string]int{}
	for i, a := range s.DNSNameservers {
		field := fmt.Sprintf("dns_nameservers[%d]", i)
		switch {
		case !a.IsValid():
			v.add(field, "is missing")
		case oddAddr(a) != "":
			v.add(field, "%s", oddAddr(a))
		case a.Is4() != s.CIDR.Addr().Is4():
			v.add(field, "%s is of another IP version than %s", a, s.CIDR)
		case a == netip.IPv4Unspecified():
			if len(s.DNSNameservers) > 1 {
				v.add(field, "0.0.0.0 announces no name server at all; give it alone, or leave it out")
			}
		default:
			v.unicast(field, a)
			v.onceIn(seen, "dns_nameservers", i, field, a.String())
		}
	}
}

// Usable says why a port or gateway cannot have the address in that block, or "".
func Usable(a netip.Addr, cidr netip.Prefix) string {
	if why := oddAddr(a); why != "" {
		return why
	}
	if !cidr.Contains(a) {
		return fmt.Sprintf("%s is outside %s", a, cidr)
	}
	for i, r := range Reserved(cidr) {
		if a == r {
			kind := "network"
			switch {
			case a.Is6():
				kind = "subnet-router anycast"
			case i == 1:
				kind = "broadcast"
			}
			u := usable(cidr)
			return fmt.Sprintf("%s is the %s address of %s; choose one of %s", a, kind, cidr, u)
		}
	}
	return ""
}

func (v *violations) inBlock(field string, a netip.Addr, cidr netip.Prefix) {
	if why := Usable(a, cidr); why != "" {
		v.add(field, "%s", why)
	}
}

func (v *violations) pools(s *Subnet) {
	type numbered struct {
		Range
		field string
	}
	var good []numbered
	for i, r := range s.AllocationPools {
		field := fmt.Sprintf("allocation_pools[%d]", i)
		before := len(*v)
		if !r.Start.IsValid() {
			v.add(field+".start", "is missing")
		}
		if !r.End.IsValid() {
			v.add(field+".end", "is missing")
		}
		if len(*v) == before {
			v.inBlock(field+".start", r.Start, s.CIDR)
			v.inBlock(field+".end", r.End, s.CIDR)
		}
		if len(*v) != before {
			continue
		}
		if r.End.Less(r.Start) {
			v.add(field, "%s is reversed; write %s", r, Range{r.End, r.Start})
			continue
		}
		if s.GatewayIP.IsValid() && r.Contains(s.GatewayIP) {
			v.add(field, "%s contains the gateway %s; split the pool around it", r, s.GatewayIP)
		}
		good = append(good, numbered{r, field})
	}
	slices.SortStableFunc(good, func(a, b numbered) int { return a.Start.Compare(b.Start) })
	for i := 1; i < len(good); i++ {
		// The pool before may end later than all between; compare with the one that reaches farthest.
		prev := good[i-1]
		if !prev.End.Less(good[i].Start) {
			v.add(good[i].field, "%s overlaps %s (%s)", good[i].Range, prev.field, prev.Range)
			if good[i].End.Less(prev.End) {
				good[i].End = prev.End
			}
		}
	}
}
