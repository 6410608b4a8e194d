package cloud

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// openGroup is a group that lets everything in, made for the first who needs it.
func (s *Scope) openGroup(ctx context.Context) (*weftv1.SecurityGroup, error) {
	if s.open != nil {
		return s.open, nil
	}
	g, err := s.SecurityGroup(ctx, "open")
	if err != nil {
		return nil, err
	}
	for _, family := range []string{"IPv4", "IPv6"} {
		if _, err := s.Allow(ctx, g, &weftv1.SecurityGroupRule{Direction: "ingress", Ethertype: family}); err != nil {
			return nil, err
		}
	}
	s.open = g
	return g, nil
}

// SecurityGroup makes a security group: what Weft gives a new one, which lets everything out, and the rules that are
// wanted.
func (s *Scope) SecurityGroup(ctx context.Context, name string) (*weftv1.SecurityGroup, error) {
	return s.SecurityGroupWith(ctx, name, &weftv1.SecurityGroup{})
}

// SecurityGroupWith makes a security group as it is wanted.
func (s *Scope) SecurityGroupWith(ctx context.Context, name string, want *weftv1.SecurityGroup) (*weftv1.SecurityGroup, error) {
	want = proto.CloneOf(want)
	want.Metadata = &weftv1.Metadata{Name: s.Prefix + name}
	made, err := s.SecurityGroups.CreateSecurityGroup(ctx, &weftv1.CreateSecurityGroupRequest{Securitygroup: want})
	if err != nil {
		return nil, fmt.Errorf("create security group %s: %w", name, err)
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.SecurityGroups.DeleteSecurityGroup(ctx, &weftv1.DeleteSecurityGroupRequest{Id: made.GetMetadata().GetId()})
		return gone(err)
	})
	return made, nil
}

// EmptyGroup makes a security group without any rule: nothing may begin.
func (s *Scope) EmptyGroup(ctx context.Context, name string) (*weftv1.SecurityGroup, error) {
	g, err := s.SecurityGroup(ctx, name)
	if err != nil {
		return nil, err
	}
	all, err := s.SecurityGroupRules.ListSecurityGroupRules(ctx, &weftv1.ListSecurityGroupRulesRequest{SecurityGroupId: g.GetMetadata().GetId()})
	if err != nil {
		return nil, fmt.Errorf("rules of %s: %w", name, err)
	}
	for _, r := range all.GetSecuritygrouprules() {
		if _, err := s.SecurityGroupRules.DeleteSecurityGroupRule(ctx, &weftv1.DeleteSecurityGroupRuleRequest{Id: r.GetMetadata().GetId()}); err != nil {
			return nil, fmt.Errorf("delete a rule of %s: %w", name, err)
		}
	}
	return g, nil
}

// Allow adds a rule to a group, which goes with it.
func (s *Scope) Allow(ctx context.Context, g *weftv1.SecurityGroup, want *weftv1.SecurityGroupRule) (*weftv1.SecurityGroupRule, error) {
	want.SecurityGroupId = g.GetMetadata().GetId()
	made, err := s.SecurityGroupRules.CreateSecurityGroupRule(ctx, &weftv1.CreateSecurityGroupRuleRequest{Securitygrouprule: want})
	if err != nil {
		return nil, fmt.Errorf("create a rule of %s: %w", g.GetMetadata().GetName(), err)
	}
	return made, nil
}

// AddressGroup makes a named list of blocks of addresses.
func (s *Scope) AddressGroup(ctx context.Context, name string, addresses ...string) (*weftv1.AddressGroup, error) {
	made, err := s.AddressGroups.CreateAddressGroup(ctx, &weftv1.CreateAddressGroupRequest{
		Addressgroup: &weftv1.AddressGroup{Metadata: &weftv1.Metadata{Name: s.Prefix + name}, Addresses: addresses}})
	if err != nil {
		return nil, fmt.Errorf("create address group %s: %w", name, err)
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.AddressGroups.DeleteAddressGroup(ctx, &weftv1.DeleteAddressGroupRequest{Id: made.GetMetadata().GetId()})
		return gone(err)
	})
	return made, nil
}
