package hostsync

import (
	"fmt"
	"sync"
	"time"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// rendered holds what all bridges of a host should have, for the length of a round, or a little longer while some have
// not connected: bridges that connect together, as they do after a restart, are rendered together.
type rendered struct {
	mu      sync.Mutex
	until   time.Time // when it is dropped
	rev     int64
	version openflow.Version
	sets    map[string]flow.Set
	parts   []view.Part
	// meters are those of br-int.
	meters []flow.Meter
	err    error
	sizes  map[string]int // of the sets before, so that these need not grow
}

// take gives a bridge its rows, once: a comparison marks them. The owner of a row is the index of the part that wants it.
func (r *rendered) take(h *host, b *bridge) (wantedRows, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := b.conn.Version()
	if r.sets[b.name] == nil || r.rev != h.rev || r.version != v {
		r.render(h, v)
	}
	w := wantedRows{set: r.sets[b.name], parts: r.parts}
	if b.limits() {
		w.meters = r.meters
	}
	delete(r.sets, b.name)
	return w, r.err
}

// wantedRows is what a bridge should have.
type wantedRows struct {
	set    flow.Set
	parts  []view.Part
	meters []flow.Meter
}

func (r *rendered) render(h *host, v openflow.Version) {
	r.rev, r.version, r.err, r.parts, r.meters, r.until = h.rev, v, nil, nil, nil, time.Now().Add(latecomers)
	r.sets = map[string]flow.Set{}
	for name := range h.bridges {
		r.sets[name] = make(flow.Set, r.sizes[name])
	}
	defer func() {
		r.sizes = map[string]int{}
		for name, set := range r.sets {
			r.sizes[name] = len(set)
		}
	}()
	renderer := ofapps.NewRenderer(h.snap, h.name)
	c := flow.Coder{Version: v}
	for p := range view.Parts(h.snap, h.name) {
		for bridge, rows := range renderer.Render(p) {
			set := r.sets[bridge]
			if set == nil {
				continue
			}
			if err := set.Add(&c, rows, len(r.parts)); err != nil {
				r.err = fmt.Errorf("%s: %v: %w", bridge, p, err)
				return
			}
		}
		r.meters = append(r.meters, renderer.Meters(p)...)
		r.parts = append(r.parts, p)
	}
}

// latecomers is how long rows are held for bridges that have not connected when others of their host have.
const latecomers = time.Second

// drop lets go of what nobody took, unless a bridge may come for it soon.
func (r *rendered) drop(h *host) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().Before(r.until) && r.rev == h.rev {
		for name := range r.sets {
			if b := h.bridges[name]; b != nil && b.conn == nil {
				return
			}
		}
	}
	r.sets, r.parts, r.meters = nil, nil, nil
}

// held is until when rows are held; the zero Time when there are none.
func (r *rendered) held() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sets == nil {
		return time.Time{}
	}
	return r.until
}
