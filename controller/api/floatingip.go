package api

import (
	"context"
	"iter"
	"net/netip"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var floatingIPs = &resource[model.FloatingIP, *weftv1.FloatingIP]{
	kind:   state.FloatingIPs,
	fields: writable("floatingip", (*weftv1.FloatingIP)(nil).ProtoReflect().Descriptor()),
	spell:  spellFloatingIP,
	read:   readFloatingIP,
	status: floatingIPStatus,
	scope: func(_ *reading, in *weftv1.FloatingIP) func(any) bool {
		return inProject(in.GetMetadata().GetProjectId())
	},
	same: func(rd *reading, in *weftv1.FloatingIP) (any, bool) {
		obj, err := find(rd.Snapshot, state.FloatingIPs, in.FloatingIpAddress, onNetwork(rd.Snapshot, in.FloatingNetworkId))
		if in.FloatingIpAddress == "" || err != nil {
			obj = nil
		}
		return obj, in.FloatingIpAddress != ""
	},
	chooses: func(in *weftv1.FloatingIP) bool { return in.FloatingIpAddress == "" },
	create:  (*store.Tx).CreateFloatingIP,
	update:  (*store.Tx).UpdateFloatingIP,
	remove:  (*store.Tx).DeleteFloatingIP,
}

// onNetwork holds for the floating IPs of an external network: for none when there is no such network (yet); for all when
// none is given.
func onNetwork(s state.Snapshot, ref string) func(any) bool {
	if ref == "" {
		return nil
	}
	n, err := find(s, state.Networks, ref, nil)
	return func(obj any) bool { return err == nil && obj.(*model.FloatingIP).FloatingNetworkID == state.Key(n) }
}

func spellFloatingIP(f *model.FloatingIP) *weftv1.FloatingIP {
	return &weftv1.FloatingIP{
		Metadata:          spellMeta(&f.Meta),
		FloatingNetworkId: f.FloatingNetworkID,
		SubnetId:          f.SubnetID,
		FloatingIpAddress: spellAddr(f.Address),
		PortId:            f.PortID,
		FixedIpAddress:    spellAddr(f.FixedIP),
		RouterId:          f.RouterID,
	}
}

// spellAddr is empty for the zero Addr.
func spellAddr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func readFloatingIP(r *reading, in *weftv1.FloatingIP) *model.FloatingIP {
	f := &model.FloatingIP{
		Meta:              r.meta(in.Metadata),
		FloatingNetworkID: r.ref("floating_network_id", state.Networks, in.FloatingNetworkId, nil),
		Address:           r.addr("floating_ip_address", in.FloatingIpAddress),
		PortID:            r.ref("port_id", state.Ports, in.PortId, nil),
	}
	var here func(any) bool
	if f.FloatingNetworkID != "" {
		here = func(obj any) bool { return networkOf(obj) == f.FloatingNetworkID }
	}
	f.SubnetID = r.ref("subnet_id", state.Subnets, in.SubnetId, here)
	// The address of the port that it leaves goes with the port.
	if in.PortId != "" || r.speaksOf("fixed_ip_address") {
		f.FixedIP = r.addr("fixed_ip_address", in.FixedIpAddress)
	}
	return f
}

// CreateFloatingIP implements FloatingIPService.
func (s *Server) CreateFloatingIP(ctx context.Context, req *weftv1.CreateFloatingIPRequest) (*weftv1.FloatingIP, error) {
	return create(ctx, s, floatingIPs, req.Floatingip, req.ValidateOnly)
}

// GetFloatingIP implements FloatingIPService.
func (s *Server) GetFloatingIP(_ context.Context, req *weftv1.GetFloatingIPRequest) (*weftv1.FloatingIP, error) {
	return get(s, floatingIPs, req.Id)
}

// ListFloatingIPs implements FloatingIPService.
func (s *Server) ListFloatingIPs(_ context.Context, req *weftv1.ListFloatingIPsRequest) (*weftv1.ListFloatingIPsResponse, error) {
	return list(s, floatingIPs, req, func(snap state.Snapshot) (iter.Seq[*model.FloatingIP], error) {
		return floatingIPsLike(snap, req)
	}, func(page []*weftv1.FloatingIP, next string, rev int64) *weftv1.ListFloatingIPsResponse {
		return &weftv1.ListFloatingIPsResponse{Floatingips: page, NextPageToken: next, Revision: rev}
	})
}

// floatingIPsLike are the floating IPs that all filters of a request hold for, in order of id. It goes through the
// smallest index that fits.
func floatingIPsLike(snap state.Snapshot, req *weftv1.ListFloatingIPsRequest) (iter.Seq[*model.FloatingIP], error) {
	network, err := filterKey(snap, state.Networks, req.FloatingNetworkId)
	if err != nil {
		return nil, err
	}
	router, err := filterKey(snap, state.Routers, req.RouterId)
	if err != nil {
		return nil, err
	}
	port, err := filterKey(snap, state.Ports, req.PortId)
	if err != nil {
		return nil, err
	}
	var address netip.Addr
	if req.FloatingIpAddress != "" {
		if address, err = model.ParseAddr(req.FloatingIpAddress); err != nil {
			return nil, invalid("floating_ip_address", "%v", err)
		}
	}
	all := snap.FloatingIPs()
	switch {
	case port != "":
		all = snap.FloatingIPsOfPort(port)
	case router != "":
		all = snap.FloatingIPsOfRouter(router)
	case network != "":
		all = snap.FloatingIPsOfNetwork(network)
	}
	return func(yield func(*model.FloatingIP) bool) {
		for f := range all {
			if network != "" && f.FloatingNetworkID != network || router != "" && f.RouterID != router ||
				address.IsValid() && f.Address != address {
				continue
			}
			if !yield(f) {
				return
			}
		}
	}, nil
}

// UpdateFloatingIP implements FloatingIPService.
func (s *Server) UpdateFloatingIP(ctx context.Context, req *weftv1.UpdateFloatingIPRequest) (*weftv1.FloatingIP, error) {
	return update(ctx, s, floatingIPs, req.Floatingip, req)
}

// DeleteFloatingIP implements FloatingIPService.
func (s *Server) DeleteFloatingIP(ctx context.Context, req *weftv1.DeleteFloatingIPRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, floatingIPs, req)
}
