package agentconn

import (
	"context"
	"errors"
	"net/netip"

	"github.com/weft-sdn/weft/controller/report"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// AskTrace asks the agent what the switch's tables do with a packet.
func (s *Session) AskTrace(ctx context.Context, q report.TraceQuestion) (report.TraceAnswer, error) {
	t := &nodev1.TraceQuestion{Bridge: q.Bridge, InPort: q.InPort}
	if q.InPort != "" {
		t.EthSrc, t.EthDst, t.Vlan = q.EthSrc, q.EthDst, uint32(q.VLAN)
		t.IpSrc, t.IpDst, t.Protocol, t.Ttl = q.Src.String(), q.Dst.String(), uint32(q.Protocol), uint32(q.TTL)
		t.SrcPort, t.DstPort = uint32(q.SrcPort), uint32(q.DstPort)
	}
	if e := q.Tunnel; e != nil {
		t.Tunnel = &nodev1.Encapsulation{Key: e.Key, Src: e.Src.String(), Dst: e.Dst.String()}
	}
	a, err := s.ask(ctx, &nodev1.Ask{Trace: t})
	if err != nil {
		return report.TraceAnswer{}, err
	}
	if a.Trace == nil {
		return report.TraceAnswer{}, errTooOld
	}
	return report.TraceAnswer{Text: a.Trace.Text, Ports: a.Trace.Ports}, nil
}

// AskRoute asks the agent what the kernel does with a packet in a namespace.
func (s *Session) AskRoute(ctx context.Context, q report.RouteQuestion) (report.RouteAnswer, error) {
	a, err := s.ask(ctx, &nodev1.Ask{Route: &nodev1.RouteQuestion{Namespace: q.Namespace, Device: q.Device, Src: q.Src.String(), Dst: q.Dst.String()}})
	if err != nil {
		return report.RouteAnswer{}, err
	}
	r := a.Route
	if r == nil {
		return report.RouteAnswer{}, errTooOld
	}
	out := report.RouteAnswer{Kind: r.Kind, Message: r.Message, Device: r.Device, DeviceMAC: r.DeviceMac, Neighbour: r.Neighbour, NeighbourState: r.NeighbourState, Table: r.Table}
	if r.Via != "" {
		if out.Via, err = netip.ParseAddr(r.Via); err != nil {
			return report.RouteAnswer{}, err
		}
	}
	return out, nil
}

var errTooOld = errors.New("its agent does not know this question: it is older than the controller")
