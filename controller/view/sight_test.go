package view

import (
	"net/netip"
	"reflect"

	"github.com/weft-sdn/weft/controller/state"
)

// sight is all that a part of a host comes to.
type sight struct {
	Host      Host
	AnswersND bool
	PatchInt  uint32
	Peers     []Peer
	Tunnel    Tunnel
	Network   Network
	Flood     []uint32
	Local     LocalPort
	Remote    RemotePort
	Routed    Routed
	Router    []RoutedNetwork
	// Bridged is what the rows of distributed routers are made of besides.
	Bridged   Host
	Security  securitySight
	Resources Resources
}

func look(s state.Snapshot, host string, p Part) sight {
	h, ok := ForHost(s, host)
	if !ok {
		return sight{}
	}
	out := sight{Resources: PartResources(s, host, p), AnswersND: h.AnswersND}
	switch p.Kind {
	case HostPart, PortPart:
	default:
		out.AnswersND = false
	}
	bridged := Host{DVRMAC: h.DVRMAC, PatchTun: h.PatchTun, Physical: h.Physical}
	switch p.Kind {
	case HostPart:
		out.Host, out.Peers = h, Peers(s, host)
		// What these hold is seen in the parts that use them.
		out.Host.mappings, out.Host.ports, out.Host.TunnelIP = nil, nil, netip.Addr{}
	case TunnelPart:
		out.Tunnel, _ = ForTunnel(s, h, p.ID)
	case NetworkPart:
		if n, ok := ForNetwork(s, h, p.ID); ok {
			out.Network, out.Flood = n, Flood(s, h, p.ID)
			if n.Learn {
				out.PatchInt = h.PatchInt
			}
			if out.Routed = ForRouted(s, h, p.ID); len(out.Routed.Ports) > 0 {
				out.Bridged = bridged
			}
		}
	case PortPart:
		n, l, r := ForPort(s, h, p.ID)
		out.Network = n
		// A port's rows have nothing to do with the physical bridge, unless packets are routed to it.
		out.Network.Physical = Physical{}
		if l != nil {
			out.Local = *l
			if len(l.Via) > 0 {
				out.Bridged, out.Network.Physical = bridged, n.Physical
			}
		}
		if r != nil {
			out.Remote = *r
		}
	case RouterPart:
		if out.Router = ForRouter(s, h, p.ID); len(out.Router) > 0 {
			out.Bridged = bridged
		}
	}
	out.Security = lookSecurity(s, h, p)
	return out
}

// nothing says whether a part comes to nothing.
func (s sight) nothing() bool {
	return s.Host.Name == "" && s.Tunnel.Name == "" && s.Network.ID == "" && s.Router == nil && s.Security.nothing() && reflect.ValueOf(s.Resources).IsZero()
}
