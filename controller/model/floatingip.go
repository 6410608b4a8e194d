package model

import "net/netip"

// MinRulePriority and MaxRulePriority bound FloatingIP.RulePriority: below the rules of the main table and above the rule
// of local addresses. The numbers are Neutron's (FIP_PR_START, FIP_PR_END).
const (
	MinRulePriority = 32768
	MaxRulePriority = 72767
)

// Validate judges the floating IP by itself. Address, RouterID and RulePriority may be left to the store, and FixedIP too
// when the port has one IPv4 address.
func (f *FloatingIP) Validate() []Violation {
	var v violations
	v.id(&f.Meta)
	v.meta(&f.Meta)
	if f.FloatingNetworkID == "" {
		v.add("floating_network_id", "is missing; name an external network")
	}
	v.ipv4("floating_ip_address", f.Address)
	v.ipv4("fixed_ip_address", f.FixedIP)
	if f.PortID == "" && f.FixedIP.IsValid() {
		v.add("fixed_ip_address", "%s is given without port_id; give the port that has it", f.FixedIP)
	}
	return v
}

// ipv4 judges an address that is IPv4 when it is given.
func (v *violations) ipv4(field string, a netip.Addr) {
	if !a.IsValid() {
		return
	}
	if why := oddAddr(a); why != "" {
		v.add(field, "%s", why)
	} else if !a.Is4() {
		v.add(field, "%s is IPv6, which is not translated; give an IPv4 address", a)
	}
}
