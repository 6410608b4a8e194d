package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weft-sdn/weft/cmd/internal/program"
	"github.com/weft-sdn/weft/cmd/internal/tlsfiles"
	"github.com/weft-sdn/weft/nsagent/agent"
	"github.com/weft-sdn/weft/nsagent/dnsmasq"
	"github.com/weft-sdn/weft/ovsdb"
)

// options are what flags and environment say.
type options struct {
	controllers             []string
	cert, key, ca           string
	insecure                bool
	host, tunnelIP          string
	mappings, roles         []string
	stateDir, ovsdb, runDir string
	datapath                string
	integration, tunnel     string
	metadataURL, secretFile string
	lease, audit            time.Duration
	metrics                 string
	log                     program.Log
}

func (o *options) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.controllers, "controller", nil, "host:port of a controller; repeat it for a cluster")
	f.StringVar(&o.cert, "tls-cert", "", "certificate of this host, whose name is in it (PEM)")
	f.StringVar(&o.key, "tls-key", "", "its key (PEM)")
	f.StringVar(&o.ca, "tls-ca", "", "CA that controllers must have a certificate of (PEM)")
	f.BoolVar(&o.insecure, "insecure", false, "allow plain text to and on addresses other than loopback")
	f.StringVar(&o.host, "host", "", "name of this host (default: the hostname)")
	f.StringVar(&o.tunnelIP, "tunnel-ip", "", "address of this host's ends of tunnels (default: none, and no tunnels)")
	f.StringSliceVar(&o.mappings, "bridge-mappings", nil, "bridges of physical networks, e.g. physnet1:br-ex")
	f.StringSliceVar(&o.roles, "roles", []string{"compute"}, "what this host is for: compute, network")
	f.StringVar(&o.stateDir, "state-dir", "/var/lib/weft", "where the desired state and flows are kept")
	f.StringVar(&o.ovsdb, "ovsdb", "unix:/run/openvswitch/db.sock", "OVSDB server: unix:PATH or tcp:HOST:PORT")
	f.StringVar(&o.runDir, "ovs-run-dir", "", "where ovs-vswitchd makes its sockets (default: the directory of --ovsdb, else /run/openvswitch)")
	f.StringVar(&o.datapath, "datapath-type", "auto", "system, netdev, or auto: system where the kernel has Open vSwitch")
	f.StringVar(&o.integration, "integration-bridge", "br-int", "name of the bridge that VMs are plugged into")
	f.StringVar(&o.tunnel, "tunnel-bridge", "br-tun", "name of the bridge of tunnels")
	f.StringVar(&o.metadataURL, "metadata-url", "", "Nova-compatible metadata service, e.g. http://10.0.0.5:8775 (default: the agent answers VMs itself)")
	f.StringVar(&o.secretFile, "metadata-secret-file", "", "file with the secret that is shared with that service")
	f.DurationVar(&o.lease, "dhcp-lease-time", 24*time.Hour, "how long DHCP gives an address for")
	f.DurationVar(&o.audit, "audit-interval", 10*time.Second, "how often namespaces are looked at when nothing announces a change")
	o.log.Flags(f)
	f.StringVar(&o.metrics, "metrics", "", "address for Prometheus, e.g. 127.0.0.1:9445 (default: none)")
}

// fromEnvironment sets flags that were not given from WEFT_… variables.
func fromEnvironment(f *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var errs []error
	f.VisitAll(func(flag *pflag.Flag) {
		name := "WEFT_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		if v, ok := lookup(name); ok && !flag.Changed && flag.Name != "help" && flag.Name != "version" {
			if err := f.Set(flag.Name, v); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	return errors.Join(errs...)
}

// machine is what the system says.
type machine struct {
	hostname, bootID string
	kernelDatapath   bool
}

// system asks the system. What it does not say is empty.
func system() machine {
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	_, err := os.Stat("/sys/module/openvswitch")
	return machine{host, strings.TrimSpace(string(boot)), err == nil}
}

// config checks everything, and tells all that is wrong.
func (o *options) config(m machine, log *slog.Logger) (agent.Config, error) {
	c := agent.Config{Host: o.host, BootID: m.bootID, TunnelIP: o.tunnelIP, Roles: o.roles, Controllers: o.controllers,
		StateDir: o.stateDir, OVSDB: o.ovsdb, RunDir: o.runDir, DatapathType: o.datapath,
		IntegrationBridge: o.integration, TunnelBridge: o.tunnel}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if c.Host == "" {
		c.Host = m.hostname
	}
	if c.Host == "" || len(c.Host) > 253 {
		wrong("--host: a name of 1 to 253 characters is needed, not %q", c.Host)
	}
	if len(o.controllers) == 0 {
		wrong("--controller: at least one is needed, e.g. --controller 10.0.0.1:9444")
	}
	for _, a := range o.controllers {
		if h, p, err := net.SplitHostPort(a); err != nil || h == "" || p == "" {
			wrong("--controller: %q is not host:port", a)
		}
	}
	if o.tunnelIP != "" {
		if ip, err := netip.ParseAddr(o.tunnelIP); err != nil || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() {
			wrong("--tunnel-ip: %q is not the address of a host", o.tunnelIP)
		}
	}
	for _, r := range o.roles {
		if r != "compute" && r != "network" {
			wrong("--roles: %q is neither compute nor network", r)
		}
	}
	switch {
	case o.datapath == "auto" && m.kernelDatapath:
		c.DatapathType = "system"
	case o.datapath == "auto":
		c.DatapathType = "netdev"
	case o.datapath != "system" && o.datapath != "netdev":
		wrong("--datapath-type: %q is none of auto, system, netdev", o.datapath)
	}
	path, unix := strings.CutPrefix(o.ovsdb, "unix:")
	if !unix && !strings.HasPrefix(o.ovsdb, "tcp:") {
		wrong("--ovsdb: %q is neither unix:PATH nor tcp:HOST:PORT", o.ovsdb)
	}
	if c.RunDir == "" {
		c.RunDir = "/run/openvswitch"
		if unix {
			c.RunDir = filepath.Dir(path)
		}
	}
	errs = append(errs, o.bridges(&c)...)
	errs = append(errs, o.services(&c)...)
	if h, _, err := net.SplitHostPort(o.metrics); o.metrics != "" && (err != nil || (!loopback(h) && !o.insecure)) {
		wrong("--metrics: %q is not a host:port on loopback; --insecure allows others", o.metrics)
	}
	creds, err := o.credentials(log)
	if err != nil {
		errs = append(errs, err)
	}
	c.Credentials = creds
	if o.cert != "" && err == nil {
		// Open vSwitch reads the same files, wherever it runs; and like us it reads them again when they change.
		if c.SSL, err = o.ssl(); err != nil {
			errs = append(errs, err)
		}
	}
	return c, errors.Join(errs...)
}

// services checks what namespaces need.
func (o *options) services(c *agent.Config) (errs []error) {
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if (o.metadataURL == "") != (o.secretFile == "") {
		wrong("--metadata-url and --metadata-secret-file go together")
	}
	if o.metadataURL != "" {
		u, err := url.Parse(o.metadataURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			wrong("--metadata-url: %q is not http://host:port or https://host:port, without anything behind but a path", o.metadataURL)
		}
		c.MetadataURL = u
	}
	if o.secretFile != "" {
		b, err := os.ReadFile(o.secretFile)
		if err != nil {
			wrong("--metadata-secret-file: %w", err)
		}
		if c.MetadataSecret = bytes.TrimRight(b, "\r\n"); err == nil && len(c.MetadataSecret) == 0 {
			wrong("--metadata-secret-file: %s is empty", o.secretFile)
		}
	}
	if o.lease < dnsmasq.MinLease || o.lease > maxLease || o.lease%time.Second != 0 {
		wrong("--dhcp-lease-time: %v is not in %v..%v, in whole seconds", o.lease, dnsmasq.MinLease, maxLease)
	}
	if o.audit < time.Second {
		wrong("--audit-interval: %v is less than a second", o.audit)
	}
	c.LeaseTime, c.AuditInterval = o.lease, o.audit
	return errs
}

// maxLease is ten years; DHCP counts seconds in 32 bits.
const maxLease = 10 * 365 * 24 * time.Hour

// bridges checks names of bridges.
func (o *options) bridges(c *agent.Config) (errs []error) {
	for _, b := range []struct{ flag, name string }{{"integration-bridge", o.integration}, {"tunnel-bridge", o.tunnel}} {
		if err := ovsdb.CheckName("--"+b.flag, b.name); err != nil {
			errs = append(errs, err)
		}
	}
	if o.integration == o.tunnel {
		errs = append(errs, fmt.Errorf("--tunnel-bridge: %q is the integration bridge", o.tunnel))
	}
	c.BridgeMappings = map[string]string{}
	for _, m := range o.mappings {
		physnet, bridge, ok := strings.Cut(m, ":")
		// The checks are those that a controller's bridge must stand, so only the name matters here.
		err := ovsdb.Bridge{Name: bridge, Role: ovsdb.Physical, DatapathID: "0000000000000001"}.Check()
		switch {
		case !ok || physnet == "":
			errs = append(errs, fmt.Errorf("--bridge-mappings: %q is not physical-network:bridge", m))
		case err != nil:
			errs = append(errs, fmt.Errorf("--bridge-mappings: %w", err))
		case bridge == o.integration || bridge == o.tunnel:
			errs = append(errs, fmt.Errorf("--bridge-mappings: %q is the integration or tunnel bridge", bridge))
		case c.BridgeMappings[physnet] != "":
			errs = append(errs, fmt.Errorf("--bridge-mappings: %s is mapped twice", physnet))
		}
		c.BridgeMappings[physnet] = bridge
	}
	return errs
}

// credentials are TLS when files are named, else plain text, which goes to loopback only unless --insecure.
func (o *options) credentials(log *slog.Logger) (credentials.TransportCredentials, error) {
	if o.cert == "" && o.key == "" && o.ca == "" {
		for _, a := range o.controllers {
			if h, _, _ := net.SplitHostPort(a); !loopback(h) && !o.insecure {
				return nil, fmt.Errorf("--controller: %s is not on loopback: give --tls-cert, --tls-key and --tls-ca, or --insecure for plain text", a)
			}
		}
		return insecure.NewCredentials(), nil
	}
	if slices.Contains([]string{o.cert, o.key, o.ca}, "") {
		return nil, errors.New("--tls-cert, --tls-key and --tls-ca go together")
	}
	files, err := tlsfiles.Open(tlsfiles.Files{Cert: o.cert, Key: o.key, CA: o.ca}, log)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key, --tls-ca: %w", err)
	}
	return files.Credentials(), nil
}

// ssl are the files' absolute paths.
func (o *options) ssl() (s ovsdb.SSL, err error) {
	for _, f := range []struct {
		from string
		to   *string
	}{{o.key, &s.PrivateKey}, {o.cert, &s.Certificate}, {o.ca, &s.CACert}} {
		if *f.to, err = filepath.Abs(f.from); err != nil {
			return s, fmt.Errorf("--tls-cert, --tls-key, --tls-ca: %w", err)
		}
	}
	return s, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}
