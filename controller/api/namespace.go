package api

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-sdn/weft/controller/state"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// namespaces are the beginnings of our namespaces' names, and the kinds whose ids they end in.
var namespaces = []struct {
	prefix string
	kind   state.Kind
}{
	{"qrouter-", state.Routers},
	{"snat-", state.Routers},
	{"fip-", state.Networks},
	{"qdhcp-", state.Networks},
}

// GetNamespace implements DiagnosticsService.
func (s *Server) GetNamespace(ctx context.Context, req *weftv1.GetNamespaceRequest) (*weftv1.GetNamespaceResponse, error) {
	snap := s.sight().Snapshot
	h, err := named(snap, state.Hosts, "host", req.Host)
	if err != nil {
		return nil, s.refuse(err)
	}
	name, err := namespaceName(snap, req.Namespace)
	if err != nil {
		return nil, s.refuse(err)
	}
	host := state.Key(h)
	ns, err := s.cfg.Fleet.Namespace(ctx, host, name)
	if err != nil {
		return nil, s.refuse(switchError(ctx, err))
	}
	if len(ns.Lines) == 0 {
		return nil, status.Errorf(codes.NotFound, "%s has no namespace %s, and should have none; weft where tells which hosts have it", host, name)
	}
	res := &weftv1.GetNamespaceResponse{Host: host, Namespace: name}
	for _, l := range ns.Lines {
		res.Lines = append(res.Lines, &weftv1.NamespaceLine{Section: l.Section, Text: l.Text, State: l.State})
	}
	return res, nil
}

// namespaceName is the whole name of a namespace, in which the id of the router or network may be abbreviated, or be its
// name. One that belongs to an object that is gone must be written out.
func namespaceName(s state.Snapshot, name string) (string, error) {
	for _, n := range namespaces {
		ref, ok := strings.CutPrefix(name, n.prefix)
		if !ok {
			continue
		}
		if id, err := uuid.Parse(ref); err == nil {
			return n.prefix + id.String(), nil
		}
		obj, err := find(s, n.kind, ref, nil)
		var missing *errNoSuch
		switch {
		case errors.As(err, &missing) && ref == "":
			return "", invalid("namespace", "%q lacks the id of what it belongs to", name)
		case err != nil:
			return "", err
		}
		return n.prefix + state.Key(obj), nil
	}
	return "", invalid("namespace", "%q is no namespace of ours: write qrouter-, snat-, fip- or qdhcp- and an id or a name", name)
}
