package dnsmasq

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Space is a namespace to run in. It is an alias, so that other packages may declare the same.
type Space = interface {
	// Name is the namespace's.
	Name() string
	// Do runs a function inside, on a thread of its own; processes that it starts belong there.
	Do(func() error) error
}

// Config is what the servers of a host have in common.
type Config struct {
	// StateDir is the agent's; the servers' files are below dhcp/ in it.
	StateDir string
	// LeaseTime is how long an address is given for, in whole seconds from MinLease on; default 24 h.
	LeaseTime time.Duration
	Metrics   prometheus.Registerer
}

// MinLease is the shortest lease that dnsmasq knows.
const MinLease = 2 * time.Minute

// prefix of the namespaces' names.
const prefix = "qdhcp-"

// Servers are the DHCP servers of a host. Servers of different networks may be dealt with at the same time.
type Servers struct {
	root   string
	lease  time.Duration
	met    metrics
	deaths chan string

	mu sync.Mutex
	// watched are the process ids whose end is waited for, by namespace.
	watched map[string]int
}

type metrics struct{ starts, reloads, releases prometheus.Counter }

// New makes Servers. Those that run already are taken up when Ensure is asked for them.
func New(cfg Config) *Servers {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weft", Subsystem: "dhcp", Name: name, Help: help})
	}
	s := &Servers{root: filepath.Join(cfg.StateDir, "dhcp"), lease: cfg.LeaseTime, deaths: make(chan string, 64), watched: map[string]int{}, met: metrics{
		starts:   counter("starts_total", "DHCP servers that were started."),
		reloads:  counter("reloads_total", "DHCP servers that were made to read their files again."),
		releases: counter("releases_total", "Leases that were released because their port is gone or has another address."),
	}}
	if s.lease == 0 {
		s.lease = 24 * time.Hour
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(s.met.starts, s.met.reloads, s.met.releases)
	}
	return s
}

// Ensure makes the server of a network give out what it should, inside the network's namespace. changed says that
// something had to be done. With an error, all that it does not name is in force.
func (v *Servers) Ensure(ctx context.Context, in Space, s plan.Server) (changed bool, err error) {
	if err := checkServer(s); err != nil {
		return false, fmt.Errorf("dnsmasq of network %s: %w", s.NetworkID, err)
	}
	changed, err = v.ensure(ctx, in, s)
	if err != nil {
		return changed, fmt.Errorf("dnsmasq of network %s: %w", s.NetworkID, err)
	}
	return changed, nil
}

func (v *Servers) ensure(ctx context.Context, in Space, s plan.Server) (changed bool, err error) {
	program, err := find("dnsmasq", "dnsmasq-base")
	if err != nil {
		return false, err
	}
	dir := filepath.Join(v.root, s.NetworkID)
	if err := v.makeDir(dir); err != nil {
		return false, err
	}
	files, left := render(s)
	written, err := files.write(dir)
	if err != nil {
		return false, err
	}
	if written {
		// Whatever happens next, what the server has read is not what the files hold now.
		if _, err := write(dir, loadedFile, ""); err != nil {
			return false, err
		}
	}
	argv := append([]string{program}, arguments(s, dir, v.lease)...)
	// A server that does not run may have left half a file. It is started with what there is.
	before, _ := stale(s, dir)
	started, err := v.run(ctx, in, s, dir, argv, files)
	if err != nil {
		return started, errors.Join(left, err)
	}
	released, err := v.release(ctx, in, s, dir, before)
	return started || released, errors.Join(left, err)
}

// run makes the process run with that command line and content.
func (v *Servers) run(ctx context.Context, in Space, s plan.Server, dir string, argv []string, files texts) (changed bool, err error) {
	p, err := running(dir)
	if err != nil {
		return false, err
	}
	defer p.close()
	home, err := identity(in)
	if err != nil {
		return false, err
	}
	if p != nil && p.is(argv, home) {
		v.watch(s.Namespace, p.pid)
		stamp := files.stamp(p.pid)
		if read(dir, loadedFile) == stamp {
			return false, nil
		}
		if err := p.signal(hangUp); err != nil {
			return false, err
		}
		v.met.reloads.Inc()
		_, err := write(dir, loadedFile, stamp)
		return true, err
	}
	if err := end(ctx, dir); err != nil {
		return false, err
	}
	if err := settleLeases(dir, s, time.Now().Add(v.lease)); err != nil {
		return false, err
	}
	if err := start(ctx, in, argv); err != nil {
		return false, err
	}
	v.met.starts.Inc()
	p, err = running(dir)
	if err != nil {
		return true, err
	}
	if p == nil {
		return true, errors.New("it ended as soon as it was started; the system log tells why")
	}
	defer p.close()
	v.watch(s.Namespace, p.pid)
	_, err = write(dir, loadedFile, files.stamp(p.pid))
	return true, err
}

// Stop ends the server of a namespace and removes its files. One that is not there is no error.
func (v *Servers) Stop(ctx context.Context, namespace string) error {
	network, ok := strings.CutPrefix(namespace, prefix)
	if !ok || !idPattern.MatchString(network) {
		return nil
	}
	dir := filepath.Join(v.root, network)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := end(ctx, dir); err != nil {
		return fmt.Errorf("dnsmasq of network %s: %w", network, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("dnsmasq of network %s: %w", network, err)
	}
	return nil
}

// Alive says whether the server of a namespace runs.
func (v *Servers) Alive(namespace string) bool {
	network, ok := strings.CutPrefix(namespace, prefix)
	if !ok || !idPattern.MatchString(network) {
		return false
	}
	p, err := running(filepath.Join(v.root, network))
	if err != nil || p == nil {
		return false
	}
	p.close()
	return true
}

// Running are the namespaces whose server runs, or ran and left its files.
func (v *Servers) Running() ([]string, error) {
	entries, err := os.ReadDir(v.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("files of DHCP servers: %w", err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && idPattern.MatchString(e.Name()) {
			out = append(out, prefix+e.Name())
		}
	}
	return out, nil
}
