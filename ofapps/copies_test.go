package ofapps

import (
	"fmt"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket/layers"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// Groups beside those of firewall_test.go.
const (
	guests     = "e0e0e0e0-0005-4000-8000-000000000000"
	asker      = "e0e0e0e0-0006-4000-8000-000000000000"
	otherAsker = "e0e0e0e0-0007-4000-8000-000000000000"
)

// overheard is a flat network of host1 with judged ports: 2 and 3 hear port 80 of UDP, each by a group of its own, and 4 by a stateless
// one; 5 hears another port, and 7 may send all. 8 and 9 may ask one port each. Nobody judges 6 and 10. Some share a MAC and an address.
func overheard(t viewtest.T) *viewtest.Cloud {
	c := threeHosts(t)
	c.Network(flat, model.Flat, 0, true)
	c.Carry("host1", flat, 6)
	c.Group(web, 1, "egress ipv4", "ingress ipv4 udp 79")
	c.Group(db, 2, "ingress ipv4 udp 80")
	c.Group(guests, 3, "ingress ipv4 udp 80")
	c.Group(asker, 5, "egress ipv4 udp 80")
	c.Group(otherAsker, 6, "egress ipv4 udp 81")
	c.StatelessGroup(singly, 4, "ingress ipv4 udp 80")
	for i, n := range []int{2, 3, 4, 5, 6, 7, 8, 9, 10} {
		c.Bind(portID(n), flat, "host1", byte(n), uint32(firstPort+i), fmt.Sprintf("10.1.0.%d", n))
	}
	for port, group := range map[int]string{2: db, 3: guests, 4: singly, 5: web, 7: web, 8: asker, 9: otherAsker} {
		c.Secure(portID(port), group)
	}
	for _, port := range []int{2, 4, 8, 9} {
		c.Pair(portID(port), "10.1.0.200/32", virtual)
	}
	return c
}

// Fragments that no rule allows, and that the connection tracker has kept, reached a port with a stateless group, or another wire of the
// bridge to the physical network, with a packet of somebody whom nobody judges; and fragments of what is allowed did not reach who was
// one of several.
func TestCopies(t *testing.T) {
	w := startWire(t, overheard(t).Snapshot(), tap(2), tap(3), tap(4), tap(5), tap(6), tap(8), tap(9), tap(10))
	w.port("br-ex", "eth1", 10)
	w.listen("eth1")
	w.Appctl("dpctl/ipf-set-max-nfrags", "5000") // each copy of what is refused waits for 15 s
	id := uint16(0)
	send := func(by string, from byte, mac net.HardwareAddr, port uint16, size int) (sent int) {
		ip := fmt.Sprintf("10.1.0.%d", from)
		id++
		frames := fragments4(t, hw(from), mac, ip, "10.1.0.200", 17, datagram(t, ip, "10.1.0.200", 40000+id, port, size), id, 1480)
		w.send(by, frames...)
		return len(frames)
	}
	heard := func() map[string]int {
		all := map[string]int{}
		for who := range w.files {
			if n := len(w.left(who)); n > 0 {
				all[who] = n
			}
		}
		return all
	}
	for _, c := range []struct {
		by   string
		from byte
		name string
		to   net.HardwareAddr
		// who hears each frame; stateless says that 4 hears what is whole, and of what is not the beginning at most.
		who       []string
		stateless bool
	}{
		{"eth0", 99, "to all", layers.EthernetBroadcast, []string{"eth1", tap(2), tap(3), tap(6), tap(10)}, true},
		{"eth0", 99, "to a MAC of two", virtual[:], []string{"eth1", tap(2), tap(6), tap(10)}, true},
		{"eth0", 99, "to one", hw(3), []string{"eth1", tap(3)}, false},
		{"eth0", 99, "to one who may not hear it", hw(5), []string{"eth1"}, false},
		{tap(7), 7, "to all", layers.EthernetBroadcast, []string{"eth1", tap(2), tap(3), tap(6), tap(10)}, true},
		{tap(7), 7, "to a MAC of two", virtual[:], []string{"eth1", tap(2), tap(6), tap(10)}, true},
		{tap(7), 7, "to one", hw(3), []string{tap(3)}, false},
		{tap(7), 7, "to one who may not hear it", hw(5), nil, false},
	} {
		for _, size := range []int{10, 4000} {
			// The judged must not hear this. The tracker hands out 32 of its fragments, and the others with what it looks at next.
			send(tap(10), 10, layers.EthernetBroadcast, 81, 40*1480)
			heard()
			n := send(c.by, c.from, c.to, 80, size)
			want := map[string]int{}
			for _, who := range c.who {
				want[who] = n
			}
			got := heard()
			if first := got[tap(4)]; c.stateless && (first == 1 || n > 1 && first == 0) {
				delete(got, tap(4))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s from %s, %d bytes (-want +got):\n%s", c.name, c.by, size, d)
			}
		}
	}
}

// Answers to one of several that share a MAC and an address go to those whose rules let them ask, whole or in fragments.
func TestCopiesOfAnswers(t *testing.T) {
	w := startWire(t, overheard(t).Snapshot(), tap(6), tap(8), tap(9))
	const server, both = "10.1.0.6", "10.1.0.200"
	for i, size := range []int{10, 4000, 10, 4000} {
		// 8 asks at first, then 9.
		asks, hears, silent, port := tap(8), tap(8), tap(9), uint16(80)
		if i > 1 {
			asks, hears, silent, port = tap(9), tap(9), tap(8), 81
		}
		question := fragments4(t, virtual[:], hw(6), both, server, 17, datagram(t, both, server, 40000, port, size), uint16(i), 1480)
		answer := fragments4(t, hw(6), virtual[:], server, both, 17, datagram(t, server, both, port, 40000, size), uint16(i), 1480)
		w.send(asks, question...)
		if got := w.left(tap(6)); len(got) != len(question) {
			t.Errorf("%d of %d packets arrive", len(got), len(question))
		}
		w.send(tap(6), answer...)
		if got := w.left(hears); len(got) != len(answer) {
			t.Errorf("%s hears %d of %d packets of the answer", hears, len(got), len(answer))
		}
		if got := w.left(silent); len(got) > 0 {
			t.Errorf("%s, which may not ask, hears %d packets of the answer", silent, len(got))
		}
	}
}
