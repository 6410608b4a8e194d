package api

import (
	"context"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// AddRouterInterface implements RouterService.
func (s *Server) AddRouterInterface(ctx context.Context, req *weftv1.AddRouterInterfaceRequest) (*weftv1.AddRouterInterfaceResponse, error) {
	res := &weftv1.AddRouterInterfaceResponse{}
	if req.SubnetId != "" && req.PortId != "" {
		return nil, s.refuse(invalid("port_id", "is given beside subnet_id; give one of them"))
	}
	err := s.changeInterfaces(ctx, req, (*store.Tx).AddRouterInterface, func(before, after *model.Router, was, is *weftv1.Router) {
		res.Router, res.Interface = is, other(is, after, before)
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// RemoveRouterInterface implements RouterService.
func (s *Server) RemoveRouterInterface(ctx context.Context, req *weftv1.RemoveRouterInterfaceRequest) (*weftv1.RemoveRouterInterfaceResponse, error) {
	res := &weftv1.RemoveRouterInterfaceResponse{}
	err := s.changeInterfaces(ctx, req, (*store.Tx).RemoveRouterInterface, func(before, after *model.Router, was, is *weftv1.Router) {
		res.Router, res.Interface = is, other(was, before, after)
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

type interfaceRequest interface {
	GetId() string
	GetSubnetId() string
	GetPortId() string
	GetValidateOnly() bool
}

// changeInterfaces adds or removes the interface that a request names, and shows the router before and after, also when it
// was only a try.
func (s *Server) changeInterfaces(ctx context.Context, req interfaceRequest,
	change func(*store.Tx, string, model.RouterInterface) (*model.Router, error), show func(before, after *model.Router, was, is *weftv1.Router)) error {
	var was, is *weftv1.Router
	var before, after *model.Router
	rev, err := s.write(ctx, req.GetValidateOnly(), func(tx *store.Tx) error {
		rd := newReading(tx.Snapshot)
		obj, err := named(tx.Snapshot, state.Routers, "id", req.GetId())
		if err != nil {
			return err
		}
		before = obj.(*model.Router)
		in := model.RouterInterface{
			SubnetID: rd.ref("subnet_id", state.Subnets, req.GetSubnetId(), nil),
			PortID:   rd.ref("port_id", state.Ports, req.GetPortId(), nil),
		}
		if req.GetSubnetId() == "" && req.GetPortId() == "" {
			rd.add("subnet_id", "is missing; give subnet_id or port_id")
		}
		if rd.failed() {
			return rd.join(nil)
		}
		now := &sight{Snapshot: tx.Snapshot, fleet: s.cfg.Fleet}
		was = routers.answer(now, before, 0)
		if after, err = change(tx, before.ID, in); err != nil {
			return err
		}
		is = routers.answer(now, after, 0)
		return nil
	})
	if err != nil {
		return s.refuse(err)
	}
	if rev != 0 {
		is = routers.answer(s.sight(), after, rev)
	}
	show(before, after, was, is)
	return nil
}

// other is the interface that a router has, as it is spelled, and that it did not have, or has no longer, in the other
// state; nil when there is none.
func other(p *weftv1.Router, has, hasNot *model.Router) *weftv1.RouterInterface {
	for i, in := range has.Interfaces {
		if !slices.Contains(hasNot.Interfaces, in) {
			return p.Interfaces[i]
		}
	}
	return nil
}
