package agentconn

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// world is both the store of facts and the handler: it writes down what it is told.
type world struct {
	mu       sync.Mutex
	said     []string
	sessions map[string]*Session
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

func (w *world) ReportHost(_ context.Context, f *model.HostFacts) error {
	text := fmt.Sprintf("host %s tunnel %s ports %v", f.Host, f.TunnelIP, f.Ports)
	if f.OVSVersion != "" {
		text += " switch " + f.OVSVersion
	}
	w.say("%s", text)
	return nil
}

func (w *world) ReportInterfaces(_ context.Context, host string, full bool, up []model.Interface, removed []string) error {
	w.say("interfaces of %s full=%v %v removed %v", host, full, up, removed)
	return nil
}

func (w *world) AgentConnected(s *Session) {
	w.mu.Lock()
	w.sessions[s.Host] = s
	w.mu.Unlock()
	w.say("connected %s holding %v", s.Host, s.Versions)
}
func (w *world) AgentDisconnected(s *Session, _ error) { w.say("disconnected %s", s.Host) }
func (w *world) AgentAcked(s *Session, nonce string, failed []report.Failure) {
	w.say("acked %s %s %v", s.Host, nonce, failed)
}
func (w *world) AgentNotice(s *Session, reason, message, _ string) {
	w.say("notice %s %s", reason, message)
}

func (w *world) await(t *testing.T, line string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		ok := slices.Contains(w.said, line)
		said := slices.Clone(w.said)
		w.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not said: %s\nbut: %q", line, said)
		}
	}
}

func serve(t *testing.T, epoch uint64, opts ...grpc.ServerOption) (*world, func(from string, opts ...grpc.DialOption) nodev1.NodeServiceClient) {
	t.Helper()
	w := &world{sessions: map[string]*Session{}}
	g := grpc.NewServer(opts...)
	New(w, w, epoch, slog.New(slog.DiscardHandler)).Register(g)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go g.Serve(ln)
	t.Cleanup(g.Stop)
	return w, func(from string, opts ...grpc.DialOption) nodev1.NodeServiceClient {
		c, err := grpc.NewClient(ln.Addr().String(), append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
				return d.DialContext(ctx, "tcp", addr)
			})}, opts...)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return nodev1.NewNodeServiceClient(c)
	}
}

func dial(t *testing.T, c nodev1.NodeServiceClient, h *nodev1.Hello) grpc.BidiStreamingClient[nodev1.SyncRequest, nodev1.SyncResponse] {
	t.Helper()
	st, err := c.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	send(t, st, &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Hello{Hello: h}})
	return st
}

func send(t *testing.T, st grpc.BidiStreamingClient[nodev1.SyncRequest, nodev1.SyncResponse], m *nodev1.SyncRequest) {
	t.Helper()
	if err := st.Send(m); err != nil {
		t.Fatal(err)
	}
}

func TestAgentReportsAndAcknowledges(t *testing.T) {
	w, client := serve(t, 7)
	st := dial(t, client("127.0.0.1"), &nodev1.Hello{Host: "compute1", TunnelIp: "10.0.0.1", ResourceVersions: map[string]string{"bridge/br-int": "v1"}})
	w.await(t, "connected compute1 holding map[bridge/br-int:v1]")
	w.await(t, "host compute1 tunnel 10.0.0.1 ports map[]")

	send(t, st, &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Inventory{Inventory: &nodev1.Inventory{Full: true, OvsVersion: proto.String("3.1.0"), Interfaces: []*nodev1.InterfaceFact{
		{Name: "br-int", Bridge: "br-int", Type: "internal", Ofport: 65534},
		{Name: "patch-tun", Bridge: "br-int", Type: "patch", Ofport: 1},
		{Name: "tap1", Bridge: "br-int", Ofport: 2, IfaceId: "p1", AttachedMac: "fa:16:3e:00:00:01"},
		{Name: "tap2", Bridge: "br-int", IfaceId: "p2", Error: "could not open"},
		{Name: "vxlan-0a000002", Bridge: "br-tun", Type: "vxlan", Ofport: 5},
		{Name: "gre-0a000003", Bridge: "br-tun", Type: "gre"},
	}}}})
	w.await(t, "host compute1 tunnel 10.0.0.1 ports map[patch-tun:1 vxlan-0a000002:5] switch 3.1.0")
	w.await(t, "interfaces of compute1 full=true [{compute1 tap1 2 p1 fa:16:3e:00:00:01 false 0}] removed [tap2]")

	// Open vSwitch is upgraded. Anybody may write its version.
	for _, tc := range []struct{ version, want string }{{"3.5.0", " switch 3.5.0"}, {"3\n", ""}} {
		send(t, st, &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Inventory{Inventory: &nodev1.Inventory{OvsVersion: &tc.version}}})
		w.await(t, "host compute1 tunnel 10.0.0.1 ports map[patch-tun:1 vxlan-0a000002:5]"+tc.want)
	}

	if err := w.sessions["compute1"].SendDelta(&nodev1.Delta{Nonce: "n1", Full: true}); err != nil {
		t.Fatal(err)
	}
	m, err := st.Recv()
	if err != nil || m.Epoch != 7 || m.GetDelta().Nonce != "n1" {
		t.Fatalf("delta: %v %v", m, err)
	}
	send(t, st, &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Nack{Nack: &nodev1.Nack{Nonce: "n1", Errors: []*nodev1.ResourceError{
		{Resource: "tunnel/vxlan-0a000009", Field: "remote_ip", Reason: "NoRoute", Message: "no route to 10.0.0.9"}}}}})
	w.await(t, "acked compute1 n1 [{tunnel/vxlan-0a000009 NoRoute remote_ip: no route to 10.0.0.9}]")

	st.CloseSend()
	w.await(t, "disconnected compute1")
}

// An interface whose external_ids no port can have once ended the stream, again after each reconnect, so that nothing on the
// host was bound any more.
func TestInterfaceThatCannotBeIsToldAndLeftOut(t *testing.T) {
	w, client := serve(t, 7)
	st := dial(t, client("127.0.0.1"), &nodev1.Hello{Host: "compute1"})
	send(t, st, &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Inventory{Inventory: &nodev1.Inventory{Interfaces: []*nodev1.InterfaceFact{
		{Name: "tap1", Bridge: "br-int", Ofport: 2, IfaceId: "p1"},
		{Name: "tap2", Bridge: "br-int", Ofport: 3, IfaceId: "p2\nrm"},
		{Name: "tap3", Bridge: "br-int", Ofport: 4, AttachedMac: strings.Repeat("f", 300)},
	}}}})
	w.await(t, "interfaces of compute1 full=false [{compute1 tap1 2 p1  false 0}] removed [tap2 tap3]")
	w.await(t, `notice InterfaceRefused interface "tap2": iface_id: contains the unprintable character U+000A; remove it`)
	w.await(t, `notice InterfaceRefused interface "tap3": attached_mac: has 300 characters; at most 255 are allowed`)
	send(t, st, &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Inventory{Inventory: &nodev1.Inventory{Interfaces: []*nodev1.InterfaceFact{
		{Name: "tap2", Bridge: "br-int", Ofport: 3, IfaceId: "p2"}}}}})
	w.await(t, "interfaces of compute1 full=false [{compute1 tap2 3 p2  false 0}] removed []")
}

func TestAnotherHostsNameIsRefused(t *testing.T) {
	w, client := serve(t, 7)
	st := dial(t, client("127.0.0.1"), &nodev1.Hello{Host: "compute1"})
	w.await(t, "connected compute1 holding map[]")

	for _, tc := range []struct {
		name, from string
		hello      *nodev1.Hello
		code       codes.Code
		want       string
	}{
		{"taken", "127.0.0.2", &nodev1.Hello{Host: "compute1"}, codes.AlreadyExists, "may present only its own host's name"},
		{"no name", "127.0.0.2", &nodev1.Hello{}, codes.InvalidArgument, "hostname"},
		{"bad address", "127.0.0.2", &nodev1.Hello{Host: "c2", TunnelIp: "10.0.0"}, codes.InvalidArgument, "tunnel_ip"},
		{"newer epoch", "127.0.0.2", &nodev1.Hello{Host: "c2", Epoch: 8}, codes.FailedPrecondition, "epoch 7 is older than 8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := dial(t, client(tc.from), tc.hello).Recv()
			if status.Code(err) != tc.code {
				t.Errorf("code %v, want %v: %v", status.Code(err), tc.code, err)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q does not tell %q", err, tc.want)
			}
		})
	}
	// Its own agent has not noticed.
	send(t, st, &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Ack{Ack: &nodev1.Ack{Nonce: "still here"}}})
	w.await(t, "acked compute1 still here []")
}
