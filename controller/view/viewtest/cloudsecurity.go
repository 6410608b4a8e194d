package viewtest

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
)

// Group adds a stateful security group with rules; see Rule.
func (c *Cloud) Group(id string, number uint32, rules ...string) {
	c.t.Helper()
	c.group(id, number, true, rules)
}

// StatelessGroup adds a stateless security group with rules.
func (c *Cloud) StatelessGroup(id string, number uint32, rules ...string) {
	c.t.Helper()
	c.group(id, number, false, rules)
}

func (c *Cloud) group(id string, number uint32, stateful bool, rules []string) {
	c.t.Helper()
	c.Put(&model.SecurityGroup{Meta: model.Meta{ID: id}, Stateful: stateful, Number: number})
	for i, text := range rules {
		c.Rule(RuleID(number, i+1), id, text)
	}
}

// RuleID is the id of the nth rule, from 1, of the group with a number.
func RuleID(number uint32, n int) string {
	return fmt.Sprintf("%08x-%04x-4000-8000-000000000000", number, n)
}

// AddressGroup adds an address group.
func (c *Cloud) AddressGroup(id string, number uint32, blocks ...string) {
	c.t.Helper()
	g := &model.AddressGroup{Meta: model.Meta{ID: id}, Number: number}
	for _, b := range blocks {
		g.Addresses = append(g.Addresses, netip.MustParsePrefix(b))
	}
	c.Put(g)
}

// Protocols by the names that Rule knows.
var protocols = map[string]uint8{"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "icmpv6": 58, "ospf": 89, "vrrp": 112, "sctp": 132}

// Rule adds a rule to a group: direction, ethertype, protocol or nothing, ports or nothing (of ICMP type/code), and the
// other side or nothing, which is a block, or the id of a security group or address group:
//
//	ingress ipv4 tcp 80-90 from 10.0.0.0/8
//	egress ipv6
//	ingress ipv4 icmp 8/0 from web
func (c *Cloud) Rule(id, group, text string) {
	c.t.Helper()
	words := strings.Fields(text)
	r := &model.SecurityGroupRule{Meta: model.Meta{ID: id}, SecurityGroupID: group, Direction: words[0],
		EtherType: map[string]string{"ipv4": model.IPv4, "ipv6": model.IPv6}[words[1]]}
	words = words[2:]
	if i := slices.IndexFunc(words, func(w string) bool { return w == "from" || w == "to" }); i >= 0 {
		c.otherSide(r, words[i+1])
		words = words[:i]
	}
	if len(words) > 0 {
		proto, known := protocols[words[0]]
		if !known {
			proto = uint8(number(c.t, words[0]))
		}
		r.Protocol = &proto
	}
	if len(words) > 1 {
		first, last, two := strings.Cut(words[1], map[bool]string{true: "/", false: "-"}[strings.HasPrefix(words[0], "icmp")])
		n := number(c.t, first)
		r.PortRangeMin = &n
		switch {
		case two:
			m := number(c.t, last)
			r.PortRangeMax = &m
		case !strings.HasPrefix(words[0], "icmp"):
			r.PortRangeMax = &n
		}
	}
	c.Put(r)
}

func (c *Cloud) otherSide(r *model.SecurityGroupRule, who string) {
	s := c.Snapshot()
	switch p, err := netip.ParsePrefix(who); {
	case err == nil:
		r.RemoteIPPrefix = p
	case s.AddressGroup(who) != nil:
		r.RemoteAddressGroupID = who
	default:
		r.RemoteGroupID = who
	}
}

func number(t T, s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(n)
}

// Secure turns the port security of a port on, and gives it security groups. Sets of groups are numbered from 101.
func (c *Cloud) Secure(port string, groups ...string) {
	c.t.Helper()
	s := c.Snapshot()
	p := *s.Port(port)
	p.PortSecurityEnabled, p.SecurityGroups = true, slices.Sorted(slices.Values(groups))
	c.Put(&p)
	if key := p.GroupSetKey(); key != "" && s.GroupSet(key) == nil {
		c.Put(&model.GroupSet{Key: key, Number: uint32(101 + s.Len("groupsets"))})
	}
}

// Pair lets a port send from an address or a block with a MAC; the zero MAC is the port's own.
func (c *Cloud) Pair(port, block string, mac model.MAC) {
	c.t.Helper()
	p := *c.Snapshot().Port(port)
	p.AllowedAddressPairs = append(slices.Clone(p.AllowedAddressPairs), model.AddressPair{IP: netip.MustParsePrefix(block), MAC: mac})
	c.Put(&p)
}
