package trace

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/policy"
	"github.com/weft-sdn/weft/controller/view"
)

// What iptables translates cannot be asked of the kernel before a packet goes through. It is told here as nsagent/plan renders it
// (nat.go, qrouter.go), of the same objects.

// metadataIP is where clouds serve metadata (EC2).
var metadataIP = netip.AddrFrom4([4]byte{169, 254, 169, 254})

// metadata says whether the packet is for the metadata service of a router's namespace.
func (w *walk) metadata(at space) bool {
	return w.packet.Dst == metadataIP && w.packet.Protocol == policy.TCP && w.packet.DstPort == 80 && at.router != nil && strings.HasPrefix(at.device, devRouter)
}

// central says whether a namespace is the centralised part of its router, which has the gateway.
func (at space) central() bool {
	return at.router != nil && (!at.router.Distributed || strings.HasPrefix(at.name, "snat-"))
}

// servedIn says whether a floating IP is served in a namespace of a host.
func (w *walk) servedIn(host string, at space, f *model.FloatingIP) bool {
	p, ok := view.FloatingIPPlace(w.s, f)
	if !ok || p.Host != host && p.Next != host {
		return false
	}
	return (p.In == view.PlaceFIP) == !at.central()
}

// destination translates the destination of a packet that has come into a namespace, and says by what; "" when it is not translated.
func (w *walk) destination(host string, at space) string {
	if at.router == nil || !w.packet.Dst.Is4() || !at.central() && !strings.HasPrefix(at.device, devToFIP) {
		return ""
	}
	for f := range w.s.FloatingIPsOfRouter(at.router.ID) {
		if f.Address != w.packet.Dst {
			continue
		}
		if f.PortID != "" && w.servedIn(host, at, f) {
			w.packet.Dst = f.FixedIP
			return "by floating IP " + f.Address.String()
		}
		if !at.central() {
			continue
		}
		for pf := range w.s.PortForwardingsOf(f.ID) {
			proto, _ := model.ParseProtocol(pf.Protocol)
			if proto != w.packet.Protocol || w.packet.DstPort < pf.External.First || w.packet.DstPort > pf.External.Last {
				continue
			}
			w.packet.Dst = pf.InternalIP
			if pf.Internal.First == pf.Internal.Last {
				w.packet.DstPort = pf.Internal.First
			} else {
				w.packet.DstPort += pf.Internal.First - pf.External.First
			}
			return fmt.Sprintf("port %d, by a port forwarding of floating IP %v", w.packet.DstPort, f.Address)
		}
	}
	return ""
}

// source translates the source of a packet that leaves a namespace by a device, and says by what; "" when it is not translated.
func (w *walk) source(host string, at space, out string, translated bool) string {
	r := at.router
	if r == nil || r.Gateway == nil || !w.packet.Src.Is4() {
		return ""
	}
	outside := strings.HasPrefix(out, devGateway) || strings.HasPrefix(out, devToFIP)
	if !outside && !translated {
		return ""
	}
	for f := range w.s.FloatingIPsOfRouter(r.ID) {
		if f.PortID != "" && f.FixedIP == w.packet.Src && w.servedIn(host, at, f) {
			w.packet.Src = f.Address
			return "by floating IP " + f.Address.String()
		}
	}
	if !at.central() || (!outside || !r.Gateway.EnableSNAT) && !(translated && !strings.HasPrefix(at.device, devGateway)) {
		return ""
	}
	for _, f := range r.Gateway.FixedIPs {
		if f.IP.Is4() {
			w.packet.Src = f.IP
			return "the gateway address of the router"
		}
	}
	return ""
}
