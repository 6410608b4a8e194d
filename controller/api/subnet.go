package api

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var subnets = &resource[model.Subnet, *weftv1.Subnet]{
	kind:   state.Subnets,
	fields: writable("subnet", (*weftv1.Subnet)(nil).ProtoReflect().Descriptor()),
	spell:  spellSubnet,
	read:   readSubnet,
	scope: func(r *reading, in *weftv1.Subnet) func(any) bool {
		return inNetwork(r.Snapshot, in.NetworkId)
	},
	create: (*store.Tx).CreateSubnet,
	update: (*store.Tx).UpdateSubnet,
	remove: (*store.Tx).DeleteSubnet,
}

// noGateway is what people may write instead of nothing for a subnet without a gateway.
const noGateway = "none"

func spellSubnet(s *model.Subnet) *weftv1.Subnet {
	p := &weftv1.Subnet{
		Metadata:   spellMeta(&s.Meta),
		NetworkId:  s.NetworkID,
		IpVersion:  int32(ipVersion(s.CIDR.Addr().Is4())),
		Cidr:       s.CIDR.String(),
		GatewayIp:  proto.String(""),
		EnableDhcp: proto.Bool(s.EnableDHCP),
		HostRoutes: spellRoutes(s.HostRoutes),

		Ipv6RaMode:      s.IPv6RAMode,
		Ipv6AddressMode: s.IPv6AddressMode,
	}
	for _, a := range s.DNSNameservers {
		p.DnsNameservers = append(p.DnsNameservers, a.String())
	}
	if s.GatewayIP.IsValid() {
		p.GatewayIp = proto.String(s.GatewayIP.String())
	}
	for _, r := range s.AllocationPools {
		p.AllocationPools = append(p.AllocationPools, &weftv1.AllocationPool{Start: r.Start.String(), End: r.End.String()})
	}
	return p
}

func readSubnet(r *reading, in *weftv1.Subnet) *model.Subnet {
	s := &model.Subnet{
		Meta:      r.meta(in.Metadata),
		NetworkID: r.ref("network_id", state.Networks, in.NetworkId, nil),
		CIDR:      r.prefix("cidr", in.Cidr),
	}
	s.IPv6RAMode, s.IPv6AddressMode = in.Ipv6RaMode, in.Ipv6AddressMode
	s.EnableDHCP = unset(in.EnableDhcp, s.CIDR.Addr().Is4() || s.WantsDHCPv6())
	switch v := in.IpVersion; {
	case v != 0 && v != 4 && v != 6:
		r.add("ip_version", "%d is neither 4 nor 6; leave it out to take it from cidr", v)
	case v != 0 && s.CIDR.IsValid() && int(v) != ipVersion(s.CIDR.Addr().Is4()):
		r.add("ip_version", "%d does not go with cidr %s; leave it out to take it from cidr", v, s.CIDR)
	}
	switch {
	case in.GatewayIp == nil:
		s.GatewayIP = model.DefaultGateway(s.CIDR)
	case !strings.EqualFold(*in.GatewayIp, noGateway):
		s.GatewayIP = r.addr("gateway_ip", *in.GatewayIp)
	}
	for i, p := range atMost(r, "allocation_pools", in.AllocationPools) {
		s.AllocationPools = append(s.AllocationPools, model.Range{
			Start: r.addr(item("allocation_pools", i, "start"), p.GetStart()),
			End:   r.addr(item("allocation_pools", i, "end"), p.GetEnd()),
		})
	}
	for i, a := range atMost(r, "dns_nameservers", in.DnsNameservers) {
		s.DNSNameservers = append(s.DNSNameservers, r.someAddr(fmt.Sprintf("dns_nameservers[%d]", i), a))
	}
	s.HostRoutes = r.routes("host_routes", in.HostRoutes)
	return s
}

func spellRoutes(routes []model.Route) []*weftv1.Route {
	var out []*weftv1.Route
	for _, r := range routes {
		out = append(out, &weftv1.Route{Destination: r.Destination.String(), Nexthop: r.NextHop.String()})
	}
	return out
}

// routes reads routes; both parts of each must be there.
func (r *reading) routes(field string, in []*weftv1.Route) []model.Route {
	var out []model.Route
	for i, route := range atMost(r, field, in) {
		out = append(out, model.Route{
			Destination: r.somePrefix(item(field, i, "destination"), route.GetDestination()),
			NextHop:     r.someAddr(item(field, i, "nexthop"), route.GetNexthop()),
		})
	}
	return out
}

func ipVersion(is4 bool) int {
	if is4 {
		return 4
	}
	return 6
}

// inNetwork holds for the subnets and ports of a network: for none when there is no such network (yet); for all when none
// is given.
func inNetwork(s state.Snapshot, ref string) func(any) bool {
	if ref == "" {
		return nil
	}
	n, err := find(s, state.Networks, ref, nil)
	if err != nil {
		return func(any) bool { return false }
	}
	id := state.Key(n)
	return func(obj any) bool { return networkOf(obj) == id }
}

func networkOf(obj any) string {
	switch o := obj.(type) {
	case *model.Subnet:
		return o.NetworkID
	case *model.Port:
		return o.NetworkID
	}
	return ""
}

// CreateSubnet implements SubnetService.
func (s *Server) CreateSubnet(ctx context.Context, req *weftv1.CreateSubnetRequest) (*weftv1.Subnet, error) {
	return create(ctx, s, subnets, req.Subnet, req.ValidateOnly)
}

// GetSubnet implements SubnetService.
func (s *Server) GetSubnet(_ context.Context, req *weftv1.GetSubnetRequest) (*weftv1.Subnet, error) {
	return get(s, subnets, req.Id)
}

// ListSubnets implements SubnetService.
func (s *Server) ListSubnets(_ context.Context, req *weftv1.ListSubnetsRequest) (*weftv1.ListSubnetsResponse, error) {
	return list(s, subnets, req, func(snap state.Snapshot) (iter.Seq[*model.Subnet], error) {
		if req.NetworkId == "" {
			return snap.Subnets(), nil
		}
		n, err := find(snap, state.Networks, req.NetworkId, nil)
		if err != nil {
			return nil, err
		}
		return snap.SubnetsOf(state.Key(n)), nil
	}, func(page []*weftv1.Subnet, next string, rev int64) *weftv1.ListSubnetsResponse {
		return &weftv1.ListSubnetsResponse{Subnets: page, NextPageToken: next, Revision: rev}
	})
}

// UpdateSubnet implements SubnetService.
func (s *Server) UpdateSubnet(ctx context.Context, req *weftv1.UpdateSubnetRequest) (*weftv1.Subnet, error) {
	return update(ctx, s, subnets, req.Subnet, req)
}

// DeleteSubnet implements SubnetService.
func (s *Server) DeleteSubnet(ctx context.Context, req *weftv1.DeleteSubnetRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, subnets, req)
}
