package policy

import "net/netip"

// Types of ICMP messages (RFC 792) and ICMPv6 messages (RFC 4443; RFC 4861, 4; RFC 2710, 3; RFC 9777, 5.2).
const (
	echoReply, echoRequest     = 0, 8
	timestamp, information     = 13, 15
	echoRequest6, echoReply6   = 128, 129
	mldQuery, mldReport        = 130, 131
	mldDone, mldReport2        = 132, 143
	routerSolicitation         = 133
	routerAdvertisement        = 134
	neighborSolicitation       = 135
	neighborAdvertisement      = 136
	dhcpServer, dhcpClient     = 67, 68
	dhcpv6Server, dhcpv6Client = 547, 546
)

var (
	// sent6 are what every station sends from an address of its own, whatever its rules.
	sent6 = []uint8{mldQuery, mldReport, mldDone, routerSolicitation, neighborSolicitation, mldReport2}
	// unspecified6 are what a station without an address sends.
	unspecified6 = []uint8{mldReport, routerSolicitation, mldReport2}
	// heard6 are what every station hears.
	heard6 = []uint8{mldQuery, routerAdvertisement, neighborSolicitation, neighborAdvertisement}

	unspecified4 = netip.IPv4Unspecified()
	broadcast4   = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

func (p Packet) advertisesRouter() bool { return p.Protocol == ICMPv6 && p.Type == routerAdvertisement }

// servesDHCP: whatever port a server sends from, it sends to the client's.
func (p Packet) servesDHCP() bool {
	return p.Protocol == UDP && (p.Src.Is4() && p.DstPort == dhcpClient || p.Src.Is6() && p.DstPort == dhcpv6Client)
}

func (p Packet) asksDHCP() bool {
	return p.Protocol == UDP && (p.Src.Is4() && p.SrcPort == dhcpClient && p.DstPort == dhcpServer ||
		p.Src.Is6() && p.SrcPort == dhcpv6Client && p.DstPort == dhcpv6Server)
}

func (p Packet) answersDHCP() bool {
	return p.Protocol == UDP && (p.Src.Is4() && p.SrcPort == dhcpServer && p.DstPort == dhcpClient ||
		p.Src.Is6() && p.SrcPort == dhcpv6Server && p.DstPort == dhcpv6Client)
}

// begins says whether the packet may begin a conversation. Of ICMP only what asks for an answer does; errors belong to the
// conversation that they are about.
func (p Packet) begins() bool {
	switch {
	case p.Src.Is4() && p.Protocol == ICMP:
		return p.Type == echoRequest || p.Type == timestamp || p.Type == information
	case p.Src.Is6() && p.Protocol == ICMPv6:
		return p.Type == echoRequest6
	}
	return true
}
