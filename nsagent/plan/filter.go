package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Chains of the firewall. Those of a port are named as Neutron's: i, o and s, and the first 10 characters of the port's id.
// Rules of a set of groups are shared by all ports with these groups, in gi and go and the set's number, and for answers in ri
// and ro; si and so lead to them by the state of the connection. What is the same for
// all ports is in one chain for them all, above all what names ports of UDP: for each such number iptables-restore asks the kernel
// for all addresses of the host (getaddrinfo(3)), and a host with many ports has many.
const (
	fw         = "weft-fw-"
	fwAccept   = fw + "accept"
	fwFallback = fw + "sg-fallback"
	fwChain    = fw + "sg-chain"
	fwState    = fw + "state"
	fwND       = fw + "nd"
	fwTypes    = fw + "ethertypes"
	fwHeard    = fw + "heard"   // what every port hears
	fwServers  = fw + "servers" // what only routers and DHCP servers send
	fwClients  = fw + "clients" // what DHCP clients send
)

// How rules look at cutBit, and write it.
const (
	notCut  = "-m connmark --mark 0x0/0x1 "
	isCut   = "-m connmark --mark 0x1/0x1 "
	restore = "-j CONNMARK --set-xmark 0x0/0x1"
	cutIt   = "-j CONNMARK --set-xmark 0x1/0x1"
)

// isAsked matches packets of a connection's first direction, isReply answers to them.
const (
	isAsked = "-m conntrack --ctdir ORIGINAL "
	isReply = "-m conntrack --ctdir REPLY "
)

// Types of ICMPv6 that stations send and hear whatever their rules (RFC 4861, 4; RFC 2710, 3; RFC 9777, 5.2).
var (
	sent6        = []int{130, 131, 132, 133, 135, 143}
	unspecified6 = []int{131, 133, 143}
	heard6       = []int{130, 134, 135, 136}
)

// filter writes the rules of firewall bridges.
type filter struct {
	v4, v6, eth Ruleset
}

func (f *filter) both(table, chain string, ordered bool, rules ...string) {
	for _, set := range []Ruleset{f.v4, f.v6} {
		put(set, table, chain, ordered, rules...)
	}
}

func put(set Ruleset, table, chain string, ordered bool, rules ...string) {
	t := set.table(table)
	c := t.Chains[chain]
	c.Rules, c.Ordered = append(c.Rules, rules...), ordered
	t.Chains[chain] = c
}

// jump leads from a builtin chain into one of ours.
func jump(set Ruleset, table, builtin string) {
	put(set, table, fw+builtin, false)
	set.table(table).Builtin[builtin] = []string{"-j " + fw + builtin}
}

// base is what all ports share.
func (f *filter) base() {
	for _, set := range []Ruleset{f.v4, f.v6} {
		jump(set, "raw", "PREROUTING")
		jump(set, "filter", "FORWARD")
		jump(set, "filter", "INPUT")
	}
	f.both("filter", fw+"FORWARD", false, "-i "+devBridge+`+ -m physdev --physdev-is-bridged -m comment --comment "Direct traffic over firewall bridges to the security group chain." -j `+fwChain)
	f.both("filter", fwChain, false)
	f.both("filter", fwState, true,
		"-m conntrack --ctstate INVALID,UNTRACKED -j DROP",
		"-m conntrack --ctstate RELATED "+notCut+"-j "+fwAccept,
		"-m conntrack --ctstate RELATED -j DROP")
	// A connection that was cut and is allowed again goes on.
	f.both("filter", fwAccept, true, isCut+restore, "-j ACCEPT")
	f.both("filter", fwFallback, true, notCut+cutIt, `-m comment --comment "Default drop rule for unmatched traffic." -j DROP`)
	put(f.v4, "filter", fwHeard, false, "-p udp -m udp --sport 67 --dport 68 -j "+fwAccept)
	put(f.v6, "filter", fwHeard, false, "-p udp -m udp --sport 547 --dport 546 -j "+fwAccept)
	for _, typ := range heard6 {
		put(f.v6, "filter", fwHeard, false, fmt.Sprintf("-p ipv6-icmp -m icmp6 --icmpv6-type %d -j %s", typ, fwAccept))
	}
	put(f.v4, "filter", fwServers, false, `-p udp -m udp --dport 68 -m comment --comment "Prevent DHCP Spoofing by VM." -j DROP`)
	put(f.v6, "filter", fwServers, false,
		`-p ipv6-icmp -m icmp6 --icmpv6-type 134 -m comment --comment "Drop IPv6 Router Advts from VM Instance." -j DROP`,
		`-p udp -m udp --dport 546 -m comment --comment "Prevent DHCP Spoofing by VM." -j DROP`)
	put(f.v4, "filter", fwClients, false, `-p udp -m udp --sport 68 --dport 67 -m comment --comment "Allow DHCP client traffic." -j `+fwAccept)
	put(f.v6, "filter", fwClients, false, `-p udp -m udp --sport 546 --dport 547 -m comment --comment "Allow DHCP client traffic." -j `+fwAccept)
	for _, typ := range sent6 {
		put(f.v6, "filter", fwND, false, fmt.Sprintf("-p ipv6-icmp -m icmp6 --icmpv6-type %d -j %s", typ, fwAccept))
	}
	jump(f.eth, "filter", "FORWARD")
	put(f.eth, "filter", fwTypes, true, "-p IPv4 -j RETURN", "-p IPv6 -j RETURN", "-p ARP -j RETURN", "-j DROP")
}

// port adds a port's chains, and what leads to them.
func (f *filter) port(p *PortFirewall, zone uint16) {
	in, out, spoof := fw+"i"+p.PortID[:routerPart], fw+"o"+p.PortID[:routerPart], fw+"s"+p.PortID[:routerPart]
	bridge, inner := BridgeOf(p.PortID), InnerOf(p.PortID)
	track := fmt.Sprintf("-j CT --zone %d", zone)
	if p.Stateless {
		track = "-j CT --notrack"
	}
	f.both("raw", fw+"PREROUTING", false, fmt.Sprintf(`-i %s -m comment --comment "Set zone for %s" %s`, bridge, p.PortID, track))
	// The host has nothing to say to the machine, and routes nothing for it.
	f.both("filter", fw+"INPUT", false, "-i "+bridge+" -j DROP")
	f.both("filter", fw+"FORWARD", false, "-i "+bridge+" ! -o "+bridge+" -j DROP")
	f.both("filter", fwChain, false,
		"-m physdev --physdev-in "+inner+` --physdev-is-bridged -m comment --comment "Jump to the VM specific chain." -j `+in,
		"-m physdev --physdev-out "+inner+` --physdev-is-bridged -m comment --comment "Jump to the VM specific chain." -j `+out)
	f.spoof(p, spoof)
	f.hears(p, in)
	f.sends(p, out, spoof)
	put(f.eth, "filter", fw+"FORWARD", false, "-i "+inner+" -j "+fwTypes, "-o "+inner+" -j "+out)
	for _, s := range p.senders(false) {
		from := ""
		if s.Prefix.Bits() > 0 {
			from = "--arp-ip-src " + short(s.Prefix) + " "
		}
		put(f.eth, "filter", out, true, "-p ARP -s "+s.MAC+" "+from+"--arp-mac-src "+s.MAC+" -j RETURN")
	}
	put(f.eth, "filter", out, true, "-p IPv4 -j RETURN", "-p IPv6 -j RETURN", "-j DROP")
}

// short is a prefix as ebtables prints it: an address without its length.
func short(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// from is the match of a source, "" for any.
func from(p netip.Prefix) string {
	if !p.IsValid() || p.Bits() == 0 {
		return ""
	}
	return "-s " + p.String() + " "
}

func to(p netip.Prefix) string { return strings.Replace(from(p), "-s ", "-d ", 1) }

func fromMAC(mac string) string { return "-m mac --mac-source " + mac + " " }

// spoof adds the chain that lets through what comes from own addresses.
func (f *filter) spoof(p *PortFirewall, chain string) {
	for _, v := range []struct {
		set  Ruleset
		ipv6 bool
	}{{f.v4, false}, {f.v6, true}} {
		for _, s := range p.senders(v.ipv6) {
			put(v.set, "filter", chain, true, from(s.Prefix)+fromMAC(s.MAC)+`-m comment --comment "Allow traffic from defined IP/MAC pairs." -j RETURN`)
		}
		put(v.set, "filter", chain, true, `-m comment --comment "Drop traffic without an IP/MAC allow rule." -j DROP`)
	}
}

// judged is what follows after what every station may send or hear. way is i or o.
func (p *PortFirewall) judged(way string) []string {
	var out []string
	switch n := number10(p.GroupSet); {
	case p.GroupSet == 0 && !p.Stateless:
		out = append(out, "-j "+fwState)
	case p.GroupSet != 0 && !p.Stateless:
		out = append(out, "-j "+fw+"s"+way+n)
	case p.GroupSet != 0:
		out = append(out, "-j "+fw+"g"+way+n)
	}
	return append(out, `-m comment --comment "Send unmatched traffic to the fallback chain." -j `+fwFallback)
}

// hears adds the chain for what comes to the port.
func (f *filter) hears(p *PortFirewall, chain string) {
	f.both("filter", chain, true, append([]string{"-j " + fwHeard}, p.judged("i")...)...)
}

// sends adds the chain for what the port sends.
func (f *filter) sends(p *PortFirewall, chain, spoof string) {
	four := func(rules ...string) { put(f.v4, "filter", chain, true, rules...) }
	six := func(rules ...string) { put(f.v6, "filter", chain, true, rules...) }
	for _, mac := range p.macs() {
		four("-s 0.0.0.0/32 -d 255.255.255.255/32 " + fromMAC(mac) + "-j " + fwClients)
	}
	four("-j "+fwServers, "-j "+spoof, "-j "+fwClients)

	six("-j " + fwServers)
	for _, mac := range p.macs() {
		for _, typ := range unspecified6 {
			six(fmt.Sprintf("-s ::/128 -p ipv6-icmp -m icmp6 --icmpv6-type %d %s-j %s", typ, fromMAC(mac), fwAccept))
		}
	}
	senders := p.senders(true)
	for _, s := range senders { // is the address free? (RFC 4862, 5.4.2)
		six("-s ::/128 -p ipv6-icmp -m icmp6 --icmpv6-type 135 " + fromMAC(s.MAC) + ndTarget(s.Prefix) + "-j " + fwAccept)
	}
	six("-s ::/128 -j DROP", "-j "+spoof, "-j "+fwClients)
	for _, s := range senders {
		six("-p ipv6-icmp -m icmp6 --icmpv6-type 136 " + fromMAC(s.MAC) + ndTarget(s.Prefix) + "-j " + fwAccept)
	}
	six("-p ipv6-icmp -m icmp6 --icmpv6-type 136 -j DROP", "-p ipv6-icmp -j "+fwND)
	f.both("filter", chain, true, p.judged("o")...)
}

// ndTarget matches the address that a message of neighbour discovery is about: it follows 8 bytes after the IPv6 header of 40
// bytes, if that says that ICMPv6 comes next.
func ndTarget(p netip.Prefix) string {
	terms := []string{"0x3&0xff=0x3a"}
	a := p.Masked().Addr().As16()
	for i := 0; i < 4 && i*32 < p.Bits(); i++ {
		word := uint32(a[4*i])<<24 | uint32(a[4*i+1])<<16 | uint32(a[4*i+2])<<8 | uint32(a[4*i+3])
		at := fmt.Sprintf("0x%x", 48+4*i)
		if bits := p.Bits() - 32*i; bits < 32 {
			at += fmt.Sprintf("&0x%x", ^uint32(0)<<(32-bits))
		}
		terms = append(terms, fmt.Sprintf("%s=0x%x", at, word))
	}
	return `-m u32 --u32 "` + strings.Join(terms, "&&") + `" `
}

// groups adds the rules of a set of groups; stateful says that connections are judged by them, with their answers.
func (f *filter) groups(g *GroupSet, stateful bool) {
	n := number10(g.Number)
	for _, way := range []string{"i", "o"} {
		f.both("filter", fw+"g"+way+n, false)
		if stateful {
			f.both("filter", fw+"r"+way+n, false)
			f.both("filter", fw+"s"+way+n, true, "-j "+fwState, isReply+"-j "+fw+"r"+way+n, isAsked+"-j "+fw+"g"+way+n)
		}
	}
	for _, r := range g.Rules {
		set, way, back := f.v4, "o", "i"
		if r.IPv6 {
			set = f.v6
		}
		if r.Ingress {
			way, back = back, way
		}
		if text, can := r.text(false); can {
			put(set, "filter", fw+"g"+way+n, false, text)
		}
		if text, can := r.text(true); can && stateful {
			put(set, "filter", fw+"r"+back+n, false, text)
		}
	}
}

// text is a rule as iptables-save prints it, about packets that begin a connection or about answers to them; false for one
// that no packet can meet, or whose ports nobody sees.
func (r FirewallRule) text(answers bool) (string, bool) {
	var s strings.Builder
	end := "dst"
	if r.Ingress != answers {
		end = "src"
		s.WriteString(from(r.Prefix))
	} else {
		s.WriteString(to(r.Prefix))
	}
	proto, can := r.transport(answers)
	if !can {
		return "", false
	}
	s.WriteString(proto)
	if r.Group != "" {
		fmt.Fprintf(&s, "-m set --match-set %s %s ", SetName(r.Group, r.IPv6), end)
	}
	fmt.Fprintf(&s, `-m comment --comment "rule %s" -j %s`, r.ID, fwAccept)
	return s.String(), true
}

// transport is what a rule says of protocol, ports, type and code.
func (r FirewallRule) transport(answers bool) (string, bool) {
	switch {
	case r.Protocol == nil:
		return "", r.Min == nil
	case *r.Protocol == 0:
		return "", false // to iptables it is any
	}
	name := protocolName(*r.Protocol)
	match := "-p " + name + " "
	if r.Min == nil {
		return match, true
	}
	switch name {
	case "tcp", "udp", "sctp":
		option := "--dport"
		if answers {
			option = "--sport"
		}
		return match + ports(name, option, r.Min, r.Max), r.Max != nil
	case "icmp", "ipv6-icmp":
		if (name == "ipv6-icmp") != r.IPv6 || *r.Min > 254 || (r.Max != nil && *r.Max > 255) {
			return "", false // 255 is any type to iptables
		}
		return r.icmp(match, answers)
	}
	return "", false
}

// answerTypes are the types of ICMP and ICMPv6 messages that ask, as the kernel's connection tracker has it, with those of the
// answers (RFC 792; RFC 950, appendix I; RFC 4443, 4; RFC 4620, 4).
var answerTypes = map[bool]map[uint16]uint16{false: {8: 0, 13: 14, 15: 16, 17: 18}, true: {128: 129, 139: 140}}

// icmp is what a rule says of type and code. An answer has the code of the question.
func (r FirewallRule) icmp(match string, answers bool) (string, bool) {
	option := "-m icmp --icmp-type "
	if r.IPv6 {
		option = "-m icmp6 --icmpv6-type "
	}
	typ, can := *r.Min, true
	if answers {
		typ, can = answerTypes[r.IPv6][typ]
	}
	if r.Max == nil {
		return fmt.Sprintf("%s%s%d ", match, option, typ), can
	}
	return fmt.Sprintf("%s%s%d/%d ", match, option, typ, *r.Max), can
}

func ports(protocol, option string, first, last *uint16) string {
	switch {
	case last == nil || *first == 0 && *last == 65535:
		return ""
	case *first == *last:
		return fmt.Sprintf("-m %s %s %d ", protocol, option, *first)
	}
	return fmt.Sprintf("-m %s %s %d:%d ", protocol, option, *first, *last)
}

// setPart is how much of a group's id is in the name of its set: 31 characters are the most (ipset(8)).
const setPart = 25

// SetName is the name of the set of a group's addresses.
func SetName(group string, ipv6 bool) string {
	family := "weft4-"
	if ipv6 {
		family = "weft6-"
	}
	return family + group[:setPart]
}

// OurSet says whether a set has a name of ours.
func OurSet(name string) bool {
	return strings.HasPrefix(name, "weft4-") || strings.HasPrefix(name, "weft6-")
}

// entries are the addresses of a set. A set cannot hold the block of all addresses, but its halves.
func entries(prefixes []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range prefixes {
		if p.Bits() > 0 {
			out = append(out, p)
			continue
		}
		high := p.Addr().AsSlice()
		high[0] = 0x80
		upper, _ := netip.AddrFromSlice(high)
		out = append(out, netip.PrefixFrom(p.Addr(), 1), netip.PrefixFrom(upper, 1))
	}
	slices.SortFunc(out, comparePrefixes)
	return slices.Compact(out)
}

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}
