package api

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var networks = &resource[model.Network, *weftv1.Network]{
	kind:   state.Networks,
	fields: writable("network", (*weftv1.Network)(nil).ProtoReflect().Descriptor()),
	spell: func(n *model.Network) *weftv1.Network {
		return &weftv1.Network{
			Metadata:                spellMeta(&n.Meta),
			AdminStateUp:            proto.Bool(n.AdminStateUp),
			Mtu:                     int32(n.MTU),
			ProviderNetworkType:     n.Type,
			ProviderPhysicalNetwork: n.PhysicalNetwork,
			ProviderSegmentationId:  n.SegmentID,
			L2Population:            proto.Bool(n.L2Population),
			RouterExternal:          proto.Bool(n.RouterExternal),
			PortSecurityEnabled:     proto.Bool(n.PortSecurityEnabled),
			QosPolicyId:             n.QoSPolicyID,
		}
	},
	read: func(r *reading, in *weftv1.Network) *model.Network {
		return &model.Network{
			Meta:            r.meta(in.Metadata),
			AdminStateUp:    unset(in.AdminStateUp, true),
			MTU:             int(in.Mtu),
			Type:            in.ProviderNetworkType,
			PhysicalNetwork: in.ProviderPhysicalNetwork,
			SegmentID:       in.ProviderSegmentationId,
			L2Population:    unset(in.L2Population, true),
			RouterExternal:  unset(in.RouterExternal, false),

			PortSecurityEnabled: unset(in.PortSecurityEnabled, defaultPortSecurity),
			QoSPolicyID:         r.groupRef("qos_policy_id", state.QoSPolicies, in.QosPolicyId, in.GetMetadata().GetProjectId()),
		}
	},
	status: networkStatus,
	scope: func(_ *reading, in *weftv1.Network) func(any) bool {
		project := cmp.Or(in.GetMetadata().GetProjectId(), defaultProject)
		return func(obj any) bool { return projectOf(obj) == project }
	},
	chooses: func(in *weftv1.Network) bool { return in.ProviderSegmentationId == 0 },
	create:  (*store.Tx).CreateNetwork,
	update:  (*store.Tx).UpdateNetwork,
	remove:  (*store.Tx).DeleteNetwork,
}

// unset is the value of an optional field, or what it is when it is not set.
func unset[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func projectOf(obj any) string { return cmp.Or(metaOf(obj).ProjectID, defaultProject) }

// networkStatus tells where the network is, and whether its packets can travel between these places.
func networkStatus(s *sight, n *model.Network, p *weftv1.Network) {
	st := &weftv1.NetworkStatus{Status: "ACTIVE"}
	if !n.AdminStateUp {
		st.Status = "DOWN"
	}
	var lacking []string
	for v := range s.LocalVLANsOf(n.ID) {
		st.LocalVlans = append(st.LocalVlans, &weftv1.LocalVlan{Host: v.Host, Vlan: uint32(v.VLAN)})
		tunnelIP, mappings := inForce(s.Host(v.Host), s.HostFacts(v.Host))
		if model.Tunnelled(n.Type) && !tunnelIP.IsValid() || !model.Tunnelled(n.Type) && mappings[n.PhysicalNetwork] == "" {
			lacking = append(lacking, v.Host)
		}
	}
	slices.SortFunc(st.LocalVlans, func(a, b *weftv1.LocalVlan) int { return strings.Compare(a.Host, b.Host) })
	slices.Sort(lacking)
	c := &weftv1.Condition{Type: "Underlay", Status: conditionTrue, Reason: "Complete", Message: "every host that carries it can send it to the others"}
	switch {
	case len(st.LocalVlans) == 0:
		c.Status, c.Reason, c.Message = conditionUnknown, "NoHosts", "no host carries it yet; that begins with its first bound port"
	case len(lacking) > 0 && model.Tunnelled(n.Type):
		c.Status, c.Reason = conditionFalse, "NoTunnelIP"
		c.Message = fmt.Sprintf("no tunnel address on %s: set tunnel_ip on the host, or let its agent report one", strings.Join(lacking, ", "))
	case len(lacking) > 0:
		c.Status, c.Reason = conditionFalse, "NoBridgeMapping"
		c.Message = fmt.Sprintf("no bridge leads to %s on %s: add it to the host's bridge_mappings", n.PhysicalNetwork, strings.Join(lacking, ", "))
	}
	st.Conditions = []*weftv1.Condition{c}
	if d := dhcpCondition(s, n); d != nil {
		st.Conditions = append(st.Conditions, d)
	}
	p.Status = st
}

// dhcpCondition tells whether the network's ports get their addresses by DHCP; nil when nobody asked for that.
func dhcpCondition(s *sight, n *model.Network) *weftv1.Condition {
	if !wantsDHCP(s.Snapshot, n) {
		return nil
	}
	spots := dhcpSpots(s.Snapshot, n)
	if len(spots) == 0 {
		return &weftv1.Condition{Type: "DHCP", Status: conditionFalse, Reason: "NoHost", Message: noHost(s.Snapshot, needs(n))}
	}
	c, _ := s.programmedOn(spots)
	c.Type = "DHCP"
	if c.Status == conditionTrue {
		c.Reason = "Served"
	}
	return c
}

// wantsDHCP says whether ports of the network are served by DHCP.
func wantsDHCP(s state.Snapshot, n *model.Network) bool {
	for sub := range s.SubnetsOf(n.ID) {
		if sub.EnableDHCP {
			return true
		}
	}
	return false
}

// needs are the physical networks that a host must lead to which has a namespace on the network.
func needs(n *model.Network) []string {
	if n.PhysicalNetwork == "" {
		return nil
	}
	return []string{n.PhysicalNetwork}
}

// dhcpSpots are the network's DHCP namespaces.
func dhcpSpots(s state.Snapshot, n *model.Network) []spot {
	var spots []spot
	for p := range s.PortsOwned(n.ID, model.OwnerDHCP) {
		spots = append(spots, spot{host: p.BindingHostID, what: "qdhcp-" + n.ID, revision: n.Revision, bound: []string{p.ID},
			resources: []string{"dhcp/" + n.ID}, why: fmt.Sprintf("a DHCP server of the network is there, with %s", addressesOf(p))})
	}
	return spots
}

// addressesOf lists a port's addresses for people.
func addressesOf(p *model.Port) string {
	var ips []string
	for _, f := range p.FixedIPs {
		ips = append(ips, f.IP.String())
	}
	return strings.Join(ips, ", ")
}

// CreateNetwork implements NetworkService.
func (s *Server) CreateNetwork(ctx context.Context, req *weftv1.CreateNetworkRequest) (*weftv1.Network, error) {
	return create(ctx, s, networks, req.Network, req.ValidateOnly)
}

// GetNetwork implements NetworkService.
func (s *Server) GetNetwork(_ context.Context, req *weftv1.GetNetworkRequest) (*weftv1.Network, error) {
	return get(s, networks, req.Id)
}

// ListNetworks implements NetworkService.
func (s *Server) ListNetworks(_ context.Context, req *weftv1.ListNetworksRequest) (*weftv1.ListNetworksResponse, error) {
	return list(s, networks, req, func(snap state.Snapshot) (iter.Seq[*model.Network], error) {
		return snap.Networks(), nil
	}, func(page []*weftv1.Network, next string, rev int64) *weftv1.ListNetworksResponse {
		return &weftv1.ListNetworksResponse{Networks: page, NextPageToken: next, Revision: rev}
	})
}

// UpdateNetwork implements NetworkService.
func (s *Server) UpdateNetwork(ctx context.Context, req *weftv1.UpdateNetworkRequest) (*weftv1.Network, error) {
	return update(ctx, s, networks, req.Network, req)
}

// DeleteNetwork implements NetworkService.
func (s *Server) DeleteNetwork(ctx context.Context, req *weftv1.DeleteNetworkRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, networks, req)
}
