package store

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// checkFixedIPs finds the subnet of every address that was asked for, and refuses addresses that cannot be had. What is
// left without an address is to be allocated.
func (t *Tx) checkFixedIPs(c *checks, p *model.Port) {
	for i := range p.FixedIPs {
		f := &p.FixedIPs[i]
		field := fmt.Sprintf("fixed_ips[%d]", i)
		var s *model.Subnet
		switch {
		case f.SubnetID != "":
			if s = t.Subnet(f.SubnetID); s == nil {
				c.add(field+".subnet_id", "subnet %q does not exist", f.SubnetID)
				continue
			}
			if s.NetworkID != p.NetworkID {
				c.add(field+".subnet_id", "%s is on another network", refTo(state.Subnets, s))
				continue
			}
		case f.IP.IsValid():
			var blocks []string
			for other := range t.SubnetsOf(p.NetworkID) {
				blocks = append(blocks, other.CIDR.String())
				if other.CIDR.Contains(f.IP) {
					s = other
				}
			}
			if s == nil {
				c.add(field+".ip_address", "%s is in no subnet of the network (%s)", f.IP, orNone(blocks))
				continue
			}
			f.SubnetID = s.ID
		}
		if s == nil || !f.IP.IsValid() || f.IP.Zone() != "" || f.IP.Is4In6() {
			continue
		}
		if why := model.Usable(f.IP, s.CIDR); why != "" {
			c.add(field+".ip_address", "%s", why)
		} else if by := t.PortByIP(p.NetworkID, f.IP); by != nil && by.ID != p.ID {
			c.take(field+".ip_address", f.IP.String(), state.Ports, by)
		}
	}
}

func orNone(blocks []string) string {
	if len(blocks) == 0 {
		return "it has none"
	}
	return strings.Join(blocks, ", ")
}

// fillFixedIPs allocates the addresses that are still missing. old holds what the port has, which it keeps where it can.
func (t *Tx) fillFixedIPs(p *model.Port, old []model.FixedIP) error {
	mine := map[netip.Addr]bool{}
	for _, f := range p.FixedIPs {
		mine[f.IP] = true
	}
	for i := range p.FixedIPs {
		f := &p.FixedIPs[i]
		if f.IP.IsValid() {
			continue
		}
		for _, o := range old {
			if o.SubnetID == f.SubnetID && !mine[o.IP] {
				f.IP = o.IP
				break
			}
		}
		if !f.IP.IsValid() {
			s := t.Subnet(f.SubnetID)
			if f.IP = t.freeAddress(s, mine); !f.IP.IsValid() {
				return &ErrExhausted{fmt.Sprintf("no address is left in the allocation pools of %s: delete ports or enlarge the pools", refTo(state.Subnets, s))}
			}
		}
		mine[f.IP] = true
	}
	return nil
}

// anyFixedIPs chooses one address of each IP version that the network has subnets of: from the oldest subnet that has
// one left.
func (t *Tx) anyFixedIPs(n *model.Network) ([]model.FixedIP, error) {
	var byVersion [2][]*model.Subnet
	for s := range t.SubnetsOf(n.ID) {
		version := 0
		if s.CIDR.Addr().Is6() {
			version = 1
		}
		byVersion[version] = append(byVersion[version], s)
	}
	var ips []model.FixedIP
	for _, subnets := range byVersion {
		if len(subnets) == 0 {
			continue
		}
		slices.SortFunc(subnets, func(a, b *model.Subnet) int {
			return cmp.Or(a.CreateTime.Compare(b.CreateTime), cmp.Compare(a.ID, b.ID))
		})
		ip, names := netip.Addr{}, []string(nil)
		for _, s := range subnets {
			names = append(names, refTo(state.Subnets, s).String())
			if ip = t.freeAddress(s, nil); ip.IsValid() {
				ips = append(ips, model.FixedIP{SubnetID: s.ID, IP: ip})
				break
			}
		}
		if !ip.IsValid() {
			return nil, &ErrExhausted{fmt.Sprintf("no address is left in the allocation pools of %s: delete ports, enlarge the pools or add a subnet", strings.Join(names, ", "))}
		}
	}
	return ips, nil
}

// freeAddress takes the next free address of the subnet's pools after the one that was given out last, so that one that
// was just given up rests for as long as possible: neighbours may still have its former MAC. The zero Addr means that
// there is none.
func (t *Tx) freeAddress(s *model.Subnet, mine map[netip.Addr]bool) netip.Addr {
	last := t.hints.address(s.ID)
	pools := s.AllocationPools
	if last.IsValid() {
		// Behind the last one first, then from the beginning.
		var before, behind []model.Range
		for _, r := range pools {
			if !last.Less(r.Start) {
				before = append(before, model.Range{Start: r.Start, End: lesser(last, r.End)})
			}
			if last.Less(r.End) {
				behind = append(behind, model.Range{Start: greater(last.Next(), r.Start), End: r.End})
			}
		}
		pools = append(behind, before...)
	}
	for _, r := range pools {
		// Next of the very last address there is would be invalid.
		for a := r.Start; a.IsValid() && !r.End.Less(a); a = a.Next() {
			if !mine[a] && a != s.GatewayIP && t.PortByIP(s.NetworkID, a) == nil {
				t.hints.setAddress(s.ID, a)
				return a
			}
		}
	}
	return netip.Addr{}
}

func lesser(a, b netip.Addr) netip.Addr {
	if b.Less(a) {
		return b
	}
	return a
}

func greater(a, b netip.Addr) netip.Addr {
	if a.Less(b) {
		return b
	}
	return a
}
