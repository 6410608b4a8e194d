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

// DefaultHostTimeout is within which time of a host's death what was on it works elsewhere.
const DefaultHostTimeout = 10 * time.Second

const (
	// mostForMove is what a long health timeout leaves for the move. A move takes a few hundred milliseconds
	// (docs/decisions/0070).
	mostForMove = 3 * time.Second
	// asksInSilence is how often a host is asked for a sign of life before it is down.
	asksInSilence = 4
	// looksInMove is how often signs of life are looked at in the time that is for the move: what a look comes too late is
	// taken from that.
	looksInMove = 10
)

// forMove is the part of a health timeout in which what was on a dead host moves.
func forMove(timeout time.Duration) time.Duration { return min(timeout/3, mostForMove) }

// SilenceLimit is how long a host may be silent before it is down: what remains of the health timeout is for the move.
func SilenceLimit(timeout time.Duration) time.Duration { return timeout - forMove(timeout) }

// AskInterval is how long a host that lives may at most be silent before it is asked for a sign of life, so that some of
// them may be late.
func AskInterval(timeout time.Duration) time.Duration { return SilenceLimit(timeout) / asksInSilence }

// health finds out which hosts are down, and tells the store when that changes.
//
// A host is down when neither its agent nor a switch of it has given a sign of life for so long that only the time to move
// what was on it remains of the timeout. It does not matter whether it is connected: a machine that loses its power says
// nothing, and its connections end when somebody has waited for an answer in vain.
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
	known    bool // whether it has spoken to this controller
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
		p.heard, p.known = time.Now(), true
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

// silent says whether a host has been silent too long. One that this controller has never heard has the whole timeout: after
// a start all hosts have to find it first.
func (l *health) silent(p *pulse, now time.Time) bool {
	limit := l.fleet.cfg.HostTimeout
	if p.known {
		limit = SilenceLimit(limit)
	}
	return now.Sub(p.heard) >= limit
}

// excuse leaves out of account a time in which nobody listened: a controller that was stopped, or had no processor for so
// long, finds on waking what everybody said meanwhile, but reads it later than it looks.
func (l *health) excuse(deaf time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.hosts {
		if p.heard = p.heard.Add(deaf); p.heard.After(now) {
			p.heard = now
		}
	}
}

// run looks at all hosts again and again until the context ends.
func (l *health) run(ctx context.Context) {
	every := max(forMove(l.fleet.cfg.HostTimeout)/looksInMove, time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	looked := time.Now()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.wake:
		}
		now := time.Now()
		if deaf := now.Sub(looked) - every; deaf > every {
			l.excuse(deaf, now)
		}
		looked = now
		snap, _ := l.fleet.cfg.Store.Snapshot()
		changed := l.changed(snap, now)
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
