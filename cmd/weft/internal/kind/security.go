package kind

import (
	"fmt"
	"strings"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// SecurityGroup is a set of rules that ports have in common.
var SecurityGroup = &Kind{
	Name: "securitygroup", Plural: "securitygroups", Short: []string{"sg", "sgs", "security-group", "security-groups"},
	About:   "a set of rules that ports have in common: what none of them allows is refused",
	message: (*weftv1.SecurityGroup)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "stateful", Not: "stateless", Default: "true",
			Help: "answers to allowed traffic are allowed; false: every packet is judged by itself"},
	},
	Filters: []Filter{projectFilter, nameFilter},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Room: 12, Elide: true, Text: name},
		{Head: "PROJECT", Room: 8, Elide: true, Text: project},
		{Head: "STATEFUL", Text: func(m Message, _ Names) string { return fmt.Sprint(m.(*weftv1.SecurityGroup).GetStateful()) }},
		{Head: "RULES", Right: true, Text: func(m Message, _ Names) string {
			return fmt.Sprint(m.(*weftv1.SecurityGroup).GetStatus().GetRules())
		}},
		{Head: "PORTS", Right: true, Text: func(m Message, _ Names) string {
			return fmt.Sprint(m.(*weftv1.SecurityGroup).GetStatus().GetPorts())
		}},
	},
}

// SecurityGroupRule allows some traffic.
var SecurityGroupRule = &Kind{
	Name: "securitygrouprule", Plural: "securitygrouprules", Short: []string{"sgrule", "sgrules", "security-group-rule", "security-group-rules"},
	About:   "what allows some traffic to or from the ports of a security group",
	message: (*weftv1.SecurityGroupRule)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "security_group_id", FlagName: "group", Ref: "securitygroup",
			Help: "security group that it belongs to"},
		{Name: "direction", Values: []string{"ingress", "egress"},
			Help: "ingress or egress, as the machine behind the port sees it"},
		{Name: "ethertype", Values: []string{"IPv4", "IPv6"}, Default: "that of the remote block, else IPv4",
			Help: "IPv4 or IPv6"},
		{Name: "protocol", Values: []string{"tcp", "udp", "icmp", "icmpv6", "sctp", "vrrp", "gre"}, Default: "any",
			Strands: map[string]string{"port_range_min": "--dst-port none", "port_range_max": "--dst-port none"},
			Help:    "name or number of the IP protocol"},
		{Name: "port_range_min", Default: "all",
			Help: "first destination port; of icmp and icmpv6 the type"},
		{Name: "port_range_max", Default: "all",
			Help: "last destination port; of icmp and icmpv6 the code"},
		{Name: "remote_ip_prefix", FlagName: "remote-ip", Default: "anybody",
			Help: "address, or block, of the other side"},
		{Name: "remote_group_id", FlagName: "remote-group", Ref: "securitygroup",
			Help: "instead, the security group of the other side"},
		{Name: "remote_address_group_id", FlagName: "remote-address-group", Ref: "addressgroup",
			Help: "instead, the address group of the other side"},
	},
	Filters: []Filter{projectFilter, nameFilter,
		{Name: "security_group_id", FlagName: "group", Ref: "securitygroup", Help: "only those of this security group",
			Value: func(m Message) []string { return []string{m.(*weftv1.SecurityGroupRule).GetSecurityGroupId()} }},
		{Name: "direction", Help: "only those in this direction: ingress or egress",
			Value: func(m Message) []string { return []string{m.(*weftv1.SecurityGroupRule).GetDirection()} }},
		{Name: "remote_group_id", FlagName: "remote-group", Ref: "securitygroup", Title: "securitygrouprules with it as the other side", Help: "only those that name this security group as the other side",
			Value: func(m Message) []string { return []string{m.(*weftv1.SecurityGroupRule).GetRemoteGroupId()} }},
		{Name: "remote_address_group_id", FlagName: "remote-address-group", Ref: "addressgroup", Title: "securitygrouprules with it as the other side", Help: "only those that name this address group as the other side",
			Value: func(m Message) []string { return []string{m.(*weftv1.SecurityGroupRule).GetRemoteAddressGroupId()} }},
	},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Wide: true, Text: name},
		{Head: "PROJECT", Wide: true, Text: project},
		{Head: "GROUP", Room: 12, Elide: true, Text: func(m Message, names Names) string {
			return names("securitygroup", m.(*weftv1.SecurityGroupRule).GetSecurityGroupId())
		}},
		{Head: "DIRECTION", Text: func(m Message, _ Names) string { return m.(*weftv1.SecurityGroupRule).GetDirection() }},
		{Head: "ETHERTYPE", Text: func(m Message, _ Names) string { return m.(*weftv1.SecurityGroupRule).GetEthertype() }},
		{Head: "PROTOCOL", Room: 6, Text: func(m Message, _ Names) string { return m.(*weftv1.SecurityGroupRule).GetProtocol() }},
		{Head: "PORTS", Room: 11, Text: func(m Message, _ Names) string { return rulePorts(m.(*weftv1.SecurityGroupRule)) }},
		{Head: "REMOTE", Room: 18, Text: func(m Message, names Names) string {
			r := m.(*weftv1.SecurityGroupRule)
			switch {
			case r.GetRemoteGroupId() != "":
				return "group " + names("securitygroup", r.GetRemoteGroupId())
			case r.GetRemoteAddressGroupId() != "":
				return "addresses " + names("addressgroup", r.GetRemoteAddressGroupId())
			}
			return r.GetRemoteIpPrefix()
		}},
	},
}

// rulePorts is a rule's ports, 80 or 80:90, or its type and code, 8 or 8/0.
func rulePorts(r *weftv1.SecurityGroupRule) string {
	switch {
	case r.PortRangeMin == nil:
		return ""
	case strings.HasPrefix(r.GetProtocol(), "icmp") && r.PortRangeMax != nil:
		return fmt.Sprintf("%d/%d", r.GetPortRangeMin(), r.GetPortRangeMax())
	case r.PortRangeMax == nil || r.GetPortRangeMin() == r.GetPortRangeMax():
		return fmt.Sprint(r.GetPortRangeMin())
	}
	return fmt.Sprintf("%d:%d", r.GetPortRangeMin(), r.GetPortRangeMax())
}

// AddressGroup is a set of blocks of addresses for rules to name.
var AddressGroup = &Kind{
	Name: "addressgroup", Plural: "addressgroups", Short: []string{"ag", "ags", "address-group", "address-groups"},
	About:   "a set of addresses, or blocks of them, for rules to name",
	message: (*weftv1.AddressGroup)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "addresses", FlagName: "address",
			Help: "address, or block"},
	},
	Filters: []Filter{projectFilter, nameFilter},
	Columns: []Column{
		{Head: "ID", Room: 8, ID: true, Text: id},
		{Head: "NAME", Room: 12, Elide: true, Text: name},
		{Head: "PROJECT", Wide: true, Text: project},
		{Head: "ADDRESSES", Room: 18, Narrow: true, Text: func(m Message, _ Names) string { return some(m.(*weftv1.AddressGroup).GetAddresses()) }},
		{Head: "ADDRESSES", Room: 18, Wide: true, Text: func(m Message, _ Names) string { return strings.Join(m.(*weftv1.AddressGroup).GetAddresses(), ",") }},
	},
}
