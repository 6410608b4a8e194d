package store

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateRouter adds a router with its gateway and interfaces.
func (t *Tx) CreateRouter(in *model.Router) (*model.Router, error) {
	r := cloneRouter(in)
	t.created(&r.Meta)
	t.put(state.Routers, r)
	return r, nil
}

// UpdateRouter replaces a router by the whole new value, interfaces included. expected is the revision that the caller
// saw, or 0 for any.
func (t *Tx) UpdateRouter(in *model.Router, expected int64) (*model.Router, error) {
	old := t.Router(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.Routers, in.ID}
	}
	if err := expect(state.Routers, &old.Meta, expected); err != nil {
		return nil, err
	}
	r := cloneRouter(in)
	if !t.updated(old, r) {
		return old, nil
	}
	t.put(state.Routers, r)
	return r, nil
}

// DeleteRouter removes a router without interfaces, and its gateway.
func (t *Tx) DeleteRouter(id string, expected int64) error {
	old := t.Router(id)
	if old == nil {
		return &ErrNotFound{state.Routers, id}
	}
	if err := expect(state.Routers, &old.Meta, expected); err != nil {
		return err
	}
	t.delete(state.Routers, id)
	return nil
}

// AddRouterInterface connects a router with a subnet: by the subnet, or by a port that belongs to nothing yet.
func (t *Tx) AddRouterInterface(routerID string, in model.RouterInterface) (*model.Router, error) {
	old := t.Router(routerID)
	if old == nil {
		return nil, &ErrNotFound{state.Routers, routerID}
	}
	r := cloneRouter(old)
	r.Interfaces = append(r.Interfaces, in)
	return t.UpdateRouter(r, 0)
}

// RemoveRouterInterface disconnects a router from a subnet: by the subnet, or by the interface's port.
func (t *Tx) RemoveRouterInterface(routerID string, in model.RouterInterface) (*model.Router, error) {
	old := t.Router(routerID)
	if old == nil {
		return nil, &ErrNotFound{state.Routers, routerID}
	}
	r := cloneRouter(old)
	r.Interfaces = nil
	for _, i := range old.Interfaces {
		if i.SubnetID != in.SubnetID && i.PortID != in.PortID {
			r.Interfaces = append(r.Interfaces, i)
		}
	}
	return t.UpdateRouter(r, 0)
}

func cloneRouter(in *model.Router) *model.Router {
	r := *in
	r.Meta = cloneMeta(r.Meta)
	r.Interfaces = cloneSlice(r.Interfaces)
	r.Routes = cloneSlice(r.Routes)
	if in.Gateway != nil {
		g := *in.Gateway
		g.FixedIPs = cloneSlice(g.FixedIPs)
		r.Gateway = &g
	}
	return &r
}
