package model

import (
	"net/netip"
	"slices"
	"time"
)

// Device owners of the ports that Weft makes itself. The names are Neutron's.
const (
	// OwnerRouterInterface is a port of a centralised router on a subnet.
	OwnerRouterInterface = "network:router_interface"
	// OwnerDistributedInterface is a port of a distributed router on a subnet: it is on many hosts at once, and bound to none.
	OwnerDistributedInterface = "network:router_interface_distributed"
	// OwnerRouterGateway is a router's port on its external network.
	OwnerRouterGateway = "network:router_gateway"
	// OwnerCentralizedSNAT is the port of a distributed router's snat namespace on a subnet.
	OwnerCentralizedSNAT = "network:router_centralized_snat"
	// OwnerFloatingIP is a port that keeps the address of a floating IP; its device is the floating IP. Nothing is plugged.
	OwnerFloatingIP = "network:floatingip"
	// OwnerFIPGateway is the port of a host's fip namespace on an external network; its device is the host.
	OwnerFIPGateway = "network:floatingip_agent_gateway"
	// OwnerDHCP is the port of a network's DHCP namespace on a host; its device is the network.
	OwnerDHCP = "network:dhcp"
)

// OwnedByWeft says whether a port of that device owner is made and removed by Weft alone.
func OwnedByWeft(deviceOwner string) bool {
	switch deviceOwner {
	case OwnerRouterInterface, OwnerDistributedInterface, OwnerRouterGateway, OwnerCentralizedSNAT, OwnerFloatingIP, OwnerFIPGateway, OwnerDHCP:
		return true
	}
	return false
}

// NeedsRouter says whether a distributed router must be on the host where a port of its networks with that device owner is
// bound: what is behind the port sends to the router. That is a machine, a DHCP server, which answers for its network, and
// a centralised router, which may have the distributed one as next hop.
func NeedsRouter(deviceOwner string) bool {
	return !OwnedByWeft(deviceOwner) || deviceOwner == OwnerDHCP || deviceOwner == OwnerRouterInterface
}

// Route leads to a block of addresses by a next hop.
type Route struct {
	Destination netip.Prefix `json:"destination"`
	NextHop     netip.Addr   `json:"nexthop"`
}

// AddressPair is an address that a port may use besides its own.
type AddressPair struct {
	// IP is one address (/32 or /128) or a block.
	IP netip.Prefix `json:"ip_address"`
	// MAC is the port's own when it is zero.
	MAC MAC `json:"mac_address,omitzero"`
}

// DHCPOption is an option that a port gets besides those of its subnets.
type DHCPOption struct {
	// Name is dnsmasq's name of the option, or its number.
	Name  string `json:"opt_name"`
	Value string `json:"opt_value"`
	// IPVersion is 4.
	IPVersion int `json:"ip_version"`
}

// Instance is what the metadata service tells the machine behind a port, when no Nova is asked.
type Instance struct {
	// Hostname; empty: made from the first address, host-10-0-1-5.
	Hostname string `json:"hostname,omitempty"`
	// UserData is given out as it is, at most 64 KiB.
	UserData []byte `json:"user_data,omitempty"`
	// PublicKeys are SSH keys by name.
	PublicKeys map[string]string `json:"public_keys,omitempty"`
	// Meta are free keys and values.
	Meta map[string]string `json:"meta,omitempty"`
}

// Router forwards between subnets and, with a gateway, to an external network.
type Router struct {
	Meta
	AdminStateUp bool `json:"admin_state_up"`
	// Distributed: on every host that needs it (DVR). Else centralised: on one network host.
	Distributed bool `json:"distributed"`
	// Gateway is nil for a router without.
	Gateway *ExternalGateway `json:"external_gateway_info,omitempty"`
	// Interfaces are the router's ports on subnets, in the order in which they were added.
	Interfaces []RouterInterface `json:"interfaces,omitempty"`
	Routes     []Route           `json:"routes,omitempty"`
}

// ExternalGateway is a router's way to an external network.
type ExternalGateway struct {
	NetworkID  string `json:"network_id"`
	EnableSNAT bool   `json:"enable_snat"`
	// FixedIPs are the addresses of the gateway port; chosen when none is asked for, and always filled in once stored.
	FixedIPs []FixedIP `json:"external_fixed_ips"`
	// PortID is the gateway port; the store fills it in.
	PortID string `json:"port_id"`
}

// RouterInterface is a router's port on a subnet.
type RouterInterface struct {
	// SubnetID is asked for, or that of the port's first address. Without a port the interface gets the subnet's gateway_ip.
	SubnetID string `json:"subnet_id"`
	// PortID is asked for (a port that belongs to nothing yet) or made by the store.
	PortID string `json:"port_id"`
}

// FloatingIP is an external address that stands for an address of a port.
type FloatingIP struct {
	Meta
	FloatingNetworkID string `json:"floating_network_id"`
	// SubnetID chooses the subnet of the external network; empty: any.
	SubnetID string     `json:"subnet_id,omitempty"`
	Address  netip.Addr `json:"floating_ip_address"`
	// PortID is empty for one that is not associated.
	PortID string `json:"port_id,omitempty"`
	// FixedIP is the port's address that is meant; filled in when the port has one IPv4 address.
	FixedIP netip.Addr `json:"fixed_ip_address,omitzero"`
	// RouterID is the router between; the store fills it in, also for port forwardings.
	RouterID string `json:"router_id,omitempty"`
	// RulePriority is the priority of its rule in the qrouter namespace, 32768..72767, unique within the router; 0 while it
	// is not associated.
	RulePriority uint32 `json:"rule_priority,omitempty"`
}

// PortRange is an inclusive range of TCP or UDP ports.
type PortRange struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

// PortForwarding leads ports of a floating IP to ports of a VM.
type PortForwarding struct {
	Meta
	FloatingIPID string `json:"floatingip_id"`
	// Protocol is tcp or udp.
	Protocol string    `json:"protocol"`
	External PortRange `json:"external_port_range"`
	// InternalPortID is the port (of a network) of the VM.
	InternalPortID string     `json:"internal_port_id"`
	InternalIP     netip.Addr `json:"internal_ip_address"`
	// Internal is one port, or a range as long as External.
	Internal PortRange `json:"internal_port_range"`
}

// MaxLinkLocals is how many pairs of addresses a host has between its qrouter and fip namespaces: those of 169.254.64.0/18.
const MaxLinkLocals = 8192

// RouterHost is the allocation that puts a distributed router on a host: while a port that needs it is bound there, or
// its centralised part is.
type RouterHost struct {
	RouterID string `json:"router_id"`
	Host     string `json:"host"`
	// LinkLocal numbers the pair of addresses between the qrouter and the fip namespace, 0..8191, unique on the host:
	// 169.254.64.0/31 and up (RFC 3927), the even address inside qrouter.
	LinkLocal uint16 `json:"link_local"`
}

// Schedule is the allocation that puts the centralised part of a router (a centralised router, or the snat namespace of a
// distributed one) on a network host.
type Schedule struct {
	RouterID string `json:"router_id"`
	Host     string `json:"host"`
	// Next is the host that it moves to as soon as its namespaces are made there; empty when it stays.
	Next string `json:"next,omitempty"`
	// Reason says why there: "least loaded of 2 network hosts", "moved: network1 is down".
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// Hosts are those that have the namespaces.
func (s *Schedule) Hosts() []string {
	if s.Next == "" || s.Next == s.Host {
		return []string{s.Host}
	}
	return []string{s.Host, s.Next}
}

// On says whether a host has the namespaces.
func (s *Schedule) On(host string) bool { return slices.Contains(s.Hosts(), host) }

// SwitchFacts is what a host's switch, asked by a controller, cannot do. Absent means that it can do all, or has not been asked.
type SwitchFacts struct {
	Host string `json:"host"`
	// MeterKbps and MeterPktps say whether it can limit bits and packets.
	MeterKbps  bool `json:"meter_kbps,omitempty"`
	MeterPktps bool `json:"meter_pktps,omitempty"`
	// Reason is what it said.
	Reason string `json:"reason,omitempty"`
}

// HostHealth is what the controllers found out about a host's life. Absent means alive.
type HostHealth struct {
	Host string `json:"host"`
	// Down: neither the agent nor a switch of the host has spoken for so long that the rest of the health timeout is for the move.
	Down  bool      `json:"down"`
	Since time.Time `json:"since"`
}
