package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// follower reads a watch like a consumer does, one batch at a time.
type follower struct {
	next func() (Batch, error, bool)
}

func watch(t *testing.T, s *Store, from int64) follower {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	next, stop := iter.Pull2(s.Watch(ctx, from))
	t.Cleanup(stop)
	return follower{next}
}

func (f follower) batch(t *testing.T) Batch {
	t.Helper()
	b, err, ok := f.next()
	if err != nil || !ok {
		t.Fatalf("watch ended: %v", err)
	}
	return b
}

func (f follower) fails(t *testing.T, want error) {
	t.Helper()
	if b, err, _ := f.next(); !errors.Is(err, want) {
		t.Fatalf("watch gave revision %d and error %v, want %v", b.Revision, err, want)
	}
	if _, _, ok := f.next(); ok {
		t.Error("watch goes on after an error")
	}
}

// names makes one network after the other and returns the state after each.
func names(t *testing.T, s *Store, names ...string) (revisions []int64, states []state.Snapshot) {
	t.Helper()
	for _, name := range names {
		network(t, s, name)
		snap, rev := s.Snapshot()
		revisions, states = append(revisions, rev), append(states, snap)
	}
	return revisions, states
}

func TestWatchGivesEveryRevisionOnceWithItsState(t *testing.T) {
	s := newStore(t)
	_, from := s.Snapshot()
	f := watch(t, s, from)
	revisions, states := names(t, s, "a", "b", "c")
	for i, rev := range revisions {
		b := f.batch(t)
		if b.Revision != rev || len(b.Changes) != 1 || b.Changes[0].Old != nil {
			t.Errorf("batch %d is revision %d with %v, want %d", i, b.Revision, b.Changes, rev)
		}
		sameState(t, fmt.Sprintf("state at %d", rev), states[i], b.Snapshot)
	}
	// From the middle, and a change and a delete.
	f = watch(t, s, revisions[1])
	if b := f.batch(t); b.Revision != revisions[2] {
		t.Errorf("resumed at %d, want %d", b.Revision, revisions[2])
	}
	snap, _ := s.Snapshot()
	var n *model.Network
	for n = range snap.Networks() {
		break
	}
	update(t, s, func(tx *Tx) error {
		changed := *n
		changed.Name = "changed"
		_, err := tx.UpdateNetwork(&changed, 0)
		return err
	})
	update(t, s, func(tx *Tx) error { return tx.DeleteNetwork(n.ID, 0) })
	c := f.batch(t).Changes[0]
	if c.Kind != state.Networks || c.Key != n.ID || c.Old.(*model.Network).Name != n.Name || c.New.(*model.Network).Name != "changed" {
		t.Errorf("change: %+v", c)
	}
	if c := f.batch(t).Changes[0]; c.New != nil || c.Old.(*model.Network).Name != "changed" {
		t.Errorf("delete: %+v", c)
	}
}

func TestWatchEndsWithItsContextAndWithTheStore(t *testing.T) {
	s := newStore(t)
	_, from := s.Snapshot()
	ctx, cancel := context.WithCancel(t.Context())
	next, stop := iter.Pull2(s.Watch(ctx, from))
	defer stop()
	cancel()
	if _, err, _ := next(); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	f := watch(t, s, from)
	s.Close()
	f.fails(t, ErrClosed)
	if _, err := s.Update(t.Context(), func(*Tx) error { return nil }); err != ErrClosed {
		t.Errorf("update after close: %v", err)
	}
}

// A reader that lags, but not too far, still gets every state, although the store has not kept them.
func TestSlowWatcherSeesEveryState(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	subnet(t, s, n.ID, "10.0.0.0/16")
	_, from := s.Snapshot()
	slow := watch(t, s, from)
	want := map[int64]state.Snapshot{}
	var last *model.Port
	for i := range keptStates + 100 {
		// Creates, updates and deletes, all of which must be undone.
		switch i % 3 {
		case 0:
			last = port(t, s, &model.Port{NetworkID: n.ID})
		case 1:
			update(t, s, func(tx *Tx) error {
				changed := *last
				changed.Name = fmt.Sprint(i)
				_, err := tx.UpdatePort(&changed, 0)
				return err
			})
		case 2:
			update(t, s, func(tx *Tx) error { return tx.DeletePort(last.ID, 0) })
		}
		snap, rev := s.Snapshot()
		want[rev] = snap
	}
	for range keptStates + 100 {
		b := slow.batch(t)
		sameState(t, fmt.Sprintf("state at %d", b.Revision), want[b.Revision], b.Snapshot)
		from++
		if b.Revision != from {
			t.Fatalf("revision %d, want %d", b.Revision, from)
		}
	}
}

func TestTooSlowWatcherIsToldAndDelaysNobody(t *testing.T) {
	s := openTest(t, Config{DataDir: t.TempDir(), HistoryChanges: 10})
	_, from := s.Snapshot()
	slow, fast := watch(t, s, from), watch(t, s, from)
	names(t, s, "first")
	slow.batch(t)
	fast.batch(t)
	for i := range 20 {
		revisions, _ := names(t, s, fmt.Sprint(i))
		if b := fast.batch(t); b.Revision != revisions[0] {
			t.Fatalf("the fast one is at %d, want %d", b.Revision, revisions[0])
		}
	}
	slow.fails(t, ErrCompacted)
	watch(t, s, from).fails(t, ErrCompacted)
	_, now := s.Snapshot()
	if b := watch(t, s, now-10).batch(t); b.Revision != now-9 {
		t.Errorf("ten changes back: revision %d, want %d", b.Revision, now-9)
	}
	watch(t, s, now-11).fails(t, ErrCompacted)
}

func TestWatchFromTheFutureOfAnotherStore(t *testing.T) {
	s := newStore(t)
	_, now := s.Snapshot()
	watch(t, s, now+1000).fails(t, ErrCompacted)
}

func TestWatchResumesAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Config{DataDir: dir})
	_, begin := s.Snapshot()
	live := watch(t, s, begin)
	a := network(t, s, "a")
	network(t, s, "b")
	// What is undone must come back as it was.
	update(t, s, func(tx *Tx) error {
		changed := *a
		changed.Name = "changed"
		_, err := tx.UpdateNetwork(&changed, 0)
		return err
	})
	update(t, s, func(tx *Tx) error { return tx.DeleteNetwork(a.ID, 0) })
	var want []Batch
	for range 4 {
		want = append(want, live.batch(t))
	}
	same := func(f follower, want ...Batch) {
		t.Helper()
		for _, w := range want {
			b := f.batch(t)
			if d := cmp.Diff(w.Changes, b.Changes); d != "" || b.Revision != w.Revision {
				t.Errorf("revision %d, want %d; changes (-live +resumed):\n%s", b.Revision, w.Revision, d)
			}
			sameState(t, fmt.Sprintf("state at %d", w.Revision), w.Snapshot, b.Snapshot)
		}
	}
	s.Close()

	s = openTest(t, Config{DataDir: dir})
	if _, now := s.Snapshot(); now != want[3].Revision {
		t.Fatalf("restarted at revision %d, want %d", now, want[3].Revision)
	}
	// Out of order, so that the history grows in steps.
	same(watch(t, s, want[2].Revision), want[3:]...)
	same(watch(t, s, want[0].Revision), want[1:]...)
	f := watch(t, s, begin)
	same(f, want...)
	more, _ := names(t, s, "e")
	if b := f.batch(t); b.Revision != more[0] {
		t.Errorf("after the old ones: revision %d, want %d", b.Revision, more[0])
	}

	// What etcd has forgotten cannot be resumed.
	if _, err := s.client.Compact(t.Context(), want[2].Revision); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openTest(t, Config{DataDir: dir})
	watch(t, s, want[1].Revision).fails(t, ErrCompacted)
	same(watch(t, s, want[2].Revision), want[3])
}

// The last thing that happened before the restart was a delete by hand, which leaves no key to tell of it.
func TestWatchDoesNotMissADeleteAtTheEndOfTheHistory(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Config{DataDir: dir})
	n := network(t, s, "a")
	_, from := s.Snapshot()
	if _, err := s.client.Delete(t.Context(), etcdKey(state.Networks, n.ID)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openTest(t, Config{DataDir: dir})
	watch(t, s, from).fails(t, ErrCompacted)
}

// Another controller's etcd was compacted while this one did not listen: everything is read again, as one batch.
func TestFollowerRelistsAfterCompaction(t *testing.T) {
	endpoint := startEtcd(t)
	s := openTest(t, Config{Endpoints: []string{endpoint}})
	keep := network(t, s, "keep")
	gone := network(t, s, "gone")
	_, from := s.Snapshot()

	other := openTest(t, Config{Endpoints: []string{endpoint}})
	stale := asleep(t, s)
	added := network(t, other, "new")
	update(t, other, func(tx *Tx) error {
		if err := tx.DeleteNetwork(gone.ID, 0); err != nil {
			return err
		}
		changed := *keep
		changed.Name = "kept"
		_, err := tx.UpdateNetwork(&changed, 0)
		return err
	})
	want, now := other.Snapshot()
	if _, err := other.client.Compact(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	wake(t, stale)
	eventually(t, "the stale state has caught up", func() bool { return headOf(stale).revision == now })
	sameState(t, "after relisting", want, headOf(stale).snapshot)
	moments, _, _ := stale.history.since(from)
	kinds := map[string]string{}
	for _, c := range moments[0].changes {
		kinds[c.Key] = fmt.Sprint(c.Old != nil, c.New != nil)
	}
	if d := cmp.Diff(map[string]string{keep.ID: "true true", gone.ID: "true false", added.ID: "false true"}, kinds); d != "" {
		t.Errorf("changes of the one batch (-want +got):\n%s", d)
	}
}

// asleep is a store that is where s is now, and takes updates, but does not follow etcd until it is woken.
func asleep(t *testing.T, s *Store) *Store {
	t.Helper()
	now := headOf(s)
	return &Store{
		cfg: s.cfg, log: testLog(t), client: s.client, closing: make(chan struct{}),
		db: now.state.Fork(), history: newHistory(now, 100), hints: newHints(), requests: make(chan *request, 10),
	}
}

// wake runs a function of the store until the test ends.
func wake(t *testing.T, s *Store) {
	t.Helper()
	background(t, s.follow)
}

func background(t *testing.T, fn func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); fn(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// A refusal, and a report that changes nothing, must rest on the newest state, not on what this controller has heard.
func TestNoAnswerRestsOnAnOldState(t *testing.T) {
	s := openTest(t, Config{Endpoints: []string{startEtcd(t)}})
	for name, c := range map[string]struct {
		fn      func(tx *Tx, n *model.Network) error
		changed bool
	}{
		"refusal": {func(tx *Tx, n *model.Network) error {
			_, err := tx.CreatePort(&model.Port{NetworkID: n.ID})
			return err
		}, true},
		"no change": {func(tx *Tx, n *model.Network) error { return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			stale := asleep(t, s)
			background(t, stale.commitAll)
			n := network(t, s, "just made")
			_, made := s.Snapshot()
			type answer struct {
				revision int64
				err      error
			}
			got := make(chan answer, 1)
			go func() {
				rev, err := stale.Update(context.Background(), func(tx *Tx) error { return c.fn(tx, n) })
				got <- answer{rev, err}
			}()
			select {
			case a := <-got:
				t.Fatalf("answered from the old state: %+v", a)
			case <-time.After(50 * time.Millisecond):
			}
			wake(t, stale)
			if a := <-got; a.err != nil || c.changed != (a.revision > made) || a.revision < made {
				t.Errorf("%+v, network made at %d", a, made)
			}
		})
	}
}

func headOf(s *Store) head {
	h, _ := s.history.now()
	return h
}

func TestNothingRunsAfterClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := newStore(t)
	network(t, s, "blue")
	s.Close()
}
