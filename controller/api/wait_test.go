package api

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weft-sdn/weft/controller/report"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

func TestWaitAppliedNamesWhoLags(t *testing.T) {
	d := openDoor(t, nil)
	rev := d.apply(network("blue")).Revision
	waitedFor := make(chan int64, 10)
	d.fleet.lags = func(ctx context.Context, revision int64) []report.Lag {
		waitedFor <- revision
		<-ctx.Done()
		return []report.Lag{{Host: "compute2", Applied: 7, Reason: "agent not connected since 12:01:07"}}
	}
	res := must[*weftv1.WaitAppliedResponse](t)(d.WaitApplied(d.ctx, &weftv1.WaitAppliedRequest{Timeout: durationpb.New(10 * time.Millisecond)}))
	diff(t, "a host that lags", &weftv1.WaitAppliedResponse{Revision: rev,
		Lagging: []*weftv1.HostLag{{Host: "compute2", AppliedRevision: 7, Reason: "agent not connected since 12:01:07"}}}, res)
	if got := <-waitedFor; got != rev {
		t.Errorf("waited for revision %d, not the newest, %d", got, rev)
	}
	d.fleet.lags = nil
	res = must[*weftv1.WaitAppliedResponse](t)(d.WaitApplied(d.ctx, &weftv1.WaitAppliedRequest{Revision: rev}))
	diff(t, "all are there", &weftv1.WaitAppliedResponse{Revision: rev, Applied: true}, res)
}

func TestWaitAppliedWaitsForWhatIsNotWrittenYet(t *testing.T) {
	d := openDoor(t, nil)
	rev := d.apply(network("blue")).Revision
	type answer struct {
		res *weftv1.WaitAppliedResponse
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		res, err := d.WaitApplied(d.ctx, &weftv1.WaitAppliedRequest{Revision: rev + 1})
		answered <- answer{res, err}
	}()
	next := d.apply(network("red")).Revision
	if a := <-answered; a.err != nil || !a.res.Applied || next != rev+1 {
		t.Errorf("written while it waited: %v, %v", a.res, a.err)
	}
	_, err := d.WaitApplied(d.ctx, &weftv1.WaitAppliedRequest{Revision: rev + 1000, Timeout: durationpb.New(10 * time.Millisecond)})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("never written: %v", err)
	}
}

func TestWaitAppliedRefusesWhatItCannotWaitFor(t *testing.T) {
	d := openDoor(t, nil)
	for name, req := range map[string]*weftv1.WaitAppliedRequest{
		"negative timeout":  {Timeout: durationpb.New(-1)},
		"too long":          {Timeout: durationpb.New(11 * time.Minute)},
		"no duration":       {Timeout: &durationpb.Duration{Nanos: 2e9}},
		"negative revision": {Revision: -1},
	} {
		if _, err := d.WaitApplied(d.ctx, req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.fleet.lags = func(ctx context.Context, _ int64) []report.Lag { <-ctx.Done(); return []report.Lag{{Host: "h"}} }
	ctx, cancel := context.WithCancel(d.ctx)
	cancel()
	if _, err := d.server.WaitApplied(ctx, &weftv1.WaitAppliedRequest{}); status.Code(err) != codes.Canceled {
		t.Errorf("a caller that went away: %v", err)
	}
}
