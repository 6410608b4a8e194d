package store

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreatePortForwarding adds a port forwarding.
func (t *Tx) CreatePortForwarding(in *model.PortForwarding) (*model.PortForwarding, error) {
	f := *in
	f.Meta = cloneMeta(f.Meta)
	t.created(&f.Meta)
	t.put(state.PortForwardings, &f)
	return &f, nil
}

// UpdatePortForwarding replaces a port forwarding by the whole new value. expected is the revision that the caller saw, or 0 for any.
func (t *Tx) UpdatePortForwarding(in *model.PortForwarding, expected int64) (*model.PortForwarding, error) {
	old := t.PortForwarding(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.PortForwardings, in.ID}
	}
	if err := expect(state.PortForwardings, &old.Meta, expected); err != nil {
		return nil, err
	}
	f := *in
	f.Meta = cloneMeta(f.Meta)
	if !t.updated(old, &f) {
		return old, nil
	}
	t.put(state.PortForwardings, &f)
	return &f, nil
}

// DeletePortForwarding removes a port forwarding.
func (t *Tx) DeletePortForwarding(id string, expected int64) error {
	old := t.PortForwarding(id)
	if old == nil {
		return &ErrNotFound{state.PortForwardings, id}
	}
	if err := expect(state.PortForwardings, &old.Meta, expected); err != nil {
		return err
	}
	t.delete(state.PortForwardings, id)
	return nil
}
