package dnsmasq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// Config is what the servers of a host have in common.
type Config struct {
	// StateDir is the agent's; the servers' files are below dhcp/ in it.
	StateDir string
	// LeaseTime is how long an address is given for, in whole seconds from MinLease on; default 24 h.
	LeaseTime time.Duration
	Log       *slog.Logger
	Metrics   prometheus.Registerer
}

// MinLease is the shortest lease that dnsmasq knows.
const MinLease = 2 * time.Minute

// subsystem of the metrics.
const subsystem = "dhcp"

// Servers are the DHCP servers of a host. Servers of different networks may be dealt with at the same time.
type Servers struct {
	*daemon.Daemons
	lease    time.Duration
	log      *slog.Logger
	releases prometheus.Counter

	mu sync.Mutex
	// listeners are those of networks with stateful IPv6 subnets, by namespace.
	listeners map[string]*listener
	closed    bool
}

// New makes Servers. Those that run already are taken up when Ensure is asked for them.
func New(cfg Config) *Servers {
	s := &Servers{lease: cfg.LeaseTime, log: cfg.Log, listeners: map[string]*listener{}, releases: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weft", Subsystem: subsystem, Name: "releases_total",
		Help: "Leases that were released because their port is gone, or has another address or another machine."})}
	s.Daemons = daemon.New(daemon.Config{Program: "dnsmasq", Package: "dnsmasq-base", Root: filepath.Join(cfg.StateDir, "dhcp"), Prefix: plan.QDHCP,
		Mark: func(dir string) string { return "--pid-file=" + filepath.Join(dir, pidFile) }, Ends: []syscall.Signal{unix.SIGTERM, unix.SIGKILL},
		Subsystem: subsystem, Plural: "DHCP servers", Metrics: cfg.Metrics})
	if s.lease == 0 {
		s.lease = 24 * time.Hour
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(s.releases)
	}
	return s
}

// Ensure makes the server of a network give out what it should, inside the network's namespace. changed says that
// something had to be done. With an error, all that it does not name is in force. The namespace is entered later, too, until the
// next Ensure or Stop of the network, or Close; one that cannot be entered any more is no harm.
func (v *Servers) Ensure(ctx context.Context, in daemon.Space, s plan.Server) (changed bool, err error) {
	if err := checkServer(s); err != nil {
		return false, fmt.Errorf("dnsmasq of network %s: %w", s.NetworkID, err)
	}
	changed, err = v.ensure(ctx, in, s)
	if err != nil {
		return changed, fmt.Errorf("dnsmasq of network %s: %w", s.NetworkID, err)
	}
	return changed, nil
}

func (v *Servers) ensure(ctx context.Context, in daemon.Space, s plan.Server) (changed bool, err error) {
	l, deaf := v.listen(in, s)
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.set(in, s)
	}
	dir := v.Dir(s.NetworkID)
	files, left := render(s)
	left = errors.Join(left, deaf)
	// A server that does not run may have left half a file. It is started with what there is.
	before, _ := stale(s, dir)
	started, err := v.Daemons.Ensure(ctx, in, s.NetworkID, daemon.Wanted{Args: arguments(s, dir, v.lease), Files: files.files(),
		Prepare: func() error { return settleLeases(dir, s, time.Now().Add(v.lease)) }})
	if err != nil {
		return started, errors.Join(err, left)
	}
	released, err := v.release(ctx, in, s, dir, before)
	return started || released, errors.Join(left, err)
}

// Stop ends the server of a namespace and removes its files. One that is not there is no error.
func (v *Servers) Stop(ctx context.Context, namespace string) error {
	v.deafen(namespace)
	return v.Daemons.Stop(ctx, namespace)
}

// files are the texts by the names of their files.
func (t texts) files() daemon.Files {
	return daemon.Files{hostFile: t.host, addnFile: t.addn, optsFile: t.opts}
}
