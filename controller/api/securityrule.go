package api

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"net/netip"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var securityGroupRules = &resource[model.SecurityGroupRule, *weftv1.SecurityGroupRule]{
	kind:   state.SecurityGroupRules,
	fields: writable("securitygrouprule", (*weftv1.SecurityGroupRule)(nil).ProtoReflect().Descriptor()),
	spell:  spellRule,
	read:   readRule,
	scope: func(rd *reading, in *weftv1.SecurityGroupRule) func(any) bool {
		if in.SecurityGroupId == "" {
			return nil
		}
		g, err := find(rd.Snapshot, state.SecurityGroups, in.SecurityGroupId, ofProject(in.GetMetadata().GetProjectId()))
		return func(obj any) bool {
			return err == nil && obj.(*model.SecurityGroupRule).SecurityGroupID == state.Key(g)
		}
	},
	same:   sameRule,
	create: (*store.Tx).CreateSecurityGroupRule,
	update: (*store.Tx).UpdateSecurityGroupRule,
	remove: (*store.Tx).DeleteSecurityGroupRule,
}

// sameRule finds the rule of the same security group that allows the same.
func sameRule(rd *reading, in *weftv1.SecurityGroupRule) (any, bool) {
	if in.SecurityGroupId == "" || in.Direction == "" {
		return nil, false
	}
	try := &reading{Snapshot: rd.Snapshot, hints: new(int)}
	want := readRule(try, in)
	if try.failed() {
		// A group that it names may still have to be made; then there is no such rule.
		return nil, true
	}
	for r := range rd.RulesOf(want.SecurityGroupID) {
		if r.Traffic() == want.Traffic() {
			return r, true
		}
	}
	return nil, true
}

func spellRule(r *model.SecurityGroupRule) *weftv1.SecurityGroupRule {
	p := &weftv1.SecurityGroupRule{
		Metadata:             spellMeta(&r.Meta),
		SecurityGroupId:      r.SecurityGroupID,
		Direction:            r.Direction,
		Ethertype:            r.EtherType,
		RemoteGroupId:        r.RemoteGroupID,
		RemoteAddressGroupId: r.RemoteAddressGroupID,
	}
	if r.Protocol != nil {
		p.Protocol = model.ProtocolName(*r.Protocol)
	}
	if r.PortRangeMin != nil {
		p.PortRangeMin = proto.Uint32(uint32(*r.PortRangeMin))
	}
	if r.PortRangeMax != nil {
		p.PortRangeMax = proto.Uint32(uint32(*r.PortRangeMax))
	}
	if r.RemoteIPPrefix.IsValid() {
		p.RemoteIpPrefix = r.RemoteIPPrefix.String()
	}
	return p
}

func readRule(r *reading, in *weftv1.SecurityGroupRule) *model.SecurityGroupRule {
	project := in.GetMetadata().GetProjectId()
	out := &model.SecurityGroupRule{
		Meta:                 r.meta(in.Metadata),
		SecurityGroupID:      r.groupRef("security_group_id", state.SecurityGroups, in.SecurityGroupId, project),
		Direction:            strings.ToLower(in.Direction),
		Protocol:             r.protocol("protocol", in.Protocol),
		PortRangeMin:         r.port("port_range_min", in.PortRangeMin),
		PortRangeMax:         r.port("port_range_max", in.PortRangeMax),
		RemoteIPPrefix:       r.blockOrNone("remote_ip_prefix", in.RemoteIpPrefix),
		RemoteGroupID:        r.groupRef("remote_group_id", state.SecurityGroups, in.RemoteGroupId, project),
		RemoteAddressGroupID: r.groupRef("remote_address_group_id", state.AddressGroups, in.RemoteAddressGroupId, project),
	}
	out.EtherType = etherType(in.Ethertype, out)
	return out
}

// etherType reads the word in any case; empty is the family that the rest of the rule is about.
func etherType(word string, r *model.SecurityGroupRule) string {
	switch {
	case word == "" && (r.RemoteIPPrefix.IsValid() && r.RemoteIPPrefix.Addr().Is6() || r.Protocol != nil && model.ProtocolName(*r.Protocol) == "icmpv6"):
		return model.IPv6
	case word == "":
		return model.IPv4
	}
	for _, known := range []string{model.IPv4, model.IPv6} {
		if strings.EqualFold(word, known) {
			return known
		}
	}
	return word
}

// blockOrNone reads an address or a block; empty is the zero Prefix.
func (r *reading) blockOrNone(field, s string) netip.Prefix {
	if s == "" {
		return netip.Prefix{}
	}
	return r.addrOrPrefix(field, s)
}

// protocol reads a protocol's name or number; empty and "any" are nil.
func (r *reading) protocol(field, s string) *uint8 {
	if s == "" || strings.EqualFold(s, "any") {
		return nil
	}
	n, ok := model.ParseProtocol(s)
	if !ok {
		names := model.ProtocolNames()
		r.add(field, "%q is no protocol%s; give a number in 1..255, or one of %s", s, didYouMean(s, names), strings.Join(names, ", "))
		return nil
	}
	return &n
}

func (r *reading) port(field string, n *uint32) *uint16 {
	if n == nil {
		return nil
	}
	if *n > math.MaxUint16 {
		r.add(field, "%d is not in 0..65535", *n)
		return nil
	}
	v := uint16(*n)
	return &v
}

// entry is the path of an item of a list of texts: addresses[1].
func entry(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// CreateSecurityGroupRule implements SecurityGroupRuleService.
func (s *Server) CreateSecurityGroupRule(ctx context.Context, req *weftv1.CreateSecurityGroupRuleRequest) (*weftv1.SecurityGroupRule, error) {
	return create(ctx, s, securityGroupRules, req.Securitygrouprule, req.ValidateOnly)
}

// GetSecurityGroupRule implements SecurityGroupRuleService.
func (s *Server) GetSecurityGroupRule(_ context.Context, req *weftv1.GetSecurityGroupRuleRequest) (*weftv1.SecurityGroupRule, error) {
	return get(s, securityGroupRules, req.Id)
}

// ListSecurityGroupRules implements SecurityGroupRuleService.
func (s *Server) ListSecurityGroupRules(_ context.Context, req *weftv1.ListSecurityGroupRulesRequest) (*weftv1.ListSecurityGroupRulesResponse, error) {
	return list(s, securityGroupRules, req, func(snap state.Snapshot) (iter.Seq[*model.SecurityGroupRule], error) {
		return rulesLike(snap, req)
	}, func(page []*weftv1.SecurityGroupRule, next string, rev int64) *weftv1.ListSecurityGroupRulesResponse {
		return &weftv1.ListSecurityGroupRulesResponse{Securitygrouprules: page, NextPageToken: next, Revision: rev}
	})
}

// rulesLike are the rules that all filters of a request hold for, in order of id.
func rulesLike(snap state.Snapshot, req *weftv1.ListSecurityGroupRulesRequest) (iter.Seq[*model.SecurityGroupRule], error) {
	group, err := groupFilter(snap, state.SecurityGroups, req.SecurityGroupId, req.ProjectId)
	if err != nil {
		return nil, err
	}
	remote, err := groupFilter(snap, state.SecurityGroups, req.RemoteGroupId, req.ProjectId)
	if err != nil {
		return nil, err
	}
	addresses, err := groupFilter(snap, state.AddressGroups, req.RemoteAddressGroupId, req.ProjectId)
	if err != nil {
		return nil, err
	}
	if d := req.Direction; d != "" && d != model.Ingress && d != model.Egress {
		return nil, invalid("direction", "%q is unknown; choose ingress or egress", d)
	}
	all := snap.SecurityGroupRules()
	switch {
	case group != "":
		all = snap.RulesOf(group)
	case remote != "":
		all = snap.RulesAboutGroup(remote)
	case addresses != "":
		all = snap.RulesAboutAddressGroup(addresses)
	}
	return func(yield func(*model.SecurityGroupRule) bool) {
		for r := range all {
			if (remote == "" || r.RemoteGroupID == remote) && (addresses == "" || r.RemoteAddressGroupID == addresses) &&
				(req.Direction == "" || r.Direction == req.Direction) && !yield(r) {
				return
			}
		}
	}, nil
}

// groupFilter finds the group that a filter names, in a project when one is given, and else in the default one when there
// are several of the name.
func groupFilter(snap state.Snapshot, k state.Kind, ref, project string) (string, error) {
	if ref == "" {
		return "", nil
	}
	if obj, err := find(snap, k, ref, ofProject(cmp.Or(project, defaultProject))); err == nil {
		return state.Key(obj), nil
	}
	return filterKey(snap, k, ref)
}

// UpdateSecurityGroupRule implements SecurityGroupRuleService.
func (s *Server) UpdateSecurityGroupRule(ctx context.Context, req *weftv1.UpdateSecurityGroupRuleRequest) (*weftv1.SecurityGroupRule, error) {
	return update(ctx, s, securityGroupRules, req.Securitygrouprule, req)
}

// DeleteSecurityGroupRule implements SecurityGroupRuleService.
func (s *Server) DeleteSecurityGroupRule(ctx context.Context, req *weftv1.DeleteSecurityGroupRuleRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, securityGroupRules, req)
}
