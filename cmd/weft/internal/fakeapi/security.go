package fakeapi

import (
	"context"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

type securityGroups struct {
	weftv1.UnimplementedSecurityGroupServiceServer
	s *Server
}

func (x securityGroups) CreateSecurityGroup(_ context.Context, r *weftv1.CreateSecurityGroupRequest) (*weftv1.SecurityGroup, error) {
	return doCreate(x.s, r.GetSecuritygroup(), r.GetValidateOnly())
}

func (x securityGroups) GetSecurityGroup(_ context.Context, r *weftv1.GetSecurityGroupRequest) (*weftv1.SecurityGroup, error) {
	return doGet[*weftv1.SecurityGroup](x.s, kind.SecurityGroup, r.GetId())
}

func (x securityGroups) UpdateSecurityGroup(_ context.Context, r *weftv1.UpdateSecurityGroupRequest) (*weftv1.SecurityGroup, error) {
	return doUpdate(x.s, r.GetSecuritygroup(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x securityGroups) DeleteSecurityGroup(_ context.Context, r *weftv1.DeleteSecurityGroupRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.SecurityGroup, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x securityGroups) ListSecurityGroups(_ context.Context, r *weftv1.ListSecurityGroupsRequest) (*weftv1.ListSecurityGroupsResponse, error) {
	page, next, err := doList(x.s, kind.SecurityGroup, r.GetPageToken(), "", func(m *weftv1.SecurityGroup, _ string) bool { return passes(m, r) })
	return &weftv1.ListSecurityGroupsResponse{Securitygroups: page, NextPageToken: next, Revision: x.s.revision}, err
}

type securityGroupRules struct {
	weftv1.UnimplementedSecurityGroupRuleServiceServer
	s *Server
}

func (x securityGroupRules) CreateSecurityGroupRule(_ context.Context, r *weftv1.CreateSecurityGroupRuleRequest) (*weftv1.SecurityGroupRule, error) {
	return doCreate(x.s, r.GetSecuritygrouprule(), r.GetValidateOnly())
}

func (x securityGroupRules) GetSecurityGroupRule(_ context.Context, r *weftv1.GetSecurityGroupRuleRequest) (*weftv1.SecurityGroupRule, error) {
	return doGet[*weftv1.SecurityGroupRule](x.s, kind.SecurityGroupRule, r.GetId())
}

func (x securityGroupRules) UpdateSecurityGroupRule(_ context.Context, r *weftv1.UpdateSecurityGroupRuleRequest) (*weftv1.SecurityGroupRule, error) {
	return doUpdate(x.s, r.GetSecuritygrouprule(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x securityGroupRules) DeleteSecurityGroupRule(_ context.Context, r *weftv1.DeleteSecurityGroupRuleRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.SecurityGroupRule, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x securityGroupRules) ListSecurityGroupRules(_ context.Context, r *weftv1.ListSecurityGroupRulesRequest) (*weftv1.ListSecurityGroupRulesResponse, error) {
	group, err := x.s.resolve(kind.SecurityGroup, r.GetSecurityGroupId())
	if err != nil {
		return nil, err
	}
	remote, err := x.s.resolve(kind.SecurityGroup, r.GetRemoteGroupId())
	if err != nil {
		return nil, err
	}
	addresses, err := x.s.resolve(kind.AddressGroup, r.GetRemoteAddressGroupId())
	if err != nil {
		return nil, err
	}
	page, next, err := doList(x.s, kind.SecurityGroupRule, r.GetPageToken(), "", func(m *weftv1.SecurityGroupRule, _ string) bool {
		return passes(m, r) && is(group, m.SecurityGroupId) && is(remote, m.RemoteGroupId) && is(addresses, m.RemoteAddressGroupId) && is(r.GetDirection(), m.Direction)
	})
	return &weftv1.ListSecurityGroupRulesResponse{Securitygrouprules: page, NextPageToken: next, Revision: x.s.revision}, err
}

type addressGroups struct {
	weftv1.UnimplementedAddressGroupServiceServer
	s *Server
}

func (x addressGroups) CreateAddressGroup(_ context.Context, r *weftv1.CreateAddressGroupRequest) (*weftv1.AddressGroup, error) {
	return doCreate(x.s, r.GetAddressgroup(), r.GetValidateOnly())
}

func (x addressGroups) GetAddressGroup(_ context.Context, r *weftv1.GetAddressGroupRequest) (*weftv1.AddressGroup, error) {
	return doGet[*weftv1.AddressGroup](x.s, kind.AddressGroup, r.GetId())
}

func (x addressGroups) UpdateAddressGroup(_ context.Context, r *weftv1.UpdateAddressGroupRequest) (*weftv1.AddressGroup, error) {
	return doUpdate(x.s, r.GetAddressgroup(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x addressGroups) DeleteAddressGroup(_ context.Context, r *weftv1.DeleteAddressGroupRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.AddressGroup, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x addressGroups) ListAddressGroups(_ context.Context, r *weftv1.ListAddressGroupsRequest) (*weftv1.ListAddressGroupsResponse, error) {
	page, next, err := doList(x.s, kind.AddressGroup, r.GetPageToken(), "", func(m *weftv1.AddressGroup, _ string) bool { return passes(m, r) })
	return &weftv1.ListAddressGroupsResponse{Addressgroups: page, NextPageToken: next, Revision: x.s.revision}, err
}

func completeSecurityGroup(g *weftv1.SecurityGroup) []*errdetails.BadRequest_FieldViolation {
	if g.Stateful == nil {
		g.Stateful = proto.Bool(true)
	}
	return nil
}

func completeRule(o objects, r *weftv1.SecurityGroupRule) []*errdetails.BadRequest_FieldViolation {
	_, bad := refer(o, kind.SecurityGroup, &r.SecurityGroupId, "security_group_id")
	_, wrong := refer(o, kind.SecurityGroup, &r.RemoteGroupId, "remote_group_id")
	bad = append(bad, wrong...)
	_, wrong = refer(o, kind.AddressGroup, &r.RemoteAddressGroupId, "remote_address_group_id")
	bad = append(bad, wrong...)
	if r.Ethertype == "" {
		r.Ethertype = "IPv4"
	}
	if r.Direction != "ingress" && r.Direction != "egress" {
		bad = append(bad, violation("direction", fmt.Sprintf("%q is unknown; choose ingress or egress", r.Direction)))
	}
	return bad
}

// GetPortRules answers what was put there.
func (s *Server) GetPortRules(_ context.Context, r *weftv1.GetPortRulesRequest) (*weftv1.GetPortRulesResponse, error) {
	s.Asked = r
	m, err := find(s.state, kind.Port, r.GetPort())
	if err != nil {
		return nil, err
	}
	if resp := s.Rules[kind.Ref(m)]; resp != nil {
		return resp, nil
	}
	return &weftv1.GetPortRulesResponse{Port: refTo(m), Message: "port_security_enabled is false: everything passes"}, nil
}
