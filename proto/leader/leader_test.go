package leader_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/weft-sdn/weft/proto/leader"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// controller answers with its name.
type controller struct {
	weftv1.UnimplementedDiagnosticsServiceServer
	name   string
	health *health.Server
}

func (c *controller) GetStatus(context.Context, *weftv1.GetStatusRequest) (*weftv1.GetStatusResponse, error) {
	return &weftv1.GetStatusResponse{Version: c.name}, nil
}

func (c *controller) lead(yes bool) {
	c.health.SetServingStatus("", map[bool]healthv1.HealthCheckResponse_ServingStatus{true: healthv1.HealthCheckResponse_SERVING, false: healthv1.HealthCheckResponse_NOT_SERVING}[yes])
}

func serve(t *testing.T, name, network, address string) (*controller, string) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	c := &controller{name: name, health: health.NewServer()}
	c.lead(false)
	s := grpc.NewServer()
	weftv1.RegisterDiagnosticsServiceServer(s, c)
	healthv1.RegisterHealthServer(s, c.health)
	go func() { _ = s.Serve(ln) }() // it ends with the test
	t.Cleanup(s.Stop)
	if network == "unix" {
		return c, "unix:" + address
	}
	return c, ln.Addr().String()
}

func TestCallsGoToWhoLeads(t *testing.T) {
	one, at1 := serve(t, "c1", "tcp", "127.0.0.1:0")
	two, at2 := serve(t, "c2", "unix", filepath.Join(t.TempDir(), "api"))
	conn, err := leader.Dial([]string{at1, at2, "127.0.0.1:1"}, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := weftv1.NewDiagnosticsServiceClient(conn)
	ask := func(opts ...grpc.CallOption) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := client.GetStatus(ctx, &weftv1.GetStatusRequest{}, opts...)
		return r.GetVersion(), err
	}
	if _, err := ask(); status.Code(err) != codes.Unavailable {
		t.Errorf("while nobody leads: %v", err)
	}
	one.lead(true)
	if name, err := ask(grpc.WaitForReady(true)); name != "c1" || err != nil {
		t.Errorf("c1 leads: %q, %v", name, err)
	}
	one.lead(false)
	two.lead(true)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		name, err := ask(grpc.WaitForReady(true))
		if name == "c2" {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("c2 leads: %q, %v", name, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	// Of a single one nobody asks whether it leads: it says itself why not.
	_, at := serve(t, "c1", "tcp", "127.0.0.1:0")
	conn, err := leader.Dial([]string{at}, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r, err := weftv1.NewDiagnosticsServiceClient(conn).GetStatus(t.Context(), &weftv1.GetStatusRequest{}); r.GetVersion() != "c1" {
		t.Errorf("%v, %v", r, err)
	}
	for want, addresses := range map[string][]string{
		"dial the controller: no address":                      nil,
		`controller "c2": address c2: missing port in address`: {"c1:9443", "c2"},
	} {
		if _, err := leader.Dial(addresses, grpc.WithTransportCredentials(insecure.NewCredentials())); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", addresses, err, want)
		}
	}
}
