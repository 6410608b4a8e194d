package plan

import (
	"net/netip"
	"slices"
	"strings"
)

// Namespace is what must be, or is, in a network namespace. Lists are sorted, so that equal namespaces have equal text.
type Namespace struct {
	Name       string
	Links      []Link
	Sysctls    map[string]string // key as a path below /proc/sys: net/ipv4/ip_forward
	Addresses  []Address
	Routes     []TableRoute
	Rules      []Rule
	Neighbours []Neighbour
	IPv4, IPv6 Ruleset

	// What follows is of the host's own namespace.

	// Ethernet are the rules of ebtables, Sets those of ipset by name.
	Ethernet Ruleset
	Sets     map[string]Set
	Bridges  []Bridge

	// Server, Advertiser and Listener are nil for a namespace without.
	Server     *Server
	Advertiser *Advertiser
	Listener   *Listener

	// What follows is of what is only.

	// NoIPv6 says that this kernel has no IPv6.
	NoIPv6 bool
	// Foreign is what we neither made nor may change.
	Foreign []Line
	// Devices are all devices of the host's own namespace, with the bridge that each is in, or "".
	Devices map[string]string
	// Plugged are the ports of br-int; nil when nobody has said.
	Plugged map[string]bool
	// Held is why machines are not put into their bridges yet, by bridge: br-int keeps and judges them.
	Held map[string]error
}

// Link is a device inside.
type Link struct {
	// Name is that of a device of ours, or lo.
	Name string
	MAC  string
	MTU  uint32 // bytes
	Up   bool
	// Offload: it leaves checksums of TCP and UDP to the other end. Over a userspace switch nobody would fill them in.
	Offload bool
	// Tap is the other end of a port's device; Tap.Name is empty for devices that are no ports.
	Tap TapEnd
	// Peer is the other end of a pair between two namespaces of ours.
	Peer Peer
	// Given: the other namespace's plan makes the pair.
	Given bool
	// For is the resource that wants it.
	For string
}

// TapEnd is the end of a port's pair that is in the host's own namespace, on br-int.
type TapEnd struct {
	Name   string
	PortID string
	MTU    uint32
	Up     bool
	// Plugged: br-int holds it, so it cannot be deleted yet. Of what is only.
	Plugged bool
}

// Peer is a device in another namespace.
type Peer struct{ Namespace, Name string }

// Address is an address of a device.
type Address struct {
	Dev    string
	Prefix netip.Prefix
	For    string
}

// Tables of routes.
const (
	// MainTable is consulted first, as for every Linux machine.
	MainTable    = 254
	localTable   = 255
	defaultTable = 253
	// FloatingTable is where traffic from a port with a floating IP on its own host goes (Neutron's FIP_RT_TBL).
	FloatingTable = 16
)

// TableRoute is a route of a routing table.
type TableRoute struct {
	Table       uint32
	Destination netip.Prefix
	// Hops are the ways there, of equal cost, sorted.
	Hops []Hop
	// Src is the source address that the kernel chose; of connected routes.
	Src netip.Addr
	// Connected: the kernel makes it with an address.
	Connected bool
	For       string
}

// Hop is one way of a route.
type Hop struct {
	// Via is the zero Addr when the destination is on the link itself.
	Via netip.Addr
	Dev string
	// OnLink: take it for granted that Via is on the link.
	OnLink bool
}

// Rule chooses a routing table.
type Rule struct {
	Priority uint32
	// IPv6: it is of that family.
	IPv6 bool
	// From is a source, kept as given: 10.0.1.1/24 says which gateway it is of. The zero Prefix is any.
	From netip.Prefix
	// IIF is the device that a packet came in by; "" is any.
	IIF   string
	Table uint32
	For   string
}

// kernelRules are the rules that the kernel begins with. Without them no route of a namespace is found.
var kernelRules = []Rule{
	{Priority: 0, Table: localTable}, {Priority: 32766, Table: MainTable}, {Priority: 32767, Table: defaultTable},
	{Priority: 0, Table: localTable, IPv6: true}, {Priority: 32766, Table: MainTable, IPv6: true},
}

// Ours says whether a rule looks like one that we make, or is one that the kernel begins with.
func (r Rule) Ours() bool {
	switch {
	case r.IIF != "":
		return strings.HasPrefix(r.IIF, devToRouter) && r.Priority == r.Table && !r.From.IsValid()
	case !r.From.IsValid():
		return slices.Contains(kernelRules, r)
	case r.Table == FloatingTable:
		return r.Priority >= firstFloatingRule && r.Priority <= lastFloatingRule
	}
	return r.Priority == r.Table && r.Priority >= firstFloatingRule
}

// Neighbour is a PERMANENT neighbour.
type Neighbour struct {
	Dev string
	IP  netip.Addr
	MAC string
	For string
}

// Ruleset is the iptables of one family: tables by name.
type Ruleset map[string]Table

// Table is a table of iptables.
type Table struct {
	// Builtin are the rules of builtin chains; of what must be, the jumps into ours.
	Builtin map[string][]string
	// Chains are ours, by name.
	Chains map[string]Chain
}

// Chain is a chain of ours. A rule is what iptables-save prints after "-A <chain> ".
type Chain struct {
	Rules []string
	// Ordered: the order of the rules says something. Of what must be only.
	Ordered bool
}
