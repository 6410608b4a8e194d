package model

import (
	"slices"
	"strconv"
	"strings"
)

// Numbers of IP protocols (IANA protocol-numbers) that rules treat in a way of their own.
const (
	protoICMP    = 1
	protoTCP     = 6
	protoUDP     = 17
	protoICMPv6  = 58
	protoSCTP    = 132
	protoIPIP    = 4
	protoGRE     = 47
	protoESP     = 50
	protoAH      = 51
	protoOSPF    = 89
	protoPIM     = 103
	protoVRRP    = 112
	protoUDPLite = 136
)

// protocols are the names by which people know protocols: Neutron's, where it has one. The first name of a number is the one
// that is shown.
var protocols = []struct {
	name   string
	number uint8
}{
	{"icmp", protoICMP}, {"igmp", 2}, {"ipip", protoIPIP}, {"tcp", protoTCP}, {"egp", 8}, {"udp", protoUDP}, {"dccp", 33},
	{"ipv6-encap", 41}, {"rsvp", 46}, {"gre", protoGRE}, {"esp", protoESP}, {"ah", protoAH}, {"icmpv6", protoICMPv6},
	{"ipv6-icmp", protoICMPv6}, {"ospf", protoOSPF}, {"pim", protoPIM}, {"vrrp", protoVRRP}, {"pgm", 113}, {"sctp", protoSCTP},
	{"udplite", protoUDPLite},
}

// ParseProtocol reads a protocol's name, in any case, or its number, 0..255.
func ParseProtocol(s string) (number uint8, ok bool) {
	for _, p := range protocols {
		if strings.EqualFold(p.name, s) {
			return p.number, true
		}
	}
	n, err := strconv.ParseUint(s, 10, 8)
	return uint8(n), err == nil
}

// ProtocolName is the name of a protocol, or its number where it has none.
func ProtocolName(number uint8) string {
	for _, p := range protocols {
		if p.number == number {
			return p.name
		}
	}
	return strconv.Itoa(int(number))
}

// ProtocolNames are all names that ParseProtocol knows, sorted.
func ProtocolNames() []string {
	names := make([]string, len(protocols))
	for i, p := range protocols {
		names[i] = p.name
	}
	slices.Sort(names)
	return names
}

// hasPorts says whether the ports of a protocol can be judged: Open vSwitch knows no others' (ovs-fields(7), TCP, UDP and
// SCTP Ports).
func hasPorts(protocol uint8) bool {
	return protocol == protoTCP || protocol == protoUDP || protocol == protoSCTP
}

// isICMP says whether port_range_min and port_range_max are type and code.
func isICMP(protocol uint8) bool { return protocol == protoICMP || protocol == protoICMPv6 }

// isExtension says whether the number is that of an IPv6 extension header, which is never what a packet is seen to carry:
// what follows it is (RFC 8200 4, RFC 6275 6.1).
func isExtension(protocol uint8) bool {
	return slices.Contains([]uint8{0, 43, 44, protoAH, 60, 135}, protocol)
}
