package namespaces

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/kernel"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// outcome is what came of one pass.
type outcome struct {
	problems map[string]Problem
	devices  []Device
	// waits: for another namespace, and not yet for long.
	waits bool
}

// pass makes the namespace what is desired, and tells how that went. gone says that it is removed.
func (w *worker) pass(ctx context.Context) (gone bool) {
	w.k.mu.Lock()
	sources, generation, plugged := w.sources, w.generation, w.k.plugged
	known := w.devices
	w.k.mu.Unlock()
	w.retryAt, w.lookedAt = time.Time{}, time.Now()
	if sources == nil {
		w.built, w.newsAt = generation, time.Time{}
		gone = w.remove(ctx, plugged)
		w.tell(generation)
		return gone
	}
	w.found, w.membersOnly = false, false
	onlyOne := false
	if w.built != generation {
		if w.membersOnly = w.remembered && !w.plugsMoved && sources.SameButMembers(w.from); w.membersOnly {
			w.target = sources.BuildSets(w.target)
		} else {
			if err := w.assignZones(ctx, sources); err != nil {
				w.again("not looked at", err)
				return false
			}
			w.target, w.invalid = sources.Build(w.zones)
		}
		onlyOne = becameOnlyOne(w.from, sources)
		w.built, w.from = generation, sources
		w.remember()
		w.backoff.Reset()
	}
	out := outcome{problems: map[string]Problem{}, devices: known}
	for r, e := range w.invalid {
		out.problems[r] = Problem{e.Field, Invalid, e.Message}
	}
	w.keep(ctx, sources, plugged, &out)
	if ctx.Err() != nil {
		return false
	}
	w.publish(generation, out)
	if onlyOne {
		w.announceAll()
	}
	if len(out.problems) > len(w.invalid) || out.waits {
		w.retryAt = time.Now().Add(w.backoff.NextBackOff())
	} else {
		w.backoff.Reset()
	}
	return false
}

// remember publishes what is wanted now, for the kernel's watch and for people.
func (w *worker) remember() {
	permanent := make(map[netip.Addr]bool, len(w.target.Neighbours))
	for _, n := range w.target.Neighbours {
		permanent[n.IP] = true
	}
	w.permanent.Store(&permanent)
	target := w.target
	w.k.mu.Lock()
	w.want = &target
	w.k.mu.Unlock()
}

// keep makes the namespace and what runs in it what is desired.
func (w *worker) keep(ctx context.Context, sources *plan.Sources, plugged map[string]bool, out *outcome) {
	blame := func(err error) {
		for _, r := range sources.StandsFor() {
			out.blame(r, err)
		}
	}
	made, err := w.open(ctx)
	if err != nil {
		w.settled, w.remembered = nil, false
		blame(err)
		return
	}
	have, steps, err := w.difference(ctx, plugged)
	if err != nil {
		w.remembered = false
		blame(err)
		return
	}
	failures := w.apply(ctx, have, steps)
	if ctx.Err() != nil {
		return
	}
	for _, f := range failures {
		if errors.Is(f.Err, kernel.ErrWaiting) && w.patient() {
			out.waits = true
		} else if r := plan.For(f.Step); r != "" {
			out.blame(r, f)
		} else {
			blame(f)
		}
	}
	for _, b := range w.target.Bridges {
		switch err := have.Held[b.Name]; {
		case err == nil:
		case plugged == nil: // the agent itself tells that Open vSwitch's database is away
			out.waits = true
		default:
			out.blame(b.For, err)
		}
	}
	w.tellPeers(made, steps, failures)
	if missing := plan.Waiting(w.target, have); len(missing) > 0 {
		if w.patient() {
			out.waits = true
		} else {
			out.blame(sources.Own(), fmt.Errorf("%w for %s, which another namespace's worker makes", kernel.ErrWaiting, strings.Join(missing, ", ")))
		}
	} else if len(failures) == 0 {
		w.waiting = time.Time{}
	}
	if w.name != plan.Home {
		out.devices = w.present(failures)
	} else if len(failures) == 0 && !w.membersOnly {
		w.learned(steps)
		out.devices = bridged(w.target, have, w.taught)
	}
	w.settled, w.remembered = nil, false
	if len(failures) == 0 && !out.waits && len(out.problems) == len(w.invalid) && !slices.ContainsFunc(have.Links, w.leftover) {
		settled := w.target
		w.settled, w.remembered = &settled, true
	}
	w.serve(ctx, sources, out)
}

// patient says whether it is too early to call it a problem that another namespace is waited for.
func (w *worker) patient() bool {
	if w.waiting.IsZero() {
		w.waiting = time.Now()
	}
	return time.Since(w.waiting) < patience
}

// leftover says whether a device is unwanted and still plugged in.
func (w *worker) leftover(l plan.Link) bool {
	return l.Tap.Plugged && !slices.ContainsFunc(w.target.Links, func(x plan.Link) bool { return x.Name == l.Name })
}

// open makes sure that the namespace is there and is the one that is worked on.
func (w *worker) open(ctx context.Context) (made bool, err error) {
	if w.ns != nil && !w.ns.Current() {
		w.k.log.Warn("namespace is gone; it is made again", "namespace", w.name)
		w.close()
		// What runs in the old one would keep it, and its devices, alive.
		w.stopServers(ctx)
	}
	if w.ns != nil {
		return false, nil
	}
	ns, made, err := w.ensure()
	if err != nil {
		return false, err
	}
	for _, l := range w.target.Links {
		if l.Peer.Namespace != "" && w.k.desires(l.Peer.Namespace) {
			// So that a pair need not wait for the other worker. What is wrong with its namespace that one tells.
			if peer, _, err := w.k.host.Ensure(l.Peer.Namespace); err == nil {
				_ = peer.Close()
			}
		}
	}
	stop, err := ns.Watch(func(a netip.Addr) bool { return (*w.permanent.Load())[a] }, func() { poke(w.news) })
	if err != nil {
		return made, errors.Join(err, ns.Close())
	}
	w.ns, w.stopWatch, w.remembered = ns, stop, false
	return made, nil
}

// difference is what is there, and what must be done about it.
func (w *worker) difference(ctx context.Context, plugged map[string]bool) (plan.Namespace, []plan.Step, error) {
	if w.remembered && w.settled != nil {
		have := *w.settled
		if w.membersOnly {
			return have, plan.DiffSets(w.target, have), nil
		}
		w.plugsMoved = false
		if w.name == plan.Home { // devices of machines come and go
			if err := w.ns.Bridges(&have); err != nil {
				return have, nil, err
			}
		}
		w.around(ctx, w.target, &have, plugged)
		return have, plan.Diff(w.target, have), nil
	}
	w.k.met.looks.Inc()
	w.membersOnly, w.plugsMoved = false, false
	w.newsAt = time.Time{} // they are looked at now; otherwise they wait for their time
	have, err := w.ns.Observe(ctx, w.target)
	if err != nil {
		return have, nil, err
	}
	w.around(ctx, w.target, &have, plugged)
	w.tellForeign(have.Foreign)
	steps := plan.Diff(w.target, have)
	w.tellDrift(have, steps)
	return have, steps, nil
}

// withPlugs notes which taps are on br-int; as long as nobody has said, all may be.
func withPlugs(links []plan.Link, plugged map[string]bool) []plan.Link {
	out := slices.Clone(links)
	for i, l := range out {
		out[i].Tap.Plugged = l.Tap.Name != "" && (plugged == nil || plugged[l.Tap.Name])
	}
	return out
}

func (w *worker) apply(ctx context.Context, have plan.Namespace, steps []plan.Step) []kernel.Failure {
	if len(steps) == 0 {
		return nil
	}
	failures := w.ns.Apply(ctx, steps, w.linked)
	w.k.met.steps.Add(float64(len(steps)))
	w.k.log.Info("namespace changed", "namespace", w.name, "steps", len(steps), "failed", len(failures))
	for _, s := range steps {
		if a, ok := s.(plan.Announce); ok {
			w.announcer.add(a.Dev, a.Addresses)
		}
	}
	return failures
}

// linked publishes devices as soon as they are there: br-int takes them while the namespace is still being worked on. Nothing
// is sent by them before addresses and routes come, after the rules of iptables.
func (w *worker) linked(failures []kernel.Failure) {
	devices := w.present(failures)
	w.k.mu.Lock()
	if w.sources != nil {
		w.devices = devices
	}
	w.k.mu.Unlock()
	poke(w.k.changed)
}

// tellPeers wakes the workers of namespaces at the other ends of pairs, when this one has come or has made a pair.
func (w *worker) tellPeers(made bool, steps []plan.Step, failures []kernel.Failure) {
	failed := map[string]bool{}
	for _, f := range failures {
		if s, ok := f.Step.(plan.MakeLink); ok {
			failed[s.Name] = true
		}
	}
	for _, s := range steps {
		if s, ok := s.(plan.MakeLink); ok && s.Peer.Namespace != "" && !failed[s.Name] {
			w.k.wakeWorker(s.Peer.Namespace, true)
		}
	}
	if made {
		for _, l := range w.target.Links {
			if l.Peer.Namespace != "" {
				w.k.wakeWorker(l.Peer.Namespace, true)
			}
		}
	}
}

// present are the ports that are there.
func (w *worker) present(failures []kernel.Failure) []Device {
	var out []Device
	for _, l := range w.target.Links {
		failed := slices.ContainsFunc(failures, func(f kernel.Failure) bool { s, ok := f.Step.(plan.MakeLink); return ok && s.Name == l.Name })
		if l.Tap.Name != "" && !failed {
			out = append(out, Device{Name: l.Tap.Name, PortID: l.Tap.PortID})
		}
	}
	return out
}

// serveTimeout is how long the servers of a namespace may take to be as they must be.
const serveTimeout = 20 * time.Second

// serve makes the servers inside run.
func (w *worker) serve(ctx context.Context, sources *plan.Sources, out *outcome) {
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	served := true
	if s := w.target.Server; s != nil {
		changed, err := w.k.cfg.DHCP.Ensure(ctx, w.ns, *s)
		if err != nil {
			served = false
			out.serverProblem(sources.Own(), err)
		}
		if changed && w.served == w.built {
			w.drift("the DHCP server did not run as desired; it does again")
		}
	}
	if a := w.target.Advertiser; a != nil {
		changed, err := w.k.cfg.Advertisers.Ensure(ctx, w.ns, *a)
		if err != nil {
			served = false
			out.serverProblem(sources.Own(), err)
		}
		if changed && w.served == w.built {
			w.drift("the router advertisements were not sent as desired; they are again")
		}
	} else {
		w.stopAdvertiser(ctx)
	}
	if l := w.target.Listener; l == nil {
		w.k.cfg.Metadata.Stop(w.name)
	} else if err := w.k.cfg.Metadata.Ensure(w.ns, *l); err != nil {
		served = false
		out.serverProblem(sources.Own(), err)
	}
	if served {
		w.served = w.built
	}
}

func (w *worker) stopServers(ctx context.Context) {
	w.k.cfg.Metadata.Stop(w.name)
	w.stopAdvertiser(ctx)
	if !strings.HasPrefix(w.name, plan.QDHCP) {
		return
	}
	if err := w.k.cfg.DHCP.Stop(ctx, w.name); err != nil {
		w.k.log.Warn("DHCP server not ended", "namespace", w.name, "err", err)
	}
}

func (w *worker) stopAdvertiser(ctx context.Context) {
	if !strings.HasPrefix(w.name, plan.QRouter) {
		return
	}
	if err := w.k.cfg.Advertisers.Stop(ctx, w.name); err != nil {
		w.k.log.Warn("router advertisements not ended", "namespace", w.name, "err", err)
	}
}

func (o *outcome) blame(resource string, err error) {
	if _, other := o.problems[resource]; !other {
		o.problems[resource] = Problem{Reason: reasonOf(err), Message: err.Error()}
	}
}

func (o *outcome) serverProblem(resource string, err error) {
	if _, other := o.problems[resource]; !other {
		o.problems[resource] = Problem{Reason: ServerFailed, Message: err.Error()}
	}
}

func reasonOf(err error) string {
	for _, x := range []struct {
		is     error
		reason string
	}{{kernel.ErrTaken, NameTaken}, {kernel.ErrNoCommand, ProgramMissing}, {kernel.ErrWaiting, Waiting}, {unix.EPERM, NotPermitted}, {unix.EACCES, NotPermitted}} {
		if errors.Is(err, x.is) {
			return x.reason
		}
	}
	return StepFailed
}
