package model

import (
	"fmt"
	"net/netip"
)

// fixedIPs judges a list of addresses, each of which may lack the subnet or the address.
func (v *violations) fixedIPs(list string, ips []FixedIP) {
	seen := map[netip.Addr]int{}
	for i, f := range ips {
		field := fmt.Sprintf("%s[%d]", list, i)
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
			v.add(field+".ip_address", "%s is also in %s[%d]", f.IP, list, first)
			continue
		}
		seen[f.IP] = i
	}
}
