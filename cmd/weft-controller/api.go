package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// serveAPI opens the doors for people and orchestrators.
func (c *controller) serveAPI(ctx context.Context, g *errgroup.Group) error {
	s := c.api.NewGRPC(c.credentials()...)
	for _, ln := range c.doors.grpc {
		g.Go(func() error { return serveGRPC(ctx, s, lend(ln)) })
	}
	rest, err := c.api.NewREST(promhttp.HandlerFor(c.reg, promhttp.HandlerOpts{}))
	if err != nil {
		return err
	}
	g.Go(func() error {
		<-ctx.Done()
		return rest.Close()
	})
	for _, ln := range c.doors.http {
		g.Go(func() error { return serveHTTP(rest, lend(ln), c.tls) })
	}
	return nil
}

// serveHTTP serves until s is closed.
func serveHTTP(s interface{ Serve(net.Listener) error }, ln net.Listener, t *tls.Config) error {
	addr := ln.Addr()
	if t != nil && addr.Network() != "unix" {
		ln = tls.NewListener(ln, t)
	}
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("HTTP on %v: %w", addr, err)
	}
	return nil
}

// tables gives the API the names of tables by bridge.
func tables(bridge string) []*flow.Table {
	switch bridge {
	case view.BrInt:
		return ofapps.Tables(view.RoleIntegration)
	case view.BrTun:
		return ofapps.Tables(view.RoleTunnel)
	}
	return ofapps.Tables(view.RolePhysical)
}
