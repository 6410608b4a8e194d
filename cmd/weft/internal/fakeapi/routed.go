package fakeapi

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

type routers struct {
	weftv1.UnimplementedRouterServiceServer
	s *Server
}

func (x routers) CreateRouter(_ context.Context, r *weftv1.CreateRouterRequest) (*weftv1.Router, error) {
	return doCreate(x.s, r.GetRouter(), r.GetValidateOnly())
}

func (x routers) GetRouter(_ context.Context, r *weftv1.GetRouterRequest) (*weftv1.Router, error) {
	return doGet[*weftv1.Router](x.s, kind.Router, r.GetId())
}

func (x routers) UpdateRouter(_ context.Context, r *weftv1.UpdateRouterRequest) (*weftv1.Router, error) {
	return doUpdate(x.s, r.GetRouter(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x routers) DeleteRouter(_ context.Context, r *weftv1.DeleteRouterRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.Router, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x routers) ListRouters(_ context.Context, r *weftv1.ListRoutersRequest) (*weftv1.ListRoutersResponse, error) {
	subnet, err := x.s.resolve(kind.Subnet, r.GetSubnetId())
	if err != nil {
		return nil, err
	}
	page, next, err := doList(x.s, kind.Router, r.GetPageToken(), r.GetNetworkId(), func(m *weftv1.Router, network string) bool {
		var on []string
		for _, i := range m.GetInterfaces() {
			on = append(on, i.GetSubnetId())
		}
		return passes(m, r) && is(network, m.GetExternalGatewayInfo().GetNetworkId()) && is(subnet, on...) &&
			is(r.GetHost(), append(m.GetStatus().GetHosts(), m.GetStatus().GetGatewayHost())...)
	})
	return &weftv1.ListRoutersResponse{Routers: page, NextPageToken: next, Revision: x.s.revision}, err
}

func (x routers) AddRouterInterface(_ context.Context, r *weftv1.AddRouterInterfaceRequest) (*weftv1.AddRouterInterfaceResponse, error) {
	m, err := find(x.s.state, kind.Router, r.GetId())
	if err != nil {
		return nil, err
	}
	next := x.s.state.clone()
	changed := clone(m).(*weftv1.Router)
	changed.Interfaces = append(changed.Interfaces, &weftv1.RouterInterface{SubnetId: r.GetSubnetId(), PortId: r.GetPortId()})
	if bad := x.s.complete(next, changed); len(bad) > 0 {
		return nil, invalid(violation("subnet_id", bad[0].GetDescription()))
	}
	put(next, changed)
	if !r.GetValidateOnly() {
		x.s.commit(next)
	}
	return &weftv1.AddRouterInterfaceResponse{Router: changed, Interface: changed.Interfaces[len(changed.Interfaces)-1]}, nil
}

func (x routers) RemoveRouterInterface(_ context.Context, r *weftv1.RemoveRouterInterfaceRequest) (*weftv1.RemoveRouterInterfaceResponse, error) {
	m, err := find(x.s.state, kind.Router, r.GetId())
	if err != nil {
		return nil, err
	}
	subnet, err := x.s.resolve(kind.Subnet, r.GetSubnetId())
	if err != nil {
		return nil, invalid(violation("subnet_id", status.Convert(err).Message()))
	}
	next := x.s.state.clone()
	changed := clone(m).(*weftv1.Router)
	at := slices.IndexFunc(changed.Interfaces, func(i *weftv1.RouterInterface) bool {
		return i.SubnetId == subnet || r.GetPortId() != "" && i.PortId == r.GetPortId()
	})
	if at < 0 {
		return nil, invalid(violation("subnet_id", fmt.Sprintf("router %q has no such interface", kind.Ref(m))))
	}
	gone := changed.Interfaces[at]
	changed.Interfaces = slices.Delete(changed.Interfaces, at, at+1)
	put(next, changed)
	if !r.GetValidateOnly() {
		x.s.commit(next)
	}
	return &weftv1.RemoveRouterInterfaceResponse{Router: changed, Interface: gone}, nil
}

type floatingIPs struct {
	weftv1.UnimplementedFloatingIPServiceServer
	s *Server
}

func (x floatingIPs) CreateFloatingIP(_ context.Context, r *weftv1.CreateFloatingIPRequest) (*weftv1.FloatingIP, error) {
	return doCreate(x.s, r.GetFloatingip(), r.GetValidateOnly())
}

func (x floatingIPs) GetFloatingIP(_ context.Context, r *weftv1.GetFloatingIPRequest) (*weftv1.FloatingIP, error) {
	return doGet[*weftv1.FloatingIP](x.s, kind.FloatingIP, r.GetId())
}

func (x floatingIPs) UpdateFloatingIP(_ context.Context, r *weftv1.UpdateFloatingIPRequest) (*weftv1.FloatingIP, error) {
	return doUpdate(x.s, r.GetFloatingip(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x floatingIPs) DeleteFloatingIP(_ context.Context, r *weftv1.DeleteFloatingIPRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.FloatingIP, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x floatingIPs) ListFloatingIPs(_ context.Context, r *weftv1.ListFloatingIPsRequest) (*weftv1.ListFloatingIPsResponse, error) {
	router, err := x.s.resolve(kind.Router, r.GetRouterId())
	if err != nil {
		return nil, err
	}
	port, err := x.s.resolve(kind.Port, r.GetPortId())
	if err != nil {
		return nil, err
	}
	page, next, err := doList(x.s, kind.FloatingIP, r.GetPageToken(), r.GetFloatingNetworkId(), func(m *weftv1.FloatingIP, network string) bool {
		return passes(m, r) && is(network, m.FloatingNetworkId) && is(router, m.RouterId) && is(port, m.PortId) && is(r.GetFloatingIpAddress(), m.FloatingIpAddress)
	})
	return &weftv1.ListFloatingIPsResponse{Floatingips: page, NextPageToken: next, Revision: x.s.revision}, err
}

type portForwardings struct {
	weftv1.UnimplementedPortForwardingServiceServer
	s *Server
}

func (x portForwardings) CreatePortForwarding(_ context.Context, r *weftv1.CreatePortForwardingRequest) (*weftv1.PortForwarding, error) {
	return doCreate(x.s, r.GetPortforwarding(), r.GetValidateOnly())
}

func (x portForwardings) GetPortForwarding(_ context.Context, r *weftv1.GetPortForwardingRequest) (*weftv1.PortForwarding, error) {
	return doGet[*weftv1.PortForwarding](x.s, kind.PortForwarding, r.GetId())
}

func (x portForwardings) UpdatePortForwarding(_ context.Context, r *weftv1.UpdatePortForwardingRequest) (*weftv1.PortForwarding, error) {
	return doUpdate(x.s, r.GetPortforwarding(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x portForwardings) DeletePortForwarding(_ context.Context, r *weftv1.DeletePortForwardingRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.PortForwarding, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x portForwardings) ListPortForwardings(_ context.Context, r *weftv1.ListPortForwardingsRequest) (*weftv1.ListPortForwardingsResponse, error) {
	floatingIP, err := x.s.resolve(kind.FloatingIP, r.GetFloatingipId())
	if err != nil {
		return nil, err
	}
	port, err := x.s.resolve(kind.Port, r.GetInternalPortId())
	if err != nil {
		return nil, err
	}
	page, next, err := doList(x.s, kind.PortForwarding, r.GetPageToken(), "", func(m *weftv1.PortForwarding, _ string) bool {
		return passes(m, r) && is(floatingIP, m.FloatingipId) && is(port, m.InternalPortId)
	})
	return &weftv1.ListPortForwardingsResponse{Portforwardings: page, NextPageToken: next, Revision: x.s.revision}, err
}

// resolve is the id that a filter means; nothing stays nothing.
func (s *Server) resolve(k *kind.Kind, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	m, err := find(s.state, k, ref)
	if err != nil {
		return "", err
	}
	return m.GetMetadata().GetId(), nil
}

// refer replaces a reference by the id that it means.
func refer(o objects, k *kind.Kind, ref *string, field string) (kind.Message, []*errdetails.BadRequest_FieldViolation) {
	if *ref == "" {
		return nil, nil
	}
	m, err := find(o, k, *ref)
	if err != nil {
		return nil, []*errdetails.BadRequest_FieldViolation{violation(field, status.Convert(err).Message())}
	}
	*ref = m.GetMetadata().GetId()
	return m, nil
}

func completeRouter(o objects, r *weftv1.Router) (bad []*errdetails.BadRequest_FieldViolation) {
	for _, b := range []**bool{&r.AdminStateUp, &r.Distributed} {
		if *b == nil {
			*b = proto.Bool(true)
		}
	}
	if gw := r.ExternalGatewayInfo; gw.GetNetworkId() == "" {
		r.ExternalGatewayInfo = nil
	} else {
		_, wrong := refer(o, kind.Network, &gw.NetworkId, "external_gateway_info.network_id")
		bad = append(bad, wrong...)
		if gw.EnableSnat == nil {
			gw.EnableSnat = proto.Bool(true)
		}
		if len(gw.ExternalFixedIps) == 0 {
			gw.ExternalFixedIps = []*weftv1.FixedIP{{IpAddress: "203.0.113.2"}}
		}
		gw.PortId = "9a7e0000-0000-4000-8000-000000000000"
	}
	for i, n := range r.Interfaces {
		m, wrong := refer(o, kind.Subnet, &n.SubnetId, fmt.Sprintf("interfaces[%d].subnet_id", i))
		bad = append(bad, wrong...)
		p, wrong := refer(o, kind.Port, &n.PortId, fmt.Sprintf("interfaces[%d].port_id", i))
		bad = append(bad, wrong...)
		if p, ok := p.(*weftv1.Port); ok && len(p.FixedIps) > 0 {
			n.SubnetId, n.IpAddresses = p.FixedIps[0].SubnetId, []string{p.FixedIps[0].IpAddress}
		} else if s, ok := m.(*weftv1.Subnet); ok {
			n.IpAddresses = []string{s.GetGatewayIp()}
		}
	}
	if r.Status == nil {
		r.Status = &weftv1.RouterStatus{Status: "ACTIVE"}
	}
	return bad
}

func completeFloatingIP(o objects, f *weftv1.FloatingIP) []*errdetails.BadRequest_FieldViolation {
	_, bad := refer(o, kind.Network, &f.FloatingNetworkId, "floating_network_id")
	m, wrong := refer(o, kind.Port, &f.PortId, "port_id")
	bad = append(bad, wrong...)
	if f.FloatingIpAddress == "" {
		f.FloatingIpAddress = fmt.Sprintf("203.0.113.%d", 10+len(o[kind.FloatingIP.Name]))
	}
	f.RouterId = ""
	if p, ok := m.(*weftv1.Port); !ok {
		f.FixedIpAddress = ""
	} else {
		if f.FixedIpAddress == "" && len(p.FixedIps) > 0 {
			f.FixedIpAddress = p.FixedIps[0].IpAddress
		}
		for _, id := range sortedIDs(o, kind.Router) {
			f.RouterId = id
		}
	}
	if f.Status == nil || f.PortId == "" {
		f.Status = &weftv1.FloatingIPStatus{Status: "DOWN"}
	}
	return bad
}

func completePortForwarding(o objects, f *weftv1.PortForwarding) []*errdetails.BadRequest_FieldViolation {
	_, bad := refer(o, kind.FloatingIP, &f.FloatingipId, "floatingip_id")
	m, wrong := refer(o, kind.Port, &f.InternalPortId, "internal_port_id")
	bad = append(bad, wrong...)
	if p, ok := m.(*weftv1.Port); ok && f.InternalIpAddress == "" && len(p.FixedIps) > 0 {
		f.InternalIpAddress = p.FixedIps[0].IpAddress
	}
	if f.Protocol != "tcp" && f.Protocol != "udp" {
		bad = append(bad, violation("protocol", fmt.Sprintf("%q cannot be forwarded; choose tcp or udp", f.Protocol)))
	}
	if f.Status == nil {
		f.Status = &weftv1.PortForwardingStatus{Status: "DOWN"}
	}
	return bad
}

// Where answers what was put there.
func (s *Server) Where(_ context.Context, r *weftv1.WhereRequest) (*weftv1.WhereResponse, error) {
	s.Asked = r
	for _, k := range []*kind.Kind{kind.Router, kind.Network, kind.FloatingIP, kind.Port} {
		if m, err := find(s.state, k, r.GetObject()); is(r.GetKind(), k.Name) && err == nil {
			return &weftv1.WhereResponse{Object: refTo(m), Places: s.Places[k.Name+"/"+kind.Ref(m)]}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "no router or network or floatingip or port is called %q", r.GetObject())
}

// GetNamespace answers what was put there.
func (s *Server) GetNamespace(_ context.Context, r *weftv1.GetNamespaceRequest) (*weftv1.GetNamespaceResponse, error) {
	s.Asked = r
	lines, ok := s.Namespaces[r.GetHost()+" "+r.GetNamespace()]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "%s has no namespace %s, and should have none; weft where tells which hosts have it", r.GetHost(), r.GetNamespace())
	}
	return &weftv1.GetNamespaceResponse{Host: r.GetHost(), Namespace: r.GetNamespace(), Lines: lines}, nil
}
