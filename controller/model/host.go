package model

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// MaxBridgeName is how long a bridge's name may be: it is also a network interface (IFNAMSIZ - 1).
const MaxBridgeName = 15

// Validate judges the host by itself. DVRMAC and Number are the store's.
func (h *Host) Validate() []Violation {
	var v violations
	v.hostname("metadata.id", h.ID)
	v.meta(&h.Meta)
	v.tunnelIP(h.TunnelIP)
	v.mappings(h.BridgeMappings)
	v.roles(h.Roles)
	switch h.FirewallDriver {
	case "", FirewallOpenFlow, FirewallHybrid:
	default:
		v.add("firewall_driver", "%q is unknown; choose %s or %s, or leave it out", h.FirewallDriver, FirewallOpenFlow, FirewallHybrid)
	}
	return v
}

// Validate judges what an agent reports about its host.
func (f *HostFacts) Validate() []Violation {
	var v violations
	v.hostname("host", f.Host)
	v.text("boot_id", f.BootID)
	v.text("agent_version", f.AgentVersion)
	v.text("ovs_version", f.OVSVersion)
	v.text("datapath_type", f.DatapathType)
	v.tunnelIP(f.TunnelIP)
	v.mappings(f.BridgeMappings)
	v.roles(f.Roles)
	return v
}

// Validate judges what an agent reports about an interface. An attached-mac that is no MAC is let through: it only
// matches nothing.
func (i *Interface) Validate() []Violation {
	var v violations
	if i.Name == "" {
		v.add("name", "is empty")
	}
	v.text("name", i.Name)
	v.text("iface_id", i.IfaceID)
	v.text("attached_mac", i.AttachedMAC)
	return v
}

func (v *violations) tunnelIP(a netip.Addr) {
	if !a.IsValid() {
		return
	}
	switch why := oddAddr(a); {
	case why != "":
		v.add("tunnel_ip", "%s", why)
	case a.IsUnspecified() || a.IsMulticast():
		v.add("tunnel_ip", "%s is not the address of a host", a)
	case a.IsLinkLocalUnicast() && a.Is6():
		v.add("tunnel_ip", "%s is link-local, which other hosts cannot reach without a zone; use a global or unique local address", a)
	}
}

func (v *violations) mappings(m map[string]string) {
	physnets := make([]string, 0, len(m))
	for p := range m {
		physnets = append(physnets, p)
	}
	slices.Sort(physnets)
	by := map[string]string{}
	for _, p := range physnets {
		field := fmt.Sprintf("bridge_mappings[%q]", p)
		v.physicalNetwork(field, p)
		b := m[p]
		switch {
		case b == "" || len(b) > MaxBridgeName || strings.ContainsFunc(b, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || r == '/' || r == ':'
		}):
			v.add(field, "%q is not a bridge's name: use 1..%d visible ASCII characters without '/' and ':'", b, MaxBridgeName)
		case b == "br-int" || b == "br-tun":
			v.add(field, "%s is the controller's own bridge; name the bridge that leads to the physical network", b)
		case by[b] != "":
			v.add(field, "bridge %s is already mapped to %s; a bridge carries one physical network", b, by[b])
		default:
			by[b] = p
		}
	}
}

func (v *violations) roles(roles []string) {
	for i, r := range roles {
		field := fmt.Sprintf("roles[%d]", i)
		switch {
		case r != RoleCompute && r != RoleNetwork:
			v.add(field, "%q is unknown; choose compute or network", r)
		case slices.Index(roles, r) < i:
			v.add(field, "%s is listed twice", r)
		}
	}
}
