package view

import (
	"hash/fnv"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Roles of bridges, as the node protocol spells them.
const (
	RoleIntegration = "integration"
	RoleTunnel      = "tunnel"
	RolePhysical    = "physical"
)

// DeadVLAN is the tag of a port that may not talk. No network has it: local VLANs go up to 4094.
const DeadVLAN = 4095

// Bridge is a bridge that a host must have.
type Bridge struct {
	Name       string
	DatapathID uint64
	// Role is integration, tunnel or physical.
	Role string
}

// PortBinding ties an interface of br-int to a port.
type PortBinding struct {
	PortID    string
	NetworkID string
	Interface string
	// VLAN is the network's local VLAN, or DeadVLAN for a port that is not up.
	VLAN uint16
	MAC  model.MAC
}

// Tap is a port of br-int that the agent makes for a device in a namespace.
type Tap struct {
	Name   string
	PortID string
	// OFPort is its number, 0 while the host has not reported it.
	OFPort uint32
}

// Resources is what the agent of a host must make true.
type Resources struct {
	Bridges []Bridge
	Tunnels []Tunnel
	Ports   []PortBinding

	Routers         []Router
	SNATs           []SNAT
	FIPNamespaces   []FIPNamespace
	FloatingIPs     []FloatingIP
	PortForwardings []PortForwarding
	DHCPs           []DHCP
	Endpoints       []Endpoint

	// Firewalls are the firewall bridges of ports; what they judge by is in what follows.
	Firewalls    []Firewall
	GroupSets    []GroupSet
	RemoteGroups []RemoteGroup
	Remotes      []Remote

	// Taps are those of all devices of the above.
	Taps []Tap
	// Uncarried are networks that a distributed router joins and the host does not carry: it has no local VLAN left.
	Uncarried []string
}

// HostResources lists all resources of a host: those of all its parts.
func HostResources(s state.Snapshot, host string) Resources {
	var all Resources
	h, ok := ForHost(s, host)
	if !ok {
		return all
	}
	l := NewLookup(s, h)
	for p := range Parts(s, host) {
		all.add(l.Resources(p))
	}
	return all
}

func (r *Resources) add(o Resources) {
	r.Bridges = append(r.Bridges, o.Bridges...)
	r.Tunnels = append(r.Tunnels, o.Tunnels...)
	r.Ports = append(r.Ports, o.Ports...)
	r.Routers = append(r.Routers, o.Routers...)
	r.SNATs = append(r.SNATs, o.SNATs...)
	r.FIPNamespaces = append(r.FIPNamespaces, o.FIPNamespaces...)
	r.FloatingIPs = append(r.FloatingIPs, o.FloatingIPs...)
	r.PortForwardings = append(r.PortForwardings, o.PortForwardings...)
	r.DHCPs = append(r.DHCPs, o.DHCPs...)
	r.Endpoints = append(r.Endpoints, o.Endpoints...)
	r.Firewalls = append(r.Firewalls, o.Firewalls...)
	r.GroupSets = append(r.GroupSets, o.GroupSets...)
	r.RemoteGroups = append(r.RemoteGroups, o.RemoteGroups...)
	r.Remotes = append(r.Remotes, o.Remotes...)
	r.Taps = append(r.Taps, o.Taps...)
	r.Uncarried = append(r.Uncarried, o.Uncarried...)
}

// PartResources lists the resources that come from one part of a host: its bridges from the HostPart, a tunnel from
// each TunnelPart, a binding from the PortPart of each local port, namespaces and what is in them from the other parts.
func PartResources(s state.Snapshot, host string, p Part) Resources {
	if p.Kind == PortPart {
		// Most of the ports that a host knows are elsewhere.
		if b := s.Binding(p.ID); b == nil || b.Host != host {
			return Resources{}
		}
	}
	h, ok := ForHost(s, host)
	if !ok {
		return Resources{}
	}
	return Once(s, h).Resources(p)
}

// Resources is PartResources for many parts of one host.
func (l *Lookup) Resources(p Part) Resources {
	s, h := l.s, l.h
	switch p.Kind {
	case HostPart:
		return Resources{Bridges: bridges(s.Host(h.Name).Number, h)}
	case TunnelPart:
		if t, ok := ForTunnel(s, h, p.ID); ok {
			return Resources{Tunnels: []Tunnel{t}}
		}
	case PortPart:
		if n, lp, _ := l.port(p.ID); lp != nil {
			return Resources{Ports: []PortBinding{binding(n, lp.ID, lp.Interface, lp.MAC, lp.Up)}, Firewalls: l.firewall(n, lp)}
		}
	case RouterPart:
		return l.routerResources(p.ID)
	case FIPNetworkPart:
		if f := fipNamespace(s, h, p.ID); f != nil {
			return Resources{FIPNamespaces: []FIPNamespace{*f}, Taps: l.taps(f.Device)}
		}
	case FloatingIPPart:
		if f := floatingIP(s, h, p.ID); f != nil {
			return Resources{FloatingIPs: []FloatingIP{*f}}
		}
	case PortForwardingPart:
		if f := portForwarding(s, h, p.ID); f != nil {
			return Resources{PortForwardings: []PortForwarding{*f}}
		}
	case DHCPPart:
		if d := dhcp(s, h, p.ID); d != nil {
			return Resources{DHCPs: []DHCP{*d}, Taps: l.taps(d.Device)}
		}
	case EndpointPart:
		if o := s.Port(p.ID); o != nil {
			if e := l.endpoint(o); e != nil {
				return Resources{Endpoints: []Endpoint{*e}}
			}
		}
	case GroupSetPart:
		if gs, ok := l.groupSet(p.ID, byBridge); ok {
			return Resources{GroupSets: []GroupSet{gs}}
		}
	case RemoteGroupPart:
		if g, ok := l.filtered().group(p.ID); ok {
			return Resources{RemoteGroups: []RemoteGroup{g}}
		}
	case RemotePart:
		if r, ok := l.filtered().remote(p.ID); ok {
			return Resources{Remotes: []Remote{r}}
		}
	}
	return Resources{}
}

// routerResources are the namespaces of a router on the host, and the bindings of the devices of a distributed one: its
// ports are bound nowhere in the store, because they are on many hosts.
func (l *Lookup) routerResources(id string) Resources {
	var out Resources
	if r := routerResource(l.s, l.h, id); r != nil {
		out.Routers = []Router{*r}
		for _, i := range r.Interfaces {
			out.Taps = append(out.Taps, l.taps(i.Device)...)
			if !r.Distributed {
				continue
			}
			n := l.network(i.NetworkID)
			if n == nil {
				out.Uncarried = append(out.Uncarried, i.NetworkID)
			} else if tapOf(l.s, l.h.Name, i.PortID) != 0 {
				up := n.Up && l.s.Port(i.PortID).AdminStateUp
				out.Ports = append(out.Ports, binding(*n, i.PortID, TapName(i.PortID), i.MAC, up))
			}
		}
		if r.Gateway != nil {
			out.Taps = append(out.Taps, l.taps(r.Gateway.Device)...)
		}
	}
	if sn := snatResource(l.s, l.h, id); sn != nil {
		out.SNATs = []SNAT{*sn}
		out.Taps = append(out.Taps, l.taps(append(sn.Interfaces[:len(sn.Interfaces):len(sn.Interfaces)], sn.Gateway.Device)...)...)
	}
	return out
}

func (l *Lookup) taps(devices ...Device) []Tap {
	var out []Tap
	for _, d := range devices {
		out = append(out, Tap{TapName(d.PortID), d.PortID, tapOf(l.s, l.h.Name, d.PortID)})
	}
	return out
}

func binding(n Network, port, iface string, mac model.MAC, up bool) PortBinding {
	b := PortBinding{PortID: port, NetworkID: n.ID, Interface: iface, VLAN: n.VLAN, MAC: mac}
	if !up {
		b.VLAN = DeadVLAN
	}
	return b
}

func bridges(number uint16, h Host) []Bridge {
	bs := []Bridge{
		{BrInt, DatapathID(number, BrInt), RoleIntegration},
		{BrTun, DatapathID(number, BrTun), RoleTunnel},
	}
	for _, p := range h.Physical {
		bs = append(bs, Bridge{p.Bridge, DatapathID(number, p.Bridge), RolePhysical})
	}
	return bs
}

// datapathMark begins every datapath id of ours: "weft" in ASCII.
const datapathMark uint64 = 0x77656674

// DatapathID tells the bridges of all hosts apart: "weft", the host's number, and a 16-bit fold of the FNV-1a hash of
// the bridge's name.
func DatapathID(number uint16, bridge string) uint64 {
	f := fnv.New32a()
	f.Write([]byte(bridge))
	sum := f.Sum32()
	return datapathMark<<32 | uint64(number)<<16 | uint64(uint16(sum>>16)^uint16(sum))
}

// Datapath finds the host and the bridge that a datapath id stands for. False means that it is not one of ours, or that
// two bridges share it, which 16 bits of a hash cannot rule out: the switch that presents it must be refused, because its
// rows would be another's. The cost is the number of hosts.
func Datapath(s state.Snapshot, dpid uint64) (host, bridge string, ok bool) {
	if dpid>>32 != datapathMark {
		return "", "", false
	}
	for o := range s.Hosts() {
		if o.Number == 0 || uint64(o.Number) != dpid>>16&0xffff {
			continue
		}
		h, _ := ForHost(s, o.ID)
		for _, b := range bridges(o.Number, h) {
			if b.DatapathID != dpid {
				continue
			}
			if ok {
				return "", "", false
			}
			host, bridge, ok = o.ID, b.Name, true
		}
	}
	return host, bridge, ok
}
