package policy

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// byRules judges a packet by the groups of a port. other is the address of the other end. What answers to a port's
// conversations is judged by the rules that let these begin.
func byRules(s state.Snapshot, port *model.Port, direction string, p Packet, other netip.Addr, asked *Packet) Judgement {
	if Stateful(s, port) {
		if asked != nil {
			p, direction = *asked, opposite(direction)
		}
		if !p.begins() {
			return refuse("it neither begins a conversation nor belongs to one")
		}
	}
	for _, r := range Rules(s, port) {
		if r.Direction == direction && Matches(s, r, p, other) {
			return Judgement{Allowed: true, Rule: r}
		}
	}
	return refuse("no rule allows it")
}

func opposite(direction string) string {
	if direction == model.Egress {
		return model.Ingress
	}
	return model.Egress
}

// Stateful says whether what answers to a port's conversations is allowed with them. The groups of a port are all of one sort; a port
// without any has no conversations.
func Stateful(s state.Snapshot, port *model.Port) bool {
	some := false
	for _, id := range port.SecurityGroups {
		if g := s.SecurityGroup(id); g != nil {
			if g.Stateful {
				return true
			}
			some = true
		}
	}
	return !some
}

// Rules lists the rules of all groups of a port, by id.
func Rules(s state.Snapshot, port *model.Port) []*model.SecurityGroupRule {
	var out []*model.SecurityGroupRule
	for _, id := range port.SecurityGroups {
		if s.SecurityGroup(id) != nil {
			out = slices.AppendSeq(out, s.RulesOf(id))
		}
	}
	slices.SortFunc(out, func(a, b *model.SecurityGroupRule) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Matches says whether a rule is about a packet with the other end at an address; whether its direction is right is the
// caller's to know.
func Matches(s state.Snapshot, r *model.SecurityGroupRule, p Packet, other netip.Addr) bool {
	family := model.IPv6
	if p.Src.Is4() {
		family = model.IPv4
	}
	return r.EtherType == family && matchesProtocol(r, p) && matchesRemote(s, r, other)
}

func matchesProtocol(r *model.SecurityGroupRule, p Packet) bool {
	if r.Protocol == nil {
		return r.PortRangeMin == nil
	}
	if *r.Protocol != p.Protocol {
		return false
	}
	if r.PortRangeMin == nil {
		return true
	}
	switch p.Protocol {
	case TCP, UDP, SCTP:
		return r.PortRangeMax != nil && *r.PortRangeMin <= p.DstPort && p.DstPort <= *r.PortRangeMax
	case ICMP, ICMPv6:
		if p.Src.Is4() != (p.Protocol == ICMP) {
			return false // ICMP of the other family has no types here
		}
		return *r.PortRangeMin == uint16(p.Type) && (r.PortRangeMax == nil || *r.PortRangeMax == uint16(p.Code))
	}
	return false // of no other protocol are the ports known
}

func matchesRemote(s state.Snapshot, r *model.SecurityGroupRule, other netip.Addr) bool {
	switch {
	case r.RemoteGroupID != "":
		return inGroup(s, r.RemoteGroupID, other)
	case r.RemoteAddressGroupID != "":
		g := s.AddressGroup(r.RemoteAddressGroupID)
		return g != nil && slices.ContainsFunc(g.Addresses, func(a netip.Prefix) bool { return a.Contains(other) })
	}
	return !r.RemoteIPPrefix.IsValid() || r.RemoteIPPrefix.Contains(other)
}

// inGroup says whether some port of a security group has an address: of its own, or of its allowed address pairs.
func inGroup(s state.Snapshot, group string, ip netip.Addr) bool {
	if s.SecurityGroup(group) == nil {
		return false
	}
	for p := range s.PortsSecuredBy(group) {
		if p.Secured() && slices.ContainsFunc(p.Members(), func(m netip.Prefix) bool { return m.Contains(ip) }) {
			return true
		}
	}
	return false
}
