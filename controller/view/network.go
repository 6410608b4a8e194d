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
	// IPs are its addresses, sorted, without those that another port may use too (allowed_address_pairs).
	IPs []netip.Addr
	// Up says that port and network both have admin_state_up: whatever a port that is not up sends is dropped.
	Up bool
	// Via are the MACs that packets routed elsewhere come from; nil when no distributed router is on the network. Each
	// comes before those that it is narrower than.
	Via []Via
	// Hearers are the router ports on this host whose copies elsewhere must hear what the port answers them: it may hold
	// an address that moves between ports.
	Hearers []RouterPort
	// Security is what br-int judges the port by; nil when it does not.
	Security *Security
	// QoS is what it is limited to and marked with; nil: nothing.
	QoS *QoS
}

// LimitsHearing says whether there is a limit to what the port may hear.
func (p *LocalPort) LimitsHearing() bool { return p.QoS != nil && p.QoS.Ingress.Any() }

// RemotePort is a port that is bound to another host which carries the network too.
type RemotePort struct {
	ID  string
	MAC model.MAC
	// IPs are as of LocalPort.
	IPs []netip.Addr
	// Router says that the port is a router's: neighbours must know (RFC 4861, 4.4).
	Router bool
	// Up is as for LocalPort.
	Up bool
	// Tunnel is the number of the port of br-tun that leads to its host, 0 while the tunnel is not Open.
	Tunnel uint32
}

// ForPort looks up a port part: the network, and the port as a local or as a remote one; the other is nil. Both are nil
// when the host has nothing to do with the port. The cost does not depend on the network's size.
func ForPort(s state.Snapshot, h Host, id string) (Network, *LocalPort, *RemotePort) {
	return Once(s, h).port(id)
}

// Lookup is ForPort for many ports of one host: what ports have in common, their network and the way to the host that
// they are on, is looked up once. It is for one goroutine.
type Lookup struct {
	s        state.Snapshot
	h        Host
	networks map[string]*Network // nil: not carried
	ways     map[way]*uint32     // nil: there is none
	routeds  map[string]*routed
	paired   map[string]bool
	served   map[string]served
	// uses are those of rows, and filters those of firewall bridges.
	uses, filters *uses
}

// way leads to the ports of a network on another host.
type way struct{ network, host string }

// NewLookup begins to look ports up.
func NewLookup(s state.Snapshot, h Host) *Lookup {
	return &Lookup{s: s, h: h, networks: map[string]*Network{}, ways: map[way]*uint32{}, routeds: map[string]*routed{},
		paired: map[string]bool{},
		served: map[string]served{}, uses: newUses(s, h.Name, byRows), filters: newUses(s, h.Name, byBridge)}
}

// Once looks up one part of a host: unlike NewLookup it keeps nothing.
func Once(s state.Snapshot, h Host) *Lookup { return &Lookup{s: s, h: h} }

// ForPort is as the function of that name.
func (l *Lookup) ForPort(id string) (Network, *LocalPort, *RemotePort) { return l.port(id) }

func (l *Lookup) port(id string) (Network, *LocalPort, *RemotePort) {
	p, b := l.s.Port(id), l.s.Binding(id)
	if p == nil || b == nil || p.NetworkID != b.NetworkID || p.DeviceOwner == model.OwnerDistributedInterface {
		return Network{}, nil, nil
	}
	n := l.network(p.NetworkID)
	if n == nil {
		return Network{}, nil, nil
	}
	up := n.Up && p.AdminStateUp
	if b.Host == l.h.Name {
		r := l.routed(n.ID)
		lp := &LocalPort{ID: id, Interface: b.Interface, OFPort: b.OFPort, MAC: p.MAC, IPs: l.owned(p), Up: up, Via: r.via(l.s, p),
			Security: security(l.s, b, p), QoS: qos(l.s, l.h, p)}
		if len(r.Ports) > 0 && l.roams(p) {
			lp.Hearers = r.here()
		}
		return *n, lp, nil
	}
	if out := l.way(n, b.Host); out != nil {
		return *n, nil, &RemotePort{ID: id, MAC: p.MAC, IPs: l.owned(p), Router: ofRouter(p.DeviceOwner), Up: up, Tunnel: *out}
	}
	return Network{}, nil, nil
}

// ofRouter says whether a port of that device owner forwards for others.
func ofRouter(deviceOwner string) bool {
	return deviceOwner == model.OwnerRouterInterface || deviceOwner == model.OwnerRouterGateway
}

func (l *Lookup) network(id string) *Network {
	if n, known := l.networks[id]; known {
		return n
	}
	var found *Network
	if n, ok := ForNetwork(l.s, l.h, id); ok {
		found = &n
	}
	if l.networks != nil {
		l.networks[id] = found
	}
	return found
}

// way is the port of br-tun that leads to the network's ports on another host, 0 while nothing may be sent there; nil when
// the host does not know where those ports are.
func (l *Lookup) way(n *Network, host string) *uint32 {
	w := way{n.ID, host}
	if out, known := l.ways[w]; known {
		return out
	}
	var found *uint32
	if n.Tunnelled() && !n.Learn && l.s.LocalVLAN(host, n.ID) != nil {
		if t, ok := tunnel(l.s, l.h, n.Type, host); ok {
			out := t.out()
			found = &out
		}
	}
	if l.ways != nil {
		l.ways[w] = found
	}
	return found
}

func addresses(p *model.Port) []netip.Addr {
	ips := make([]netip.Addr, 0, len(p.FixedIPs))
	for _, f := range p.FixedIPs {
		ips = append(ips, f.IP.Unmap())
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	return slices.Compact(ips)
}
