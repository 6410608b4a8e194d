package ovsdb

import (
	"net/netip"
	"slices"
	"strings"
)

// Role is what a bridge is for.
type Role string

// Roles of bridges.
const (
	// Integration is br-int, to which VMs are plugged.
	Integration Role = "integration"
	// Tunnel is br-tun, from which tunnels lead to other hosts.
	Tunnel Role = "tunnel"
	// Physical is a bridge with a physical network behind it. It may have been there before us, and be used by others.
	Physical Role = "physical"
)

// DeadVLAN is the tag of a port that may not talk.
const DeadVLAN = 4095

// Desired is what must be true on a host. Its names and values are checked with CheckBridge, CheckTunnel and
// CheckBinding before.
type Desired struct {
	// DatapathType is system or netdev.
	DatapathType string
	// SSL is for bridges with ssl: targets; zero when the switch is to have them from somebody else.
	SSL      SSL
	Bridges  []Bridge
	Tunnels  []TunnelPort
	Bindings []Binding
	// Plugs are devices that are to be ports of the integration bridge.
	Plugs []Plug
	// Prune says that this is everything: owned ports and bridges that are not named go, and interfaces that carry the
	// mark of a binding that is not named become dead.
	Prune bool
}

// Bridge is a bridge, with the patch ports that its role brings: patch-tun and patch-int between the integration bridge
// and the tunnel bridge, int-<bridge> and phy-<bridge> between the integration bridge and a physical one.
type Bridge struct {
	Name string
	Role Role
	// DatapathID is 16 lower-case hex digits.
	DatapathID string
	// Controllers are OVSDB targets, e.g. tcp:10.0.0.1:6653. None: the controllers are left as they are, because to take
	// the last one away would flush the bridge's flows.
	Controllers []string
}

// TunnelPort is a port of the tunnel bridge that leads to one other host.
type TunnelPort struct {
	Name string
	// Type is vxlan, gre or geneve.
	Type              string
	LocalIP, RemoteIP netip.Addr
}

// Binding ties an interface of the integration bridge to a port of a network.
type Binding struct {
	PortID string
	// Interface is the name of its row, which must carry external_ids:iface-id equal to PortID, or else
	// external_ids:attached-mac equal to MAC: the name may by now be another VM's.
	Interface string
	MAC       string
	// VLAN is 1..4094, or DeadVLAN.
	VLAN uint16
	// Installed is the store revision whose flows are all in the switch; 0 while they are not.
	Installed int64
}

// Resource names what a problem or a change is about, as the node protocol does: bridge/br-int, tunnel/vxlan-0a5b0015,
// port/<port id>.
func (b Bridge) Resource() string     { return "bridge/" + b.Name }
func (t TunnelPort) Resource() string { return "tunnel/" + t.Name }
func (b Binding) Resource() string    { return "port/" + b.PortID }

// Patch ports between the integration bridge and the tunnel bridge, named as operators know them.
const (
	patchTun = "patch-tun"
	patchInt = "patch-int"
)

// patch is one end of a pair of patch ports.
type patch struct {
	bridge, name, peer string
	// resource is the bridge that is the reason for the pair.
	resource string
}

// bridge finds the first bridge of a role.
func (d *Desired) bridge(r Role) (Bridge, bool) {
	for _, b := range d.Bridges {
		if b.Role == r {
			return b, true
		}
	}
	return Bridge{}, false
}

// patches lists both ends of every pair. Without an integration bridge there are none.
func (d *Desired) patches() []patch {
	hub, ok := d.bridge(Integration)
	if !ok {
		return nil
	}
	var out []patch
	for _, b := range d.Bridges {
		hubEnd, end := "int-"+b.Name, "phy-"+b.Name
		switch b.Role {
		case Integration:
			continue
		case Tunnel:
			hubEnd, end = patchTun, patchInt
		}
		out = append(out, patch{hub.Name, hubEnd, end, b.Resource()}, patch{b.Name, end, hubEnd, b.Resource()})
	}
	return out
}

// options are an interface's options for a tunnel that is keyed by flow and sends with the mark 0, as Neutron makes it.
func (t TunnelPort) options() map[string]string {
	return map[string]string{
		"df_default": "true", "in_key": "flow", "out_key": "flow", "egress_pkt_mark": "0",
		"local_ip": t.LocalIP.String(), "remote_ip": t.RemoteIP.String(),
	}
}

// owns says whether an interface carries what ties it to the binding's port.
func (b Binding) owns(ifaceID, attachedMAC string) bool {
	return ifaceID == b.PortID || (attachedMAC != "" && strings.EqualFold(attachedMAC, b.MAC))
}

// sorted brings the resources into an order that does not depend on the caller: the integration bridge first, because
// the others are patched to it.
func (d *Desired) sorted() Desired {
	s := Desired{DatapathType: d.DatapathType, SSL: d.SSL, Prune: d.Prune,
		Bridges: slices.Clone(d.Bridges), Tunnels: slices.Clone(d.Tunnels), Bindings: slices.Clone(d.Bindings), Plugs: slices.Clone(d.Plugs)}
	rank := map[Role]string{Integration: "0", Tunnel: "1", Physical: "2"}
	slices.SortFunc(s.Bridges, func(a, b Bridge) int { return strings.Compare(rank[a.Role]+a.Name, rank[b.Role]+b.Name) })
	slices.SortFunc(s.Tunnels, func(a, b TunnelPort) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Plugs, func(a, b Plug) int { return strings.Compare(a.Interface, b.Interface) })
	byPort := func(a, b Binding) int { return strings.Compare(a.PortID, b.PortID) }
	if !slices.IsSortedFunc(s.Bindings, byPort) {
		slices.SortFunc(s.Bindings, byPort)
	}
	return s
}
