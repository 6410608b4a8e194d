package checks

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/test/frame"
)

// header is what may come between the header of IPv6 and what a packet is about, which it wraps (RFC 8200, 4; RFC 4302).
type header struct {
	name string
	wrap func(next uint8, payload []byte) (uint8, []byte)
}

// authentication comes before nothing that nftables looks at: to a firewall bridge it is a protocol of its own, and refused.
var authentication = header{"an authentication header", func(next uint8, payload []byte) (uint8, []byte) {
	return frame.Authentication, append(frame.AuthenticationHeader(next), payload...)
}}

var headers = []header{
	{"hop-by-hop options", func(next uint8, payload []byte) (uint8, []byte) { return behind(frame.HopByHop, 8, next, payload) }},
	{"destination options", func(next uint8, payload []byte) (uint8, []byte) { return behind(frame.Options, 24, next, payload) }},
	{"a routing header", func(next uint8, payload []byte) (uint8, []byte) {
		return frame.Routing, append(frame.RoutingHeader(next), payload...)
	}},
	authentication,
	{"a header for fragments", func(next uint8, payload []byte) (uint8, []byte) {
		return frame.Fragment, append(frame.FragmentHeader(next, 7, 0, false), payload...)
	}},
}

// headed are tricks that hide behind each header what no rule allows, or whom it is from. What is allowed comes out, behind the
// same header.
func headed() (all []trick) {
	for _, h := range headers {
		all = append(all, trick{"refused behind " + h.name, func(x attempt) [][]byte {
			return slices.Concat(
				h.before(x, x.me.ip6, frame.UDP, x.datagram(x.me.ip6, anyPort, refused)),
				h.before(x, x.me.ip6, frame.TCP, frame.Segment(x.me.ip6, x.to.ip6, anyPort, allowed, x.mark)),
				h.before(x, x.neighbour.ip6, frame.UDP, x.datagram(x.neighbour.ip6, anyPort, allowed)),
			)
		}, h.honest})
	}
	return all
}

// headedToGuards hide behind each header the port that guards do not hear.
func headedToGuards() (all []trick) {
	for _, h := range headers {
		all = append(all, trick{"to a port that it does not hear, behind " + h.name, func(x attempt) [][]byte {
			return h.before(x, x.me.ip6, frame.UDP, x.datagram(x.me.ip6, anyPort, another))
		}, h.honest})
	}
	return all
}

// before is a frame with the header and what comes behind.
func (h header) before(x attempt, from netip.Addr, next uint8, payload []byte) [][]byte {
	next, payload = h.wrap(next, payload)
	return [][]byte{x.packet(x.me.mac, from, next, payload)}
}

func (h header) honest(x attempt) [][]byte {
	if x.bridged && h.name == authentication.name {
		return plain6(x)
	}
	return h.before(x, x.me.ip6, frame.UDP, x.datagram(x.me.ip6, anyPort, allowed))
}

// covered is a datagram in three fragments, of which two have the same place, size bytes from the start: one is for a port that is
// allowed and has nothing in it, the other for one that is not, and has the marks. Whoever puts them together must not give the
// second the rights of the first.
func (x attempt) covered(from netip.Addr, size int, allowedFirst bool) [][]byte {
	x.id = 1
	if allowedFirst {
		x.id = 2
	}
	fragments := x.fragments(from, frame.UDP, frame.Datagram(from, x.at(from), anyPort, allowed, make([]byte, 2*size-8)), size)
	over := x.fragments(from, frame.UDP, frame.Datagram(from, x.at(from), anyPort, refused, slices.Repeat(x.mark, size/4-1)), size)[0]
	if allowedFirst {
		return [][]byte{fragments[0], over, fragments[1]}
	}
	return [][]byte{over, fragments[0], fragments[1]}
}

// covered6 is the same with a second header that is not at the start: it covers what comes behind options.
func (x attempt) covered6() [][]byte {
	x.id = 3
	next, whole := behind(frame.Options, 8, frame.UDP, frame.Datagram(x.me.ip6, x.to.ip6, anyPort, allowed, make([]byte, 2*piece-16)))
	fragments := x.fragments(x.me.ip6, next, whole, piece)
	second := frame.Datagram(x.me.ip6, x.to.ip6, anyPort, refused, slices.Repeat(x.mark, piece/markSize-2))
	over := frame.IPv6(x.me.ip6, x.to.ip6, frame.Fragment, append(frame.FragmentHeader(next, x.fragmentID(), 8, true), second...))
	return [][]byte{fragments[0], x.frame(x.me.mac, over), fragments[1]}
}
