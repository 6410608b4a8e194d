package hostsync

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/fakeswitch"
)

// limitedPort makes a network and a port with a policy of some kbit/s, and plugs it in.
func (c *cloud) limitedPort(host string, kbps uint32) (policy *model.QoSPolicy, p *model.Port) {
	c.t.Helper()
	c.update(func(tx *store.Tx) (err error) {
		if policy, err = tx.CreateQoSPolicy(&model.QoSPolicy{Meta: model.Meta{Name: "slow"}, Rules: []model.QoSRule{
			{Type: model.BandwidthLimit, Direction: model.Egress, MaxKbps: kbps}, {Type: model.PacketRateLimit, Direction: model.Ingress, MaxKpps: 1}}}); err != nil {
			return err
		}
		n, err := tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: "blue"}, AdminStateUp: true, L2Population: true})
		if err != nil {
			return err
		}
		p, err = tx.CreatePort(&model.Port{NetworkID: n.ID, AdminStateUp: true, QoSPolicyID: policy.ID, FixedIPs: []model.FixedIP{}})
		return err
	})
	c.plug(host, p)
	return policy, p
}

// limitsOf are the meters of a switch: rates by which of the port's they are.
func limitsOf(sw *fakeswitch.Switch) map[uint32]uint32 {
	out := map[uint32]uint32{}
	for id, m := range sw.Meters() {
		out[id%4] = m.Bands[0].Rate
	}
	return out
}

// Meters are there with the rows that name them; another rate changes a meter and no row; what somebody did to them is put
// right; they go with their port.
func TestMetersFollowTheirPolicy(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.AuditInterval = 100 * time.Millisecond })
	h := c.host("host1", "10.0.0.1")
	sw := h.switches[view.BrInt]
	policy, p := c.limitedPort("host1", 2000)
	c.await("the port is active", func() bool { return c.status(p.ID) == model.PortActive })
	c.settle()
	want := map[uint32]uint32{0: 2000, 3: 1000}
	if d := cmp.Diff(want, limitsOf(sw)); d != "" {
		t.Fatalf("meters (-want +got):\n%s", d)
	}
	mods := sw.Counts().FlowMods
	c.update(func(tx *store.Tx) error {
		q := *policy
		q.Rules = append([]model.QoSRule{{Type: model.BandwidthLimit, Direction: model.Egress, MaxKbps: 5000}}, policy.Rules[1:]...)
		_, err := tx.UpdateQoSPolicy(&q, 0)
		return err
	})
	want[0] = 5000
	if d := cmp.Diff(want, limitsOf(sw)); d != "" || sw.Counts().FlowMods != mods {
		t.Fatalf("another rate: %d flow-mods, meters (-want +got):\n%s", sw.Counts().FlowMods-mods, d)
	}

	before := sw.Meters()
	for id, m := range before {
		m.Bands = []openflow.MeterBand{{Type: openflow.BandDrop, Rate: 1, Burst: 1}}
		sw.SetMeter(m)
		if id%4 == 3 {
			sw.SetMeter(openflow.MeterConfig{MeterID: id})
		}
	}
	sw.SetMeter(flow.Meter{ID: 4000, Rate: 7, Burst: 7}.Config())
	c.await("all three are repaired", func() bool {
		return cmp.Equal(before, sw.Meters()) && len(c.events("DriftRepaired")) == 3
	})
	for _, e := range c.events("DriftRepaired") {
		if !strings.Contains(e.Message, "a meter") {
			t.Errorf("told: %s", e.Message)
		}
	}

	c.update(func(tx *store.Tx) error { return tx.DeletePort(p.ID, 0) })
	c.await("no meter is left", func() bool { return len(sw.Meters()) == 0 })
}

// A switch without meters says so, and its ports are programmed without limits.
func TestSwitchWithoutMeters(t *testing.T) {
	c := start(t)
	c.noMeters = true
	h := c.host("host1", "10.0.0.1")
	refuse := func(m *openflow.FlowMod) *openflow.Error {
		for _, a := range m.Actions {
			if _, meter := a.(openflow.Meter); meter {
				return &openflow.Error{Type: openflow.ErrorMeterModFailed, Code: openflow.MeterUnknown}
			}
		}
		return nil
	}
	c.refuse.Store(&refuse)
	c.await("the store knows", func() bool {
		s, _ := c.store.Snapshot()
		f := s.SwitchFacts("host1")
		return f != nil && f.Reason == "its datapath has no meters"
	})
	_, p := c.limitedPort("host1", 2000)
	c.await("the port is active", func() bool { return c.status(p.ID) == model.PortActive })
	c.settle()
	if m := h.switches[view.BrInt].Meters(); len(m) != 0 {
		t.Errorf("meters: %v", m)
	}
}
