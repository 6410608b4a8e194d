package api

import (
	"context"
	"iter"
	"net/netip"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var hosts = &resource[model.Host, *weftv1.Host]{
	kind:   state.Hosts,
	fields: writable("host", (*weftv1.Host)(nil).ProtoReflect().Descriptor()),
	spell: func(h *model.Host) *weftv1.Host {
		p := &weftv1.Host{Metadata: spellMeta(&h.Meta), BridgeMappings: h.BridgeMappings, Roles: h.Roles,
			Draining: proto.Bool(h.Draining), FirewallDriver: h.FirewallDriver}
		if h.TunnelIP.IsValid() {
			p.TunnelIp = h.TunnelIP.String()
		}
		return p
	},
	read: func(r *reading, in *weftv1.Host) *model.Host {
		return &model.Host{
			Meta:           r.meta(in.Metadata),
			TunnelIP:       r.addr("tunnel_ip", in.TunnelIp),
			BridgeMappings: in.BridgeMappings,
			Roles:          in.Roles,
			Draining:       unset(in.Draining, false),
			FirewallDriver: in.FirewallDriver,
		}
	},
	status: hostStatus,
	create: (*store.Tx).CreateHost,
	update: (*store.Tx).UpdateHost,
	remove: (*store.Tx).DeleteHost,
}

// inForce is the tunnel address and the bridge mappings of a host: what was set wins over what its agent reported. Both
// may be nil.
func inForce(h *model.Host, f *model.HostFacts) (tunnelIP netip.Addr, mappings map[string]string) {
	if f != nil {
		tunnelIP, mappings = f.TunnelIP, f.BridgeMappings
	}
	if h != nil && h.TunnelIP.IsValid() {
		tunnelIP = h.TunnelIP
	}
	if h != nil && len(h.BridgeMappings) > 0 {
		mappings = h.BridgeMappings
	}
	return tunnelIP, mappings
}

// CreateHost implements HostService.
func (s *Server) CreateHost(ctx context.Context, req *weftv1.CreateHostRequest) (*weftv1.Host, error) {
	return create(ctx, s, hosts, req.Host, req.ValidateOnly)
}

// GetHost implements HostService.
func (s *Server) GetHost(_ context.Context, req *weftv1.GetHostRequest) (*weftv1.Host, error) {
	return get(s, hosts, req.Id)
}

// ListHosts implements HostService.
func (s *Server) ListHosts(_ context.Context, req *weftv1.ListHostsRequest) (*weftv1.ListHostsResponse, error) {
	return list(s, hosts, req, func(snap state.Snapshot) (iter.Seq[*model.Host], error) {
		return snap.Hosts(), nil
	}, func(page []*weftv1.Host, next string, rev int64) *weftv1.ListHostsResponse {
		return &weftv1.ListHostsResponse{Hosts: page, NextPageToken: next, Revision: rev}
	})
}

// UpdateHost implements HostService.
func (s *Server) UpdateHost(ctx context.Context, req *weftv1.UpdateHostRequest) (*weftv1.Host, error) {
	return update(ctx, s, hosts, req.Host, req)
}

// DeleteHost implements HostService.
func (s *Server) DeleteHost(ctx context.Context, req *weftv1.DeleteHostRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, hosts, req)
}
