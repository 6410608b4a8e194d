package plan

import (
	"net/netip"
)

// Resource is one resource of the node protocol that asks for something in namespaces, checked: a *Router, *Snat,
// *FipNamespace, *FloatingIP, *PortForwarding, *DHCP or *Endpoint. What Read gave is never changed, so two that are the
// same pointer are equal.
type Resource interface {
	// Resource is its name in the node protocol: router/<router id>, floatingip/<id> ….
	Resource() string
}

// Device is a port of ours in a namespace.
type Device struct {
	PortID    string
	NetworkID string
	// MAC is in lower case with colons.
	MAC string
	// MTU in bytes, 68..65535.
	MTU uint32
	// Addresses with the prefix length of their subnet, in the order given.
	Addresses []netip.Prefix
}

// Gateway is a router's way to an external network.
type Gateway struct {
	// Device is the qg-.
	Device
	// GatewayIPs are the next hops of the default routes: at most one of each family.
	GatewayIPs []netip.Addr
	EnableSNAT bool
}

// Router is what is wanted of a qrouter- namespace.
type Router struct {
	RouterID    string
	Distributed bool
	Interfaces  []RouterInterface
	// Gateway is a centralised router's; nil without.
	Gateway *Gateway
	// Routes are extra routes; several to one destination are one route of equal cost.
	Routes []Route
	// LinkLocal is the pair of addresses to the fip namespace; the zero Prefix without.
	LinkLocal netip.Prefix
	// FipNetworkID is the external network whose fip namespace is at the other end.
	FipNetworkID string
	Metadata     bool
}

// RouterInterface is a qr- device.
type RouterInterface struct {
	Device
	// SnatAddresses are the sg- addresses where traffic without a floating IP leaves to, on a distributed router.
	SnatAddresses []netip.Addr
	// Advertisement is what machines are told by router advertisements; nil: there are none.
	Advertisement *Advertisement
}

// Snat is what is wanted of a snat- namespace.
type Snat struct {
	RouterID   string
	Gateway    Gateway
	Interfaces []Device
	Routes     []Route
}

// FipNamespace is what is wanted of a fip- namespace.
type FipNamespace struct {
	NetworkID string
	// Device is the fg-.
	Device     Device
	GatewayIPs []netip.Addr
}

// Places where a floating IP or port forwarding is served.
const (
	// PlaceRouter is the qrouter namespace of a centralised router.
	PlaceRouter = "router"
	// PlaceFip is a fip namespace together with the qrouter namespace of a distributed router.
	PlaceFip = "fip"
	// PlaceSnat is the snat namespace of a distributed router.
	PlaceSnat = "snat"
)

// FloatingIP is a floating IP that this host serves.
type FloatingIP struct {
	ID       string
	RouterID string
	// Floating and Fixed are IPv4 addresses.
	Floating, Fixed netip.Addr
	Place           string
	// RulePriority is that of the rule to table 16, 32768..72767; 0 unless the place is fip.
	RulePriority uint32
	NetworkID    string
}

// PortForwarding is a port forwarding that this host serves.
type PortForwarding struct {
	ID       string
	RouterID string
	// Place is router or snat.
	Place    string
	Floating netip.Addr
	// Protocol is tcp or udp.
	Protocol string
	External PortRange
	Internal netip.Addr
	// InternalPorts is one port, or as many as External.
	InternalPorts PortRange
}

// PortRange is an inclusive range of TCP or UDP ports.
type PortRange struct{ First, Last uint16 }

// DHCP is what is wanted of a qdhcp- namespace.
type DHCP struct {
	NetworkID string
	// Device is the ns-.
	Device   Device
	Subnets  []ServerSubnet
	Domain   string
	Metadata bool
}

// Endpoint is a port that some namespace of this host must know.
type Endpoint struct {
	PortID, NetworkID string
	MAC               string
	Addresses         []SubnetAddress
	// Neighbour: a PERMANENT neighbour in the distributed routers of its network.
	Neighbour bool
	// DHCP: a host of the DHCP server of its network.
	DHCP bool
	// Metadata: may ask the metadata service; Caller is then set.
	Metadata bool
	// Hostname without domain; never empty when there is an address.
	Hostname string
	Options  []Option
	Caller   *Caller
}

// Resource is router/<router id>.
func (r *Router) Resource() string { return "router/" + r.RouterID }

// Resource is snat/<router id>.
func (s *Snat) Resource() string { return "snat/" + s.RouterID }

// Resource is fip/<external network id>.
func (f *FipNamespace) Resource() string { return "fip/" + f.NetworkID }

// Resource is floatingip/<id>.
func (f *FloatingIP) Resource() string { return "floatingip/" + f.ID }

// Resource is portforwarding/<id>.
func (p *PortForwarding) Resource() string { return "portforwarding/" + p.ID }

// Resource is dhcp/<network id>.
func (d *DHCP) Resource() string { return "dhcp/" + d.NetworkID }

// Resource is endpoint/<port id>.
func (e *Endpoint) Resource() string { return "endpoint/" + e.PortID }
