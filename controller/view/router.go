package view

import (
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Device is one end of a veth pair inside a namespace; the other is TapName(PortID) on br-int.
type Device struct {
	PortID    string
	NetworkID string
	MAC       model.MAC
	// Addresses have the prefix length of their subnet.
	Addresses []netip.Prefix
	// MTU in bytes.
	MTU int
}

// ExternalGateway is a router's way to an external network.
type ExternalGateway struct {
	Device
	// GatewayIPs are those of the device's subnets: at most one IPv4 and one IPv6 address, in this order.
	GatewayIPs []netip.Addr
	EnableSNAT bool
}

// RouterInterface is a router's device on a subnet.
type RouterInterface struct {
	Device
	// SNATAddresses lead out of a distributed router: the addresses of its snat namespace on the device's subnets.
	SNATAddresses []netip.Addr
	// Advertisement is what machines are told; nil when no subnet of the device has an ipv6_ra_mode.
	Advertisement *Advertisement
}

// Advertisement is a router advertisement (RFC 4861, section 4.2).
type Advertisement struct {
	// DefaultRouter: the router has the gateway_ip of one of the subnets.
	DefaultRouter bool
	// Managed and OtherConfig are the flags M and O.
	Managed, OtherConfig bool
	Prefixes             []AdvertisedPrefix
	// DNSNameservers are those of the subnets, each once.
	DNSNameservers []netip.Addr
}

// AdvertisedPrefix is a subnet of which machines make themselves an address, if it is Autonomous.
type AdvertisedPrefix struct {
	CIDR       netip.Prefix
	Autonomous bool
}

// Router is the namespace qrouter- of a router on a host: a copy of a distributed one, or the whole of a centralised one.
type Router struct {
	ID          string
	Distributed bool
	Interfaces  []RouterInterface
	// Gateway is nil for a router without, and for a distributed one.
	Gateway *ExternalGateway
	Routes  []model.Route
	// LinkLocal is the pair of addresses to the fip namespace of FIPNetworkID, the even one inside qrouter, as long as this
	// host serves a floating IP of the router there; else the zero Prefix.
	LinkLocal    netip.Prefix
	FIPNetworkID string
	// Metadata says that the namespace serves 169.254.169.254.
	Metadata bool
}

// SNAT is the namespace snat-: the centralised part of a distributed router with a gateway.
type SNAT struct {
	RouterID   string
	Gateway    ExternalGateway
	Interfaces []Device
	Routes     []model.Route
}

// linkLocals begins the block that the pairs of addresses between qrouter and fip namespaces are taken from
// (169.254.64.0/18, as in Neutron; RFC 3927).
var linkLocals = netip.AddrFrom4([4]byte{169, 254, 64, 0})

// linkLocal is the pair with a number, 0..8191.
func linkLocal(number uint16) netip.Prefix {
	b := linkLocals.As4()
	n := uint16(b[2])<<8 | uint16(b[3])
	n += 2 * number
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{b[0], b[1], byte(n >> 8), byte(n)}), 31)
}

// routerResource is what a host has of a router in qrouter-; nil when nothing.
func routerResource(s state.Snapshot, h Host, id string) *Router {
	r := s.Router(id)
	if r == nil || !r.AdminStateUp {
		return nil
	}
	out := &Router{ID: id, Distributed: r.Distributed, Routes: r.Routes}
	if r.Distributed {
		at := s.RouterHost(id, h.Name)
		if at == nil {
			return nil
		}
		for _, p := range distributedPorts(s, r) {
			out.Interfaces = append(out.Interfaces, RouterInterface{Device: device(s, p), SNATAddresses: snatAddresses(s, r, p), Advertisement: advertisement(s, p)})
		}
		if servesFIP(s, r, h.Name) {
			out.LinkLocal, out.FIPNetworkID = linkLocal(at.LinkLocal), r.Gateway.NetworkID
		}
	} else {
		if at := s.Schedule(id); at == nil || !at.On(h.Name) {
			return nil
		}
		for _, p := range interfacePorts(s, r, model.OwnerRouterInterface) {
			out.Interfaces = append(out.Interfaces, RouterInterface{Device: device(s, p), Advertisement: advertisement(s, p)})
		}
		out.Gateway = externalGateway(s, r)
	}
	out.Metadata = slices.ContainsFunc(out.Interfaces, func(i RouterInterface) bool { return i.hasIPv4() })
	return out
}

// advertisement is what a router tells machines on the subnets of one of its ports; nil when nothing.
func advertisement(s state.Snapshot, p *model.Port) *Advertisement {
	var out Advertisement
	for _, f := range p.FixedIPs {
		sub := subnetOf(s, p, f)
		if sub == nil || sub.IPv6RAMode == "" {
			continue
		}
		stateful := sub.IPv6RAMode == model.DHCPv6Stateful
		out.Prefixes = append(out.Prefixes, AdvertisedPrefix{CIDR: sub.CIDR, Autonomous: !stateful})
		out.DefaultRouter = out.DefaultRouter || sub.GatewayIP == f.IP
		out.Managed = out.Managed || stateful
		out.OtherConfig = out.OtherConfig || sub.IPv6RAMode != model.SLAAC
		for _, a := range sub.DNSNameservers {
			if !slices.Contains(out.DNSNameservers, a) {
				out.DNSNameservers = append(out.DNSNameservers, a)
			}
		}
	}
	if len(out.Prefixes) == 0 {
		return nil
	}
	return &out
}

func (d Device) hasIPv4() bool {
	return slices.ContainsFunc(d.Addresses, func(a netip.Prefix) bool { return a.Addr().Is4() })
}

// snatResource is the snat namespace of a router on a host; nil when it is not there.
func snatResource(s state.Snapshot, h Host, id string) *SNAT {
	r, at := s.Router(id), s.Schedule(id)
	if r == nil || !r.AdminStateUp || !r.Distributed || at == nil || !at.On(h.Name) {
		return nil
	}
	gw := externalGateway(s, r)
	if gw == nil {
		return nil
	}
	out := &SNAT{RouterID: id, Gateway: *gw, Routes: r.Routes}
	for _, p := range snatPorts(s, id) {
		out.Interfaces = append(out.Interfaces, device(s, p))
	}
	return out
}

// snatPorts are the ports of a router's snat namespace on its subnets.
func snatPorts(s state.Snapshot, router string) []*model.Port {
	var ports []*model.Port
	for p := range s.PortsOfDevice(router) {
		if p.DeviceOwner == model.OwnerCentralizedSNAT {
			ports = append(ports, p)
		}
	}
	return ports
}

// snatAddresses are the addresses of a router's snat namespace on the subnets of one of its ports.
func snatAddresses(s state.Snapshot, r *model.Router, p *model.Port) []netip.Addr {
	if r.Gateway == nil {
		return nil
	}
	var out []netip.Addr
	sgs := snatPorts(s, r.ID)
	for _, f := range p.FixedIPs {
		for _, sg := range sgs {
			for _, g := range sg.FixedIPs {
				if g.SubnetID == f.SubnetID && g.IP.Is4() == f.IP.Is4() && !slices.Contains(out, g.IP) {
					out = append(out, g.IP)
				}
			}
		}
	}
	return out
}

// servesFIP says whether a host serves a floating IP of a distributed router in its fip namespace. The cost is the number
// of the router's floating IPs that are elsewhere, on a host that has such a namespace.
func servesFIP(s state.Snapshot, r *model.Router, host string) bool {
	if r.Gateway == nil || fipGateway(s, host, r.Gateway.NetworkID) == nil {
		return false
	}
	for f := range s.FloatingIPsOfRouter(r.ID) {
		if at, ok := FloatingIPPlace(s, f); ok && at == (Place{Host: host, In: PlaceFIP}) {
			return true
		}
	}
	return false
}

// externalGateway is a router's way out, or nil when it has none or its port is missing.
func externalGateway(s state.Snapshot, r *model.Router) *ExternalGateway {
	if r.Gateway == nil {
		return nil
	}
	p := s.Port(r.Gateway.PortID)
	if p == nil || p.DeviceOwner != model.OwnerRouterGateway || p.DeviceID != r.ID {
		return nil
	}
	return &ExternalGateway{Device: device(s, p), GatewayIPs: gatewayIPs(s, p), EnableSNAT: r.Gateway.EnableSNAT}
}

// gatewayIPs are the gateway_ip of the first IPv4 and of the first IPv6 subnet of a port that has one.
func gatewayIPs(s state.Snapshot, p *model.Port) []netip.Addr {
	var out []netip.Addr
	for _, ipv6 := range []bool{false, true} {
		for _, f := range p.FixedIPs {
			sub := subnetOf(s, p, f)
			if sub != nil && sub.GatewayIP.IsValid() && sub.GatewayIP.Is6() == ipv6 && sub.GatewayIP != f.IP {
				out = append(out, sub.GatewayIP)
				break
			}
		}
	}
	return out
}

// device is a port as a namespace has it. An address whose subnet is missing is left out.
func device(s state.Snapshot, p *model.Port) Device {
	d := Device{PortID: p.ID, NetworkID: p.NetworkID, MAC: p.MAC}
	if n := s.Network(p.NetworkID); n != nil {
		d.MTU = n.MTU
	}
	for _, f := range p.FixedIPs {
		if sub := subnetOf(s, p, f); sub != nil && sub.CIDR.Addr().Is4() == f.IP.Is4() {
			d.Addresses = append(d.Addresses, netip.PrefixFrom(f.IP, sub.CIDR.Bits()))
		}
	}
	return d
}

// subnetOf is the subnet of an address of a port; nil when it is not there, or not the network's.
func subnetOf(s state.Snapshot, p *model.Port, f model.FixedIP) *model.Subnet {
	if sub := s.Subnet(f.SubnetID); sub != nil && sub.NetworkID == p.NetworkID {
		return sub
	}
	return nil
}
