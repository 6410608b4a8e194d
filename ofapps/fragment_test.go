package ofapps

import (
	"encoding/hex"
	"fmt"
	"net"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// bigPackets is red with judged ports 1 and 6 on host1: 1 may send everything, 6 hears UDP port 80 and echo requests.
func bigPackets(t viewtest.T) *viewtest.Cloud {
	c := threeHosts(t)
	c.Network(red, model.VXLAN, 0x64, true)
	c.Carry("host1", red, 1)
	c.Group(web, 1, "egress ipv4", "egress ipv6")
	c.Group(db, 2, "egress ipv4", "egress ipv6", "ingress ipv4 udp 80", "ingress ipv6 udp 80", "ingress ipv4 icmp 8/0", "ingress ipv4 sctp 80")
	c.Bind(portID(1), red, "host1", 1, firstPort, "10.1.0.1", "fd00::1")
	c.Bind(portID(6), red, "host1", 6, firstPort+2, "10.1.0.6", "fd00::6")
	c.Bind(portID(10), red, "host1", 10, firstPort+6, "10.1.0.10", "fd00::10")
	c.Secure(portID(1), web)
	c.Secure(portID(6), db)
	return c
}

// Large packets of what is allowed come through whole, and nothing of those that are not: also not fragments in which
// nobody sees a port.
func TestFragments(t *testing.T) {
	w := startWire(t, bigPackets(t).Snapshot(), tap(6))
	w.Vsctl("set", "interface", tap(1), "mtu_request=9000", "--", "set", "interface", tap(6), "mtu_request=9000")
	id := 0
	four := func(payload []byte, proto uint8) [][]byte {
		id++
		return fragments4(t, hw(1), hw(6), "10.1.0.1", "10.1.0.6", proto, payload, uint16(id), 1480)
	}
	six := func(payload []byte, next uint8) [][]byte {
		id++
		return fragments6(hw(1), hw(6), "fd00::1", "fd00::6", next, payload, uint32(id), 1448)
	}
	udp4 := func(to uint16) []byte { return datagram(t, "10.1.0.1", "10.1.0.6", 40000, to, 4000) }
	udp6 := func(to uint16) []byte { return datagram(t, "fd00::1", "fd00::6", 40000, to, 4000) }
	backwards := func(f [][]byte) [][]byte { return [][]byte{f[2], f[1], f[0]} }
	for _, c := range []struct {
		name   string
		frames [][]byte
		want   int
	}{
		{"UDP, new", four(udp4(80), 17), 3},
		{"UDP, again", four(udp4(80), 17), 3},
		{"UDP, the last fragment first", backwards(four(udp4(80), 17)), 3},
		{"UDP, 65,000 bytes, in 32 fragments", fragments4(t, hw(1), hw(6), "10.1.0.1", "10.1.0.6", 17, datagram(t, "10.1.0.1", "10.1.0.6", 40000, 80, 65000), 999, 2048), 32},
		{"UDP to another port", four(udp4(81), 17), 0},
		{"UDP to another port, the last fragment first", backwards(four(udp4(81), 17)), 0},
		{"echo request", four(echo(t, 4000), 1), 3},
		{"UDP over IPv6", six(udp6(80), 17), 3},
		{"UDP over IPv6 to another port", six(udp6(81), 17), 0},
		{"without the first fragment", four(udp4(80), 17)[1:], 0},
		{"the first fragment alone", four(udp4(80), 17)[:1], 0},
	} {
		w.send(tap(1), c.frames...)
		if got := w.left(tap(6)); len(got) != c.want {
			t.Errorf("%s: %d of %d fragments arrive, want %d", c.name, len(got), len(c.frames), c.want)
		}
	}
	if t.Failed() {
		t.Logf("%s\n%s", w.Appctl("dpctl/dump-conntrack"), w.Appctl("dpctl/ipf-get-status"))
	}
}

// What a switch that has just started does: it takes all ports of fragments for 0. Nothing gets out that should not.
func TestFragmentsWithoutTheirPorts(t *testing.T) {
	w := startWire(t, bigPackets(t).Snapshot(), tap(6))
	w.Ofctl("set-frags", view.BrInt, "normal")
	w.send(tap(1), fragments4(t, hw(1), hw(6), "10.1.0.1", "10.1.0.6", 17, datagram(t, "10.1.0.1", "10.1.0.6", 67, 68, 4000), 1, 1480)...)
	w.send(tap(1), fragments4(t, hw(1), hw(6), "10.1.0.1", "10.1.0.6", 17, datagram(t, "10.1.0.1", "10.1.0.6", 40000, 80, 4000), 2, 1480)...)
	if got := w.left(tap(6)); len(got) != 0 {
		t.Errorf("%d fragments arrive", len(got))
	}
}

// hidden are messages that no machine may send, where a switch may not find them.
func TestNothingHiddenGetsOut(t *testing.T) {
	w := startWire(t, bigPackets(t).Snapshot(), tap(10))
	const ll = "fe80::f816:3eff:fe00:1"
	all := net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
	ra := icmp6Message(t, ll, "ff02::1", layers.ICMPv6TypeRouterAdvertisement, make([]byte, 12))
	bigRA := icmp6Message(t, ll, "ff02::1", layers.ICMPv6TypeRouterAdvertisement, make([]byte, 4000))
	advertise := datagram(t, ll, "fd00::10", 547, 546, 100)
	bigAdvertise := datagram(t, ll, "fd00::10", 547, 546, 4000)
	plain := func(to string, dst net.HardwareAddr, next uint8, payload []byte) [][]byte {
		return [][]byte{ethernet(hw(1), dst, layers.EthernetTypeIPv6, packet6(ll, to, next, payload))}
	}
	offer := datagram(t, "10.1.0.1", "10.1.0.10", 67, 68, 4000)
	for _, c := range []struct {
		name   string
		frames [][]byte
	}{
		{"router advertisement", plain("ff02::1", all, 58, ra)},
		{"behind hop-by-hop options", plain("ff02::1", all, 0, append(options6(58, 8), ra...))},
		{"behind two headers of options", plain("ff02::1", all, 0, append(append(options6(60, 8), options6(58, 64)...), ra...))},
		{"behind a fragment header of a packet that is whole", plain("ff02::1", all, 44, append([]byte{58, 0, 0, 0, 0, 0, 0, 1}, ra...))},
		{"in fragments", fragments6(hw(1), all, ll, "ff02::1", 58, bigRA, 2, 1448)},
		{"in fragments, the message in the second", fragments6(hw(1), all, ll, "ff02::1", 60, append(options6(58, 1448), bigRA...), 3, 1448)},
		{"in fragments, the options cut in two", fragments6(hw(1), all, ll, "ff02::1", 60, append(options6(58, 2000), bigRA...), 4, 1448)},
		{"DHCPv6 advertisement behind options", plain("fd00::10", hw(10), 60, append(options6(17, 64), advertise...))},
		{"DHCPv6 advertisement in fragments", fragments6(hw(1), hw(10), ll, "fd00::10", 17, bigAdvertise, 5, 1448)},
		{"DHCPv6 advertisement in fragments, the message in the second", fragments6(hw(1), hw(10), ll, "fd00::10", 60, append(options6(17, 1448), bigAdvertise...), 6, 1448)},
		{"DHCPv6 advertisement in fragments, the options cut in two", fragments6(hw(1), hw(10), ll, "fd00::10", 60, append(options6(17, 2000), bigAdvertise...), 7, 1448)},
		{"DHCP offer in fragments", fragments4(t, hw(1), hw(10), "10.1.0.1", "10.1.0.10", 17, offer, 8, 1480)},
		{"DHCP offer in small fragments", fragments4(t, hw(1), hw(10), "10.1.0.1", "10.1.0.10", 17, offer[:64], 9, 8)},
		{"with two tags", [][]byte{append(append(append([]byte{}, hw(10)...), hw(1)...), fromHex("810000008100000708004500")...)}},
	} {
		for _, mode := range []string{"nx-match", "normal"} {
			w.Ofctl("set-frags", view.BrInt, mode)
			w.send(tap(1), c.frames...)
			for _, b := range w.left(tap(10)) {
				t.Errorf("%s (%s): out goes\n%s", c.name, mode, hex.Dump(b[:min(len(b), 96)]))
			}
		}
	}
	// That the wire is not simply cut.
	w.send(tap(1), fragments6(hw(1), hw(10), ll, "fd00::10", 17, datagram(t, ll, "fd00::10", 40000, 80, 4000), 20, 1448)...)
	if got := w.left(tap(10)); len(got) != 3 {
		t.Errorf("%d fragments of an allowed datagram go out, want 3", len(got))
	}
}

func fromHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func icmp6Message(t *testing.T, from, to string, typ uint8, body []byte) []byte {
	t.Helper()
	ip6 := &layers.IPv6{SrcIP: net.ParseIP(from), DstIP: net.ParseIP(to), NextHeader: layers.IPProtocolICMPv6}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, 0)}
	if err := icmp.SetNetworkLayerForChecksum(ip6); err != nil {
		t.Fatal(err)
	}
	return bytesOf(t, icmp, gopacketPayload(body))
}

// A rule that goes cuts the connections that it had allowed, and they go on when it comes back. Others notice nothing.
func TestConnectionsAreCutAndRestored(t *testing.T) {
	c := bigPackets(t)
	w := startWire(t, c.Snapshot(), tap(6), tap(1))
	there := func(to uint16) []byte {
		return ethernet(hw(1), hw(6), layers.EthernetTypeIPv4, bytesOf(t, ip4Layer("10.1.0.1", "10.1.0.6", 17), gopacketPayload(datagram(t, "10.1.0.1", "10.1.0.6", 40000, to, 10))))
	}
	back := func(from uint16) []byte {
		return ethernet(hw(6), hw(1), layers.EthernetTypeIPv4, bytesOf(t, ip4Layer("10.1.0.6", "10.1.0.1", 17), gopacketPayload(datagram(t, "10.1.0.6", "10.1.0.1", from, 40000, 10))))
	}
	passes := func(when string, want bool) {
		t.Helper()
		w.send(tap(1), there(80))
		a := len(w.left(tap(6)))
		w.send(tap(6), back(80))
		b := len(w.left(tap(1)))
		if (a == 1) != want || (b == 1) != want || a > 1 || b > 1 {
			t.Errorf("%s: %d packets arrive, %d answers; want %v", when, a, b, want)
		}
	}
	// Nobody may begin the other way round: answers only.
	w.send(tap(6), back(80))
	if n := len(w.left(tap(1))); n != 0 {
		t.Errorf("before anything: %d answers", n)
	}
	passes("at first", true)
	passes("once both have spoken", true)

	rule := viewtest.RuleID(2, 3)
	without := func(tx viewtest.Tx) { tx.Delete(state.SecurityGroupRules, rule) }
	old := c.Snapshot().SecurityGroupRule(rule)
	w.become(c, without)
	passes("without the rule", false)
	w.become(c, func(tx viewtest.Tx) { tx.Put(old) })
	passes("with the rule again", true)
	w.become(c, func(tx viewtest.Tx) {
		other := *c.Snapshot().SecurityGroupRule(viewtest.RuleID(2, 5))
		other.Protocol = nil
		other.PortRangeMin, other.PortRangeMax = nil, nil
		other.Direction = model.Egress
		tx.Put(&other)
	})
	passes("when another rule has changed", true)
}

// become changes the cloud, and the switch by the parts that this affects.
func (w *wire) become(c *viewtest.Cloud, change func(viewtest.Tx)) {
	w.t.Helper()
	before, after, changes := c.Change(change)
	coder := flow.Coder{Version: openflow.V13}
	for p := range view.Affected(before, after, changes)["host1"] {
		diffs, err := flow.Diff(&coder, Render(before, "host1", p)[view.BrInt], Render(after, "host1", p)[view.BrInt])
		if err != nil {
			w.t.Fatal(err)
		}
		for _, d := range diffs {
			if d.Kind == flow.Foreign {
				d.Flow.Cookie, d.Flow.Actions = 0, nil
				w.Ofctl("--strict", "del-flows", view.BrInt, fmt.Sprintf("table=%d,priority=%d,%s", d.Flow.Table, d.Flow.Priority, d.Flow.Match))
				continue
			}
			w.Ofctl("add-flow", view.BrInt, d.Flow.String())
		}
	}
	w.Appctl("revalidator/wait")
}

// Nothing of a connection that has been allowed gets out once its rule is gone, also not a datagram of which the connection tracker hands
// out 32 fragments, and the others with whatever it looks at next.
func TestLargeDatagramsOfACutConnection(t *testing.T) {
	c := bigPackets(t)
	w := startWire(t, c.Snapshot(), tap(1), tap(6), tap(10))
	id := 0
	heard := func(from, to byte, size int) (got, sent int) {
		src, dst := fmt.Sprintf("10.1.0.%d", from), fmt.Sprintf("10.1.0.%d", to)
		question, answer := uint16(40000), uint16(80)
		if to == 1 {
			question, answer = answer, question
		}
		id++
		frames := fragments4(t, hw(from), hw(to), src, dst, 17, datagram(t, src, dst, question, answer, size), uint16(id), 1480)
		w.send(tap(int(from)), frames...)
		return len(w.left(tap(int(to)))), len(frames)
	}
	ways := []struct{ from, to byte }{{1, 6}, {1, 10}, {6, 1}, {10, 1}}
	for _, way := range ways {
		if got, sent := heard(way.from, way.to, 20000); got != sent {
			t.Fatalf("%d of %d fragments from %d arrive at %d while that is allowed", got, sent, way.from, way.to)
		}
	}
	w.become(c, func(tx viewtest.Tx) {
		tx.Delete(state.SecurityGroupRules, viewtest.RuleID(1, 1))
		tx.Delete(state.SecurityGroupRules, viewtest.RuleID(2, 3))
	})
	for range 2 {
		for _, way := range ways {
			if got, sent := heard(way.from, way.to, 60000); got != 0 {
				t.Errorf("%d of %d fragments from %d arrive at %d", got, sent, way.from, way.to)
			}
		}
	}
}

// An error about a connection may be large, too. What the connection tracker keeps of it goes nowhere with the packets of others.
func TestLargeErrors(t *testing.T) {
	w := startWire(t, bigPackets(t).Snapshot(), tap(1), tap(6))
	about := datagram(t, "10.1.0.1", "10.1.0.6", 40000, 80, 10)
	packet := ethernet(hw(1), hw(6), layers.EthernetTypeIPv4, bytesOf(t, ip4Layer("10.1.0.1", "10.1.0.6", 17), gopacketPayload(about)))
	unreachable := func(id uint16, size int) [][]byte {
		quoted := append(packet[14:len(packet):len(packet)], make([]byte, size)...)
		icmp := bytesOf(t, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodePort)}, gopacketPayload(quoted))
		return fragments4(t, hw(6), hw(1), "10.1.0.6", "10.1.0.1", 1, icmp, id, 1480)
	}
	w.send(tap(6), unreachable(1, 4000)...)
	if got := w.left(tap(1)); len(got) != 0 {
		t.Errorf("%d fragments of an error about nothing arrive", len(got))
	}
	w.send(tap(1), packet)
	if got := w.left(tap(6)); len(got) != 1 {
		t.Fatalf("the connection does not begin: %d packets", len(got))
	}
	w.send(tap(6), unreachable(2, 4000)...)
	if got := w.left(tap(1)); len(got) != 3 {
		t.Errorf("%d of 3 fragments of an error arrive", len(got))
	}
	w.send(tap(6), unreachable(3, 60000)...)
	w.left(tap(1))
	w.send(tap(10), ethernet(hw(10), hw(6), layers.EthernetTypeIPv4, bytesOf(t, ip4Layer("10.1.0.10", "10.1.0.6", 17), gopacketPayload(datagram(t, "10.1.0.10", "10.1.0.6", 40000, 80, 10)))))
	if got := w.left(tap(6)); len(got) != 1 {
		t.Errorf("%d packets arrive with one from another", len(got))
	}
}
