package store

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// CreateRouter adds a router with its gateway and interfaces; see UpdateRouter for what they may leave out.
func (t *Tx) CreateRouter(in *model.Router) (*model.Router, error) {
	r := cloneRouter(in)
	c := checks{kind: state.Routers, violations: r.Validate()}
	if old := t.Router(r.ID); r.ID != "" && old != nil {
		c.take("metadata.id", r.ID, state.Routers, old)
	}
	if err := t.checkRouter(&c, nil, r); err != nil {
		return nil, err
	}
	t.created(&r.Meta)
	if err := t.connect(nil, r); err != nil {
		return nil, err
	}
	t.put(state.Routers, r)
	t.pending.routers.add(r.ID)
	return r, nil
}

// UpdateRouter replaces a router by the whole new value, gateway and interfaces included. expected is the revision that the
// caller saw, or 0 for any.
//
// An interface that the router has already may be given by its subnet or its port alone. A new one is made of its subnet,
// with the gateway_ip; or of a port that belongs to nothing yet, which becomes the router's, and is deleted with the
// interface. A gateway on the same network keeps its port, and its addresses when none are given. Ports keep MAC and address
// when the router becomes distributed or centralised. *ErrInUse: a floating IP, a port forwarding or a route needs what
// would go.
func (t *Tx) UpdateRouter(in *model.Router, expected int64) (*model.Router, error) {
	return t.updateRouter(in, expected, nil)
}

func (t *Tx) updateRouter(in *model.Router, expected int64, rename func(string) string) (*model.Router, error) {
	old := t.Router(in.ID)
	if old == nil {
		return nil, &ErrNotFound{state.Routers, in.ID}
	}
	if err := expect(state.Routers, &old.Meta, expected); err != nil {
		return nil, err
	}
	r := cloneRouter(in)
	c := checks{kind: state.Routers, violations: r.Validate(), rename: rename}
	if err := t.checkRouter(&c, old, r); err != nil {
		return nil, err
	}
	if err := t.connect(old, r); err != nil {
		return nil, err
	}
	if !t.updated(old, r) {
		return old, nil
	}
	t.put(state.Routers, r)
	t.pending.routers.add(r.ID)
	if r.AdminStateUp != old.AdminStateUp || !slices.Equal(r.Interfaces, old.Interfaces) {
		// Without one of its interfaces it may no longer connect the others with what lies behind.
		t.pending.spreadOf(t, r.ID)
	}
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
	var u users
	for _, i := range old.Interfaces {
		u.add(state.Subnets, t.Subnet(i.SubnetID))
	}
	if u.total > 0 {
		return &ErrInUse{Kind: state.Routers, ID: id, By: u.refs, Total: u.total, Remedy: "disconnect it first: weft router remove-subnet"}
	}
	if old.Gateway != nil {
		t.removePort(t.Port(old.Gateway.PortID))
	}
	t.delete(state.Routers, id)
	t.hints.setRule(id, 0)
	t.pending.routers.add(id)
	return nil
}

// AddRouterInterface connects a router with a subnet: by the subnet, or by a port that belongs to nothing yet. Errors are
// about fields of in.
func (t *Tx) AddRouterInterface(routerID string, in model.RouterInterface) (*model.Router, error) {
	old := t.Router(routerID)
	if old == nil {
		return nil, &ErrNotFound{state.Routers, routerID}
	}
	known := model.RouterInterface{SubnetID: in.SubnetID}
	if in.SubnetID == "" {
		known.PortID = in.PortID
	}
	if in != (model.RouterInterface{}) && t.interfaceOf(old, known) >= 0 {
		what := Ref{Kind: state.Subnets, ID: in.SubnetID}
		switch {
		case in.SubnetID == "":
			what = refTo(state.Ports, t.Port(in.PortID))
		case t.Subnet(in.SubnetID) != nil:
			what = refTo(state.Subnets, t.Subnet(in.SubnetID))
		}
		return nil, &ErrAlreadyExists{Kind: state.Routers, Field: named1(in), Value: what.String(), By: refTo(state.Routers, old)}
	}
	r := cloneRouter(old)
	r.Interfaces = append(r.Interfaces, in)
	item := fmt.Sprintf("interfaces[%d]", len(old.Interfaces))
	return t.updateRouter(r, 0, func(field string) string {
		rest, ok := strings.CutPrefix(field, item)
		switch {
		case !ok:
			return field
		case rest == "":
			return "subnet_id"
		}
		return rest[1:]
	})
}

// RemoveRouterInterface disconnects a router from a subnet: by the subnet, or by the interface's port.
func (t *Tx) RemoveRouterInterface(routerID string, in model.RouterInterface) (*model.Router, error) {
	old := t.Router(routerID)
	if old == nil {
		return nil, &ErrNotFound{state.Routers, routerID}
	}
	c := checks{kind: state.Routers}
	r := cloneRouter(old)
	at := t.interfaceOf(old, in)
	switch {
	case in.SubnetID == "" && in.PortID == "":
		c.add("subnet_id", "is missing; give subnet_id or port_id of the interface")
	case at < 0:
		c.add(named1(in), "%s has no such interface", refTo(state.Routers, old))
	default:
		r.Interfaces = slices.Delete(r.Interfaces, at, at+1)
		return t.updateRouter(r, 0, nil)
	}
	return nil, c.err()
}

// named1 is the field by which an interface is named.
func named1(in model.RouterInterface) string {
	if in.SubnetID != "" {
		return "subnet_id"
	}
	return "port_id"
}

// interfaceOf is the index of the router's interface with that port, or on that subnet; -1 when there is none.
func (t *Tx) interfaceOf(r *model.Router, in model.RouterInterface) int {
	return slices.IndexFunc(r.Interfaces, func(i model.RouterInterface) bool {
		if in.PortID != "" && in.PortID != i.PortID {
			return false
		}
		return in.SubnetID == "" || in.SubnetID == i.SubnetID || onSubnet(t.Port(i.PortID), in.SubnetID).IsValid()
	})
}

// onSubnet is the first address that the port has on the subnet.
func onSubnet(p *model.Port, subnet string) netip.Addr {
	for _, f := range p.FixedIPs {
		if f.SubnetID == subnet {
			return f.IP
		}
	}
	return netip.Addr{}
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
