package view

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Domain is that of the names that DHCP gives out.
const Domain = "weft.internal"

// DHCP is the namespace qdhcp- of a network on a host.
type DHCP struct {
	Device
	// Subnets are those with enable_dhcp, in order of id.
	Subnets []DHCPSubnet
	Domain  string
	// Metadata says that the namespace serves 169.254.169.254: some subnet has no router that does.
	Metadata bool
}

// DHCPSubnet is a subnet whose ports are served.
type DHCPSubnet struct {
	ID   string
	CIDR netip.Prefix
	// GatewayIP is the zero Addr for a subnet without, and for IPv6, where routers tell of themselves.
	GatewayIP      netip.Addr
	DNSNameservers []netip.Addr
	HostRoutes     []model.Route
	// MetadataVia is the next hop to 169.254.169.254: the gateway where a router is that gateway, else the DHCP port's own
	// address; the zero Addr when it has none on the subnet.
	MetadataVia netip.Addr
	// DHCPAddresses are those of all DHCP ports of the network on the subnet, sorted.
	DHCPAddresses []netip.Addr
	// Stateless: machines of the IPv6 subnet make their addresses themselves.
	Stateless bool
}

// dhcpPort is the port of a network's DHCP namespace on a host, or nil. The cost is the number of hosts that have one.
func dhcpPort(s state.Snapshot, host, network string) *model.Port {
	for p := range s.PortsOwned(network, model.OwnerDHCP) {
		if p.BindingHostID == host {
			return p
		}
	}
	return nil
}

func dhcp(s state.Snapshot, h Host, network string) *DHCP {
	p := dhcpPort(s, h.Name, network)
	if p == nil {
		return nil
	}
	out := &DHCP{Device: device(s, p), Domain: Domain}
	for sub := range s.SubnetsOf(network) {
		if !sub.EnableDHCP {
			continue
		}
		d := DHCPSubnet{ID: sub.ID, CIDR: sub.CIDR, DNSNameservers: sub.DNSNameservers}
		if sub.CIDR.Addr().Is6() {
			d.Stateless = sub.SelfMade()
		} else if d.GatewayIP, d.HostRoutes = sub.GatewayIP, sub.HostRoutes; routerAtGateway(s, sub) {
			d.MetadataVia = sub.GatewayIP
		} else if i := slices.IndexFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.SubnetID == sub.ID }); i >= 0 {
			d.MetadataVia, out.Metadata = p.FixedIPs[i].IP, true
		}
		for q := range s.PortsOwned(network, model.OwnerDHCP) {
			for _, f := range q.FixedIPs {
				if f.SubnetID == sub.ID {
					d.DHCPAddresses = append(d.DHCPAddresses, f.IP)
				}
			}
		}
		slices.SortFunc(d.DHCPAddresses, netip.Addr.Compare)
		out.Subnets = append(out.Subnets, d)
	}
	return out
}

// routerAtGateway says whether a router that is up has the subnet's gateway_ip.
func routerAtGateway(s state.Snapshot, sub *model.Subnet) bool {
	if !sub.GatewayIP.IsValid() {
		return false
	}
	for p := range s.PortsByIP(sub.NetworkID, sub.GatewayIP) {
		if p.DeviceOwner != model.OwnerDistributedInterface && p.DeviceOwner != model.OwnerRouterInterface {
			continue
		}
		r := s.Router(p.DeviceID)
		if r == nil || !r.AdminStateUp {
			continue
		}
		if slices.Contains(interfacePorts(s, r, interfaceOwner(r)), p) {
			return true
		}
	}
	return false
}

// interfaceOwner is the device owner of a router's ports on subnets.
func interfaceOwner(r *model.Router) string {
	if r.Distributed {
		return model.OwnerDistributedInterface
	}
	return model.OwnerRouterInterface
}
