package plan

import (
	"net/netip"
	"slices"
)

// Packet is a frame for a connection tracker, with the mark that its connection is to have.
type Packet struct {
	Frame []byte
	Mark  uint32
}

// cutBit is the bit of a connection's mark which says that it was allowed and is not any more (docs/decisions/0061).
const cutBit = 0x1

// BrIntMark is the mark that br-int is to have of a connection which a firewall bridge has judged.
func (c Connection) BrIntMark() uint32 { return c.Mark & cutBit }

// end is what tells one connection from another, seen from its beginner.
type end struct {
	protocol         uint8
	src, dst         netip.Addr
	srcPort, dstPort uint16
	id               uint16
}

func (c Connection) end() end {
	return end{c.Protocol, c.Orig.Src, c.Orig.Dst, c.Orig.SrcPort, c.Orig.DstPort, c.Orig.ID}
}

// portless is how a tracker tells it that knows no ports of SCTP.
func (e end) portless() end {
	if e.protocol == sctpProto {
		e.srcPort, e.dstPort = 0, 0
	}
	return e
}

func (e end) reversed() end { return end{e.protocol, e.dst, e.src, e.dstPort, e.srcPort, e.id} }

// Unlearned compares what a firewall bridge tracks of a port with what br-int does. missing are the connections that br-int does not
// know, or takes to have been begun by the side that has not; wrong are these as br-int has them.
//
// It leaves out what is over or has not been answered yet, so that its side begins anew, what goes to many, and protocols whose
// connections the two tell by different things.
func Unlearned(bridge, known []Connection, senders []Sender) (missing, wrong []Connection) {
	is := make(map[end]Connection, len(known))
	for _, c := range known {
		is[c.end()] = c
	}
	find := func(e end) (Connection, bool) {
		c, there := is[e]
		if !there {
			c, there = is[e.portless()]
		}
		return c, there
	}
	for _, c := range bridge {
		if !c.lives() || !c.Of(senders) {
			continue
		}
		if _, there := find(c.end()); there {
			continue
		}
		missing = append(missing, c)
		if w, there := find(c.end().reversed()); there {
			wrong = append(wrong, w)
		}
	}
	return missing, wrong
}

// lives says whether br-int can be made to know a connection.
func (c Connection) lives() bool {
	if c.Orig.Dst.IsMulticast() || c.Orig.Dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return false
	}
	switch c.Protocol {
	case tcpProto:
		return slices.Contains([]string{"ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT"}, c.State)
	case sctpProto:
		return slices.Contains([]string{"ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD", "HEARTBEAT_ACKED"}, c.State)
	case dccpProto, udpLiteProto:
		return false
	}
	return true
}

// Asks says whether the machine must be asked where a connection has got to: TCP's sequence numbers.
func (c Connection) Asks() bool { return c.Protocol == tcpProto }

// Machine says which end of a connection is the port's, with the MAC of that end: begun if it is the one that has begun. Where both
// ends have addresses that the port may send from, the nearer prefix decides. mac is "" when neither has.
func (c Connection) Machine(senders []Sender) (mac string, begun bool) {
	bits := -1
	for _, s := range senders {
		if s.Prefix.Bits() <= bits {
			continue
		}
		switch {
		case s.Prefix.Contains(c.Orig.Src):
			mac, begun, bits = s.MAC, true, s.Prefix.Bits()
		case s.Prefix.Contains(c.Orig.Dst):
			mac, begun, bits = s.MAC, false, s.Prefix.Bits()
		}
	}
	return mac, begun
}

// Opposes says whether another is the same connection, begun by the other side, as br-int may have it.
func (c Connection) Opposes(other Connection) bool {
	e := c.end().reversed()
	return other.end() == e || other.end() == e.portless()
}
