package fakeapi

import (
	"context"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

type qosPolicies struct {
	weftv1.UnimplementedQosPolicyServiceServer
	s *Server
}

func (x qosPolicies) CreateQosPolicy(_ context.Context, r *weftv1.CreateQosPolicyRequest) (*weftv1.QosPolicy, error) {
	return doCreate(x.s, r.GetQospolicy(), r.GetValidateOnly())
}

func (x qosPolicies) GetQosPolicy(_ context.Context, r *weftv1.GetQosPolicyRequest) (*weftv1.QosPolicy, error) {
	return doGet[*weftv1.QosPolicy](x.s, kind.QosPolicy, r.GetId())
}

func (x qosPolicies) UpdateQosPolicy(_ context.Context, r *weftv1.UpdateQosPolicyRequest) (*weftv1.QosPolicy, error) {
	return doUpdate(x.s, r.GetQospolicy(), r.GetUpdateMask().GetPaths(), r.GetValidateOnly())
}

func (x qosPolicies) DeleteQosPolicy(_ context.Context, r *weftv1.DeleteQosPolicyRequest) (*emptypb.Empty, error) {
	return doDelete(x.s, kind.QosPolicy, r.GetId(), r.GetEtag(), r.GetValidateOnly())
}

func (x qosPolicies) ListQosPolicies(_ context.Context, r *weftv1.ListQosPoliciesRequest) (*weftv1.ListQosPoliciesResponse, error) {
	page, next, err := doList(x.s, kind.QosPolicy, r.GetPageToken(), "", func(m *weftv1.QosPolicy, _ string) bool { return passes(m, r) })
	return &weftv1.ListQosPoliciesResponse{Qospolicies: page, NextPageToken: next, Revision: x.s.revision}, err
}

func completeQosPolicy(p *weftv1.QosPolicy) (bad []*errdetails.BadRequest_FieldViolation) {
	for i, r := range p.GetRules() {
		if r.Direction == "" {
			r.Direction = "egress"
		}
		if r.Type == "bandwidth_limit" && r.MaxKbps == 0 {
			bad = append(bad, violation(fmt.Sprintf("rules[%d].max_kbps", i), "0 is out of range"))
		}
	}
	return bad
}
