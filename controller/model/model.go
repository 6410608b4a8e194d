// Package model holds the objects that people and orchestrators ask for, and what hosts report, as plain values.
//
// Field names and meaning are Neutron's where Neutron has the field. The package has no I/O: Validate methods judge
// one object by itself; what needs other objects (a subnet that overlaps, an address that is taken) is the store's.
package model

import (
	"net/netip"
	"time"
)

// Meta is what every object carries.
type Meta struct {
	ID          string            `json:"id"`
	Name        string            `json:"name,omitempty"`
	ProjectID   string            `json:"project_id,omitempty"`
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Generation  int64             `json:"generation"`
	CreateTime  time.Time         `json:"create_time"`
	UpdateTime  time.Time         `json:"update_time"`

	// Revision is the store revision of the last change; the store fills it when it reads.
	Revision int64 `json:"-"`
}

// Network types.
const (
	VXLAN  = "vxlan"
	GRE    = "gre"
	Geneve = "geneve"
	VLAN   = "vlan"
	Flat   = "flat"
)

// NetworkTypes lists them all.
var NetworkTypes = []string{VXLAN, GRE, Geneve, VLAN, Flat}

// Limits of segment ids; the least is always 1.
const (
	// MaxVNI is the largest VXLAN or Geneve network identifier: 24 bits (RFC 7348 5, RFC 8926 3.4).
	MaxVNI = 1<<24 - 1
	// MaxGREKey is the largest GRE key: 32 bits (RFC 2890 2.1).
	MaxGREKey = 1<<32 - 1
	// MaxVLAN is the largest VLAN id; 4095 is reserved (IEEE 802.1Q 9.6).
	MaxVLAN = 4094
)

// Tunnelled says whether a network type is carried by tunnels between hosts.
func Tunnelled(networkType string) bool {
	return networkType == VXLAN || networkType == GRE || networkType == Geneve
}

// Network is a layer-2 segment.
type Network struct {
	Meta
	AdminStateUp bool `json:"admin_state_up"`
	// MTU in bytes; always computed by the time it is stored.
	MTU int `json:"mtu"`
	// Type is vxlan, gre, geneve, vlan or flat.
	Type            string `json:"provider_network_type"`
	PhysicalNetwork string `json:"provider_physical_network,omitempty"`
	// SegmentID is the tunnel key or VLAN id; 0 for flat.
	SegmentID    uint32 `json:"provider_segmentation_id,omitempty"`
	L2Population bool   `json:"l2_population"`
	// RouterExternal: routers may have their gateway here, and floating IPs come from here. Flat and vlan networks only.
	RouterExternal bool `json:"router_external,omitempty"`
	// PortSecurityEnabled is what new ports get that do not say.
	PortSecurityEnabled bool `json:"port_security_enabled,omitempty"`
	// QoSPolicyID is in force on ports that have none of their own.
	QoSPolicyID string `json:"qos_policy_id,omitempty"`
}

// Range is an inclusive range of addresses.
type Range struct {
	Start netip.Addr `json:"start"`
	End   netip.Addr `json:"end"`
}

// Subnet is an address block of a network.
type Subnet struct {
	Meta
	NetworkID string       `json:"network_id"`
	CIDR      netip.Prefix `json:"cidr"`
	// GatewayIP is the zero Addr when the subnet has none.
	GatewayIP       netip.Addr `json:"gateway_ip,omitzero"`
	AllocationPools []Range    `json:"allocation_pools"`
	EnableDHCP      bool       `json:"enable_dhcp"`
	// DNSNameservers are announced by DHCP; 0.0.0.0 alone announces none; empty announces the DHCP server itself.
	DNSNameservers []netip.Addr `json:"dns_nameservers,omitempty"`
	// HostRoutes are announced by DHCP; none for IPv6.
	HostRoutes []Route `json:"host_routes,omitempty"`
	// IPv6RAMode is what routers advertise on an IPv6 subnet, IPv6AddressMode how machines come to their addresses there: one of
	// the modes below, or "".
	IPv6RAMode      string `json:"ipv6_ra_mode,omitempty"`
	IPv6AddressMode string `json:"ipv6_address_mode,omitempty"`
}

// FixedIP is an address of a port.
type FixedIP struct {
	SubnetID string     `json:"subnet_id"`
	IP       netip.Addr `json:"ip_address"`
}

// MAC is an Ethernet address.
type MAC [6]byte

// Port is the connection of one virtual interface to a network.
type Port struct {
	Meta
	NetworkID    string    `json:"network_id"`
	MAC          MAC       `json:"mac_address"`
	FixedIPs     []FixedIP `json:"fixed_ips,omitempty"`
	DeviceID     string    `json:"device_id,omitempty"`
	DeviceOwner  string    `json:"device_owner,omitempty"`
	AdminStateUp bool      `json:"admin_state_up"`
	// BindingHostID is the host asked for; empty means any.
	BindingHostID       string        `json:"binding_host_id,omitempty"`
	AllowedAddressPairs []AddressPair `json:"allowed_address_pairs,omitempty"`
	ExtraDHCPOpts       []DHCPOption  `json:"extra_dhcp_opts,omitempty"`
	Instance            *Instance     `json:"instance,omitempty"`
	// PortSecurityEnabled: only what the security groups allow passes, and only from the port's own addresses.
	PortSecurityEnabled bool `json:"port_security_enabled,omitempty"`
	// SecurityGroups are ids, sorted.
	SecurityGroups []string `json:"security_groups,omitempty"`
	QoSPolicyID    string   `json:"qos_policy_id,omitempty"`
}

// Host roles.
const (
	RoleCompute = "compute"
	RoleNetwork = "network"
)

// Host is a machine with Open vSwitch and a node agent. Its ID is the hostname.
type Host struct {
	Meta
	// TunnelIP and BridgeMappings override what the agent reports when set.
	TunnelIP       netip.Addr        `json:"tunnel_ip,omitzero"`
	BridgeMappings map[string]string `json:"bridge_mappings,omitempty"`
	Roles          []string          `json:"roles,omitempty"`
	// DVRMAC is allocated once, from fa:16:3f:00:00:00.
	DVRMAC MAC `json:"dvr_mac_address"`
	// Number is allocated once, 1..65535, unique; datapath ids are made from it.
	Number uint16 `json:"number"`
	// Draining: nothing new is put on the host, and what can be elsewhere moves away.
	Draining bool `json:"draining,omitempty"`
	// FirewallDriver is openvswitch or iptables_hybrid; empty means openvswitch.
	FirewallDriver string `json:"firewall_driver,omitempty"`
}

// DatapathNetdev is the type of Open vSwitch's userspace datapath.
const DatapathNetdev = "netdev"

// HostFacts is what the agent of a host reported about the host as a whole.
type HostFacts struct {
	Host         string `json:"host"`
	BootID       string `json:"boot_id,omitempty"`
	AgentVersion string `json:"agent_version,omitempty"`
	OVSVersion   string `json:"ovs_version,omitempty"`
	// DatapathType is "system" or DatapathNetdev.
	DatapathType   string            `json:"datapath_type,omitempty"`
	TunnelIP       netip.Addr        `json:"tunnel_ip,omitzero"`
	BridgeMappings map[string]string `json:"bridge_mappings,omitempty"`
	Roles          []string          `json:"roles,omitempty"`
	// Ports of ours that carry no iface-id, by name: patch and tunnel ports with their OpenFlow port numbers.
	// Only ports that OVS could really add (ofport > 0) are in it.
	Ports map[string]uint32 `json:"ports,omitempty"`
}

// Interface is a fact: an interface on br-int of a host which carries an iface-id or attached-mac.
type Interface struct {
	Host        string `json:"host"`
	Name        string `json:"name"`
	OFPort      uint32 `json:"ofport"`
	IfaceID     string `json:"iface_id,omitempty"`
	AttachedMAC string `json:"attached_mac,omitempty"`
	// Firewalled: a firewall bridge before it judges what passes.
	Firewalled bool `json:"firewalled,omitempty"`
	// Seen orders interfaces by their appearance: the store revision on which the report rested that first showed the
	// interface with this iface-id and attached-mac.
	Seen int64 `json:"seen"`
}

// Ways in which an interface is recognised.
const (
	BoundByIfaceID = "iface-id"
	BoundByMAC     = "attached-mac"
)

// Binding is the allocation that ties a port to an interface of a host. The store decides it in the same transaction
// that changed the port or reported the interface.
type Binding struct {
	PortID    string `json:"port_id"`
	NetworkID string `json:"network_id"`
	Host      string `json:"host"`
	Interface string `json:"interface"`
	OFPort    uint32 `json:"ofport"`
	BoundBy   string `json:"bound_by"`
	// Firewalled is the interface's.
	Firewalled bool `json:"firewalled,omitempty"`
}

// LocalVLAN is the allocation of a VLAN tag (1..4094) that stands for a network in br-int of one host. It exists as
// long as a port of the network is bound to the host, or a distributed router with an interface on it is there.
type LocalVLAN struct {
	Host      string `json:"host"`
	NetworkID string `json:"network_id"`
	VLAN      uint16 `json:"vlan"`
}

// Port states.
const (
	PortActive = "ACTIVE"
	PortBuild  = "BUILD"
	PortDown   = "DOWN"
	PortError  = "ERROR"
)

// PortState is what the hosts acknowledged about a port. Absent means DOWN.
type PortState struct {
	PortID string `json:"port_id"`
	// Status is ACTIVE, BUILD or ERROR.
	Status string `json:"status"`
	Host   string `json:"host,omitempty"`
	// Reason and Message say why, for ERROR.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Revision is the store revision whose flows were all in the switches when Status was written.
	Revision int64 `json:"revision,omitempty"`
	// Since is when Status last changed.
	Since time.Time `json:"since"`
}
