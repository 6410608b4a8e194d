package checks

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/test/frame"
)

// station is a machine as others know it on a network; a router may have a MAC for each family.
type station struct {
	mac, mac6    net.HardwareAddr
	ip4, ip6, ll netip.Addr
}

// attempt is one use of a trick: at whom, and what the frames carry so that they are known again.
type attempt struct {
	me, neighbour, gateway, to station
	// outsider is on another network.
	outsider station
	// bridged says that a firewall bridge judges, which lets no tag pass, honest or not.
	bridged bool
	// whole says that datagrams are put together before they are judged; where not, no fragment of UDP passes.
	whole bool
	// mark is markSize bytes, which are in no other frame.
	mark []byte
	// id tells datagrams of one attempt apart that are cut into fragments.
	id uint16
}

// A mark is 8 bytes, so that it is whole in each fragment whose data are marks.
const markSize = 8

func markOf(number uint16) []byte {
	return []byte{0x57, 0xef, 0x7e, 0xac, 0x90, 0x0d, byte(number >> 8), byte(number)}
}

// marksIn are the numbers of the marks in a frame, each once.
func marksIn(b []byte) []uint16 {
	var found []uint16
	start := markOf(0)[:markSize-2]
	for at := 0; at+markSize <= len(b); at++ {
		if !slices.Equal(b[at:at+len(start)], start) {
			continue
		}
		if n := binary.BigEndian.Uint16(b[at+len(start):]); !slices.Contains(found, n) {
			found = append(found, n)
		}
	}
	return found
}

// Ports of UDP: the hostile machine may send to those from allowed to another, and to no other port; guards hear the first.
// TCP nobody may send.
const (
	allowed, another, refused = 7000, 7003, 7004
	anyPort                   = 40000
)

// piece is how long fragments are, in bytes after the header: those below 1280 with it the userspace datapath drops, unless
// they are the last.
const piece = 1240

// lastTag is the last VLAN that is tried from the first on, in which hosts number their networks.
const lastTag = 16

// trick is what a hostile machine tries, and what it may send that looks much the same: the first must not come out
// anywhere, the second must arrive.
type trick struct {
	name         string
	evil, honest func(x attempt) [][]byte
}

// packet is a frame to the attempt's target. The addresses' family decides which of its addresses.
func (x attempt) packet(src net.HardwareAddr, from netip.Addr, proto uint8, payload []byte) []byte {
	return x.frame(src, frame.IP(from, x.at(from), proto, payload))
}

func (x attempt) at(from netip.Addr) netip.Addr {
	if from.Is4() {
		return x.to.ip4
	}
	return x.to.ip6
}

// frame carries an IP packet.
func (x attempt) frame(src net.HardwareAddr, packet []byte) []byte {
	if packet[0]>>4 == 6 {
		return frame.Ethernet(src, x.to.mac6, frame.TypeIPv6, packet)
	}
	return frame.Ethernet(src, x.to.mac, frame.TypeIPv4, packet)
}

func (x attempt) frames(packets [][]byte) [][]byte {
	var out [][]byte
	for _, p := range packets {
		out = append(out, x.frame(x.me.mac, p))
	}
	return out
}

func (x attempt) datagram(from netip.Addr, sport, dport uint16) []byte {
	return frame.Datagram(from, x.at(from), sport, dport, x.mark)
}

func (x attempt) udp(src net.HardwareAddr, from netip.Addr, sport, dport uint16) []byte {
	return x.packet(src, from, frame.UDP, x.datagram(from, sport, dport))
}

func (x attempt) tcp(from netip.Addr) []byte {
	return x.packet(x.me.mac, from, frame.TCP, frame.Segment(from, x.at(from), anyPort, allowed, x.mark))
}

// icmp6 is a message with the mark behind its body.
func (x attempt) icmp6(src net.HardwareAddr, from netip.Addr, typ uint8, body []byte) []byte {
	return x.packet(src, from, frame.ICMPv6, frame.Message6(from, x.to.ip6, typ, append(body, x.mark...)))
}

// icmp is a message of ICMP with the mark behind its body.
func (x attempt) icmp(typ, code uint8, body ...byte) []byte {
	m := append([]byte{typ, code, 0, 0}, append(body, x.mark...)...)
	binary.BigEndian.PutUint16(m[2:], frame.Checksum(m))
	return x.packet(x.me.mac, x.me.ip4, frame.ICMP, m)
}

// neighbor is a message of neighbour discovery; behind it comes an option that nobody knows, with the mark.
func (x attempt) neighbor(src net.HardwareAddr, from netip.Addr, typ uint8, target netip.Addr, inside net.HardwareAddr) []byte {
	m := frame.Neighbor6(from, x.to.ip6, typ, target, inside)
	body := slices.Concat(m[4:], []byte{253, 2, 0, 0, 0, 0}, x.mark, []byte{0, 0})
	return x.packet(src, from, frame.ICMPv6, frame.Message6(from, x.to.ip6, typ, body))
}

// arp is a message with the mark in what pads the frame.
func (x attempt) arp(src net.HardwareAddr, op uint16, sha net.HardwareAddr, spa, tpa netip.Addr) []byte {
	padded := append(frame.ARP(op, sha, spa, net.HardwareAddr{0, 0, 0, 0, 0, 0}, tpa), x.mark...)
	return frame.Ethernet(src, x.to.mac, frame.TypeARP, append(padded, make([]byte, 46-len(padded))...))
}

// big is a datagram whose fragments have the mark each, but for the header.
func (x attempt) big(from netip.Addr, dport uint16) []byte {
	return frame.Datagram(from, x.at(from), anyPort, dport, slices.Repeat(x.mark, 400))
}

func (x attempt) fragments(from netip.Addr, next uint8, payload []byte, size int) [][]byte {
	if from.Is4() {
		return x.frames(frame.Fragments4(from, x.to.ip4, next, uint16(x.fragmentID()), payload, size))
	}
	return x.frames(frame.Fragments6(from, x.to.ip6, next, x.fragmentID(), payload, size))
}

// fragmentID is of 16 bits, as that of IPv4.
func (x attempt) fragmentID() uint32 {
	return uint32(x.id<<14 | binary.BigEndian.Uint16(x.mark[markSize-2:]))
}

func plain4(x attempt) [][]byte { return [][]byte{x.udp(x.me.mac, x.me.ip4, anyPort, allowed)} }
func plain6(x attempt) [][]byte { return [][]byte{x.udp(x.me.mac, x.me.ip6, anyPort, allowed)} }
func plain(x attempt) [][]byte  { return append(plain4(x), plain6(x)...) }

func ownARP(x attempt) [][]byte {
	return [][]byte{x.arp(x.me.mac, frame.ARPReply, x.me.mac, x.me.ip4, x.me.ip4)}
}

func ownND(x attempt) [][]byte {
	return [][]byte{x.neighbor(x.me.mac, x.me.ip6, frame.NeighborAdvertisement, x.me.ip6, x.me.mac)}
}

func bigPlain(x attempt) [][]byte {
	if !x.whole {
		return plain(x)
	}
	return append(x.fragments(x.me.ip4, frame.UDP, x.big(x.me.ip4, allowed), piece), x.fragments(x.me.ip6, frame.UDP, x.big(x.me.ip6, allowed), piece)...)
}

// advertisement is a router advertisement that makes its sender the gateway (RFC 4861, 4.2).
func (x attempt) advertisement(data []byte) []byte {
	return frame.Message6(x.me.ll, x.to.ip6, frame.RouterAdvertisement, append([]byte{64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}, data...))
}

// behind hides what follows in extension headers.
func behind(first uint8, size int, next uint8, payload []byte) (uint8, []byte) {
	return first, append(frame.OptionsHeader(next, size), payload...)
}

func reversed(frames [][]byte) [][]byte {
	frames = slices.Clone(frames)
	slices.Reverse(frames)
	return frames
}
