package view

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Network is a network as one host carries it.
type Network struct {
	ID string
	// Type is vxlan, gre, geneve, vlan or flat.
	Type string
	// Segment is the tunnel key or the provider's VLAN; 0 on a flat network.
	Segment uint32
	// VLAN is the local VLAN, 1..4094, which stands for the network inside this host only.
	VLAN uint16
	// Up is admin_state_up: nothing passes on a network that is not up.
	Up bool
	// Learn says that nobody tells the host where the network's MACs are (l2_population is off): it learns them.
	Learn bool
	// Physical is the bridge that leads to the network's physical network. It is zero on a tunnelled network, and when
	// the host has no bridge mapping for the physical network.
	Physical Physical
}

// Tunnelled says whether the network is carried by tunnels.
func (n Network) Tunnelled() bool { return model.Tunnelled(n.Type) }

// ForNetwork looks up a network part. False means that the host does not carry the network. The cost does not depend on
// the network's size.
func ForNetwork(s state.Snapshot, h Host, id string) (Network, bool) {
	o, v := s.Network(id), s.LocalVLAN(h.Name, id)
	if o == nil || v == nil {
		return Network{}, false
	}
	n := Network{ID: id, Type: o.Type, Segment: o.SegmentID, VLAN: v.VLAN, Up: o.AdminStateUp}
	if n.Tunnelled() {
		n.Learn = !o.L2Population
	} else if br := h.mappings[o.PhysicalNetwork]; slices.Contains(physicalBridges(h.mappings), br) {
		n.Physical = h.physical(br)
	}
	return n, true
}

// Flood lists the tunnel ports of a tunnelled network, ascending, that a frame for everybody leaves by: one for each
// other host that carries the network, or, on a network that learns, for each other host. Tunnels that are not Open are
// left out. The cost is the number of those hosts.
func Flood(s state.Snapshot, h Host, id string) []uint32 {
	o := s.Network(id)
	if o == nil || !model.Tunnelled(o.Type) {
		return nil
	}
	var ports []uint32
	for r := range reachedBy(s, o) {
		if r == h.Name {
			continue
		}
		if t, ok := tunnel(s, h, o.Type, r); ok && t.Open {
			ports = append(ports, t.out())
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// LocalPort is a port that is bound to this host.
type LocalPort struct {
	ID string
	// Interface is its name on br-int.
	Interface string
	// OFPort is its number, 0 while it is unknown.
	OFPort uint32
	MAC    model.MAC
	// IPs are its addresses, sorted.
	IPs []netip.Addr
	// Up says that port and network both have admin_state_up: whatever a port that is not up sends is dropped.
	Up bool
}

// RemotePort is a port that is bound to another host which carries the network too.
type RemotePort struct {
	ID  string
	MAC model.MAC
	// IPs are its addresses, sorted.
	IPs []netip.Addr
	// Up is as for LocalPort.
	Up bool
	// Tunnel is the number of the port of br-tun that leads to its host, 0 while the tunnel is not Open.
	Tunnel uint32
}

// ForPort looks up a port part: the network, and the port as a local or as a remote one; the other is nil. Both are nil
// when the host has nothing to do with the port. The cost does not depend on the network's size.
func ForPort(s state.Snapshot, h Host, id string) (Network, *LocalPort, *RemotePort) {
	p, b := s.Port(id), s.Binding(id)
	if p == nil || b == nil || p.NetworkID != b.NetworkID {
		return Network{}, nil, nil
	}
	n, ok := ForNetwork(s, h, p.NetworkID)
	if !ok {
		return Network{}, nil, nil
	}
	up := n.Up && p.AdminStateUp
	if b.Host == h.Name {
		return n, &LocalPort{ID: id, Interface: b.Interface, OFPort: b.OFPort, MAC: p.MAC, IPs: addresses(p), Up: up}, nil
	}
	if n.Tunnelled() && !n.Learn && s.LocalVLAN(b.Host, n.ID) != nil {
		if t, ok := tunnel(s, h, n.Type, b.Host); ok {
			return n, nil, &RemotePort{ID: id, MAC: p.MAC, IPs: addresses(p), Up: up, Tunnel: t.out()}
		}
	}
	return Network{}, nil, nil
}

func addresses(p *model.Port) []netip.Addr {
	ips := make([]netip.Addr, 0, len(p.FixedIPs))
	for _, f := range p.FixedIPs {
		ips = append(ips, f.IP.Unmap())
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	return slices.Compact(ips)
}
