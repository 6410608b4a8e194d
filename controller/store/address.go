package store

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// checkFixedIPs finds the subnet of every address that was asked for, and refuses addresses that cannot be had. What is
// left without an address is to be allocated. list is the field's path.
func (t *Tx) checkFixedIPs(c *checks, list string, p *model.Port) {
	for i := range p.FixedIPs {
		f := &p.FixedIPs[i]
		field := fmt.Sprintf("%s[%d]", list, i)
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
		if s != nil && s.SelfMade() && !model.OwnedByWeft(p.DeviceOwner) {
			t.checkSelfMade(c, field, s, p, i)
		}
		if s == nil || !f.IP.IsValid() || f.IP.Zone() != "" || f.IP.Is4In6() {
			continue
		}
		if why := model.Usable(f.IP, s.CIDR); why != "" {
			c.add(field+".ip_address", "%s", why)
		} else if by := t.PortByIP(p.NetworkID, f.IP); by != nil && by.ID != p.ID {
			c.takenBy(field+".ip_address", f.IP.String(), t.user(by))
		}
	}
}

func orNone(blocks []string) string {
	if len(blocks) == 0 {
		return "it has none"
	}
	return strings.Join(blocks, ", ")
}

// fillFixedIPs allocates the addresses that are still missing, where the subnet is one of the port's network. old holds what
// the port has, which it keeps where it can. list is the field's path.
func (t *Tx) fillFixedIPs(list string, p *model.Port, old []model.FixedIP) error {
	mine := map[netip.Addr]bool{}
	for _, f := range p.FixedIPs {
		mine[f.IP] = true
	}
	for i := range p.FixedIPs {
		f := &p.FixedIPs[i]
		s := t.Subnet(f.SubnetID)
		if f.IP.IsValid() || s == nil || s.NetworkID != p.NetworkID {
			continue
		}
		if s.SelfMade() && !model.OwnedByWeft(p.DeviceOwner) {
			var err error
			if *f, err = t.selfMade(fmt.Sprintf("%s[%d]", list, i), s, p); err != nil {
				return err
			}
			continue
		}
		for _, o := range old {
			if o.SubnetID == f.SubnetID && !mine[o.IP] {
				f.IP = o.IP
				break
			}
		}
		if !f.IP.IsValid() {
			if f.IP = t.freeAddress(s, mine); !f.IP.IsValid() {
				return &ErrExhausted{fmt.Sprintf("%s[%d]", list, i), fmt.Sprintf("no address is left in the allocation pools of %s: delete ports or enlarge the pools", refTo(state.Subnets, s))}
			}
		}
		mine[f.IP] = true
	}
	return nil
}

// anyFixedIPs chooses one address of each IP version that the network has subnets of: from the oldest subnet that has
// one left. Where machines make their addresses themselves, their ports get them by giveSelfMade. list is the field's path.
func (t *Tx) anyFixedIPs(list string, n *model.Network, owner string) ([]model.FixedIP, error) {
	var byVersion [2][]*model.Subnet
	for s := range t.SubnetsOf(n.ID) {
		if s.SelfMade() && !model.OwnedByWeft(owner) {
			continue
		}
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
		ip, err := t.anyAddress(list, subnets)
		if err != nil {
			return nil, err
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

// anyAddress chooses, for a field, an address of the oldest of the subnets that has one left.
func (t *Tx) anyAddress(field string, subnets []*model.Subnet) (model.FixedIP, error) {
	slices.SortFunc(subnets, func(a, b *model.Subnet) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), cmp.Compare(a.ID, b.ID))
	})
	var names []string
	for _, s := range subnets {
		if ip := t.freeAddress(s, nil); ip.IsValid() {
			return model.FixedIP{SubnetID: s.ID, IP: ip}, nil
		}
		names = append(names, refTo(state.Subnets, s).String())
	}
	return model.FixedIP{}, &ErrExhausted{field, fmt.Sprintf("no address is left in the allocation pools of %s: delete ports, enlarge the pools or add a subnet", strings.Join(names, ", "))}
}

// subnets4 are the IPv4 subnets of a network.
func (t *Tx) subnets4(network string) (subnets []*model.Subnet) {
	for s := range t.SubnetsOf(network) {
		if s.CIDR.Addr().Is4() {
			subnets = append(subnets, s)
		}
	}
	return subnets
}

// freeAddress takes the next free address of the subnet's pools after the one that was given out last, so that one that
// was just given up rests for as long as possible: neighbours may still have its former MAC. The zero Addr means that
// there is none.
func (t *Tx) freeAddress(s *model.Subnet, mine map[netip.Addr]bool) netip.Addr {
	for a := range t.freeAddresses(s) {
		if !mine[a] {
			t.hints.setAddress(s.ID, a)
			return a
		}
	}
	return netip.Addr{}
}

// freeAddresses iterates over the free addresses of the subnet's pools, beginning behind the one that was given out last.
func (t *Tx) freeAddresses(s *model.Subnet) iter.Seq[netip.Addr] {
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
	return func(yield func(netip.Addr) bool) {
		for _, r := range pools {
			// Next of the very last address there is would be invalid.
			for a := r.Start; a.IsValid() && !r.End.Less(a); a = a.Next() {
				if a != s.GatewayIP && t.PortByIP(s.NetworkID, a) == nil && !yield(a) {
					return
				}
			}
		}
	}
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
