package store

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateFloatingIP adds a floating IP.
func (t *Tx) CreateFloatingIP(in *model.FloatingIP) (*model.FloatingIP, error) {
	f := *in
	f.Meta = cloneMeta(f.Meta)
	t.created(&f.Meta)
	t.put(state.FloatingIPs, &f)
	return &f, nil
}

// UpdateFloatingIP replaces a floating IP by the whole new value. expected is the revision that the caller saw, or 0 for any.
func (t *Tx) UpdateFloatingIP(in *model.FloatingIP, expected int64) (*model.FloatingIP, error) {
	old := t.FloatingIP(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.FloatingIPs, in.ID}
	}
	if err := expect(state.FloatingIPs, &old.Meta, expected); err != nil {
		return nil, err
	}
	f := *in
	f.Meta = cloneMeta(f.Meta)
	if !t.updated(old, &f) {
		return old, nil
	}
	t.put(state.FloatingIPs, &f)
	return &f, nil
}

// DeleteFloatingIP removes a floating IP and its port forwardings.
func (t *Tx) DeleteFloatingIP(id string, expected int64) error {
	old := t.FloatingIP(id)
	if old == nil {
		return &ErrNotFound{state.FloatingIPs, id}
	}
	if err := expect(state.FloatingIPs, &old.Meta, expected); err != nil {
		return err
	}
	t.delete(state.FloatingIPs, id)
	return nil
}
