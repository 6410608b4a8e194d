package view

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// PartKind is what a part of a host's view is about.
type PartKind uint8

// Kinds of parts, in the order in which Parts lists them.
const (
	// HostPart is the host by itself: the rows that every pipeline begins with, its bridges, its peers' DVR MACs.
	// Its ID is empty: a host has one.
	HostPart PartKind = iota
	// TunnelPart is one tunnel to one other host. Its ID is made by TunnelID.
	TunnelPart
	// NetworkPart is a network that the host carries. Its ID is the network's.
	NetworkPart
	// PortPart is a port, bound to this host or to another, of a network that the host carries. Its ID is the port's.
	PortPart
	// RouterPart is a router on the host: a copy of a distributed one, the centralised part of either, or both. Its ID is
	// the router's.
	RouterPart
	// FIPNetworkPart is the fip namespace of an external network. Its ID is the network's.
	FIPNetworkPart
	// FloatingIPPart is a floating IP that the host serves. Its ID is the floating IP's.
	FloatingIPPart
	// PortForwardingPart is a port forwarding that the host serves. Its ID is the port forwarding's.
	PortForwardingPart
	// DHCPPart is the DHCP namespace of a network. Its ID is the network's.
	DHCPPart
	// EndpointPart is a port that some namespace of the host must know. Its ID is the port's.
	EndpointPart
	// GroupSetPart is a set of security groups that judged ports of the host have. Its ID is the set's key.
	GroupSetPart
	// RemoteGroupPart is a security group or address group that rules in force on the host name. Its ID is the group's.
	RemoteGroupPart
	// RemotePart is an address of such groups. Its ID is made by RemoteID.
	RemotePart
	// StationPart is a MAC of judged ports of the host. Its ID is made by StationID.
	StationPart
	// MulticastPart is how a network with judged ports on the host is flooded there. Its ID is the network's.
	MulticastPart
)

var partKinds = [...]string{"host", "tunnel", "network", "port", "router", "fip", "floatingip", "portforwarding", "dhcp", "endpoint",
	"groupset", "remotegroup", "remote", "station", "multicast"}

// HasRows says whether parts of the kind come to rows of a bridge; the others only come to resources of the agent.
func (k PartKind) HasRows() bool { return k <= RouterPart || k >= GroupSetPart }

// Part names a portion of a host's view that is looked up, rendered and replaced as one.
type Part struct {
	Kind PartKind
	ID   string
}

// String is the kind and the id: "network/1f0c…".
func (p Part) String() string {
	if int(p.Kind) >= len(partKinds) {
		return fmt.Sprintf("part(%d)/%s", p.Kind, p.ID)
	}
	if p.Kind == HostPart {
		return partKinds[p.Kind]
	}
	return partKinds[p.Kind] + "/" + p.ID
}

// Compare orders parts by kind, then by id.
func (p Part) Compare(q Part) int {
	return cmp.Or(cmp.Compare(p.Kind, q.Kind), strings.Compare(p.ID, q.ID))
}

// TunnelID is the ID of the part for the tunnel of a type (vxlan, gre, geneve) to a host.
func TunnelID(networkType, remote string) string { return networkType + "/" + remote }

// PartSet is a set of parts of one host.
type PartSet map[Part]struct{}

// Add puts a part into the set.
func (ps PartSet) Add(p Part) { ps[p] = struct{}{} }

// Sorted lists the parts in order.
func (ps PartSet) Sorted() []Part { return slices.SortedFunc(maps.Keys(ps), Part.Compare) }

// Parts lists every part that the host may have rows or resources for, each once. An unknown host has none.
//
// A part that is listed may still come to nothing, as a port that is down does; one that is not listed always does.
// The cost is that of the host's whole view.
func Parts(s state.Snapshot, host string) iter.Seq[Part] { return parts(s, host, true) }

// ResourceParts lists those that the host may have resources for. Ports on other hosts, which are most of a large network, are
// rows only.
func ResourceParts(s state.Snapshot, host string) iter.Seq[Part] { return parts(s, host, false) }

func parts(s state.Snapshot, host string, remote bool) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		h, ok := ForHost(s, host)
		if !ok || !yield(Part{Kind: HostPart}) {
			return
		}
		for _, id := range tunnelIDs(s, h) {
			if !yield(Part{TunnelPart, id}) {
				return
			}
		}
		for v := range s.LocalVLANsOn(host) {
			n := s.Network(v.NetworkID)
			if n == nil {
				continue
			}
			if !yield(Part{NetworkPart, n.ID}) {
				return
			}
			bindings := s.BindingsAt(host, n.ID)
			if remote && knowsRemote(n) {
				bindings = s.BindingsOf(n.ID)
			}
			for b := range bindings {
				if !yield(Part{PortPart, b.PortID}) {
					return
				}
			}
		}
		if securityParts(s, h, yield) {
			namespaceParts(s, h, yield)
		}
	}
}

// knowsRemote says whether a host knows the ports of the network that are bound to other hosts. On a provider network
// the physical switches find them; without l2_population the tunnel bridge learns them.
func knowsRemote(n *model.Network) bool { return model.Tunnelled(n.Type) && n.L2Population }

// tunnelIDs lists the tunnels that the host wants, sorted.
func tunnelIDs(s state.Snapshot, h Host) []string {
	ids := map[string]struct{}{}
	meshed := map[string]bool{}
	for v := range s.LocalVLANsOn(h.Name) {
		n := s.Network(v.NetworkID)
		if n == nil || !model.Tunnelled(n.Type) || meshed[n.Type] {
			continue
		}
		meshed[n.Type] = !n.L2Population
		for r := range reachedBy(s, n) {
			if r != h.Name {
				ids[TunnelID(n.Type, r)] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// reachedBy lists the hosts that a frame flooded on the tunnelled network goes to: those that carry it, or, where
// nobody knows who carries what, all.
func reachedBy(s state.Snapshot, n *model.Network) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !n.L2Population {
			for r := range s.Hosts() {
				if !yield(r.ID) {
					return
				}
			}
			return
		}
		for v := range s.LocalVLANsOf(n.ID) {
			if !yield(v.Host) {
				return
			}
		}
	}
}
