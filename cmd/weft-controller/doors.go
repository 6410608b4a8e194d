package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

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

// lent is a door that others serve afterwards: to close it ends only this use of it.
type lent struct {
	net.Listener
	closed atomic.Bool
}

// deadliner is a listener whose Accept can be made to end.
type deadliner interface{ SetDeadline(time.Time) error }

// lend lets somebody serve a door until he closes it. One serves it at a time.
func lend(ln net.Listener) net.Listener {
	// It fails when the door itself is closed, as Accept will.
	_ = ln.(deadliner).SetDeadline(time.Time{})
	return &lent{Listener: ln}
}

// Accept implements net.Listener.
func (l *lent) Accept() (net.Conn, error) {
	if l.closed.Load() {
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil && l.closed.Load() {
		err = net.ErrClosed
	}
	return conn, err
}

// Close implements net.Listener.
func (l *lent) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return l.Listener.(deadliner).SetDeadline(time.Unix(1, 0))
}
