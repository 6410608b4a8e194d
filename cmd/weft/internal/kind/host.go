package kind

import (
	"strconv"
	"strings"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Host is a machine with Open vSwitch and a node agent.
var Host = &Kind{
	Name: "host", Plural: "hosts", Short: []string{"h"}, NamedByID: true,
	About:   "a machine with Open vSwitch and a node agent; its id is the hostname",
	message: (*weftv1.Host)(nil),
	Fields: []Field{idField, nameField, projectField, descriptionField, labelsField,
		{Name: "tunnel_ip", Default: "what the agent reports",
			Help: "underlay address that tunnels end at"},
		{Name: "bridge_mappings", FlagName: "bridge-mapping", Default: "what the agent reports",
			Help: "physical network and its bridge"},
		{Name: "roles", FlagName: "role", Values: []string{"compute", "network"}, Default: "compute",
			Help: "compute or network"},
		{Name: "draining", FlagName: "drain", Not: "no-drain", Default: "false",
			Help: "put nothing new on the host, and move away what can be elsewhere"},
		{Name: "firewall_driver", Values: []string{"openvswitch", "iptables_hybrid"}, Default: "openvswitch",
			Help: "what judges ports on the host: br-int, or iptables on a Linux bridge before it"},
	},
	Filters: []Filter{projectFilter, nameFilter},
	Columns: []Column{
		{Head: "HOST", Room: 12, Elide: true, Text: id},
		{Head: "ROLES", Room: 7, Text: func(m Message, _ Names) string { return strings.Join(roles(m.(*weftv1.Host)), ",") }},
		{Head: "TUNNEL IP", Room: 12, Text: func(m Message, _ Names) string { return TunnelIP(m.(*weftv1.Host)) }},
		{Head: "MAPPINGS", Wide: true, Text: func(m Message, _ Names) string {
			fd := (&weftv1.HostStatus{}).ProtoReflect().Descriptor().Fields().ByName("bridge_mappings")
			return Text(fd, m.(*weftv1.Host).GetStatus().ProtoReflect().Get(fd))
		}},
		{Head: "DVR MAC", Wide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Host).GetStatus().GetDvrMacAddress() }},
		{Head: "AGENT", Wide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Host).GetStatus().GetAgentVersion() }},
		{Head: "OVS", Wide: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Host).GetStatus().GetOvsVersion() }},
		{Head: "APPLIED", Room: 7, Right: true, Text: func(m Message, _ Names) string {
			return strconv.FormatInt(m.(*weftv1.Host).GetStatus().GetAppliedRevision(), 10)
		}},
		{Head: "STATUS", Room: 8, State: true, Text: func(m Message, _ Names) string { return m.(*weftv1.Host).GetStatus().GetStatus() }},
		{Head: "WHY", Wrap: true, Text: func(m Message, _ Names) string { return Why(m.(*weftv1.Host)) }},
	},
}

// TunnelIP is the tunnel address in force.
func TunnelIP(h *weftv1.Host) string {
	if ip := h.GetStatus().GetTunnelIp(); ip != "" {
		return ip
	}
	return h.GetTunnelIp()
}

// roles are those in force.
func roles(h *weftv1.Host) []string {
	if r := h.GetStatus().GetRoles(); len(r) > 0 {
		return r
	}
	return h.GetRoles()
}

// Why says why a host is not ready, or takes nothing new: the messages of its conditions that are not True, and more.
func Why(h *weftv1.Host) string {
	var parts []string
	for _, c := range h.GetStatus().GetConditions() {
		if c.GetStatus() == "True" {
			continue
		}
		text := c.GetMessage()
		if text == "" {
			text = c.GetType() + " " + c.GetStatus()
		}
		parts = append(parts, text)
	}
	if h.GetStatus().GetDownSince() != nil {
		parts = append(parts, "it is held to be down, and what can be elsewhere has moved away")
	}
	if h.GetDraining() {
		parts = append(parts, "it is being drained")
	}
	return strings.Join(parts, "; ")
}
