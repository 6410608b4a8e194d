package ofapps

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/policy"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// place is where a port of a drawn cloud may be: its network hangs on its number, because the switch is the same for all
// clouds.
type place struct {
	host   string
	ofport uint32
}

// Places of a drawn cloud: on each of two hosts, ports 11 to 13 on the first network, 14 and 15 on the second.
func places() (out []place) {
	for _, h := range []string{"host1", "host2"} {
		for n := uint32(11); n <= 15; n++ {
			out = append(out, place{h, n})
		}
	}
	return out
}

func (p place) network() string { return map[bool]string{true: "n1", false: "n2"}[p.ofport < 14] }

func (p place) vlan() int { return map[string]int{"n1": 1, "n2": 2}[p.network()] }

func (p place) id() string { return fmt.Sprintf("%s-%d", p.host, p.ofport) }

func (p place) mac() model.MAC {
	if p.host == "" {
		return model.MAC{0xfa, 0x16, 0x3e, 0xff, 0, 1}
	}
	return model.MAC{0xfa, 0x16, 0x3e, 0, p.host[4] - '0', byte(p.ofport)}
}

// drawn draws from small sets, so that things meet.
type drawn struct{ t *rapid.T }

func (d drawn) n(most int) int          { return rapid.IntRange(0, most).Draw(d.t, "n") }
func (d drawn) one(of ...string) string { return of[d.n(len(of)-1)] }
func (d drawn) seldom(one int) bool     { return d.n(one-1) == one-1 }
func (d drawn) port() uint16            { return drawnPorts[d.n(len(drawnPorts)-1)] }
func (d drawn) address(six bool) string {
	return fmt.Sprintf(map[bool]string{false: "10.0.0.%d", true: "fd00::%d"}[six], 1+d.n(9))
}
func (d drawn) family() (six bool) { return d.n(2) == 2 }
func (d drawn) block(six bool) netip.Prefix {
	if six {
		return netip.MustParsePrefix(d.one("::/0", "fd00::/64", "fd00::/125", "fd00::4/126", "fd00::5/128", "fd00::8/128"))
	}
	return netip.MustParsePrefix(d.one("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/29", "10.0.0.4/30", "10.0.0.5/32", "10.0.0.8/32"))
}

var drawnPorts = []uint16{0, 1, 22, 53, 67, 68, 79, 80, 81, 90, 443, 546, 547, 1000, 1023, 1024, 40000, 65535}

var drawnPolicies = []string{"q1", "q2"}

var drawnStateful, drawnStateless = []string{"g1", "g2", "g3"}, []string{"l1", "l2"}

// cloud draws a cloud as the store would have it: groups of one sort on a port, numbers that are unique.
func (d drawn) cloud() *viewtest.Cloud {
	c := viewtest.New(d.t)
	ports := map[string]uint32{view.PatchTun: patchTun, view.IntPort("br-ex"): intBrEx}
	c.Host(1, ports)
	c.Host(2, ports)
	for n, id := range []string{"n1", "n2"} {
		typ := model.VXLAN
		if n == 1 && d.n(1) == 1 {
			typ = model.VLAN
		}
		c.Network(id, typ, uint32(segment+n), true)
		c.Carry("host1", id, uint16(1+n))
		c.Carry("host2", id, uint16(1+n))
	}
	d.router(c)
	c.Change(func(tx viewtest.Tx) {
		for i, g := range slices.Concat(drawnStateful, drawnStateless) {
			tx.Put(&model.SecurityGroup{Meta: model.Meta{ID: g}, Number: uint32(1 + i), Stateful: i < len(drawnStateful)})
			for r := range 1 + d.n(6) {
				tx.Put(d.rule(fmt.Sprintf("%s-r%d", g, r), g))
			}
		}
		for i := range 2 {
			a := &model.AddressGroup{Meta: model.Meta{ID: fmt.Sprintf("a%d", i+1)}, Number: uint32(11 + i)}
			for range d.n(3) {
				a.Addresses = append(a.Addresses, d.block(d.family()))
			}
			tx.Put(a)
		}
		for _, q := range drawnPolicies {
			tx.Put(d.policy(q))
		}
		for _, id := range []string{"n1", "n2"} {
			if d.seldom(4) {
				n := *c.Snapshot().Network(id)
				n.QoSPolicyID = d.one(drawnPolicies...)
				tx.Put(&n)
			}
		}
		sets := map[string]bool{}
		for _, p := range places() {
			port := d.placed(p)
			tx.Put(port)
			if !d.seldom(6) {
				tx.Put(&model.Binding{PortID: port.ID, NetworkID: port.NetworkID, Host: p.host, Interface: "tap", OFPort: p.ofport})
			}
			if key := port.GroupSetKey(); key != "" && !sets[key] {
				sets[key] = true
				tx.Put(&model.GroupSet{Key: key, Number: uint32(100 + len(sets))})
			}
		}
	})
	return c
}

// placed draws the port of a place.
func (d drawn) placed(at place) *model.Port {
	p := &model.Port{Meta: model.Meta{ID: at.id()}, NetworkID: at.network(), MAC: at.mac(), AdminStateUp: true, PortSecurityEnabled: !d.seldom(6)}
	p.FixedIPs = []model.FixedIP{{IP: netip.MustParseAddr(d.address(false))}}
	if d.n(1) == 1 {
		p.FixedIPs = append(p.FixedIPs, model.FixedIP{IP: netip.MustParseAddr(d.address(true))})
	}
	of := drawnStateful
	if d.seldom(4) {
		of = drawnStateless
	}
	for _, g := range of {
		if d.n(1) == 1 {
			p.SecurityGroups = append(p.SecurityGroups, g)
		}
	}
	if d.seldom(3) {
		p.QoSPolicyID = d.one(drawnPolicies...)
	}
	if d.seldom(4) {
		a := model.AddressPair{IP: d.block(d.family())}
		switch d.n(3) {
		case 0:
			a.MAC = virtual
		case 1:
			a.MAC = places()[d.n(9)].mac()
		}
		p.AllowedAddressPairs = append(p.AllowedAddressPairs, a)
	}
	return p
}

// policy draws limits and a mark, of which there may be none.
func (d drawn) policy(id string) *model.QoSPolicy {
	q := &model.QoSPolicy{Meta: model.Meta{ID: id}}
	for _, direction := range []string{model.Egress, model.Ingress} {
		if d.n(1) == 1 {
			q.Rules = append(q.Rules, model.QoSRule{Type: model.BandwidthLimit, Direction: direction, MaxKbps: uint32(1000 * (1 + d.n(1)))})
		}
		if d.n(1) == 1 {
			q.Rules = append(q.Rules, model.QoSRule{Type: model.PacketRateLimit, Direction: direction, MaxKpps: uint32(1 + d.n(1))})
		}
	}
	if d.n(1) == 1 {
		q.Rules = append(q.Rules, model.QoSRule{Type: model.DSCPMarking, Direction: model.Egress, DSCPMark: model.DSCPMarks[d.n(len(model.DSCPMarks)-1)]})
	}
	return q
}

func (d drawn) rule(id, group string) *model.SecurityGroupRule {
	six := d.family()
	r := &model.SecurityGroupRule{Meta: model.Meta{ID: id}, SecurityGroupID: group, Direction: d.one(model.Ingress, model.Egress), EtherType: model.IPv4}
	if six {
		r.EtherType = model.IPv6
	}
	if !d.seldom(3) {
		proto := d.protocol(six)
		r.Protocol = &proto
		d.narrow(r)
	}
	switch d.n(4) {
	case 0:
		r.RemoteIPPrefix = d.block(six)
	case 1, 2:
		r.RemoteGroupID = d.one(slices.Concat(drawnStateful, drawnStateless)...)
	case 3:
		r.RemoteAddressGroupID = d.one("a1", "a2")
	}
	return r
}

func (d drawn) protocol(six bool) uint8 {
	icmp := uint8(policy.ICMP)
	if six {
		icmp = policy.ICMPv6
	}
	return []uint8{policy.TCP, policy.TCP, policy.UDP, policy.UDP, icmp, policy.SCTP, 47}[d.n(6)]
}

// narrow gives a rule ports, or a type and a code.
func (d drawn) narrow(r *model.SecurityGroupRule) {
	if d.seldom(3) {
		return
	}
	switch *r.Protocol {
	case policy.TCP, policy.UDP, policy.SCTP:
		a, b := d.port(), d.port()
		a, b = min(a, b), max(a, b)
		r.PortRangeMin, r.PortRangeMax = &a, &b
	case policy.ICMP, policy.ICMPv6:
		typ, code := uint16(d.icmpType(*r.Protocol == policy.ICMPv6)), uint16(d.n(1))
		r.PortRangeMin = &typ
		if d.n(1) == 1 {
			r.PortRangeMax = &code
		}
	}
}

func (d drawn) icmpType(six bool) uint8 {
	if six {
		return []uint8{128, 128, 129, 1, 130, 131, 132, 133, 134, 135, 136, 137, 143}[d.n(12)]
	}
	return []uint8{8, 8, 0, 3, 13}[d.n(4)]
}

// tell spells a cloud out, for the message of a failure.
func tell(s state.Snapshot) string {
	var b strings.Builder
	for p := range s.Ports() {
		fmt.Fprintf(&b, "%s %v secured %v groups %v pairs %v qos %+v bound %v\n", p.ID, p.FixedIPs, p.PortSecurityEnabled, p.SecurityGroups, p.AllowedAddressPairs,
			view.PolicyOf(s, p), s.Binding(p.ID) != nil)
	}
	for r := range s.SecurityGroupRules() {
		text := func(n *uint16) string {
			if n == nil {
				return "-"
			}
			return fmt.Sprint(*n)
		}
		proto := "any"
		if r.Protocol != nil {
			proto = fmt.Sprint(*r.Protocol)
		}
		fmt.Fprintf(&b, "%s %s %s proto %s %s..%s prefix %v group %q addresses %q\n", r.ID, r.Direction, r.EtherType, proto, text(r.PortRangeMin), text(r.PortRangeMax),
			r.RemoteIPPrefix, r.RemoteGroupID, r.RemoteAddressGroupID)
	}
	for g := range s.AddressGroups() {
		fmt.Fprintf(&b, "%s %v\n", g.ID, g.Addresses)
	}
	return b.String()
}

// talk is a packet between two places; a place without a host is outside.
type talk struct {
	from, to place
	mac      model.MAC
	// group: to all.
	group bool
	// routed: a distributed router of the other host has sent it.
	routed bool
	packet policy.Packet
	// asked is what the packet answers to.
	asked *policy.Packet
}

// GoString is how a failure shows it.
func (k talk) GoString() string {
	to := k.to.id()
	if k.group {
		to = "all"
	}
	if k.routed {
		to += ", routed"
	}
	p := k.packet
	return fmt.Sprintf("%s (%s) to %s: %s > %s proto %d ports %d > %d type %d code %d target %s", k.from.id(), k.mac, to, p.Src, p.Dst, p.Protocol,
		p.SrcPort, p.DstPort, p.Type, p.Code, p.Target)
}

func (d drawn) talk(s state.Snapshot) talk {
	all := places()
	k := talk{from: all[d.n(9)]}
	k.mac = k.from.mac()
	near := slices.DeleteFunc(slices.Clone(all), func(p place) bool { return p == k.from || p.network() != k.from.network() })
	if !d.seldom(6) {
		k.to = near[d.n(len(near)-1)]
	}
	if k.to.host != "" && d.seldom(6) {
		k.from, k.routed = place{}, d.n(1) == 1
		k.mac = k.from.mac()
	}
	p := &k.packet
	aim := d.aim(s, k)
	six := d.family()
	if aim != nil && !d.seldom(6) {
		six = aim.EtherType == model.IPv6
	}
	p.Src, p.Dst = netip.MustParseAddr(d.address(six)), netip.MustParseAddr(d.address(six))
	// Mostly what the ends really have.
	if a := d.own(s, k.from, six); a.IsValid() && !d.seldom(5) {
		p.Src = a
	}
	if a := d.own(s, k.to, six); a.IsValid() && !d.seldom(5) {
		p.Dst = a
	}
	if six && d.seldom(8) {
		p.Src = cmp.Or(map[int]netip.Addr{0: netip.IPv6Unspecified(), 1: k.mac.LinkLocal()}[d.n(2)], p.Src)
	}
	if k.from.host != "" && d.seldom(10) {
		k.mac = []model.MAC{virtual, all[d.n(9)].mac()}[d.n(1)]
	}
	p.Protocol = d.protocol(six)
	if aim != nil && aim.Protocol != nil && (aim.EtherType == model.IPv6) == six && !d.seldom(8) {
		p.Protocol = *aim.Protocol
	} else {
		aim = nil
	}
	switch p.Protocol {
	case policy.TCP, policy.UDP, policy.SCTP:
		p.SrcPort, p.DstPort = d.port(), d.port()
		if aim != nil && aim.PortRangeMin != nil {
			p.DstPort = []uint16{*aim.PortRangeMin, *aim.PortRangeMax, *aim.PortRangeMin - 1, *aim.PortRangeMax + 1}[d.n(3)]
		}
	case policy.ICMP, policy.ICMPv6:
		p.Type, p.Code, p.Target = d.icmpType(six), uint8(d.n(1)), p.Src
		if aim != nil && aim.PortRangeMin != nil && !d.seldom(4) {
			p.Type = uint8(*aim.PortRangeMin)
		}
		if p.Type == 135 || p.Type == 136 {
			p.Code = 0
			if d.n(1) == 1 {
				p.Target = netip.MustParseAddr(d.address(true))
			}
		}
	}
	if k.from.host != "" && d.seldom(6) {
		k.group, k.to = true, place{}
		p.Dst = netip.MustParseAddr(map[bool]string{false: "224.0.0.18", true: "ff02::12"}[six])
		if d.seldom(4) && !six {
			p.Dst = netip.MustParseAddr("255.255.255.255")
		}
	}
	return k
}

// aim draws a rule that one of the two may be judged by.
func (d drawn) aim(s state.Snapshot, k talk) *model.SecurityGroupRule {
	of := k.from
	if d.n(1) == 1 {
		of = k.to
	}
	p := s.Port(of.id())
	if p == nil {
		return nil
	}
	rules := policy.Rules(s, p)
	if len(rules) == 0 {
		return nil
	}
	return rules[d.n(len(rules)-1)]
}

// own is an address of a place's port of that family, also one of its pairs.
func (d drawn) own(s state.Snapshot, at place, six bool) netip.Addr {
	p := s.Port(at.id())
	if p == nil {
		return netip.Addr{}
	}
	var of []netip.Addr
	for _, m := range p.Members() {
		if m.Addr().Is6() == six {
			of = append(of, m.Addr())
		}
	}
	if len(of) == 0 {
		return netip.Addr{}
	}
	return of[d.n(len(of)-1)]
}
