package agent

import (
	"context"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
	"github.com/weft-sdn/weft/test/ovs"
)

// condition is the health of a controller: it stands by until it leads.
type condition struct {
	healthv1.UnimplementedHealthServer
	leads atomic.Bool
	asked atomic.Int32
}

func (c *condition) Check(context.Context, *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	c.asked.Add(1)
	if c.leads.Load() {
		return &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVING}, nil
	}
	return &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_NOT_SERVING}, nil
}

// A controller that has said that it is there, and then is silent without ending its connections, is left as soon as another leads, and
// not before. One that is silent by nature is not even asked about.
func TestASilentControllerIsLeft(t *testing.T) {
	var others condition
	first := listen(t, "", 7)
	second := listen(t, "", 8, func(c *controller) { c.health = &others })
	h := newHost(t, first, second)
	h.start()
	first.hello(1)
	first.send(&nodev1.SyncResponse{Epoch: 7, Message: &nodev1.SyncResponse_Beat{Beat: &nodev1.Beat{}}})
	ovs.Await(t, "the other controller is asked whether it leads", func() bool { return others.asked.Load() > 1 })
	// The stream is the first one.
	first.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: three()[:1]})
	first.await("ack 1 rev 40")
	if n := len(second.heard()); n > 0 {
		t.Errorf("one that does not lead has been told %d things", n)
	}
	others.leads.Store(true)
	if got := second.hello(1); got.GetResourceVersions()["bridge/br-int"] == "" {
		t.Errorf("the hello to who leads: %v", got)
	}
}

// One that stands by refuses the stream, and is told nothing: what happened meanwhile is for who leads.
func TestOneThatStandsByIsToldNothing(t *testing.T) {
	standby := listen(t, "", 7, func(c *controller) { c.refuses = status.Error(codes.Unavailable, "stands by") })
	leader := listen(t, "", 7)
	h := newHost(t, standby, leader)
	h.start()
	leader.hello(1)
	if standby.mu.Lock(); len(standby.hellos) > 0 || standby.refused == 0 {
		t.Errorf("one that stands by has refused %d streams, and was told %v", standby.refused, standby.hellos)
	}
	standby.mu.Unlock()
}
