package model

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQoSPolicyIsJudged(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []QoSRule
		want  []string
	}{
		{"one of each", []QoSRule{
			{Type: BandwidthLimit, Direction: Egress, MaxKbps: 1}, {Type: BandwidthLimit, Direction: Ingress, MaxKbps: MaxKbps, MaxBurstKbps: MaxKbps},
			{Type: PacketRateLimit, Direction: Egress, MaxKpps: 1}, {Type: PacketRateLimit, Direction: Ingress, MaxKpps: MaxKpps, MaxBurstKpps: MaxKpps},
			{Type: DSCPMarking, Direction: Egress},
		}, nil},
		{"no rules", nil, nil},
		{"nothing may pass", []QoSRule{{Type: BandwidthLimit, Direction: Egress}}, []string{"rules[0].max_kbps"}},
		{"more than a switch can be told", []QoSRule{{Type: PacketRateLimit, Direction: Egress, MaxKpps: MaxKpps + 1}}, []string{"rules[0].max_kpps"}},
		{"a burst that is too large", []QoSRule{{Type: BandwidthLimit, Direction: Egress, MaxKbps: 1, MaxBurstKbps: MaxKbps + 1}}, []string{"rules[0].max_burst_kbps"}},
		{"a mark that nobody knows", []QoSRule{{Type: DSCPMarking, Direction: Egress, DSCPMark: 1}}, []string{"rules[0].dscp_mark"}},
		{"a mark on what is heard", []QoSRule{{Type: DSCPMarking, Direction: Ingress, DSCPMark: 46}}, []string{"rules[0].direction"}},
		{"a type that is not", []QoSRule{{Type: "minimum_bandwidth", Direction: Egress}}, []string{"rules[0].type"}},
		{"no direction", []QoSRule{{Type: BandwidthLimit, MaxKbps: 1}}, []string{"rules[0].direction"}},
		{"twice", []QoSRule{{Type: BandwidthLimit, Direction: Egress, MaxKbps: 1}, {Type: BandwidthLimit, Direction: Egress, MaxKbps: 2}}, []string{"rules[1]"}},
		{"of another type", []QoSRule{{Type: BandwidthLimit, Direction: Egress, MaxKbps: 1, MaxKpps: 1, DSCPMark: 46}}, []string{"rules[0].max_kpps", "rules[0].dscp_mark"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &QoSPolicy{Rules: c.rules}
			var got []string
			for _, v := range p.Validate() {
				got = append(got, v.Field)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s%s", d, fmt.Sprint(p.Validate()))
			}
		})
	}
}
