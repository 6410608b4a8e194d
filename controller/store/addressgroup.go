package store

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateAddressGroup adds an address group. Number is chosen.
func (t *Tx) CreateAddressGroup(in *model.AddressGroup) (*model.AddressGroup, error) {
	g := cloneAddressGroup(in)
	c := checks{kind: state.AddressGroups, violations: g.Validate()}
	if old := t.AddressGroup(g.ID); g.ID != "" && old != nil {
		c.take("metadata.id", g.ID, state.AddressGroups, old)
	}
	err := c.err()
	if err != nil {
		return nil, err
	}
	if g.Number, err = t.freeGroupNumber(); err != nil {
		return nil, err
	}
	t.created(&g.Meta)
	t.put(state.AddressGroups, g)
	return g, nil
}

// UpdateAddressGroup replaces an address group by the whole new value. expected is the revision that the caller saw, or 0
// for any.
func (t *Tx) UpdateAddressGroup(in *model.AddressGroup, expected int64) (*model.AddressGroup, error) {
	old := t.AddressGroup(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.AddressGroups, in.ID}
	}
	if err := expect(state.AddressGroups, &old.Meta, expected); err != nil {
		return nil, err
	}
	g := cloneAddressGroup(in)
	g.Number = old.Number
	c := checks{kind: state.AddressGroups, violations: g.Validate()}
	if err := c.err(); err != nil {
		return nil, err
	}
	if !t.updated(old, g) {
		return old, nil
	}
	t.put(state.AddressGroups, g)
	return g, nil
}

// DeleteAddressGroup removes an address group that no rule names.
func (t *Tx) DeleteAddressGroup(id string, expected int64) error {
	old := t.AddressGroup(id)
	if old == nil {
		return &ErrNotFound{state.AddressGroups, id}
	}
	if err := expect(state.AddressGroups, &old.Meta, expected); err != nil {
		return err
	}
	var u users
	for r := range t.RulesAboutAddressGroup(id) {
		u.add(state.SecurityGroupRules, r)
	}
	if err := u.err(state.AddressGroups, id); err != nil {
		return err
	}
	t.delete(state.AddressGroups, id)
	return nil
}

func cloneAddressGroup(in *model.AddressGroup) *model.AddressGroup {
	g := *in
	g.Meta = cloneMeta(g.Meta)
	g.Addresses = cloneSlice(g.Addresses)
	return &g
}
