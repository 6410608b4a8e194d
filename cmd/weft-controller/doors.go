package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/weft-sdn/weft/controller/api"
)

// doors are the listeners.
type doors struct {
	grpc, http, node, openflow []net.Listener
}

// open opens every listener, or none.
func (d *doors) open(ctx context.Context, cfg config, t *tls.Config) error {
	for _, l := range []struct {
		flag  string
		addrs []string
		to    *[]net.Listener
	}{
		{"listen-grpc", cfg.listenGRPC, &d.grpc}, {"listen-http", cfg.listenHTTP, &d.http},
		{"listen-node", cfg.listenNode, &d.node}, {"listen-openflow", cfg.listenOpenFlow, &d.openflow},
	} {
		for _, addr := range l.addrs {
			ln, err := api.Listen(ctx, addr, t, cfg.insecure)
			if err != nil {
				d.close()
				return fmt.Errorf("--%s: %w", l.flag, err)
			}
			*l.to = append(*l.to, ln)
		}
	}
	return nil
}

func (d *doors) close() {
	for _, lns := range [][]net.Listener{d.grpc, d.http, d.node, d.openflow} {
		for _, ln := range lns {
			ln.Close()
		}
	}
}
