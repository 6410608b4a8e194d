package plan

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Build says what must be in all namespaces that resources ask for, and which resources cannot be made true.
func Build(resources map[string]Resource) (map[string]Namespace, map[string]*FieldError) {
	grouped := Group(resources)
	errs := Homeless(resources, grouped)
	out := make(map[string]Namespace, len(grouped))
	for name, s := range grouped {
		n, bad := s.Build(s.Zones(nil))
		out[name] = n
		for r, e := range bad {
			errs[r] = e
		}
	}
	return out, errs
}

// Build says what must be in the namespace. A resource with something that cannot be is named, and the rest is built. zones
// are those of the host's firewall bridges, by name.
func (s *Sources) Build(zones map[string]uint16) (Namespace, map[string]*FieldError) {
	b := &builder{n: Namespace{Name: s.Namespace, Sysctls: map[string]string{}, IPv4: Ruleset{}, IPv6: Ruleset{}}, s: s, own: s.Own(), errs: map[string]*FieldError{}, routed: map[routeKey]bool{}}
	if s.Namespace == Home {
		b.home(zones)
		return b.n, b.errs
	}
	b.everywhere()
	switch {
	case s.Router != nil && s.Router.Distributed:
		b.distributed(s.Router)
	case s.Router != nil:
		b.centralised(s.Router)
	case s.Snat != nil:
		b.snat(s.Snat)
	case s.DHCP != nil:
		b.dhcp(s.DHCP)
	case s.Fip != nil:
		b.fip(s.Fip)
	}
	b.n.sort()
	return b.n, b.errs
}

// builder builds one namespace.
type builder struct {
	n      Namespace
	s      *Sources
	own    string // the resource that the namespace is
	errs   map[string]*FieldError
	routed map[routeKey]bool
}

type routeKey struct {
	table uint32
	dst   netip.Prefix
}

func (b *builder) fail(resource, field, format string, args ...any) {
	if b.errs[resource] == nil {
		b.errs[resource] = &FieldError{field, fmt.Sprintf(format, args...)}
	}
}

// port adds a port's device with its addresses, and gives its name.
func (b *builder) port(prefix string, d Device) string {
	name := portDevice(prefix, d.PortID)
	b.n.Links = append(b.n.Links, Link{Name: name, MAC: d.MAC, MTU: d.MTU, Up: true, For: b.own,
		Tap: TapEnd{Name: Tap(d.PortID), PortID: d.PortID, MTU: d.MTU, Up: true}})
	for _, p := range d.Addresses {
		b.address(name, p, b.own)
	}
	b.device(name)
	return name
}

// address adds an address, and the route that the kernel makes with it.
func (b *builder) address(dev string, p netip.Prefix, resource string) {
	b.n.Addresses = append(b.n.Addresses, Address{Dev: dev, Prefix: p, For: resource})
	if p.IsSingleIP() {
		return
	}
	t := TableRoute{Table: MainTable, Destination: p.Masked(), Hops: []Hop{{Dev: dev}}, Connected: true, For: resource}
	if p.Addr().Is4() {
		t.Src = p.Addr()
	}
	if b.routed[routeKey{t.Table, t.Destination}] {
		return // a second address of the subnet
	}
	b.routed[routeKey{t.Table, t.Destination}] = true
	b.n.Routes = append(b.n.Routes, t)
}

func (b *builder) route(table uint32, dst netip.Prefix, resource string, hops ...Hop) {
	if k := (routeKey{table, dst}); !b.routed[k] {
		b.routed[k] = true
		slices.SortFunc(hops, CompareHops)
		b.n.Routes = append(b.n.Routes, TableRoute{Table: table, Destination: dst, Hops: hops, For: resource})
	}
}

// defaults adds default routes by gateways on the subnets of a device, or on its link.
func (b *builder) defaults(table uint32, dev string, d Device, gateways []netip.Addr) {
	for _, g := range gateways {
		b.route(table, everything(g), b.own, Hop{Via: g, Dev: dev, OnLink: !contains(d.Addresses, g)})
	}
}

func everything(like netip.Addr) netip.Prefix {
	if like.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// extra adds extra routes: next hops are on subnets of the devices. Those that are elsewhere are refused, or left out
// where another namespace has them.
func (b *builder) extra(routes []Route, devices map[string][]netip.Prefix, elsewhere bool) {
	byDst := map[netip.Prefix][]Hop{}
	for i, r := range routes {
		field := fmt.Sprintf("routes[%d]", i)
		if b.routed[routeKey{MainTable, r.Destination}] {
			b.fail(b.own, field, "%v is led to already: it is a subnet of the router, or the gateway's", r.Destination)
			continue
		}
		dev := ""
		for name, subnets := range devices {
			if contains(subnets, r.NextHop) && (dev == "" || name < dev) {
				dev = name
			}
		}
		switch {
		case dev != "":
			byDst[r.Destination] = append(byDst[r.Destination], Hop{Via: r.NextHop, Dev: dev})
		case !elsewhere:
			b.fail(b.own, field, "next hop %v is on no subnet of the router", r.NextHop)
		}
	}
	for dst, hops := range byDst {
		b.route(MainTable, dst, b.own, hops...)
	}
}

// pairMAC is the address of an end of the pair between a router's qrouter and fip namespaces: always the same, so that
// both ends know each other's without asking.
func pairMAC(dev, routerID string) string {
	h := sha256.Sum256([]byte(dev + routerID))
	return net.HardwareAddr{0x0a, h[0], h[1], h[2], h[3], h[4]}.String() // locally administered, of one interface
}

func (n *Namespace) sort() {
	sortedBy(n.Links, func(l Link) string { return l.Name })
	slices.SortFunc(n.Addresses, compareAddresses)
	slices.SortFunc(n.Routes, compareRoutes)
	slices.SortFunc(n.Rules, compareRules)
	slices.SortFunc(n.Neighbours, compareNeighbours)
}

// CompareHops is the order of the hops of a route.
func CompareHops(a, b Hop) int {
	if c := a.Via.Compare(b.Via); c != 0 {
		return c
	}
	return strings.Compare(a.Dev, b.Dev)
}

// compareAddresses puts those with the shorter prefix first: the kernel takes the first that fits as source.
func compareAddresses(a, b Address) int {
	if c := strings.Compare(a.Dev, b.Dev); c != 0 {
		return c
	}
	if c := a.Prefix.Bits() - b.Prefix.Bits(); c != 0 && a.Prefix.Addr().Is4() == b.Prefix.Addr().Is4() {
		return c
	}
	return a.Prefix.Addr().Compare(b.Prefix.Addr())
}

func compareRoutes(a, b TableRoute) int {
	if a.Table != b.Table {
		return int(int64(a.Table) - int64(b.Table))
	}
	if c := a.Destination.Addr().Compare(b.Destination.Addr()); c != 0 {
		return c
	}
	return a.Destination.Bits() - b.Destination.Bits()
}

func compareRules(a, b Rule) int {
	if a.IPv6 != b.IPv6 {
		if a.IPv6 {
			return 1
		}
		return -1
	}
	if a.Priority != b.Priority {
		return int(int64(a.Priority) - int64(b.Priority))
	}
	if c := strings.Compare(a.IIF, b.IIF); c != 0 {
		return c
	}
	return a.From.Addr().Compare(b.From.Addr())
}

func compareNeighbours(a, b Neighbour) int {
	if c := strings.Compare(a.Dev, b.Dev); c != 0 {
		return c
	}
	return a.IP.Compare(b.IP)
}
