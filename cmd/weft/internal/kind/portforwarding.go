package kind

import (
	"cmp"
	"strings"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// PortForwarding leads TCP or UDP ports of a floating IP to ports of a VM.
var PortForwarding = &Kind{
	Name: "portforwarding", Plural: "portforwardings", Short: []string{"pf", "pfs", "port-forwarding", "port-forwardings"},
	About:   "what leads TCP or UDP ports of a floating IP to ports of a VM",
	message: (*weftv1.PortForwarding)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "floatingip_id", FlagName: "floatingip", Ref: "floatingip",
			Help: "floating IP whose ports they are"},
		{Name: "protocol", Values: []string{"tcp", "udp"},
			Help: "tcp or udp"},
		{Name: "external_port",
			Help: "port of the floating IP"},
		{Name: "external_port_range",
			Help: "instead, several ports of the floating IP: 8000:8010"},
		{Name: "internal_port",
			Help: "port of the VM"},
		{Name: "internal_port_range",
			Help: "instead, as many ports of the VM: 8000:8010"},
		{Name: "internal_port_id", FlagName: "port", Ref: "port",
			Help: "port (of a network) that the VM is behind"},
		{Name: "internal_ip_address", Default: "the port's, when it has one IPv4 address",
			Help: "which of the port's addresses"},
	},
	Filters: []Filter{projectFilter, nameFilter,
		{Name: "floatingip_id", FlagName: "floatingip", Ref: "floatingip", Help: "only those of this floating IP",
			Value: func(m Message) []string { return []string{m.(*weftv1.PortForwarding).GetFloatingipId()} }},
		{Name: "internal_port_id", FlagName: "port", Ref: "port", Help: "only those that lead to this port",
			Value: func(m Message) []string { return []string{m.(*weftv1.PortForwarding).GetInternalPortId()} }},
	},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Wide: true, Text: name},
		{Head: "PROJECT", Wide: true, Text: project},
		{Head: "FLOATING IP", Room: 15, Elide: true, Text: func(m Message, names Names) string {
			return names("floatingip", m.(*weftv1.PortForwarding).GetFloatingipId())
		}},
		{Head: "PROTOCOL", Text: func(m Message, _ Names) string { return m.(*weftv1.PortForwarding).GetProtocol() }},
		{Head: "EXTERNAL", Room: 5, Text: func(m Message, _ Names) string {
			p := m.(*weftv1.PortForwarding)
			return cmp.Or(p.GetExternalPortRange(), number(p.GetExternalPort()))
		}},
		{Head: "PORT", Room: 12, Elide: true, Text: func(m Message, names Names) string {
			return names("port", m.(*weftv1.PortForwarding).GetInternalPortId())
		}},
		{Head: "INTERNAL", Room: 18, Text: func(m Message, _ Names) string {
			p := m.(*weftv1.PortForwarding)
			return strings.TrimPrefix(p.GetInternalIpAddress()+" "+cmp.Or(p.GetInternalPortRange(), number(p.GetInternalPort())), " ")
		}},
		{Head: "HOST", Room: 12, Elide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.PortForwarding).GetStatus().GetHost() }},
		{Head: "NAMESPACE", Wide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.PortForwarding).GetStatus().GetNamespace() }},
		{Head: "STATUS", Room: 6, State: true, Text: func(m Message, _ Names) string { return m.(*weftv1.PortForwarding).GetStatus().GetStatus() }},
	},
}
