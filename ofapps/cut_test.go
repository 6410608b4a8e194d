package ofapps

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// judgedAs is a packet, and how the first one of its connection is remembered.
type judgedAs struct{ packet, asked string }

// What becomes of connections that have been cut, and of those that are to be: the mark tells, and what the switch does to
// it.
func TestMarksOfConnections(t *testing.T) {
	cloud := securedTenants(t)
	cloud.Pair(portID(7), "10.1.0.101/32", virtual)
	s := cloud.Snapshot()
	h := startHost(t, s)
	learn(s, h, "host1")
	// The marks that packets get when they are looked up: the receiver's port, or the network's VLAN.
	const toOne, toSeven, toSeveral = "pkt_mark=0x4000000b", "pkt_mark=0x4000000e", "pkt_mark=0x20000001"
	in := func(port string) judgedAs {
		return judgedAs{from(tap(10), mac(10), toOne, ipv4(1, "10.1.0.10", "10.1.0.1", toTCP+port)), ""}
	}
	out := func(port string) judgedAs {
		return judgedAs{from(tap(7), m(7), ipv4(2, "10.1.0.7", "192.0.2.53", toUDP+port)), ""}
	}
	// Answers, by who has asked from port 40000, and which port.
	sends := func(mac, asker, port string) judgedAs {
		return judgedAs{from(tap(7), m(7), "dl_dst="+mac+",dl_type=0x0800,nw_src=10.1.0.7,nw_dst="+asker+",nw_proto=6,tcp_dst=40000,tcp_src="+port),
			",ct_nw_proto=6,ct_tp_src=40000,ct_tp_dst=" + port}
	}
	hears := func(asked, port string) judgedAs {
		return judgedAs{from(tap(10), mac(10), toSeven, ipv4(7, asked, "10.1.0.7", ",nw_proto=17,udp_dst=40000,udp_src="+port)), ",ct_nw_proto=17,ct_tp_src=40000,ct_tp_dst=" + port}
	}
	ping := func(typ, code string) judgedAs {
		return judgedAs{from(tap(10), mac(10), toSeven, ipv4(7, "192.0.2.99", "10.1.0.7", ",nw_proto=1,icmp_type=0,icmp_code="+code)), ",ct_nw_proto=1,ct_tp_src=" + typ + ",ct_tp_dst=" + code}
	}
	// To a MAC that several ports may have, here and elsewhere: each gets a copy.
	shared := func(port string) judgedAs {
		return judgedAs{from(tap(10), mac(10), toSeveral, "dl_dst="+virt+",dl_type=0x0800,nw_src=192.0.2.53,nw_dst=10.1.0.101,nw_proto=17,udp_dst=40000,udp_src="+port),
			",ct_nw_proto=17,ct_tp_src=40000,ct_tp_dst=" + port}
	}
	later := func(of judgedAs) judgedAs {
		of.packet, _, _ = strings.Cut(of.packet, ",udp_dst")
		return judgedAs{of.packet + ",nw_frag=later", ",ct_nw_proto=17"}
	}
	fragment := func(of judgedAs) judgedAs {
		of.packet += ",nw_frag=first"
		return of
	}
	const restores, cuts = ",mark=0/0x1", ",mark=0x1/0x1"
	for _, c := range []struct {
		name   string
		is     judgedAs
		state  string
		mark   int
		leaves []string
		does   string
	}{
		{"allowed", in("22"), "trk|est", 0, []string{tap(1)}, ""},
		{"allowed again: restored", in("22"), "trk|est", 1, []string{tap(1)}, restores},
		{"allowed no more: cut", in("23"), "trk|est", 0, nil, cuts},
		{"cut already", in("23"), "trk|est", 1, nil, ""},
		{"new, and not allowed", in("23"), "trk|new", 0, nil, ""},
		// What the tracker has handed out with a packet that was for another port, or another network's.
		{"looked up for another port", judgedAs{strings.Replace(in("22").packet, toOne, toSeven, 1), ""}, "trk|new", 0, nil, ""},
		{"looked up for several", judgedAs{strings.Replace(in("22").packet, toOne, toSeveral, 1), ""}, "trk|new", 0, nil, ""},
		{"new, and allowed", in("22"), "trk|new", 0, []string{tap(1)}, ""},
		{"error about a connection", in("23"), "trk|rel", 0, []string{tap(1)}, ""},
		{"error about a cut connection, where a rule would let it in", in("22"), "trk|rel", 1, nil, ""},

		{"sent: allowed again", out("53"), "trk|est", 1, []string{toHost2}, restores},
		{"sent: allowed no more", out("54"), "trk|est", 0, nil, cuts},
		{"sent: error about a cut connection, where a rule would let it out", out("53"), "trk|rel", 1, nil, ""},

		{"answer", sends(m(2), "10.1.0.2", "5432"), "trk|est|rpl", 0, []string{toHost2}, ""},
		{"answer where the rule has come back: its first direction restores", sends(m(2), "10.1.0.2", "5432"), "trk|est|rpl", 1, []string{toHost2}, ""},
		{"answer, and the rule has gone", sends(m(2), "10.1.0.2", "5433"), "trk|est|rpl", 0, nil, cuts},
		{"answer to one who is no member any more", sends(mac(10), "10.1.0.10", "5432"), "trk|est|rpl", 0, nil, cuts},
		{"answer of a cut connection", sends(m(2), "10.1.0.2", "5433"), "trk|est|rpl", 1, nil, ""},
		{"answer to an address of an address group", sends(mac(10), "192.0.2.9", "5500"), "trk|est|rpl", 0, []string{tap(10)}, ""},
		{"the same from a port beyond the range", sends(mac(10), "192.0.2.9", "5501"), "trk|est|rpl", 0, nil, cuts},
		{"answer by a rule of the other direction", sends(mac(10), "192.0.2.53", "53"), "trk|est|rpl", 0, nil, cuts},

		{"heard: answer", hears("192.0.2.53", "53"), "trk|est|rpl", 0, []string{tap(7)}, ""},
		{"heard: answer of a cut connection that a rule allows again", hears("192.0.2.53", "53"), "trk|est|rpl", 1, []string{tap(7)}, ""},
		{"heard: answer, and the rule has gone", hears("192.0.2.53", "54"), "trk|est|rpl", 0, nil, cuts},
		{"heard: answer, and the rule is about another address", hears("192.0.2.54", "53"), "trk|est|rpl", 0, nil, cuts},
		{"heard: answer of a cut connection", hears("192.0.2.53", "54"), "trk|est|rpl", 1, nil, ""},
		{"heard: first fragment of an answer", fragment(hears("192.0.2.53", "53")), "trk|est|rpl", 0, []string{tap(7)}, ""},
		{"heard: first fragment of an answer, and the rule has gone", fragment(hears("192.0.2.53", "54")), "trk|est|rpl", 0, nil, ""},
		{"heard: first fragment of what a DHCP server says to its client", judgedAs{fragment(hears("192.0.2.3", "67")).packet, ",ct_nw_proto=17,ct_tp_src=68,ct_tp_dst=67"}, "trk|est|rpl", 0, []string{tap(7)}, ""},
		{"heard: answer for several", shared("53"), "trk|est|rpl", 0, []string{tap(6), tap(7), toHost2}, ""},
		{"heard: the same where one's rule has gone: whose it is is not known", shared("54"), "trk|est|rpl", 0, []string{tap(6), toHost2}, ""},
		// The rest of the network has had its copy before the connection was looked up.
		{"heard: later fragment of an answer for several", later(shared("53")), "trk|est|rpl", 0, []string{tap(6), tap(7)}, ""},
		{"heard: the same of a cut connection: it waits for the first", later(shared("53")), "trk|est|rpl", 1, []string{tap(6), tap(7)}, ""},
		{"heard: echo reply", ping("8", "0"), "trk|est|rpl", 0, []string{tap(7)}, ""},
		{"heard: answer to another type", ping("13", "0"), "trk|est|rpl", 0, nil, cuts},
		{"heard: answer to another code", ping("8", "1"), "trk|est|rpl", 0, nil, cuts},
	} {
		t.Run(c.name, func(t *testing.T) {
			next := strings.ReplaceAll(c.state, "|", ",")
			packet := fmt.Sprintf("%s,ct_state=%s,ct_mark=%d%s", c.is.packet, c.state, c.mark, c.is.asked)
			trace := []string{"ofproto/trace", "br-int", packet}
			for range 6 {
				trace = append(trace, "--ct-next", next)
			}
			text := h.Appctl(trace...)
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
