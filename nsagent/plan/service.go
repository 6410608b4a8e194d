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
