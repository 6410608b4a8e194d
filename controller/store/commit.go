package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// maxBatch is how many updates share a transaction at most.
	maxBatch = 1024
	// commitTimeout is how long a batch of updates may wait for etcd and for other controllers.
	commitTimeout = 15 * time.Second
	// maxJitter spreads out controllers that got in each other's way.
	maxJitter = 5 * time.Millisecond
)

// request is an update that waits for its turn.
type request struct {
	ctx context.Context
	fn  func(*Tx) error
	// taken is set by whoever comes first: the committer, or the caller who does not want to wait any longer.
	taken atomic.Bool
	done  chan outcome
}

type outcome struct {
	revision int64
	err      error
}

// Update runs the function on the newest state and commits what it changed in one transaction, durably, before it
// returns; by then Snapshot has come at least to the revision returned. When the function changes nothing, nothing is
// written. Updates that arrive together share a transaction, but each fails or succeeds by itself.
//
// The function may be run several times and must have no effects but on Tx and on variables that it sets anew in each
// run. When it returns an error, nothing of it is written (so any error can be used to try things out), and Update
// returns that error as it is. Else the error is *ErrConflict (other controllers always came first), *ErrTooLarge,
// *ErrReadOnly, *ErrUnavailable, ErrClosed, or ctx's while the update still waits for its turn.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) (revision int64, err error) {
	r := &request{ctx: ctx, fn: fn, done: make(chan outcome, 1)}
	select {
	case s.requests <- r:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-s.closing:
		return 0, ErrClosed
	}
	select {
	case out := <-r.done:
		return out.revision, out.err
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return 0, ctx.Err()
		}
	case <-s.closing:
		if r.taken.CompareAndSwap(false, true) {
			return 0, ErrClosed
		}
	}
	out := <-r.done
	return out.revision, out.err
}

// commitAll serves the updates until ctx is done. First it puts right what does not fit what this controller would have
// done: its configuration may be another than that of who wrote it.
func (s *Store) commitAll(ctx context.Context) {
	s.putRight(ctx, (*Tx).everything)
	for {
		for !s.left.empty() && ctx.Err() == nil {
			left := s.left
			s.left = pending{}
			s.putRight(ctx, func(tx *Tx) { tx.pending.join(left) })
		}
		var batch []*request
		select {
		case r := <-s.requests:
			batch = append(batch, r)
		case <-ctx.Done():
			return
		}
		for more := true; more && len(batch) < maxBatch; {
			select {
			case r := <-s.requests:
				batch = append(batch, r)
			default:
				more = false
			}
		}
		waiting := batch[:0]
		for _, r := range batch {
			if r.taken.CompareAndSwap(false, true) {
				waiting = append(waiting, r)
			}
		}
		for len(waiting) > 0 {
			waiting = s.commitSome(ctx, waiting)
		}
	}
}

// putRight runs an update of the store's own, which only says what is pending.
func (s *Store) putRight(ctx context.Context, what func(*Tx)) {
	r := &request{ctx: ctx, fn: func(tx *Tx) error { what(tx); return nil }, done: make(chan outcome, 1)}
	s.commitSome(ctx, []*request{r})
	if out := <-r.done; out.err != nil && ctx.Err() == nil {
		s.log.Warn("cannot put routers and DHCP servers where they belong; the next change of a host tries again", "err", out.err)
	}
}

// commitSome settles as many of the requests as fit into one transaction, the first at least, and returns the others.
func (s *Store) commitSome(ctx context.Context, batch []*request) (rest []*request) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.embedded != nil {
		defer context.AfterFunc(s.embedded.breaker.alive, cancel)()
	}
	for timed := false; ; {
		base, _ := s.history.now()
		o := newOverlay(&s.cfg, base, s.hints)
		n := 0
		failed := make([]error, 0, len(batch))
		for _, r := range batch {
			fits, err := o.run(r.fn)
			if !fits {
				break
			}
			failed = append(failed, err)
			n++
		}
		if !timed {
			// It is etcd and the others that may take too long; the functions take what they take.
			timed = true
			ctx, cancel = context.WithTimeout(ctx, commitTimeout)
			defer cancel()
		}
		revision, err := s.commit(ctx, o)
		if errors.Is(err, errMoved) {
			continue
		}
		if err == nil {
			o.hints.join()
			s.left.join(o.left)
		}
		for i, r := range batch[:n] {
			switch {
			case err != nil:
				r.done <- outcome{err: err}
			case failed[i] != nil:
				r.done <- outcome{err: failed[i]}
			default:
				r.done <- outcome{revision: revision}
			}
		}
		return batch[n:]
	}
}

// errMoved says that somebody else came first: the functions must run again on the newer state.
var errMoved = errors.New("the state has moved on")

// sent is a transaction on its way to etcd. When etcd tells of it, and nothing else has happened since it began, its state is
// the newest one as it is: to read from etcd what was sent there would take as long as to make it.
type sent struct {
	id      string
	overlay *overlay
}

// commit makes an overlay durable, provided that nobody has written since its base, and waits until the state has it.
// An overlay without writes needs the same proof, for what its functions found (or found missing) to be true.
func (s *Store) commit(ctx context.Context, o *overlay) (revision int64, err error) {
	if len(o.writes) == 0 {
		res, err := s.client.Get(ctx, clockKey)
		if err != nil {
			return 0, s.etcdError(err)
		}
		if clock := modRevision(res); clock != o.base.clock {
			return 0, s.catchUp(ctx, o.base.clock, clock)
		}
		return o.base.revision, nil
	}
	id := uuid.NewString()
	ops := make([]clientv3.Op, 0, len(o.writes)+1)
	for _, w := range o.sorted() {
		if w.value == nil {
			ops = append(ops, clientv3.OpDelete(w.key))
		} else {
			ops = append(ops, clientv3.OpPut(w.key, string(w.value)))
		}
	}
	ops = append(ops, clientv3.OpPut(clockKey, id))
	conditions := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(clockKey), "=", o.base.clock)}
	instead := []clientv3.Op{clientv3.OpGet(clockKey)}
	f := s.fence.Load()
	if f != nil {
		conditions, instead = append(conditions, f.held()), append(instead, clientv3.OpGet(f.key))
	}
	s.sent.Store(&sent{id, o})
	defer s.sent.Store(nil)
	for lost := false; ; {
		res, err := s.client.Txn(ctx).
			If(conditions...).
			Then(ops...).
			Else(instead...).
			Commit()
		switch {
		case err != nil && ambiguous(err) && ctx.Err() == nil:
			// It may have been committed, or may yet be. To send it again is safe: it can only succeed once.
			lost = true
			pause(ctx, retryPause)
			continue
		case err != nil:
			return 0, s.etcdError(err)
		case res.Succeeded:
			return res.Header.Revision, s.wait(ctx, res.Header.Revision)
		}
		clock := modRevision((*clientv3.GetResponse)(res.Responses[0].GetResponseRange()))
		if f != nil && createRevision((*clientv3.GetResponse)(res.Responses[1].GetResponseRange())) != f.revision && !lost {
			return 0, &ErrUnavailable{ErrDeposed}
		}
		moved := s.catchUp(ctx, o.base.clock, clock)
		if !lost {
			return 0, moved
		}
		// Who came first may have been this very transaction.
		switch m, ok := s.history.successor(o.base.clock); {
		case !ok:
			return 0, &ErrUnavailable{errors.New("an answer of etcd was lost, and it is not known whether the change was made")}
		case m.writer == id:
			return m.revision, nil
		}
		return 0, moved
	}
}

func createRevision(res *clientv3.GetResponse) int64 {
	if len(res.Kvs) == 0 {
		return 0
	}
	return res.Kvs[0].CreateRevision
}

func modRevision(res *clientv3.GetResponse) int64 {
	if len(res.Kvs) == 0 {
		return 0
	}
	return res.Kvs[0].ModRevision
}

// catchUp waits until the state has a clock that somebody else wrote, and says errMoved.
func (s *Store) catchUp(ctx context.Context, known, clock int64) error {
	if clock != 0 && clock < known {
		return &ErrReadOnly{Why: "etcd has gone back to an older state (a restored backup?): restart the controller"}
	}
	if err := s.wait(ctx, clock); err != nil {
		return err
	}
	pause(ctx, rand.N(maxJitter))
	if ctx.Err() != nil {
		return &ErrConflict{Why: "other controllers kept changing the store; try again"}
	}
	return errMoved
}

// wait returns when the state has come to a revision.
func (s *Store) wait(ctx context.Context, revision int64) error {
	for {
		now, moved := s.history.now()
		if now.revision >= revision {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return s.etcdError(fmt.Errorf("the state did not come to revision %d: %w", revision, ctx.Err()))
		}
	}
}

// ambiguous says whether a transaction that failed so may have been committed all the same.
func ambiguous(err error) bool {
	for _, definite := range []error{
		rpctypes.ErrNoSpace, rpctypes.ErrRequestTooLarge, rpctypes.ErrTooManyOps, rpctypes.ErrTooManyRequests,
		rpctypes.ErrCorrupt, rpctypes.ErrPermissionDenied, rpctypes.ErrUserEmpty, rpctypes.ErrInvalidAuthToken,
	} {
		if errors.Is(err, definite) {
			return false
		}
	}
	return true
}

// etcdError makes one of this package's errors out of what the etcd client said.
func (s *Store) etcdError(err error) error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	if s.embedded != nil && s.embedded.breaker.alive.Err() != nil {
		return s.broken()
	}
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		select {
		case s.full <- struct{}{}:
		default:
		}
		return &ErrReadOnly{Why: "the store is full: " + s.fullRemedy()}
	case errors.Is(err, rpctypes.ErrRequestTooLarge), errors.Is(err, rpctypes.ErrTooManyOps):
		return fmt.Errorf("etcd refuses a transaction of %d operations or %d bytes, as many as the controller is configured for: %w",
			s.cfg.MaxTxnOps, s.cfg.MaxTxnBytes, err)
	}
	return &ErrUnavailable{err}
}

func (s *Store) broken() error {
	why := s.embedded.breaker.reason
	return &ErrReadOnly{Why: fmt.Sprintf("data directory %s: etcd has stopped: %s: repair the disk or free space, then restart the controller",
		s.cfg.DataDir, why)}
}

func (s *Store) fullRemedy() string {
	if s.embedded != nil {
		return fmt.Sprintf("data directory %s has reached its quota: restart the controller with a larger --store-quota", s.cfg.DataDir)
	}
	return "compact and defragment etcd, raise its --quota-backend-bytes, and disarm the alarm"
}
