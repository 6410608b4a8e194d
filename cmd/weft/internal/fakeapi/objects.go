package fakeapi

import (
	"context"
	"slices"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// doCreate, doUpdate and doDelete commit unless the request only asks for validation.
func doCreate[M kind.Message](s *Server, m M, dry bool) (M, error) {
	next := s.state.clone()
	if err := s.create(next, m); err != nil {
		return m, err
	}
	if !dry {
		s.commit(next)
	}
	return m, nil
}

func doUpdate[M kind.Message](s *Server, m M, paths []string, dry bool) (M, error) {
	next := s.state.clone()
	changed, err := s.update(next, m, paths)
	if err != nil {
		return m, err
	}
	if !dry {
		s.commit(next)
	}
	return changed.(M), nil
}

func doDelete(s *Server, k *kind.Kind, ref, etag string, dry bool) (*emptypb.Empty, error) {
	next := s.state.clone()
	if err := s.remove(next, k, ref, etag); err != nil {
		return nil, err
	}
	if !dry {
		s.commit(next)
	}
	return &emptypb.Empty{}, nil
}

func doGet[M kind.Message](s *Server, k *kind.Kind, ref string) (M, error) {
	m, err := find(s.state, k, ref)
	if err != nil {
		var none M
		return none, err
	}
	return m.(M), nil
}

// doList returns one page: the objects after the token, which is an id. Keep tells which to list, given the full id of
// the network that a filter names.
func doList[M kind.Message](s *Server, k *kind.Kind, token, network string, keep func(m M, network string) bool) ([]M, string, error) {
	if network != "" {
		m, err := find(s.state, kind.Network, network)
		if err != nil {
			return nil, "", err
		}
		network = m.GetMetadata().GetId()
	}
	var page []M
	for _, id := range sortedIDs(s.state, k) {
		m := s.state[k.Name][id].(M)
		if id <= token || !keep(m, network) {
			continue
		}
		if len(page) == s.PageSize {
			return page, page[len(page)-1].GetMetadata().GetId(), nil
		}
		page = append(page, m)
	}
	return page, "", nil
}

type filter interface {
	GetProjectId() string
	GetName() string
}

func passes(m kind.Message, f filter) bool {
	return (f.GetProjectId() == "" || f.GetProjectId() == m.GetMetadata().GetProjectId()) &&
		(f.GetName() == "" || f.GetName() == m.GetMetadata().GetName())
}

func is(filter string, values ...string) bool { return filter == "" || slices.Contains(values, filter) }

type networks struct {
	weftv1.UnimplementedNetworkServiceServer
	s *Server
}

func (x networks) CreateNetwork(_ context.Context, r *weftv1.CreateNetworkRequest) (*weftv1.Network, error) {
	return doCreate(x.s, r.GetNetwork(), r.GetValidateOnly())
}

func (x networks) GetNetwork(_ context.Context, r *weftv1.GetNetworkRequest) (*weftv1.Network, error) {
	return doGet[*weftv1.Network](x.s, kind.Network, r.GetId())
}

func (x networks) UpdateNetwork(_ context.Context, r *weftv1.UpdateNetworkRequest) (*weftv1.Network, error) {
	return doUpdate(x.s, r.GetNetwork(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x networks) DeleteNetwork(_ context.Context, r *weftv1.DeleteNetworkRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.Network, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x networks) ListNetworks(_ context.Context, r *weftv1.ListNetworksRequest) (*weftv1.ListNetworksResponse, error) {
	page, next, err := doList(x.s, kind.Network, r.GetPageToken(), "", func(m *weftv1.Network, _ string) bool {
		return passes(m, r)
	})
	return &weftv1.ListNetworksResponse{Networks: page, NextPageToken: next, Revision: x.s.revision}, err
}

type subnets struct {
	weftv1.UnimplementedSubnetServiceServer
	s *Server
}

func (x subnets) CreateSubnet(_ context.Context, r *weftv1.CreateSubnetRequest) (*weftv1.Subnet, error) {
	return doCreate(x.s, r.GetSubnet(), r.GetValidateOnly())
}

func (x subnets) GetSubnet(_ context.Context, r *weftv1.GetSubnetRequest) (*weftv1.Subnet, error) {
	return doGet[*weftv1.Subnet](x.s, kind.Subnet, r.GetId())
}

func (x subnets) UpdateSubnet(_ context.Context, r *weftv1.UpdateSubnetRequest) (*weftv1.Subnet, error) {
	return doUpdate(x.s, r.GetSubnet(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x subnets) DeleteSubnet(_ context.Context, r *weftv1.DeleteSubnetRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.Subnet, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x subnets) ListSubnets(_ context.Context, r *weftv1.ListSubnetsRequest) (*weftv1.ListSubnetsResponse, error) {
	page, next, err := doList(x.s, kind.Subnet, r.GetPageToken(), r.GetNetworkId(), func(m *weftv1.Subnet, network string) bool {
		return passes(m, r) && is(network, m.NetworkId)
	})
	return &weftv1.ListSubnetsResponse{Subnets: page, NextPageToken: next, Revision: x.s.revision}, err
}

type ports struct {
	weftv1.UnimplementedPortServiceServer
	s *Server
}

func (x ports) CreatePort(_ context.Context, r *weftv1.CreatePortRequest) (*weftv1.Port, error) {
	return doCreate(x.s, r.GetPort(), r.GetValidateOnly())
}

func (x ports) GetPort(_ context.Context, r *weftv1.GetPortRequest) (*weftv1.Port, error) {
	return doGet[*weftv1.Port](x.s, kind.Port, r.GetId())
}

func (x ports) UpdatePort(_ context.Context, r *weftv1.UpdatePortRequest) (*weftv1.Port, error) {
	return doUpdate(x.s, r.GetPort(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x ports) DeletePort(_ context.Context, r *weftv1.DeletePortRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.Port, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x ports) ListPorts(_ context.Context, r *weftv1.ListPortsRequest) (*weftv1.ListPortsResponse, error) {
	group, err := x.s.resolve(kind.SecurityGroup, r.GetSecurityGroupId())
	if err != nil {
		return nil, err
	}
	policy, err := x.s.resolve(kind.QosPolicy, r.GetQosPolicyId())
	if err != nil {
		return nil, err
	}
	page, next, err := doList(x.s, kind.Port, r.GetPageToken(), r.GetNetworkId(), func(m *weftv1.Port, network string) bool {
		return is(group, m.SecurityGroups...) && is(policy, m.QosPolicyId) && passes(m, r) && is(network, m.NetworkId) && is(r.GetHost(), m.GetStatus().GetHost(), m.BindingHostId) && is(r.GetDeviceId(), m.DeviceId) && is(r.GetDeviceOwner(), m.DeviceOwner)
	})
	return &weftv1.ListPortsResponse{Ports: page, NextPageToken: next, Revision: x.s.revision}, err
}

type hosts struct {
	weftv1.UnimplementedHostServiceServer
	s *Server
}

func (x hosts) CreateHost(_ context.Context, r *weftv1.CreateHostRequest) (*weftv1.Host, error) {
	return doCreate(x.s, r.GetHost(), r.GetValidateOnly())
}

func (x hosts) GetHost(_ context.Context, r *weftv1.GetHostRequest) (*weftv1.Host, error) {
	return doGet[*weftv1.Host](x.s, kind.Host, r.GetId())
}

func (x hosts) UpdateHost(_ context.Context, r *weftv1.UpdateHostRequest) (*weftv1.Host, error) {
	return doUpdate(x.s, r.GetHost(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x hosts) DeleteHost(_ context.Context, r *weftv1.DeleteHostRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.Host, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x hosts) ListHosts(_ context.Context, r *weftv1.ListHostsRequest) (*weftv1.ListHostsResponse, error) {
	page, next, err := doList(x.s, kind.Host, r.GetPageToken(), "", func(m *weftv1.Host, _ string) bool {
		return passes(m, r)
	})
	return &weftv1.ListHostsResponse{Hosts: page, NextPageToken: next, Revision: x.s.revision}, err
}
