package namespaces

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/weft-sdn/weft/nsagent/kernel"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// servers stand for dnsmasq, radvd and the metadata listeners: they note what is asked of them.
type servers struct {
	mu       sync.Mutex
	dhcp     map[string]plan.Server
	tell     map[string]plan.Advertiser
	seen     map[string]string // addresses that were there when advertisements began, by namespace
	listens  map[string]plan.Listener
	inodes   map[string]string // of the namespaces that listeners were started in
	refuse   error
	stopped  []string
	restarts int
}

func (s *servers) Ensure(_ context.Context, in Space, x plan.Server) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return false, s.refuse
	}
	_, was := s.dhcp[in.Name()]
	s.dhcp[in.Name()] = x
	if !was {
		s.restarts++
	}
	return !was, nil
}

func (s *servers) Stop(_ context.Context, namespace string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dhcp, namespace)
	s.stopped = append(s.stopped, namespace)
	return nil
}

func (s *servers) Deaths() <-chan string { return nil }

func (s *servers) Running() ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for name := range s.dhcp {
		out = append(out, name)
	}
	return out, nil
}

func (s *servers) Alive(namespace string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.dhcp[namespace]
	return ok
}

type advertisers struct {
	*servers
	deaths chan string
}

func (a advertisers) Ensure(_ context.Context, in Space, x plan.Advertiser) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuse != nil {
		return false, a.refuse
	}
	_, was := a.tell[in.Name()]
	a.tell[in.Name()] = x
	if !was {
		err := in.Do(func() error {
			out, err := exec.Command("ip", "-6", "-br", "addr").CombinedOutput()
			a.seen[in.Name()] = string(out)
			return err
		})
		return true, err
	}
	return false, nil
}

func (a advertisers) Stop(_ context.Context, namespace string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tell, namespace)
	return nil
}

func (a advertisers) Running() ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Keys(a.tell)), nil
}

func (a advertisers) Alive(namespace string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.tell[namespace]
	return ok
}

func (a advertisers) Deaths() <-chan string { return a.deaths }

type listeners struct{ *servers }

func (l listeners) Ensure(in Space, x plan.Listener) error {
	inode := ""
	if err := in.Do(func() (err error) { inode, err = os.Readlink("/proc/thread-self/ns/net"); return err }); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listens[in.Name()], l.inodes[in.Name()] = x, inode
	return nil
}

func (l listeners) Stop(namespace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listens, namespace)
}

// kept is a running keeper.
type kept struct {
	*Keeper
	t        testing.TB
	servers  *servers
	deaths   chan string // of advertisers
	registry *prometheus.Registry
	mu       sync.Mutex
	notices  []Notice
	stop     func()
	desired  map[string]plan.Resource
}

// keep starts a keeper that ends with the test, for a br-int that holds nothing.
func keep(t testing.TB, change ...func(*Config)) *kept {
	t.Helper()
	x := keepUntold(t, change...)
	x.Unplugged(nil)
	return x
}

// keepUntold is keep, and nobody has said yet what br-int holds.
func keepUntold(t testing.TB, change ...func(*Config)) *kept {
	t.Helper()
	s := &servers{dhcp: map[string]plan.Server{}, tell: map[string]plan.Advertiser{}, seen: map[string]string{}, listens: map[string]plan.Listener{}, inodes: map[string]string{}}
	x := &kept{t: t, servers: s, deaths: make(chan string), registry: prometheus.NewRegistry()}
	cfg := Config{DHCP: s, Advertisers: advertisers{s, x.deaths}, Metadata: listeners{s}, Metrics: x.registry, AuditInterval: time.Hour, Log: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
		Notify: func(n Notice) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.notices = append(x.notices, n)
		}}
	for _, f := range change {
		f(&cfg)
	}
	x.Keeper = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	x.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(x.stop)
	return x
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	if testing.Verbose() {
		fmt.Fprintf(os.Stderr, "%s: %s", w.t.Name(), b)
	}
	return len(b), nil
}

// want sets what is desired, and waits until all of it was tried to the end.
func (x *kept) want(r map[string]plan.Resource) Report {
	x.t.Helper()
	x.desired = r
	x.Set(r, true)
	return x.settled()
}

func (x *kept) settled() Report {
	x.t.Helper()
	var rep Report
	x.until("everything is tried", func() bool { rep = x.Report(); return len(rep.Pending) == 0 })
	return rep
}

// until waits for a condition.
func (x *kept) until(what string, f func() bool) {
	x.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		if time.Now().After(deadline) {
			x.t.Fatalf("waited in vain until %s; report %+v", what, x.Report())
		}
		<-tick.C
	}
}

func (x *kept) told(reason string) []Notice {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []Notice
	for _, n := range x.notices {
		if n.Reason == reason {
			out = append(out, n)
		}
	}
	return out
}

func (x *kept) count(name string) float64 {
	x.t.Helper()
	families, err := x.registry.Gather()
	if err != nil {
		x.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "weft_namespaces_"+name {
			return sum(f.GetMetric())
		}
	}
	x.t.Fatalf("no metric %s", name)
	return 0
}

func sum(list []*dto.Metric) (total float64) {
	for _, m := range list {
		total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return total
}

// nothing fails the test unless no namespace and no tap is left, after all was unwanted.
func (x *kept) nothing() {
	x.t.Helper()
	x.want(map[string]plan.Resource{})
	x.until("nothing is left", func() bool { return len(names(x.t)) == 0 && !strings.Contains(run(x.t, "ip", "-br", "link"), "tap") })
}

func names(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(kernel.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func run(t testing.TB, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// deleteByHand is ip netns del. It unmounts a namespace and then unlinks its file; where an agent is quicker, and has unlinked it in
// between, or has put a new one there, that file is not there or busy, and the old one is gone all the same.
func deleteByHand(t testing.TB, namespace string) {
	t.Helper()
	if _, err := os.Stat(path(namespace)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ip", "netns", "del", namespace).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "busy") && !strings.Contains(string(out), "No such file") {
		t.Fatalf("ip netns del %s: %v: %s", namespace, err, out)
	}
}

func in(t testing.TB, namespace string, argv ...string) string {
	t.Helper()
	return run(t, append([]string{"ip", "netns", "exec", namespace}, argv...)...)
}

func path(namespace string) string { return filepath.Join(kernel.Dir, namespace) }

const (
	external = "224d3150-8195-46e6-ba6f-981409215638"
	netA     = "00000000-0000-4000-8000-00000000000a"
	netB     = "00000000-0000-4000-8000-00000000000b"
	subA     = "5ab00000-0000-4000-8000-00000000000a"
)

func id(kind byte, n int) string { return fmt.Sprintf("%c%07x-0000-4000-8000-000000000000", kind, n) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func port(n int, network string, addresses ...string) plan.Device {
	d := plan.Device{PortID: id('0', n), NetworkID: network, MAC: fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", n>>16, n>>8&255, n&255), MTU: 1450}
	for _, a := range addresses {
		d.Addresses = append(d.Addresses, netip.MustParsePrefix(a))
	}
	return d
}

func gateway(n int, address string) plan.Gateway {
	return plan.Gateway{Device: port(n, external, address), GatewayIPs: []netip.Addr{addr("172.24.4.1")}, EnableSNAT: true}
}

// centralised is a router on two networks with a gateway.
func centralised(n int) *plan.Router {
	g := gateway(n*16+3, "172.24.4.10/24")
	return &plan.Router{RouterID: id('a', n), Metadata: true, Gateway: &g,
		Interfaces: []plan.RouterInterface{{Device: port(n*16+1, netA, "10.0.1.1/24", "fd00:1::1/64")}, {Device: port(n*16+2, netB, "10.0.2.1/24")}}}
}

// distributed are a distributed router's copy with a fip namespace and a floating IP.
func distributed(n int) map[string]plan.Resource {
	return named(&plan.Router{RouterID: id('a', n), Distributed: true, Metadata: true, LinkLocal: netip.MustParsePrefix("169.254.64.0/31"), FipNetworkID: external,
		Interfaces: []plan.RouterInterface{{Device: port(n*16+1, netA, "10.0.1.1/24", "fd00:1::1/64"), SnatAddresses: []netip.Addr{addr("10.0.1.6")}}}},
		&plan.FipNamespace{NetworkID: external, Device: port(n*16+4, external, "172.24.4.22/24"), GatewayIPs: []netip.Addr{addr("172.24.4.1")}},
		&plan.FloatingIP{ID: id('f', n), RouterID: id('a', n), Floating: addr("172.24.4.20"), Fixed: addr("10.0.1.5"), Place: plan.PlaceFip, RulePriority: 32768, NetworkID: external},
		&plan.Endpoint{PortID: id('e', n), NetworkID: netA, MAC: "fa:16:3e:00:00:05", Neighbour: true, Hostname: "x", Addresses: []plan.SubnetAddress{{SubnetID: subA, IP: addr("10.0.1.5")}}})
}

func floating(n, router int, ip, fixed string) *plan.FloatingIP {
	return &plan.FloatingIP{ID: id('f', n), RouterID: id('a', router), Floating: addr(ip), Fixed: addr(fixed), Place: plan.PlaceRouter, NetworkID: external}
}

func dhcp() *plan.DHCP {
	return &plan.DHCP{NetworkID: netA, Device: port(9, netA, "10.0.1.2/24"), Metadata: true, Subnets: []plan.ServerSubnet{{ID: subA, CIDR: netip.MustParsePrefix("10.0.1.0/24"), Gateway: addr("10.0.1.1")}}}
}

func named(list ...plan.Resource) map[string]plan.Resource {
	out := map[string]plan.Resource{}
	for _, r := range list {
		out[r.Resource()] = r
	}
	return out
}

func with(r map[string]plan.Resource, more ...plan.Resource) map[string]plan.Resource {
	out := named(more...)
	for k, v := range r {
		if out[k] == nil {
			out[k] = v
		}
	}
	return out
}
