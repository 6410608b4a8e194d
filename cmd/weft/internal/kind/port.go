package kind

import (
	"cmp"
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
	},
}

func addresses(m Message) []string {
	var out []string
	for _, f := range m.(*weftv1.Port).GetFixedIps() {
		out = append(out, f.GetIpAddress())
	}
	return out
}
