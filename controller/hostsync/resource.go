package hostsync

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// spell spells a part's resources as the node protocol does.
func (a *agent) spell(res view.Resources) []*nodev1.Resource {
	h := a.host
	var out []*nodev1.Resource
	for _, b := range res.Bridges {
		out = append(out, &nodev1.Resource{Name: "bridge/" + b.Name, Spec: &nodev1.Resource_Bridge{Bridge: &nodev1.Bridge{
			Name: b.Name, DatapathId: fmt.Sprintf("%016x", b.DatapathID), Role: b.Role, Controllers: h.fleet.cfg.Controllers}}})
	}
	for _, t := range res.Tunnels {
		name := tunnelName(t)
		a.remotes[name] = t.Remote
		out = append(out, &nodev1.Resource{Name: name, Spec: &nodev1.Resource_Tunnel{Tunnel: &nodev1.Tunnel{
			Name: t.Name, Type: t.Type, LocalIp: t.LocalIP.String(), RemoteIp: t.RemoteIP.String()}}})
	}
	for _, b := range res.Ports {
		out = append(out, &nodev1.Resource{Name: "port/" + b.PortID, Spec: &nodev1.Resource_Port{Port: &nodev1.PortBinding{
			PortId: b.PortID, Interface: b.Interface, Vlan: uint32(b.VLAN), MacAddress: b.MAC.String(), NetworkId: b.NetworkID,
			InstalledRevision: installed(h.snap, b.PortID, h.name)}}})
	}
	out = append(out, namespaces(res)...)
	out = append(out, firewalls(res)...)
	for _, r := range out {
		r.Version = version(r)
	}
	return out
}

func tunnelName(t view.Tunnel) string { return "tunnel/" + t.Name }

// installed is the revision whose flows are in the switches, for a port that is ACTIVE here; else 0.
func installed(s state.Snapshot, port, host string) int64 {
	if st := s.PortState(port); st != nil && st.Status == model.PortActive && st.Host == host {
		return st.Revision
	}
	return 0
}

// version is a digest of a resource: equal for equal content, whichever controller made it.
func version(r *nodev1.Resource) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		// Only a string that is not UTF-8 can fail, and the API lets none in.
		return err.Error()
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// namespaces are the resources that namespaces are made of.
func namespaces(res view.Resources) []*nodev1.Resource {
	var out []*nodev1.Resource
	for _, r := range res.Routers {
		out = append(out, &nodev1.Resource{Name: "router/" + r.ID, Spec: &nodev1.Resource_Router{Router: router(r)}})
	}
	for _, r := range res.SNATs {
		s := &nodev1.Snat{RouterId: r.RouterID, Gateway: gateway(&r.Gateway), Routes: routes(r.Routes)}
		for _, d := range r.Interfaces {
			s.Interfaces = append(s.Interfaces, device(d))
		}
		out = append(out, &nodev1.Resource{Name: "snat/" + r.RouterID, Spec: &nodev1.Resource_Snat{Snat: s}})
	}
	for _, f := range res.FIPNamespaces {
		out = append(out, &nodev1.Resource{Name: "fip/" + f.NetworkID, Spec: &nodev1.Resource_FipNamespace{FipNamespace: &nodev1.FipNamespace{
			NetworkId: f.NetworkID, Device: device(f.Device), GatewayIps: texts(f.GatewayIPs)}}})
	}
	for _, f := range res.FloatingIPs {
		out = append(out, &nodev1.Resource{Name: "floatingip/" + f.ID, Spec: &nodev1.Resource_FloatingIp{FloatingIp: &nodev1.FloatingIp{
			Id: f.ID, RouterId: f.RouterID, FloatingIpAddress: text(f.Address), FixedIpAddress: text(f.FixedIP), Place: f.In,
			RulePriority: f.RulePriority, NetworkId: f.NetworkID}}})
	}
	for _, f := range res.PortForwardings {
		out = append(out, &nodev1.Resource{Name: "portforwarding/" + f.ID, Spec: &nodev1.Resource_PortForwarding{PortForwarding: &nodev1.PortForwarding{
			Id: f.ID, RouterId: f.RouterID, Place: f.In, FloatingIpAddress: text(f.Address), Protocol: f.Protocol,
			ExternalFirst: uint32(f.External.First), ExternalLast: uint32(f.External.Last), InternalIpAddress: text(f.InternalIP),
			InternalFirst: uint32(f.Internal.First), InternalLast: uint32(f.Internal.Last)}}})
	}
	for _, d := range res.DHCPs {
		out = append(out, &nodev1.Resource{Name: "dhcp/" + d.NetworkID, Spec: &nodev1.Resource_Dhcp{Dhcp: dhcp(d)}})
	}
	for _, e := range res.Endpoints {
		out = append(out, &nodev1.Resource{Name: "endpoint/" + e.PortID, Spec: &nodev1.Resource_Endpoint{Endpoint: endpoint(e)}})
	}
	return out
}

func router(r view.Router) *nodev1.Router {
	out := &nodev1.Router{RouterId: r.ID, Distributed: r.Distributed, Gateway: gateway(r.Gateway), Routes: routes(r.Routes),
		FipNetworkId: r.FIPNetworkID, Metadata: r.Metadata}
	if r.LinkLocal.IsValid() {
		out.LinkLocal = r.LinkLocal.String()
	}
	for _, i := range r.Interfaces {
		out.Interfaces = append(out.Interfaces, &nodev1.RouterInterface{Device: device(i.Device), SnatAddresses: texts(i.SNATAddresses),
			Advertisement: advertisement(i.Advertisement)})
	}
	return out
}

func advertisement(a *view.Advertisement) *nodev1.RouterAdvertisement {
	if a == nil {
		return nil
	}
	out := &nodev1.RouterAdvertisement{DefaultRouter: a.DefaultRouter, Managed: a.Managed, OtherConfig: a.OtherConfig, DnsNameservers: texts(a.DNSNameservers)}
	for _, p := range a.Prefixes {
		out.Prefixes = append(out.Prefixes, &nodev1.AdvertisedPrefix{Prefix: p.CIDR.String(), Autonomous: p.Autonomous})
	}
	return out
}

func gateway(g *view.ExternalGateway) *nodev1.Gateway {
	if g == nil {
		return nil
	}
	return &nodev1.Gateway{Device: device(g.Device), GatewayIps: texts(g.GatewayIPs), EnableSnat: g.EnableSNAT}
}

func dhcp(d view.DHCP) *nodev1.Dhcp {
	out := &nodev1.Dhcp{NetworkId: d.NetworkID, Device: device(d.Device), Domain: d.Domain, Metadata: d.Metadata}
	for _, s := range d.Subnets {
		out.Subnets = append(out.Subnets, &nodev1.DhcpSubnet{SubnetId: s.ID, Cidr: s.CIDR.String(), GatewayIp: text(s.GatewayIP),
			DnsNameservers: texts(s.DNSNameservers), HostRoutes: routes(s.HostRoutes), MetadataVia: text(s.MetadataVia),
			DhcpAddresses: texts(s.DHCPAddresses), Stateless: s.Stateless})
	}
	return out
}

func endpoint(e view.Endpoint) *nodev1.Endpoint {
	out := &nodev1.Endpoint{PortId: e.PortID, NetworkId: e.NetworkID, MacAddress: e.MAC.String(), Neighbour: e.Neighbour, Dhcp: e.DHCP,
		Metadata: e.Metadata, Hostname: e.Hostname, ProjectId: e.ProjectID, DeviceId: e.DeviceID}
	for _, f := range e.Addresses {
		out.Addresses = append(out.Addresses, &nodev1.EndpointAddress{SubnetId: f.SubnetID, IpAddress: text(f.IP)})
	}
	for _, o := range e.Options {
		out.DhcpOptions = append(out.DhcpOptions, &nodev1.DhcpOption{Name: o.Name, Value: o.Value})
	}
	if i := e.Instance; i != nil {
		out.Instance = &nodev1.InstanceData{UserData: i.UserData, PublicKeys: i.PublicKeys, Meta: i.Meta}
	}
	return out
}

func device(d view.Device) *nodev1.Device {
	out := &nodev1.Device{PortId: d.PortID, MacAddress: d.MAC.String(), Mtu: uint32(d.MTU), NetworkId: d.NetworkID}
	for _, a := range d.Addresses {
		out.Addresses = append(out.Addresses, a.String())
	}
	return out
}

func routes(rs []model.Route) []*nodev1.Route {
	var out []*nodev1.Route
	for _, r := range rs {
		out = append(out, &nodev1.Route{Destination: r.Destination.String(), Nexthop: text(r.NextHop)})
	}
	return out
}

// text is an address, empty for the zero Addr.
func text(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

func texts(ips []netip.Addr) []string {
	var out []string
	for _, ip := range ips {
		out = append(out, text(ip))
	}
	return out
}
