package cloud

import (
	"context"
	"fmt"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// SecurityGroup makes a security group: what Weft gives a new one, which lets everything out, and the rules that are
// wanted.
func (s *Scope) SecurityGroup(ctx context.Context, name string) (*weftv1.SecurityGroup, error) {
	made, err := s.SecurityGroups.CreateSecurityGroup(ctx, &weftv1.CreateSecurityGroupRequest{
		Securitygroup: &weftv1.SecurityGroup{Metadata: &weftv1.Metadata{Name: s.Prefix + name}}})
	if err != nil {
		return nil, fmt.Errorf("create security group %s: %w", name, err)
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.SecurityGroups.DeleteSecurityGroup(ctx, &weftv1.DeleteSecurityGroupRequest{Id: made.GetMetadata().GetId()})
		return gone(err)
	})
	return made, nil
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
