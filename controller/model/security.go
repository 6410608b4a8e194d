package model

import (
	"net/netip"
	"strings"
)

// Directions of traffic, as the machine behind a port sees it.
const (
	Ingress = "ingress"
	Egress  = "egress"
)

// Ethertypes of security group rules.
const (
	IPv4 = "IPv4"
	IPv6 = "IPv6"
)

// SecurityGroup is a set of rules that ports have in common, and the set of those ports' addresses. What no rule allows is
// refused.
type SecurityGroup struct {
	Meta
	// Stateful: what answers to, or is related to, allowed traffic is allowed. Else every packet is judged by itself.
	Stateful bool `json:"stateful"`
	// Default: the one of its project that ports get when they name none. It is made with the first port or group of the
	// project.
	Default bool `json:"default,omitempty"`
	// Number is allocated, unique among all security groups and address groups, 1..2^31-1; rows name the group by it.
	Number uint32 `json:"number"`
}

// SecurityGroupRule allows some traffic.
type SecurityGroupRule struct {
	Meta
	SecurityGroupID string `json:"security_group_id"`
	// Direction is ingress or egress.
	Direction string `json:"direction"`
	// EtherType is IPv4 or IPv6.
	EtherType string `json:"ethertype"`
	// Protocol is the IP protocol's number; nil: any.
	Protocol *uint8 `json:"protocol,omitempty"`
	// PortRangeMin and PortRangeMax are both set or both nil: for TCP, UDP and SCTP an inclusive range of destination ports;
	// for ICMP and ICMPv6 type and, which may be nil alone, code.
	PortRangeMin *uint16 `json:"port_range_min,omitempty"`
	PortRangeMax *uint16 `json:"port_range_max,omitempty"`
	// At most one of these says who the other side is; none: anybody.
	RemoteIPPrefix       netip.Prefix `json:"remote_ip_prefix,omitzero"`
	RemoteGroupID        string       `json:"remote_group_id,omitempty"`
	RemoteAddressGroupID string       `json:"remote_address_group_id,omitempty"`
}

// AddressGroup is a set of blocks of addresses for rules to name.
type AddressGroup struct {
	Meta
	Addresses []netip.Prefix `json:"addresses"`
	// Number is as SecurityGroup's.
	Number uint32 `json:"number"`
}

// GroupSet is the allocation that numbers a set of security groups which some port has: ports with the same groups share
// their rows. It exists as long as a port has exactly these groups.
type GroupSet struct {
	// Key is the ids of the groups, sorted and joined by commas.
	Key string `json:"key"`
	// Number is unique, 1..2^31-1.
	Number uint32 `json:"number"`
}

// GroupSetKey is the key of the port's GroupSet: its security groups, which are sorted, joined by commas. It is empty for
// a port without any, which refuses everything.
func (p *Port) GroupSetKey() string { return strings.Join(p.SecurityGroups, ",") }

// Firewall drivers of hosts.
const (
	// FirewallOpenFlow is conntrack in br-int.
	FirewallOpenFlow = "openvswitch"
	// FirewallHybrid is iptables on a Linux bridge before br-int (qbr, qvb, qvo).
	FirewallHybrid = "iptables_hybrid"
)
