package model

import (
	"fmt"
	"net/netip"
)

// ParseAddr reads an IPv4 or IPv6 address. Zone ids and IPv4-mapped IPv6 addresses are refused.
func ParseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		if p, perr := netip.ParsePrefix(s); perr == nil {
			return netip.Addr{}, fmt.Errorf("%q is a prefix, not an address; did you mean %s?", s, p.Addr())
		}
		return netip.Addr{}, fmt.Errorf("%q is not an IP address: write e.g. 10.0.1.5 or fd00::5", s)
	}
	if why := oddAddr(a); why != "" {
		return netip.Addr{}, fmt.Errorf("%s", why)
	}
	return a, nil
}

// oddAddr says why an address is of a form that no object may have, or "".
func oddAddr(a netip.Addr) string {
	switch {
	case a.Zone() != "":
		return fmt.Sprintf("%q has a zone id, which only one host understands; did you mean %s?", a, a.WithZone(""))
	case a.Is4In6():
		return fmt.Sprintf("%q is an IPv4-mapped IPv6 address; did you mean %s?", a, a.Unmap())
	}
	return ""
}

// ParsePrefix reads an address block such as 10.0.1.0/24 or fd00:1::/64. It must not have host bits.
func ParsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, aerr := netip.ParseAddr(s); aerr == nil && a.Zone() == "" {
			example := netip.PrefixFrom(a, 64).Masked()
			if a.Is4() {
				example = netip.PrefixFrom(a, 24).Masked()
			}
			return netip.Prefix{}, fmt.Errorf("%q lacks a prefix length; did you mean %s?", s, example)
		}
		return netip.Prefix{}, fmt.Errorf("%q is not an address block: write e.g. 10.0.1.0/24 or fd00:1::/64", s)
	}
	if why := oddPrefix(p); why != "" {
		return netip.Prefix{}, fmt.Errorf("%s", why)
	}
	return p, nil
}

func oddPrefix(p netip.Prefix) string {
	switch {
	case p.Addr().Is4In6():
		if p.Bits() >= 96 {
			return fmt.Sprintf("%q is IPv4-mapped; did you mean %s?", p, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked())
		}
		return fmt.Sprintf("%q is IPv4-mapped; write the IPv4 block", p)
	case p != p.Masked():
		return fmt.Sprintf("%q has host bits; did you mean %s?", p, p.Masked())
	}
	return ""
}
