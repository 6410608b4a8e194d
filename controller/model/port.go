package model

import (
	"fmt"
	"slices"
)

// Prefixes of the MACs that are allocated.
var (
	// PortMACPrefix begins the MACs of ports that do not ask for one: Neutron's base_mac.
	PortMACPrefix = [3]byte{0xfa, 0x16, 0x3e}
	// DVRMACPrefix begins the MACs that stand for the hosts' distributed routers: Neutron's dvr_base_mac.
	DVRMACPrefix = [3]byte{0xfa, 0x16, 0x3f}
)

// Validate judges the port by itself. MAC may be left to the store (zero), and of a fixed IP the subnet or the address.
func (p *Port) Validate() []Violation {
	var v violations
	v.id(&p.Meta)
	v.meta(&p.Meta)
	if p.NetworkID == "" {
		v.add("network_id", "is missing")
	}
	switch {
	case p.MAC.IsMulticast():
		v.add("mac_address", "%s is a multicast address; the first byte must be even, e.g. %02x", p.MAC, p.MAC[0]&^1)
	case [3]byte(p.MAC[:3]) == DVRMACPrefix:
		v.add("mac_address", "%s begins with fa:16:3f, which is kept for the hosts' distributed routers; choose another", p.MAC)
	}
	v.fixedIPs("fixed_ips", p.FixedIPs)
	v.text("device_id", p.DeviceID)
	v.text("device_owner", p.DeviceOwner)
	if p.BindingHostID != "" {
		v.hostname("binding_host_id", p.BindingHostID)
	}
	v.addressPairs(p)
	v.dhcpOptions(p.ExtraDHCPOpts)
	v.instance(p.Instance)
	v.groups(p)
	return v
}

func (v *violations) groups(p *Port) {
	if len(p.SecurityGroups) > 0 && !p.PortSecurityEnabled {
		v.add("security_groups", "are no use while port_security_enabled is false: nobody would mind them; empty the list, in an update with security_groups in update_mask, or enable port security")
		return
	}
	if n := len(p.SecurityGroups); n > MaxSecurityGroups {
		v.add("security_groups", "there are %d; at most %d are allowed", n, MaxSecurityGroups)
		return
	}
	for i, id := range p.SecurityGroups {
		if first := slices.Index(p.SecurityGroups, id); first < i {
			v.add(fmt.Sprintf("security_groups[%d]", i), "is the same as security_groups[%d]", first)
		}
	}
}

// MaxAddressPairs is how many allowed address pairs a port may have: Neutron's max_allowed_address_pair.
const MaxAddressPairs = 10

// addressPairs judges the allowed address pairs. A pair without a MAC is one of the port's own. Blocks may overlap.
func (v *violations) addressPairs(p *Port) {
	pairs := p.AllowedAddressPairs
	if len(pairs) > MaxAddressPairs {
		v.add("allowed_address_pairs", "there are %d; at most %d are allowed: give a block instead", len(pairs), MaxAddressPairs)
		return
	}
	seen := map[AddressPair]int{}
	for i, a := range pairs {
		field := fmt.Sprintf("allowed_address_pairs[%d]", i)
		before := len(*v)
		switch {
		case !a.IP.IsValid():
			v.add(field+".ip_address", "is missing: write e.g. 10.0.1.100 or 10.0.1.0/28")
		case oddPrefix(a.IP) != "":
			v.add(field+".ip_address", "%s", oddPrefix(a.IP))
		case a.IP.Addr().IsMulticast():
			v.add(field+".ip_address", "%s is multicast, which is nobody's own address", a.IP)
		}
		if a.MAC.IsMulticast() {
			v.add(field+".mac_address", "%s is a multicast address; the first byte must be even, e.g. %02x", a.MAC, a.MAC[0]&^1)
		}
		if len(*v) != before {
			continue
		}
		if a.MAC == p.MAC {
			a.MAC = MAC{}
		}
		if first, ok := seen[a]; ok {
			v.add(field, "is the same as allowed_address_pairs[%d]", first)
			continue
		}
		seen[a] = i
	}
}
