package store

import (
	"slices"
	"sort"
	"sync"

	"github.com/weft-sdn/weft/controller/state"
)

// keptStates is how many changes back the moments keep their state. A state pins some 30 KB of index nodes for each
// change; what is older is made again by undoing changes, for the few readers that lag.
const keptStates = 256

// moment is what one revision changed.
type moment struct {
	revision int64
	changes  []state.Change
	// state is frozen at revision; nil when the moment is too old.
	state *state.DB
	// clockBefore is the clock that the transaction compared with, and writer names the transaction. 0 and "" when the
	// revision was not written by a transaction of ours.
	clockBefore int64
	writer      string
}

// head is the newest state.
type head struct {
	revision int64
	// state is frozen; snapshot is its snapshot.
	state    *state.DB
	snapshot state.Snapshot
	// clock is the ModRevision of the clock key; 0 while there is none.
	clock int64
}

// history is the newest state and how it came about. One writer adds; readers never hold it for long.
type history struct {
	mu   sync.Mutex
	head head
	// moments are contiguous: everything that happened after start, in order.
	moments []moment
	start   int64
	// changes counts the changes in moments; an empty moment counts as one. limit is how many are kept at least.
	changes, limit int
	// frozen counts the moments that have their state, and frozenChanges their changes.
	frozen, frozenChanges int
	// moved is closed and replaced when head moves.
	moved chan struct{}
}

func newHistory(h head, limit int) *history {
	return &history{head: h, start: h.revision, limit: limit, moved: make(chan struct{})}
}

func (m *moment) weight() int { return max(1, len(m.changes)) }

// add appends the newest moment.
func (h *history) add(m moment, now head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moments = append(h.moments, m)
	h.changes += m.weight()
	h.frozen++
	h.frozenChanges += m.weight()
	oldest := func() *moment { return &h.moments[len(h.moments)-h.frozen] }
	for h.frozen > 1 && h.frozenChanges-oldest().weight() >= keptStates {
		h.thaw(oldest())
	}
	n := 0
	for h.changes-h.moments[n].weight() >= h.limit {
		h.changes -= h.moments[n].weight()
		h.start = h.moments[n].revision
		if h.moments[n].state != nil {
			h.thaw(&h.moments[n])
		}
		n++
	}
	clear(h.moments[:n])
	h.moments = h.moments[n:]
	h.head = now
	close(h.moved)
	h.moved = make(chan struct{})
}

// thaw lets go of the state of the oldest moment that has one.
func (h *history) thaw(m *moment) {
	m.state = nil
	h.frozen--
	h.frozenChanges -= m.weight()
}

// prepend adds moments before the oldest one: everything from start on. It does nothing when the history has moved on.
func (h *history) prepend(start, until int64, older []moment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.start != until {
		return
	}
	for i := len(older) - 1; i >= 0; i-- {
		w := older[i].weight()
		if h.changes+w > h.limit {
			start = older[i].revision
			older = older[i+1:]
			break
		}
		h.changes += w
	}
	h.moments = slices.Concat(older, h.moments)
	h.start = start
}

// now returns the newest state, and a channel that is closed when there is a newer one.
func (h *history) now() (head, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.head, h.moved
}

// since returns the moments after a revision, until the first one that still has its state, inclusive; none when nothing has
// happened, but a channel that is closed when something does. ok is false when the history does not reach back so far.
func (h *history) since(revision int64) (ms []moment, moved <-chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if revision < h.start {
		return nil, nil, false
	}
	i := h.after(revision)
	j := i
	for j < len(h.moments) && h.moments[j].state == nil {
		j++
	}
	ms = slices.Clone(h.moments[i:min(j+1, len(h.moments))])
	if j == len(h.moments) && len(ms) > 0 {
		// All of them are from before Open; nothing has happened since the last one.
		ms[len(ms)-1].state = h.head.state
	}
	return ms, h.moved, true
}

// after is the index of the first moment after a revision.
func (h *history) after(revision int64) int {
	return sort.Search(len(h.moments), func(i int) bool { return h.moments[i].revision > revision })
}

// successor returns the transaction of ours that was made on top of a clock, if it is known.
func (h *history) successor(clock int64) (m moment, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.moments) - 1; i >= 0 && h.moments[i].revision > clock; i-- {
		if h.moments[i].writer != "" && h.moments[i].clockBefore == clock {
			return h.moments[i], true
		}
	}
	return moment{}, false
}
