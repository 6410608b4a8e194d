package ofapps

import (
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// talkative is red with judged ports on host1: 1 asks, and 6 is asked, by a rule for each protocol at either end.
func talkative(t viewtest.T) *viewtest.Cloud {
	c := threeHosts(t)
	c.Network(red, model.VXLAN, 0x64, true)
	c.Carry("host1", red, 1)
	c.AddressGroup(office, 4, "10.1.0.1/32")
	c.Group(web, 1, "egress ipv4 udp 80", "egress ipv6 udp 80", "egress ipv4 tcp 80", "egress ipv4 icmp 8/0", "egress ipv4 sctp 80", "egress ipv4 gre")
	c.Group(db, 2, "ingress ipv4 udp 80 from "+office, "ingress ipv6 udp 80", "ingress ipv4 tcp 80 from 10.1.0.0/24", "ingress ipv4 icmp 8/0", "ingress ipv4 sctp 80", "ingress ipv4 gre")
	c.Bind(portID(1), red, "host1", 1, firstPort, "10.1.0.1", "fd00::1")
	c.Bind(portID(6), red, "host1", 6, firstPort+2, "10.1.0.6", "fd00::6")
	c.Bind(portID(10), red, "host1", 10, firstPort+6, "10.1.0.10", "fd00::10")
	c.Secure(portID(1), web)
	c.Secure(portID(6), db)
	return c
}

// Who has asked once hears answers for as long as there are any. They ended only with the asker's next packet when the rule
// had gone by which he asked; now each answer is judged, whole or in fragments, at both ends.
func TestAnswersAreCut(t *testing.T) {
	c := talkative(t)
	w := startWire(t, c.Snapshot(), tap(1), tap(6))
	there := func(proto uint8, payload []byte) [][]byte {
		return fragments4(t, hw(1), hw(6), "10.1.0.1", "10.1.0.6", proto, payload, 1, 1480)
	}
	back := func(proto uint8, payload []byte) [][]byte {
		return fragments4(t, hw(6), hw(1), "10.1.0.6", "10.1.0.1", proto, payload, 2, 1480)
	}
	udp := there(17, datagram(t, "10.1.0.1", "10.1.0.6", 40000, 80, 10))
	tcp := func(from, to string, h layers.TCP) []byte {
		h.Window = 1000
		if err := h.SetNetworkLayerForChecksum(ip4Layer(from, to, 6)); err != nil {
			t.Fatal(err)
		}
		return bytesOf(t, &h, gopacket.Payload(make([]byte, map[bool]int{true: 0, false: 10}[h.SYN])))
	}
	const asker, asked = "10.1.0.1", "10.1.0.6"
	for _, k := range []struct {
		name string
		// rule is the number of the two that allow it, in either group.
		rule int
		// asks are the packets that begin, answers those that go on coming.
		asks, opens, answers [][]byte
	}{
		{name: "UDP", rule: 1, asks: udp, answers: back(17, datagram(t, asked, asker, 80, 40000, 10))},
		{name: "UDP in fragments", rule: 1, asks: udp, answers: back(17, datagram(t, asked, asker, 80, 40000, 40000))},
		{name: "UDP over IPv6", rule: 2, asks: fragments6(hw(1), hw(6), "fd00::1", "fd00::6", 17, datagram(t, "fd00::1", "fd00::6", 40000, 80, 4000), 1, 1448),
			answers: fragments6(hw(6), hw(1), "fd00::6", "fd00::1", 17, datagram(t, "fd00::6", "fd00::1", 80, 40000, 4000), 2, 1448)},
		{name: "TCP", rule: 3, asks: there(6, tcp(asker, asked, layers.TCP{SrcPort: 40000, DstPort: 80, Seq: 100, SYN: true})),
			opens:   back(6, tcp(asked, asker, layers.TCP{SrcPort: 80, DstPort: 40000, Seq: 500, Ack: 101, SYN: true, ACK: true})),
			answers: back(6, tcp(asked, asker, layers.TCP{SrcPort: 80, DstPort: 40000, Seq: 501, Ack: 101, ACK: true, PSH: true}))},
		{name: "ICMP", rule: 4, asks: there(1, echo(t, 4000)), answers: back(1, echoReply(t, 4000))},
		{name: "SCTP", rule: 5, asks: there(132, bytesOf(t, &layers.SCTP{SrcPort: 40000, DstPort: 80})), answers: back(132, bytesOf(t, &layers.SCTP{SrcPort: 80, DstPort: 40000}))},
		{name: "GRE", rule: 6, asks: there(47, make([]byte, 100)), answers: back(47, make([]byte, 3000))},
	} {
		t.Run(k.name, func(t *testing.T) {
			w.t = t
			arrive := func(when, from, at string, frames [][]byte, want int) {
				t.Helper()
				w.send(from, frames...)
				if n := len(w.left(at)); n != want {
					t.Errorf("%s: %d of %d packets arrive, want %d", when, n, len(frames), want)
				}
			}
			for end, group := range map[string]uint32{"the asker's": 1, "the asked one's": 2} {
				arrive("asked", tap(1), tap(6), k.asks, len(k.asks))
				if k.opens != nil {
					arrive("opened", tap(6), tap(1), k.opens, len(k.opens))
				}
				arrive("at first", tap(6), tap(1), k.answers, len(k.answers))
				id := viewtest.RuleID(group, k.rule)
				rule := c.Snapshot().SecurityGroupRule(id)
				w.become(c, func(tx viewtest.Tx) { tx.Delete(state.SecurityGroupRules, id) })
				arrive(end+" rule has gone", tap(6), tap(1), k.answers, 0)
				arrive("for long", tap(6), tap(1), k.answers, 0)
				w.become(c, func(tx viewtest.Tx) { tx.Put(rule) })
				arrive(end+" rule is back", tap(6), tap(1), k.answers, len(k.answers))
			}
		})
	}
	t.Run("member", func(t *testing.T) {
		w.t = t
		answer := back(17, datagram(t, asked, asker, 80, 40000, 10))
		w.become(c, func(tx viewtest.Tx) {
			g := *c.Snapshot().AddressGroup(office)
			g.Addresses = nil
			tx.Put(&g)
		})
		w.send(tap(6), answer...)
		if n := len(w.left(tap(1))); n != 0 {
			t.Errorf("the asker has left the group that the rule is about: %d answers arrive", n)
		}
	})
}

// echoReply answers to echo.
func echoReply(t *testing.T, size int) []byte {
	return bytesOf(t, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(0, 0), Id: 1, Seq: 1}, gopacket.Payload(make([]byte, size)))
}
