package viewtest

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// BeginQoS limits the ports p1 and p2 in both directions, and marks what they send, where switches have meters.
func (w Walk) BeginQoS(tx Tx) {
	tx.Put(&model.QoSPolicy{Meta: model.Meta{ID: "q1"}, Rules: []model.QoSRule{
		{Type: model.BandwidthLimit, Direction: model.Egress, MaxKbps: 1000}, {Type: model.BandwidthLimit, Direction: model.Ingress, MaxKbps: 1000},
		{Type: model.PacketRateLimit, Direction: model.Egress, MaxKpps: 1}, {Type: model.PacketRateLimit, Direction: model.Ingress, MaxKpps: 1},
		{Type: model.DSCPMarking, Direction: model.Egress, DSCPMark: 8}}})
	for _, host := range w.Hosts() {
		tx.Put(&model.SwitchFacts{Host: host, MeterKbps: true, MeterPktps: true})
	}
	for _, id := range []string{"p1", "p2"} {
		p := *tx.txn.Port(id)
		p.QoSPolicyID = "q1"
		tx.Put(&p)
	}
}

// qosStep changes policies, who names them, or what switches can do.
func (w Walk) qosStep(tx Tx, network string, gone bool) {
	policy := w.one("policy", "q1", "q2")
	switch w.one("what", "policy", "policy", "port", "port", "network", "switch") {
	case "policy":
		if gone {
			tx.Delete(state.QoSPolicies, policy)
			return
		}
		q := &model.QoSPolicy{Meta: model.Meta{ID: policy}}
		for _, direction := range []string{model.Egress, model.Ingress} {
			if w.bool("bits " + direction) {
				q.Rules = append(q.Rules, model.QoSRule{Type: model.BandwidthLimit, Direction: direction, MaxKbps: uint32(1000 + w.n("kbps", 1))})
			}
			if w.bool("packets " + direction) {
				q.Rules = append(q.Rules, model.QoSRule{Type: model.PacketRateLimit, Direction: direction, MaxKpps: uint32(1 + w.n("kpps", 1))})
			}
		}
		if w.bool("mark") {
			q.Rules = append(q.Rules, model.QoSRule{Type: model.DSCPMarking, Direction: model.Egress, DSCPMark: uint8(8 * w.n("dscp", 2))})
		}
		tx.Put(q)
	case "port":
		if o := tx.txn.Port(w.port()); o != nil {
			p := *o
			p.QoSPolicyID = w.one("of the port", "", "q1", "q2")
			tx.Put(&p)
		}
	case "network":
		if o := tx.txn.Network(network); o != nil {
			n := *o
			n.QoSPolicyID = w.one("of the network", "", "q1", "q2")
			tx.Put(&n)
		}
	default:
		host := w.one("host", w.Hosts()...)
		if gone {
			tx.Delete(state.SwitchFacts, host)
			return
		}
		tx.Put(&model.SwitchFacts{Host: host, MeterKbps: w.bool("kbps"), MeterPktps: w.bool("pktps")})
	}
}
