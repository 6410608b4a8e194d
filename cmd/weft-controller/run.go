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
	"google.golang.org/grpc/keepalive"

	"github.com/weft-sdn/weft/cmd/internal/program"
	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/api"
	"github.com/weft-sdn/weft/controller/hostsync"
	"github.com/weft-sdn/weft/controller/journal"
	"github.com/weft-sdn/weft/controller/ofconn"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/openflow/channel"
)

// controller is everything that runs.
type controller struct {
	cfg   config
	log   *slog.Logger
	tls   *tls.Config
	reg   *prometheus.Registry
	store *store.Store
	fleet *hostsync.Fleet
	api   *api.Server
	epoch uint64
	doors doors
}

// run runs a controller until the context ends.
func run(ctx context.Context, cfg config, log *slog.Logger) error {
	defer roomToStart(ctx)()
	c := &controller{cfg: cfg, log: log, reg: prometheus.NewRegistry()}
	c.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if c.tls, err = cfg.serverTLS(log); err != nil {
		return err
	}
	tolerated, err := cfg.tolerated()
	if err != nil {
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
	targets, err := cfg.targets(c.doors.openflow, c.tls != nil)
	if err != nil {
		return err
	}
	if c.store, err = store.Open(ctx, sc, log); err != nil {
		return err
	}
	defer c.store.Close()
	if c.epoch, err = c.store.Epoch(ctx); err != nil {
		return fmt.Errorf("mastership epoch: %w", err)
	}
	j := journal.New(log, c.reg)
	c.fleet = hostsync.New(hostsync.Config{Store: c.store, Epoch: c.epoch, Controllers: targets, AuditInterval: cfg.auditInterval,
		HostTimeout: cfg.hostTimeout, Tolerated: tolerated, Journal: j, Registry: c.reg, Log: log})
	c.api = api.New(api.Config{Store: c.store, Fleet: c.fleet, Journal: j, Tables: tables, Version: program.Version(),
		StoreKind: cfg.store, Registry: c.reg, Log: log})
	return c.serve(ctx)
}

// serve runs all loops and doors until one fails or the context ends.
func (c *controller) serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.fleet.Run(ctx) })
	g.Go(func() error { return c.api.Run(ctx) })
	select {
	case <-c.fleet.Ready():
	case <-ctx.Done():
		return g.Wait()
	}
	of := ofconn.Config{TLS: c.tls, Log: c.log,
		Channel: channel.Config{Events: c.fleet, EchoInterval: c.cfg.echo(), EchoTimeout: c.cfg.echoTimeout}}
	for _, ln := range c.doors.openflow {
		g.Go(func() error { return of.Serve(ctx, ln, c.fleet) })
	}
	node := grpc.NewServer(c.nodeOptions()...)
	agents := agentconn.New(hostsync.Facts{Store: c.store}, c.fleet, c.epoch, c.log)
	agents.Register(node)
	for _, ln := range c.doors.node {
		g.Go(func() error { return serveGRPC(ctx, node, agents.Heard(ln)) })
	}
	if err := c.serveAPI(ctx, g); err != nil {
		return err
	}
	c.log.Info("ready", "version", program.Version(), "epoch", c.epoch, "grpc", addrs(c.doors.grpc), "http", addrs(c.doors.http),
		"node", addrs(c.doors.node), "openflow", addrs(c.doors.openflow))
	return g.Wait()
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
