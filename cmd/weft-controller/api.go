package main

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// serveAPI opens the doors for people and orchestrators.
func (c *controller) serveAPI(ctx context.Context, g *errgroup.Group) error {
	s := grpc.NewServer(c.grpcOptions()...)
	c.api.Register(s)
	for _, ln := range c.doors.grpc {
		g.Go(func() error { return serveGRPC(ctx, s, ln) })
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(c.reg, promhttp.HandlerOpts{}))
	for _, ln := range c.doors.http {
		g.Go(func() error { return serveHTTP(ctx, mux, ln, c.tls) })
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
