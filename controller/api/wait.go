package api

import (
	"context"
	"fmt"
	"time"

	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// How long WaitApplied may wait.
const (
	defaultWait = 30 * time.Second
	maxWait     = 10 * time.Minute
)

// WaitApplied implements WeftService.
func (s *Server) WaitApplied(ctx context.Context, req *weftv1.WaitAppliedRequest) (*weftv1.WaitAppliedResponse, error) {
	timeout := defaultWait
	if req.Timeout != nil {
		if err := req.Timeout.CheckValid(); err != nil {
			return nil, s.refuse(invalid("timeout", "%v", err))
		}
		timeout = req.Timeout.AsDuration()
	}
	switch {
	case timeout < 0 || timeout > maxWait:
		return nil, s.refuse(invalid("timeout", "%v is not in 0s..%v", timeout, maxWait))
	case req.Revision < 0:
		return nil, s.refuse(invalid("revision", "%d is negative; 0 stands for the newest", req.Revision))
	}
	_, newest := s.cfg.Store.Snapshot()
	revision := req.Revision
	if revision == 0 {
		revision = newest
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	if revision > newest {
		if err := s.reach(waiting, newest, revision); err != nil {
			return nil, s.refuse(err)
		}
	}
	res := &weftv1.WaitAppliedResponse{Applied: true, Revision: revision}
	for _, lag := range s.cfg.Fleet.WaitApplied(waiting, revision) {
		res.Applied = false
		res.Lagging = append(res.Lagging, &weftv1.HostLag{Host: lag.Host, AppliedRevision: lag.Applied, Reason: lag.Reason})
	}
	if err := ctx.Err(); err != nil {
		return nil, s.refuse(err)
	}
	return res, nil
}

// reach waits until the store has come to a revision that it does not know yet; another controller may have written it.
func (s *Server) reach(ctx context.Context, newest, revision int64) error {
	for b, err := range s.cfg.Store.Watch(ctx, newest) {
		switch {
		case err != nil && ctx.Err() != nil:
			return invalid("revision", "%d has not been written; the newest is %d", revision, newest)
		case err != nil:
			return fmt.Errorf("wait for revision %d: %w", revision, err)
		case b.Revision >= revision:
			return nil
		}
		newest = b.Revision
	}
	return store.ErrClosed
}
