package kind

import (
	"strconv"
	"strings"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Subnet is an address block of a network.
var Subnet = &Kind{
	Name: "subnet", Plural: "subnets", Short: []string{"sub", "subs"},
	About:   "an address block of a network",
	message: (*weftv1.Subnet)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "network_id", FlagName: "network", Ref: "network",
			Help: "network that it belongs to"},
		{Name: "ip_version", Values: []string{"4", "6"},
			Help: "4 or 6", Default: "that of the cidr"},
		{Name: "cidr",
			Help: "address block without host bits, e.g. 10.0.1.0/24"},
		{Name: "gateway_ip", None: "none",
			Help: "address of the gateway, or none", Default: "first of the block"},
		{Name: "allocation_pools", FlagName: "allocation-pool",
			Help: "range that automatic addresses come from", Default: "the whole block"},
		{Name: "enable_dhcp", FlagName: "dhcp", Not: "no-dhcp", Default: "true for IPv4; for IPv6 as the address mode says",
			Help: "ports get their address by DHCP"},
		{Name: "ipv6_ra_mode", Values: []string{"slaac", "dhcpv6-stateful", "dhcpv6-stateless"},
			Help: "what routers advertise: slaac, dhcpv6-stateful or dhcpv6-stateless", Default: "nothing"},
		{Name: "ipv6_address_mode", Values: []string{"slaac", "dhcpv6-stateful", "dhcpv6-stateless"},
			Help: "how machines come to their addresses: likewise", Default: "by other means"},
		{Name: "dns_nameservers", FlagName: "dns", Default: "the DHCP servers",
			Help: "name server that DHCP announces; 0.0.0.0: none"},
		{Name: "host_routes", FlagName: "host-route",
			Help: "route that DHCP announces"},
	},
	Filters: []Filter{projectFilter, nameFilter,
		{Name: "network_id", FlagName: "network", Ref: "network", Help: "only those of this network",
			Value: func(m Message) []string { return []string{m.(*weftv1.Subnet).GetNetworkId()} }},
	},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Room: 12, Elide: true, Text: name},
		{Head: "PROJECT", Wide: true, Text: project},
		{Head: "NETWORK", Room: 12, Elide: true, Text: func(m Message, names Names) string { return names("network", m.(*weftv1.Subnet).GetNetworkId()) }},
		{Head: "CIDR", Room: 15, Text: func(m Message, _ Names) string { return m.(*weftv1.Subnet).GetCidr() }},
		{Head: "GATEWAY", Room: 12, Text: func(m Message, _ Names) string {
			if s := m.(*weftv1.Subnet); s.GetGatewayIp() != "" {
				return s.GetGatewayIp()
			}
			return "none"
		}},
		{Head: "POOLS", Wide: true, Text: func(m Message, _ Names) string {
			var pools []string
			for _, p := range m.(*weftv1.Subnet).GetAllocationPools() {
				pools = append(pools, p.GetStart()+"-"+p.GetEnd())
			}
			return strings.Join(pools, ",")
		}},
		{Head: "DHCP", Wide: true, Text: func(m Message, _ Names) string {
			return strconv.FormatBool(m.(*weftv1.Subnet).GetEnableDhcp())
		}},
		{Head: "IPV6", Wide: true, Text: func(m Message, _ Names) string { return modes(m.(*weftv1.Subnet)) }},
	},
}

// modes says in a word or two how machines come to addresses on an IPv6 subnet.
func modes(s *weftv1.Subnet) string {
	switch ra, addresses := s.GetIpv6RaMode(), s.GetIpv6AddressMode(); {
	case ra == addresses:
		return ra
	case ra == "":
		return "no RA, " + addresses
	default:
		return "RA " + ra
	}
}
