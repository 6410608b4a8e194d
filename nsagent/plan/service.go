package plan

import "net/netip"

// Server is the dnsmasq of a network.
type Server struct {
	NetworkID string
	// Namespace is qdhcp-<network id>.
	Namespace string
	// Device is the interface it serves: ns-….
	Device string
	// Domain of the names.
	Domain string
	// MTU in bytes (option 26).
	MTU     uint32
	Subnets []ServerSubnet
	// Hosts are the ports that are served, by MAC; nobody else is. Sorted by port id.
	Hosts []ServerHost
}

// ServerSubnet is a subnet whose ports are served: by DHCP when it is IPv4, else by DHCPv6.
type ServerSubnet struct {
	ID   string
	CIDR netip.Prefix
	// Stateless says that machines have their addresses by other means and ask for the rest only; IPv6 only (RFC 8415, section 6.1).
	Stateless bool
	// Gateway is the zero Addr for a subnet without, and for IPv6.
	Gateway netip.Addr
	// DNS are announced; none when NoDNS, else, when empty, the DHCP servers' own addresses stand in it already.
	DNS   []netip.Addr
	NoDNS bool
	// Routes are announced (options 121 and 249), besides the default route and that to the metadata service. IPv4 only.
	Routes []Route
	// MetadataVia is the next hop of 169.254.169.254/32; the zero Addr announces none.
	MetadataVia netip.Addr
}

// ServerHost is a port that is served.
type ServerHost struct {
	PortID string
	MAC    string
	// Hostname without domain; never empty.
	Hostname string
	// Addresses are those of served subnets, with the subnet that each is of; of one subnet dnsmasq gives out one.
	Addresses []SubnetAddress
	Options   []Option
}

// SubnetAddress is an address and the subnet that it is of.
type SubnetAddress struct {
	SubnetID string
	IP       netip.Addr
}

// Option is an extra DHCP option: dnsmasq's name or number, and the value as dnsmasq takes it.
type Option struct{ Name, Value string }

// Route leads to a block by next hops; several are of equal cost.
type Route struct {
	Destination netip.Prefix
	NextHop     netip.Addr
}

// Advertiser is the radvd of a router's namespace.
type Advertiser struct {
	RouterID string
	// Namespace is qrouter-<router id>.
	Namespace string
	// Devices are those that it sends advertisements on, sorted by name; never empty.
	Devices []AdvertisingDevice
}

// AdvertisingDevice is a device of a router with what it tells machines there.
type AdvertisingDevice struct {
	// Name is qr-….
	Name string
	// MTU in bytes, at least 1280.
	MTU uint32
	Advertisement
}

// Advertisement is what a router tells machines on a device (RFC 4861, section 4.2).
type Advertisement struct {
	// DefaultRouter: machines may take it as their default router; else its lifetime is 0.
	DefaultRouter bool
	// Managed and OtherConfig: addresses, or only the rest, come by DHCPv6 (flags M and O).
	Managed, OtherConfig bool
	// Prefixes are subnets of the device, in the order given; never empty.
	Prefixes []AdvertisedPrefix
	// DNS are IPv6 name servers (RFC 8106), in the order given; at most 16.
	DNS []netip.Addr
}

// AdvertisedPrefix is a subnet that is on-link. Autonomous: machines make themselves an address of it (RFC 4862); it has 64 bits then.
type AdvertisedPrefix struct {
	Prefix     netip.Prefix
	Autonomous bool
}

// Listener is the metadata service inside a namespace.
type Listener struct {
	Namespace string
	// Addr is where it listens there: ":9697" behind a REDIRECT, or "169.254.169.254:80".
	Addr string
	// RouterID or NetworkID: whose namespace it is. The other is empty.
	RouterID, NetworkID string
	// Callers are the ports that may ask, by their address.
	Callers map[netip.Addr]*Caller
}

// Caller is a port as the metadata service knows it.
type Caller struct {
	PortID    string
	NetworkID string
	ProjectID string
	// InstanceID is the port's device_id, or the port's id when it has none.
	InstanceID string
	Hostname   string
	MAC        string
	Addresses  []netip.Addr
	UserData   []byte
	PublicKeys map[string]string
	Meta       map[string]string
}
