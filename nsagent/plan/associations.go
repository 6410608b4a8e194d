package plan

import "slices"

// Tags are the verification tags of an association of SCTP (RFC 9260, section 3.1): what packets of its beginner carry, and what
// packets of the other side do. Each side has chosen the other's when it began.
type Tags struct{ Orig, Reply uint32 }

// Heard is what was heard of associations of SCTP: the tag of packets, by where they come from and go to.
type Heard map[Tuple]uint32

// Reversed is the other direction of a packet of which nothing is translated. It is for protocols with ports.
func (t Tuple) Reversed() Tuple {
	return Tuple{Src: t.Dst, Dst: t.Src, SrcPort: t.DstPort, DstPort: t.SrcPort}
}

// Associations are those that a connection of SCTP stands for, with their tags, as far as both sides have been heard. A tracker that
// knows no ports (Open vSwitch's own, before 3.2) has one connection for all associations of two addresses.
func (c Connection) Associations(heard Heard) []Connection {
	if c.Tags.Orig != 0 && c.Tags.Reply != 0 {
		return []Connection{c}
	}
	var out []Connection
	for t, tag := range heard {
		if t.Src != c.Orig.Src || t.Dst != c.Orig.Dst || c.Orig.SrcPort != 0 && (t.SrcPort != c.Orig.SrcPort || t.DstPort != c.Orig.DstPort) {
			continue
		}
		if answer := heard[t.Reversed()]; answer != 0 {
			a := c
			a.Orig, a.Reply, a.Tags = t, t.Reversed(), Tags{tag, answer}
			out = append(out, a)
		}
	}
	return out
}

// Unheard are the connections of SCTP of a port of which no association is known with its tags.
func Unheard(tracked []Connection, senders []Sender, heard Heard) []Connection {
	return slices.DeleteFunc(slices.Clone(tracked), func(c Connection) bool {
		return c.Protocol != sctpProto || !c.Of(senders) || c.Over() || len(c.Associations(heard)) > 0
	})
}

// Arriving are the bridges whose machines are there, and not in them yet, each with its machine as the only one of its Taps.
func Arriving(want, have Namespace) []Bridge {
	is := map[string]Bridge{}
	for _, b := range have.Bridges {
		is[b.Name] = b
	}
	var out []Bridge
	for _, b := range want.Bridges {
		if tap := have.Machine(b); tap != "" && !slices.Contains(is[b.Name].Taps, tap) {
			b.Taps = []string{tap}
			out = append(out, b)
		}
	}
	return out
}

// Tracked are those of some bridges whose machine in Taps br-int holds, and tracks.
func (n Namespace) Tracked(arriving []Bridge) []Bridge {
	return slices.DeleteFunc(arriving, func(b Bridge) bool { return !n.tracks(b, b.Taps[0]) })
}

// tracks says whether br-int has connections of a machine that a bridge is to know.
func (n Namespace) tracks(b Bridge, tap string) bool { return n.Plugged[tap] && b.Zone != 0 }
