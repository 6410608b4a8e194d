package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/weft-sdn/weft/cmd/internal/program"
	"github.com/weft-sdn/weft/controller/api"
	"github.com/weft-sdn/weft/controller/store"
)

// asked is how long an answer to the question who leads is good for, and the longest that it may take.
const asked = time.Second

// lead waits until this controller leads, and stands by meanwhile. With an embedded store there is nobody else.
func (c *controller) lead(ctx context.Context) (membership, error) {
	if !c.shared() {
		return alone{}, nil
	}
	m, err := c.store.Join(ctx, store.Member{Name: c.cfg.name, Version: program.Version(), API: addrs(c.doors.grpc), Since: time.Now()}, c.cfg.lease)
	if err != nil {
		return nil, err
	}
	c.log.Info("stands by", "name", c.cfg.name, "lease", c.cfg.lease)
	g, standing := errgroup.WithContext(ctx)
	standing, stop := context.WithCancel(standing)
	defer stop()
	g.Go(func() error {
		defer stop()
		return m.Lead(standing)
	})
	g.Go(func() error { return c.standBy(standing) })
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, m.Leave())
	}
	return m, nil
}

// shared says whether there may be other controllers with the same store.
func (c *controller) shared() bool { return c.cfg.store == "external" }

// membership is the place of a controller among others.
type membership interface {
	Lost() <-chan struct{}
	Leave() error
}

// alone is that of one without others.
type alone struct{}

// Lost implements membership.
func (alone) Lost() <-chan struct{} { return nil }

// Leave implements membership.
func (alone) Leave() error { return nil }

// standBy answers at the doors of people and agents until the context ends: who leads, and that it is not this controller.
func (c *controller) standBy(ctx context.Context) error {
	who := &guide{name: c.cfg.name, store: c.store}
	unhealthy := health.NewServer()
	unhealthy.Shutdown() // every question is answered with "not serving"
	refuse := grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error { return status.Error(codes.Unavailable, who.leads(s.Context())) })
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range []struct {
		doors   []net.Listener
		options []grpc.ServerOption
	}{{c.doors.grpc, c.credentials()}, {c.doors.node, c.nodeOptions()}} {
		s := grpc.NewServer(append(d.options, refuse)...)
		healthv1.RegisterHealthServer(s, unhealthy)
		for _, ln := range d.doors {
			g.Go(func() error { return serveGRPC(ctx, s, lend(ln)) })
		}
	}
	rest := api.NewStandby(promhttp.HandlerFor(c.reg, promhttp.HandlerOpts{}), who.leads)
	g.Go(func() error {
		<-ctx.Done()
		return rest.Close()
	})
	for _, ln := range c.doors.http {
		g.Go(func() error { return serveHTTP(rest, lend(ln), c.tls) })
	}
	return g.Wait()
}

// guide tells who leads. Hosts ask all the time while nobody does.
type guide struct {
	name  string
	store *store.Store

	mu     sync.Mutex
	answer string
	when   time.Time
}

func (g *guide) leads(ctx context.Context) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.when) < asked {
		return g.answer
	}
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	all, err := g.store.Members(ctx)
	g.answer, g.when = fmt.Sprintf("controller %s stands by, and nobody leads as yet", g.name), time.Now()
	if err != nil {
		g.answer = fmt.Sprintf("controller %s stands by, and cannot find out who leads: %v", g.name, err)
	} else if i := slices.IndexFunc(all, func(m store.Member) bool { return m.Leader }); i >= 0 {
		g.answer = fmt.Sprintf("controller %s stands by: %s leads, whose API is at %s", g.name, all[i].Name, strings.Join(all[i].API, ", "))
	}
	return g.answer
}
