package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

const (
	// redial is how often a switch that is away is looked for, and redialSoon how often in its first second.
	redial     = 50 * time.Millisecond
	redialSoon = 5 * time.Millisecond
	// look is how often an empty bridge is looked at while its master may still fill it.
	look = 20 * time.Millisecond
	// timeout bounds one conversation with the switch: 100,000 rows take it half a second.
	timeout = 20 * time.Second
	// retry is how long after a failure it is tried again.
	retry     = time.Second
	lastRetry = time.Minute
	// patience is how long a new bridge may take to come.
	patience = 2 * time.Second
	// many rows are worth giving their memory back at once, and take a controller longer to make than us to replay.
	many = 10_000
)

// bridge keeps one bridge. All but the channels belongs to the goroutine that runs it.
type bridge struct {
	Bridge
	cfg        Config
	log        *slog.Logger
	checkpoint chan int64
	wake       chan struct{}

	saved int64 // revision on disk; 0 for none
	// A switch that goes away is told at once; one that was never there, when it has had time to come.
	downAfter time.Time
	down      bool // told
	// ahead is the saved set, read while the switch is away, so that it need not be read when time counts.
	ahead *Set
	// waiting are rows of a replayed set that wait for interfaces; waitedWith are the ports that were not enough.
	waiting    *Set
	waitedWith map[uint32]Interface
	restored   time.Time // when the set was replayed
}

func newBridge(cfg Config, b Bridge) *bridge {
	return &bridge{Bridge: b, cfg: cfg, log: cfg.Log.With("bridge", b.Name), checkpoint: make(chan int64, 1), wake: make(chan struct{}, 1)}
}

func (b *bridge) notify(reason, format string, args ...any) {
	b.cfg.Notify(Notice{b.Name, reason, fmt.Sprintf(format, args...)})
}

func (b *bridge) run(ctx context.Context) {
	if b.ahead = b.load(); b.ahead != nil {
		b.saved = b.ahead.Revision
	}
	b.downAfter = time.Now().Add(patience)
	since := time.Now()
	for ctx.Err() == nil {
		conn, err := b.dial(ctx)
		if err != nil {
			b.lost(err)
			if time.Since(since) < time.Second {
				pause(ctx, redialSoon)
			} else {
				pause(ctx, redial)
			}
			continue
		}
		if b.down {
			b.notify(SwitchUp, "%s: the switch is there", b.Name)
		}
		b.down, b.downAfter = false, time.Time{}
		b.serve(ctx, conn)
		conn.Close()
		b.waiting, since = nil, time.Now()
	}
}

// lost tells once that the switch is away, and gets ready for its return.
func (b *bridge) lost(err error) {
	if b.ahead == nil && b.saved != 0 {
		b.ahead = b.load()
	}
	if !b.down && time.Now().After(b.downAfter) {
		b.down = true
		b.notify(SwitchDown, "%s: %v", b.Name, err)
	}
}

func (b *bridge) dial(ctx context.Context) (*channel.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", filepath.Join(b.cfg.RunDir, b.Name+".mgmt"))
	if err != nil {
		return nil, err
	}
	// A local socket ends with its process: there is no need to ask for signs of life often.
	return channel.Config{EchoInterval: time.Minute}.Handshake(ctx, nc)
}

// load reads the saved set; one that is not right is as good as none.
func (b *bridge) load() *Set {
	s, err := load(b.cfg.StateDir, b.Name)
	if err != nil {
		b.log.Error("the saved flows cannot be used", "err", err)
		b.notify(FlowsUnusable, "%s: the saved flows cannot be used: %v", b.Name, err)
	}
	return s
}

// serve keeps the bridge as long as the connection lives.
func (b *bridge) serve(ctx context.Context, conn *channel.Conn) {
	again := time.NewTimer(0) // the first look at the bridge
	defer again.Stop()
	save := time.NewTimer(b.cfg.SaveInterval)
	save.Stop()
	defer save.Stop()
	var notBefore time.Time
	var failed time.Duration
	var revision int64
	for restored := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-conn.Done():
			// A checkpoint that was not saved is forgotten: what the switch has next is not what it was about.
			return
		case <-again.C:
			err := b.within(ctx, func(ctx context.Context) error {
				if restored {
					return b.restoreWaiting(ctx, conn)
				}
				return b.restore(ctx, conn)
			})
			if restored = restored || err == nil; err != nil && conn.Err() == nil && ctx.Err() == nil {
				b.log.Warn("flows not replayed", "err", err)
				again.Reset(retry)
			}
		case <-b.wake:
			if b.waiting != nil {
				again.Reset(0)
			}
		case revision = <-b.checkpoint:
			if revision != b.saved {
				save.Reset(max(b.cfg.SaveInterval, time.Until(notBefore)))
			}
		case <-save.C:
			began := time.Now()
			err := b.within(ctx, func(ctx context.Context) error { return b.save(ctx, conn, revision) })
			// At most a twentieth of the time goes into saving, however large the bridge.
			notBefore = time.Now().Add(20 * time.Since(began))
			if err == nil || conn.Err() != nil || ctx.Err() != nil {
				failed = 0
				continue
			}
			if failed == 0 {
				b.log.Error("flows not saved", "err", err)
				b.notify(FlowsNotSaved, "%s: %v", b.Name, err)
			}
			failed = min(max(2*failed, retry), lastRetry)
			save.Reset(failed)
		}
	}
}

func (b *bridge) within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return f(ctx)
}

// save reads the bridge's rows into its file: those that are ours, but not those that the switch learned.
func (b *bridge) save(ctx context.Context, conn *channel.Conn, revision int64) error {
	w, err := create(b.cfg.StateDir, b.Name)
	if err != nil {
		return err
	}
	defer w.drop()
	named := map[uint32]bool{}
	err = conn.DumpFlows(ctx, openflow.AllFlows(), func(s *openflow.FlowStats) error {
		if !flow.Ours(s.Cookie) || flow.Learned(s.Cookie) {
			return nil
		}
		m, err := toFlowMod(s, conn.Version())
		if err != nil {
			return err
		}
		noteMeters(named, m.Actions)
		return w.add(&m, conn.Version())
	})
	if err != nil {
		return err
	}
	if w.n == 0 {
		return errors.New("a controller says that the flows are complete, and there are none")
	}
	if err := saveMeters(ctx, conn, w, named); err != nil {
		return err
	}
	if !b.cfg.Facts(b.Name).Known {
		return errors.New("the database is away, and without it nobody knows whose the ports are")
	}
	ports, err := b.ports(ctx, conn)
	if err != nil {
		return err
	}
	if err := w.commit(conn.Version(), b.Name, revision, ports); err != nil {
		return err
	}
	b.saved = revision
	b.log.Debug("flows saved", "rev", revision, "flows", w.n)
	b.notify(FlowsSaved, "%s: %d flows of revision %d are on disk", b.Name, w.n, revision)
	if w.n > many {
		debug.FreeOSMemory()
	}
	return nil
}

func toFlowMod(s *openflow.FlowStats, v openflow.Version) (openflow.FlowMod, error) {
	f, err := flow.FromStats(s, v)
	if err != nil {
		return openflow.FlowMod{}, err
	}
	return add(f), nil
}

// add is the flow-mod that makes a row.
func add(f flow.Flow) openflow.FlowMod {
	return openflow.FlowMod{Command: openflow.FlowAdd, Table: f.Table, Priority: f.Priority, Cookie: f.Cookie,
		IdleTimeout: f.IdleTimeout, HardTimeout: f.HardTimeout, Flags: f.Flags, Match: f.Match, Actions: f.Actions,
		BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}
}

// ports says what the bridge's port numbers mean now.
func (b *bridge) ports(ctx context.Context, conn *channel.Conn) (map[uint32]Interface, error) {
	descs, err := conn.PortDescs(ctx)
	if err != nil {
		return nil, err
	}
	ids := b.cfg.Facts(b.Name).IfaceIDs
	out := map[uint32]Interface{}
	for _, p := range descs {
		if p.Number < openflow.PortMax {
			out[p.Number] = Interface{p.Name, ids[p.Name]}
		}
	}
	return out, nil
}

// pause waits, but not longer than the context.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
