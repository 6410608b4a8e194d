package kind

import (
	"cmp"
	"slices"
	"strings"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Port is the connection of one virtual interface to a network.
var Port = &Kind{
	Name: "port", Plural: "ports", Short: []string{"p"},
	About:   "the connection of one virtual interface to a network",
	message: (*weftv1.Port)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "network_id", FlagName: "network", Ref: "network",
			Help: "network that it belongs to"},
		{Name: "mac_address",
			Help: "unicast MAC address", Default: "one of fa:16:3e:..."},
		{Name: "fixed_ips", FlagName: "fixed-ip", Main: "ip-address", Told: true,
			Help: "address of the port: either part, or just the address", Default: "one of each IP version"},
		{Name: "device_id",
			Help: "id of the device that uses the port"},
		{Name: "device_owner",
			Help: "kind of device, e.g. compute:nova"},
		{Name: "admin_state_up", Default: "true",
			Help: "false makes the port dead"},
		{Name: "binding_host_id", Ref: "host",
			Help: "host where the port is meant to live", Default: "wherever its interface shows up"},
		{Name: "allowed_address_pairs", FlagName: "allowed-address", Main: "ip-address",
			Help: "address, or block, that the port may use besides its own"},
		{Name: "extra_dhcp_opts", FlagName: "extra-dhcp-opt", Commas: "opt_value",
			Help: "DHCP option that the port gets, e.g. name=67,value=undionly.kpxe"},
		{Name: "port_security_enabled", FlagName: "enable-port-security", Not: "disable-port-security", Default: "the network's",
			Strands: map[string]string{"security_groups": "--no-security-group", "allowed_address_pairs": "--allowed-address none"},
			Help:    "only what the security groups allow passes, from the port's own addresses"},
		{Name: "security_groups", FlagName: "security-group", Not: "no-security-group", Ref: "securitygroup", Told: true, Default: "the project's, called default",
			Help: "security group"},
		{Name: "qos_policy_id", FlagName: "qos-policy", Not: "no-qos-policy", Ref: "qospolicy", Default: "the network's",
			Help: "QoS policy"},
		{Name: "instance.hostname", FlagName: "hostname", Default: "made from the address",
			Help: "hostname for DHCP, DNS and metadata"},
		{Name: "instance.user_data", FlagName: "user-data", File: true,
			Help: "file with the user data that the metadata service gives out; - is stdin"},
		{Name: "instance.public_keys", FlagName: "public-key",
			Help: "SSH key for the metadata service, by a name"},
		{Name: "instance.meta", FlagName: "meta",
			Help: "key and value for the metadata service"},
	},
	Filters: []Filter{projectFilter, nameFilter,
		{Name: "network_id", FlagName: "network", Ref: "network", Help: "only those of this network",
			Value: func(m Message) []string { return []string{m.(*weftv1.Port).GetNetworkId()} }},
		{Name: "host", Ref: "host", Help: "only those bound to, or meant for, this host",
			Value: func(m Message) []string {
				return []string{m.(*weftv1.Port).GetStatus().GetHost(), m.(*weftv1.Port).GetBindingHostId()}
			}},
		{Name: "device_id", Help: "only those of this device",
			Value: func(m Message) []string { return []string{m.(*weftv1.Port).GetDeviceId()} }},
		{Name: "security_group_id", FlagName: "security-group", Ref: "securitygroup", Help: "only those with this security group",
			Value: func(m Message) []string { return m.(*weftv1.Port).GetSecurityGroups() }},
		{Name: "qos_policy_id", FlagName: "qos-policy", Ref: "qospolicy", Help: "only those that name this QoS policy themselves",
			Value: func(m Message) []string { return []string{m.(*weftv1.Port).GetQosPolicyId()} }},
		{Name: "device_owner", Help: "only those of this kind of device, e.g. network:dhcp",
			Value: func(m Message) []string { return []string{m.(*weftv1.Port).GetDeviceOwner()} }},
	},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Room: 12, Elide: true, Text: name},
		{Head: "PROJECT", Wide: true, Text: project},
		{Head: "NETWORK", Room: 12, Elide: true, Text: func(m Message, names Names) string { return names("network", m.(*weftv1.Port).GetNetworkId()) }},
		{Head: "MAC", Room: 17, Text: func(m Message, _ Names) string { return m.(*weftv1.Port).GetMacAddress() }},
		{Head: "FIXED IPS", Room: 15, Narrow: true, Text: func(m Message, _ Names) string { return some(addresses(m)) }},
		{Head: "FIXED IPS", Room: 15, Wide: true, Text: func(m Message, _ Names) string { return strings.Join(addresses(m), ",") }},
		{Head: "DEVICE", Wide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Port).GetDeviceId() }},
		{Head: "OWNER", Wide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Port).GetDeviceOwner() }},
		{Head: "HOST", Room: 12, Elide: true, Text: func(m Message, _ Names) string {
			return cmp.Or(m.(*weftv1.Port).GetStatus().GetHost(), m.(*weftv1.Port).GetBindingHostId())
		}},
		{Head: "INTERFACE", Room: 14, Wide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Port).GetStatus().GetInterfaceName() }},
		{Head: "OFPORT", Wide: true, Right: true, Text: func(m Message, _ Names) string { return number(m.(*weftv1.Port).GetStatus().GetOfport()) }},
		{Head: "STATUS", Room: 6, State: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Port).GetStatus().GetStatus() }},
		{Head: "QOS", Wide: true, State: true, Text: func(m Message, _ Names) string { return qos(m.(*weftv1.Port)) }},
	},
}

// qos is whether the limits and marks of a port's policy are in force: Enforced, or why not; empty when no policy is.
func qos(p *weftv1.Port) string {
	for _, c := range p.GetStatus().GetConditions() {
		if c.GetType() == "QosEnforced" {
			return c.GetReason()
		}
	}
	return ""
}

// ofRouters are the device owners of ports by which routers are on subnets; ofWeft those of the other ports that Weft makes
// and removes itself. The names are Neutron's.
var (
	ofRouters = []string{"network:router_interface", "network:router_interface_distributed"}
	ofWeft    = []string{"network:router_gateway", "network:router_centralized_snat", "network:floatingip",
		"network:floatingip_agent_gateway", "network:dhcp"}
)

// OfRouter says whether a port is an interface of a router.
func OfRouter(p *weftv1.Port) bool { return slices.Contains(ofRouters, p.GetDeviceOwner()) }

// OfWeft says whether a port comes and goes with something else, without anybody having asked for it.
func OfWeft(p *weftv1.Port) bool { return slices.Contains(ofWeft, p.GetDeviceOwner()) }

func addresses(m Message) []string {
	var out []string
	for _, f := range m.(*weftv1.Port).GetFixedIps() {
		out = append(out, f.GetIpAddress())
	}
	return out
}
