package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/credentials"

	"github.com/weft-sdn/weft/nsagent/dnsmasq"
	"github.com/weft-sdn/weft/nsagent/metadata"
	"github.com/weft-sdn/weft/nsagent/namespaces"
	"github.com/weft-sdn/weft/nsagent/radvd"
	"github.com/weft-sdn/weft/nsagent/replay"
	"github.com/weft-sdn/weft/nsagent/statefile"
	"github.com/weft-sdn/weft/nsagent/tracker"
	"github.com/weft-sdn/weft/ovsdb"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// Config is what an agent needs to know about its host.
type Config struct {
	// Host is the hostname, under which the controller knows this machine.
	Host string
	// BootID changes with every boot of the machine.
	BootID  string
	Version string
	// TunnelIP is the address of this host's ends of tunnels; empty for a host without.
	TunnelIP string
	// BridgeMappings is physical network → bridge.
	BridgeMappings map[string]string
	Roles          []string

	// Controllers are host:port, tried one after the other.
	Controllers []string
	// Credentials are those of the connection to a controller.
	Credentials credentials.TransportCredentials
	// SSL are the files with which the switch connects to controllers at ssl: targets; zero: somebody else gives it some.
	SSL ovsdb.SSL

	// StateDir is where state is kept; one agent at a time may use it.
	StateDir string
	// OVSDB is the database server, e.g. unix:/run/openvswitch/db.sock.
	OVSDB string
	// RunDir is where the management sockets of bridges are.
	RunDir string
	// DatapathType is system or netdev.
	DatapathType string
	// IntegrationBridge and TunnelBridge are names, br-int and br-tun by default.
	IntegrationBridge, TunnelBridge string

	// ApplyTimeout is how long the switch may take to carry out a Delta before what it has not done is reported as
	// failed; default 5 s.
	ApplyTimeout time.Duration
	// MetadataURL is a Nova-compatible metadata service, and MetadataSecret what it shares with this host; nil: the agent
	// answers itself, with what the controller knows of ports.
	MetadataURL    *url.URL
	MetadataSecret []byte
	// LeaseTime is how long DHCP gives an address for; default 24 h.
	LeaseTime time.Duration
	// AuditInterval is how often namespaces are looked at when nothing announces a change; zero for the default.
	AuditInterval time.Duration
	// Replay are the times of flow replay; zero for the defaults.
	ReplayGrace, SaveInterval time.Duration

	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Agent is a node agent.
type Agent struct {
	cfg    Config
	log    *slog.Logger
	dir    *statefile.Dir
	keeper *replay.Keeper
	spaces *namespaces.Keeper
	close  func() // of what the namespaces need
	met    metrics
	// seen is the database as last seen, for the keeper's goroutines; nil while it is away.
	seen atomic.Pointer[ovsdb.State]

	sessions chan *ovsdb.Session
	streams  chan streamEvent
	events   chan event
	over     chan struct{} // closed when the loop has ended
	asks     chan struct{} // holds one for each question that is being answered
	asked    sync.WaitGroup

	// What follows belongs to the goroutine of Run.

	held  *held
	epoch uint64
	// unsaved are resources that are in force and not on disk, because of saveErr; it is tried again at saveAt.
	unsaved map[string]bool
	saveErr error
	saveAt  time.Time
	db      *ovsdb.Session
	problem map[string]ovsdb.Problem
	// report is how far the namespaces are; plugged is what they were told of the integration bridge.
	report  namespaces.Report
	plugged map[string]bool
	bound   map[string]bool
	// need is the transaction that a resource waits for in the switch.
	need map[string]int64
	// settled are the resources that were true when last seen, with the row that they were about. One of these that is
	// not true any more, and which no Delta touched, has drifted.
	settled map[string]string
	calm    *rate.Limiter // of repairs
	quiet   time.Time     // no repair before

	stream   *stream
	delta    *nodev1.Delta        // the last one of this stream
	answered string               // what the last answer said
	late     map[string]time.Time // since when the switch has not followed, by resource
	dueAt    time.Time            // when the next of these is late enough to be told; zero for never
	// replaced: this stream's controller is another process than the last one that this host has heard, or that its state on disk
	// knows of; called: bridges were made to connect to it.
	replaced, called bool
	// connected are the bridges that this stream's controller had at its first Delta.
	connected []string
	// oldPaths is the transaction after which the switch may go on with old paths; 0 for none that it has not carried out.
	oldPaths int64

	links     map[string]link // by bridge
	inventory map[string]told // what the stream was told
	version   string          // of Open vSwitch, as the stream was told
	// looked: the keeper of namespaces has looked at everything once.
	looked  bool
	notices []*nodev1.Notice // for the next stream

	retryAt    time.Time
	retryAfter time.Duration
}

// New makes an agent: it takes the state directory, and reads what is in it. The errors are for the operator.
func New(cfg Config) (*Agent, error) {
	if cfg.ApplyTimeout == 0 {
		cfg.ApplyTimeout = 5 * time.Second
	}
	dir, err := statefile.Open(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, log: cfg.Log, dir: dir,
		sessions: make(chan *ovsdb.Session), streams: make(chan streamEvent), events: make(chan event, 64), over: make(chan struct{}),
		asks: make(chan struct{}, maxAsks),
		held: nothingHeld(site{cfg.IntegrationBridge, cfg.TunnelBridge, cfg.DatapathType, cfg.SSL}), unsaved: map[string]bool{}, need: map[string]int64{}, settled: map[string]string{}, late: map[string]time.Time{},
		calm: rate.NewLimiter(rate.Every(time.Second), 20)}
	a.met.register(cfg.Metrics)
	a.keeper = replay.New(replay.Config{RunDir: cfg.RunDir, StateDir: cfg.StateDir, Facts: a.facts, Notify: a.notify,
		Log: cfg.Log, Grace: cfg.ReplayGrace, SaveInterval: cfg.SaveInterval})
	dhcp := dnsmasq.New(dnsmasq.Config{StateDir: cfg.StateDir, LeaseTime: cfg.LeaseTime, Log: cfg.Log, Metrics: cfg.Metrics})
	meta := metadata.New(metadata.Config{URL: cfg.MetadataURL, Secret: cfg.MetadataSecret, Log: cfg.Log, Metrics: cfg.Metrics})
	a.close = func() { dhcp.Close(); meta.Close() }
	advertisers := radvd.New(radvd.Config{StateDir: cfg.StateDir, Metrics: cfg.Metrics})
	a.spaces = namespaces.New(namespaces.Config{DHCP: dhcp, Advertisers: advertisers, Metadata: meta, Notify: a.spaceNotice, Tracker: tracker.Tracker{RunDir: cfg.RunDir, Bridge: cfg.IntegrationBridge, DatapathType: cfg.DatapathType},
		AuditInterval: cfg.AuditInterval, Log: cfg.Log, Metrics: cfg.Metrics})
	if err := a.load(); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return a, nil
}

// load takes up the saved state. One that is not right is as none.
func (a *Agent) load() error {
	s, err := a.dir.Load()
	var corrupt *statefile.CorruptError
	switch {
	case errors.As(err, &corrupt):
		a.log.Error("desired state lost", "err", err)
		a.notice("StateCorrupt", "", err.Error())
	case err != nil:
		return fmt.Errorf("state directory %s: %w", a.cfg.StateDir, err)
	}
	a.epoch, a.held = s.Epoch, restore(s, a.held.site)
	for name, e := range a.held.rejected {
		a.log.Error("saved resource cannot be used", "object", name, "err", e.Message)
	}
	return nil
}

// Run works until the context ends, and leaves everything in place.
func (a *Agent) Run(ctx context.Context) error {
	defer a.dir.Close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { a.keepDatabase(ctx); return nil })
	g.Go(func() error { a.keepController(ctx); return nil })
	g.Go(func() error { a.keeper.Run(ctx); return nil })
	g.Go(func() error { a.keepSpaces(ctx); return nil })
	g.Go(func() error { a.run(ctx); return nil })
	return g.Wait()
}

func (a *Agent) run(ctx context.Context) {
	defer a.asked.Wait()
	defer close(a.over)
	a.log.Info("started", "version", a.cfg.Version, "host", a.cfg.Host, "rev", a.held.revision, "resources", len(a.held.resources), "epoch", a.epoch)
	a.keepFlows()
	a.wantSpaces()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(a.sleep())
		var changed, gone <-chan struct{}
		if a.db != nil {
			changed, gone = a.db.Changed(), a.db.Done()
		}
		select {
		case <-ctx.Done():
			return
		case a.db = <-a.sessions:
			a.databaseUp()
		case <-gone:
			a.databaseDown()
		case <-changed:
		case e := <-a.streams:
			a.streamEvent(ctx, e)
		case <-a.spaces.Changed():
		case e := <-a.events:
			a.heard(e)
			continue
		case <-timer.C:
			if !a.saveAt.IsZero() && !time.Now().Before(a.saveAt) {
				a.save()
			}
		}
		a.reconcile(ctx)
	}
}

// sleep is how long nothing needs to be done if nothing happens.
func (a *Agent) sleep() time.Duration {
	next := time.Now().Add(time.Hour)
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	earlier(a.retryAt)
	earlier(a.saveAt)
	earlier(a.quiet)
	earlier(a.dueAt)
	return max(time.Until(next), 0)
}

// facts is what the keeper asks.
func (a *Agent) facts(bridge string) replay.Facts {
	s := a.seen.Load()
	if s == nil {
		return replay.Facts{}
	}
	f := replay.Facts{Known: true, Master: s.HasMaster(bridge), IfaceIDs: map[string]string{}}
	for name, i := range s.Interfaces(bridge) {
		f.IfaceIDs[name] = i.IfaceID
	}
	return f
}

// keepFlows tells the keeper which bridges there are.
func (a *Agent) keepFlows() {
	var bs []replay.Bridge
	for _, b := range a.held.desired().Bridges {
		k := replay.Bridge{Name: b.Name}
		if b.Role == ovsdb.Physical {
			k.Uplink = "phy-" + b.Name
		}
		bs = append(bs, k)
	}
	a.keeper.Set(bs)
}

// once tells an outage when it begins, and every minute that it lasts. The zero value is ready.
type once struct{ until time.Time }

// now says whether it is time to tell.
func (o *once) now() bool {
	if time.Now().Before(o.until) {
		return false
	}
	o.until = time.Now().Add(time.Minute)
	return true
}
