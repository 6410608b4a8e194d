package hostsync

import (
	"context"
	"fmt"

	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/report"
)

// Trace tells what the tables of a host's switch do with a packet, now.
func (f *Fleet) Trace(ctx context.Context, name string, q report.TraceQuestion) (out report.TraceAnswer, err error) {
	err = f.ask(ctx, name, "on the host, ovs-appctl ofproto/trace traces packets", func(ctx context.Context, s *agentconn.Session) error {
		out, err = s.AskTrace(ctx, q)
		return err
	})
	return out, err
}

// Route tells what the kernel of a host does with a packet in a namespace, now.
func (f *Fleet) Route(ctx context.Context, name string, q report.RouteQuestion) (out report.RouteAnswer, err error) {
	err = f.ask(ctx, name, "on the host, ip netns exec NAMESPACE ip route get asks for routes", func(ctx context.Context, s *agentconn.Session) error {
		if out, err = s.AskRoute(ctx, q); err != nil {
			err = fmt.Errorf("namespace %s: %w", q.Namespace, err)
		}
		return err
	})
	return out, err
}
