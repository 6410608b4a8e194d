package hostsync

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

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
	sets    map[string]*flow.Set
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
	set    *flow.Set
	parts  []view.Part
	meters []flow.Meter
}

func (r *rendered) render(h *host, v openflow.Version) {
	r.rev, r.version, r.err, r.sets, r.meters, r.until = h.rev, v, nil, nil, nil, time.Now().Add(latecomers)
	r.parts = slices.Collect(view.Parts(h.snap, h.name))
	// The first portion is made where the rows are to be, the others beside it.
	portions := make([]portion, min(runtime.GOMAXPROCS(0), 1+len(r.parts)/portionParts))
	var g errgroup.Group
	for i := range portions {
		from, to := len(r.parts)*i/len(portions), len(r.parts)*(i+1)/len(portions)
		g.Go(func() error {
			portions[i] = r.portion(h, v, len(portions))
			return portions[i].render(h, r.parts[from:to], from)
		})
	}
	if r.err = g.Wait(); r.err != nil {
		return
	}
	r.sets, r.meters, r.sizes = portions[0].sets, portions[0].meters, map[string]int{}
	for _, p := range portions[1:] {
		r.meters = append(r.meters, p.meters...)
		for name, set := range r.sets {
			if r.err = set.Take(p.sets[name]); r.err != nil {
				r.err = fmt.Errorf("%s: %w", name, r.err)
				return
			}
		}
	}
	for name, set := range r.sets {
		r.sizes[name] = set.Len()
	}
}

// portionParts is how many parts at least are worth a goroutine of their own.
const portionParts = 2000

// portion is what some of the parts of a host come to.
type portion struct {
	sets   map[string]*flow.Set
	meters []flow.Meter
}

// portion makes room for one of so many.
func (r *rendered) portion(h *host, v openflow.Version, of int) portion {
	p := portion{sets: map[string]*flow.Set{}}
	for name := range h.bridges {
		p.sets[name] = flow.NewSet(v, r.sizes[name]/of)
	}
	return p
}

// render renders parts, of which the first has that number.
func (p *portion) render(h *host, parts []view.Part, first int) error {
	renderer := ofapps.NewRenderer(h.snap, h.name)
	for i, part := range parts {
		var err error
		renderer.Render(part, func(bridge string, rows []flow.Flow) {
			if set := p.sets[bridge]; set != nil && err == nil {
				if err = set.Add(rows, first+i); err != nil {
					err = fmt.Errorf("%s: %v: %w", bridge, part, err)
				}
			}
		})
		if err != nil {
			return err
		}
		p.meters = append(p.meters, renderer.Meters(part)...)
	}
	return nil
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
