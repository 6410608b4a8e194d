package api

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// eventsRequest is what asks for events, once or as a stream.
type eventsRequest interface {
	GetHost() string
	GetObject() string
	GetSince() *timestamppb.Timestamp
}

// ListEvents implements DiagnosticsService.
func (s *Server) ListEvents(_ context.Context, req *weftv1.ListEventsRequest) (*weftv1.ListEventsResponse, error) {
	keep, err := s.chosen(req)
	if err != nil {
		return nil, s.refuse(err)
	}
	snap := s.sight().Snapshot
	res := &weftv1.ListEventsResponse{}
	for _, e := range s.cfg.Journal.Events(keep) {
		res.Events = append(res.Events, spellEvent(snap, e))
	}
	return res, nil
}

// WatchEvents implements DiagnosticsService.
func (s *Server) WatchEvents(req *weftv1.WatchEventsRequest, stream weftv1.DiagnosticsService_WatchEventsServer) error {
	if field := unknownField(req.ProtoReflect()); field != "" {
		return s.refuse(unknown(field))
	}
	keep, err := s.chosen(req)
	if err != nil {
		return s.refuse(err)
	}
	s.metrics.watches.Inc()
	defer s.metrics.watches.Dec()
	seen := uint64(0)
	for first := true; ; first = false {
		events, total, more := s.cfg.Journal.After(seen)
		if lost := total - seen - uint64(len(events)); lost > 0 && !first {
			return status.Error(codes.OutOfRange, fmt.Sprintf("%d events were dropped before they were read; watch again, and read faster", lost))
		}
		seen = total
		snap := s.sight().Snapshot
		for _, e := range events {
			if !keep(e) {
				continue
			}
			if err := stream.Send(&weftv1.WatchEventsResponse{Event: spellEvent(snap, e)}); err != nil {
				return err
			}
		}
		select {
		case <-more:
		case <-stream.Context().Done():
			return s.refuse(stream.Context().Err())
		case <-s.closing.Done():
			return status.Error(codes.Unavailable, "the controller is shutting down; watch again when it is back")
		}
	}
}

// chosen says which events a request asks for.
func (s *Server) chosen(req eventsRequest) (func(report.Event) bool, error) {
	since := req.GetSince()
	if err := since.CheckValid(); since != nil && err != nil {
		return nil, invalid("since", "%v", err)
	}
	about, err := s.aboutObject(req.GetObject())
	if err != nil {
		return nil, err
	}
	host := req.GetHost()
	if h, err := find(s.sight().Snapshot, state.Hosts, host, nil); err == nil {
		host = state.Key(h) // a host that is gone has events, too
	}
	return func(e report.Event) bool {
		return (host == "" || e.Host == host) && about(e.ID) && (since == nil || !e.Time.Before(since.AsTime()))
	}, nil
}

// spellEvent spells an event, with the name that its object has now.
func spellEvent(snap state.Snapshot, e report.Event) *weftv1.Event {
	ev := &weftv1.Event{Time: timestamppb.New(e.Time), Host: e.Host, Reason: e.Reason, Message: e.Message}
	if e.ID == "" {
		return ev
	}
	ev.Object = &weftv1.ObjectRef{Kind: e.Kind, Id: e.ID}
	if k, err := kindNamed(e.Kind); err == nil {
		if obj := snap.Object(k, e.ID); obj != nil {
			ev.Object.Name = refTo(k, obj).Name
		}
	}
	return ev
}

// aboutObject says which ids a reference to an object of any kind means. Objects that are gone have no name any more, but
// their events still have their id.
func (s *Server) aboutObject(ref string) (func(id string) bool, error) {
	if ref == "" {
		return func(string) bool { return true }, nil
	}
	snap := s.sight().Snapshot
	ids := map[string]bool{ref: true}
	for _, k := range kinds {
		if obj := snap.Object(k, ref); obj != nil {
			return func(id string) bool { return id == ref }, nil
		}
		for obj := range snap.Named(k, ref) {
			ids[state.Key(obj)] = true
		}
	}
	if len(ids) == 1 && len(ref) < minPrefix {
		return nil, invalid("object", "nothing is called %q; the beginning of an id needs %d characters", ref, minPrefix)
	}
	return func(id string) bool {
		return ids[id] || len(ref) >= minPrefix && strings.HasPrefix(id, strings.ToLower(ref))
	}, nil
}
