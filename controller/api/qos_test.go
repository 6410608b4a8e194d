package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

const goldID = "901d0000-0000-4000-8000-000000000044"

// qosPolicy limits both directions and marks.
func qosPolicy(name string, change ...func(*weftv1.QosPolicy)) *weftv1.Object {
	p := &weftv1.QosPolicy{Metadata: &weftv1.Metadata{Name: name}, Rules: []*weftv1.QosRule{
		{Type: "bandwidth_limit", MaxKbps: 10000}, {Type: "packet-rate-limit", Direction: "ingress", MaxKpps: 5, MaxBurstKpps: 1},
		{Type: "dscp_marking", DscpMark: proto.Uint32(0)},
	}}
	for _, c := range change {
		c(p)
	}
	return wrap(p)
}

// A policy with its port and network in one request, in any order; the same again changes nothing; who uses it is told, and it
// goes when nobody does.
func TestApplyQos(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(
		withID(port("vm1", "blue", func(p *weftv1.Port) { p.QosPolicyId = "gold" }), portID),
		network("blue", func(n *weftv1.Network) { n.QosPolicyId = "gold" }),
		withID(qosPolicy("gold"), goldID),
	)
	p := must[*weftv1.QosPolicy](t)(d.GetQosPolicy(d.ctx, &weftv1.GetQosPolicyRequest{Id: "gold"}))
	if p.Status.Ports != 1 || p.Status.Networks != 1 || p.Rules[0].Direction != "egress" || p.Rules[1].Type != "packet_rate_limit" || p.Rules[2].DscpMark == nil {
		t.Errorf("%v", p)
	}
	for _, a := range actions(d.apply(withID(qosPolicy("gold"), goldID))) {
		if a[:9] != "unchanged" {
			t.Errorf("again: %s", a)
		}
	}
	if l := must[*weftv1.ListPortsResponse](t)(d.ListPorts(d.ctx, &weftv1.ListPortsRequest{QosPolicyId: "gold"})); len(l.Ports) != 1 {
		t.Errorf("ports with the policy: %v", l.Ports)
	}
	if _, err := d.DeleteQosPolicy(d.ctx, &weftv1.DeleteQosPolicyRequest{Id: "gold"}); err == nil {
		t.Error("a policy in use is deleted")
	} else if r := refused(t, err); len(r.Users) != 2 {
		t.Errorf("users: %+v", r)
	}
	e := must[*weftv1.ExplainResponse](t)(d.Explain(d.ctx, &weftv1.ExplainRequest{Cookie: fmt.Sprintf("0x%x", flow.Cookie(flow.QoSPolicyCookie, goldID))}))
	diff(t, "explained", `qospolicy "gold" (`+goldID+") wanted the row", e.Text)
	must[*weftv1.Port](t)(d.UpdatePort(d.ctx, &weftv1.UpdatePortRequest{Port: &weftv1.Port{Metadata: &weftv1.Metadata{Id: "vm1"}}, UpdateMask: maskOf("qos_policy_id")}))
	must[*weftv1.Network](t)(d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: &weftv1.Network{Metadata: &weftv1.Metadata{Id: "blue"}}, UpdateMask: maskOf("qos_policy_id")}))
	if _, err := d.DeleteQosPolicy(d.ctx, &weftv1.DeleteQosPolicyRequest{Id: "gold"}); err != nil {
		t.Error(err)
	}
}

// Every mistake is told with its field, and nothing is written.
func TestQosRefusals(t *testing.T) {
	d := openDoor(t, nil)
	_, err := d.CreateQosPolicy(d.ctx, &weftv1.CreateQosPolicyRequest{Qospolicy: &weftv1.QosPolicy{Metadata: &weftv1.Metadata{Name: "wrong"}, Rules: []*weftv1.QosRule{
		{Type: "bandwidth_limit"},
		{Type: "bandwidth_limit", Direction: "ingress", MaxKbps: 5, MaxBurstKbps: 1 << 31},
		{Type: "packet_rate_limit", Direction: "sideways", MaxKpps: 5},
		{Type: "dscp_marking"},
		{Type: "dscp_marking", DscpMark: proto.Uint32(45)},
		{Type: "minimum_bandwidth", MaxKbps: 5},
		{Type: "bandwidth_limit", MaxKbps: 1, MaxKpps: 1},
	}}})
	var fields []string
	for _, v := range refused(t, err).Violations {
		field, _, _ := strings.Cut(v, ": ")
		fields = append(fields, field)
	}
	slices.Sort(fields)
	diff(t, "fields", []string{"rules[0].max_kbps", "rules[1].max_burst_kbps", "rules[2].direction", "rules[3].dscp_mark", "rules[4]", "rules[4].dscp_mark",
		"rules[5].type", "rules[6]", "rules[6].max_kpps"}, fields)
	if l := must[*weftv1.ListQosPoliciesResponse](t)(d.ListQosPolicies(d.ctx, &weftv1.ListQosPoliciesRequest{})); len(l.Qospolicies) != 0 {
		t.Error("it is written")
	}
}

// A port says whether its host can enforce its policy, and whoever watches is told when that changes.
func TestQosEnforced(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(port("vm1", "blue", func(p *weftv1.Port) { p.QosPolicyId = "gold" }), portID), network("blue"), withID(qosPolicy("gold"), goldID))
	condition := func() *weftv1.Condition {
		p := must[*weftv1.Port](t)(d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: "vm1"}))
		for _, c := range p.Status.Conditions {
			if c.Type == "QosEnforced" {
				return c
			}
		}
		return nil
	}
	if c := condition(); c != nil {
		t.Errorf("not bound: %v", c)
	}
	d.plug("compute1", model.Interface{Name: "tap0", OFPort: 3, IfaceID: portID})
	d.report(func(tx *store.Tx) error {
		return tx.SetPortState(&model.PortState{PortID: portID, Host: "compute1", Status: model.PortActive})
	})
	if c := condition(); c.GetStatus() != "True" || c.GetHost() != "compute1" {
		t.Errorf("active: %v", c)
	}
	d.report(func(tx *store.Tx) error {
		return tx.SetSwitchFacts("compute1", &model.SwitchFacts{Host: "compute1", MeterKbps: true, Reason: "its meters do not count packets"})
	})
	c := condition()
	if c.GetStatus() != "False" || c.GetReason() != "NoMeters" {
		t.Errorf("without meters for packets: %v", c)
	}
	diff(t, "without meters for packets", `the switch of compute1 cannot enforce ingress packet_rate_limit of qospolicy "gold" (`+goldID+`): its meters do not count packets; `+
		`use a datapath with OpenFlow meters there (Open vSwitch's userspace datapath, or Linux 4.18 and later), or bind the port elsewhere`, c.GetMessage())
	d.report(func(tx *store.Tx) error {
		return tx.SetSwitchFacts("compute1", &model.SwitchFacts{Host: "compute1", Reason: "it has no meters"})
	})
	if c := condition(); !strings.HasPrefix(c.GetMessage(), `the switch of compute1 cannot enforce egress bandwidth_limit and ingress packet_rate_limit of qospolicy "gold" (`+goldID+`): it has no meters; `) {
		t.Errorf("without meters: %s", c.GetMessage())
	}
}
