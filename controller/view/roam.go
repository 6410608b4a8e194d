package view

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// contested says whether another port of the network may use an address too. Nobody answers for such an address but who
// has it at the moment.
func contested(s state.Snapshot, p *model.Port, ip netip.Addr) bool {
	for q := range s.PortsAllowed(p.NetworkID, ip.String()) {
		if q.ID != p.ID {
			return true
		}
	}
	return false
}

// owned are the addresses of a port that no other port may use.
func (l *Lookup) owned(p *model.Port) []netip.Addr {
	ips := addresses(p)
	if l.pairs(p.NetworkID) {
		ips = slices.DeleteFunc(ips, func(ip netip.Addr) bool { return contested(l.s, p, ip) })
	}
	return ips
}

// pairs says whether some port of a network has an allowed address pair for one address.
func (l *Lookup) pairs(network string) bool {
	some, known := l.paired[network]
	if !known {
		some = l.s.AnyAllowed(network)
		if l.paired != nil {
			l.paired[network] = some
		}
	}
	return some
}

// roams says whether a port may hold an address that other ports may hold too, as VRRP gives and takes them: routers ask
// who has it, and the answer must reach the one that asked.
func (l *Lookup) roams(p *model.Port) bool {
	return len(p.AllowedAddressPairs) > 0 || len(l.owned(p)) < len(addresses(p))
}
