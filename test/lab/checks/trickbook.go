package checks

import (
	"net"
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/test/frame"
)

// pairs are the allowed address pairs that the hostile machine gets: an address that it has with a MAC of its own, and a
// block.
var pairs = struct {
	mac               net.HardwareAddr
	ip4, ip6, in, out netip.Addr
	block             netip.Prefix
}{
	mac: net.HardwareAddr{0, 0, 0x5e, 0, 1, 77}, ip4: netip.MustParseAddr("10.0.7.200"), ip6: netip.MustParseAddr("fd00:7::200"),
	block: netip.MustParsePrefix("10.9.0.0/28"), in: netip.MustParseAddr("10.9.0.15"), out: netip.MustParseAddr("10.9.0.16"),
}

// whose are tricks about who the sender is.
var whose = []trick{
	{"the MAC of a neighbour", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.neighbour.mac, x.me.ip4, anyPort, allowed), x.udp(x.neighbour.mac, x.me.ip6, anyPort, allowed)}
	}, plain},
	{"the MAC and address of a neighbour", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.neighbour.mac, x.neighbour.ip4, anyPort, allowed), x.udp(x.neighbour.mac, x.neighbour.ip6, anyPort, allowed)}
	}, plain},
	{"the MAC of the gateway", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.gateway.mac, x.me.ip4, anyPort, allowed), x.udp(x.gateway.mac6, x.me.ip6, anyPort, allowed)}
	}, plain},
	{"a group MAC as the source", func(x attempt) [][]byte {
		return [][]byte{x.udp(frame.AllNodes, x.me.ip4, anyPort, allowed), x.udp(frame.Broadcast, x.me.ip6, anyPort, allowed)}
	}, plain},
	{"the address of a neighbour", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, x.neighbour.ip4, anyPort, allowed), x.udp(x.me.mac, x.neighbour.ip6, anyPort, allowed), x.udp(x.me.mac, x.neighbour.ll, anyPort, allowed)}
	}, plain},
	{"the address of the gateway", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, x.gateway.ip4, anyPort, allowed), x.udp(x.me.mac, x.gateway.ip6, anyPort, allowed), x.udp(x.me.mac, x.gateway.ll, anyPort, allowed)}
	}, plain},
	{"no address", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, netip.IPv4Unspecified(), anyPort, allowed), x.udp(x.me.mac, netip.IPv6Unspecified(), anyPort, allowed)}
	}, plain},
	{"the receiver's own address", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, x.to.ip4, anyPort, allowed), x.udp(x.me.mac, x.to.ip6, anyPort, allowed)}
	}, plain},
	{"a loopback address", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, netip.MustParseAddr("127.0.0.1"), anyPort, allowed), x.udp(x.me.mac, netip.IPv6Loopback(), anyPort, allowed)}
	}, plain},
	{"ARP request for the gateway", func(x attempt) [][]byte {
		return [][]byte{x.arp(x.me.mac, frame.ARPRequest, x.me.mac, x.gateway.ip4, x.to.ip4)}
	}, ownARP},
	{"ARP reply for the gateway", func(x attempt) [][]byte {
		return [][]byte{x.arp(x.me.mac, frame.ARPReply, x.me.mac, x.gateway.ip4, x.to.ip4), x.arp(x.me.mac, frame.ARPReply, x.gateway.mac, x.gateway.ip4, x.to.ip4)}
	}, ownARP},
	{"ARP with another MAC inside", func(x attempt) [][]byte {
		return [][]byte{x.arp(x.me.mac, frame.ARPRequest, x.neighbour.mac, x.me.ip4, x.to.ip4), x.arp(x.me.mac, frame.ARPReply, x.neighbour.mac, x.me.ip4, x.to.ip4)}
	}, ownARP},
	{"ARP from another MAC", func(x attempt) [][]byte {
		return [][]byte{x.arp(x.neighbour.mac, frame.ARPReply, x.me.mac, x.me.ip4, x.to.ip4)}
	}, ownARP},
	{"gratuitous ARP for a neighbour", func(x attempt) [][]byte {
		return [][]byte{x.arp(x.me.mac, frame.ARPRequest, x.me.mac, x.neighbour.ip4, x.neighbour.ip4), x.arp(x.me.mac, frame.ARPReply, x.me.mac, x.neighbour.ip4, x.neighbour.ip4)}
	}, ownARP},
	{"ARP without an address", func(x attempt) [][]byte {
		return [][]byte{x.arp(x.me.mac, frame.ARPReply, x.me.mac, netip.IPv4Unspecified(), x.to.ip4)}
	}, ownARP},
	{"advertisement of a neighbour's address", func(x attempt) [][]byte {
		return [][]byte{x.neighbor(x.me.mac, x.me.ip6, frame.NeighborAdvertisement, x.neighbour.ip6, x.me.mac), x.neighbor(x.me.mac, x.me.ll, frame.NeighborAdvertisement, x.neighbour.ll, x.me.mac)}
	}, ownND},
	{"advertisement of the gateway's address", func(x attempt) [][]byte {
		return [][]byte{x.neighbor(x.me.mac, x.gateway.ip6, frame.NeighborAdvertisement, x.gateway.ip6, x.me.mac), x.neighbor(x.me.mac, x.me.ll, frame.NeighborAdvertisement, x.gateway.ll, x.me.mac)}
	}, ownND},
	{"solicitation from a neighbour's address", func(x attempt) [][]byte {
		return [][]byte{x.neighbor(x.me.mac, x.neighbour.ip6, frame.NeighborSolicitation, x.to.ip6, x.me.mac)}
	}, func(x attempt) [][]byte {
		return [][]byte{x.neighbor(x.me.mac, x.me.ip6, frame.NeighborSolicitation, x.me.ll, x.me.mac)}
	}},
	{"advertisement behind options", func(x attempt) [][]byte {
		m := frame.Neighbor6(x.me.ip6, x.to.ip6, frame.NeighborAdvertisement, x.neighbour.ip6, x.me.mac)
		next, hidden := behind(frame.Options, 16, frame.ICMPv6, slices.Concat(m, x.mark))
		return [][]byte{x.packet(x.me.mac, x.me.ip6, next, hidden)}
	}, ownND},
}

// posing are tricks of a machine that plays DHCP server or router.
var posing = []trick{
	{"DHCP offer", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, x.me.ip4, 67, 68), x.udp(x.me.mac, x.gateway.ip4, 67, 68)}
	}, plain4},
	{"DHCP offer from another port", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, x.me.ip4, 1067, 68), x.udp(x.me.mac, x.me.ip4, allowed, 68)}
	}, plain4},
	{"DHCP offer in fragments", func(x attempt) [][]byte {
		return slices.Concat(x.fragments(x.me.ip4, frame.UDP, x.big(x.me.ip4, 68), piece), x.fragments(x.me.ip4, frame.UDP, x.big(x.me.ip4, 68)[:64], 8))
	}, bigPlain},
	{"DHCPv6 advertise", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, x.me.ll, 547, 546), x.udp(x.me.mac, x.me.ip6, 547, 546), x.udp(x.me.mac, x.me.ip6, allowed, 546)}
	}, plain6},
	{"DHCPv6 advertise behind options", func(x attempt) [][]byte {
		next, hidden := behind(frame.Options, 64, frame.UDP, x.datagram(x.me.ll, 547, 546))
		return [][]byte{x.packet(x.me.mac, x.me.ll, next, hidden)}
	}, plain6},
	{"DHCPv6 advertise in fragments", func(x attempt) [][]byte {
		next, hidden := behind(frame.Options, 1000, frame.UDP, x.big(x.me.ll, 546))
		return slices.Concat(x.fragments(x.me.ll, frame.UDP, x.big(x.me.ll, 546), piece), x.fragments(x.me.ll, next, hidden, piece))
	}, bigPlain},
	{"router advertisement", func(x attempt) [][]byte {
		return [][]byte{x.packet(x.me.mac, x.me.ll, frame.ICMPv6, x.advertisement(x.mark)), x.icmp6(x.gateway.mac6, x.gateway.ll, frame.RouterAdvertisement, make([]byte, 12))}
	}, echo6},
	{"router advertisement behind hop-by-hop options", func(x attempt) [][]byte { return x.hidden(frame.HopByHop, 8) }, echo6},
	{"router advertisement behind destination options", func(x attempt) [][]byte { return x.hidden(frame.Options, 24) }, echo6},
	{"router advertisement behind a routing header", func(x attempt) [][]byte {
		return [][]byte{x.packet(x.me.mac, x.me.ll, frame.Routing, append(frame.RoutingHeader(frame.ICMPv6), x.advertisement(x.mark)...))}
	}, echo6},
	{"router advertisement behind two headers", func(x attempt) [][]byte {
		next, inner := behind(frame.Options, 64, frame.ICMPv6, x.advertisement(x.mark))
		next, all := behind(frame.HopByHop, 8, next, inner)
		return [][]byte{x.packet(x.me.mac, x.me.ll, next, all)}
	}, echo6},
	{"router advertisement behind a header for fragments", func(x attempt) [][]byte {
		return [][]byte{x.packet(x.me.mac, x.me.ll, frame.Fragment, append(frame.FragmentHeader(frame.ICMPv6, 7, 0, false), x.advertisement(x.mark)...))}
	}, echo6},
	{"router advertisement in fragments", func(x attempt) [][]byte {
		return x.fragments(x.me.ll, frame.ICMPv6, x.advertisement(slices.Repeat(x.mark, 20)), 48)
	}, bigPlain},
	{"router advertisement after a tiny first fragment", func(x attempt) [][]byte {
		next, hidden := behind(frame.Options, 8, frame.ICMPv6, x.advertisement(x.mark))
		return x.fragments(x.me.ll, next, hidden, 8)
	}, bigPlain},
	{"router advertisement, options cut in two", func(x attempt) [][]byte {
		next, hidden := behind(frame.Options, 64, frame.ICMPv6, x.advertisement(slices.Repeat(x.mark, 10)))
		return x.fragments(x.me.ll, next, hidden, 48)
	}, bigPlain},
}

// hidden is a router advertisement behind a header of options.
func (x attempt) hidden(header uint8, size int) [][]byte {
	next, all := behind(header, size, frame.ICMPv6, x.advertisement(x.mark))
	return [][]byte{x.packet(x.me.mac, x.me.ll, next, all)}
}

func echo6(x attempt) [][]byte {
	return [][]byte{x.icmp6(x.me.mac, x.me.ip6, frame.EchoRequest6, make([]byte, 4))}
}

// tracked are tricks that the tracker of connections sees through. A stateless group has none: its rule that allows all of ICMP
// allows these.
var tracked = []trick{
	{"redirect", func(x attempt) [][]byte {
		return [][]byte{x.icmp(5, 1, x.me.ip4.AsSlice()...), x.icmp6(x.me.mac, x.me.ll, frame.Redirect, slices.Concat(make([]byte, 4), x.me.ll.AsSlice(), x.neighbour.ip6.AsSlice()))}
	}, echo6},
}

// shapes are tricks with what the frame looks like.
var shapes = []trick{
	{"what no rule allows", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, x.me.ip4, anyPort, refused), x.udp(x.me.mac, x.me.ip6, anyPort, refused), x.tcp(x.me.ip4), x.tcp(x.me.ip6)}
	}, plain},
	{"with a tag", func(x attempt) [][]byte {
		var out [][]byte
		outsider := x
		outsider.to = x.outsider
		for _, f := range append(plain(x), plain(outsider)...) {
			for vlan := range uint16(lastTag) {
				out = append(out, frame.Tagged(f, frame.TypeVLAN, vlan+1))
			}
		}
		return append(out, frame.Tagged(plain4(x)[0], frame.TypeVLAN, 4095), frame.Tagged(ownARP(x)[0], frame.TypeVLAN, 1))
	}, plain},
	{"with two tags", func(x attempt) [][]byte {
		var out [][]byte
		for _, f := range append(plain(x), x.udp(x.neighbour.mac, x.neighbour.ip4, anyPort, allowed)) {
			for _, outer := range []uint16{0, 0xe000, 1, 2} {
				for _, inner := range []uint16{0, 1, 2, 3} {
					tagged := frame.Tagged(f, frame.TypeVLAN, inner)
					out = append(out, frame.Tagged(tagged, frame.TypeService, outer), frame.Tagged(tagged, frame.TypeVLAN, outer))
				}
			}
		}
		return out
	}, plain},
	{"refused, with a tag for priority only", func(x attempt) [][]byte {
		var out [][]byte
		for _, f := range [][]byte{
			x.udp(x.me.mac, x.me.ip4, anyPort, refused), x.udp(x.me.mac, x.me.ip6, anyPort, refused), x.udp(x.me.mac, x.neighbour.ip4, anyPort, allowed),
			x.udp(x.neighbour.mac, x.me.ip4, anyPort, allowed), x.arp(x.me.mac, frame.ARPReply, x.me.mac, x.gateway.ip4, x.to.ip4),
			x.neighbor(x.me.mac, x.me.ip6, frame.NeighborAdvertisement, x.neighbour.ip6, x.me.mac), x.udp(x.me.mac, x.me.ip4, 67, 68),
			x.packet(x.me.mac, x.me.ll, frame.ICMPv6, x.advertisement(x.mark)),
		} {
			out = append(out, frame.Tagged(f, frame.TypeVLAN, 0xe000), frame.Tagged(f, frame.TypeVLAN, 0), frame.Tagged(f, frame.TypeService, 0))
		}
		return out
	}, func(x attempt) [][]byte {
		if x.bridged {
			return plain4(x)
		}
		return [][]byte{frame.Tagged(plain4(x)[0], frame.TypeVLAN, 0xe000)}
	}},
	{"to a group MAC what no rule allows", func(x attempt) [][]byte {
		var out [][]byte
		for _, mac := range []net.HardwareAddr{frame.Broadcast, frame.AllNodes, {1, 0, 0x5e, 0, 0, 1}, {1, 2, 3, 4, 5, 6}} {
			group := x
			group.to.mac, group.to.mac6 = mac, mac
			out = append(out, group.udp(x.me.mac, x.me.ip4, anyPort, refused), group.udp(x.me.mac, x.me.ip6, anyPort, refused), group.tcp(x.me.ip4),
				group.udp(x.me.mac, x.neighbour.ip4, anyPort, allowed))
		}
		return out
	}, plain},
	{"neither ARP nor IP", func(x attempt) [][]byte {
		var out [][]byte
		// LLDP, IPX, reverse ARP, MPLS, PPPoE, EAPOL, PTP, loopback, local experiments, AoE.
		for _, typ := range []uint16{0x88cc, 0x8137, 0x8035, 0x8847, 0x8864, 0x888e, 0x88f7, 0x9000, 0x88b5, 0x88a2} {
			out = append(out, frame.Ethernet(x.me.mac, x.to.mac, typ, slices.Repeat(x.mark, 6)))
		}
		return out
	}, plain4},
	{"protocols of bridges", func(x attempt) [][]byte {
		bpdu := slices.Concat([]byte{0x42, 0x42, 3, 0, 0, 0, 0, 0}, slices.Repeat(x.mark, 5))
		var out [][]byte
		for last := range byte(0x10) {
			out = append(out, frame.Ethernet(x.me.mac, net.HardwareAddr{1, 0x80, 0xc2, 0, 0, last}, uint16(len(bpdu)), bpdu))
		}
		return append(out, frame.Ethernet(x.me.mac, net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 0xe}, 0x88cc, slices.Repeat(x.mark, 6)),
			frame.Ethernet(x.me.mac, x.to.mac, uint16(len(bpdu)), bpdu),
			frame.Ethernet(x.me.mac, net.HardwareAddr{1, 0, 0xc, 0xcc, 0xcc, 0xcd}, uint16(len(bpdu)), bpdu))
	}, plain4},
	{"fragments of what no rule allows", func(x attempt) [][]byte {
		return slices.Concat(x.fragments(x.me.ip4, frame.UDP, x.big(x.me.ip4, refused), piece), x.fragments(x.me.ip6, frame.UDP, x.big(x.me.ip6, refused), piece))
	}, bigPlain},
	{"later fragments first", func(x attempt) [][]byte {
		return slices.Concat(reversed(x.fragments(x.me.ip4, frame.UDP, x.big(x.me.ip4, refused), piece)), reversed(x.fragments(x.me.ip6, frame.UDP, x.big(x.me.ip6, refused), piece)))
	}, func(x attempt) [][]byte {
		if !x.whole {
			return plain4(x)
		}
		return reversed(x.fragments(x.me.ip4, frame.UDP, x.big(x.me.ip4, allowed), piece))
	}},
	{"later fragments alone", func(x attempt) [][]byte {
		return slices.Concat(x.fragments(x.me.ip4, frame.UDP, x.big(x.me.ip4, allowed), piece)[1:], x.fragments(x.me.ip6, frame.UDP, x.big(x.me.ip6, allowed), piece)[1:])
	}, plain},
	{"fragments from another address", func(x attempt) [][]byte {
		return slices.Concat(x.fragments(x.neighbour.ip4, frame.UDP, x.big(x.neighbour.ip4, allowed), piece), x.fragments(x.neighbour.ip6, frame.UDP, x.big(x.neighbour.ip6, allowed), piece))
	}, bigPlain},
	{"a first fragment without all of the header", func(x attempt) [][]byte {
		// The mark is in the place of ports and sequence number.
		segment := append(slices.Clone(x.mark), frame.Segment(x.me.ip4, x.to.ip4, anyPort, allowed, slices.Repeat(x.mark, 4))[8:]...)
		small := frame.Datagram(x.me.ip4, x.to.ip4, anyPort, refused, slices.Repeat(x.mark, 4))
		return slices.Concat(x.fragments(x.me.ip4, frame.TCP, segment, 8), x.fragments(x.me.ip4, frame.UDP, small, 8), x.fragments(x.me.ip6, frame.TCP, segment, 8))
	}, bigPlain},
	{"a second header over the first", func(x attempt) [][]byte {
		return slices.Concat(x.covered(x.me.ip4, 16, true), x.covered(x.me.ip4, piece, false), x.covered(x.me.ip6, piece, true), x.covered(x.me.ip6, piece, false), x.covered6())
	}, bigPlain},
}

// manyFragments are datagrams of more fragments than the userspace datapath handles packets at a time.
var manyFragments = []trick{{"many fragments of what no rule allows", func(x attempt) [][]byte {
	huge := func(from netip.Addr) []byte {
		return frame.Datagram(from, x.at(from), anyPort, refused, slices.Repeat(x.mark, 7500))
	}
	return slices.Concat(x.fragments(x.me.ip4, frame.UDP, huge(x.me.ip4), piece), x.fragments(x.me.ip6, frame.UDP, huge(x.me.ip6), piece))
}, bigPlain}}

// withPair are tricks that become honest with the allowed address pairs of the machine, and are evil without: evil is
// what stays so.
var withPair = []trick{
	{"the pair's MAC with the own address", func(x attempt) [][]byte {
		return [][]byte{x.udp(pairs.mac, x.me.ip4, anyPort, allowed), x.udp(pairs.mac, x.me.ip6, anyPort, allowed)}
	}, func(x attempt) [][]byte {
		return [][]byte{x.udp(pairs.mac, pairs.ip4, anyPort, allowed), x.udp(pairs.mac, pairs.ip6, anyPort, allowed)}
	}},
	{"the pair's address with the own MAC", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, pairs.ip4, anyPort, allowed), x.udp(x.me.mac, pairs.ip6, anyPort, allowed)}
	}, plain},
	{"the address after the pair's", func(x attempt) [][]byte {
		return [][]byte{x.udp(pairs.mac, pairs.ip4.Next(), anyPort, allowed), x.udp(pairs.mac, pairs.ip6.Next(), anyPort, allowed), x.udp(x.me.mac, pairs.out, anyPort, allowed)}
	}, func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, pairs.in, anyPort, allowed)}
	}},
	{"ARP of the pair's address with the own MAC", func(x attempt) [][]byte {
		return [][]byte{x.arp(x.me.mac, frame.ARPReply, x.me.mac, pairs.ip4, pairs.ip4), x.arp(pairs.mac, frame.ARPReply, x.me.mac, pairs.ip4, pairs.ip4), x.arp(pairs.mac, frame.ARPReply, pairs.mac, x.me.ip4, x.me.ip4)}
	}, func(x attempt) [][]byte {
		return [][]byte{x.arp(pairs.mac, frame.ARPReply, pairs.mac, pairs.ip4, pairs.ip4)}
	}},
	{"advertisement of the pair's address with the own MAC", func(x attempt) [][]byte {
		return [][]byte{x.neighbor(x.me.mac, x.me.ip6, frame.NeighborAdvertisement, pairs.ip6, x.me.mac), x.neighbor(pairs.mac, pairs.ip6, frame.NeighborAdvertisement, x.me.ip6, pairs.mac)}
	}, func(x attempt) [][]byte {
		return [][]byte{x.neighbor(pairs.mac, pairs.ip6, frame.NeighborAdvertisement, pairs.ip6, pairs.mac)}
	}},
}

// toGuards are tricks about a judged receiver, which hears the port allowed only: what the sender's rules let out must not
// come in there.
var toGuards = []trick{
	{"to a port that it does not hear", func(x attempt) [][]byte {
		return [][]byte{x.udp(x.me.mac, x.me.ip4, anyPort, another), x.udp(x.me.mac, x.me.ip6, anyPort, another)}
	}, plain},
	{"its address behind a group MAC", func(x attempt) [][]byte { return toGroups(x, another) }, func(x attempt) [][]byte { return toGroups(x, allowed) }},
	{"fragments to a port that it does not hear", func(x attempt) [][]byte {
		return slices.Concat(x.fragments(x.me.ip4, frame.UDP, x.big(x.me.ip4, another), piece), reversed(x.fragments(x.me.ip6, frame.UDP, x.big(x.me.ip6, another), piece)))
	}, bigPlain},
	{"fragments behind a group MAC", func(x attempt) [][]byte {
		x.to.mac = frame.Broadcast
		return x.fragments(x.me.ip4, frame.UDP, x.big(x.me.ip4, another), piece)
	}, bigPlain},
}

// toGroups are frames to group MACs whose packets are for one station.
func toGroups(x attempt, dport uint16) [][]byte {
	var out [][]byte
	for _, mac := range []net.HardwareAddr{frame.Broadcast, frame.AllNodes, {1, 0, 0x5e, 0, 0, 1}, {1, 2, 3, 4, 5, 6}} {
		x.to.mac, x.to.mac6 = mac, mac
		out = append(out, x.udp(x.me.mac, x.me.ip4, anyPort, dport), x.udp(x.me.mac, x.me.ip6, anyPort, dport))
	}
	return out
}
