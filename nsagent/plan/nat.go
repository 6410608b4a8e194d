package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Beginnings of names of chains. Chains that go with a builtin one are named after it, as Neutron's are.
const (
	ourChains = "weft-"
	l3        = "weft-l3-"
	dhcp      = "weft-dhcp-"
	// bottom comes after everything else in POSTROUTING.
	bottom = "weft-postrouting-bottom"
)

var builtins = []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

// rule adds a rule to a chain of ours, and sees to the jump to a chain that goes with a builtin one.
func rule(set Ruleset, prefix, table, name, text string) {
	t := set.table(table)
	c := t.Chains[prefix+name]
	c.Rules = append(c.Rules, text)
	t.Chains[prefix+name] = c
	if jump := "-j " + prefix + name; slices.Contains(builtins, name) && !slices.Contains(t.Builtin[name], jump) {
		t.Builtin[name] = append([]string{jump}, t.Builtin[name]...)
	}
}

func (s Ruleset) table(name string) Table {
	if _, ok := s[name]; !ok {
		s[name] = Table{Builtin: map[string][]string{}, Chains: map[string]Chain{}}
	}
	return s[name]
}

func (b *builder) rule4(table, chain, text string) { rule(b.n.IPv4, l3, table, chain, text) }

// ordered4 adds rules of which earlier ones come before later ones.
func (b *builder) ordered4(table, chain string, texts ...string) {
	for _, text := range texts {
		b.rule4(table, chain, text)
	}
	c := b.n.IPv4[table].Chains[l3+chain]
	c.Ordered = true
	b.n.IPv4[table].Chains[l3+chain] = c
}

// gateway adds a qg- with its default routes and the addresses that are served on it, and gives its name.
func (b *builder) gateway(g Gateway) string {
	name := b.port(devGateway, g.Device)
	b.defaults(MainTable, name, g.Device, g.GatewayIPs)
	held := map[netip.Addr]bool{}
	for _, p := range g.Addresses {
		held[p.Addr()] = true
	}
	served := func(a netip.Addr, resource string) {
		if !held[a] { // port forwardings share an address
			held[a] = true
			b.address(name, single(a), resource)
		}
	}
	for _, f := range b.s.FloatingIPs {
		if f.Place != PlaceFip {
			served(f.Floating, f.Resource())
		}
	}
	for _, p := range b.s.PortForwardings {
		served(p.Floating, p.Resource())
	}
	return name
}

// translate adds the NAT of a namespace with a qg-.
func (b *builder) translate(g *Gateway) {
	if g == nil {
		for _, r := range b.s.StandsFor()[1:] {
			b.fail(r, "router_id", "the router has no gateway on this host")
		}
		return
	}
	qg := portDevice(devGateway, g.PortID)
	b.natChains()
	// Nothing that neither leaves to the external network nor is led to another address is changed.
	b.rule4("nat", "POSTROUTING", "! -o "+qg+" -m conntrack ! --ctstate DNAT -j ACCEPT")
	for _, f := range b.s.FloatingIPs {
		if f.Place == PlaceFip {
			b.fail(f.Resource(), "place", "%q is for a distributed router, and %s is centralised", f.Place, f.RouterID)
			continue
		}
		b.dnat(f, "")
		b.rule4("nat", "OUTPUT", fmt.Sprintf("-d %v/32 -j DNAT --to-destination %v", f.Floating, f.Fixed))
	}
	for _, p := range b.s.PortForwardings {
		b.rule4("nat", "fip-pf", forwardRule(p))
	}
	if len(b.s.PortForwardings) > 0 {
		b.rule4("nat", "PREROUTING", "-j "+l3+"fip-pf")
	}
	for _, p := range g.Addresses {
		if !p.Addr().Is4() {
			continue
		}
		to := fmt.Sprintf("-j SNAT --to-source %v --random-fully", p.Addr())
		if g.EnableSNAT {
			b.rule4("nat", "snat", "-o "+qg+" "+to)
			b.dropInvalid(qg)
		}
		// What a port sends to a floating IP of this router comes back to the router, not straight from the other port.
		b.rule4("nat", "snat", "-m mark ! --mark 0x2/0xffff -m conntrack --ctstate DNAT "+to)
		b.rule4("mangle", "PREROUTING", "-j "+l3+"mark")
		b.rule4("mangle", "mark", "-i "+qg+" -j MARK --set-xmark 0x2/0xffff")
		break
	}
}

// dropInvalid drops what belongs to no connection that is known, and so would leave with its inside address: the rest of a
// connection that was cut, or that another host saw begin.
func (b *builder) dropInvalid(dev string) {
	b.rule4("filter", "FORWARD", "-o "+dev+" -m conntrack --ctstate INVALID -j DROP")
}

// natChains adds what leads to the translation of source addresses, in which floating IPs come first.
func (b *builder) natChains() {
	b.ordered4("nat", "snat", "-j "+l3+"float-snat")
	t := b.n.IPv4["nat"]
	if _, ok := t.Chains[l3+"float-snat"]; !ok {
		t.Chains[l3+"float-snat"] = Chain{}
	}
	t.Chains[bottom] = Chain{Rules: []string{`-m comment --comment "Perform source NAT on outgoing traffic." -j ` + l3 + "snat"}}
	t.Builtin["POSTROUTING"] = append(t.Builtin["POSTROUTING"], "-j "+bottom)
}

// dnat translates between a floating IP and its fixed address.
func (b *builder) dnat(f *FloatingIP, in string) {
	b.rule4("nat", "PREROUTING", fmt.Sprintf("-d %v/32 %s-j DNAT --to-destination %v", f.Floating, in, f.Fixed))
	b.rule4("nat", "float-snat", fmt.Sprintf("-s %v/32 -j SNAT --to-source %v --random-fully", f.Fixed, f.Floating))
}

// forwardRule leads a port, or a range of ports one by one, to another address.
func forwardRule(p *PortForwarding) string {
	var s strings.Builder
	fmt.Fprintf(&s, "-d %v/32 -p %s -m %s --dport %d", p.Floating, p.Protocol, p.Protocol, p.External.First)
	if p.External.Last != p.External.First {
		fmt.Fprintf(&s, ":%d", p.External.Last)
	}
	fmt.Fprintf(&s, " -j DNAT --to-destination %v", p.Internal)
	switch {
	case p.InternalPorts.First == p.InternalPorts.Last:
		fmt.Fprintf(&s, ":%d", p.InternalPorts.First)
	case p.InternalPorts != p.External:
		// Shifted: the second number is the port that becomes the first.
		fmt.Fprintf(&s, ":%d-%d/%d", p.InternalPorts.First, p.InternalPorts.Last, p.External.First)
	}
	return s.String()
}
