package store

import (
	"fmt"
	"net/netip"
	"reflect"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateSecurityGroupRule adds a rule to a security group, which must not have one that says the same. But a rule that the
// group was made with in the same transaction gives way: what was exported can be made again, with all of its ids.
func (t *Tx) CreateSecurityGroupRule(in *model.SecurityGroupRule) (*model.SecurityGroupRule, error) {
	r := cloneRule(in)
	c := checks{kind: state.SecurityGroupRules, violations: r.Validate()}
	if old := t.SecurityGroupRule(r.ID); r.ID != "" && old != nil {
		c.take("metadata.id", r.ID, state.SecurityGroupRules, old)
	}
	replaced := t.checkRule(&c, &model.SecurityGroupRule{}, r)
	if err := c.err(); err != nil {
		return nil, err
	}
	if replaced != "" {
		t.delete(state.SecurityGroupRules, replaced)
	}
	t.created(&r.Meta)
	t.put(state.SecurityGroupRules, r)
	return r, nil
}

// UpdateSecurityGroupRule replaces a rule by the whole new value. expected is the revision that the caller saw, or 0 for any.
// The security group cannot be changed.
func (t *Tx) UpdateSecurityGroupRule(in *model.SecurityGroupRule, expected int64) (*model.SecurityGroupRule, error) {
	old := t.SecurityGroupRule(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.SecurityGroupRules, in.ID}
	}
	if err := expect(state.SecurityGroupRules, &old.Meta, expected); err != nil {
		return nil, err
	}
	r := cloneRule(in)
	c := checks{kind: state.SecurityGroupRules, violations: r.Validate()}
	immutable(&c, "security_group_id", old.SecurityGroupID, r.SecurityGroupID)
	replaced := ""
	if r.SecurityGroupID == old.SecurityGroupID {
		replaced = t.checkRule(&c, old, r)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if !t.updated(old, r) {
		return old, nil
	}
	if replaced != "" {
		t.delete(state.SecurityGroupRules, replaced)
	}
	t.put(state.SecurityGroupRules, r)
	return r, nil
}

// DeleteSecurityGroupRule removes a rule.
func (t *Tx) DeleteSecurityGroupRule(id string, expected int64) error {
	old := t.SecurityGroupRule(id)
	if old == nil {
		return &ErrNotFound{state.SecurityGroupRules, id}
	}
	if err := expect(state.SecurityGroupRules, &old.Meta, expected); err != nil {
		return err
	}
	t.delete(state.SecurityGroupRules, id)
	return nil
}

// checkRule refuses groups that do not exist, and a rule that the group has already. Old is the rule as it was; the zero rule
// when it is new. It returns the id of a rule that has to give way, or "".
func (t *Tx) checkRule(c *checks, old, r *model.SecurityGroupRule) (replaced string) {
	g := t.SecurityGroup(r.SecurityGroupID)
	if g == nil && r.SecurityGroupID != "" {
		c.add("security_group_id", "securitygroup %q does not exist", r.SecurityGroupID)
	}
	if r.RemoteGroupID != "" && t.SecurityGroup(r.RemoteGroupID) == nil {
		c.add("remote_group_id", "securitygroup %q does not exist", r.RemoteGroupID)
	}
	if r.RemoteAddressGroupID != "" && t.AddressGroup(r.RemoteAddressGroupID) == nil {
		c.add("remote_address_group_id", "addressgroup %q does not exist", r.RemoteAddressGroupID)
	}
	if g == nil || len(c.violations) > 0 {
		return ""
	}
	for o := range t.RulesOf(g.ID) {
		if o.ID != r.ID && reflect.DeepEqual(essence(o), essence(r)) {
			if t.given[o.ID] {
				replaced = o.ID
				continue
			}
			c.take(narrowest(old, r), fmt.Sprintf("the rule %q of %s", r.Traffic(), refTo(state.SecurityGroups, g)), state.SecurityGroupRules, o)
			return ""
		}
	}
	return replaced
}

// narrowest is the field that makes most of the difference between what two rules allow: the one to change in a rule that says
// what another says already.
func narrowest(old, r *model.SecurityGroupRule) string {
	for _, f := range []struct {
		name  string
		value func(*model.SecurityGroupRule) any
	}{
		{"remote_ip_prefix", func(r *model.SecurityGroupRule) any { return r.RemoteIPPrefix }},
		{"remote_group_id", func(r *model.SecurityGroupRule) any { return r.RemoteGroupID }},
		{"remote_address_group_id", func(r *model.SecurityGroupRule) any { return r.RemoteAddressGroupID }},
		{"port_range_min", func(r *model.SecurityGroupRule) any { return r.PortRangeMin }},
		{"port_range_max", func(r *model.SecurityGroupRule) any { return r.PortRangeMax }},
		{"protocol", func(r *model.SecurityGroupRule) any { return r.Protocol }},
		{"direction", func(r *model.SecurityGroupRule) any { return r.Direction }},
	} {
		if !reflect.DeepEqual(f.value(old), f.value(r)) {
			return f.name
		}
	}
	return "ethertype"
}

// essence is what a rule allows, without what it is called. All addresses are the same as any.
func essence(r *model.SecurityGroupRule) model.SecurityGroupRule {
	e := *r
	e.Meta = model.Meta{}
	if e.Anybody() {
		e.RemoteIPPrefix = netip.Prefix{}
	}
	return e
}

func cloneRule(in *model.SecurityGroupRule) *model.SecurityGroupRule {
	r := *in
	r.Meta = cloneMeta(r.Meta)
	r.Protocol = clonePointer(r.Protocol)
	r.PortRangeMin = clonePointer(r.PortRangeMin)
	r.PortRangeMax = clonePointer(r.PortRangeMax)
	return &r
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
