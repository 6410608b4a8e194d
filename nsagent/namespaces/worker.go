package namespaces

import (
	"context"
	"hash/fnv"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"

	"github.com/weft-sdn/weft/nsagent/kernel"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// Times of a worker.
const (
	// eventDelay is how long it waits after the first news of a change for more of them.
	eventDelay = 50 * time.Millisecond
	// eventGap is the least time between two looks because of news: our own steps make news too.
	eventGap = 500 * time.Millisecond
	// firstRetry and lastRetry bound the time until it is tried again.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 30 * time.Second
	// patience is how long another namespace is waited for before that is a problem.
	patience = 5 * time.Second
)

// worker keeps one namespace.
type worker struct {
	k    *Keeper
	name string
	// wake: sources or plugs have changed, or it is to look. news: the kernel told of a change.
	wake, news chan struct{}
	// permanent are the addresses of neighbours that are wanted, for the kernel's watch.
	permanent atomic.Pointer[map[netip.Addr]bool]

	// Under the keeper's lock.

	// sources are nil for a namespace that must go.
	sources *plan.Sources
	// generation counts the changes of sources; tried is the last that was worked on to the end.
	generation, tried int
	problems          map[string]Problem
	devices           []Device
	// want is what was built last, for people who ask.
	want *plan.Namespace
	// arrived are devices that came to br-int.
	arrived []string
	// must: a look is due, whatever is remembered. excused: what it finds was done by another worker.
	must, excused bool
	// unplugged: something that waited for it may be deleted now.
	unplugged bool

	// What follows belongs to the goroutine of run.

	ns        *kernel.Namespace
	stopWatch func()
	built     int           // generation that target was built from
	from      *plan.Sources // target was built from
	target    plan.Namespace
	invalid   map[string]*plan.FieldError
	// settled is what the namespace was made, with nothing left to do; nil while that is not so.
	settled *plan.Namespace
	// remembered says that it need not be looked at before it is changed.
	remembered bool
	// membersOnly: target differs from settled in members of sets only; plugsMoved: ports have left br-int since its devices were looked at.
	membersOnly, plugsMoved bool
	// served is the generation whose servers run.
	served int
	// zones are those of firewall bridges, by name; nil while they have not been looked for.
	zones map[string]uint16
	// taught are firewall bridges whose connections br-int has been made to know.
	taught    map[string]bool
	foreign   map[plan.Line]bool
	last      string // what was last said of problems
	calm      *rate.Limiter
	backoff   *backoff.ExponentialBackOff
	waiting   time.Time // since when another namespace is waited for
	announcer announcer
	found     bool // it was there when this process began, and nobody desired it

	auditAt, newsAt, retryAt, lookedAt time.Time
}

func newWorker(k *Keeper, name string) *worker {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = firstRetry, lastRetry, 2
	return &worker{k: k, name: name, wake: make(chan struct{}, 1), news: make(chan struct{}, 1), foreign: map[plan.Line]bool{},
		// Somebody who undoes every repair must not keep this host busy.
		calm: rate.NewLimiter(rate.Every(2*time.Second), 10), backoff: b}
}

// set gives it other sources. The keeper's lock is held.
func (w *worker) set(s *plan.Sources) {
	w.sources = s
	w.generation++
	if s == nil {
		w.problems = nil
		if w.name != plan.Home { // there, machines have yet to be given back
			w.devices = nil
		}
	}
	poke(w.wake)
}

// look makes it look at the namespace. The keeper's lock is held.
func (w *worker) look(excused bool) {
	w.must, w.excused = true, w.excused || excused
	poke(w.wake)
}

// boundChanged tells which devices were and are bound. The keeper's lock is held.
func (w *worker) boundChanged(was, now map[string]bool) {
	for _, d := range w.devices {
		if now[d.Name] && !was[d.Name] {
			w.arrived = append(w.arrived, d.Name)
			poke(w.wake)
		}
	}
}

// plugsChanged tells which devices br-int held and holds. The keeper's lock is held.
func (w *worker) plugsChanged(was, now map[string]bool) {
	for name := range was {
		if !now[name] {
			w.unplugged = true
			poke(w.wake)
			break
		}
	}
	if was == nil {
		w.unplugged = true
		poke(w.wake)
	}
}

// run works until the context ends or the namespace is gone.
func (w *worker) run(ctx context.Context) {
	defer w.close()
	// Audits of many namespaces are spread over the interval.
	h := fnv.New32a()
	h.Write([]byte(w.name))
	spread := w.k.cfg.AuditInterval * time.Duration(h.Sum32()%1000) / 1000
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(max(time.Until(w.next()), 0))
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-w.news:
			w.hear()
			continue
		case <-timer.C:
		}
		if w.due() {
			select {
			case w.k.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			gone := w.pass(ctx)
			<-w.k.slots
			if gone && w.leave() {
				return
			}
			w.auditAt = time.Now().Add(w.k.cfg.AuditInterval + spread)
			spread = 0
		}
		w.announce()
	}
}

// hear takes note that the kernel has told of a change.
func (w *worker) hear() {
	if w.newsAt.IsZero() {
		w.newsAt = later(time.Now().Add(eventDelay), w.lookedAt.Add(eventGap))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// next is when something must be done if nothing happens.
func (w *worker) next() time.Time {
	next := time.Now().Add(time.Hour)
	for _, t := range []time.Time{w.auditAt, w.newsAt, w.retryAt, w.announcer.at} {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return next
}

// due says whether the namespace must be worked on now.
func (w *worker) due() bool {
	now := time.Now()
	passed := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	looks := passed(w.newsAt) || passed(w.auditAt) || passed(w.retryAt)
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	if w.must || looks {
		w.must, w.remembered = false, false
		looks = true
	}
	if w.unplugged {
		w.unplugged, w.plugsMoved = false, true
		looks = looks || w.sources == nil || !w.remembered || w.name == plan.Home
	}
	return looks || w.generation != w.tried && w.retryAt.IsZero() || w.generation != w.built
}

// close lets go of the namespace.
func (w *worker) close() {
	if w.stopWatch != nil {
		w.stopWatch()
		w.stopWatch = nil
	}
	if w.ns != nil {
		if err := w.ns.Close(); err != nil {
			w.k.log.Warn("namespace not closed", "namespace", w.name, "err", err)
		}
		w.ns = nil
	}
	w.remembered = false
}

// leave takes the worker off the list, unless the namespace is desired again.
func (w *worker) leave() bool {
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	if w.sources != nil {
		return false
	}
	delete(w.k.workers, w.name)
	w.k.met.namespaces.Set(float64(len(w.k.workers)))
	poke(w.k.changed)
	return true
}
