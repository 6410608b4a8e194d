package api

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// comparedAtOnce is how many hosts are compared at a time; a comparison holds a bridge's whole table.
const comparedAtOnce = 8

// controllers are those that share the store. While it does not answer nobody knows, and all else is told without.
func (s *Server) controllers(ctx context.Context) []*weftv1.Controller {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	members, err := s.cfg.Store.Members(ctx)
	if err != nil {
		s.log.Warn("the controllers that share the store are not known", "err", err)
	}
	var all []*weftv1.Controller
	for _, m := range members {
		all = append(all, &weftv1.Controller{Name: m.Name, Version: m.Version, Leader: m.Leader, ApiAddresses: m.API, JoinTime: timestamppb.New(m.Since)})
	}
	return all
}

// GetStatus implements DiagnosticsService.
func (s *Server) GetStatus(ctx context.Context, _ *weftv1.GetStatusRequest) (*weftv1.GetStatusResponse, error) {
	sight := s.sight()
	res := &weftv1.GetStatusResponse{
		Version:         s.cfg.Version,
		Revision:        sight.revision,
		Store:           s.cfg.StoreKind,
		Objects:         map[string]int64{},
		UnknownSwitches: s.cfg.Fleet.UnknownSwitches(),
		StartTime:       timestamppb.New(s.started),
	}
	slices.Sort(res.UnknownSwitches)
	res.Controllers = s.controllers(ctx)
	for _, k := range kinds {
		res.Objects[store.Singular(k)] = int64(sight.Len(k))
	}
	for h := range sight.Hosts() {
		p := hosts.answer(sight, h, 0)
		for _, b := range p.Status.Bridges {
			res.DriftRepaired += b.DriftRepaired
		}
		res.Hosts = append(res.Hosts, p)
		for b := range sight.BindingsOn(h.ID) {
			p, st := sight.Port(b.PortID), sight.PortState(b.PortID)
			if st != nil && p != nil && portWord(sight, p, b, st) == model.PortActive {
				res.PortsActive++
			}
		}
	}
	return res, nil
}

// ListDrift implements DiagnosticsService.
func (s *Server) ListDrift(ctx context.Context, req *weftv1.ListDriftRequest) (*weftv1.ListDriftResponse, error) {
	sight := s.sight()
	var names []string
	if req.Host != "" {
		h, err := find(sight.Snapshot, state.Hosts, req.Host, nil)
		if err != nil {
			return nil, s.refuse(err)
		}
		names = []string{state.Key(h)}
	} else {
		for h := range sight.Hosts() {
			names = append(names, h.ID)
		}
	}
	owners := s.owners(sight.Snapshot)
	res := &weftv1.ListDriftResponse{Errors: map[string]string{}}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(comparedAtOnce)
	found := make([][]report.Drift, len(names))
	for i, name := range names {
		g.Go(func() error {
			ds, err := s.cfg.Fleet.Drift(ctx, name)
			if err != nil {
				mu.Lock()
				res.Errors[name] = err.Error()
				mu.Unlock()
			}
			found[i] = ds
			return nil
		})
	}
	// Errors are part of the answer.
	_ = g.Wait()
	if err := ctx.Err(); err != nil && len(res.Errors) == len(names) {
		return nil, s.refuse(err)
	}
	for _, d := range slices.Concat(found...) {
		res.Drifts = append(res.Drifts, &weftv1.Drift{Host: d.Host, Bridge: d.Bridge, Kind: d.Kind, Flow: d.Text,
			Owner: owners.one(d.Cookie), Action: d.Action})
	}
	return res, nil
}
