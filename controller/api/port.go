package api

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var ports = &resource[model.Port, *weftv1.Port]{
	kind:   state.Ports,
	fields: writable("port", (*weftv1.Port)(nil).ProtoReflect().Descriptor()),
	spell:  spellPort,
	read:   readPort,
	status: portStatus,
	scope: func(r *reading, in *weftv1.Port) func(any) bool {
		return inNetwork(r.Snapshot, in.NetworkId)
	},
	chooses: func(in *weftv1.Port) bool {
		return len(in.FixedIps) == 0 || slices.ContainsFunc(in.FixedIps, func(f *weftv1.FixedIP) bool { return f.GetIpAddress() == "" })
	},
	create: (*store.Tx).CreatePort,
	update: (*store.Tx).UpdatePort,
	remove: (*store.Tx).DeletePort,
}

func spellPort(p *model.Port) *weftv1.Port {
	out := &weftv1.Port{
		Metadata:      spellMeta(&p.Meta),
		NetworkId:     p.NetworkID,
		MacAddress:    p.MAC.String(),
		DeviceId:      p.DeviceID,
		DeviceOwner:   p.DeviceOwner,
		AdminStateUp:  proto.Bool(p.AdminStateUp),
		BindingHostId: p.BindingHostID,

		PortSecurityEnabled: proto.Bool(p.PortSecurityEnabled),
		SecurityGroups:      p.SecurityGroups,
		QosPolicyId:         p.QoSPolicyID,
	}
	for _, f := range p.FixedIPs {
		out.FixedIps = append(out.FixedIps, &weftv1.FixedIP{SubnetId: f.SubnetID, IpAddress: f.IP.String()})
	}
	for _, a := range p.AllowedAddressPairs {
		pair := &weftv1.AddressPair{IpAddress: a.IP.String()}
		if a.IP.IsSingleIP() {
			pair.IpAddress = a.IP.Addr().String()
		}
		if !a.MAC.IsZero() {
			pair.MacAddress = a.MAC.String()
		}
		out.AllowedAddressPairs = append(out.AllowedAddressPairs, pair)
	}
	for _, o := range p.ExtraDHCPOpts {
		out.ExtraDhcpOpts = append(out.ExtraDhcpOpts, &weftv1.DHCPOption{OptName: o.Name, OptValue: o.Value, IpVersion: int32(o.IPVersion)})
	}
	if i := p.Instance; i != nil {
		out.Instance = &weftv1.Instance{Hostname: i.Hostname, UserData: i.UserData, PublicKeys: i.PublicKeys, Meta: i.Meta}
	}
	return out
}

func readPort(r *reading, in *weftv1.Port) *model.Port {
	p := &model.Port{
		Meta:          r.meta(in.Metadata),
		NetworkID:     r.ref("network_id", state.Networks, in.NetworkId, nil),
		MAC:           r.mac("mac_address", in.MacAddress),
		DeviceID:      in.DeviceId,
		DeviceOwner:   in.DeviceOwner,
		AdminStateUp:  unset(in.AdminStateUp, true),
		BindingHostID: r.ref("binding_host_id", state.Hosts, in.BindingHostId, nil),
	}
	// Subnets may be named as they are called on the port's network.
	var here func(any) bool
	if p.NetworkID != "" {
		here = func(obj any) bool { return networkOf(obj) == p.NetworkID }
	}
	for i, f := range atMost(r, "fixed_ips", in.FixedIps) {
		p.FixedIPs = append(p.FixedIPs, model.FixedIP{
			SubnetID: r.ref(item("fixed_ips", i, "subnet_id"), state.Subnets, f.GetSubnetId(), here),
			IP:       r.addr(item("fixed_ips", i, "ip_address"), f.GetIpAddress()),
		})
	}
	if len(in.FixedIps) == 0 && slices.Contains(r.named, "fixed_ips") {
		p.FixedIPs = []model.FixedIP{}
	}
	for i, a := range atMost(r, "allowed_address_pairs", in.AllowedAddressPairs) {
		p.AllowedAddressPairs = append(p.AllowedAddressPairs, model.AddressPair{
			IP:  r.addrOrPrefix(item("allowed_address_pairs", i, "ip_address"), a.GetIpAddress()),
			MAC: r.mac(item("allowed_address_pairs", i, "mac_address"), a.GetMacAddress()),
		})
	}
	for i, o := range atMost(r, "extra_dhcp_opts", in.ExtraDhcpOpts) {
		if v := o.GetIpVersion(); v != 0 && v != 4 && v != 6 {
			r.add(item("extra_dhcp_opts", i, "ip_version"), "%d is neither 4 nor 6; leave it out for 4", v)
		}
		p.ExtraDHCPOpts = append(p.ExtraDHCPOpts, model.DHCPOption{Name: o.GetOptName(), Value: o.GetOptValue(),
			IPVersion: int(cmp.Or(o.GetIpVersion(), 4))})
	}
	p.Instance = readInstance(in.Instance)
	p.QoSPolicyID = r.groupRef("qos_policy_id", state.QoSPolicies, in.QosPolicyId, in.GetMetadata().GetProjectId())
	readSecurity(r, in, p)
	return p
}

// readSecurity leaves the groups nil when nobody says which.
func readSecurity(r *reading, in *weftv1.Port, p *model.Port) {
	otherwise := false
	if n := r.Network(p.NetworkID); n != nil && !model.OwnedByWeft(in.DeviceOwner) {
		otherwise = n.PortSecurityEnabled
	}
	p.PortSecurityEnabled = unset(in.PortSecurityEnabled, otherwise)
	for i, g := range atMost(r, "security_groups", in.SecurityGroups) {
		if g == "" {
			r.add(entry("security_groups", i), "is empty; give an id or a name")
			continue
		}
		if id := r.groupRef(entry("security_groups", i), state.SecurityGroups, g, in.GetMetadata().GetProjectId()); id != "" {
			p.SecurityGroups = append(p.SecurityGroups, id)
		}
	}
	if len(in.SecurityGroups) == 0 && slices.Contains(r.named, "security_groups") {
		p.SecurityGroups = []string{}
	}
}

// readInstance is nil for one that says nothing.
func readInstance(in *weftv1.Instance) *model.Instance {
	if in.GetHostname() == "" && len(in.GetUserData()) == 0 && len(in.GetPublicKeys()) == 0 && len(in.GetMeta()) == 0 {
		return nil
	}
	return &model.Instance{Hostname: in.GetHostname(), UserData: in.GetUserData(), PublicKeys: in.GetPublicKeys(), Meta: in.GetMeta()}
}

// maxItems is how many items a list in an object may have; every one of them costs time inside a transaction.
const maxItems = 256

func atMost[T any](r *reading, field string, items []T) []T {
	if len(items) <= maxItems {
		return items
	}
	r.add(field, "has %d items; at most %d are allowed", len(items), maxItems)
	return nil
}

// item is the path of a field in a list's item: fixed_ips[1].ip_address.
func item(list string, i int, name string) string { return fmt.Sprintf("%s[%d].%s", list, i, name) }

// CreatePort implements PortService.
func (s *Server) CreatePort(ctx context.Context, req *weftv1.CreatePortRequest) (*weftv1.Port, error) {
	return createMasked(ctx, s, ports, req.Port, req.CreateMask.GetPaths(), req.ValidateOnly)
}

// GetPort implements PortService.
func (s *Server) GetPort(_ context.Context, req *weftv1.GetPortRequest) (*weftv1.Port, error) {
	return get(s, ports, req.Id)
}

// ListPorts implements PortService.
func (s *Server) ListPorts(_ context.Context, req *weftv1.ListPortsRequest) (*weftv1.ListPortsResponse, error) {
	return list(s, ports, req, func(snap state.Snapshot) (iter.Seq[*model.Port], error) {
		return portsLike(snap, req)
	}, func(page []*weftv1.Port, next string, rev int64) *weftv1.ListPortsResponse {
		return &weftv1.ListPortsResponse{Ports: page, NextPageToken: next, Revision: rev}
	})
}

// portsLike are the ports that all filters of a request hold for, in order of id. It goes through the smallest index
// that fits.
func portsLike(snap state.Snapshot, req *weftv1.ListPortsRequest) (iter.Seq[*model.Port], error) {
	var network, host string
	if req.NetworkId != "" {
		n, err := find(snap, state.Networks, req.NetworkId, nil)
		if err != nil {
			return nil, err
		}
		network = state.Key(n)
	}
	var onHost map[string]*model.Port
	if req.Host != "" {
		h, err := find(snap, state.Hosts, req.Host, nil)
		if err != nil {
			return nil, err
		}
		host = state.Key(h)
		onHost = map[string]*model.Port{}
		for p := range snap.PortsWantedOn(host) {
			onHost[p.ID] = p
		}
		for b := range snap.BindingsOn(host) {
			onHost[b.PortID] = snap.Port(b.PortID)
		}
	}
	group, err := groupFilter(snap, state.SecurityGroups, req.SecurityGroupId, "")
	if err != nil {
		return nil, err
	}
	qos, err := groupFilter(snap, state.QoSPolicies, req.QosPolicyId, "")
	if err != nil {
		return nil, err
	}
	all := snap.Ports()
	switch {
	case group != "":
		all = snap.PortsSecuredBy(group)
	case qos != "":
		all = snap.PortsWithQoS(qos)
	case req.DeviceId != "":
		all = snap.PortsOfDevice(req.DeviceId)
	case onHost != nil:
		all = inOrder(onHost)
	case network != "":
		all = snap.PortsOf(network)
		if req.DeviceOwner != "" {
			all = snap.PortsOwned(network, req.DeviceOwner)
		}
	}
	return func(yield func(*model.Port) bool) {
		for p := range all {
			if req.DeviceId != "" && p.DeviceID != req.DeviceId || network != "" && p.NetworkID != network || onHost != nil && onHost[p.ID] == nil ||
				req.DeviceOwner != "" && p.DeviceOwner != req.DeviceOwner || qos != "" && p.QoSPolicyID != qos {
				continue
			}
			if !yield(p) {
				return
			}
		}
	}, nil
}

func inOrder[T any](m map[string]T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(m[k]) {
				return
			}
		}
	}
}

// UpdatePort implements PortService.
func (s *Server) UpdatePort(ctx context.Context, req *weftv1.UpdatePortRequest) (*weftv1.Port, error) {
	return update(ctx, s, ports, req.Port, req)
}

// DeletePort implements PortService.
func (s *Server) DeletePort(ctx context.Context, req *weftv1.DeletePortRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, ports, req)
}
