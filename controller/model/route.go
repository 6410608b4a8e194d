package model

import (
	"fmt"
	"net/netip"
)

// routes judges a list of routes. Several may have one destination (ECMP), but not one next hop too.
func (v *violations) routes(list string, routes []Route) {
	seen := map[Route]int{}
	for i, r := range routes {
		field := fmt.Sprintf("%s[%d]", list, i)
		before := len(*v)
		switch d := r.Destination; {
		case !d.IsValid():
			v.add(field+".destination", "is missing: write e.g. 192.168.0.0/16 or fd00:9::/64")
		case oddPrefix(d) != "":
			v.add(field+".destination", "%s", oddPrefix(d))
		default:
			for _, n := range noUnicast {
				// The whole address space contains them too: it is the default route.
				if n.block.Overlaps(d) && n.block.Bits() <= d.Bits() {
					v.add(field+".destination", "%s is in %s, which %s", d, n.block, n.why)
				}
			}
		}
		v.nextHop(field+".nexthop", r.NextHop)
		if len(*v) != before {
			continue
		}
		if r.Destination.Addr().Is4() != r.NextHop.Is4() {
			v.add(field+".nexthop", "%s is of another IP version than %s", r.NextHop, r.Destination)
			continue
		}
		if first, ok := seen[r]; ok {
			v.add(field, "%s is also in %s[%d]", r, list, first)
			continue
		}
		seen[r] = i
	}
}

func (v *violations) nextHop(field string, a netip.Addr) {
	switch {
	case !a.IsValid():
		v.add(field, "is missing: give the address of the next router")
	case oddAddr(a) != "":
		v.add(field, "%s", oddAddr(a))
	default:
		v.unicast(field, a)
	}
}

// unicast refuses an address that no port can have.
func (v *violations) unicast(field string, a netip.Addr) {
	for _, n := range noUnicast {
		if n.block.Contains(a) {
			v.add(field, "%s is in %s, which %s", a, n.block, n.why)
		}
	}
}

// String is like 192.168.0.0/16 via 10.0.1.9.
func (r Route) String() string { return fmt.Sprintf("%s via %s", r.Destination, r.NextHop) }
