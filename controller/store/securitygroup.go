package store

import (
	"fmt"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateSecurityGroup adds a security group, with Neutron's first rules: all egress is allowed. Number is chosen. The first
// security group of a project brings the project's default group with it; one of that name is the default group itself, and
// there can be only one.
func (t *Tx) CreateSecurityGroup(in *model.SecurityGroup) (*model.SecurityGroup, error) {
	g := cloneSecurityGroup(in)
	c := checks{kind: state.SecurityGroups, violations: g.Validate()}
	if old := t.SecurityGroup(g.ID); g.ID != "" && old != nil {
		c.take("metadata.id", g.ID, state.SecurityGroups, old)
	}
	standard := t.defaultGroup(g.ProjectID)
	g.Default = g.Name == model.DefaultSecurityGroup
	switch {
	case g.Default && standard != nil:
		c.take("metadata.name", g.Name, state.SecurityGroups, standard)
	case g.Default && !g.Stateful:
		c.add("stateful", "is false, but the default group of a project is made stateful; leave it out")
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if standard == nil && !g.Default {
		if _, err := t.makeDefaultGroup(g.ProjectID); err != nil {
			return nil, err
		}
	}
	return g, t.makeSecurityGroup(g)
}

// UpdateSecurityGroup replaces a security group by the whole new value. expected is the revision that the caller saw, or 0
// for any. Stateful cannot be changed while ports have the group.
func (t *Tx) UpdateSecurityGroup(in *model.SecurityGroup, expected int64) (*model.SecurityGroup, error) {
	old := t.SecurityGroup(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.SecurityGroups, in.ID}
	}
	if err := expect(state.SecurityGroups, &old.Meta, expected); err != nil {
		return nil, err
	}
	g := cloneSecurityGroup(in)
	g.Number, g.Default = old.Number, old.Default
	c := checks{kind: state.SecurityGroups, violations: g.Validate()}
	immutable(&c, "metadata.project_id", old.ProjectID, g.ProjectID)
	switch {
	case old.Default && g.Name != old.Name:
		c.add("metadata.name", "is %s and cannot be changed: ports of the project that name no group get this one", old.Name)
	case !old.Default && g.Name == model.DefaultSecurityGroup:
		if by := t.defaultGroup(g.ProjectID); by != nil {
			c.take("metadata.name", g.Name, state.SecurityGroups, by)
		}
	}
	if g.Stateful != old.Stateful {
		var u users
		for p := range t.PortsSecuredBy(g.ID) {
			u.add(state.Ports, p)
		}
		c.use("stateful", g.ID, fmt.Sprintf("stateful of %s", refTo(state.SecurityGroups, old)), u)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if !t.updated(old, g) {
		return old, nil
	}
	t.put(state.SecurityGroups, g)
	return g, nil
}

// DeleteSecurityGroup removes a security group with its rules. No port may have it, and no rule of another group may name
// it.
//
// A project's default group stays as long as the project has a secured port or another group, as in Neutron: people give it
// rules of their own, which must not be lost when the last port goes for a while. After that it can be deleted as any other,
// and nothing is left; the next secured port or group makes it anew.
func (t *Tx) DeleteSecurityGroup(id string, expected int64) error {
	old := t.SecurityGroup(id)
	if old == nil {
		return &ErrNotFound{state.SecurityGroups, id}
	}
	if err := expect(state.SecurityGroups, &old.Meta, expected); err != nil {
		return err
	}
	var u users
	for p := range t.PortsSecuredBy(id) {
		u.add(state.Ports, p)
	}
	for r := range t.RulesAboutGroup(id) {
		if r.SecurityGroupID != id {
			u.add(state.SecurityGroupRules, r)
		}
	}
	if err := u.err(state.SecurityGroups, id); err != nil {
		return err
	}
	if old.Default {
		if err := t.projectNeeds(old); err != nil {
			return err
		}
	}
	var rules []string
	for r := range t.RulesOf(id) {
		rules = append(rules, r.ID)
	}
	for _, r := range rules {
		t.delete(state.SecurityGroupRules, r)
	}
	t.delete(state.SecurityGroups, id)
	return nil
}

// projectNeeds says who still needs the default group of a project, without having it.
func (t *Tx) projectNeeds(g *model.SecurityGroup) error {
	var u users
	for o := range t.SecurityGroupsOfProject(g.ProjectID) {
		if o.ID != g.ID {
			u.add(state.SecurityGroups, o)
		}
	}
	for p := range t.Ports() {
		if p.ProjectID == g.ProjectID && p.PortSecurityEnabled {
			u.add(state.Ports, p)
		}
	}
	if u.total == 0 {
		return nil
	}
	return &ErrInUse{Kind: state.SecurityGroups, ID: g.ID, What: fmt.Sprintf("the default group of project %q", g.ProjectID), By: u.refs, Total: u.total}
}

// defaultGroup is the default group of a project, or nil.
func (t *Tx) defaultGroup(project string) *model.SecurityGroup {
	for g := range t.SecurityGroupsOfProject(project) {
		if g.Default {
			return g
		}
	}
	return nil
}

// ensureDefaultGroup returns the default group of a project, and makes it when there is none.
func (t *Tx) ensureDefaultGroup(project string) (*model.SecurityGroup, error) {
	if g := t.defaultGroup(project); g != nil {
		return g, nil
	}
	return t.makeDefaultGroup(project)
}

func (t *Tx) makeDefaultGroup(project string) (*model.SecurityGroup, error) {
	g := &model.SecurityGroup{
		Meta:     model.Meta{Name: model.DefaultSecurityGroup, ProjectID: project, Description: "Default security group"},
		Stateful: true, Default: true,
	}
	return g, t.makeSecurityGroup(g)
}

// makeSecurityGroup stores a group with its first rules: everything may leave, and to members of a default group its members
// may talk.
func (t *Tx) makeSecurityGroup(g *model.SecurityGroup) (err error) {
	if g.Number, err = t.freeGroupNumber(); err != nil {
		return err
	}
	t.created(&g.Meta)
	t.put(state.SecurityGroups, g)
	for _, family := range []string{model.IPv4, model.IPv6} {
		t.makeRule(g, &model.SecurityGroupRule{Direction: model.Egress, EtherType: family})
		if g.Default {
			t.makeRule(g, &model.SecurityGroupRule{Direction: model.Ingress, EtherType: family, RemoteGroupID: g.ID})
		}
	}
	return nil
}

func (t *Tx) makeRule(g *model.SecurityGroup, r *model.SecurityGroupRule) {
	r.ProjectID, r.SecurityGroupID = g.ProjectID, g.ID
	t.created(&r.Meta)
	t.put(state.SecurityGroupRules, r)
	t.given.add(r.ID)
}

func cloneSecurityGroup(in *model.SecurityGroup) *model.SecurityGroup {
	g := *in
	g.Meta = cloneMeta(g.Meta)
	return &g
}
