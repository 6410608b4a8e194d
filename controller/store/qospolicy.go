package store

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateQoSPolicy adds a QoS policy.
func (t *Tx) CreateQoSPolicy(in *model.QoSPolicy) (*model.QoSPolicy, error) {
	p := cloneQoSPolicy(in)
	c := checks{kind: state.QoSPolicies, violations: p.Validate()}
	if old := t.QoSPolicy(p.ID); p.ID != "" && old != nil {
		c.take("metadata.id", p.ID, state.QoSPolicies, old)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	t.created(&p.Meta)
	t.put(state.QoSPolicies, p)
	return p, nil
}

// UpdateQoSPolicy replaces a QoS policy by the whole new value. expected is the revision that the caller saw, or 0
// for any.
func (t *Tx) UpdateQoSPolicy(in *model.QoSPolicy, expected int64) (*model.QoSPolicy, error) {
	old := t.QoSPolicy(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.QoSPolicies, in.ID}
	}
	if err := expect(state.QoSPolicies, &old.Meta, expected); err != nil {
		return nil, err
	}
	p := cloneQoSPolicy(in)
	c := checks{kind: state.QoSPolicies, violations: p.Validate()}
	if err := c.err(); err != nil {
		return nil, err
	}
	if !t.updated(old, p) {
		return old, nil
	}
	t.put(state.QoSPolicies, p)
	return p, nil
}

// DeleteQoSPolicy removes a QoS policy that no port and no network names.
func (t *Tx) DeleteQoSPolicy(id string, expected int64) error {
	old := t.QoSPolicy(id)
	if old == nil {
		return &ErrNotFound{state.QoSPolicies, id}
	}
	if err := expect(state.QoSPolicies, &old.Meta, expected); err != nil {
		return err
	}
	var u users
	for q := range t.PortsWithQoS(id) {
		u.add(state.Ports, q)
	}
	for n := range t.NetworksWithQoS(id) {
		u.add(state.Networks, n)
	}
	if err := u.err(state.QoSPolicies, id); err != nil {
		return err
	}
	t.delete(state.QoSPolicies, id)
	return nil
}

func cloneQoSPolicy(in *model.QoSPolicy) *model.QoSPolicy {
	p := *in
	p.Meta = cloneMeta(p.Meta)
	p.Rules = cloneSlice(p.Rules)
	return &p
}

// checkQoS refuses a policy that does not exist.
func (t *Tx) checkQoS(c *checks, policy string) {
	if policy != "" && t.QoSPolicy(policy) == nil {
		c.add("qos_policy_id", "qospolicy %q does not exist", policy)
	}
}
