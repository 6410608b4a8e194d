package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// ListFlows implements DiagnosticsService.
func (s *Server) ListFlows(ctx context.Context, req *weftv1.ListFlowsRequest) (*weftv1.ListFlowsResponse, error) {
	sight := s.sight()
	of, host, err := flowsOf(sight, req)
	if err != nil {
		return nil, s.refuse(err)
	}
	bridges, err := s.bridges(host, req.Bridge)
	if err != nil {
		return nil, s.refuse(err)
	}
	wanted, err := s.tableFilter(req.Table, bridges)
	if err != nil {
		return nil, s.refuse(err)
	}
	owners := s.owners(sight.Snapshot)
	res := &weftv1.ListFlowsResponse{}
	for _, bridge := range bridges {
		rows, err := s.cfg.Fleet.Flows(ctx, host, bridge)
		if err != nil {
			return nil, s.refuse(switchError(ctx, err))
		}
		for _, r := range rows {
			t := s.table(bridge, r.Table)
			if !wanted(r.Table, t) || of != nil && !of[r.Cookie] {
				continue
			}
			f := &weftv1.Flow{Text: r.Text, Table: uint32(r.Table), Cookie: r.Cookie, Packets: r.Packets, Bytes: r.Bytes,
				Owner: owners.one(r.Cookie), Age: durationpb.New(r.Duration), Bridge: bridge}
			if t != nil {
				f.TableName = t.Name
			}
			res.Flows = append(res.Flows, f)
		}
	}
	return res, nil
}

// switchError says that a switch could not be asked.
func switchError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return status.Error(codes.Unavailable, err.Error())
}

// flowsOf finds the cookies of the object and the host that a request is about; no cookies are asked for when all rows are.
func flowsOf(s *sight, req *weftv1.ListFlowsRequest) (cookies map[uint64]bool, host string, err error) {
	var hosts []string
	var object any
	kind := state.Kind("")
	for _, o := range []struct {
		kind state.Kind
		ref  string
	}{{state.Ports, req.Port}, {state.Routers, req.Router}, {state.Networks, req.Network}} {
		if o.ref == "" {
			continue
		}
		if kind != "" {
			return nil, "", invalid(store.Singular(o.kind), "is given beside %s; give one of them", store.Singular(kind))
		}
		kind = o.kind
		if object, err = find(s.Snapshot, o.kind, o.ref, nil); err != nil {
			return nil, "", err
		}
	}
	switch o := object.(type) {
	case *model.Port:
		cookies = map[uint64]bool{flow.Cookie(flow.PortCookie, o.ID): true}
		if b := s.Binding(o.ID); b != nil {
			hosts = []string{b.Host}
		}
	case *model.Router:
		cookies = map[uint64]bool{flow.Cookie(flow.RouterCookie, o.ID): true}
		for p := range s.PortsOfDevice(o.ID) {
			cookies[flow.Cookie(flow.PortCookie, p.ID)] = true
		}
		for _, at := range routerSpots(s.Snapshot, o) {
			if at.host != "" && !slices.Contains(hosts, at.host) {
				hosts = append(hosts, at.host)
			}
		}
	case *model.Network:
		cookies = map[uint64]bool{flow.Cookie(flow.NetworkCookie, o.ID): true, flow.Cookie(flow.LearnedCookie, o.ID): true}
		for sub := range s.SubnetsOf(o.ID) {
			cookies[flow.Cookie(flow.SubnetCookie, sub.ID)] = true
		}
		for p := range s.PortsOf(o.ID) {
			cookies[flow.Cookie(flow.PortCookie, p.ID)] = true
		}
		for v := range s.LocalVLANsOf(o.ID) {
			hosts = append(hosts, v.Host)
		}
	}
	if req.Host != "" {
		h, err := find(s.Snapshot, state.Hosts, req.Host, nil)
		if err != nil {
			return nil, "", err
		}
		return cookies, state.Key(h), nil
	}
	switch {
	case object == nil:
		return nil, "", invalid("host", "is missing; give a host, or a port, router or network that is on one")
	case len(hosts) == 0:
		return nil, "", invalid("host", "is missing, and %s is on no host", refTo(kind, object))
	case len(hosts) > 1:
		return nil, "", invalid("host", "is missing, and %s is on %s; give one of them", refTo(kind, object), several(hosts))
	}
	return cookies, hosts[0], nil
}

// bridges are the bridges of a host that are asked for: one, or all when bridge is empty.
func (s *Server) bridges(host, bridge string) ([]string, error) {
	var names []string
	for _, b := range s.cfg.Fleet.Host(host).Bridges {
		names = append(names, b.Name)
	}
	switch {
	case len(names) == 0:
		return nil, status.Errorf(codes.Unavailable, "host %s: no bridge is known: its agent has not connected since this controller started", host)
	case bridge == "":
		return names, nil
	case !slices.Contains(names, bridge):
		return nil, invalid("bridge", "%s has no bridge %q of ours%s; it has %s", host, bridge, didYouMean(bridge, names), strings.Join(names, ", "))
	}
	return []string{bridge}, nil
}

// table is the declaration of a bridge's table, or nil.
func (s *Server) table(bridge string, id uint8) *flow.Table {
	for _, t := range s.cfg.Tables(roleOf(bridge)) {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// tableFilter says which tables are meant by a number or a name; all when it is empty.
func (s *Server) tableFilter(name string, bridges []string) (func(id uint8, t *flow.Table) bool, error) {
	if name == "" {
		return func(uint8, *flow.Table) bool { return true }, nil
	}
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		return func(id uint8, _ *flow.Table) bool { return uint64(id) == n }, nil
	} else if errors.Is(err, strconv.ErrRange) {
		return nil, invalid("table", "%s is not in 0..255", name)
	}
	var names []string
	for _, b := range bridges {
		for _, t := range s.cfg.Tables(roleOf(b)) {
			if strings.EqualFold(t.Name, name) {
				return func(_ uint8, t *flow.Table) bool { return t != nil && strings.EqualFold(t.Name, name) }, nil
			}
			names = append(names, t.Name)
		}
	}
	return nil, invalid("table", "%q is no table of %s%s; there are %s", name, strings.Join(bridges, ", "), didYouMean(name, names), strings.Join(names, ", "))
}
