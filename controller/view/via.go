package view

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Via is the MAC that packets come from which a distributed router has routed to a port: that of the router's port, as if
// it had been routed on this host.
type Via struct {
	// IPv6 is the family of the packets.
	IPv6 bool
	// To narrows the family down to a block; the zero Prefix does not.
	To  netip.Prefix
	MAC model.MAC
}

// via lists, for each family, the MAC of the router's port on the port's own subnet; where the port has addresses on
// several that have different ones, first those of the further subnets.
func (r *routed) via(s state.Snapshot, p *model.Port) []Via {
	if len(r.ports) == 0 {
		return nil
	}
	var out []Via
	for _, ipv6 := range []bool{false, true} {
		var of []Via
		seen := map[string]bool{}
		for _, f := range p.FixedIPs {
			if f.IP.Unmap().Is6() != ipv6 || seen[f.SubnetID] {
				continue
			}
			seen[f.SubnetID] = true
			gw, sub := r.on(s, f.SubnetID), subnetOf(s, p, f)
			if gw == nil || sub == nil || slices.ContainsFunc(of, func(v Via) bool { return v.To == sub.CIDR }) {
				continue
			}
			of = append(of, Via{ipv6, sub.CIDR, gw.MAC})
		}
		if len(of) == 0 {
			// A port without an address there may still use one (allowed_address_pairs).
			if gw := r.any(ipv6); gw != nil {
				of = []Via{{ipv6, netip.Prefix{}, gw.MAC}}
			}
		}
		for i, v := range of {
			if i > 0 && v.MAC != of[0].MAC {
				out = append(out, v)
			}
		}
		if len(of) > 0 {
			out = append(out, Via{IPv6: ipv6, MAC: of[0].MAC})
		}
	}
	return out
}

// on is the port that routes a subnet: the one with its gateway_ip, else that with the lowest address.
func (r *routed) on(s state.Snapshot, subnet string) *model.Port {
	var best *model.Port
	var ip netip.Addr
	for _, p := range r.ports {
		for _, f := range p.FixedIPs {
			switch {
			case f.SubnetID != subnet:
			case isGateway(s, p, f):
				return p
			case best == nil || f.IP.Less(ip):
				best, ip = p, f.IP
			}
		}
	}
	return best
}

func (r *routed) any(ipv6 bool) *model.Port {
	for _, p := range r.ports {
		if slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.IP.Unmap().Is6() == ipv6 }) {
			return p
		}
	}
	return nil
}
