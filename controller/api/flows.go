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
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// ListFlows implements DiagnosticsService.
func (s *Server) ListFlows(ctx context.Context, req *weftv1.ListFlowsRequest) (*weftv1.ListFlowsResponse, error) {
	sight := s.sight()
	port, host, err := flowsOf(sight, req)
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
			if !wanted(r.Table, t) || port != nil && r.Cookie != flow.Cookie(flow.PortCookie, port.ID) {
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

// flowsOf finds the port and the host that a request is about; the port is nil when all rows are asked for.
func flowsOf(s *sight, req *weftv1.ListFlowsRequest) (port *model.Port, host string, err error) {
	if req.Port != "" {
		obj, err := find(s.Snapshot, state.Ports, req.Port, nil)
		if err != nil {
			return nil, "", err
		}
		port = obj.(*model.Port)
	}
	if req.Host != "" {
		h, err := find(s.Snapshot, state.Hosts, req.Host, nil)
		if err != nil {
			return nil, "", err
		}
		return port, state.Key(h), nil
	}
	if port == nil {
		return nil, "", invalid("host", "is missing; give a host, or a port that is bound to one")
	}
	b := s.Binding(port.ID)
	if b == nil {
		return nil, "", invalid("host", "is missing, and %s is not bound to one", refTo(state.Ports, port))
	}
	return port, b.Host, nil
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
