package model

import (
	"fmt"
	"math"
	"slices"
)

// Types of QoS rules.
const (
	BandwidthLimit  = "bandwidth_limit"
	PacketRateLimit = "packet_rate_limit"
	DSCPMarking     = "dscp_marking"
)

// QoSPolicy is a set of limits and marks for ports and networks.
type QoSPolicy struct {
	Meta
	Rules []QoSRule `json:"rules,omitempty"`
}

// QoSRule is one limit or mark; at most one of each type and direction.
type QoSRule struct {
	// Type is bandwidth_limit, packet_rate_limit or dscp_marking.
	Type string `json:"type"`
	// Direction is ingress or egress, as the machine behind the port sees it; dscp_marking is egress.
	Direction string `json:"direction"`
	// MaxKbps is kilobits (1000 bits) of Ethernet frames per second, MaxBurstKbps kilobits; 0 burst: 80 % of MaxKbps.
	MaxKbps      uint32 `json:"max_kbps,omitempty"`
	MaxBurstKbps uint32 `json:"max_burst_kbps,omitempty"`
	// MaxKpps is thousands of packets per second, MaxBurstKpps thousands of packets; 0 burst: 80 % of MaxKpps.
	MaxKpps      uint32 `json:"max_kpps,omitempty"`
	MaxBurstKpps uint32 `json:"max_burst_kpps,omitempty"`
	// DSCPMark is one of DSCPMarks.
	DSCPMark uint8 `json:"dscp_mark,omitempty"`
}

// DSCPMarks are the marks that a rule may set: the class selectors but CS7, assured forwarding (RFC 2597), VOICE-ADMIT
// (RFC 5865) and expedited forwarding (RFC 3246), as Neutron's list has them.
var DSCPMarks = []uint8{0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56}

// Largest rates and bursts. Those of packets are sent to switches as packets, in 32 bits.
const (
	MaxKbps = math.MaxInt32
	MaxKpps = math.MaxUint32 / 1000
)

// Validate judges the policy by itself.
func (p *QoSPolicy) Validate() []Violation {
	var v violations
	v.id(&p.Meta)
	v.meta(&p.Meta)
	type once struct{ typ, direction string }
	seen := map[once]int{}
	for i := range p.Rules {
		r := &p.Rules[i]
		field := fmt.Sprintf("rules[%d]", i)
		r.validate(&v, field)
		key := once{r.Type, r.Direction}
		if first, twice := seen[key]; twice {
			v.add(field, "is a second %s for %s, after rules[%d]; a policy has at most one of each type and direction", r.Type, r.Direction, first)
			continue
		}
		seen[key] = i
	}
	return v
}

func (r *QoSRule) validate(v *violations, field string) {
	if r.Direction != Ingress && r.Direction != Egress {
		v.add(field+".direction", "%q is unknown; choose ingress or egress", r.Direction)
	}
	kbps, kpps, dscp := r.MaxKbps != 0 || r.MaxBurstKbps != 0, r.MaxKpps != 0 || r.MaxBurstKpps != 0, r.DSCPMark != 0
	switch r.Type {
	case BandwidthLimit:
		v.rate(field+".max_kbps", r.MaxKbps, MaxKbps)
		v.burst(field+".max_burst_kbps", r.MaxBurstKbps, MaxKbps)
		kbps = false
	case PacketRateLimit:
		v.rate(field+".max_kpps", r.MaxKpps, MaxKpps)
		v.burst(field+".max_burst_kpps", r.MaxBurstKpps, MaxKpps)
		kpps = false
	case DSCPMarking:
		if r.Direction == Ingress {
			v.add(field+".direction", "dscp_marking marks what a port sends; leave direction out, or write egress")
		}
		if !slices.Contains(DSCPMarks, r.DSCPMark) {
			v.add(field+".dscp_mark", "%d is no mark that may be set; choose one of %v", r.DSCPMark, DSCPMarks)
		}
		dscp = false
	default:
		v.add(field+".type", "%q is unknown; choose %s, %s or %s", r.Type, BandwidthLimit, PacketRateLimit, DSCPMarking)
		return
	}
	for _, stray := range []struct {
		given        bool
		fields, kind string
	}{{kbps, "max_kbps", BandwidthLimit}, {kpps, "max_kpps", PacketRateLimit}, {dscp, "dscp_mark", DSCPMarking}} {
		if stray.given {
			v.add(field+"."+stray.fields, "belongs to %s, and the rule is a %s; make it a rule of its own", stray.kind, r.Type)
		}
	}
}

func (v *violations) rate(field string, n, most uint32) {
	if n == 0 || n > most {
		v.add(field, "%d is out of range; a limit is 1 to %d, and without the rule there is none", n, most)
	}
}

func (v *violations) burst(field string, n, most uint32) {
	if n > most {
		v.add(field, "%d is out of range; a burst is at most %d, and 0 stands for 80 %% of the limit", n, most)
	}
}
