package plan

import "slices"

// Outdated are the connections of TCP that br-int knows as a firewall bridge does, but knew before there was a bridge. It has not seen
// them since, so that it takes packets from where they have got to for strange ones, if they have been far.
//
// One that the bridge has seen begin it knows from packets that have just passed.
func Outdated(bridge, known []Connection, senders []Sender) []Connection {
	is := make(map[end]bool, len(known))
	for _, c := range known {
		is[c.end()] = true
	}
	var out []Connection
	for _, c := range bridge {
		if c.Protocol == tcpProto && c.Joined && c.lives() && c.Of(senders) && is[c.end()] {
			out = append(out, c)
		}
	}
	return out
}

// Gone are the connections of TCP that br-int takes to be alive, and a firewall bridge does not: they have ended behind the
// bridge, where br-int did not see it. It would take a new one between the same ports for a strange packet of the old one.
//
// The bridge must have been looked at after br-int.
func Gone(bridge, known []Connection, senders []Sender) []Connection {
	is := make(map[end]bool, len(bridge))
	for _, c := range bridge {
		if c.lives() {
			is[c.end()], is[c.end().reversed()] = true, true
		}
	}
	return slices.DeleteFunc(slices.Clone(known), func(c Connection) bool {
		return c.Protocol != tcpProto || !c.lives() || !c.Of(senders) || is[c.end()]
	})
}
