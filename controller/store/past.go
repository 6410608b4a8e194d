package store

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-sdn/weft/controller/state"
)

// extend lengthens the history backwards out of etcd, so that a watcher may resume after a restart of the controller.
// ErrCompacted: etcd has no more either, or it is more than the history may hold.
func (s *Store) extend(ctx context.Context, revision int64) error {
	// All watchers come back at once after a restart; one of them fetches for all.
	s.extending.Lock()
	defer s.extending.Unlock()
	s.history.mu.Lock()
	start := s.history.start
	s.history.mu.Unlock()
	switch {
	case revision >= start:
		return nil
	case revision < 1, start > s.loadedRevision:
		// No store is as old, or the history is full and has begun to forget.
		return ErrCompacted
	}
	older, err := s.past(ctx, revision, start)
	if errors.Is(err, rpctypes.ErrCompacted) {
		return ErrCompacted
	}
	if err != nil {
		return err
	}
	s.history.prepend(revision, start, older)
	if _, _, ok := s.history.since(revision); !ok {
		return ErrCompacted
	}
	return nil
}

// past reads what happened after revision from, up to and including to.
func (s *Store) past(ctx context.Context, from, to int64) ([]moment, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A watch may begin at a compacted revision, without telling what was there before.
	if _, err := s.client.Get(ctx, clockKey, clientv3.WithCountOnly(), clientv3.WithRev(from)); err != nil {
		return nil, s.etcdError(err)
	}
	last := min(to, s.loadedLast)
	if last < to {
		// No key says when it was deleted: see whether any was between the last write and the beginning.
		if err := s.noDeletes(ctx, max(from, last), to); err != nil {
			return nil, err
		}
	}
	if from >= last {
		return nil, nil
	}
	var ms []moment
	changes := 0
	opts := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithRev(from + 1)}
	for res := range s.client.Watch(ctx, prefix, opts...) {
		if err := res.Err(); err != nil {
			return nil, s.etcdError(err)
		}
		for events := res.Events; len(events) > 0; {
			n := oneRevision(events)
			m := moment{revision: events[0].Kv.ModRevision}
			if m.revision > to {
				return ms, nil
			}
			for _, ev := range events[:n] {
				c, ok, err := pastChange(ev)
				if err != nil {
					return nil, err
				}
				if ok {
					m.changes = append(m.changes, c)
				}
			}
			if changes += m.weight(); changes > s.cfg.HistoryChanges {
				return nil, ErrCompacted
			}
			ms = append(ms, m)
			if m.revision >= last {
				return ms, nil
			}
			events = events[n:]
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, &ErrUnavailable{errors.New("etcd ended the watch")}
}

func (s *Store) noDeletes(ctx context.Context, from, to int64) error {
	var counts [2]int64
	for i, revision := range []int64{from, to} {
		res, err := s.client.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly(), clientv3.WithRev(revision))
		if err != nil {
			return s.etcdError(err)
		}
		counts[i] = res.Count
	}
	if counts[0] != counts[1] {
		return ErrCompacted
	}
	return nil
}

// pastChange reads both sides of a change. ok is false for what is not an object.
func pastChange(ev *clientv3.Event) (c state.Change, ok bool, err error) {
	k, key, ok, err := splitKey(string(ev.Kv.Key))
	if err != nil || !ok {
		return state.Change{}, false, nil
	}
	c = state.Change{Kind: k, Key: key}
	if ev.PrevKv != nil {
		if c.Old, err = decode(k, key, ev.PrevKv.Value, ev.PrevKv.ModRevision); err != nil {
			return c, false, fmt.Errorf("history at revision %d: %w", ev.PrevKv.ModRevision, err)
		}
	}
	if ev.Type == mvccpb.PUT {
		if c.New, err = decode(k, key, ev.Kv.Value, ev.Kv.ModRevision); err != nil {
			return c, false, fmt.Errorf("history at revision %d: %w", ev.Kv.ModRevision, err)
		}
	}
	return c, c.Old != nil || c.New != nil, nil
}
