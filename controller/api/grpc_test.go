package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/report"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func TestHealthFollowsTheStore(t *testing.T) {
	d := openDoor(t, nil)
	client := healthv1.NewHealthClient(d.conn)
	is := func(service string, want healthv1.HealthCheckResponse_ServingStatus) func() error {
		return func() error {
			res, err := client.Check(d.ctx, &healthv1.HealthCheckRequest{Service: service})
			if err != nil || res.Status != want {
				return fmt.Errorf("service %q: %v, %w", service, res.GetStatus(), err)
			}
			return nil
		}
	}
	for _, s := range services {
		eventually(t, is(s, healthv1.HealthCheckResponse_SERVING))
	}
	d.store.Close()
	for _, s := range services {
		eventually(t, is(s, healthv1.HealthCheckResponse_NOT_SERVING))
	}
	_, err := d.CreateNetwork(d.ctx, &weftv1.CreateNetworkRequest{Network: network("x").GetNetwork()})
	diff(t, "a write without a store", refusal{Code: codes.Unavailable, Reason: "SHUTTING_DOWN"}, refused(t, err))
}

func TestReflectionListsTheServices(t *testing.T) {
	d := openDoor(t, nil)
	stream, err := reflectionv1.NewServerReflectionClient(d.conn).ServerReflectionInfo(d.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	res, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range res.GetListServicesResponse().Service {
		if strings.HasPrefix(s.Name, "weft.v1.") {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	want := slices.Sorted(slices.Values(services[1:]))
	diff(t, "services", want, names)
	// Tools like grpcurl make requests of what they are told about each, and about all that it uses.
	files := map[string]bool{}
	for _, ask := range append(want, "google.rpc.BadRequest") {
		if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: ask}}); err != nil {
			t.Fatal(err)
		}
		res, err := stream.Recv()
		if err != nil || res.GetErrorResponse() != nil {
			t.Fatalf("%s: %v, %v", ask, res.GetErrorResponse(), err)
		}
		for _, b := range res.GetFileDescriptorResponse().GetFileDescriptorProto() {
			var f descriptorpb.FileDescriptorProto
			if err := proto.Unmarshal(b, &f); err != nil {
				t.Fatal(err)
			}
			files[f.GetName()] = true
			for _, name := range f.Dependency {
				if !files[name] {
					files[name] = false
				}
			}
		}
	}
	for name, told := range files {
		if !told {
			t.Errorf("%s is needed, and was not told", name)
		}
	}
}

func TestFieldsOfALaterVersionAreRefused(t *testing.T) {
	d := openDoor(t, nil)
	later := protowire.AppendVarint(protowire.AppendTag(nil, 777, protowire.VarintType), 1)
	n := network("blue").GetNetwork()
	n.Metadata.ProtoReflect().SetUnknown(later)
	const why = ": is not known to this version of the controller; leave it out, or upgrade the controller"
	for name, tc := range map[string]struct {
		do    func() error
		field string
	}{
		"in an object": {func() error { _, err := d.CreateNetwork(d.ctx, &weftv1.CreateNetworkRequest{Network: n}); return err }, "network.metadata.field 777"},
		"in a list": {func() error {
			_, err := d.Apply(d.ctx, &weftv1.ApplyRequest{Objects: []*weftv1.Object{network("red"), wrap(n)}})
			return err
		}, "objects[1].network.metadata.field 777"},
		"in a stream's request": {func() error {
			req := &weftv1.WatchRequest{}
			req.ProtoReflect().SetUnknown(later)
			stream, err := d.Watch(d.ctx, req)
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		}, "field 777"},
	} {
		diff(t, name, refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{tc.field + why}}, refused(t, tc.do()))
	}
	if snap, _ := d.store.Snapshot(); snap.Len("networks") != 0 {
		t.Error("something was written")
	}
}

// panicking is a fleet with a mistake.
type panicking struct{ *fakeFleet }

func (panicking) Host(string) report.Host { panic("a mistake") }

func TestAPanicEndsOneCallOnly(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(host("compute1"))
	d.server.cfg.Fleet = panicking{d.fleet}
	for name, do := range map[string]func() error{
		"a call": func() error { _, err := d.GetHost(d.ctx, &weftv1.GetHostRequest{Id: "compute1"}); return err },
		"a stream": func() error {
			stream, err := d.Watch(d.ctx, &weftv1.WatchRequest{Kinds: []string{"host"}})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		},
	} {
		if st := status.Convert(do()); st.Code() != codes.Internal || st.Message() != "internal error: the controller's log tells more" {
			t.Errorf("%s: %v", name, st)
		}
	}
	if _, err := d.ListNetworks(d.ctx, &weftv1.ListNetworksRequest{}); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestCallsWithoutADeadlineGetOne(t *testing.T) {
	has := func(method string, ctx context.Context) (left time.Duration, ok bool) {
		_, err := limited(ctx, &emptypb.Empty{}, &grpc.UnaryServerInfo{FullMethod: method}, func(ctx context.Context, _ any) (any, error) {
			deadline, yes := ctx.Deadline()
			left, ok = time.Until(deadline), yes
			return nil, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return left, ok
	}
	if left, ok := has(weftv1.NetworkService_GetNetwork_FullMethodName, context.Background()); !ok || left > callTimeout || left < callTimeout/2 {
		t.Errorf("an ordinary call: %v, %v", left, ok)
	}
	if _, ok := has(weftv1.WeftService_WaitApplied_FullMethodName, context.Background()); ok {
		t.Error("WaitApplied has its own timeout")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if left, _ := has(weftv1.NetworkService_GetNetwork_FullMethodName, ctx); left < 59*time.Minute {
		t.Errorf("a call with a deadline of its own: %v", left)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue"))
	for range 2 {
		if _, err := d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: "red"}); status.Code(err) != codes.NotFound {
			t.Fatal(err)
		}
	}
	w := d.watch(0)
	w.until(0)
	if n := testutil.ToFloat64(d.server.metrics.watches); n != 1 {
		t.Errorf("%v watches", n)
	}
	w.cancel()
	eventually(t, func() error {
		return testutil.GatherAndCompare(d.reg, strings.NewReader(`
# HELP weft_api_requests_total Requests by gRPC method and status code; a stream counts when it ends.
# TYPE weft_api_requests_total counter
weft_api_requests_total{code="NotFound",method="/weft.v1.NetworkService/GetNetwork"} 2
weft_api_requests_total{code="OK",method="/weft.v1.WeftService/Apply"} 1
weft_api_requests_total{code="Canceled",method="/weft.v1.WeftService/Watch"} 1
# HELP weft_api_watches Watch streams that are open.
# TYPE weft_api_watches gauge
weft_api_watches 0
`), "weft_api_requests_total", "weft_api_watches")
	})
}

func TestRequestsHaveALimit(t *testing.T) {
	d := openDoor(t, nil)
	_, err := d.CreateNetwork(d.ctx, &weftv1.CreateNetworkRequest{Network: network(strings.Repeat("x", maxRequest+1)).GetNetwork()})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
}
