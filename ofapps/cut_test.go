package ofapps

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What becomes of connections that have been cut, and of those that are to be: the mark tells, and what the switch does to
// it.
func TestMarksOfConnections(t *testing.T) {
	s := securedTenants(t).Snapshot()
	h := startHost(t, s)
	learn(s, h, "host1")
	in := func(port string) string {
		return from(tap(10), mac(10), ipv4(1, "10.1.0.10", "10.1.0.1", toTCP+port))
	}
	out := func(port string) string {
		return from(tap(7), m(7), ipv4(2, "10.1.0.7", "192.0.2.53", toUDP+port))
	}
	const restores, cuts = ",mark=0/0x1", ",mark=0x1/0x1"
	for _, c := range []struct {
		name, packet, state string
		mark                int
		leaves              []string
		does                string
	}{
		{"allowed", in("22"), "trk|est", 0, []string{tap(1)}, ""},
		{"allowed again: restored", in("22"), "trk|est", 1, []string{tap(1)}, restores},
		{"allowed no more: cut", in("23"), "trk|est", 0, nil, cuts},
		{"cut already", in("23"), "trk|est", 1, nil, ""},
		{"new, and not allowed", in("23"), "trk|new", 0, nil, ""},
		{"answer", in("23"), "trk|est|rpl", 0, []string{tap(1)}, ""},
		{"answer of a cut connection, where a rule would let it in", in("22"), "trk|est|rpl", 1, nil, ""},
		{"error about a connection", in("23"), "trk|rel", 0, []string{tap(1)}, ""},
		{"error about a cut connection, where a rule would let it in", in("22"), "trk|rel", 1, nil, ""},

		{"sent: allowed again", out("53"), "trk|est", 1, []string{toHost2}, restores},
		{"sent: allowed no more", out("54"), "trk|est", 0, nil, cuts},
		{"sent: answer of a cut connection, where a rule would let it out", out("53"), "trk|est|rpl", 1, nil, ""},
		{"sent: error about a cut connection, where a rule would let it out", out("53"), "trk|rel", 1, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			next := strings.ReplaceAll(c.state, "|", ",")
			packet := fmt.Sprintf("%s,ct_state=%s,ct_mark=%d", c.packet, c.state, c.mark)
			text := h.Appctl("ofproto/trace", "br-int", packet, "--ct-next", next, "--ct-next", next)
			if left := h.leaving(t, text, packet); !slices.Equal(left, c.leaves) {
				t.Errorf("leaves by %v, want %v\n%s", left, c.leaves, text)
			}
			for _, does := range []string{restores, cuts} {
				if strings.Contains(text, does) != (does == c.does) {
					t.Errorf("%s: %v\n%s", does, does != c.does, text)
				}
			}
		})
	}
}
