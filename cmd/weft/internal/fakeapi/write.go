package fakeapi

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// violation is one wrong field.
func violation(field, text string) *errdetails.BadRequest_FieldViolation {
	return &errdetails.BadRequest_FieldViolation{Field: field, Description: text}
}

func invalid(v ...*errdetails.BadRequest_FieldViolation) error {
	return detailed(codes.InvalidArgument, "some fields are wrong", &errdetails.BadRequest{FieldViolations: v})
}

func detailed(code codes.Code, text string, d ...protoadapt.MessageV1) error {
	st, err := status.New(code, text).WithDetails(d...)
	if err != nil {
		panic(err)
	}
	return st.Err()
}

func outOfRange(rev int64) error {
	return status.Errorf(codes.OutOfRange, "revision %d is older than the history kept: list again", rev)
}

// find resolves an id, id prefix or name, and the address of a floating IP.
func find(o objects, k *kind.Kind, ref string) (kind.Message, error) {
	if m := o[k.Name][ref]; m != nil {
		return m, nil
	}
	var found []kind.Message
	for _, id := range sortedIDs(o, k) {
		m := o[k.Name][id]
		f, _ := m.(*weftv1.FloatingIP)
		if m.GetMetadata().GetName() == ref || f != nil && f.FloatingIpAddress == ref || len(ref) >= 4 && strings.HasPrefix(id, ref) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return nil, status.Errorf(codes.NotFound, "%s %q does not exist", k.Name, ref)
	case 1:
		return found[0], nil
	}
	var ids []string
	for _, m := range found {
		ids = append(ids, m.GetMetadata().GetId())
	}
	return nil, detailed(codes.InvalidArgument, fmt.Sprintf("%q could be %s; give the id", ref, strings.Join(ids, ", ")),
		&errdetails.ErrorInfo{Reason: "AMBIGUOUS", Domain: "weft"})
}

// complete fills in what the server chooses, and judges the object.
func (s *Server) complete(o objects, m kind.Message) []*errdetails.BadRequest_FieldViolation {
	k := kindOf(m)
	k.Locate(m, "id")
	meta := m.GetMetadata()
	if meta.Id == "" {
		s.made++
		meta.Id = fmt.Sprintf("%08x-0000-4000-8000-000000000000", s.made)
	}
	if meta.ProjectId == "" {
		meta.ProjectId = "default"
	}
	meta.Generation++
	if meta.CreateTime == nil {
		meta.CreateTime = s.now()
	}
	meta.UpdateTime = s.now()
	switch m := m.(type) {
	case *weftv1.Network:
		return completeNetwork(o, m)
	case *weftv1.Subnet:
		return completeSubnet(o, m)
	case *weftv1.Port:
		return completePort(o, m)
	case *weftv1.Host:
		if m.Status == nil {
			m.Status = &weftv1.HostStatus{Status: "NotReady"}
		}
		if m.Draining == nil {
			m.Draining = proto.Bool(false)
		}
	case *weftv1.Router:
		return completeRouter(o, m)
	case *weftv1.FloatingIP:
		return completeFloatingIP(o, m)
	case *weftv1.PortForwarding:
		return completePortForwarding(o, m)
	case *weftv1.SecurityGroup:
		return completeSecurityGroup(m)
	case *weftv1.SecurityGroupRule:
		return completeRule(o, m)
	case *weftv1.QosPolicy:
		return completeQosPolicy(m)
	}
	return nil
}

func completeNetwork(o objects, n *weftv1.Network) (bad []*errdetails.BadRequest_FieldViolation) {
	_, bad = refer(o, kind.QosPolicy, &n.QosPolicyId, "qos_policy_id")
	if n.ProviderNetworkType == "" {
		n.ProviderNetworkType = "vxlan"
	}
	if !slices.Contains([]string{"vxlan", "gre", "geneve", "vlan", "flat"}, n.ProviderNetworkType) {
		bad = append(bad, violation("provider_network_type", fmt.Sprintf("%q is unknown: write vxlan, gre, geneve, vlan or flat", n.ProviderNetworkType)))
	}
	if n.Mtu == 0 {
		n.Mtu = 1450
	}
	if n.Mtu < 68 {
		bad = append(bad, violation("mtu", fmt.Sprintf("%d is below 68", n.Mtu)))
	}
	if n.ProviderSegmentationId == 0 && n.ProviderNetworkType != "flat" {
		n.ProviderSegmentationId = 1
	}
	for _, b := range []**bool{&n.AdminStateUp, &n.L2Population} {
		if *b == nil {
			*b = proto.Bool(true)
		}
	}
	if n.RouterExternal == nil {
		n.RouterExternal = proto.Bool(false)
	}
	if n.Status == nil {
		n.Status = &weftv1.NetworkStatus{Status: "ACTIVE"}
	}
	return bad
}

func completeSubnet(o objects, n *weftv1.Subnet) (bad []*errdetails.BadRequest_FieldViolation) {
	net, err := find(o, kind.Network, n.NetworkId)
	if err != nil {
		bad = append(bad, violation("network_id", status.Convert(err).Message()))
	} else {
		n.NetworkId = net.GetMetadata().GetId()
	}
	p, err := netip.ParsePrefix(n.Cidr)
	switch {
	case err != nil:
		return append(bad, violation("cidr", fmt.Sprintf("%q is no address block: write e.g. 10.0.1.0/24", n.Cidr)))
	case p != p.Masked():
		bad = append(bad, violation("cidr", fmt.Sprintf("%s has host bits: did you mean %s?", p, p.Masked())))
	}
	n.IpVersion = 4
	if p.Addr().Is6() {
		n.IpVersion = 6
	}
	if n.GatewayIp == nil {
		n.GatewayIp = proto.String(p.Addr().Next().String())
	}
	if n.EnableDhcp == nil {
		n.EnableDhcp = proto.Bool(n.IpVersion == 4)
	}
	if n.GetGatewayIp() == "none" {
		n.GatewayIp = proto.String("")
	}
	if len(n.AllocationPools) == 0 {
		n.AllocationPools = []*weftv1.AllocationPool{{Start: p.Addr().Next().Next().String(), End: p.Addr().Next().Next().Next().String()}}
	}
	return bad
}

func completePort(o objects, p *weftv1.Port) (bad []*errdetails.BadRequest_FieldViolation) {
	net, err := find(o, kind.Network, p.NetworkId)
	if err != nil {
		return append(bad, violation("network_id", status.Convert(err).Message()))
	}
	p.NetworkId = net.GetMetadata().GetId()
	for i := range p.SecurityGroups {
		_, wrong := refer(o, kind.SecurityGroup, &p.SecurityGroups[i], fmt.Sprintf("security_groups[%d]", i))
		bad = append(bad, wrong...)
	}
	_, wrong := refer(o, kind.QosPolicy, &p.QosPolicyId, "qos_policy_id")
	bad = append(bad, wrong...)
	if p.MacAddress == "" {
		p.MacAddress = fmt.Sprintf("fa:16:3e:00:00:%02x", len(o["port"]))
	}
	for i, f := range p.FixedIps {
		for _, id := range sortedIDs(o, kind.Subnet) {
			s := o["subnet"][id].(*weftv1.Subnet)
			if s.NetworkId == p.NetworkId && (f.SubnetId == "" || f.SubnetId == id || f.SubnetId == s.GetMetadata().GetName()) {
				f.SubnetId = id
			}
		}
		if _, err := netip.ParseAddr(f.IpAddress); err != nil {
			bad = append(bad, violation(fmt.Sprintf("fixed_ips[%d].ip_address", i), fmt.Sprintf("%q is no address", f.IpAddress)))
		}
	}
	if p.AdminStateUp == nil {
		p.AdminStateUp = proto.Bool(true)
	}
	if p.Status == nil {
		p.Status = &weftv1.PortStatus{Status: "DOWN"}
	}
	return bad
}

// create adds an object to the state o; like update and remove, it leaves it to the caller to commit.
func (s *Server) create(o objects, m kind.Message) error {
	if bad := s.complete(o, m); len(bad) > 0 {
		return invalid(bad...)
	}
	k := kindOf(m)
	if o[k.Name][m.GetMetadata().GetId()] != nil {
		return detailed(codes.AlreadyExists, "taken", &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			violation("metadata.id", fmt.Sprintf("%s is taken by %s %q", m.GetMetadata().GetId(), k.Name, kind.Ref(o[k.Name][m.GetMetadata().GetId()])))}})
	}
	put(o, m)
	return nil
}

// update changes the fields of the paths; those that are immutable may not be among them.
func (s *Server) update(o objects, m kind.Message, paths []string) (kind.Message, error) {
	k := kindOf(m)
	was, err := find(o, k, m.GetMetadata().GetId())
	if err != nil {
		return nil, err
	}
	if e := m.GetMetadata().GetEtag(); e != "" && e != was.GetMetadata().GetEtag() {
		return nil, status.Errorf(codes.Aborted, "%s %s has etag %s, not %s", k.Name, kind.Ref(was), was.GetMetadata().GetEtag(), e)
	}
	next := clone(was)
	for _, path := range paths {
		name := strings.TrimPrefix(path, "metadata.")
		if k.IsBlock(path) {
			fd := k.Descriptor().Fields().ByName(protoreflect.Name(path))
			if next.ProtoReflect().Clear(fd); m.ProtoReflect().Has(fd) {
				next.ProtoReflect().Set(fd, clone(m).ProtoReflect().Get(fd))
			}
			continue
		}
		f := k.Field(name)
		if f == nil || k.Immutable(f) {
			return nil, invalid(violation(path, "cannot be changed: delete the object and create it anew"))
		}
		from, fd := k.Lookup(m, name)
		to, _ := k.Locate(next, name)
		to.Clear(fd)
		if from.Has(fd) {
			to.Set(fd, from.Get(fd))
		}
	}
	if bad := s.complete(o, next); len(bad) > 0 {
		return nil, invalid(bad...)
	}
	put(o, next)
	return next, nil
}

func (s *Server) remove(o objects, k *kind.Kind, ref, etag string) error {
	m, err := find(o, k, ref)
	if err != nil {
		return err
	}
	if etag != "" && etag != m.GetMetadata().GetEtag() {
		return status.Errorf(codes.Aborted, "%s %s has etag %s, not %s", k.Name, kind.Ref(m), m.GetMetadata().GetEtag(), etag)
	}
	var users []*errdetails.PreconditionFailure_Violation
	for _, id := range sortedIDs(o, kind.Port) {
		if p := o["port"][id].(*weftv1.Port); k == kind.Network && p.NetworkId == m.GetMetadata().GetId() {
			users = append(users, &errdetails.PreconditionFailure_Violation{Type: "IN_USE", Subject: "port/" + id,
				Description: fmt.Sprintf("port %q (%s) uses network %s", kind.Ref(p), id, p.NetworkId)})
		}
	}
	if len(users) > 0 {
		return detailed(codes.FailedPrecondition, "in use", &errdetails.PreconditionFailure{Violations: users},
			&errdetails.ErrorInfo{Reason: "IN_USE", Domain: "weft", Metadata: map[string]string{"users": fmt.Sprint(len(users))}})
	}
	delete(o[k.Name], m.GetMetadata().GetId())
	return nil
}

// Apply is all or nothing.
func (s *Server) Apply(_ context.Context, req *weftv1.ApplyRequest) (*weftv1.ApplyResponse, error) {
	next := s.state.clone()
	resp := &weftv1.ApplyResponse{}
	var bad []*errdetails.BadRequest_FieldViolation
	for i, obj := range req.GetObjects() {
		k, m := kind.Unwrap(obj)
		r, err := s.applyOne(next, k, m, obj.GetUpdateMask().GetPaths())
		for _, d := range status.Convert(err).Details() {
			for _, v := range d.(*errdetails.BadRequest).GetFieldViolations() {
				bad = append(bad, violation(fmt.Sprintf("objects[%d].%s.%s", i, k.Name, v.GetField()), v.GetDescription()))
			}
		}
		if err != nil && len(bad) == 0 {
			return nil, err
		}
		resp.Results = append(resp.Results, r)
	}
	if len(bad) > 0 {
		return nil, invalid(bad...)
	}
	if !req.GetValidateOnly() {
		s.commit(next)
	}
	resp.Revision = s.revision
	return resp, nil
}

func (s *Server) applyOne(o objects, k *kind.Kind, m kind.Message, mask []string) (*weftv1.ApplyResult, error) {
	was, err := find(o, k, cmp.Or(m.GetMetadata().GetId(), kind.Ref(m)))
	if status.Code(err) == codes.NotFound {
		err := s.create(o, m)
		return &weftv1.ApplyResult{Object: refTo(m), Action: "created"}, err
	}
	if err != nil {
		return nil, err
	}
	next := clone(was)
	var changes []*weftv1.FieldChange
	for i := range k.Fields {
		f := &k.Fields[i]
		from, fd := k.Lookup(m, f.Name)
		to, _ := k.Locate(next, f.Name)
		switch {
		case from.Has(fd):
			to.Set(fd, from.Get(fd))
		case (slices.Contains(mask, k.Path(f)) || slices.Contains(mask, strings.Split(k.Path(f), ".")[0])) && !k.Immutable(f):
			to.Clear(fd)
		}
	}
	if bad := s.complete(o, next); len(bad) > 0 {
		return nil, invalid(bad...)
	}
	for i := range k.Fields {
		f := &k.Fields[i]
		a, fd := k.Lookup(was, f.Name)
		b, _ := k.Lookup(next, f.Name)
		if before, after := kind.Text(fd, a.Get(fd)), kind.Text(fd, b.Get(fd)); before != after {
			changes = append(changes, &weftv1.FieldChange{Path: k.Path(f), OldValue: before, NewValue: after})
		}
	}
	if len(changes) == 0 {
		return &weftv1.ApplyResult{Object: refTo(was), Action: "unchanged"}, nil
	}
	put(o, next)
	return &weftv1.ApplyResult{Object: refTo(next), Action: "updated", Changes: changes}, nil
}

func refTo(m kind.Message) *weftv1.ObjectRef {
	ref := &weftv1.ObjectRef{Kind: kindOf(m).Name, Id: m.GetMetadata().GetId(), Name: m.GetMetadata().GetName()}
	if f, ok := m.(*weftv1.FloatingIP); ok {
		ref.Name = kind.Ref(f)
	}
	return ref
}

// WaitApplied says that the hosts have what was asked for, but for those that Lagging has.
func (s *Server) WaitApplied(_ context.Context, req *weftv1.WaitAppliedRequest) (*weftv1.WaitAppliedResponse, error) {
	rev := req.GetRevision()
	if rev == 0 {
		rev = s.revision
	}
	return &weftv1.WaitAppliedResponse{Applied: len(s.Lagging) == 0, Revision: rev, Lagging: s.Lagging}, nil
}
