package view

import (
	"net/netip"

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
	Resources Resources
}

func look(s state.Snapshot, host string, p Part) sight {
	h, ok := ForHost(s, host)
	if !ok {
		return sight{}
	}
	out := sight{Resources: PartResources(s, host, p), AnswersND: h.AnswersND}
	switch p.Kind {
	case TunnelPart, NetworkPart:
		out.AnswersND = false
	}
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
		}
	case PortPart:
		n, l, r := ForPort(s, h, p.ID)
		out.Network = n
		// A port's rows have nothing to do with the physical bridge.
		out.Network.Physical = Physical{}
		if l != nil {
			out.Local = *l
		}
		if r != nil {
			out.Remote = *r
		}
	}
	return out
}

// nothing says whether a part comes to nothing.
func (s sight) nothing() bool {
	return s.Host.Name == "" && s.Tunnel.Name == "" && s.Network.ID == ""
}
