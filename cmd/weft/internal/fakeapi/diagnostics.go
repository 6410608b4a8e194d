package fakeapi

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// GetStatus counts what there is.
func (s *Server) GetStatus(_ context.Context, r *weftv1.GetStatusRequest) (*weftv1.GetStatusResponse, error) {
	s.Asked = r
	resp := &weftv1.GetStatusResponse{Version: "0.1.0", Revision: s.revision, Store: "embedded", Objects: map[string]int64{},
		DriftRepaired: 2, UnknownSwitches: s.Unknown, Controllers: s.Controllers, StartTime: timestamppb.New(Start)}
	for _, k := range kind.All {
		resp.Objects[k.Name] = int64(len(s.state[k.Name]))
		for _, id := range sortedIDs(s.state, k) {
			switch m := s.state[k.Name][id].(type) {
			case *weftv1.Host:
				resp.Hosts = append(resp.Hosts, m)
			case *weftv1.Port:
				if m.GetStatus().GetStatus() == "ACTIVE" {
					resp.PortsActive++
				}
			}
		}
	}
	return resp, nil
}

// ListFlows answers what was put there for the bridge and table.
func (s *Server) ListFlows(_ context.Context, r *weftv1.ListFlowsRequest) (*weftv1.ListFlowsResponse, error) {
	s.Asked = r
	if r.GetHost() != "" && s.state["host"][r.GetHost()] == nil {
		return nil, status.Errorf(codes.NotFound, "host %q does not exist", r.GetHost())
	}
	resp := &weftv1.ListFlowsResponse{}
	for _, f := range s.Flows {
		if is(r.GetBridge(), f.GetBridge()) && is(r.GetTable(), f.GetTableName()) {
			resp.Flows = append(resp.Flows, f)
		}
	}
	return resp, nil
}

// Explain answers what was put there.
func (s *Server) Explain(_ context.Context, r *weftv1.ExplainRequest) (*weftv1.ExplainResponse, error) {
	s.Asked = r
	return s.Explained, nil
}

// Trace answers what was put there.
func (s *Server) Trace(_ context.Context, r *weftv1.TraceRequest) (*weftv1.TraceResponse, error) {
	s.Asked = r
	t := s.Traces[r.GetSource()+" "+r.GetDestination()]
	if t == nil {
		return nil, status.Errorf(codes.NotFound, "port %q does not exist", r.GetDestination())
	}
	return t, nil
}

// ListDrift answers what was put there.
func (s *Server) ListDrift(_ context.Context, r *weftv1.ListDriftRequest) (*weftv1.ListDriftResponse, error) {
	s.Asked = r
	return &weftv1.ListDriftResponse{Drifts: s.Drift, Errors: s.DriftErrors}, nil
}

// ListInterfaces answers what was put there.
func (s *Server) ListInterfaces(_ context.Context, r *weftv1.ListInterfacesRequest) (*weftv1.ListInterfacesResponse, error) {
	s.Asked = r
	resp := &weftv1.ListInterfacesResponse{}
	for _, i := range s.Interfaces {
		if is(r.GetHost(), i.GetHost()) && (!r.GetUnbound() || i.GetPortId() == "") {
			resp.Interfaces = append(resp.Interfaces, i)
		}
	}
	return resp, nil
}

// ListEvents answers those that were put there and are new enough.
func (s *Server) ListEvents(_ context.Context, r *weftv1.ListEventsRequest) (*weftv1.ListEventsResponse, error) {
	s.Asked = r
	resp := &weftv1.ListEventsResponse{}
	for _, e := range s.Events {
		if asked(r, e) {
			resp.Events = append(resp.Events, e)
		}
	}
	return resp, nil
}

// WatchEvents sends the same, and then what Happen adds.
func (s *Server) WatchEvents(r *weftv1.WatchEventsRequest, out grpc.ServerStreamingServer[weftv1.WatchEventsResponse]) error {
	for next := 0; ; {
		s.mu.Lock()
		more, changed := s.Events[next:], s.changed
		next = len(s.Events)
		s.mu.Unlock()
		for _, e := range more {
			if !asked(r, e) {
				continue
			}
			if err := out.Send(&weftv1.WatchEventsResponse{Event: e}); err != nil {
				return err
			}
		}
		select {
		case <-out.Context().Done():
			return out.Context().Err()
		case <-changed:
		}
	}
}

// Happen adds events, and tells watchers.
func (s *Server) Happen(events ...*weftv1.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Events = append(s.Events, events...)
	close(s.changed)
	s.changed = make(chan struct{})
}

type eventsRequest interface {
	GetHost() string
	GetObject() string
	GetSince() *timestamppb.Timestamp
}

func asked(r eventsRequest, e *weftv1.Event) bool {
	old := r.GetSince() != nil && e.GetTime().AsTime().Before(r.GetSince().AsTime())
	return is(r.GetHost(), e.GetHost()) && (r.GetObject() == "" || strings.EqualFold(r.GetObject(), e.GetObject().GetId())) && !old
}
