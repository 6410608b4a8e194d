package model

import (
	"cmp"
	"net/netip"
	"slices"
)

// Secured says whether what the port sends and hears is judged: port security is on, and the port is not one that Weft has
// made itself, behind which a router, a DHCP server or the metadata service speaks.
func (p *Port) Secured() bool { return p.PortSecurityEnabled && !OwnedByWeft(p.DeviceOwner) }

// Sender is an address, or a block of them, that a port may send from, with the MAC that belongs to it.
type Sender struct {
	MAC MAC
	IP  netip.Prefix
}

// Senders are what the port may send from: its own addresses and its allowed address pairs, sorted, each once.
func (p *Port) Senders() []Sender {
	out := make([]Sender, 0, len(p.FixedIPs)+len(p.AllowedAddressPairs))
	for _, f := range p.FixedIPs {
		ip := f.IP.Unmap()
		out = append(out, Sender{p.MAC, netip.PrefixFrom(ip, ip.BitLen())})
	}
	for _, a := range p.AllowedAddressPairs {
		mac := a.MAC
		if mac.IsZero() {
			mac = p.MAC
		}
		out = append(out, Sender{mac, a.IP.Masked()})
	}
	slices.SortFunc(out, func(a, b Sender) int {
		return cmp.Or(slices.Compare(a.MAC[:], b.MAC[:]), comparePrefix(a.IP, b.IP))
	})
	return slices.Compact(out)
}

// Members are the addresses with which the port is a member of its security groups: those of Senders, each once, sorted.
func (p *Port) Members() []netip.Prefix {
	senders := p.Senders()
	out := make([]netip.Prefix, 0, len(senders))
	for _, s := range senders {
		out = append(out, s.IP)
	}
	slices.SortFunc(out, comparePrefix)
	return slices.Compact(out)
}

// Stations are the MACs that frames to the port carry: its own, and those of its allowed address pairs, sorted.
func (p *Port) Stations() []MAC {
	out := []MAC{p.MAC}
	for _, a := range p.AllowedAddressPairs {
		if !a.MAC.IsZero() {
			out = append(out, a.MAC)
		}
	}
	slices.SortFunc(out, func(a, b MAC) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(out)
}

// LinkLocal is the link-local address that belongs to a MAC (RFC 4291, appendix A).
func (m MAC) LinkLocal() netip.Addr { return m.AddressIn(linkLocals) }

var linkLocals = netip.MustParsePrefix("fe80::/64")

// AddressIn is the address that belongs to a MAC in an IPv6 block of 64 bits (EUI-64; RFC 4291, appendix A).
func (m MAC) AddressIn(block netip.Prefix) netip.Addr {
	a := block.Masked().Addr().As16()
	copy(a[8:], []byte{m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
	return netip.AddrFrom16(a)
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
