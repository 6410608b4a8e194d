package kind

import (
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// FloatingIP is an external address that stands for an address of a port.
var FloatingIP = &Kind{
	Name: "floatingip", Plural: "floatingips", Short: []string{"fip", "fips", "floating-ip", "floating-ips"},
	About:   "an external address that stands for an address of a port",
	message: (*weftv1.FloatingIP)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "floating_network_id", FlagName: "network", Ref: "network",
			Help: "external network that the address is of"},
		{Name: "subnet_id", FlagName: "subnet", Ref: "subnet", Default: "any of the network",
			Help: "subnet that the address is of"},
		{Name: "floating_ip_address", Default: "any that is free",
			Help: "the address"},
		{Name: "port_id", FlagName: "port", Ref: "port", Default: "none yet",
			Help: "port that it stands for"},
		{Name: "fixed_ip_address", Default: "the port's, when it has one IPv4 address",
			Help: "which of the port's addresses"},
	},
	Filters: []Filter{projectFilter, nameFilter,
		{Name: "floating_network_id", FlagName: "network", Ref: "network", Help: "only addresses of this network",
			Value: func(m Message) []string { return []string{m.(*weftv1.FloatingIP).GetFloatingNetworkId()} }},
		{Name: "router_id", FlagName: "router", Ref: "router", Help: "only those that this router serves",
			Value: func(m Message) []string { return []string{m.(*weftv1.FloatingIP).GetRouterId()} }},
		{Name: "port_id", FlagName: "port", Ref: "port", Help: "only those that stand for this port",
			Value: func(m Message) []string { return []string{m.(*weftv1.FloatingIP).GetPortId()} }},
		{Name: "floating_ip_address", Help: "only this address",
			Value: func(m Message) []string { return []string{m.(*weftv1.FloatingIP).GetFloatingIpAddress()} }},
	},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Wide: true, Text: name},
		{Head: "PROJECT", Wide: true, Text: project},
		{Head: "ADDRESS", Room: 15, Text: func(m Message, _ Names) string { return m.(*weftv1.FloatingIP).GetFloatingIpAddress() }},
		{Head: "NETWORK", Room: 12, Elide: true, Text: func(m Message, names Names) string {
			return names("network", m.(*weftv1.FloatingIP).GetFloatingNetworkId())
		}},
		{Head: "PORT", Room: 12, Elide: true, Text: func(m Message, names Names) string { return names("port", m.(*weftv1.FloatingIP).GetPortId()) }},
		{Head: "FIXED IP", Room: 15, Text: func(m Message, _ Names) string { return m.(*weftv1.FloatingIP).GetFixedIpAddress() }},
		{Head: "ROUTER", Room: 12, Elide: true, Text: func(m Message, names Names) string {
			return names("router", m.(*weftv1.FloatingIP).GetRouterId())
		}},
		{Head: "HOST", Room: 12, Elide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.FloatingIP).GetStatus().GetHost() }},
		{Head: "NAMESPACE", Wide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.FloatingIP).GetStatus().GetNamespace() }},
		{Head: "STATUS", Room: 6, State: true, Text: func(m Message, _ Names) string { return m.(*weftv1.FloatingIP).GetStatus().GetStatus() }},
	},
}
