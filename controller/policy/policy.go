package policy

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Numbers of IP protocols (IANA, "Protocol Numbers").
const (
	ICMP   = 1
	TCP    = 6
	UDP    = 17
	ICMPv6 = 58
	SCTP   = 132
)

// Packet is the first packet of a conversation.
type Packet struct {
	Src, Dst netip.Addr
	// Protocol is the IP protocol's number.
	Protocol uint8
	// SrcPort and DstPort are those of TCP, UDP and SCTP.
	SrcPort, DstPort uint16
	// Type and Code are those of ICMP and ICMPv6.
	Type, Code uint8
	// Target is the address that a message of neighbour discovery is about.
	Target netip.Addr
}

// End is who sends a packet, or gets it.
type End struct {
	// Port is the id of a port; empty: somebody outside, whom nobody judges.
	Port string
	// MAC is the one that the sender uses; the zero MAC is the port's own.
	MAC model.MAC
}

// Verdict is whether a packet is allowed, at both ends.
type Verdict struct{ Egress, Ingress Judgement }

// Allowed says whether the packet gets from one end to the other.
func (v Verdict) Allowed() bool { return v.Egress.Allowed && v.Ingress.Allowed }

// Judgement is what the port security and the groups of one port come to.
type Judgement struct {
	Allowed bool
	// Why says in a few words what decided, when it was not a rule.
	Why string
	// Rule is the rule that allows the packet, the first by id; nil when it is none.
	Rule *model.SecurityGroupRule
}

// May says whether a packet that begins a conversation may go from one end to the other.
func May(s state.Snapshot, from, to End, p Packet) Verdict {
	return Verdict{send(s, from, p, nil), receive(s, to, p, nil)}
}

// MayAnswer says whether the answer to a packet, from to back to from, gets there, if there is a connection that the packet
// has begun. Stateful groups let answers pass for as long as they would let it begin; stateless ones judge them as any packet.
func MayAnswer(s state.Snapshot, from, to End, p Packet) Verdict {
	return Verdict{send(s, to, p.Answer(), &p), receive(s, from, p.Answer(), &p)}
}

// Answer is what answers to a packet: to an echo request the reply (RFC 792; RFC 4443, 4.2).
func (p Packet) Answer() Packet {
	a := p
	a.Src, a.Dst, a.SrcPort, a.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
	switch {
	case p.Protocol == ICMP && p.Type == echoRequest:
		a.Type = echoReply
	case p.Protocol == ICMP && (p.Type == timestamp || p.Type == information):
		a.Type = p.Type + 1
	case p.Protocol == ICMPv6 && p.Type == echoRequest6:
		a.Type = echoReply6
	}
	return a
}

func allow(why string) Judgement  { return Judgement{Allowed: true, Why: why} }
func refuse(why string) Judgement { return Judgement{Why: why} }

// send judges a packet by its sender. asked is the packet that it answers to, nil for one that begins a conversation.
func send(s state.Snapshot, e End, p Packet, asked *Packet) Judgement {
	port := s.Port(e.Port)
	if port == nil || !port.Secured() {
		return allow("the sender is not judged")
	}
	mac := e.MAC
	if mac.IsZero() {
		mac = port.MAC
	}
	switch {
	case !slices.Contains(port.Stations(), mac):
		return refuse("the source MAC is not the port's")
	case p.advertisesRouter():
		return refuse("only routers may advertise themselves")
	case p.servesDHCP():
		return refuse("only DHCP servers may answer clients")
	case p.asksDHCP() && p.Src == unspecified4 && p.Dst == broadcast4:
		return allow("a DHCP client's")
	case p.Src == netip.IPv6Unspecified():
		return fromNowhere(port, mac, p)
	case !owns(port, mac, p.Src):
		return refuse("the source address is not the port's")
	case p.asksDHCP():
		return allow("a DHCP client's")
	case p.Protocol == ICMPv6 && p.Type == neighborAdvertisement:
		if !owns(port, mac, p.Target) {
			return refuse("the advertised address is not the port's")
		}
		return allow("neighbour discovery")
	case p.Protocol == ICMPv6 && slices.Contains(sent6, p.Type):
		return allow("neighbour discovery")
	}
	return byRules(s, port, model.Egress, p, p.Dst, asked)
}

// fromNowhere judges what a station sends before it has an IPv6 address.
func fromNowhere(port *model.Port, mac model.MAC, p Packet) Judgement {
	switch {
	case p.Protocol != ICMPv6:
	case p.Type == neighborSolicitation && owns(port, mac, p.Target):
		return allow("whether the address is free")
	case slices.Contains(unspecified6, p.Type):
		return allow("neighbour discovery")
	}
	return refuse("the source address is not the port's")
}

// owns says whether the port may send from an address with a MAC: it is one of its own, of its allowed address pairs, or
// the link-local address that belongs to the MAC.
func owns(port *model.Port, mac model.MAC, ip netip.Addr) bool {
	return ip == mac.LinkLocal() || slices.ContainsFunc(port.Senders(), func(s model.Sender) bool { return s.MAC == mac && s.IP.Contains(ip) })
}

// receive judges a packet by who is to get it; asked is as in send.
func receive(s state.Snapshot, e End, p Packet, asked *Packet) Judgement {
	port := s.Port(e.Port)
	switch {
	case port == nil || !port.Secured():
		return allow("the receiver is not judged")
	case p.Protocol == ICMPv6 && slices.Contains(heard6, p.Type):
		return allow("neighbour discovery")
	case p.answersDHCP():
		return allow("a DHCP server's")
	}
	return byRules(s, port, model.Ingress, p, p.Src, asked)
}
