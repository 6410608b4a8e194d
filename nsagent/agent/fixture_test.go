package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
	"github.com/weft-sdn/weft/test/ovs"
)

// controller is the other end of the stream: it writes down what agents say, and sends what the test wants.
type controller struct {
	nodev1.UnimplementedNodeServiceServer
	t     testing.TB
	addr  string
	epoch uint64
	// reticent says nothing before the test does.
	reticent bool
	// refuses is the answer of one that stands by; health, if set, what it says of itself.
	refuses error
	health  healthv1.HealthServer
	stop    func()

	mu     sync.Mutex
	stream grpc.BidiStreamingServer[nodev1.SyncRequest, nodev1.SyncResponse]
	hellos []*nodev1.Hello
	said   []string // acks, nacks, notices
	inv    []string // the last full inventory and what came after
	facts  map[string]*nodev1.InterfaceFact
	// answers are by nonce.
	answers map[string]*nodev1.Answer
	// refused counts streams.
	refused int

	sending sync.Mutex // a stream takes one message at a time
}

// listen serves on an address, or on a fresh one.
func listen(t testing.TB, addr string, epoch uint64, with ...func(*controller)) *controller {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &controller{t: t, addr: ln.Addr().String(), epoch: epoch, facts: map[string]*nodev1.InterfaceFact{}, answers: map[string]*nodev1.Answer{}}
	for _, f := range with {
		f(c)
	}
	g := grpc.NewServer()
	nodev1.RegisterNodeServiceServer(g, c)
	if c.health != nil {
		healthv1.RegisterHealthServer(g, c.health)
	}
	done := make(chan struct{})
	go func() {
		g.Serve(ln)
		close(done)
	}()
	c.stop = func() {
		g.Stop()
		<-done
	}
	t.Cleanup(c.stop)
	return c
}

func (c *controller) Sync(st grpc.BidiStreamingServer[nodev1.SyncRequest, nodev1.SyncResponse]) error {
	if c.refuses != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refused++
		return c.refuses
	}
	if err := st.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	for {
		m, err := st.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		c.mu.Lock()
		switch m := m.Message.(type) {
		case *nodev1.SyncRequest_Hello:
			c.hellos = append(c.hellos, m.Hello)
			c.stream = st
			if c.reticent {
				break
			}
			// Whoever is connected knows that we speak.
			c.mu.Unlock()
			c.send(&nodev1.SyncResponse{Epoch: c.epoch, Message: &nodev1.SyncResponse_Checkpoint{Checkpoint: &nodev1.Checkpoint{Bridge: "none"}}})
			c.mu.Lock()
		case *nodev1.SyncRequest_Ack:
			c.said = append(c.said, fmt.Sprintf("ack %s rev %d", m.Ack.Nonce, m.Ack.Revision))
		case *nodev1.SyncRequest_Nack:
			s := fmt.Sprintf("nack %s rev %d", m.Nack.Nonce, m.Nack.Revision)
			for _, e := range m.Nack.Errors {
				s += fmt.Sprintf("\n  %s|%s|%s|%s", e.Resource, e.Field, e.Reason, e.Message)
			}
			c.said = append(c.said, s)
		case *nodev1.SyncRequest_Notice:
			c.said = append(c.said, fmt.Sprintf("notice %s %s: %s", m.Notice.Reason, m.Notice.Resource, m.Notice.Message))
		case *nodev1.SyncRequest_Answer:
			c.answers[m.Answer.Nonce] = m.Answer
		case *nodev1.SyncRequest_Inventory:
			c.inventory(m.Inventory)
		}
		c.mu.Unlock()
	}
}

func (c *controller) inventory(inv *nodev1.Inventory) {
	if inv.Full {
		c.facts, c.inv = map[string]*nodev1.InterfaceFact{}, []string{"full"}
	}
	for _, f := range inv.Interfaces {
		c.facts[f.Name] = f
		c.inv = append(c.inv, fmt.Sprintf("%s on %s type %q ofport %d iface-id %q mac %q error %q", f.Name, f.Bridge, f.Type, f.Ofport, f.IfaceId, f.AttachedMac, f.Error))
	}
	if inv.OvsVersion != nil {
		c.inv = append(c.inv, "Open vSwitch "+*inv.OvsVersion)
	}
	for _, n := range inv.RemovedInterfaces {
		delete(c.facts, n)
		c.inv = append(c.inv, n+" removed")
	}
}

func (c *controller) send(m *nodev1.SyncResponse) {
	c.mu.Lock()
	st := c.stream
	c.mu.Unlock()
	c.sending.Lock()
	defer c.sending.Unlock()
	if err := st.Send(m); err != nil {
		c.t.Logf("controller: %v", err)
	}
}

func (c *controller) delta(d *nodev1.Delta) {
	c.send(&nodev1.SyncResponse{Epoch: c.epoch, Message: &nodev1.SyncResponse_Delta{Delta: d}})
}

func (c *controller) checkpoint(bridge string, revision int64) {
	c.send(&nodev1.SyncResponse{Epoch: c.epoch, Message: &nodev1.SyncResponse_Checkpoint{Checkpoint: &nodev1.Checkpoint{Bridge: bridge, Revision: revision}}})
}

func (c *controller) heard() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.said)
}

func (c *controller) await(line string) {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			c.t.Logf("the agent said:\n%s", strings.Join(c.heard(), "\n"))
		}
	}()
	ovs.Await(c.t, line, func() bool { return slices.Contains(c.heard(), line) })
}

func (c *controller) silent(prefix string) {
	c.t.Helper()
	for _, s := range c.heard() {
		if strings.HasPrefix(s, prefix) {
			c.t.Errorf("the agent said %q", s)
		}
	}
}

// hello waits for the nth Hello, from 1.
func (c *controller) hello(n int) *nodev1.Hello {
	c.t.Helper()
	var h *nodev1.Hello
	ovs.Await(c.t, fmt.Sprintf("hello %d", n), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.hellos) < n {
			return false
		}
		h = c.hellos[n-1]
		return true
	})
	return h
}

// host is a switch, and an agent that comes and goes.
type host struct {
	*ovs.Switch
	t     testing.TB
	state string
	cfg   Config
	agent *Agent
	end   func()
}

func newHost(t testing.TB, controllers ...*controller) *host {
	t.Helper()
	h := &host{Switch: ovs.Start(t), t: t, state: t.TempDir()}
	h.configure(controllers...)
	return h
}

func (h *host) configure(controllers ...*controller) {
	h.cfg = Config{Host: "compute1", BootID: "boot", Version: "test", TunnelIP: "10.91.0.20", BridgeMappings: map[string]string{"physnet1": "br-ex"},
		Roles: []string{"compute"}, Credentials: insecure.NewCredentials(), StateDir: h.state, OVSDB: h.Endpoint(), RunDir: h.Dir,
		DatapathType: "netdev", IntegrationBridge: "br-int", TunnelBridge: "br-tun", ApplyTimeout: 500 * time.Millisecond,
		SaveInterval: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(logTo{h.t}, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, c := range controllers {
		h.cfg.Controllers = append(h.cfg.Controllers, c.addr)
	}
}

// logTo keeps the agent's log for a test that fails.
type logTo struct{ t testing.TB }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Logf("%s", strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

// start runs an agent until stop, or the end of the test.
func (h *host) start() {
	h.t.Helper()
	h.cfg.Metrics = prometheus.NewRegistry()
	a, err := New(h.cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		a.Run(ctx)
		close(done)
	}()
	h.agent = a
	h.end = func() {
		cancel()
		<-done
	}
	h.t.Cleanup(h.end)
}

func (h *host) get(table, record, column string) string {
	h.t.Helper()
	return strings.ReplaceAll(h.Vsctl("--if-exists", "get", table, record, column), `"`, "")
}

func (h *host) plug(name, ifaceID string) {
	h.t.Helper()
	h.Vsctl("--no-wait", "add-port", "br-int", name, "--", "set", "interface", name, "type=internal", "external_ids:iface-id="+ifaceID,
		`external_ids:attached-mac="FA:16:3E:00:00:01"`)
}

func bridge(name, role, dpid string, controllers ...string) *nodev1.Resource {
	return &nodev1.Resource{Name: "bridge/" + name, Version: dpid + fmt.Sprint(controllers),
		Spec: &nodev1.Resource_Bridge{Bridge: &nodev1.Bridge{Name: name, Role: role, DatapathId: dpid, Controllers: controllers}}}
}

func tunnel(name, typ, remote string) *nodev1.Resource {
	return &nodev1.Resource{Name: "tunnel/" + name, Version: remote,
		Spec: &nodev1.Resource_Tunnel{Tunnel: &nodev1.Tunnel{Name: name, Type: typ, LocalIp: "10.91.0.20", RemoteIp: remote}}}
}

func port(id, iface string, vlan uint32, installed int64) *nodev1.Resource {
	return &nodev1.Resource{Name: "port/" + id, Version: fmt.Sprint(iface, vlan, installed),
		Spec: &nodev1.Resource_Port{Port: &nodev1.PortBinding{PortId: id, Interface: iface, Vlan: vlan, MacAddress: "fa:16:3e:00:00:01", InstalledRevision: installed}}}
}

const nobody = "tcp:127.0.0.1:1"

// three are the bridges of a host.
func three() []*nodev1.Resource {
	return []*nodev1.Resource{
		bridge("br-int", "integration", "7765667400010001", nobody),
		bridge("br-tun", "tunnel", "7765667400010002", nobody),
		bridge("br-ex", "physical", "7765667400010003", nobody),
	}
}
