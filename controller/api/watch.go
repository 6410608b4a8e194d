package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Types of a WatchResponse.
const (
	eventAdded    = "ADDED"
	eventModified = "MODIFIED"
	eventDeleted  = "DELETED"
	eventBookmark = "BOOKMARK"
)

// Watch implements WeftService.
func (s *Server) Watch(req *weftv1.WatchRequest, stream weftv1.WeftService_WatchServer) error {
	if field := unknownField(req.ProtoReflect()); field != "" {
		return s.refuse(unknown(field))
	}
	w := &watcher{server: s, send: stream.Send, kinds: map[state.Kind]bool{}, told: map[ident]string{}}
	for i, word := range req.Kinds {
		k, err := kindNamed(word)
		if err != nil {
			return s.refuse(invalid(fmt.Sprintf("kinds[%d]", i), "%v", err))
		}
		w.kinds[k] = true
	}
	if len(w.kinds) == 0 {
		for _, k := range kinds {
			w.kinds[k] = true
		}
	}
	if req.FromRevision < 0 {
		return s.refuse(invalid("from_revision", "%d is negative; 0 begins with every object as it is now", req.FromRevision))
	}
	s.metrics.watches.Inc()
	defer s.metrics.watches.Dec()
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	err := w.run(ctx, req.FromRevision)
	if s.closing.Err() != nil {
		return status.Error(codes.Unavailable, "the controller is shutting down; watch again from the last bookmark")
	}
	return s.refuse(err)
}

// watcher is one stream. It holds no more than the batch that it is sending: who reads slowly is told to list again, by
// the store, when the history has moved on.
type watcher struct {
	server *Server
	send   func(*weftv1.WatchResponse) error
	kinds  map[state.Kind]bool

	// before is the state that the last events were sent of; zero when the watch began from a revision.
	before    state.Snapshot
	hasBefore bool
	// at is the revision up to which everything has been sent.
	at int64
	// told is what was said of each object's live state: what the hosts tell beside the store.
	told map[ident]string
	// looked is the fleet as it was when the live states were last compared.
	looked string
}

func (w *watcher) run(ctx context.Context, from int64) error {
	w.at = from
	if from == 0 {
		if err := w.list(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches, end := make(chan store.Batch), make(chan error, 1)
	go func() {
		for b, err := range w.server.cfg.Store.Watch(ctx, w.at) {
			if err != nil {
				end <- err
				return
			}
			select {
			case batches <- b:
			case <-ctx.Done():
			}
		}
		end <- ctx.Err()
	}()
	bookmarks, health := time.NewTicker(w.server.cfg.BookmarkInterval), time.NewTicker(healthEvery)
	defer bookmarks.Stop()
	defer health.Stop()
	for {
		var err error
		select {
		case b := <-batches:
			err = w.batch(b)
		case <-bookmarks.C:
			err = w.bookmark()
		case <-health.C:
			err = w.live()
		case err = <-end:
		}
		if err != nil {
			return err
		}
	}
}

func (w *watcher) bookmark() error {
	return w.send(&weftv1.WatchResponse{Type: eventBookmark, Revision: w.at})
}

// list sends everything as it is now.
func (w *watcher) list() error {
	sight := w.server.sight()
	w.before, w.hasBefore, w.at = sight.Snapshot, true, sight.revision
	for _, k := range kinds {
		if !w.kinds[k] {
			continue
		}
		for obj := range sight.ByIDPrefix(k, "") {
			if err := w.event(eventAdded, w.at, applied(k).show(sight, obj)); err != nil {
				return err
			}
		}
	}
	return w.bookmark()
}

func (w *watcher) event(kind string, revision int64, obj object) error {
	if k, ok := liveKind(obj); ok && kind != eventDeleted {
		w.told[ident{k, obj.GetMetadata().GetId()}] = liveOf(obj)
	}
	return w.send(&weftv1.WatchResponse{Type: kind, Revision: revision, Object: wrap(obj)})
}

// batch sends what one revision changed: what is gone, users before what they used; then what is new or different, in
// the other order.
func (w *watcher) batch(b store.Batch) error {
	sent := 0
	now := &sight{Snapshot: b.Snapshot, revision: b.Revision, fleet: w.server.cfg.Fleet}
	changes := slices.SortedStableFunc(slices.Values(b.Changes), func(x, y state.Change) int {
		return slices.Index(kinds, y.Kind) - slices.Index(kinds, x.Kind)
	})
	for _, c := range changes {
		if c.New != nil || !w.kinds[c.Kind] {
			continue
		}
		delete(w.told, ident{c.Kind, c.Key})
		sent++
		if err := w.event(eventDeleted, b.Revision, applied(c.Kind).show(nil, c.Old)); err != nil {
			return err
		}
	}
	touched := touchedBy(b.Snapshot, b.Changes)
	for _, id := range inRank(touched) {
		obj := b.Snapshot.Object(id.kind, id.id)
		if obj == nil || !w.kinds[id.kind] {
			continue
		}
		kind, shown := eventModified, applied(id.kind).show(now, obj)
		if touched[id] == eventAdded {
			kind = eventAdded
		} else if w.same(id, shown) {
			continue
		}
		sent++
		if err := w.event(kind, b.Revision, shown); err != nil {
			return err
		}
	}
	w.before, w.hasBefore, w.at = b.Snapshot, true, b.Revision
	if sent > 1 {
		return w.bookmark()
	}
	return nil
}

// same says whether the object was shown in the same way before: something that it could depend on has changed, but not
// so that it mattered.
func (w *watcher) same(id ident, shown object) bool {
	if !w.hasBefore {
		return false
	}
	old := w.before.Object(id.kind, id.id)
	if old == nil {
		return false
	}
	// At the newer revision, which is not what could make a difference.
	then := &sight{Snapshot: w.before, revision: w.at, fleet: w.server.cfg.Fleet}
	if h, ok := shown.(*weftv1.Host); ok {
		was := applied(id.kind).show(then, old).(*weftv1.Host)
		return proto.Equal(still(was), still(h))
	}
	return proto.Equal(applied(id.kind).show(then, old), shown)
}

// still is a host without what moves all the time.
func still(h *weftv1.Host) *weftv1.Host {
	h = proto.CloneOf(h)
	h.Status.AppliedRevision, h.Status.Bridges, h.Status.Conditions = 0, nil, nil
	return h
}

// inRank orders objects by kind, each after those that it refers to, and by id.
func inRank(touched map[ident]string) []ident {
	ids := make([]ident, 0, len(touched))
	for id := range touched {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ident) int {
		if d := slices.Index(kinds, a.kind) - slices.Index(kinds, b.kind); d != 0 {
			return d
		}
		return strings.Compare(a.id, b.id)
	})
	return ids
}
