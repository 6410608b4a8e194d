package model

import (
	"fmt"
	"net/netip"
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
	seen := map[netip.Addr]int{}
	for i, f := range p.FixedIPs {
		field := fmt.Sprintf("fixed_ips[%d]", i)
		if !f.IP.IsValid() {
			if f.SubnetID == "" {
				v.add(field, "is empty; give subnet_id, ip_address or both")
			}
			continue
		}
		if why := oddAddr(f.IP); why != "" {
			v.add(field+".ip_address", "%s", why)
			continue
		}
		if first, ok := seen[f.IP]; ok {
			v.add(field+".ip_address", "%s is also in fixed_ips[%d]", f.IP, first)
			continue
		}
		seen[f.IP] = i
	}
	v.text("device_id", p.DeviceID)
	v.text("device_owner", p.DeviceOwner)
	if p.BindingHostID != "" {
		v.hostname("binding_host_id", p.BindingHostID)
	}
	return v
}
