package namespaces

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weft-sdn/weft/nsagent/kernel"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// defaultAudit is Config.AuditInterval when it is not set.
const defaultAudit = 10 * time.Second

// lookers is how many namespaces are worked on at the same time. It is more than there are processors, so that commands
// that hang in some of them leave room for the others.
const lookers = 16

// Keeper keeps the namespaces of a host.
type Keeper struct {
	cfg     Config
	log     *slog.Logger
	met     metrics
	wake    chan struct{} // for Run: desired has changed
	changed chan struct{}
	slots   chan struct{}
	host    *kernel.Host

	mu       sync.Mutex
	desired  map[string]plan.Resource
	complete bool
	// fresh are resources that changed since they were last sorted into namespaces; version counts the changes.
	fresh   map[string]bool
	version int
	// sorted is the version that the workers were told of.
	sorted  int
	invalid map[string]Problem
	workers map[string]*worker
	// plugged are the devices that br-int holds; nil while nobody has said.
	plugged map[string]bool
	// bound are those that are in a VLAN there; nil likewise.
	bound map[string]bool
	// broken is why no namespace can be kept at all.
	broken error
	// swept: namespaces that earlier processes left behind were looked for.
	swept bool
}

// New makes a Keeper.
func New(cfg Config) *Keeper {
	if cfg.AuditInterval <= 0 {
		cfg.AuditInterval = defaultAudit
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{cfg: cfg, log: cfg.Log, wake: make(chan struct{}, 1), changed: make(chan struct{}, 1), slots: make(chan struct{}, lookers),
		fresh: map[string]bool{}, invalid: map[string]Problem{}, workers: map[string]*worker{}}
	k.met.register(cfg.Metrics)
	return k
}

// Run works until the context ends, and leaves everything in place. What cannot be done is in the Report.
func (k *Keeper) Run(ctx context.Context) error {
	host, err := kernel.Open()
	k.mu.Lock()
	k.host, k.broken = host, err
	k.mu.Unlock()
	if err != nil {
		k.log.Error("no namespaces are kept", "err", err)
		poke(k.changed)
		<-ctx.Done()
		return nil
	}
	defer host.Close()
	host.Tracker, host.Unlearned = k.cfg.Tracker, k.unlearned
	if raised := host.RaiseNeighbourTable(); len(raised) > 0 {
		k.log.Info("room made for neighbours", "sysctl", raised)
	}
	stop, err := host.WatchNames(func(name string) { k.wakeWorker(name, false) })
	if err != nil {
		k.log.Warn("the loss of a namespace is seen by its audit only", "err", err)
	} else {
		defer stop()
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	retry := time.NewTicker(k.cfg.AuditInterval)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case name := <-k.cfg.DHCP.Deaths():
			k.wakeWorker(name, false)
			continue
		case name := <-k.cfg.Advertisers.Deaths():
			k.wakeWorker(name, false)
			continue
		case <-retry.C:
			if k.isSwept() {
				continue
			}
		}
		for _, w := range k.regroup() {
			wg.Go(func() { w.run(ctx) })
		}
		k.sweep(ctx, &wg)
		poke(k.changed)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Set says what is desired. It never blocks, and takes the map over. complete says that it is everything, not only what
// was on disk: namespaces of ours that nobody desires may go.
func (k *Keeper) Set(desired map[string]plan.Resource, complete bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := complete != k.complete
	if !complete && k.version != k.sorted {
		// As long as not everything is known nothing goes, and so nothing may go either that no worker has heard of yet.
		for name, r := range k.desired {
			if desired[name] == nil {
				desired[name] = r
			}
		}
	}
	for name, r := range desired {
		if k.desired[name] != r {
			k.fresh[name] = true
			changed = true
		}
	}
	for name := range k.desired {
		if desired[name] == nil {
			delete(k.fresh, name)
			changed = true
		}
	}
	k.desired, k.complete = desired, complete
	if changed {
		k.version++
		poke(k.wake)
	}
}

// regroup sorts what is desired into namespaces and tells their workers. It gives the workers that are new.
func (k *Keeper) regroup() (fresh []*worker) {
	k.mu.Lock()
	desired, complete, version := k.desired, k.complete, k.version
	k.mu.Unlock()
	grouped := plan.Group(desired)
	homeless := plan.Homeless(desired, grouped)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.invalid = map[string]Problem{}
	for r, e := range homeless {
		k.invalid[r] = Problem{e.Field, Invalid, e.Message}
	}
	for _, name := range slices.Sorted(maps.Keys(grouped)) {
		s := grouped[name]
		w := k.workers[name]
		switch {
		case w == nil:
			fresh = append(fresh, k.add(name, s))
		case !s.Equal(w.sources):
			w.set(s)
		}
	}
	for name, w := range k.workers {
		if grouped[name] == nil && complete && w.sources != nil {
			w.set(nil)
		}
	}
	k.sorted = version
	if version == k.version {
		clear(k.fresh)
	}
	return fresh
}

// add makes a worker. k.mu is held.
func (k *Keeper) add(name string, s *plan.Sources) *worker {
	w := newWorker(k, name)
	w.set(s)
	k.workers[name] = w
	k.met.namespaces.Set(float64(len(k.workers)))
	return w
}

func (k *Keeper) isSwept() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.swept || !k.complete
}

// sweep looks, once what is desired is known completely, for what earlier processes left behind.
func (k *Keeper) sweep(ctx context.Context, wg *sync.WaitGroup) {
	if k.isSwept() {
		return
	}
	names, err := k.host.List()
	served, errServed := k.cfg.DHCP.Running()
	told, errTold := k.cfg.Advertisers.Running()
	if err := errors.Join(err, errServed, errTold); err != nil {
		k.log.Warn("not looked for namespaces that nobody desires", "err", err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.swept = true
	if k.workers[plan.Home] == nil {
		w := k.add(plan.Home, nil)
		wg.Go(func() { w.run(ctx) })
	}
	for _, name := range slices.Concat(names, served, told) {
		if k.workers[name] == nil && plan.Ours(name) && !strings.ContainsRune(name, '/') {
			w := k.add(name, nil)
			wg.Go(func() { w.run(ctx) })
		}
	}
}

// Bound says which tap devices are in a VLAN of br-int now: when a device comes to be, its addresses are announced again.
func (k *Keeper) Bound(names map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.bound
	k.bound = names
	for _, w := range k.workers {
		if was != nil {
			w.boundChanged(was, names)
		}
	}
}

// Unplugged says which tap devices br-int holds now: a veth pair is deleted only when its port has left br-int.
func (k *Keeper) Unplugged(names map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.plugged
	k.plugged = maps.Clone(names)
	if k.plugged == nil {
		k.plugged = map[string]bool{}
	}
	for _, w := range k.workers {
		w.plugsChanged(was, k.plugged)
	}
}

// wakeWorker makes a namespace's worker look. excused: what it finds changed was another worker's doing.
func (k *Keeper) wakeWorker(name string, excused bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w := k.workers[name]; w != nil {
		w.look(excused)
	}
}

// desires says whether a namespace is to be there.
func (k *Keeper) desires(name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.workers[name]
	return w != nil && w.sources != nil
}

// Changed wakes when the Report has changed.
func (k *Keeper) Changed() <-chan struct{} { return k.changed }

// Report is the latest.
func (k *Keeper) Report() Report {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := Report{Problems: map[string]Problem{}, Pending: map[string]bool{}, Stale: k.sorted != k.version}
	maps.Copy(out.Problems, k.invalid)
	for name := range k.fresh {
		out.Pending[name] = true
	}
	for _, w := range k.workers {
		if w.sources == nil {
			out.Stale = out.Stale || w.tried < w.generation
			out.Devices = append(out.Devices, w.devices...)
			continue
		}
		if w.tried < w.generation {
			for _, r := range w.sources.Resources() {
				out.Pending[r] = true
			}
		}
		maps.Copy(out.Problems, w.problems)
		out.Devices = append(out.Devices, w.devices...)
	}
	if k.broken != nil {
		for name := range k.desired {
			out.Problems[name] = Problem{Reason: StepFailed, Message: fmt.Sprintf("no namespace can be kept: %v", k.broken)}
		}
	}
	slices.SortFunc(out.Devices, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (k *Keeper) notify(n Notice) {
	if k.cfg.Notify != nil {
		k.cfg.Notify(n)
	}
}
