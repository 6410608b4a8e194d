package model

import "fmt"

// Validate judges the router by itself. Of an interface the subnet or the port may be left to the store, and so may the
// addresses and the port of the gateway.
func (r *Router) Validate() []Violation {
	var v violations
	v.id(&r.Meta)
	v.meta(&r.Meta)
	if g := r.Gateway; g != nil {
		if g.NetworkID == "" {
			v.add("external_gateway_info.network_id", "is missing; name an external network")
		}
		v.fixedIPs("external_gateway_info.external_fixed_ips", g.FixedIPs)
	}
	subnets, ports := map[string]int{}, map[string]int{}
	for i, n := range r.Interfaces {
		field := fmt.Sprintf("interfaces[%d]", i)
		if n.SubnetID == "" && n.PortID == "" {
			v.add(field, "is empty; give subnet_id or port_id")
		}
		v.onceIn(subnets, "interfaces", i, field+".subnet_id", n.SubnetID)
		v.onceIn(ports, "interfaces", i, field+".port_id", n.PortID)
	}
	v.routes("routes", r.Routes)
	return v
}

// onceIn refuses a value that an item before has too. No value is no value.
func (v *violations) onceIn(seen map[string]int, list string, i int, field, value string) {
	if value == "" {
		return
	}
	if first, ok := seen[value]; ok {
		v.add(field, "%s is also in %s[%d]", value, list, first)
		return
	}
	seen[value] = i
}
