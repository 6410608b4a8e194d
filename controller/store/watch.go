package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/weft-sdn/weft/controller/state"
)

// Batch is what one revision changed. It may be empty.
type Batch struct {
	Revision int64
	// Snapshot is the state at Revision.
	Snapshot state.Snapshot
	Changes  []state.Change
}

// Watch yields the batches after fromRevision, in order and without a gap, and waits for more until ctx is done (it
// then yields ctx.Err()) or the store is closed (ErrClosed). ErrCompacted: see there; it is also given to a reader that
// is too slow. It ends after an error. A slow reader delays nobody.
func (s *Store) Watch(ctx context.Context, fromRevision int64) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if err := s.reach(ctx, fromRevision); err != nil {
			yield(Batch{}, err)
			return
		}
		at := fromRevision
		for {
			moments, moved, ok := s.history.since(at)
			switch {
			case !ok:
				yield(Batch{}, ErrCompacted)
				return
			case len(moments) == 0:
				select {
				case <-moved:
				case <-ctx.Done():
					yield(Batch{}, ctx.Err())
					return
				case <-s.closing:
					yield(Batch{}, ErrClosed)
					return
				}
			default:
				for b, err := range replay(moments) {
					if err == nil {
						err = ctx.Err()
					}
					if !yield(b, err) || err != nil {
						return
					}
					at = b.Revision
				}
			}
		}
	}
}

// reach sees to it that the history begins at or before the revision, and that the store has come so far.
func (s *Store) reach(ctx context.Context, revision int64) error {
	now, _ := s.history.now()
	if revision > now.revision {
		// Another controller on the same etcd may be ahead of this one; but a revision that etcd itself does not
		// know yet was another data directory's.
		res, err := s.client.Get(ctx, clockKey)
		if err != nil {
			return s.etcdError(err)
		}
		if revision > res.Header.Revision {
			return ErrCompacted
		}
		return nil
	}
	if _, _, ok := s.history.since(revision); ok {
		return nil
	}
	return s.extend(ctx, revision)
}

// replay makes batches of moments, of which only the last one still has its state: it goes back by undoing the changes
// and then comes forward again.
func replay(ms []moment) iter.Seq2[Batch, error] {
	last := ms[len(ms)-1]
	return func(yield func(Batch, error) bool) {
		if len(ms) > 1 {
			db := last.state.Fork()
			for i := len(ms) - 1; i >= 0; i-- {
				if err := change(db, ms[i].changes, func(c state.Change) any { return c.Old }); err != nil {
					yield(Batch{}, fmt.Errorf("undo revision %d: %w", ms[i].revision, err))
					return
				}
			}
			for _, m := range ms[:len(ms)-1] {
				if err := change(db, m.changes, func(c state.Change) any { return c.New }); err != nil {
					yield(Batch{}, fmt.Errorf("redo revision %d: %w", m.revision, err))
					return
				}
				if !yield(Batch{m.revision, db.Snapshot(), m.changes}, nil) {
					return
				}
			}
		}
		yield(Batch{last.revision, last.state.Snapshot(), last.changes}, nil)
	}
}

// change puts one side of every change into a state.
func change(db *state.DB, changes []state.Change, side func(state.Change) any) error {
	txn := db.Begin()
	for _, c := range changes {
		var err error
		if obj := side(c); obj == nil {
			err = txn.Delete(c.Kind, c.Key)
		} else {
			err = txn.Put(c.Kind, obj)
		}
		if err != nil {
			txn.Abort()
			return err
		}
	}
	txn.Commit()
	return nil
}
