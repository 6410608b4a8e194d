package report

import "net/netip"

// TraceQuestion is a packet that comes into a bridge, of which nobody but the switch's tables hears.
type TraceQuestion struct {
	Bridge string
	// InPort is the name of the bridge's port that the packet comes in by. Empty: only the ports are asked for.
	InPort         string
	EthSrc, EthDst string
	// VLAN is 0 for a packet without a tag.
	VLAN          uint16
	Src, Dst      netip.Addr
	Protocol, TTL uint8
	// SrcPort and DstPort are those of TCP, UDP and SCTP; of ICMP and ICMPv6 type and code.
	SrcPort, DstPort uint16
	// Tunnel is nil unless the packet comes by one.
	Tunnel *Encapsulation
}

// Encapsulation is how a packet was carried by a tunnel.
type Encapsulation struct {
	Key      uint64
	Src, Dst netip.Addr
}

// TraceAnswer is what ovs-vswitchd says.
type TraceAnswer struct {
	// Text is what ofproto/trace prints, Ports what dpif/show prints.
	Text, Ports string
}

// RouteQuestion is a packet that comes into a namespace by a device.
type RouteQuestion struct {
	Namespace, Device string
	Src, Dst          netip.Addr
}

// What a kernel does with a packet.
const (
	RouteForward = "forward"
	RouteLocal   = "local"
	RouteDrop    = "drop"
)

// RouteAnswer is what the kernel does with a packet.
type RouteAnswer struct {
	// Kind is RouteForward, RouteLocal (it is for the namespace itself) or RouteDrop.
	Kind string
	// Message says why it is dropped.
	Message string
	// Device is what it leaves by, Via the next hop, and Neighbour the next hop's MAC as far as the kernel knows it.
	Device, DeviceMAC string
	Via               netip.Addr
	Neighbour         string
	// NeighbourState is as "ip neigh" prints it; NONE: there is no entry.
	NeighbourState string
	Table          uint32
}
