package kind

import (
	"strconv"
	"strings"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Router forwards between subnets and, with a gateway, to an external network.
var Router = &Kind{
	Name: "router", Plural: "routers", Short: []string{"rtr", "rtrs"},
	About:   "what forwards between subnets and, with a gateway, to an external network",
	message: (*weftv1.Router)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "admin_state_up", Default: "true",
			Help: "false takes the router off all hosts"},
		{Name: "distributed", Not: "centralized", Default: "true",
			Help: "on every host with a port of its networks, and not on one network host"},
		{Name: "external_gateway_info.network_id", FlagName: "external-gateway", Ref: "network",
			Help: "external network that its gateway is on"},
		{Name: "external_gateway_info.enable_snat", FlagName: "enable-snat", Not: "disable-snat", Default: "true",
			Help: "what has no floating IP leaves with the gateway's address"},
		{Name: "external_gateway_info.external_fixed_ips", FlagName: "external-fixed-ip", Main: "ip-address", Default: "one of each IP version",
			Help: "address of the gateway: either part, or just the address"},
		{Name: "interfaces", FlagName: "interface", Main: "subnet",
			Help: "port on a subnet: the subnet, or a port that is there"},
		{Name: "routes", FlagName: "route",
			Help: "extra route"},
	},
	Filters: []Filter{projectFilter, nameFilter,
		{Name: "network_id", FlagName: "external-gateway", Ref: "network", Help: "only those with their gateway on this network",
			Value: func(m Message) []string {
				return []string{m.(*weftv1.Router).GetExternalGatewayInfo().GetNetworkId()}
			}},
		{Name: "subnet_id", FlagName: "subnet", Ref: "subnet", Help: "only those with an interface on this subnet",
			Value: func(m Message) []string {
				var subnets []string
				for _, i := range m.(*weftv1.Router).GetInterfaces() {
					subnets = append(subnets, i.GetSubnetId())
				}
				return subnets
			}},
		{Name: "host", Ref: "host", Help: "only those that this host has a namespace of",
			Value: func(m Message) []string { return routerHosts(m) }},
	},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Room: 12, Elide: true, Text: name},
		{Head: "PROJECT", Wide: true, Text: project},
		{Head: "MODE", Room: 11, Text: func(m Message, _ Names) string {
			if m.(*weftv1.Router).GetDistributed() {
				return "distributed"
			}
			return "centralized"
		}},
		{Head: "EXTERNAL", Room: 12, Elide: true, Text: func(m Message, names Names) string {
			return names("network", m.(*weftv1.Router).GetExternalGatewayInfo().GetNetworkId())
		}},
		{Head: "GATEWAY", Room: 15, Narrow: true, Text: func(m Message, _ Names) string { return some(gateways(m)) }},
		{Head: "GATEWAY", Room: 15, Wide: true, Text: func(m Message, _ Names) string { return strings.Join(gateways(m), ",") }},
		{Head: "SNAT", Wide: true, Text: func(m Message, _ Names) string {
			if gw := m.(*weftv1.Router).GetExternalGatewayInfo(); gw != nil {
				return strconv.FormatBool(gw.GetEnableSnat())
			}
			return ""
		}},
		{Head: "SUBNETS", Right: true, Text: func(m Message, _ Names) string {
			return strconv.Itoa(len(m.(*weftv1.Router).GetInterfaces()))
		}},
		{Head: "GATEWAY HOST", Room: 12, Elide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Router).GetStatus().GetGatewayHost() }},
		{Head: "HOSTS", Wide: true, Text: func(m Message, _ Names) string { return strings.Join(m.(*weftv1.Router).GetStatus().GetHosts(), ",") }},
		{Head: "STATUS", Room: 6, State: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Router).GetStatus().GetStatus() }},
	},
}

// gateways are the addresses of a router's gateway.
func gateways(m Message) []string {
	var out []string
	for _, f := range m.(*weftv1.Router).GetExternalGatewayInfo().GetExternalFixedIps() {
		out = append(out, f.GetIpAddress())
	}
	return out
}

func routerHosts(m Message) []string {
	st := m.(*weftv1.Router).GetStatus()
	return append([]string{st.GetGatewayHost()}, st.GetHosts()...)
}
