package kind

import (
	"fmt"
	"strconv"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Network is a layer-2 segment.
var Network = &Kind{
	Name: "network", Plural: "networks", Short: []string{"net", "nets"},
	About:   "a layer-2 segment: what one port broadcasts, all ports of the network hear",
	message: (*weftv1.Network)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "admin_state_up", Default: "true",
			Help: "false makes every port of the network dead"},
		{Name: "mtu", Default: "computed",
			Help: "largest IP packet in bytes, 68..65535; 0: computed from the underlay and the encapsulation"},
		{Name: "provider_network_type", Values: []string{"vxlan", "gre", "geneve", "vlan", "flat"},
			Help: "vxlan, gre, geneve, vlan or flat", Default: "the controller's first tenant network type"},
		{Name: "provider_physical_network",
			Help: "physical network for vlan and flat, as in the hosts' bridge mappings"},
		{Name: "provider_segmentation_id",
			Help: "tunnel key or VLAN id", Default: "one out of the controller's ranges"},
		{Name: "l2_population", Default: "true",
			Help: "program addresses from what is known instead of learning them; tunnelled networks only"},
		{Name: "router_external", FlagName: "external", Not: "internal", Default: "false",
			Help: "routers may have their gateway here, and floating IPs come from here; vlan and flat only"},
		{Name: "port_security_enabled", FlagName: "enable-port-security", Not: "disable-port-security", Default: "true",
			Help: "what new ports get that do not say"},
		{Name: "qos_policy_id", FlagName: "qos-policy", Not: "no-qos-policy", Ref: "qospolicy",
			Help: "QoS policy of those ports that have none of their own"},
	},
	Filters: []Filter{projectFilter, nameFilter},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Room: 12, Elide: true, Text: name},
		{Head: "PROJECT", Wide: true, Text: project},
		{Head: "TYPE", Room: 6, Text: func(m Message, _ Names) string { return m.(*weftv1.Network).GetProviderNetworkType() }},
		{Head: "SEGMENT", Room: 8, Right: true, Text: func(m Message, _ Names) string { return number(m.(*weftv1.Network).GetProviderSegmentationId()) }},
		{Head: "PHYSICAL", Room: 12, Elide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Network).GetProviderPhysicalNetwork() }},
		{Head: "MTU", Room: 4, Right: true, Text: func(m Message, _ Names) string { return number(uint32(m.(*weftv1.Network).GetMtu())) }},
		{Head: "L2POP", Wide: true, Text: func(m Message, _ Names) string {
			return strconv.FormatBool(m.(*weftv1.Network).GetL2Population())
		}},
		{Head: "EXTERNAL", Wide: true, Text: func(m Message, _ Names) string {
			return strconv.FormatBool(m.(*weftv1.Network).GetRouterExternal())
		}},
		{Head: "HOSTS", Right: true, Text: func(m Message, _ Names) string {
			return strconv.Itoa(len(m.(*weftv1.Network).GetStatus().GetLocalVlans()))
		}},
		{Head: "STATUS", Room: 6, State: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Network).GetStatus().GetStatus() }},
	},
}

func id(m Message, _ Names) string      { return m.GetMetadata().GetId() }
func name(m Message, _ Names) string    { return m.GetMetadata().GetName() }
func project(m Message, _ Names) string { return m.GetMetadata().GetProjectId() }

// number is a number for people; 0 stands for "has none".
func number(n uint32) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

// some shows the first of many.
func some(list []string) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	return fmt.Sprintf("%s +%d", list[0], len(list)-1)
}
