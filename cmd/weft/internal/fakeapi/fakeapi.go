// Package fakeapi is a small API server in memory for the tests of the command line. It keeps objects in maps, makes
// predictable ids, addresses and times, and refuses what the tests want refused; it programs nothing. Diagnostics answer
// what a test put there.
package fakeapi

import (
	"context"
	"fmt"
	"net"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Start is when everything in a fake cloud happened.
var Start = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// objects is the state: kind name and id to object.
type objects map[string]map[string]kind.Message

func (o objects) clone() objects {
	out := objects{}
	for k, byID := range o {
		out[k] = map[string]kind.Message{}
		for id, m := range byID {
			out[k][id] = m
		}
	}
	return out
}

// Server is the fake. Fields in capitals may be set before it serves, or under Change.
type Server struct {
	weftv1.UnimplementedWeftServiceServer
	weftv1.UnimplementedDiagnosticsServiceServer

	mu       sync.Mutex
	state    objects
	made     int
	revision int64
	history  []*weftv1.WatchResponse
	// changed is closed and replaced at each change.
	changed chan struct{}

	// PageSize bounds the pages of lists.
	PageSize int
	// Compacted makes watches from this revision or before end with OUT_OF_RANGE.
	Compacted int64
	// Fail, when set, is what every call answers with.
	Fail error
	// Lagging is what WaitApplied tells.
	Lagging []*weftv1.HostLag
	// Unknown, Controllers, Drift, DriftErrors, Flows, Explained, Interfaces and Events are what the diagnostics tell.
	Unknown     []string
	Controllers []*weftv1.Controller
	Drift       []*weftv1.Drift
	DriftErrors map[string]string
	Flows       []*weftv1.Flow
	Explained   *weftv1.ExplainResponse
	Interfaces  []*weftv1.Interface
	Events      []*weftv1.Event
	// Places is where objects are, by kind and name ("router/edge"); Namespaces what is in them, by host and name
	// ("compute1 qrouter-edge").
	Places     map[string][]*weftv1.Place
	Namespaces map[string][]*weftv1.NamespaceLine
	// Rules is what ports are judged by, by name.
	Rules map[string]*weftv1.GetPortRulesResponse
	// Traces are the ways of packets, by source and destination ("vm1 vm2").
	Traces map[string]*weftv1.TraceResponse
	// Asked is the last request of a diagnostic.
	Asked proto.Message
}

// New makes an empty cloud.
func New() *Server {
	return &Server{state: objects{}, revision: 1, changed: make(chan struct{}), PageSize: 1000}
}

// Serve answers on a listener until the context is done.
func (s *Server) Serve(ctx context.Context, l net.Listener, opts ...grpc.ServerOption) {
	g := grpc.NewServer(append(opts, grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.Fail != nil {
				return nil, s.Fail
			}
			return h(ctx, req)
		}))...)
	weftv1.RegisterNetworkServiceServer(g, networks{s: s})
	weftv1.RegisterSubnetServiceServer(g, subnets{s: s})
	weftv1.RegisterPortServiceServer(g, ports{s: s})
	weftv1.RegisterHostServiceServer(g, hosts{s: s})
	weftv1.RegisterRouterServiceServer(g, routers{s: s})
	weftv1.RegisterFloatingIPServiceServer(g, floatingIPs{s: s})
	weftv1.RegisterPortForwardingServiceServer(g, portForwardings{s: s})
	weftv1.RegisterSecurityGroupServiceServer(g, securityGroups{s: s})
	weftv1.RegisterSecurityGroupRuleServiceServer(g, securityGroupRules{s: s})
	weftv1.RegisterAddressGroupServiceServer(g, addressGroups{s: s})
	weftv1.RegisterQosPolicyServiceServer(g, qosPolicies{s: s})
	weftv1.RegisterWeftServiceServer(g, s)
	weftv1.RegisterDiagnosticsServiceServer(g, s)
	stop := context.AfterFunc(ctx, g.Stop)
	defer stop()
	// It ends with an error when it is stopped; that is how it ends.
	_ = g.Serve(l)
}

// Change runs a function while no call is served.
func (s *Server) Change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Put stores objects as they are, and tells watchers.
func (s *Server) Put(list ...kind.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.state.clone()
	for _, m := range list {
		put(next, m)
	}
	s.commit(next)
}

// Remove deletes an object, and tells watchers.
func (s *Server) Remove(k *kind.Kind, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.state.clone()
	delete(next[k.Name], id)
	s.commit(next)
}

func kindOf(m kind.Message) *kind.Kind { return kind.Of(m.ProtoReflect().Descriptor()) }

func put(o objects, m kind.Message) {
	k := kindOf(m)
	if o[k.Name] == nil {
		o[k.Name] = map[string]kind.Message{}
	}
	o[k.Name][m.GetMetadata().GetId()] = m
}

// sortedIDs lists the ids of a kind in order.
func sortedIDs(o objects, k *kind.Kind) []string {
	ids := make([]string, 0, len(o[k.Name]))
	for id := range o[k.Name] {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// commit makes a state the newest, and writes what became different into the history.
func (s *Server) commit(next objects) {
	s.revision++
	for _, k := range kind.All {
		for _, id := range sortedIDs(next, k) {
			m, was := next[k.Name][id], s.state[k.Name][id]
			if was != nil && proto.Equal(m, was) {
				continue
			}
			meta := m.GetMetadata()
			meta.Revision, meta.Etag = s.revision, fmt.Sprintf("%x", s.revision)
			kinded := "MODIFIED"
			if was == nil {
				kinded = "ADDED"
			}
			s.history = append(s.history, &weftv1.WatchResponse{Type: kinded, Revision: s.revision, Object: k.Wrap(clone(m))})
		}
		for _, id := range sortedIDs(s.state, k) {
			if next[k.Name][id] == nil {
				s.history = append(s.history, &weftv1.WatchResponse{Type: "DELETED", Revision: s.revision, Object: k.Wrap(clone(s.state[k.Name][id]))})
			}
		}
	}
	s.state = next
	close(s.changed)
	s.changed = make(chan struct{})
}

func clone(m kind.Message) kind.Message { return proto.Clone(m).(kind.Message) }

// Watch follows the contract of the API: objects, a bookmark, changes.
func (s *Server) Watch(req *weftv1.WatchRequest, out grpc.ServerStreamingServer[weftv1.WatchResponse]) error {
	wanted := func(r *weftv1.WatchResponse) bool {
		k, _ := kind.Unwrap(r.GetObject())
		return len(req.GetKinds()) == 0 || strings.Contains(strings.Join(req.GetKinds(), " "), k.Name)
	}
	s.mu.Lock()
	if err := s.Fail; err != nil {
		s.mu.Unlock()
		return err
	}
	if req.GetFromRevision() != 0 && req.GetFromRevision() <= s.Compacted {
		s.mu.Unlock()
		return outOfRange(req.GetFromRevision())
	}
	var first []*weftv1.WatchResponse
	next := len(s.history)
	if req.GetFromRevision() == 0 {
		for _, k := range kind.All {
			for _, id := range sortedIDs(s.state, k) {
				m := s.state[k.Name][id]
				first = append(first, &weftv1.WatchResponse{Type: "ADDED", Revision: m.GetMetadata().GetRevision(), Object: k.Wrap(clone(m))})
			}
		}
		first = append(first, &weftv1.WatchResponse{Type: "BOOKMARK", Revision: s.revision})
	} else {
		next = sort.Search(len(s.history), func(i int) bool { return s.history[i].GetRevision() > req.GetFromRevision() })
	}
	s.mu.Unlock()
	for _, r := range first {
		if r.GetType() != "BOOKMARK" && !wanted(r) {
			continue
		}
		if err := out.Send(r); err != nil {
			return err
		}
	}
	for {
		s.mu.Lock()
		more, changed := s.history[next:], s.changed
		next = len(s.history)
		s.mu.Unlock()
		for _, r := range more {
			if !wanted(r) {
				continue
			}
			if err := out.Send(r); err != nil {
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

// now is a time that rises by a second with every change.
func (s *Server) now() *timestamppb.Timestamp {
	return timestamppb.New(Start.Add(time.Duration(s.revision) * time.Second))
}

// Object returns a stored object; call it in Change.
func (s *Server) Object(k *kind.Kind, id string) kind.Message { return s.state[k.Name][id] }
