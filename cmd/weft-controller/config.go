package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/weft-sdn/weft/cmd/internal/program"
	"github.com/weft-sdn/weft/cmd/internal/tlsfiles"
	"github.com/weft-sdn/weft/controller/hostsync"
	"github.com/weft-sdn/weft/controller/store"
)

// config is what the flags say.
type config struct {
	store         string
	name          string
	lease         time.Duration
	dataDir       string
	etcdEndpoints []string
	etcdTLS       tlsfiles.Files
	// quota is in MiB; 0, here and for the others, is the default.
	quota            int64
	txnOps, txnBytes int

	listenGRPC, listenHTTP, listenNode, listenOpenFlow []string
	advertise                                          []string
	tls                                                tlsfiles.Files
	insecure                                           bool

	networkTypes              []string
	vxlan, gre, geneve, vlan  []string
	underlayMTU               int
	underlayIPv6              bool
	auditInterval             time.Duration
	tolerate                  []string
	log                       program.Log
	echoInterval, echoTimeout time.Duration
	hostTimeout               time.Duration
	dhcpAgents                int
}

func (c *config) flags(f *pflag.FlagSet) {
	f.StringVar(&c.store, "store", "embedded", "where intent is kept: embedded (etcd inside this process) or external")
	f.StringVar(&c.dataDir, "data-dir", "/var/lib/weft-controller", "directory of the embedded store")
	f.StringSliceVar(&c.etcdEndpoints, "etcd-endpoints", nil, "client URLs of the external etcd cluster")
	f.StringVar(&c.name, "name", hostname(), "name of this controller among those that share the external etcd cluster: one leads, the others stand by")
	f.DurationVar(&c.lease, "leader-lease", 3*time.Second, "how long the others wait for a controller that is silent, before one of them leads: whole seconds, at least 2s")
	f.StringVar(&c.etcdTLS.CA, "etcd-ca", "", "CA of the external etcd cluster (PEM)")
	f.StringVar(&c.etcdTLS.Cert, "etcd-cert", "", "client certificate for the external etcd cluster (PEM)")
	f.StringVar(&c.etcdTLS.Key, "etcd-key", "", "its key (PEM)")

	f.IntVar(&c.txnOps, "etcd-max-txn-ops", 0, "--max-txn-ops of the external etcd cluster (default etcd's own, 128)")
	f.IntVar(&c.txnBytes, "etcd-max-request-bytes", 0, "--max-request-bytes of the external etcd cluster (default etcd's own, 1.5 MiB)")
	f.Int64Var(&c.quota, "store-quota", 0, "how large the embedded store may become, in MiB (default etcd's own, 2048)")

	f.StringSliceVar(&c.listenGRPC, "listen-grpc", []string{"127.0.0.1:9443"}, "addresses of the gRPC API: host:port or unix:/path")
	f.StringSliceVar(&c.listenHTTP, "listen-http", []string{"127.0.0.1:8080"}, "addresses of REST, /metrics and /healthz")
	f.StringSliceVar(&c.listenNode, "listen-node", []string{"127.0.0.1:9444"}, "addresses that node agents dial")
	f.StringSliceVar(&c.listenOpenFlow, "listen-openflow", []string{"127.0.0.1:6653"}, "addresses that switches dial")
	f.StringSliceVar(&c.advertise, "openflow-advertise", nil, "OVSDB controller targets that agents give to bridges, e.g. tcp:10.0.0.1:6653 (default: the OpenFlow listeners); where several controllers share a store, those of all, the same at each")
	f.StringVar(&c.tls.Cert, "tls-cert", "", "certificate of all listeners (PEM)")
	f.StringVar(&c.tls.Key, "tls-key", "", "its key (PEM)")
	f.StringVar(&c.tls.CA, "tls-ca", "", "CA that clients, agents and switches must have a certificate of (PEM)")
	f.BoolVar(&c.insecure, "insecure", false, "allow plain text on addresses other than loopback")

	f.StringSliceVar(&c.networkTypes, "tenant-network-types", []string{"vxlan"}, "types for networks that name none: the first")
	f.StringSliceVar(&c.vxlan, "vxlan-range", nil, "VNIs to allocate from, MIN:MAX (default 1:16777215)")
	f.StringSliceVar(&c.gre, "gre-range", nil, "GRE keys to allocate from, MIN:MAX (default 1:16777215)")
	f.StringSliceVar(&c.geneve, "geneve-range", nil, "Geneve VNIs to allocate from, MIN:MAX (default 1:16777215)")
	f.StringSliceVar(&c.vlan, "vlan-range", nil, "VLANs to allocate from, PHYSNET:MIN:MAX (default none)")
	f.IntVar(&c.underlayMTU, "underlay-mtu", 1500, "MTU in bytes of the network between the hosts")
	f.BoolVar(&c.underlayIPv6, "underlay-ipv6", false, "tunnels run over IPv6, whose header is 20 bytes longer")

	f.IntVar(&c.dhcpAgents, "dhcp-agents-per-network", 2, "how many network hosts serve a network by DHCP, where there are so many")
	f.DurationVar(&c.hostTimeout, "host-timeout", hostsync.DefaultHostTimeout, "within which time of a host's death its routers and DHCP servers work elsewhere: it is down when it has been silent for two thirds of that, or all but 3s, whichever is more")
	f.DurationVar(&c.auditInterval, "audit-interval", time.Minute, "how often each bridge is compared as a whole with what it should have")
	f.StringSliceVar(&c.tolerate, "tolerate-cookie", nil, "cookies whose rows may stay on br-int and br-tun, VALUE[/MASK] in hex")
	f.DurationVar(&c.echoInterval, "openflow-echo-interval", 5*time.Second, "how long a switch may be silent before it is asked for a sign of life; less where --host-timeout needs it")
	f.DurationVar(&c.echoTimeout, "openflow-echo-timeout", 10*time.Second, "how long it may then stay silent before it is cut off")
	c.log.Flags(f)
}

// storeConfig turns the flags into the store's configuration.
func (c *config) storeConfig(log *slog.Logger) (store.Config, error) {
	sc := store.Config{TenantNetworkTypes: c.networkTypes, UnderlayMTU: c.underlayMTU, UnderlayIPv6: c.underlayIPv6, DHCPAgentsPerNetwork: c.dhcpAgents}
	if c.dhcpAgents < 1 {
		return sc, fmt.Errorf("--dhcp-agents-per-network: %d is less than 1; a subnet has no DHCP with enable_dhcp=false", c.dhcpAgents)
	}
	for flag, n := range map[string]int64{"store-quota": c.quota, "etcd-max-txn-ops": int64(c.txnOps), "etcd-max-request-bytes": int64(c.txnBytes)} {
		if n < 0 {
			return sc, fmt.Errorf("--%s: %d is negative; 0 is the default", flag, n)
		}
	}
	switch c.store {
	case "embedded":
		sc.DataDir, sc.QuotaBytes = c.dataDir, c.quota<<20
	case "external":
		if len(c.etcdEndpoints) == 0 {
			return sc, errors.New("--store external needs --etcd-endpoints")
		}
		if err := c.membership(); err != nil {
			return sc, err
		}
		sc.Endpoints, sc.MaxTxnOps, sc.MaxTxnBytes = c.etcdEndpoints, c.txnOps, c.txnBytes
		if c.etcdTLS != (tlsfiles.Files{}) {
			files, err := tlsfiles.Open(c.etcdTLS, log)
			if err != nil {
				return sc, fmt.Errorf("--etcd-ca, --etcd-cert, --etcd-key: %w", err)
			}
			sc.TLS = files.Client()
		}
	default:
		return sc, fmt.Errorf("--store: %q is neither embedded nor external", c.store)
	}
	for _, r := range []struct {
		flag string
		text []string
		to   *[]store.Range
	}{{"vxlan-range", c.vxlan, &sc.Ranges.VXLAN}, {"gre-range", c.gre, &sc.Ranges.GRE}, {"geneve-range", c.geneve, &sc.Ranges.Geneve}} {
		for _, t := range r.text {
			v, err := parseRange(t)
			if err != nil {
				return sc, fmt.Errorf("--%s: %w", r.flag, err)
			}
			*r.to = append(*r.to, v)
		}
	}
	sc.Ranges.VLAN = map[string][]store.Range{}
	for _, t := range c.vlan {
		physnet, rest, ok := strings.Cut(t, ":")
		v, err := parseRange(rest)
		if !ok || err != nil || physnet == "" {
			return sc, fmt.Errorf("--vlan-range: %q is not PHYSNET:MIN:MAX", t)
		}
		sc.Ranges.VLAN[physnet] = append(sc.Ranges.VLAN[physnet], v)
	}
	return sc, nil
}

// leastLease is the shortest lease that etcd grants.
const leastLease = 2 * time.Second

// memberName is what a controller may be called: it becomes a part of a key in etcd.
var memberName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,62})$`)

// membership checks what this controller is among those that share its etcd.
func (c *config) membership() error {
	if !memberName.MatchString(c.name) {
		return fmt.Errorf("--name: %q is not 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit", c.name)
	}
	if c.lease < leastLease || c.lease%time.Second != 0 {
		return fmt.Errorf("--leader-lease: %v is not a number of whole seconds, at least %v", c.lease, leastLease)
	}
	return nil
}

// hostname is that of this machine; "" when it has none, and then --name must be given.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

func parseRange(s string) (store.Range, error) {
	lo, hi, ok := strings.Cut(s, ":")
	l, err1 := strconv.ParseUint(lo, 10, 32)
	h, err2 := strconv.ParseUint(hi, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return store.Range{}, fmt.Errorf("%q is not MIN:MAX", s)
	}
	return store.Range{Min: uint32(l), Max: uint32(h)}, nil
}

// leastHostTimeout leaves a host two seconds of silence, in which its agent is asked twice.
const leastHostTimeout = 3 * time.Second

// health checks the health timeout.
func (c *config) health() error {
	if c.hostTimeout < leastHostTimeout {
		return fmt.Errorf("--host-timeout: %v is less than %v, in which nobody can tell a host that is dead from one that is busy", c.hostTimeout, leastHostTimeout)
	}
	return nil
}

// echo is how long a switch may be silent before it is asked for a sign of life.
func (c *config) echo() time.Duration {
	return min(c.echoInterval, hostsync.AskInterval(c.hostTimeout))
}

// ping is the same for an agent.
func (c *config) ping() time.Duration {
	return max(min(agentPing, hostsync.AskInterval(c.hostTimeout)), leastPing)
}

// tolerated parses the cookies that may stay.
func (c *config) tolerated() ([]hostsync.CookieMask, error) {
	var out []hostsync.CookieMask
	for _, t := range c.tolerate {
		v, m, masked := strings.Cut(t, "/")
		value, err := strconv.ParseUint(v, 0, 64)
		mask := ^uint64(0)
		if err == nil && masked {
			mask, err = strconv.ParseUint(m, 0, 64)
		}
		if err != nil || value&^mask != 0 {
			return nil, fmt.Errorf("--tolerate-cookie: %q is not VALUE or VALUE/MASK, like 0xabc0/0xfff0", t)
		}
		out = append(out, hostsync.CookieMask{Value: value, Mask: mask})
	}
	return out, nil
}

// serverTLS is the TLS of the listeners; nil when no file is named.
func (c *config) serverTLS(log *slog.Logger) (*tls.Config, error) {
	switch {
	case c.tls == tlsfiles.Files{}:
		return nil, nil
	case c.tls.Cert == "" && c.tls.Key == "":
		return nil, errors.New("--tls-ca: a CA alone does not serve; give --tls-cert and --tls-key")
	}
	files, err := tlsfiles.Open(c.tls, log)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key, --tls-ca: %w", err)
	}
	return files.Server(), nil
}

// targets are what bridges get as controllers.
func (c *config) targets(listeners []net.Listener, encrypted bool) ([]string, error) {
	if len(c.advertise) > 0 {
		return c.advertise, nil
	}
	scheme := "tcp:"
	if encrypted {
		scheme = "ssl:"
	}
	var out []string
	for _, ln := range listeners {
		a, ok := ln.Addr().(*net.TCPAddr)
		if !ok {
			continue
		}
		if a.IP.IsUnspecified() {
			return nil, fmt.Errorf("--listen-openflow %v listens everywhere: say with --openflow-advertise at which address switches reach it, e.g. tcp:10.0.0.1:%d", a, a.Port)
		}
		out = append(out, scheme+a.String())
	}
	return out, nil
}
