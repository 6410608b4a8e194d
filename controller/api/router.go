package api

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var routers = &resource[model.Router, *weftv1.Router]{
	kind:   state.Routers,
	fields: writable("router", (*weftv1.Router)(nil).ProtoReflect().Descriptor()),
	spell:  spellRouter,
	read:   readRouter,
	status: routerStatus,
	scope: func(_ *reading, in *weftv1.Router) func(any) bool {
		return inProject(in.GetMetadata().GetProjectId())
	},
	chooses: func(in *weftv1.Router) bool {
		return in.GetExternalGatewayInfo() != nil && len(in.ExternalGatewayInfo.ExternalFixedIps) == 0
	},
	create: (*store.Tx).CreateRouter,
	update: (*store.Tx).UpdateRouter,
	remove: (*store.Tx).DeleteRouter,
}

// inProject holds for the objects of a project.
func inProject(project string) func(any) bool {
	project = cmp.Or(project, defaultProject)
	return func(obj any) bool { return projectOf(obj) == project }
}

func spellRouter(r *model.Router) *weftv1.Router {
	p := &weftv1.Router{
		Metadata:     spellMeta(&r.Meta),
		AdminStateUp: proto.Bool(r.AdminStateUp),
		Distributed:  proto.Bool(r.Distributed),
		Routes:       spellRoutes(r.Routes),
	}
	if gw := r.Gateway; gw != nil {
		p.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: gw.NetworkID, EnableSnat: proto.Bool(gw.EnableSNAT), PortId: gw.PortID}
		for _, f := range gw.FixedIPs {
			p.ExternalGatewayInfo.ExternalFixedIps = append(p.ExternalGatewayInfo.ExternalFixedIps,
				&weftv1.FixedIP{SubnetId: f.SubnetID, IpAddress: f.IP.String()})
		}
	}
	for _, i := range r.Interfaces {
		p.Interfaces = append(p.Interfaces, spellInterface(i))
	}
	return p
}

func spellInterface(i model.RouterInterface) *weftv1.RouterInterface {
	return &weftv1.RouterInterface{SubnetId: i.SubnetID, PortId: i.PortID}
}

func readRouter(r *reading, in *weftv1.Router) *model.Router {
	m := &model.Router{
		Meta:         r.meta(in.Metadata),
		AdminStateUp: unset(in.AdminStateUp, true),
		Distributed:  unset(in.Distributed, true),
		Routes:       r.routes("routes", in.Routes),
	}
	var was *model.ExternalGateway
	if old := r.Router(m.ID); old != nil {
		was = old.Gateway
	}
	m.Gateway = r.gateway(in.ExternalGatewayInfo, was)
	for i, in := range atMost(r, "interfaces", in.Interfaces) {
		m.Interfaces = append(m.Interfaces, model.RouterInterface{
			SubnetID: r.ref(item("interfaces", i, "subnet_id"), state.Subnets, in.GetSubnetId(), nil),
			PortID:   r.ref(item("interfaces", i, "port_id"), state.Ports, in.GetPortId(), nil),
		})
	}
	return m
}

// gateway reads a router's way out; nil when it is to have none. Addresses of the network that it leaves stay there, unless
// the request speaks of them.
func (r *reading) gateway(in *weftv1.ExternalGatewayInfo, was *model.ExternalGateway) *model.ExternalGateway {
	const at = "external_gateway_info."
	if in.GetNetworkId() == "" {
		if r.speaksOf(at+"enable_snat") && in.GetEnableSnat() || r.speaksOf(at+"external_fixed_ips") && len(in.GetExternalFixedIps()) > 0 {
			r.add(at+"network_id", "is missing; name the external network that the gateway is on")
		}
		return nil
	}
	gw := &model.ExternalGateway{
		NetworkID:  r.ref(at+"network_id", state.Networks, in.NetworkId, nil),
		EnableSNAT: unset(in.EnableSnat, true),
	}
	asked := in.ExternalFixedIps
	if was != nil && was.NetworkID != gw.NetworkID && !r.speaksOf(at+"external_fixed_ips") {
		asked = nil
	}
	here := func(obj any) bool { return networkOf(obj) == gw.NetworkID }
	for i, f := range atMost(r, at+"external_fixed_ips", asked) {
		gw.FixedIPs = append(gw.FixedIPs, model.FixedIP{
			SubnetID: r.ref(item(at+"external_fixed_ips", i, "subnet_id"), state.Subnets, f.GetSubnetId(), here),
			IP:       r.addr(item(at+"external_fixed_ips", i, "ip_address"), f.GetIpAddress()),
		})
	}
	return gw
}

// speaksOf says whether the request is about the field. One that creates an object is about all that it sets.
func (r *reading) speaksOf(path string) bool { return r.named == nil || slices.Contains(r.named, path) }

// CreateRouter implements RouterService.
func (s *Server) CreateRouter(ctx context.Context, req *weftv1.CreateRouterRequest) (*weftv1.Router, error) {
	return create(ctx, s, routers, req.Router, req.ValidateOnly)
}

// GetRouter implements RouterService.
func (s *Server) GetRouter(_ context.Context, req *weftv1.GetRouterRequest) (*weftv1.Router, error) {
	return get(s, routers, req.Id)
}

// ListRouters implements RouterService.
func (s *Server) ListRouters(_ context.Context, req *weftv1.ListRoutersRequest) (*weftv1.ListRoutersResponse, error) {
	return list(s, routers, req, func(snap state.Snapshot) (iter.Seq[*model.Router], error) {
		return routersLike(snap, req)
	}, func(page []*weftv1.Router, next string, rev int64) *weftv1.ListRoutersResponse {
		return &weftv1.ListRoutersResponse{Routers: page, NextPageToken: next, Revision: rev}
	})
}

// filterKey is the id of the object that a filter names; empty when it names none.
func filterKey(snap state.Snapshot, k state.Kind, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	obj, err := find(snap, k, ref, nil)
	if err != nil {
		return "", err
	}
	return state.Key(obj), nil
}

// routersLike are the routers that all filters of a request hold for, in order of id.
func routersLike(snap state.Snapshot, req *weftv1.ListRoutersRequest) (iter.Seq[*model.Router], error) {
	network, err := filterKey(snap, state.Networks, req.NetworkId)
	if err != nil {
		return nil, err
	}
	subnet, err := filterKey(snap, state.Subnets, req.SubnetId)
	if err != nil {
		return nil, err
	}
	host, err := filterKey(snap, state.Hosts, req.Host)
	if err != nil {
		return nil, err
	}
	all := snap.Routers()
	if network != "" {
		all = snap.RoutersByGateway(network)
	}
	return func(yield func(*model.Router) bool) {
		for r := range all {
			if subnet != "" && !slices.ContainsFunc(r.Interfaces, func(i model.RouterInterface) bool { return i.SubnetID == subnet }) {
				continue
			}
			if sched := snap.Schedule(r.ID); host != "" && (sched == nil || sched.Host != host) && snap.RouterHost(r.ID, host) == nil {
				continue
			}
			if !yield(r) {
				return
			}
		}
	}, nil
}

// UpdateRouter implements RouterService.
func (s *Server) UpdateRouter(ctx context.Context, req *weftv1.UpdateRouterRequest) (*weftv1.Router, error) {
	return update(ctx, s, routers, req.Router, req)
}

// DeleteRouter implements RouterService.
func (s *Server) DeleteRouter(ctx context.Context, req *weftv1.DeleteRouterRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, routers, req)
}
