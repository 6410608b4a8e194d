package store

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

const (
	embeddedTxnOps       = 65536
	embeddedRequestBytes = 10 << 20
	// startTimeout is how long etcd may take to replay its log.
	startTimeout = time.Minute
	// stopTimeout bounds how long Close waits for etcd, and brokenTimeout for one that may never end.
	stopTimeout   = 5 * time.Second
	brokenTimeout = time.Second
)

// embedded is an etcd server inside this process.
type embedded struct {
	etcd    *embed.Etcd
	breaker *breaker
	lock    *os.File
	// disk yields the state that was in the directory, or nil.
	disk <-chan *loaded
}

// startEmbedded starts etcd on the data directory and returns a client that reaches it without a socket.
func startEmbedded(ctx context.Context, cfg Config, log *slog.Logger) (_ *embedded, _ *clientv3.Client, err error) {
	c, err := embedConfig(cfg)
	if err != nil {
		return nil, nil, err
	}
	e := &embedded{breaker: newBreaker()}
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(etcdLogger(log, e.breaker))
	var found *onDisk
	if e.lock, found, err = claim(cfg.DataDir); err != nil {
		return nil, nil, err
	}
	// One processor is left to etcd, whose start is a long chain of short steps.
	turns := newTurns()
	if cap(turns) > 1 {
		turns.take()
		defer turns.give()
	}
	e.disk = found.begin(turns)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if e.etcd, err = e.start(ctx, c); err != nil {
		e.close()
		return nil, nil, err
	}
	return e, v3client.New(e.etcd.Server), nil
}

// start runs StartEtcd where neither a fatal log line nor a panic over damaged data can end the process.
func (e *embedded) start(ctx context.Context, c *embed.Config) (*embed.Etcd, error) {
	type started struct {
		etcd *embed.Etcd
		err  error
	}
	result := make(chan started, 1)
	go func() {
		var s started
		returned := false
		defer func() {
			if returned {
				result <- s
				return
			}
			if p := recover(); p != nil {
				e.breaker.trip(fmt.Sprintf("etcd cannot make sense of it (%v)", p))
			}
			result <- started{err: damaged(c.Dir, e.breaker.reason)}
		}()
		// The database is mapped into memory; a file that is shorter than it claims would end the process.
		debug.SetPanicOnFault(true)
		s.etcd, s.err = embed.StartEtcd(c)
		if s.err != nil {
			s.err = damaged(c.Dir, s.err.Error())
		}
		returned = true
	}()
	var s started
	select {
	case s = <-result:
	case <-e.breaker.alive.Done():
		// Some goroutines of etcd wait for others that have ended.
		return nil, damaged(c.Dir, e.breaker.reason)
	case <-ctx.Done():
		return nil, fmt.Errorf("data directory %s: etcd did not start in time: %w", c.Dir, ctx.Err())
	}
	if s.err != nil {
		return nil, s.err
	}
	select {
	case <-s.etcd.Server.ReadyNotify():
		e.breaker.started.Store(true)
		return s.etcd, nil
	case <-e.breaker.alive.Done():
		return s.etcd, damaged(c.Dir, e.breaker.reason)
	case <-ctx.Done():
		return s.etcd, fmt.Errorf("data directory %s: etcd did not become ready in time: %w", c.Dir, ctx.Err())
	}
}

// The log is read from the beginning of the segment that has the newest snapshot; a snapshot costs two syncs. The size is a variable
// of the package: nobody else in this process has such a log.
func init() { wal.SegmentSizeBytes = 4 << 20 }

func embedConfig(cfg Config) (*embed.Config, error) {
	c := embed.NewConfig()
	c.Name = "weft"
	c.Dir = cfg.DataDir
	// A cluster of one needs no peers; the address only has to be one.
	c.ListenPeerUrls = nil
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.ListenClientUrls, c.AdvertiseClientUrls = nil, nil
	if cfg.ListenClient != "" {
		u, err := localURL(cfg.ListenClient)
		if err != nil {
			return nil, err
		}
		c.ListenClientUrls = []url.URL{*u}
		c.AdvertiseClientUrls = c.ListenClientUrls
	}
	// It votes for itself after five ticks: 0.05 s instead of 1 s at every start.
	c.TickMs, c.ElectionMs = 10, 50
	c.QuotaBackendBytes = cfg.QuotaBytes
	c.MaxTxnOps = embeddedTxnOps
	c.MaxRequestBytes = embeddedRequestBytes
	// Nobody has to catch up from this log, so it is kept short, in memory and on disk: etcd reads all of it, twice, before
	// it answers, and that is when every host waits.
	c.SnapshotCount, c.SnapshotCatchUpEntries = 200, 1
	c.MaxSnapFiles, c.MaxWalFiles = 2, 2
	return c, nil
}

// localURL takes only addresses that other machines cannot reach: the listener has no TLS and no users.
func localURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("store: client listener %q: %w", s, err)
	}
	if u.Scheme == "unix" && u.Host+u.Path != "" {
		return u, nil
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Port() != "" && ip != nil && ip.IsLoopback() {
		return u, nil
	}
	return nil, fmt.Errorf("store: client listener %q is not local: use unix:///path or http://127.0.0.1:port", s)
}

// close stops etcd, and gives the directory back when it has really stopped.
func (e *embedded) close() {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if e.etcd != nil {
			e.etcd.Close()
		}
	}()
	patience := stopTimeout
	if e.breaker.alive.Err() != nil {
		patience = brokenTimeout
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-stopped:
		e.lock.Close()
	case <-timeout.C:
		// A broken etcd never lets go of its files; the lock must not either, until the process ends.
	}
}
