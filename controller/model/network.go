package model

import (
	"strings"
)

// MinMTU is the smallest MTU of an IPv4 link in bytes (RFC 791 3.2); MinMTUv6 is that of an IPv6 link (RFC 8200 5).
const (
	MinMTU   = 68
	MinMTUv6 = 1280
	MaxMTU   = 65535
)

// Overhead is what a network type's encapsulation takes from the underlay's MTU, in bytes, over IPv4: outer IP header
// 20, inner Ethernet header 14, and UDP and VXLAN headers 8 + 8 (RFC 7348 5), a GRE header with key 8 (RFC 2890), or
// UDP and Geneve headers 8 + 16, which leaves room for 8 bytes of options (RFC 8926 3.4).
func Overhead(networkType string) int {
	switch networkType {
	case VXLAN:
		return 50
	case GRE:
		return 42
	case Geneve:
		return 58
	}
	return 0
}

// Validate judges the network by itself. Type, MTU and SegmentID may be left to the store (zero).
func (n *Network) Validate() []Violation {
	var v violations
	v.id(&n.Meta)
	v.meta(&n.Meta)
	if n.MTU != 0 && (n.MTU < MinMTU || n.MTU > MaxMTU) {
		v.add("mtu", "%d is not in %d..%d; 0 has it computed", n.MTU, MinMTU, MaxMTU)
	}
	if n.PhysicalNetwork != "" {
		v.physicalNetwork("provider_physical_network", n.PhysicalNetwork)
	}
	if n.RouterExternal && (n.Type == "" || Tunnelled(n.Type)) {
		v.add("router_external", "is true, but only a flat or vlan network leads outside; give provider_network_type and provider_physical_network")
	}
	const physical, segment = "provider_physical_network", "provider_segmentation_id"
	limit := uint32(MaxVNI)
	switch n.Type {
	case "":
		return v
	case VXLAN, Geneve:
	case GRE:
		limit = MaxGREKey
	case VLAN:
		limit = MaxVLAN
	case Flat:
		limit = 0
		if n.SegmentID != 0 {
			v.add(segment, "%d is given, but a flat network has none; leave it out", n.SegmentID)
		}
	default:
		v.add("provider_network_type", "%q is unknown; choose one of %s", n.Type, strings.Join(NetworkTypes, ", "))
		return v
	}
	if limit > 0 && n.SegmentID > limit {
		v.add(segment, "%d is not in 1..%d, the range of %s; 0 has one chosen", n.SegmentID, limit, n.Type)
	}
	switch {
	case Tunnelled(n.Type) && n.PhysicalNetwork != "":
		v.add(physical, "%q is given, but a %s network is carried by tunnels; leave it out", n.PhysicalNetwork, n.Type)
	case !Tunnelled(n.Type) && n.PhysicalNetwork == "":
		v.add(physical, "is missing; a %s network needs the name of a physical network, as in the hosts' bridge_mappings", n.Type)
	}
	return v
}

// physicalNetwork judges a physical network's name, which people also write as name:bridge,name:bridge.
func (v *violations) physicalNetwork(field, s string) {
	if s == "" || len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' || r == ',' }) {
		v.add(field, "%q is not a physical network's name: use 1..64 visible ASCII characters without ':' and ','", s)
	}
}
