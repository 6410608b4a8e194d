package store

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// dialTimeout is how long an external etcd may take to answer at first, and probeTimeout each endpoint to a plain
	// connection, when it does not.
	dialTimeout  = 10 * time.Second
	probeTimeout = 2 * time.Second
)

// dialExternal returns a client of an etcd cluster that has answered.
func dialExternal(ctx context.Context, cfg Config, log *slog.Logger) (*clientv3.Client, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            cfg.Endpoints,
		TLS:                  cfg.TLS,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
		MaxCallSendMsgSize:   cfg.MaxTxnBytes + 64<<10,
		Logger:               etcdLogger(log, nil),
	})
	if err != nil {
		return nil, endpointsError(cfg, err)
	}
	first, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if _, err := client.Get(first, clockKey); err != nil {
		client.Close()
		if why := probe(ctx, cfg); why != nil {
			err = why
		}
		return nil, endpointsError(cfg, err)
	}
	return client, nil
}

func endpointsError(cfg Config, err error) error {
	return fmt.Errorf("etcd at %s: %w: check that it runs there, and the TLS files", strings.Join(cfg.Endpoints, ", "), err)
}

// probe finds out why no endpoint answers: the etcd client itself only says that time is up.
func probe(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	for _, endpoint := range cfg.Endpoints {
		network, address := "tcp", endpoint
		if u, err := url.Parse(endpoint); err == nil && u.Host+u.Path != "" {
			address = u.Host
			if strings.HasPrefix(u.Scheme, "unix") {
				network, address = "unix", u.Host+u.Path
			}
		}
		dial := (&net.Dialer{}).DialContext
		if cfg.TLS != nil {
			dial = (&tls.Dialer{Config: cfg.TLS}).DialContext
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return err
		}
		conn.Close()
	}
	return nil
}
