package api

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

var qosPolicies = &resource[model.QoSPolicy, *weftv1.QosPolicy]{
	kind:   state.QoSPolicies,
	fields: writable("qospolicy", (*weftv1.QosPolicy)(nil).ProtoReflect().Descriptor()),
	spell: func(p *model.QoSPolicy) *weftv1.QosPolicy {
		out := &weftv1.QosPolicy{Metadata: spellMeta(&p.Meta)}
		for _, r := range p.Rules {
			rule := &weftv1.QosRule{Type: r.Type, Direction: r.Direction, MaxKbps: r.MaxKbps, MaxBurstKbps: r.MaxBurstKbps,
				MaxKpps: r.MaxKpps, MaxBurstKpps: r.MaxBurstKpps}
			if r.Type == model.DSCPMarking {
				rule.DscpMark = proto.Uint32(uint32(r.DSCPMark))
			}
			out.Rules = append(out.Rules, rule)
		}
		return out
	},
	read: func(r *reading, in *weftv1.QosPolicy) *model.QoSPolicy {
		p := &model.QoSPolicy{Meta: r.meta(in.Metadata)}
		for i, rule := range atMost(r, "rules", in.Rules) {
			p.Rules = append(p.Rules, r.qosRule(i, rule))
		}
		return p
	},
	status: func(s *sight, p *model.QoSPolicy, out *weftv1.QosPolicy) {
		out.Status = &weftv1.QosPolicyStatus{}
		for range s.PortsWithQoS(p.ID) {
			out.Status.Ports++
		}
		for range s.NetworksWithQoS(p.ID) {
			out.Status.Networks++
		}
	},
	scope: func(_ *reading, in *weftv1.QosPolicy) func(any) bool {
		return ofProject(in.GetMetadata().GetProjectId())
	},
	create: (*store.Tx).CreateQoSPolicy,
	update: (*store.Tx).UpdateQoSPolicy,
	remove: (*store.Tx).DeleteQoSPolicy,
}

// qosRule also takes types as the command line of OpenStack spells them: bandwidth-limit.
func (r *reading) qosRule(i int, in *weftv1.QosRule) model.QoSRule {
	rule := model.QoSRule{Type: strings.ReplaceAll(in.GetType(), "-", "_"), Direction: cmp.Or(in.GetDirection(), model.Egress),
		MaxKbps: in.GetMaxKbps(), MaxBurstKbps: in.GetMaxBurstKbps(), MaxKpps: in.GetMaxKpps(), MaxBurstKpps: in.GetMaxBurstKpps()}
	mark := in.GetDscpMark()
	switch {
	case in != nil && in.DscpMark == nil && rule.Type == model.DSCPMarking:
		r.add(item("rules", i, "dscp_mark"), "is missing; choose one of %v", model.DSCPMarks)
	case mark > math.MaxUint8:
		r.add(item("rules", i, "dscp_mark"), "%d is no mark that may be set; choose one of %v", mark, model.DSCPMarks)
	default:
		rule.DSCPMark = uint8(mark)
	}
	return rule
}

// metersElsewhere is what helps where a switch has no meters.
const metersElsewhere = "use a datapath with OpenFlow meters there (Open vSwitch's userspace datapath, or Linux 4.18 and later)"

// qosEnforced tells whether the host of a port limits and marks as its policy says; nil when none is in force on it.
func qosEnforced(s *sight, p *model.Port, b *model.Binding, st *model.PortState) *weftv1.Condition {
	policy := view.PolicyOf(s.Snapshot, p)
	if policy == nil || b == nil {
		return nil
	}
	c := &weftv1.Condition{Type: "QosEnforced", Status: conditionTrue, Reason: "Enforced", Host: b.Host}
	var cannot []string
	if facts := s.SwitchFacts(b.Host); facts != nil {
		for _, r := range policy.Rules {
			if r.Type == model.BandwidthLimit && !facts.MeterKbps || r.Type == model.PacketRateLimit && !facts.MeterPktps {
				cannot = append(cannot, r.Direction+" "+r.Type)
			}
		}
		if len(cannot) > 0 {
			c.Status, c.Reason = conditionFalse, "NoMeters"
			c.Message = fmt.Sprintf("the switch of %s cannot enforce %s of %s: %s; %s, or bind the port elsewhere",
				b.Host, strings.Join(cannot, " and "), refTo(state.QoSPolicies, policy), facts.Reason, metersElsewhere)
			return c
		}
	}
	c.Message = fmt.Sprintf("%s is in force on %s", refTo(state.QoSPolicies, policy), b.Host)
	if st == nil || st.Status != model.PortActive {
		c.Status, c.Reason, c.Message = conditionUnknown, "Programming", fmt.Sprintf("%s has not acknowledged the port", b.Host)
	}
	return c
}

// CreateQosPolicy implements QosPolicyService.
func (s *Server) CreateQosPolicy(ctx context.Context, req *weftv1.CreateQosPolicyRequest) (*weftv1.QosPolicy, error) {
	return create(ctx, s, qosPolicies, req.Qospolicy, req.ValidateOnly)
}

// GetQosPolicy implements QosPolicyService.
func (s *Server) GetQosPolicy(_ context.Context, req *weftv1.GetQosPolicyRequest) (*weftv1.QosPolicy, error) {
	return get(s, qosPolicies, req.Id)
}

// ListQosPolicies implements QosPolicyService.
func (s *Server) ListQosPolicies(_ context.Context, req *weftv1.ListQosPoliciesRequest) (*weftv1.ListQosPoliciesResponse, error) {
	return list(s, qosPolicies, req, func(snap state.Snapshot) (iter.Seq[*model.QoSPolicy], error) {
		return snap.QoSPolicies(), nil
	}, func(page []*weftv1.QosPolicy, next string, rev int64) *weftv1.ListQosPoliciesResponse {
		return &weftv1.ListQosPoliciesResponse{Qospolicies: page, NextPageToken: next, Revision: rev}
	})
}

// UpdateQosPolicy implements QosPolicyService.
func (s *Server) UpdateQosPolicy(ctx context.Context, req *weftv1.UpdateQosPolicyRequest) (*weftv1.QosPolicy, error) {
	return update(ctx, s, qosPolicies, req.Qospolicy, req)
}

// DeleteQosPolicy implements QosPolicyService.
func (s *Server) DeleteQosPolicy(ctx context.Context, req *weftv1.DeleteQosPolicyRequest) (*emptypb.Empty, error) {
	return remove(ctx, s, qosPolicies, req)
}
