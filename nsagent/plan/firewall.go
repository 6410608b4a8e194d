package plan

import (
	"net/netip"
	"slices"
	"strings"
)

// PortFirewall is a firewall bridge that is wanted between a port and br-int.
type PortFirewall struct {
	PortID string
	// Interface is the port's on br-int: the machine's own device, or the bridge's qvo.
	Interface string
	// MAC is in lower case with colons.
	MAC       string
	NetworkID string
	// MTU in bytes.
	MTU uint32
	// VLAN is the zone in which br-int tracks the port's connections while it judges the port.
	VLAN    uint16
	Senders []Sender
	// GroupSet is the number of the set that the port is judged by; 0: nothing is allowed.
	GroupSet  uint32
	Stateless bool
	// Leaving: br-int is to judge the port when it knows the connections.
	Leaving bool
}

// Sender is an address, or a block of them, that a port may send from with a MAC.
type Sender struct {
	MAC    string
	Prefix netip.Prefix
}

// GroupSet is a set of security groups, with the rules of all of them.
type GroupSet struct {
	Number uint32
	Rules  []FirewallRule
}

// FirewallRule is a rule of a security group.
type FirewallRule struct {
	ID            string
	Ingress, IPv6 bool
	// Protocol is a number; nil: any.
	Protocol *uint8
	// Min and Max are ports, or type and code of ICMP.
	Min, Max *uint16
	// Prefix is where the other side is; the zero Prefix is anywhere.
	Prefix netip.Prefix
	// Group is the id of a RemoteGroup that the other side is of; empty: of none in particular.
	Group string
}

// RemoteGroup is a group that rules name.
type RemoteGroup struct{ ID string }

// RemoteAddress is an address or block of remote groups.
type RemoteAddress struct {
	Prefix netip.Prefix
	Groups []string
}

// Resource is firewall/<port id>.
func (f *PortFirewall) Resource() string { return "firewall/" + f.PortID }

// Resource is groupset/<number>.
func (g *GroupSet) Resource() string { return "groupset/" + number10(g.Number) }

// Resource is remotegroup/<group id>.
func (g *RemoteGroup) Resource() string { return "remotegroup/" + g.ID }

// Resource is remoteaddress/<address/length>.
func (a *RemoteAddress) Resource() string { return "remoteaddress/" + a.Prefix.String() }

// Home is the host's own network namespace, among the names of namespaces.
const Home = "host"

// Names of what is in the host's own namespace: the bridge, and the pair between it and br-int, as os-vif has them.
const (
	devBridge = "qbr"
	devInner  = "qvb"
	devOuter  = "qvo"
)

// BridgeOf is the name of a port's firewall bridge.
func BridgeOf(portID string) string { return portDevice(devBridge, portID) }

// InnerOf is the name of the end of a port's pair that is in the bridge.
func InnerOf(portID string) string { return portDevice(devInner, portID) }

// OuterOf is the name of the end of a port's pair that is on br-int.
func OuterOf(portID string) string { return portDevice(devOuter, portID) }

// InnerOfBridge is InnerOf for the name of a bridge.
func InnerOfBridge(bridge string) string { return devInner + strings.TrimPrefix(bridge, devBridge) }

// OuterOfBridge is OuterOf for the name of a bridge.
func OuterOfBridge(bridge string) string { return devOuter + strings.TrimPrefix(bridge, devBridge) }

// FirewallDevice says whether a device of the host's own namespace has a name of a firewall bridge or its pair.
func FirewallDevice(name string) bool {
	return len(name) == len(devBridge)+portPart &&
		slices.ContainsFunc([]string{devBridge, devInner, devOuter}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// macs are the port's own, and those of its senders, each once.
func (f *PortFirewall) macs() []string {
	out := []string{f.MAC}
	for _, s := range f.Senders {
		if !slices.Contains(out, s.MAC) {
			out = append(out, s.MAC)
		}
	}
	return out
}

// senders are those of a family; of IPv6 also the link-local address that belongs to each MAC (RFC 4291, appendix A).
func (f *PortFirewall) senders(ipv6 bool) []Sender {
	var out []Sender
	for _, s := range f.Senders {
		if s.Prefix.Addr().Is6() == ipv6 {
			out = append(out, s)
		}
	}
	if ipv6 {
		for _, mac := range f.macs() {
			if s := (Sender{mac, single(linkLocal(mac))}); !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// Bridge is a firewall bridge with its pair, as it must be or is.
type Bridge struct {
	// Name is qbr and the first 11 characters of the port's id.
	Name   string
	PortID string
	// MAC is the port's, for the switch.
	MAC string
	MTU uint32
	// Interface, VLAN and Senders are of what must be: see PortFirewall.
	Interface string
	VLAN      uint16
	Senders   []Sender
	// Zone is that of its connections; 0: it has none that are tracked.
	Zone uint16
	// Leaving: see PortFirewall.
	Leaving bool
	For     string

	// What follows is of what is only.

	// Ours: we made it. One that os-vif made is left as it is.
	Ours bool
	// Right: its settings and its pair are as they must be.
	Right bool
	// Taps are the devices in it, but for its own. Machine is the one that was put into it last.
	Taps    []string
	Machine string
	// Taught: br-int has been made to know its connections.
	Taught bool
}

// Set is a set of addresses and blocks of one family, sorted.
type Set struct {
	IPv6    bool
	Entries []netip.Prefix
}
