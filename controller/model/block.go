package model

import (
	"net/netip"

	"go4.org/netipx"
)

// Reserved returns the addresses of a block that no port may have: the network address and, for IPv4, the broadcast
// address; for IPv6 the subnet-router anycast address (RFC 4291 2.6.1). Blocks of two addresses or one (RFC 3021,
// RFC 6164) have none.
func Reserved(cidr netip.Prefix) []netip.Addr {
	if cidr.Addr().BitLen()-cidr.Bits() <= 1 {
		return nil
	}
	first := cidr.Masked().Addr()
	if first.Is4() {
		return []netip.Addr{first, netipx.PrefixLastIP(cidr)}
	}
	return []netip.Addr{first}
}

// usable is the first and last address of the block that a port may have.
func usable(cidr netip.Prefix) Range {
	r := Range{cidr.Masked().Addr(), netipx.PrefixLastIP(cidr)}
	if len(Reserved(cidr)) > 0 {
		r.Start = r.Start.Next()
		if r.End.Is4() {
			r.End = r.End.Prev()
		}
	}
	return r
}

// DefaultGateway is the gateway that a subnet gets when nobody says otherwise: the first usable address of the block.
func DefaultGateway(cidr netip.Prefix) netip.Addr {
	if !cidr.IsValid() {
		return netip.Addr{}
	}
	return usable(cidr).Start
}

// DefaultPools are the pools that a subnet gets when nobody says otherwise: all usable addresses of the block but the
// gateway. There are none when the block has no address left.
func DefaultPools(cidr netip.Prefix, gateway netip.Addr) []Range {
	if !cidr.IsValid() {
		return nil
	}
	all := usable(cidr)
	if !gateway.IsValid() || !all.Contains(gateway) {
		return []Range{all}
	}
	var pools []Range
	if all.Start.Less(gateway) {
		pools = append(pools, Range{all.Start, gateway.Prev()})
	}
	if gateway.Less(all.End) {
		pools = append(pools, Range{gateway.Next(), all.End})
	}
	return pools
}

// Contains says whether the address is in the range.
func (r Range) Contains(a netip.Addr) bool {
	return a.BitLen() == r.Start.BitLen() && !a.Less(r.Start) && !r.End.Less(a)
}

// String is like 10.0.1.2-10.0.1.254.
func (r Range) String() string { return r.Start.String() + "-" + r.End.String() }
