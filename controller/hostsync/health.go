package hostsync

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/openflow/channel"
)

// looksPerTimeout is how often within the health timeout the hosts' signs of life are looked at.
const looksPerTimeout = 10

// health finds out which hosts are down, and tells the store when that changes.
//
// A host is down when neither its agent nor a switch of it has given a sign of life for the timeout. The end of a
// connection does not begin the time: a machine that loses its power says nothing, and its connections end when somebody
// has waited for an answer in vain.
type health struct {
	fleet *Fleet
	wake  chan struct{} // of size one

	mu    sync.Mutex
	hosts map[string]*pulse
}

// pulse is what is known of one host's life.
type pulse struct {
	agent    *agentconn.Session
	switches map[*channel.Conn]uint64 // → bytes received when it was last looked at
	heard    time.Time
}

func newHealth(f *Fleet) *health {
	return &health{fleet: f, wake: make(chan struct{}, 1), hosts: map[string]*pulse{}}
}

// feel changes what is known of a host; spoke says that this is a sign of life.
func (l *health) feel(host string, spoke bool, change func(*pulse)) {
	if host == "" {
		return
	}
	l.mu.Lock()
	p := l.pulse(host)
	change(p)
	if spoke {
		p.heard = time.Now()
	}
	l.mu.Unlock()
	if spoke {
		// Whoever is back is back at once.
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// pulse is that of a host. Of one that never spoke nobody knows for how long it has been silent, but since now at least. The
// caller holds l.mu.
func (l *health) pulse(host string) *pulse {
	p := l.hosts[host]
	if p == nil {
		p = &pulse{switches: map[*channel.Conn]uint64{}, heard: time.Now()}
		l.hosts[host] = p
	}
	return p
}

// listen takes note of signs of life that nobody told of.
func (p *pulse) listen(now time.Time) {
	if p.agent != nil {
		// A stream that nobody listens to for signs is one itself.
		if heard := p.agent.Heard(); heard.IsZero() {
			p.heard = now
		} else if heard.After(p.heard) {
			p.heard = heard
		}
	}
	for c, was := range p.switches {
		if is := c.Stats().BytesReceived; is != was {
			p.switches[c], p.heard = is, now
		}
	}
}

// silent says whether a host has been silent too long. What is still connected may be silent as long as it takes to be
// asked for a sign of life in vain.
func (l *health) silent(p *pulse, now time.Time) bool {
	limit := l.fleet.cfg.HostTimeout
	if p.agent != nil || len(p.switches) > 0 {
		limit = max(limit, l.fleet.cfg.SilentAfter)
	}
	return now.Sub(p.heard) >= limit
}

// run looks at all hosts again and again until the context ends.
func (l *health) run(ctx context.Context) {
	tick := time.NewTicker(max(l.fleet.cfg.HostTimeout/looksPerTimeout, time.Millisecond))
	defer tick.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.wake:
		}
		snap, _ := l.fleet.cfg.Store.Snapshot()
		changed := l.changed(snap, time.Now())
		if len(changed) == 0 {
			continue
		}
		err := l.write(ctx, changed)
		if err != nil && ctx.Err() == nil && !failing {
			l.fleet.cfg.Log.Warn("health of hosts not written; trying again", "hosts", slices.Sorted(maps.Keys(changed)), "err", err)
		}
		failing = err != nil
	}
}

// changed are the hosts of which the store believes something else than is so, and whether they are down. Only hosts whose
// agents have reported once count: of others nobody expects anything.
func (l *health) changed(snap state.Snapshot, now time.Time) map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]bool{}
	down := 0
	for h := range snap.Hosts() {
		if snap.HostFacts(h.ID) == nil {
			continue
		}
		p := l.pulse(h.ID)
		p.listen(now)
		silent := l.silent(p, now)
		if silent {
			down++
		}
		if was := snap.HostHealth(h.ID); silent != (was != nil && was.Down) && (silent || p.spoken()) {
			out[h.ID] = silent
		}
	}
	for name := range l.hosts {
		if snap.Host(name) == nil && !l.hosts[name].spoken() {
			delete(l.hosts, name)
		}
	}
	l.fleet.metrics.down.Set(float64(down))
	return out
}

// spoken says whether the host is connected in some way. One that was down before this controller began stays so until then.
func (p *pulse) spoken() bool { return p.agent != nil || len(p.switches) > 0 }

func (l *health) write(ctx context.Context, changed map[string]bool) error {
	_, err := l.fleet.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(changed)) {
			var gone *store.ErrNotFound
			if err := tx.SetHostDown(name, changed[name]); err != nil && !errors.As(err, &gone) {
				return err
			}
		}
		return nil
	})
	return err
}
