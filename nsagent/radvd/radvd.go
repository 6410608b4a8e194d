package radvd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// Config is what the advertisers of a host have in common.
type Config struct {
	// StateDir is the agent's; the advertisers' files are below ra/ in it.
	StateDir string
	Metrics  prometheus.Registerer
}

// Advertisers send the router advertisements of a host. Those of different routers may be dealt with at the same time.
type Advertisers struct{ *daemon.Daemons }

// New makes Advertisers. Those that run already are taken up when Ensure is asked for them.
func New(cfg Config) *Advertisers {
	return &Advertisers{daemon.New(daemon.Config{Program: "radvd", Package: "radvd", Root: filepath.Join(cfg.StateDir, "ra"), Prefix: plan.QRouter,
		Mark: func(dir string) string { return filepath.Join(dir, pidFile) },
		// On SIGTERM it would say goodbye, and machines would lose their default route though the router may only move to another host.
		Ends:      []syscall.Signal{unix.SIGKILL},
		Subsystem: "ra", Plural: "Senders of router advertisements", Metrics: cfg.Metrics})}
}

// Names of the files in a router's directory.
const (
	confFile = "radvd.conf"
	pidFile  = "pid"
)

// arguments is radvd's command line, without the program, as Neutron's. What is wrong with the configuration is said on standard
// error too, where Ensure hears it.
func arguments(dir string) []string {
	return []string{"-C", filepath.Join(dir, confFile), "-p", filepath.Join(dir, pidFile), "-m", "stderr_syslog", "-u", "nobody"}
}

// Ensure makes the advertiser of a router tell what it should, inside the router's namespace. changed says that something had to be
// done.
func (v *Advertisers) Ensure(ctx context.Context, in daemon.Space, a plan.Advertiser) (changed bool, err error) {
	if err = check(a); err == nil {
		changed, err = v.Daemons.Ensure(ctx, in, a.RouterID, daemon.Wanted{Args: arguments(v.Dir(a.RouterID)), Files: daemon.Files{confFile: render(a)}})
	}
	if err != nil {
		return changed, fmt.Errorf("radvd of router %s: %w", a.RouterID, err)
	}
	return changed, nil
}

var devicePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)

// minMTU is the smallest that IPv6 works with (RFC 8200, section 5), and that radvd announces.
const minMTU = 1280

// check says why nothing can be advertised.
func check(a plan.Advertiser) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(a.Devices) == 0 {
		wrong("devices: there is none")
	}
	for _, d := range a.Devices {
		if !devicePattern.MatchString(d.Name) {
			wrong("device %q is no name of a network device", d.Name)
		}
		if d.MTU < minMTU || d.MTU > 65535 {
			wrong("device %s: mtu %d is not in %d..65535", d.Name, d.MTU, minMTU)
		}
		for _, p := range d.Prefixes {
			if !p.Prefix.IsValid() || !p.Prefix.Addr().Is6() {
				wrong("device %s: prefix %v is not IPv6", d.Name, p.Prefix)
			}
		}
		for _, s := range d.DNS {
			if !s.Is6() || s.Zone() != "" {
				wrong("device %s: name server %v is not an IPv6 address", d.Name, s)
			}
		}
	}
	return errors.Join(errs...)
}
