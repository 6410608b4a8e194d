package api

import (
	"cmp"
	"context"
	"iter"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// defaultPortSecurity is what networks have that do not say port_security_enabled.
const defaultPortSecurity = true

var securityGroups = &resource[model.SecurityGroup, *weftv1.SecurityGroup]{
	kind:   state.SecurityGroups,
	fields: writable("securitygroup", (*weftv1.SecurityGroup)(nil).ProtoReflect().Descriptor()),
	spell: func(g *model.SecurityGroup) *weftv1.SecurityGroup {
		return &weftv1.SecurityGroup{Metadata: spellMeta(&g.Meta), Stateful: proto.Bool(g.Stateful)}
	},
	read: func(r *reading, in *weftv1.SecurityGroup) *model.SecurityGroup {
		return &model.SecurityGroup{Meta: r.meta(in.Metadata), Stateful: unset(in.Stateful, true)}
	},
	status: func(s *sight, g *model.SecurityGroup, p *weftv1.SecurityGroup) {
		p.Status = &weftv1.SecurityGroupStatus{IsDefault: g.Default}
		for range s.PortsSecuredBy(g.ID) {
			p.Status.Ports++
		}
		for range s.RulesOf(g.ID) {
			p.Status.Rules++
		}
	},
	scope: func(_ *reading, in *weftv1.SecurityGroup) func(any) bool {
		return ofProject(in.GetMetadata().GetProjectId())
	},
	create: (*store.Tx).CreateSecurityGroup,
	update: (*store.Tx).UpdateSecurityGroup,
	remove: (*store.Tx).DeleteSecurityGroup,
}

var addressGroups = &resource[model.AddressGroup, *weftv1.AddressGroup]{
	kind:   state.AddressGroups,
	fields: writable("addressgroup", (*weftv1.AddressGroup)(nil).ProtoReflect().Descriptor()),
	spell: func(g *model.AddressGroup) *weftv1.AddressGroup {
		p := &weftv1.AddressGroup{Metadata: spellMeta(&g.Meta)}
		for _, a := range g.Addresses {
			p.Addresses = append(p.Addresses, a.String())
		}
		return p
	},
	read: func(r *reading, in *weftv1.AddressGroup) *model.AddressGroup {
		g := &model.AddressGroup{Meta: r.meta(in.Metadata)}
		if n := len(in.Addresses); n > model.MaxGroupAddresses {
			r.add("addresses", "has %d items; at most %d are allowed", n, model.MaxGroupAddresses)
			return g
		}
		for i, a := range in.Addresses {
			g.Addresses = append(g.Addresses, r.addrOrPrefix(entry("addresses", i), a))
		}
		return g
	},
	scope: func(_ *reading, in *weftv1.AddressGroup) func(any) bool {
		return ofProject(in.GetMetadata().GetProjectId())
	},
	create: (*store.Tx).CreateAddressGroup,
	update: (*store.Tx).UpdateAddressGroup,
	remove: (*store.Tx).DeleteAddressGroup,
}

// ofProject holds for the objects of a project; empty is the default one.
func ofProject(project string) func(any) bool {
	project = cmp.Or(project, defaultProject)
	return func(obj any) bool { return projectOf(obj) == project }
}

// groupRef finds a group that an object of a project refers to: by its id in any project, by its name in the object's own.
func (r *reading) groupRef(field string, k state.Kind, ref, project string) string {
	return r.ref(field, k, ref, ofProject(project))
}

// CreateSecurityGroup implements SecurityGroupService.
func (s *Server) CreateSecurityGroup(ctx context.Context, req *weftv1.CreateSecurityGroupRequest) (*weftv1.SecurityGroup, error) {
	return create(ctx, s, securityGroups, req.Securitygroup, req.ValidateOnly)
}

// GetSecurityGroup implements SecurityGroupService.
func (s *Server) GetSecurityGroup(_ context.Context, req *weftv1.GetSecurityGroupRequest) (*weftv1.SecurityGroup, error) {
	return get(s, securityGroups, req.Id)
}

// ListSecurityGroups implements SecurityGroupService.
func (s *Server) ListSecurityGroups(_ context.Context, req *weftv1.ListSecurityGroupsRequest) (*weftv1.ListSecurityGroupsResponse, error) {
	return list(s, securityGroups, req, func(snap state.Snapshot) (iter.Seq[*model.SecurityGroup], error) {
		return snap.SecurityGroups(), nil
	}, func(page []*weftv1.SecurityGroup, next string, rev int64) *weftv1.ListSecurityGroupsResponse {
		return &weftv1.ListSecurityGroupsResponse{Securitygroups: page, NextPageToken: next, Revision: rev}
	})
}

// UpdateSecurityGroup implements SecurityGroupService.
func (s *Server) UpdateSecurityGroup(ctx context.Context, req *weftv1.UpdateSecurityGroupRequest) (*weftv1.SecurityGroup, error) {
	return update(ctx, s, securityGroups, req.Securitygroup, req)
}

// DeleteSecurityGroup implements SecurityGroupService.
func (s *Server) DeleteSecurityGroup(ctx context.Context, req *weftv1.DeleteSecurityGroupRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, securityGroups, req)
}

// CreateAddressGroup implements AddressGroupService.
func (s *Server) CreateAddressGroup(ctx context.Context, req *weftv1.CreateAddressGroupRequest) (*weftv1.AddressGroup, error) {
	return create(ctx, s, addressGroups, req.Addressgroup, req.ValidateOnly)
}

// GetAddressGroup implements AddressGroupService.
func (s *Server) GetAddressGroup(_ context.Context, req *weftv1.GetAddressGroupRequest) (*weftv1.AddressGroup, error) {
	return get(s, addressGroups, req.Id)
}

// ListAddressGroups implements AddressGroupService.
func (s *Server) ListAddressGroups(_ context.Context, req *weftv1.ListAddressGroupsRequest) (*weftv1.ListAddressGroupsResponse, error) {
	return list(s, addressGroups, req, func(snap state.Snapshot) (iter.Seq[*model.AddressGroup], error) {
		return snap.AddressGroups(), nil
	}, func(page []*weftv1.AddressGroup, next string, rev int64) *weftv1.ListAddressGroupsResponse {
		return &weftv1.ListAddressGroupsResponse{Addressgroups: page, NextPageToken: next, Revision: rev}
	})
}

// UpdateAddressGroup implements AddressGroupService.
func (s *Server) UpdateAddressGroup(ctx context.Context, req *weftv1.UpdateAddressGroupRequest) (*weftv1.AddressGroup, error) {
	return update(ctx, s, addressGroups, req.Addressgroup, req)
}

// DeleteAddressGroup implements AddressGroupService.
func (s *Server) DeleteAddressGroup(ctx context.Context, req *weftv1.DeleteAddressGroupRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, addressGroups, req)
}
