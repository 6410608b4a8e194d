package api

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// door is a server on a real store with a client that speaks gRPC to it.
type door struct {
	weftv1.NetworkServiceClient
	weftv1.SubnetServiceClient
	weftv1.PortServiceClient
	weftv1.HostServiceClient
	weftv1.RouterServiceClient
	weftv1.FloatingIPServiceClient
	weftv1.PortForwardingServiceClient
	weftv1.SecurityGroupServiceClient
	weftv1.SecurityGroupRuleServiceClient
	weftv1.AddressGroupServiceClient
	weftv1.QosPolicyServiceClient
	weftv1.WeftServiceClient
	weftv1.DiagnosticsServiceClient

	t      *testing.T
	ctx    context.Context
	store  *store.Store
	server *Server
	conn   *grpc.ClientConn
	fleet  *fakeFleet
	events *fakeJournal
	reg    *prometheus.Registry
}

// fakeFleet is hosts that a test says things about.
type fakeFleet struct {
	mu      sync.Mutex
	hosts   map[string]report.Host
	lags    func(ctx context.Context, revision int64) []report.Lag
	rows    map[string][]report.Row
	drifts  map[string][]report.Drift
	spaces  map[string][]report.NamespaceLine
	unknown []string
	// firewalls are by host and port.
	firewalls map[string]report.Firewall
	// trace and route answer for hosts; nil: no agent is connected.
	trace func(host string, q report.TraceQuestion) (report.TraceAnswer, error)
	route func(host string, q report.RouteQuestion) (report.RouteAnswer, error)
}

func (f *fakeFleet) Trace(_ context.Context, host string, q report.TraceQuestion) (report.TraceAnswer, error) {
	if f.trace == nil {
		return report.TraceAnswer{}, fmt.Errorf("host %s: agent not connected", host)
	}
	return f.trace(host, q)
}

func (f *fakeFleet) Route(_ context.Context, host string, q report.RouteQuestion) (report.RouteAnswer, error) {
	if f.route == nil {
		return report.RouteAnswer{}, fmt.Errorf("host %s: agent not connected", host)
	}
	return f.route(host, q)
}

func (f *fakeFleet) set(h report.Host) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts[h.Name] = h
}

func (f *fakeFleet) Host(name string) report.Host {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h, ok := f.hosts[name]; ok {
		return h
	}
	return report.Host{Name: name}
}

func (f *fakeFleet) WaitApplied(ctx context.Context, revision int64) []report.Lag {
	if f.lags == nil {
		return nil
	}
	return f.lags(ctx, revision)
}

func (f *fakeFleet) Flows(_ context.Context, host, bridge string) ([]report.Row, error) {
	rows, ok := f.rows[host+"/"+bridge]
	if !ok {
		return nil, fmt.Errorf("host %s: %s: OpenFlow not connected", host, bridge)
	}
	return rows, nil
}

func (f *fakeFleet) Drift(_ context.Context, host string) ([]report.Drift, error) {
	ds, ok := f.drifts[host]
	if !ok {
		return nil, fmt.Errorf("host %s: br-int: OpenFlow not connected", host)
	}
	return ds, nil
}

func (f *fakeFleet) Namespace(_ context.Context, host, namespace string) (report.Namespace, error) {
	if f.spaces == nil {
		return report.Namespace{}, fmt.Errorf("host %s: agent not connected", host)
	}
	return report.Namespace{Host: host, Name: namespace, Lines: f.spaces[host+"/"+namespace]}, nil
}

func (f *fakeFleet) Firewall(_ context.Context, host, port string) (report.Firewall, error) {
	c, ok := f.firewalls[host+"/"+port]
	if !ok {
		return c, fmt.Errorf("host %s: agent not connected", host)
	}
	return c, nil
}

func (f *fakeFleet) UnknownSwitches() []string { return f.unknown }

// fakeJournal keeps what a test records; of the events that were dropped it only knows how many there were.
type fakeJournal struct {
	mu      sync.Mutex
	all     []report.Event
	dropped int
	more    chan struct{}
}

func (j *fakeJournal) Events(keep func(report.Event) bool) (out []report.Event) {
	for _, e := range j.all {
		if keep(e) {
			out = append(out, e)
		}
	}
	return out
}

func (j *fakeJournal) After(n uint64) ([]report.Event, uint64, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.more == nil {
		j.more = make(chan struct{})
	}
	kept := max(0, int(n)-j.dropped)
	return slices.Clone(j.all[kept:]), uint64(j.dropped + len(j.all)), j.more
}

// record adds events behind some that are dropped at once.
func (j *fakeJournal) record(dropped int, events ...report.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if dropped > 0 {
		j.dropped, j.all = j.dropped+len(j.all)+dropped, nil
	}
	j.all = append(j.all, events...)
	if j.more != nil {
		close(j.more)
		j.more = nil
	}
}

// tables are a few of the real ones, by role.
func tables(role string) []*flow.Table {
	switch role {
	case roleInt:
		return []*flow.Table{{ID: 0, Name: "LocalSwitching", About: "Where a packet comes from"}, {ID: 60, Name: "Transient", About: "Forward as a switch does"}}
	case roleTun:
		return []*flow.Table{{ID: 0, Name: "Classify", About: "From which tunnel"}, {ID: 20, Name: "UcastToTun", About: "A known MAC leaves by one tunnel"}}
	}
	return []*flow.Table{{ID: 0, Name: "Classify", About: "From br-int or from outside"}}
}

func openStore(t testing.TB, change func(*store.Config)) *store.Store {
	t.Helper()
	cfg := store.Config{DataDir: t.TempDir()}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := store.Open(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func openDoor(t *testing.T, change func(*store.Config)) *door {
	t.Helper()
	d := &door{t: t, store: openStore(t, change), events: &fakeJournal{}, reg: prometheus.NewRegistry(),
		fleet: &fakeFleet{hosts: map[string]report.Host{}, rows: map[string][]report.Row{}, drifts: map[string][]report.Drift{}}}
	d.server = New(Config{Store: d.store, Fleet: d.fleet, Journal: d.events, Tables: tables, Version: "v0-test", StoreKind: "embedded",
		BookmarkInterval: 20 * time.Millisecond, Registry: d.reg, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	d.ctx = ctx
	g := d.server.NewGRPC()
	pipe := bufconn.Listen(1 << 20)
	var running sync.WaitGroup
	running.Go(func() {
		if err := g.Serve(pipe); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	running.Go(func() {
		if err := d.server.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	conn, err := grpc.NewClient("passthrough:///door",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
		g.GracefulStop()
		running.Wait()
	})
	d.conn = conn
	d.NetworkServiceClient = weftv1.NewNetworkServiceClient(conn)
	d.SubnetServiceClient = weftv1.NewSubnetServiceClient(conn)
	d.PortServiceClient = weftv1.NewPortServiceClient(conn)
	d.HostServiceClient = weftv1.NewHostServiceClient(conn)
	d.RouterServiceClient = weftv1.NewRouterServiceClient(conn)
	d.FloatingIPServiceClient = weftv1.NewFloatingIPServiceClient(conn)
	d.PortForwardingServiceClient = weftv1.NewPortForwardingServiceClient(conn)
	d.SecurityGroupServiceClient = weftv1.NewSecurityGroupServiceClient(conn)
	d.SecurityGroupRuleServiceClient = weftv1.NewSecurityGroupRuleServiceClient(conn)
	d.AddressGroupServiceClient = weftv1.NewAddressGroupServiceClient(conn)
	d.QosPolicyServiceClient = weftv1.NewQosPolicyServiceClient(conn)
	d.WeftServiceClient = weftv1.NewWeftServiceClient(conn)
	d.DiagnosticsServiceClient = weftv1.NewDiagnosticsServiceClient(conn)
	return d
}

// must is the answer to a request that has to succeed.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return v
	}
}

// apply applies objects, which must be right.
func (d *door) apply(objs ...*weftv1.Object) *weftv1.ApplyResponse {
	d.t.Helper()
	return must[*weftv1.ApplyResponse](d.t)(d.Apply(d.ctx, &weftv1.ApplyRequest{Objects: objs}))
}

// report does what agents do: changes the store behind the API.
func (d *door) report(fn func(*store.Tx) error) int64 {
	d.t.Helper()
	return must[int64](d.t)(d.store.Update(d.ctx, fn))
}

// plug reports an interface of a host, which is registered if need be.
func (d *door) plug(host string, ifaces ...model.Interface) {
	d.t.Helper()
	d.report(func(tx *store.Tx) error {
		if _, err := tx.EnsureHost(host); err != nil {
			return err
		}
		if tx.HostFacts(host) == nil {
			if err := tx.ReportHost(&model.HostFacts{Host: host}); err != nil {
				return err
			}
		}
		return tx.ReportInterfaces(host, false, ifaces, nil)
	})
}

// refusal is an error as programs see it.
type refusal struct {
	Code       codes.Code
	Reason     string
	Info       map[string]string
	Violations []string // "field: description"
	Users      []string // "subject: description"
	Resource   string   // "type/name"
}

func refused(t testing.TB, err error) refusal {
	t.Helper()
	st, ok := status.FromError(err)
	if !ok {
		t.Fatalf("no status: %v", err)
	}
	r := refusal{Code: st.Code()}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.Domain != "weft" {
				t.Errorf("domain %q", d.Domain)
			}
			r.Reason, r.Info = d.Reason, d.Metadata
		case *errdetails.BadRequest:
			for _, v := range d.FieldViolations {
				r.Violations = append(r.Violations, v.Field+": "+v.Description)
			}
		case *errdetails.PreconditionFailure:
			for _, v := range d.Violations {
				r.Users = append(r.Users, v.Subject+": "+v.Description)
			}
		case *errdetails.ResourceInfo:
			r.Resource = d.ResourceType + "/" + d.ResourceName
		default:
			t.Errorf("a detail of type %T", d)
		}
	}
	if r.Code != codes.OK && st.Message() == "" {
		t.Errorf("an error without a message: %+v", r)
	}
	return r
}

// diff compares two values; messages as messages.
func diff(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := gocmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func network(name string, change ...func(*weftv1.Network)) *weftv1.Object {
	n := &weftv1.Network{Metadata: &weftv1.Metadata{Name: name}}
	for _, c := range change {
		c(n)
	}
	return wrap(n)
}

// unsecured is a network whose ports nobody judges: no security group comes with them.
func unsecured(n *weftv1.Network) { n.PortSecurityEnabled = proto.Bool(false) }

func subnet(name, network, cidr string, change ...func(*weftv1.Subnet)) *weftv1.Object {
	s := &weftv1.Subnet{Metadata: &weftv1.Metadata{Name: name}, NetworkId: network, Cidr: cidr}
	for _, c := range change {
		c(s)
	}
	return wrap(s)
}

func port(name, network string, change ...func(*weftv1.Port)) *weftv1.Object {
	p := &weftv1.Port{Metadata: &weftv1.Metadata{Name: name}, NetworkId: network}
	for _, c := range change {
		c(p)
	}
	return wrap(p)
}

func host(id string, change ...func(*weftv1.Host)) *weftv1.Object {
	h := &weftv1.Host{Metadata: &weftv1.Metadata{Id: id}}
	for _, c := range change {
		c(h)
	}
	return wrap(h)
}

// eventually polls for a condition; it fails with what the condition last said.
func eventually(t testing.TB, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-tick.C
	}
}

// actions are what Apply did, one line an object: "created network blue".
func actions(res *weftv1.ApplyResponse) (lines []string) {
	for _, r := range res.Results {
		line := fmt.Sprintf("%s %s %s", r.Action, r.Object.Kind, cmp.Or(r.Object.Name, r.Object.Id))
		for _, c := range r.Changes {
			line += fmt.Sprintf(" %s:%s→%s", c.Path, c.OldValue, c.NewValue)
		}
		lines = append(lines, line)
	}
	return lines
}

func router(name string, change ...func(*weftv1.Router)) *weftv1.Object {
	r := &weftv1.Router{Metadata: &weftv1.Metadata{Name: name}}
	for _, c := range change {
		c(r)
	}
	return wrap(r)
}

func floatingIP(network string, change ...func(*weftv1.FloatingIP)) *weftv1.Object {
	f := &weftv1.FloatingIP{Metadata: &weftv1.Metadata{}, FloatingNetworkId: network}
	for _, c := range change {
		c(f)
	}
	return wrap(f)
}

func portForwarding(floatingIP, protocol string, external uint32, port string, internal uint32, change ...func(*weftv1.PortForwarding)) *weftv1.Object {
	f := &weftv1.PortForwarding{Metadata: &weftv1.Metadata{}, FloatingipId: floatingIP, Protocol: protocol, ExternalPort: external,
		InternalPortId: port, InternalPort: internal}
	for _, c := range change {
		c(f)
	}
	return wrap(f)
}

func maskOf(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }
