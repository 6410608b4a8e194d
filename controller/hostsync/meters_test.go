package hostsync

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
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
	c := start(t, func(cfg *Config) { cfg.AuditInterval, cfg.MeterInterval = 100*time.Millisecond, time.Hour })
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
	c.await("all three are repaired", func() bool { return cmp.Equal(before, sw.Meters()) && len(c.toldMeters()) == 3 })

	c.update(func(tx *store.Tx) error { return tx.DeletePort(p.ID, 0) })
	c.await("no meter is left", func() bool { return len(sw.Meters()) == 0 })
}

// Open vSwitch can end when meters are added right after others were removed. So those that nobody wants stay until nothing has changed
// for a while, whoever gets the port's number has them changed, and after a removal none is added for a second.
func TestMetersAreNotAddedRightAfterOthersWent(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.AuditInterval, cfg.MeterInterval = time.Hour, 500*time.Millisecond })
	sw := c.host("host1", "10.0.0.1").switches[view.BrInt]
	_, p := c.limitedPort("host1", 2000)
	c.await("the port is active", func() bool { return c.status(p.ID) == model.PortActive })
	c.settle()
	before := sw.Meters()
	c.update(func(tx *store.Tx) error { return tx.DeletePort(p.ID, 0) })
	c.settle()
	if d := cmp.Diff(before, sw.Meters()); d != "" {
		t.Errorf("right after the port meters (-before +after):\n%s", d)
	}
	c.await("no meter is left", func() bool { return len(sw.Meters()) == 0 })
	if told := c.toldMeters(); len(told) > 0 {
		t.Errorf("told as drift: %v", told)
	}
	_, p = c.limitedPort("host1", 3000)
	c.await("another is active", func() bool { return c.status(p.ID) == model.PortActive })
	if rest := sw.MeterRest(); rest < meterRest {
		t.Errorf("a meter was added %v after one had gone", rest)
	}
}

// toldMeters are the drifts of meters that were told, by what the switch had in their place.
func (c *cloud) toldMeters() map[string]string {
	out := map[string]string{}
	for _, e := range c.events("DriftRepaired") {
		if _, what, ok := strings.Cut(e.Message, ": a meter "); ok {
			how, meter, _ := strings.Cut(what, ": ")
			out[meter] = how
		}
	}
	return out
}

// The bug: a limit that somebody changed by hand held for as long as it took until everything was compared, for no switch
// announces that. Now meters are looked at between two comparisons, and nothing else is; where there are none, nothing is.
func TestAMeterIsNotLeftChanged(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.MeterInterval = 20 * time.Millisecond })
	sw := c.host("host1", "10.0.0.1").switches[view.BrInt]
	idle := c.host("host2", "10.0.0.2").switches
	_, p := c.limitedPort("host1", 2000)
	c.await("the port is active", func() bool { return c.status(p.ID) == model.PortActive })
	c.settle()
	before, others := sw.Meters(), map[string]fakeswitch.Counts{}
	for name, s := range idle {
		others[name] = s.Counts()
	}
	foreign := flow.Meter{ID: 4000, Rate: 7, Burst: 7}
	sw.SetMeter(foreign.Config())
	looks, dumps := sw.Counts().MeterDumps, sw.Counts().Dumps
	for id := range before {
		sw.SetMeter(flow.Meter{ID: id, Rate: 1, Burst: 1}.Config())
	}
	snap, _ := c.store.Snapshot()
	want := map[string]string{}
	for _, m := range ofapps.Meters(snap, "host1", view.Part{Kind: view.PortPart, ID: p.ID}) {
		want[m.String()] = "was changed and is as it was"
	}
	if len(want) != 2 {
		t.Fatalf("the port has meters %v", want)
	}
	c.await("both are repaired and told", func() bool { return cmp.Equal(want, c.toldMeters()) })
	c.await("the meters were looked at ten times", func() bool { return sw.Counts().MeterDumps >= looks+10 })
	// One that nobody wants waits for the comparison of everything: a row that may stay may be about to name it.
	before[foreign.ID] = foreign.Config()
	if d := cmp.Diff(before, sw.Meters()); d != "" {
		t.Errorf("meters (-want +got):\n%s", d)
	}
	if n := sw.Counts().Dumps - dumps; n != 0 {
		t.Errorf("the rows were listed %d times", n)
	}
	for name, s := range idle {
		if d := cmp.Diff(others[name].MeterDumps, s.Counts().MeterDumps); d != "" {
			t.Errorf("%s of host2, which has no meters, was asked for them:\n%s", name, d)
		}
	}
}

// A meter that somebody removes takes its rows along. These are announced, so that both are back at once.
func TestAMeterThatIsRemovedIsBackWithItsRows(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.MeterInterval = time.Hour })
	sw := c.host("host1", "10.0.0.1").switches[view.BrInt]
	_, p := c.limitedPort("host1", 2000)
	c.await("the port is active", func() bool { return c.status(p.ID) == model.PortActive })
	c.settle()
	before, rows := sw.Meters(), sw.Len()
	for id := range before {
		sw.SetMeter(openflow.MeterConfig{MeterID: id})
		c.await("meter and rows are back", func() bool { return cmp.Equal(before, sw.Meters()) && sw.Len() == rows && c.diff() == "" })
	}
	c.await("it is told", func() bool { return len(c.toldMeters()) == len(before) })
	for meter, how := range c.toldMeters() {
		if how != "was missing and is back" {
			t.Errorf("%s %s", meter, how)
		}
	}
	if len(c.events("DriftRepaired")) < 2*len(before) {
		t.Errorf("not all rows are told: %v", c.events("DriftRepaired"))
	}
}

// A switch without meters says so, and its ports are programmed without limits.
func TestSwitchWithoutMeters(t *testing.T) {
	c := start(t)
	c.noMeters = true
	h := c.host("host1", "10.0.0.1")
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
