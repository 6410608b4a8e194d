package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// ListInterfaces implements DiagnosticsService.
func (s *Server) ListInterfaces(_ context.Context, req *weftv1.ListInterfacesRequest) (*weftv1.ListInterfacesResponse, error) {
	sight := s.sight()
	all := sight.Interfaces()
	if req.Host != "" {
		h, err := find(sight.Snapshot, state.Hosts, req.Host, nil)
		if err != nil {
			return nil, s.refuse(err)
		}
		all = sight.InterfacesOf(state.Key(h))
	}
	res := &weftv1.ListInterfacesResponse{}
	for i := range all {
		out := &weftv1.Interface{Host: i.Host, Name: i.Name, Ofport: i.OFPort, IfaceId: i.IfaceID, AttachedMac: i.AttachedMAC}
		for _, p := range meant(sight.Snapshot, i) {
			if b := sight.Binding(p.ID); b != nil && b.Host == i.Host && b.Interface == i.Name {
				out.PortId = p.ID
			}
		}
		if p := copied(sight.Snapshot, i); p != nil {
			out.PortId = p.ID
		}
		if out.PortId != "" && req.Unbound {
			continue
		}
		if out.PortId == "" {
			out.Message = unclaimed(sight, i)
		}
		res.Interfaces = append(res.Interfaces, out)
	}
	return res, nil
}

// copied is the port of a distributed router whose device on a host the interface is: it is there without being bound. Nil:
// it is no such thing.
func copied(s state.Snapshot, i *model.Interface) *model.Port {
	p := s.Port(i.IfaceID)
	if p == nil || p.DeviceOwner != model.OwnerDistributedInterface || i.Name != view.TapName(p.ID) || s.RouterHost(p.DeviceID, i.Host) == nil {
		return nil
	}
	return p
}

// meant are the ports that an interface can be for: the one that its iface-id names, and when there is none those with
// its attached-mac.
func meant(s state.Snapshot, i *model.Interface) []*model.Port {
	if p := s.Port(i.IfaceID); p != nil {
		return []*model.Port{p}
	}
	mac, err := model.ParseMAC(i.AttachedMAC)
	if err != nil {
		return nil
	}
	return slices.Collect(s.PortsByAttachedMAC(mac))
}

// unclaimed says why an interface carries no port, and what would bind it.
func unclaimed(s *sight, i *model.Interface) string {
	ports := meant(s.Snapshot, i)
	if len(ports) == 0 {
		return stranger(i)
	}
	p := ports[0]
	if o := obstacleTo(s, i, p); o.reason != "" {
		return o.message
	}
	if st := s.PortState(p.ID); st != nil && st.Status == model.PortError {
		return fmt.Sprintf("%s cannot be bound: %s", refTo(state.Ports, p), st.Message)
	}
	if b := s.Binding(p.ID); b != nil {
		how := "an interface that appeared later"
		if b.BoundBy == model.BoundByIfaceID && i.IfaceID != p.ID {
			how = "an interface that has its id as iface-id"
		}
		return fmt.Sprintf("%s is bound to %s of %s, %s: unplug one of the two", refTo(state.Ports, p), b.Interface, b.Host, how)
	}
	return fmt.Sprintf("%s is not bound yet", refTo(state.Ports, p))
}

// stranger says what an interface lacks that means no port.
func stranger(i *model.Interface) string {
	var why []string
	switch _, err := uuid.Parse(i.IfaceID); {
	case i.IfaceID == "":
		why = append(why, "it has no iface-id")
	case err != nil:
		why = append(why, fmt.Sprintf("its iface-id %q is not the id of a port", i.IfaceID))
	default:
		why = append(why, fmt.Sprintf("no port has the id %s", i.IfaceID))
	}
	switch _, err := model.ParseMAC(i.AttachedMAC); {
	case i.AttachedMAC == "":
	case err != nil:
		why = append(why, fmt.Sprintf("its attached-mac %q is not a MAC", i.AttachedMAC))
	default:
		why = append(why, "no port has the MAC "+i.AttachedMAC)
	}
	return fmt.Sprintf("%s: create such a port, or ovs-vsctl set Interface %s external_ids:iface-id=PORT_ID", strings.Join(why, ", and "), i.Name)
}
