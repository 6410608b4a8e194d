package api

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var portForwardings = &resource[model.PortForwarding, *weftv1.PortForwarding]{
	kind:   state.PortForwardings,
	fields: writable("portforwarding", (*weftv1.PortForwarding)(nil).ProtoReflect().Descriptor()),
	spell:  spellPortForwarding,
	read:   readPortForwarding,
	status: portForwardingStatus,
	scope: func(rd *reading, in *weftv1.PortForwarding) func(any) bool {
		f, err := find(rd.Snapshot, state.FloatingIPs, in.FloatingipId, nil)
		if in.FloatingipId == "" {
			return nil
		}
		return func(obj any) bool { return err == nil && obj.(*model.PortForwarding).FloatingIPID == state.Key(f) }
	},
	same:   samePortForwarding,
	create: (*store.Tx).CreatePortForwarding,
	update: (*store.Tx).UpdatePortForwarding,
	remove: (*store.Tx).DeletePortForwarding,
}

// samePortForwarding finds the one with the same ports of the same floating IP.
func samePortForwarding(rd *reading, in *weftv1.PortForwarding) (any, bool) {
	try := &reading{Snapshot: rd.Snapshot}
	ports := try.portRange("external_port", in.ExternalPort, in.ExternalPortRange)
	if in.FloatingipId == "" || in.Protocol == "" || try.failed() {
		return nil, false
	}
	f, err := find(rd.Snapshot, state.FloatingIPs, in.FloatingipId, nil)
	if err != nil {
		return nil, true
	}
	for pf := range rd.PortForwardingsOf(state.Key(f)) {
		if pf.Protocol == in.Protocol && pf.External == ports {
			return pf, true
		}
	}
	return nil, true
}

func spellPortForwarding(f *model.PortForwarding) *weftv1.PortForwarding {
	p := &weftv1.PortForwarding{
		Metadata:          spellMeta(&f.Meta),
		FloatingipId:      f.FloatingIPID,
		Protocol:          f.Protocol,
		InternalPortId:    f.InternalPortID,
		InternalIpAddress: spellAddr(f.InternalIP),
	}
	p.ExternalPort, p.ExternalPortRange = spellPorts(f.External)
	p.InternalPort, p.InternalPortRange = spellPorts(f.Internal)
	return p
}

// spellPorts is one port, or a range of several.
func spellPorts(r model.PortRange) (one uint32, several string) {
	if r.First == r.Last {
		return uint32(r.First), ""
	}
	return 0, fmt.Sprintf("%d:%d", r.First, r.Last)
}

func readPortForwarding(r *reading, in *weftv1.PortForwarding) *model.PortForwarding {
	return &model.PortForwarding{
		Meta:           r.meta(in.Metadata),
		FloatingIPID:   r.ref("floatingip_id", state.FloatingIPs, in.FloatingipId, nil),
		Protocol:       strings.ToLower(in.Protocol),
		External:       r.portRange("external_port", in.ExternalPort, in.ExternalPortRange),
		Internal:       r.portRange("internal_port", in.InternalPort, in.InternalPortRange),
		InternalPortID: r.ref("internal_port_id", state.Ports, in.InternalPortId, nil),
		InternalIP:     r.addr("internal_ip_address", in.InternalIpAddress),
	}
}

// portRange reads ports that are given as one port or as a range: whichever of the two fields the request speaks of.
func (r *reading) portRange(field string, one uint32, several string) (ports model.PortRange) {
	rangeField := field + "_range"
	defer func() {
		if ports == (model.PortRange{}) {
			r.silent = append(r.silent, field, rangeField) // whichever has been told
		}
	}()
	if one != 0 && several != "" {
		switch speaksOfOne, speaksOfRange := r.speaksOf(field), r.speaksOf(rangeField); {
		case speaksOfOne && !speaksOfRange:
			several = ""
		case speaksOfRange && !speaksOfOne:
			one = 0
		default:
			r.add(rangeField, "is given beside %s; give one of them", field)
			return model.PortRange{}
		}
	}
	switch {
	case one > math.MaxUint16:
		r.add(field, "%d is not a port: it is not in 1..65535", one)
	case one != 0:
		return model.PortRange{First: uint16(one), Last: uint16(one)}
	case several == "":
		r.add(field, "is missing; give %s, or %s as FIRST:LAST", field, rangeField)
	default:
		ports, err := parsePorts(several)
		if err != nil {
			r.add(rangeField, "%v", err)
		}
		return ports
	}
	return model.PortRange{}
}

// parsePorts reads "8000:8010", or one port.
func parsePorts(s string) (model.PortRange, error) {
	from, to, ranged := strings.Cut(s, ":")
	if !ranged {
		to = from
	}
	first, err1 := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	switch {
	case err1 != nil || err2 != nil || first == 0 || last == 0:
		return model.PortRange{}, fmt.Errorf("%q is not a range of ports: write FIRST:LAST, both in 1..65535, e.g. 8000:8010", s)
	case last < first:
		return model.PortRange{}, fmt.Errorf("%s is reversed; write %d:%d", s, last, first)
	}
	return model.PortRange{First: uint16(first), Last: uint16(last)}, nil
}

// CreatePortForwarding implements PortForwardingService.
func (s *Server) CreatePortForwarding(ctx context.Context, req *weftv1.CreatePortForwardingRequest) (*weftv1.PortForwarding, error) {
	return create(ctx, s, portForwardings, req.Portforwarding, req.ValidateOnly)
}

// GetPortForwarding implements PortForwardingService.
func (s *Server) GetPortForwarding(_ context.Context, req *weftv1.GetPortForwardingRequest) (*weftv1.PortForwarding, error) {
	return get(s, portForwardings, req.Id)
}

// ListPortForwardings implements PortForwardingService.
func (s *Server) ListPortForwardings(_ context.Context, req *weftv1.ListPortForwardingsRequest) (*weftv1.ListPortForwardingsResponse, error) {
	return list(s, portForwardings, req, func(snap state.Snapshot) (iter.Seq[*model.PortForwarding], error) {
		floatingIP, err := filterKey(snap, state.FloatingIPs, req.FloatingipId)
		if err != nil {
			return nil, err
		}
		port, err := filterKey(snap, state.Ports, req.InternalPortId)
		if err != nil {
			return nil, err
		}
		switch {
		case port != "":
			return func(yield func(*model.PortForwarding) bool) {
				for f := range snap.PortForwardingsTo(port) {
					if (floatingIP == "" || f.FloatingIPID == floatingIP) && !yield(f) {
						return
					}
				}
			}, nil
		case floatingIP != "":
			return snap.PortForwardingsOf(floatingIP), nil
		}
		return snap.PortForwardings(), nil
	}, func(page []*weftv1.PortForwarding, next string, rev int64) *weftv1.ListPortForwardingsResponse {
		return &weftv1.ListPortForwardingsResponse{Portforwardings: page, NextPageToken: next, Revision: rev}
	})
}

// UpdatePortForwarding implements PortForwardingService.
func (s *Server) UpdatePortForwarding(ctx context.Context, req *weftv1.UpdatePortForwardingRequest) (*weftv1.PortForwarding, error) {
	return update(ctx, s, portForwardings, req.Portforwarding, req)
}

// DeletePortForwarding implements PortForwardingService.
func (s *Server) DeletePortForwarding(ctx context.Context, req *weftv1.DeletePortForwardingRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, portForwardings, req)
}
