package plan

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
