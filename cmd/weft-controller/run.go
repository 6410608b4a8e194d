package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/weft-sdn/weft/cmd/internal/program"
	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/api"
	"github.com/weft-sdn/weft/controller/hostsync"
	"github.com/weft-sdn/weft/controller/journal"
	"github.com/weft-sdn/weft/controller/ofconn"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/openflow/channel"
)

// controller is everything that runs.
type controller struct {
	cfg       config
	log       *slog.Logger
	tls       *tls.Config
	targets   []string
	tolerated []hostsync.CookieMask
	doors     doors
	*term
}

// term is what a controller has from the time that it stands by until it does not lead any more.
type term struct {
	reg   *prometheus.Registry
	store *store.Store
	gate  *gate
	fleet *hostsync.Fleet
	api   *api.Server
	epoch uint64
}

// run runs a controller until the context ends. One that does not lead any more begins anew.
func run(ctx context.Context, cfg config, log *slog.Logger) error {
	c := &controller{cfg: cfg, log: log}
	var err error
	if c.tls, err = cfg.serverTLS(log); err != nil {
		return err
	}
	if c.tolerated, err = cfg.tolerated(); err != nil {
		return err
	}
	if err := cfg.health(); err != nil {
		return err
	}
	sc, err := cfg.storeConfig(log)
	if err != nil {
		return err
	}
	// Doors first: an address that is taken is the commonest mistake, and should cost nothing.
	if err := c.doors.open(ctx, cfg, c.tls); err != nil {
		return err
	}
	defer c.doors.close()
	if c.targets, err = cfg.targets(c.doors.openflow, c.tls != nil); err != nil {
		return err
	}
	for again := false; ; again = true {
		err := c.serveTerm(ctx, sc)
		var closed *noStore
		switch {
		case ctx.Err() != nil, !errors.Is(err, store.ErrDeposed) && !(again && errors.As(err, &closed)):
			return err
		case errors.Is(err, store.ErrDeposed):
			log.Warn("stands by again", "name", cfg.name, "err", err)
		default:
			log.Warn("no store; trying again", "err", err)
		}
	}
}

// noStore says that the store could not be had. Where it was there before, it is waited for.
type noStore struct{ error }

// Unwrap gives the reason.
func (e *noStore) Unwrap() error { return e.error }

// serveTerm stands by until this controller leads, if there are several, and then runs until the context ends or another leads.
func (c *controller) serveTerm(ctx context.Context, sc store.Config) (err error) {
	defer roomToStart(ctx)()
	c.term = &term{reg: prometheus.NewRegistry()}
	c.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if c.store, err = store.Open(ctx, sc, c.log); err != nil {
		return &noStore{err}
	}
	defer c.store.Close()
	c.gate = newGate(func(id uint64) bool {
		snap, _ := c.store.Snapshot()
		_, _, known := view.Datapath(snap, id)
		return known
	})
	g, ctx := errgroup.WithContext(ctx)
	of := ofconn.Config{TLS: c.tls, Log: c.log,
		Channel: channel.Config{Events: c.gate, EchoInterval: c.cfg.echo(), EchoTimeout: c.cfg.echoTimeout}}
	for _, ln := range c.doors.openflow {
		g.Go(func() error { return of.Serve(ctx, lend(ln), c.gate) })
	}
	g.Go(func() error { return c.reign(ctx) })
	return g.Wait()
}

// reign waits until this controller leads, and then runs all loops and doors until one fails, another leads, or the context ends.
func (c *controller) reign(ctx context.Context) error {
	leads := prometheus.NewGauge(prometheus.GaugeOpts{Name: "weft_leader", Help: "1 while this controller leads, 0 while it stands by."})
	c.reg.MustRegister(leads)
	m, err := c.lead(ctx)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil // it was told to end while it stood by
	case err != nil:
		return &noStore{err}
	}
	leads.Set(1)
	if c.epoch, err = c.store.Epoch(ctx); err != nil {
		return errors.Join(fmt.Errorf("mastership epoch: %w", err), m.Leave())
	}
	j := journal.New(c.log, c.reg)
	if c.shared() {
		j.Record(report.Event{Reason: "ControllerLeads", Message: fmt.Sprintf("controller %s leads, with epoch %d", c.cfg.name, c.epoch)})
	}
	c.fleet = hostsync.New(hostsync.Config{Store: c.store, Epoch: c.epoch, Controllers: c.targets, AuditInterval: c.cfg.auditInterval,
		HostTimeout: c.cfg.hostTimeout, Tolerated: c.tolerated, Journal: j, Registry: c.reg, Log: c.log})
	c.api = api.New(api.Config{Store: c.store, Fleet: c.fleet, Journal: j, Tables: tables, Version: program.Version(),
		StoreKind: c.cfg.store, Registry: c.reg, Log: c.log})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		select {
		case <-m.Lost():
			return store.ErrDeposed
		case <-ctx.Done():
			return nil
		}
	})
	if err := c.serve(ctx, g); err != nil {
		g.Go(func() error { return err })
	}
	// Nothing runs any more: another may lead at once.
	return errors.Join(g.Wait(), m.Leave())
}

// serve begins to run all loops and to serve all doors.
func (c *controller) serve(ctx context.Context, g *errgroup.Group) error {
	g.Go(func() error { return c.fleet.Run(ctx) })
	g.Go(func() error { return c.api.Run(ctx) })
	select {
	case <-c.fleet.Ready():
	case <-ctx.Done():
		return nil
	}
	c.gate.open(c.fleet)
	node := grpc.NewServer(c.nodeOptions()...)
	agents := agentconn.New(hostsync.Facts{Store: c.store}, c.fleet, c.epoch, c.log)
	agents.Register(node)
	healthv1.RegisterHealthServer(node, health.NewServer()) // who is served here is served by the leader
	for _, ln := range c.doors.node {
		g.Go(func() error { return serveGRPC(ctx, node, agents.Heard(lend(ln))) })
	}
	if err := c.serveAPI(ctx, g); err != nil {
		return err
	}
	c.log.Info("ready", "version", program.Version(), "epoch", c.epoch, "grpc", addrs(c.doors.grpc), "http", addrs(c.doors.http),
		"node", addrs(c.doors.node), "openflow", addrs(c.doors.openflow))
	return nil
}

// credentials are those of gRPC doors.
func (c *controller) credentials() []grpc.ServerOption {
	if c.tls == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(c.tls))}
}

// An agent that has been silent for agentPing, or less if the health timeout says so, is asked for a sign of life, and is cut
// off when none comes for as long as agentPing. leastPing is the least that gRPC allows.
const (
	agentPing = 5 * time.Second
	leastPing = time.Second
)

// maxAnswer is the largest message of an agent: what it tells of a namespace with a million lines.
const maxAnswer = 64 << 20

// nodeOptions find agents that vanished without a word, and let them ask for signs of life as often.
func (c *controller) nodeOptions() []grpc.ServerOption {
	return append(c.credentials(), grpc.MaxRecvMsgSize(maxAnswer),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: c.cfg.ping(), Timeout: agentPing}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 2 * time.Second, PermitWithoutStream: true}))
}

// serveGRPC serves until the context ends, and then cuts every stream: agents and clients come again.
func serveGRPC(ctx context.Context, s *grpc.Server, ln net.Listener) error {
	defer context.AfterFunc(ctx, s.Stop)()
	if err := s.Serve(ln); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("gRPC on %v: %w", ln.Addr(), err)
	}
	return nil
}

func addrs(lns []net.Listener) []string {
	var out []string
	for _, ln := range lns {
		out = append(out, ln.Addr().String())
	}
	return out
}
