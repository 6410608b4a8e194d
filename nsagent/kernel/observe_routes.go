package kernel

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Times of waiting for the routes of IPv6 addresses, which the kernel makes a little later than the addresses.
const (
	settlePause = 10 * time.Millisecond
	settleTries = 20
)

func (o *observation) routes() error {
	for i := 0; ; i++ {
		o.have.Routes, o.foreignRoutes = nil, nil
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			routes, err := list(func() ([]netlink.Route, error) {
				return o.n.handle.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
			})
			if err = ignore(err, unix.EAFNOSUPPORT); err != nil {
				return err
			}
			for _, r := range routes {
				o.route(family, r)
			}
		}
		if i == settleTries || !slices.ContainsFunc(o.have.Addresses, func(a plan.Address) bool { return a.Prefix.Addr().Is6() && o.stranded(a) }) {
			break
		}
		time.Sleep(settlePause)
	}
	o.have.Addresses = slices.DeleteFunc(o.have.Addresses, o.stranded)
	for _, r := range o.foreignRoutes {
		o.foreign(plan.SectionRoute, r)
	}
	return nil
}

// stranded says whether an address has lost its route in the table "local": then what comes for it is not taken in, and
// the address is as good as none.
func (o *observation) stranded(a plan.Address) bool { return o.up[a.Dev] && !o.local[a.Prefix.Addr()] }

func (o *observation) route(family int, r netlink.Route) {
	dst := prefixOf(r.Dst)
	if !dst.IsValid() {
		dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if family == netlink.FAMILY_V6 {
			dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	if r.Table == unix.RT_TABLE_LOCAL {
		if r.Type == unix.RTN_LOCAL && dst.IsSingleIP() {
			o.local[dst.Addr()] = true
		}
		return
	}
	if dst.Addr().Is6() && (dst.Addr().IsLinkLocalUnicast() || dst.Addr().IsMulticast() || dst.Addr().IsLoopback()) {
		return // the kernel's own
	}
	t := plan.TableRoute{Table: uint32(r.Table), Destination: dst, Connected: r.Protocol == unix.RTPROT_KERNEL}
	if a, ok := netip.AddrFromSlice(r.Src); ok {
		t.Src = a.Unmap()
	}
	ours := r.Type == unix.RTN_UNICAST && (t.Connected || r.Protocol == unix.RTPROT_STATIC)
	hop := func(index int, gw []byte, flags int) {
		h := plan.Hop{Dev: o.names[index], OnLink: flags&unix.RTNH_F_ONLINK != 0}
		if a, ok := netip.AddrFromSlice(gw); ok {
			h.Via = a.Unmap()
		}
		if h.Dev == "" || h.Dev == "lo" {
			ours = false
			h.Dev = o.deviceName(index)
		}
		t.Hops = append(t.Hops, h)
	}
	if len(r.MultiPath) == 0 {
		hop(r.LinkIndex, r.Gw, r.Flags)
	}
	for _, m := range r.MultiPath {
		hop(m.LinkIndex, m.Gw, m.Flags)
	}
	slices.SortFunc(t.Hops, plan.CompareHops)
	if !ours {
		o.foreignRoutes = append(o.foreignRoutes, fmt.Sprintf("%v (proto %d)", t, r.Protocol))
		return
	}
	o.have.Routes = append(o.have.Routes, t)
}

func (o *observation) rules() error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		rules, err := list(func() ([]netlink.Rule, error) { return o.n.handle.RuleList(family) })
		if err != nil {
			return ignore(err, unix.EAFNOSUPPORT)
		}
		for _, r := range rules {
			plain := r.Dst == nil && r.Mark == 0 && r.Mask == nil && r.OifName == "" && r.Goto < 0 && !r.Invert && r.IPProto == 0 && r.Sport == nil && r.Dport == nil &&
				r.UIDRange == nil && r.TunID == 0 && r.Tos == 0
			x := plan.Rule{Priority: uint32(r.Priority), IPv6: family == netlink.FAMILY_V6, From: prefixOf(r.Src), IIF: r.IifName, Table: uint32(r.Table)}
			if plain && x.Ours() {
				o.have.Rules = append(o.have.Rules, x)
			} else {
				o.foreign(plan.SectionRule, r.String())
			}
		}
	}
	return nil
}

func (o *observation) neighbours() error {
	neighs, err := list(func() ([]netlink.Neigh, error) { return o.n.handle.NeighList(0, netlink.FAMILY_ALL) })
	if err != nil {
		return err
	}
	for _, e := range neighs {
		name := o.names[e.LinkIndex]
		a, ok := netip.AddrFromSlice(e.IP)
		if e.State&netlink.NUD_PERMANENT == 0 || name == "" || name == "lo" || !ok {
			continue
		}
		o.have.Neighbours = append(o.have.Neighbours, plan.Neighbour{Dev: name, IP: a.Unmap(), MAC: e.HardwareAddr.String()})
	}
	return nil
}
