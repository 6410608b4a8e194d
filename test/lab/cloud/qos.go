package cloud

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// QosPolicy makes a QoS policy.
func (s *Scope) QosPolicy(ctx context.Context, name string, rules ...*weftv1.QosRule) (*weftv1.QosPolicy, error) {
	made, err := s.QosPolicies.CreateQosPolicy(ctx, &weftv1.CreateQosPolicyRequest{
		Qospolicy: &weftv1.QosPolicy{Metadata: &weftv1.Metadata{Name: s.Prefix + name}, Rules: rules}})
	if err != nil {
		return nil, fmt.Errorf("create QoS policy %s: %w", name, err)
	}
	s.Defer(func(ctx context.Context) error {
		_, err := s.QosPolicies.DeleteQosPolicy(ctx, &weftv1.DeleteQosPolicyRequest{Id: made.GetMetadata().GetId()})
		return gone(err)
	})
	return made, nil
}

// SetRules gives a QoS policy other rules.
func (c *Cloud) SetRules(ctx context.Context, p *weftv1.QosPolicy, rules ...*weftv1.QosRule) error {
	_, err := c.QosPolicies.UpdateQosPolicy(ctx, &weftv1.UpdateQosPolicyRequest{
		Qospolicy:  &weftv1.QosPolicy{Metadata: &weftv1.Metadata{Id: p.GetMetadata().GetId()}, Rules: rules},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"rules"}}})
	return err
}

// SetPolicy gives a port another QoS policy; nil gives it none of its own.
func (c *Cloud) SetPolicy(ctx context.Context, port string, p *weftv1.QosPolicy) error {
	_, err := c.Ports.UpdatePort(ctx, &weftv1.UpdatePortRequest{
		Port:       &weftv1.Port{Metadata: &weftv1.Metadata{Id: port}, QosPolicyId: p.GetMetadata().GetId()},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"qos_policy_id"}}})
	return err
}
