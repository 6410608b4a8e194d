// Package hostsync makes hosts be what the store says: one loop per host that renders what changed, applies the
// difference to the host's bridges in atomic bundles and to its agent in deltas, and reports back what was
// acknowledged.
//
// What a host must have is a pure function of a snapshot. A loop therefore keeps no table of rows: the rows that a
// part of a bridge has are the ones rendered from the snapshot that was last applied. Only when a bridge connects, on
// an audit, and after a failure is the switch itself asked.
package hostsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-sdn/weft/controller/journal"
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/openflow/channel"
)

// Config is what the loops need.
type Config struct {
	Store *store.Store
	// Epoch is the mastership epoch, sent to switches as the generation id of the role request.
	Epoch uint64
	// Controllers are the OVSDB targets at which bridges reach the controllers, e.g. tcp:10.0.0.1:6653.
	Controllers []string
	// HostTimeout is within which time of a host's death what was on it works elsewhere. A host is down when its agent and its
	// switches have been silent for SilenceLimit of it; who listens asks them for signs of life every AskInterval. Default
	// DefaultHostTimeout.
	HostTimeout time.Duration
	// AuditInterval is how often each bridge is compared with what it should have. Default 60 s.
	AuditInterval time.Duration
	// MeterInterval is how often the meters of a bridge that has some are looked at besides: switches announce who changes a row,
	// but not who changes a meter. Default 5 s.
	MeterInterval time.Duration
	// Tolerated cookies may stay on our bridges though nobody wants them.
	Tolerated []CookieMask
	Journal   *journal.Journal
	Registry  prometheus.Registerer
	Log       *slog.Logger
}

// CookieMask is a set of cookies: those that equal Value in the bits of Mask.
type CookieMask struct{ Value, Mask uint64 }

// Fleet is all hosts.
type Fleet struct {
	cfg     Config
	metrics *metrics
	health  *health

	ready chan struct{} // closed when every host has its loop

	mu    sync.Mutex
	ctx   context.Context // of Run; nil before
	hosts map[string]*host
	seen  int64         // revision up to which every host knows what it has to do
	moved chan struct{} // closed and replaced whenever a host makes progress
	// unknown are switches that connected with a datapath id of no host: id → last remote address.
	unknown map[uint64]string

	// manyRows is how many are better replayed by the agent.
	manyRows int

	states chan model.PortState
	loops  sync.WaitGroup
}

// New makes a fleet of no hosts; Run fills it.
func New(cfg Config) *Fleet {
	if cfg.AuditInterval == 0 {
		cfg.AuditInterval = time.Minute
	}
	if cfg.MeterInterval == 0 {
		cfg.MeterInterval = 5 * time.Second
	}
	if cfg.HostTimeout == 0 {
		cfg.HostTimeout = DefaultHostTimeout
	}
	f := &Fleet{cfg: cfg, metrics: newMetrics(cfg.Registry), ready: make(chan struct{}), hosts: map[string]*host{},
		moved: make(chan struct{}), unknown: map[uint64]string{}, states: make(chan model.PortState, 1024), manyRows: many}
	f.health = newHealth(f)
	return f
}

// Ready is closed when Run has taken in the store: switches and agents may come.
func (f *Fleet) Ready() <-chan struct{} { return f.ready }

// Run follows the store until the context ends.
func (f *Fleet) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer f.loops.Wait()
	defer cancel()
	f.mu.Lock()
	f.ctx = ctx
	f.mu.Unlock()
	f.loops.Go(func() { f.writePortStates(ctx) })
	for first := true; ; first = false {
		snap, rev := f.cfg.Store.Snapshot()
		f.relist(snap, rev)
		if first {
			f.loops.Go(func() { f.health.run(ctx) })
			close(f.ready)
		}
		err := f.follow(ctx, snap, rev)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, store.ErrCompacted) {
			return err
		}
		f.cfg.Log.Warn("too slow to follow the store; all hosts are rendered anew", "rev", rev)
	}
}

// relist gives every host everything to do.
func (f *Fleet) relist(snap state.Snapshot, rev int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for h := range snap.Hosts() {
		f.startHost(h.ID).post(func(in *inbox) { in.see(snap, rev); in.all = true })
	}
	for name := range f.hosts {
		if snap.Host(name) == nil {
			f.forget(name)
		}
	}
	f.seen = rev
	f.progress()
}

// follow hands each change to the hosts that it concerns.
func (f *Fleet) follow(ctx context.Context, before state.Snapshot, rev int64) error {
	for b, err := range f.cfg.Store.Watch(ctx, rev) {
		if err != nil {
			return err
		}
		f.dispatch(before, b)
		before = b.Snapshot
	}
	return ctx.Err()
}

func (f *Fleet) dispatch(before state.Snapshot, b store.Batch) {
	affected := view.Affected(before, b.Snapshot, b.Changes)
	f.tellMoves(before, b.Snapshot, b.Changes)
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, parts := range affected {
		if b.Snapshot.Host(name) == nil {
			continue
		}
		f.startHost(name).post(func(in *inbox) { in.see(b.Snapshot, b.Revision); in.dirty(parts) })
	}
	for _, c := range b.Changes {
		switch o := c.Old.(type) {
		case *model.Host:
			if c.New == nil {
				f.forget(o.ID)
			}
		}
		// A port that became ACTIVE gets its mark on the interface; no row depends on it.
		if st, ok := c.New.(*model.PortState); ok && st.Status == model.PortActive {
			if h := f.hosts[st.Host]; h != nil {
				h.post(func(in *inbox) { in.see(b.Snapshot, b.Revision); in.marks = append(in.marks, st.PortID) })
			}
		}
	}
	f.seen = b.Revision
	f.progress()
}

// startHost returns the loop of a host, which it starts if need be. The caller holds f.mu.
func (f *Fleet) startHost(name string) *host {
	h := f.hosts[name]
	if h == nil {
		h = newHost(f, name)
		f.hosts[name] = h
		f.loops.Go(func() { h.run(f.ctx) })
	}
	return h
}

// forget ends the loop of a host that is no more. The caller holds f.mu.
func (f *Fleet) forget(name string) {
	if h := f.hosts[name]; h != nil {
		h.stop()
		delete(f.hosts, name)
		f.metrics.forget(name)
	}
}

// find returns the loop of a host, or nil.
func (f *Fleet) find(name string) *host {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hosts[name]
}

// progress wakes those who wait for hosts. The caller holds f.mu.
func (f *Fleet) progress() {
	close(f.moved)
	f.moved = make(chan struct{})
}

func (f *Fleet) event(host, reason, object, format string, args ...any) {
	kind, id := splitObject(object)
	f.cfg.Journal.Record(report.Event{Host: host, Reason: reason, Message: fmt.Sprintf(format, args...), Kind: kind, ID: id})
}

// Admit says whether a switch may connect: its datapath id must be one that a host's agent was told to set.
func (f *Fleet) Admit(dpid uint64, remote net.Addr) error {
	snap, _ := f.cfg.Store.Snapshot()
	if _, _, ok := view.Datapath(snap, dpid); ok {
		return nil
	}
	f.mu.Lock()
	_, known := f.unknown[dpid]
	f.unknown[dpid] = remote.String()
	f.mu.Unlock()
	if !known {
		f.event("", "UnknownSwitch", "", "a switch with datapath id %016x connected from %s; no host has it, so it is not programmed", dpid, remote)
	}
	return fmt.Errorf("datapath id %016x belongs to no host", dpid)
}

// Connected gives a switch's connection to the loop of its host.
func (f *Fleet) Connected(c *channel.Conn) {
	snap, _ := f.cfg.Store.Snapshot()
	name, bridge, ok := view.Datapath(snap, c.DatapathID())
	h := f.find(name)
	if !ok || h == nil {
		c.Close()
		return
	}
	f.mu.Lock()
	delete(f.unknown, c.DatapathID())
	f.mu.Unlock()
	f.health.feel(name, true, func(p *pulse) { p.switches[c] = c.Stats().BytesReceived })
	h.post(func(in *inbox) { in.conns = append(in.conns, bridgeConn{bridge, c}) })
}

// Disconnected takes a connection away.
func (f *Fleet) Disconnected(c *channel.Conn, err error) {
	snap, _ := f.cfg.Store.Snapshot()
	name, bridge, _ := view.Datapath(snap, c.DatapathID())
	f.health.feel(name, false, func(p *pulse) {
		p.listen(time.Now())
		delete(p.switches, c)
	})
	if h := f.find(name); h != nil {
		h.post(func(in *inbox) { in.gone = append(in.gone, lostConn{bridgeConn{bridge, c}, err}) })
	}
}

// UnknownSwitches lists switches that were refused: datapath id and remote address.
func (f *Fleet) UnknownSwitches() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for id, addr := range f.unknown {
		out = append(out, fmt.Sprintf("%016x from %s", id, addr))
	}
	return out
}
