package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/weft-sdn/weft/controller/state"
)

// retryPause is the time between attempts to follow an etcd that is away.
const retryPause = 200 * time.Millisecond

// loaded is everything at one revision.
type loaded struct {
	db       *state.DB
	revision int64
	clock    int64
	// last is the newest ModRevision of any key; what happened between last and revision can only have been deletes.
	last int64
	// bad are the keys that could not be understood, and are left out.
	bad []error
}

func load(ctx context.Context, client *clientv3.Client) (*loaded, error) {
	res, err := client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("read everything: %w", err)
	}
	found := pairs{}
	for _, kv := range res.Kvs {
		found.add(pair{key: string(kv.Key), value: kv.Value, revision: kv.ModRevision})
	}
	return understand(found, res.Header.Revision, newTurns())
}

// pair is a key of etcd and a value of it.
type pair struct {
	key      string
	value    []byte
	revision int64 // at which the value was written
	gone     bool  // the key was deleted at that revision
}

// pairs are keys by their kind. A key may be there several times.
type pairs map[string][]pair

func (ps pairs) add(p pair) {
	kind, _, _ := strings.Cut(p.key[len(prefix):], "/")
	l := ps[kind]
	if len(l) == cap(l) {
		l = slices.Grow(l, max(len(l), 16)) // append alone would copy them five times
	}
	ps[kind] = append(l, p)
}

// understand makes the state of the newest values of all keys. To decode and to index them is nearly all of the time that a start takes, and
// each kind is a work of its own; the longest one first.
func understand(found pairs, revision int64, turns turns) (*loaded, error) {
	into := state.NewLoad()
	var parts []*loaded
	var g errgroup.Group
	size := func(kind string) (n int) {
		for _, p := range found[kind] {
			n += len(p.value)
		}
		return n
	}
	for _, kind := range slices.SortedFunc(maps.Keys(found), func(a, b string) int { return cmp.Or(size(b)-size(a), strings.Compare(a, b)) }) {
		part := &loaded{}
		parts = append(parts, part)
		turns.take()
		g.Go(func() error {
			defer turns.give()
			return part.take(into, found[kind])
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	l := &loaded{db: into.DB(), revision: revision}
	for _, part := range parts {
		l.clock, l.last, l.bad = max(l.clock, part.clock), max(l.last, part.last), append(l.bad, part.bad...)
	}
	return l, nil
}

// turns lets as many work at a time as there are processors: more would only keep others waiting.
type turns chan struct{}

func newTurns() turns { return make(turns, runtime.GOMAXPROCS(0)) }

func (t turns) take() { t <- struct{}{} }
func (t turns) give() { <-t }

// take takes the keys of one kind.
func (l *loaded) take(into *state.Load, pairs []pair) error {
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.revision, b.revision))
	})
	for i, p := range pairs {
		if p.gone || i+1 < len(pairs) && pairs[i+1].key == p.key {
			continue
		}
		o := p.decode()
		l.last = max(l.last, o.revision)
		switch {
		case o.key == clockKey:
			l.clock = o.revision
		case o.err != nil:
			l.bad = append(l.bad, o.err)
		case o.obj != nil:
			if err := into.Put(o.kind, o.obj); err != nil {
				return err
			}
		}
	}
	return nil
}

// decoded is a key of etcd with the object that it holds, if it holds one.
type decoded struct {
	key      string
	revision int64
	kind     state.Kind
	obj      any
	err      error
}

func (p pair) decode() decoded {
	d := decoded{key: p.key, revision: p.revision}
	k, key, ok, err := splitKey(d.key)
	if d.err = err; !ok {
		return d
	}
	d.kind = k
	d.obj, d.err = decode(k, key, p.value, p.revision)
	return d
}

// follow makes etcd's changes the state, one revision at a time, until ctx is done. It is the only writer of s.db.
func (s *Store) follow(ctx context.Context) {
	away := false
	for ctx.Err() == nil {
		now, _ := s.history.now()
		err := s.followFrom(ctx, now.revision+1, func() {
			if away {
				s.log.Info("etcd is back", "rev", now.revision)
				away = false
			}
		})
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, rpctypes.ErrCompacted) {
			err = s.relist(ctx)
		}
		if err != nil && !away {
			away = true
			s.log.Warn("cannot follow etcd; the state stays as it is until etcd is back", "rev", now.revision, "err", err)
		}
		if err != nil {
			pause(ctx, retryPause)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (s *Store) followFrom(ctx context.Context, revision int64, heard func()) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for res := range s.client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision), clientv3.WithCreatedNotify()) {
		if err := res.Err(); err != nil {
			return err
		}
		heard()
		for events := res.Events; len(events) > 0; {
			n := oneRevision(events)
			if err := s.apply(events[:n]); err != nil {
				return err
			}
			events = events[n:]
		}
	}
	return errors.New("etcd ended the watch")
}

// oneRevision counts the events at the front that belong to one transaction.
func oneRevision(events []*clientv3.Event) int {
	n := 1
	for n < len(events) && events[n].Kv.ModRevision == events[0].Kv.ModRevision {
		n++
	}
	return n
}

// apply commits one revision to the state and tells everybody.
func (s *Store) apply(events []*clientv3.Event) error {
	before, _ := s.history.now()
	m := moment{revision: events[0].Kv.ModRevision}
	clock := before.clock
	for _, ev := range events {
		if string(ev.Kv.Key) == clockKey {
			clock = 0
			if ev.Type == mvccpb.PUT {
				clock, m.clockBefore, m.writer = m.revision, before.clock, string(ev.Kv.Value)
			}
		}
	}
	if own := s.sent.Load(); own != nil && own.id == m.writer && own.overlay.base.revision == before.revision {
		m.changes = own.overlay.committed(m.revision)
		s.db = own.overlay.db
	} else {
		txn := s.db.Begin()
		for _, ev := range events {
			if err := s.applyEvent(txn, ev); err != nil {
				txn.Abort()
				return err
			}
		}
		m.changes = txn.Changes()
		txn.Commit()
	}
	m.state = s.db.Fork()
	s.history.add(m, head{m.revision, m.state, m.state.Snapshot(), clock})
	return nil
}

// applyEvent skips, with a line of log, what somebody else put under our keys and we do not understand.
func (s *Store) applyEvent(txn *state.Txn, ev *clientv3.Event) error {
	k, key, ok, err := splitKey(string(ev.Kv.Key))
	if err != nil {
		s.log.Error("ignored a key in etcd", "rev", ev.Kv.ModRevision, "err", err)
	}
	if !ok {
		return nil
	}
	if ev.Type == mvccpb.DELETE {
		return txn.Delete(k, key)
	}
	obj, err := decode(k, key, ev.Kv.Value, ev.Kv.ModRevision)
	if err != nil {
		s.log.Error("ignored a value in etcd; the object stays as it was", "rev", ev.Kv.ModRevision, "err", err)
		return nil
	}
	return txn.Put(k, obj)
}

// relist closes a gap in the history: it reads everything again and makes one moment of all the differences.
func (s *Store) relist(ctx context.Context) error {
	l, err := load(ctx, s.client)
	if err != nil {
		return err
	}
	for _, err := range l.bad {
		s.log.Error("ignored a key in etcd", "rev", l.revision, "err", err)
	}
	now := l.db.Snapshot()
	txn := s.db.Begin()
	for _, k := range state.Kinds {
		for obj := range s.db.Snapshot().ByIDPrefix(k, "") {
			if now.Object(k, state.Key(obj)) == nil {
				err = errors.Join(err, txn.Delete(k, state.Key(obj)))
			}
		}
		for obj := range now.ByIDPrefix(k, "") {
			if !reflect.DeepEqual(obj, txn.Object(k, state.Key(obj))) {
				err = errors.Join(err, txn.Put(k, obj))
			}
		}
	}
	if err != nil {
		txn.Abort()
		return err
	}
	m := moment{revision: l.revision, changes: txn.Changes()}
	txn.Commit()
	m.state = s.db.Fork()
	s.history.add(m, head{m.revision, m.state, m.state.Snapshot(), l.clock})
	s.log.Warn("etcd's history was compacted; everything was read again", "rev", l.revision, "changes", len(m.changes))
	return nil
}
