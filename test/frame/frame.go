// Package frame builds Ethernet frames and what they carry, byte by byte: also those that no honest station would send. What
// is wrong with a packet is what its caller has put in; lengths and checksums are right.
package frame

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

// Types of what a frame carries (IEEE 802, EtherType).
const (
	TypeIPv4, TypeIPv6, TypeARP = 0x0800, 0x86dd, 0x0806
	TypeVLAN, TypeService       = 0x8100, 0x88a8
)

// Numbers of protocols and IPv6 extension headers (IANA, "Protocol Numbers").
const (
	HopByHop, ICMP, TCP, UDP, Routing, Fragment, Authentication, ICMPv6, Options = 0, 1, 6, 17, 43, 44, 51, 58, 60
)

// Operations of ARP (RFC 826).
const (
	ARPRequest, ARPReply = 1, 2
)

// Types of ICMPv6 messages (RFC 4443; RFC 4861, 4).
const (
	EchoRequest6          = 128
	RouterAdvertisement   = 134
	NeighborSolicitation  = 135
	NeighborAdvertisement = 136
	Redirect              = 137
)

// Broadcast is the address of all stations, AllNodes that of all with IPv6.
var (
	Broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	AllNodes  = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
)

// Ethernet is a frame.
func Ethernet(src, dst net.HardwareAddr, typ uint16, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint16(slices.Concat(dst, src), typ), payload...)
}

// Tagged is a frame with one more tag, before those that it has: tci is priority, DEI and VLAN (IEEE 802.1Q, 9.6).
func Tagged(frame []byte, tpid, tci uint16) []byte {
	tag := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, tpid), tci)
	return slices.Concat(frame[:12], tag, frame[12:])
}

// ARP is a message about IPv4 on Ethernet.
func ARP(op uint16, sha net.HardwareAddr, spa netip.Addr, tha net.HardwareAddr, tpa netip.Addr) []byte {
	return slices.Concat([]byte{0, 1, 8, 0, 6, 4, byte(op >> 8), byte(op)}, sha, spa.AsSlice(), tha, tpa.AsSlice())
}

// IP is a whole packet of the family of its addresses.
func IP(src, dst netip.Addr, proto uint8, payload []byte) []byte {
	if src.Is4() {
		return IPv4(src, dst, proto, 0, 0, false, payload)
	}
	return IPv6(src, dst, proto, payload)
}

// IPv4 is a packet or a fragment of one; offset is in bytes, a multiple of 8.
func IPv4(src, dst netip.Addr, proto uint8, id uint16, offset int, more bool, payload []byte) []byte {
	h := []byte{0x45, 0, 0, 0, byte(id >> 8), byte(id), 0, 0, 64, proto, 0, 0}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	flags := uint16(offset / 8)
	if more {
		flags |= 0x2000
	}
	binary.BigEndian.PutUint16(h[6:], flags)
	h = slices.Concat(h, src.AsSlice(), dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], Checksum(h))
	return append(h, payload...)
}

// IPv6 is a packet; next says what the payload begins with.
func IPv6(src, dst netip.Addr, next uint8, payload []byte) []byte {
	h := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), next, 255}
	return slices.Concat(h, src.AsSlice(), dst.AsSlice(), payload)
}

// FragmentHeader comes before a part of a packet that begins offset bytes in, a multiple of 8; next is what the packet
// itself begins with (RFC 8200, 4.5).
func FragmentHeader(next uint8, id uint32, offset int, more bool) []byte {
	flags := uint16(offset)
	if more {
		flags |= 1
	}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16([]byte{next, 0}, flags), id)
}

// Fragments4 cuts what a packet carries into fragments of at most size bytes, a multiple of 8.
func Fragments4(src, dst netip.Addr, proto uint8, id uint16, payload []byte, size int) [][]byte {
	var out [][]byte
	for at := 0; at < len(payload); at += size {
		end := min(at+size, len(payload))
		out = append(out, IPv4(src, dst, proto, id, at, end < len(payload), payload[at:end]))
	}
	return out
}

// Fragments6 does the same for IPv6: what is cut may begin with extension headers, of which next is the first.
func Fragments6(src, dst netip.Addr, next uint8, id uint32, payload []byte, size int) [][]byte {
	var out [][]byte
	for at := 0; at < len(payload); at += size {
		end := min(at+size, len(payload))
		out = append(out, IPv6(src, dst, Fragment, append(FragmentHeader(next, id, at, end < len(payload)), payload[at:end]...)))
	}
	return out
}

// OptionsHeader is an extension header of so many bytes, a multiple of 8, with nothing in it but padding (RFC 8200, 4.2).
func OptionsHeader(next uint8, size int) []byte {
	h := make([]byte, size)
	h[0], h[1] = next, byte(size/8-1)
	for at := 2; size-at > 1; { // a last byte that is left is Pad1
		n := min(size-at-2, 255)
		h[at], h[at+1] = 1, byte(n)
		at += 2 + n
	}
	return h
}

// RoutingHeader asks for a visit nowhere, by a way of routing that is for experiments (RFC 8200, 4.4; RFC 4727).
func RoutingHeader(next uint8) []byte { return []byte{next, 0, 253, 0, 0, 0, 0, 0} }

// AuthenticationHeader has an SPI, a sequence number and a check value of 12 bytes, which is wrong (RFC 4302, 2).
func AuthenticationHeader(next uint8) []byte {
	return append([]byte{next, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, make([]byte, 12)...)
}

// Datagram is a UDP header with its data.
func Datagram(src, dst netip.Addr, from, to uint16, data []byte) []byte {
	h := make([]byte, 8, 8+len(data))
	binary.BigEndian.PutUint16(h, from)
	binary.BigEndian.PutUint16(h[2:], to)
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(data)))
	u := append(h, data...)
	sum := Checksum(pseudo(src, dst, UDP, len(u)), u)
	if sum == 0 {
		sum = 0xffff // RFC 768: 0 says that there is none
	}
	binary.BigEndian.PutUint16(u[6:], sum)
	return u
}

// Segment is a TCP segment that asks for a connection, with data.
func Segment(src, dst netip.Addr, from, to uint16, data []byte) []byte {
	h := make([]byte, 20, 20+len(data))
	binary.BigEndian.PutUint16(h, from)
	binary.BigEndian.PutUint16(h[2:], to)
	binary.BigEndian.PutUint32(h[4:], 1)
	h[12], h[13] = 5<<4, 2
	binary.BigEndian.PutUint16(h[14:], 1<<15)
	s := append(h, data...)
	binary.BigEndian.PutUint16(s[16:], Checksum(pseudo(src, dst, TCP, len(s)), s))
	return s
}

// Message6 is an ICMPv6 message of a type, code 0.
func Message6(src, dst netip.Addr, typ uint8, body []byte) []byte {
	m := append([]byte{typ, 0, 0, 0}, body...)
	binary.BigEndian.PutUint16(m[2:], Checksum(pseudo(src, dst, ICMPv6, len(m)), m))
	return m
}

// Neighbor6 is a message of neighbour discovery about an address, with a link-layer address as its option (RFC 4861, 4.3
// and 4.4), which an advertisement has overridden.
func Neighbor6(src, dst netip.Addr, typ uint8, target netip.Addr, mac net.HardwareAddr) []byte {
	flags, option := byte(0), byte(1)
	if typ == NeighborAdvertisement {
		flags, option = 0x20, 2
	}
	return Message6(src, dst, typ, slices.Concat([]byte{flags, 0, 0, 0}, target.AsSlice(), []byte{option, 1}, mac))
}

func pseudo(src, dst netip.Addr, proto uint8, length int) []byte {
	return slices.Concat(src.AsSlice(), dst.AsSlice(), []byte{0, proto, byte(length >> 8), byte(length)})
}

// Checksum is that of RFC 1071 over all parts, of which only the last may be odd.
func Checksum(parts ...[]byte) uint16 {
	var sum uint32
	for _, b := range parts {
		for ; len(b) > 1; b = b[2:] {
			sum += uint32(binary.BigEndian.Uint16(b))
		}
		if len(b) == 1 {
			sum += uint32(b[0]) << 8
		}
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
