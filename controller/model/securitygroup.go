package model

import (
	"fmt"
	"net/netip"
	"strings"
)

// DefaultSecurityGroup is the name of the group that ports of a project get when they name none.
const DefaultSecurityGroup = "default"

// MaxSecurityGroups is how many security groups a port may have.
const MaxSecurityGroups = 64

// MaxGroupAddresses is how many blocks of addresses an address group may have: each is a row on the hosts that use it.
const MaxGroupAddresses = 4096

// Validate judges the security group by itself. Number and Default are the store's.
func (g *SecurityGroup) Validate() []Violation {
	var v violations
	v.id(&g.Meta)
	v.meta(&g.Meta)
	return v
}

// Validate judges the address group by itself. Blocks may overlap, but not be the same.
func (g *AddressGroup) Validate() []Violation {
	var v violations
	v.id(&g.Meta)
	v.meta(&g.Meta)
	if len(g.Addresses) > MaxGroupAddresses {
		v.add("addresses", "there are %d; at most %d are allowed: give larger blocks", len(g.Addresses), MaxGroupAddresses)
		return v
	}
	seen := map[netip.Prefix]int{}
	for i, a := range g.Addresses {
		field := fmt.Sprintf("addresses[%d]", i)
		first, twice := seen[a]
		switch {
		case !a.IsValid():
			v.add(field, "is missing: write e.g. 192.0.2.0/24")
		case oddPrefix(a) != "":
			v.add(field, "%s", oddPrefix(a))
		case twice:
			v.add(field, "is the same as addresses[%d]", first)
		default:
			seen[a] = i
		}
	}
	return v
}

// Validate judges the rule by itself.
func (r *SecurityGroupRule) Validate() []Violation {
	var v violations
	v.id(&r.Meta)
	v.meta(&r.Meta)
	if r.SecurityGroupID == "" {
		v.add("security_group_id", "is missing")
	}
	if r.Direction != Ingress && r.Direction != Egress {
		v.add("direction", "%q is unknown; choose ingress or egress", r.Direction)
	}
	if r.EtherType != IPv4 && r.EtherType != IPv6 {
		v.add("ethertype", "%q is unknown; choose IPv4 or IPv6", r.EtherType)
	}
	v.ruleProtocol(r)
	v.ruleRange(r)
	v.ruleRemote(r)
	return v
}

func (v *violations) ruleProtocol(r *SecurityGroupRule) {
	switch {
	case r.Protocol == nil:
	case *r.Protocol == protoICMPv6 && r.EtherType == IPv4:
		v.add("protocol", "icmpv6 is carried by IPv6 only; choose icmp, or ethertype IPv6")
	case *r.Protocol == protoICMP && r.EtherType == IPv6:
		v.add("protocol", "icmp is carried by IPv4 only; choose icmpv6, or ethertype IPv4")
	case *r.Protocol == 0:
		v.add("protocol", "0 is no protocol that a packet is seen to carry; leave it out for any")
	case isExtension(*r.Protocol) && r.EtherType == IPv6:
		v.add("protocol", "%s is an IPv6 extension header: what follows it is judged; name that, or leave it out for any", ProtocolName(*r.Protocol))
	}
}

// ruleRange judges ports, or type and code.
func (v *violations) ruleRange(r *SecurityGroupRule) {
	const first, last = "port_range_min", "port_range_max"
	switch {
	case r.PortRangeMin == nil && r.PortRangeMax == nil:
	case r.Protocol == nil:
		v.add("protocol", "is missing: ports are those of a protocol; choose tcp, udp or sctp, or icmp or icmpv6 for type and code")
	case isICMP(*r.Protocol):
		if r.PortRangeMin == nil {
			v.add(first, "is missing: an ICMP code is one of a type, which is port_range_min")
		} else if *r.PortRangeMin > 255 {
			v.add(first, "%d is no ICMP type: it is not in 0..255", *r.PortRangeMin)
		}
		if r.PortRangeMax != nil && *r.PortRangeMax > 255 {
			v.add(last, "%d is no ICMP code: it is not in 0..255", *r.PortRangeMax)
		}
	case !hasPorts(*r.Protocol):
		field := first
		if r.PortRangeMin == nil {
			field = last
		}
		v.add(field, "is given, but Open vSwitch knows ports of tcp, udp and sctp only, and not of %s; leave ports out", ProtocolName(*r.Protocol))
	case r.PortRangeMin == nil:
		v.add(first, "is missing beside port_range_max; give both, the same for one port")
	case r.PortRangeMax == nil:
		v.add(last, "is missing beside port_range_min; give both, the same for one port")
	case *r.PortRangeMin > *r.PortRangeMax:
		v.add(first, "%d is greater than port_range_max, %d; exchange them", *r.PortRangeMin, *r.PortRangeMax)
	case *r.PortRangeMin == 0:
		v.add(first, "0 is no port; give 1..65535, or leave both out for all")
	}
}

func (v *violations) ruleRemote(r *SecurityGroupRule) {
	var remotes []string
	if r.RemoteIPPrefix.IsValid() {
		remotes = append(remotes, "remote_ip_prefix")
	}
	if r.RemoteGroupID != "" {
		remotes = append(remotes, "remote_group_id")
	}
	if r.RemoteAddressGroupID != "" {
		remotes = append(remotes, "remote_address_group_id")
	}
	if len(remotes) > 1 {
		v.add(remotes[1], "is given beside %s; give one of them, and another rule for the other", remotes[0])
	}
	if !r.RemoteIPPrefix.IsValid() {
		return
	}
	family := IPv4
	if r.RemoteIPPrefix.Addr().Is6() {
		family = IPv6
	}
	if why := oddPrefix(r.RemoteIPPrefix); why != "" {
		v.add("remote_ip_prefix", "%s", why)
	} else if (r.EtherType == IPv4 || r.EtherType == IPv6) && family != r.EtherType {
		v.add("remote_ip_prefix", "%s is %s, but ethertype is %s; give a block of the same family", r.RemoteIPPrefix, family, r.EtherType)
	}
}

// Traffic is what the rule allows, for people: "ingress IPv4 tcp 80:90 from 10.0.0.0/8". Groups are named by their id.
func (r *SecurityGroupRule) Traffic() string {
	parts := []string{r.Direction, r.EtherType}
	if r.Protocol != nil {
		parts = append(parts, ProtocolName(*r.Protocol))
	}
	switch lo, hi := r.PortRangeMin, r.PortRangeMax; {
	case lo == nil:
	case r.Protocol != nil && isICMP(*r.Protocol) && hi == nil:
		parts = append(parts, fmt.Sprintf("type %d", *lo))
	case r.Protocol != nil && isICMP(*r.Protocol):
		parts = append(parts, fmt.Sprintf("type %d code %d", *lo, *hi))
	case hi == nil || *lo == *hi:
		parts = append(parts, fmt.Sprint(*lo))
	default:
		parts = append(parts, fmt.Sprintf("%d:%d", *lo, *hi))
	}
	way := "to"
	if r.Direction == Ingress {
		way = "from"
	}
	switch {
	case r.RemoteGroupID != "":
		parts = append(parts, way, "securitygroup", r.RemoteGroupID)
	case r.RemoteAddressGroupID != "":
		parts = append(parts, way, "addressgroup", r.RemoteAddressGroupID)
	case r.Anybody():
		parts = append(parts, way, "anybody")
	default:
		parts = append(parts, way, r.RemoteIPPrefix.String())
	}
	return strings.Join(parts, " ")
}

// Anybody says whether the rule is about any other side: it names none, or all addresses.
func (r *SecurityGroupRule) Anybody() bool {
	return r.RemoteGroupID == "" && r.RemoteAddressGroupID == "" && (!r.RemoteIPPrefix.IsValid() || r.RemoteIPPrefix.Bits() == 0)
}
