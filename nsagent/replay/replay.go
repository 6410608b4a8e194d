package replay

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Config is what a Keeper needs. All fields but the two times must be set.
type Config struct {
	// RunDir is where ovs-vswitchd makes the management sockets: <bridge>.mgmt.
	RunDir string
	// StateDir is where the flow sets are kept: flows-<bridge>.
	StateDir string
	// Facts says what the database knows of a bridge.
	Facts func(bridge string) Facts
	// Notify is told what is worth telling people. It must not block.
	Notify func(n Notice)
	Log    *slog.Logger

	// Grace is how long a controller that is master of a bridge may leave it empty before the saved flows are replayed, if
	// they are not very many; default 300 ms.
	Grace time.Duration
	// SaveInterval is the least time between two savings of a bridge, and how long one is put off because more changes
	// may follow; default 1 s.
	SaveInterval time.Duration
}

// Facts is what the database knows of a bridge.
type Facts struct {
	// Known is false while the database is away; the other fields are then empty.
	Known bool
	// Master says whether a controller is the bridge's master, as far as the switch has told.
	Master bool
	// IfaceIDs are external_ids:iface-id by the name of the interface.
	IfaceIDs map[string]string
}

// Notice is an event of a bridge.
type Notice struct {
	Bridge string
	// Reason is FlowsReplayed, FlowsSaved, FlowsNotSaved, FlowsUnusable, SwitchDown or SwitchUp.
	Reason  string
	Message string
}

// Reasons of notices.
const (
	FlowsReplayed = "FlowsReplayed"
	FlowsSaved    = "FlowsSaved"
	FlowsNotSaved = "FlowsNotSaved"
	FlowsUnusable = "FlowsUnusable"
	SwitchUp      = "SwitchUp"
	SwitchDown    = "SwitchDown"
)

// Bridge is a bridge to keep.
type Bridge struct {
	Name string
	// Uplink is the patch port that leads to the integration bridge, on a bridge of a physical network; else empty. Such a
	// bridge may carry the host's own traffic: when it has no flows at all and none were saved, it forwards like a plain
	// switch, but for what comes from the integration bridge, whose VLANs mean nothing outside.
	Uplink string
}

// Keeper keeps bridges, each in a goroutine of its own.
type Keeper struct {
	cfg Config

	mu      sync.Mutex
	ctx     context.Context
	bridges map[Bridge]*keeping
	wg      sync.WaitGroup
}

type keeping struct {
	*bridge
	cancel context.CancelFunc
}

// New makes a keeper without bridges.
func New(cfg Config) *Keeper {
	if cfg.Grace == 0 {
		cfg.Grace = 300 * time.Millisecond
	}
	if cfg.SaveInterval == 0 {
		cfg.SaveInterval = time.Second
	}
	return &Keeper{cfg: cfg, bridges: map[Bridge]*keeping{}}
}

// Run keeps until the context ends, and then waits for what it began. Set may be called before.
func (k *Keeper) Run(ctx context.Context) {
	k.mu.Lock()
	k.ctx = ctx
	for _, b := range k.bridges {
		k.start(b)
	}
	k.mu.Unlock()
	<-ctx.Done()
	k.wg.Wait()
}

// Set says which bridges there are to keep. What it began for others ends; their files stay.
func (k *Keeper) Set(bridges []Bridge) {
	k.mu.Lock()
	defer k.mu.Unlock()
	want := map[Bridge]bool{}
	for _, b := range bridges {
		want[b] = true
		if k.bridges[b] == nil {
			k.bridges[b] = &keeping{bridge: newBridge(k.cfg, b)}
			if k.ctx != nil {
				k.start(k.bridges[b])
			}
		}
	}
	for b, running := range k.bridges {
		if !want[b] {
			if running.cancel != nil {
				running.cancel()
			}
			delete(k.bridges, b)
		}
	}
}

func (k *Keeper) start(b *keeping) {
	if k.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(k.ctx)
	b.cancel = cancel
	k.wg.Go(func() { b.run(ctx) })
}

// Checkpoint says that a bridge's flows are complete at a revision. They are saved soon, if that revision is not the
// one that is on disk.
func (k *Keeper) Checkpoint(bridge string, revision int64) {
	k.each(func(b *keeping) {
		if b.Name == bridge {
			replace(b.checkpoint, revision)
		}
	})
}

// Wake says that the database has changed: interfaces may have come for which rows wait.
func (k *Keeper) Wake() {
	k.each(func(b *keeping) { replace(b.wake, struct{}{}) })
}

func (k *Keeper) each(f func(*keeping)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range k.bridges {
		f(b)
	}
}

// replace puts a value into a channel of size one in the place of one that waits there. Only one goroutine may send.
func replace[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	select {
	case c <- v:
	default:
	}
}
