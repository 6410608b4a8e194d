package hostsync

import (
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/fakeagent"
)

// An agent makes a plain switch of a physical network's bridge when no controller speaks (nsagent/replay). It may do so
// just when one comes: what it added is then in the way, and no drift.
func TestAPlainSwitchIsTakenOverInSilence(t *testing.T) {
	c := start(t)
	h := c.add(&fakeagent.Agent{Host: "compute1", TunnelIP: "10.0.0.1", BridgeMappings: map[string]string{"physnet1": "br-ex"}})
	c.update(func(tx *store.Tx) error {
		_, err := tx.CreateNetwork(&model.Network{Type: model.VLAN, PhysicalNetwork: "physnet1", SegmentID: 100, AdminStateUp: true})
		return err
	})
	c.settle()
	sw := h.switches["br-ex"]
	if sw == nil {
		t.Fatal("no br-ex")
	}
	add := func(f flow.Flow) openflow.FlowMod { return flow.Difference{Kind: flow.Missing, Flow: f}.FlowMod() }
	plain := []openflow.FlowMod{
		add(flow.Flow{Priority: 2, Cookie: flow.PlainSwitch, Match: openflow.Match{openflow.U32(openflow.InPort, 3)}}),
		add(flow.Flow{Priority: 0, Cookie: flow.PlainSwitch, Actions: []openflow.Action{openflow.Output{Port: openflow.PortNormal}}}),
	}
	changes := func(what string, mods []openflow.FlowMod, drift int) {
		t.Helper()
		before, commits := len(c.events("DriftRepaired")), sw.Counts().Commits
		if err := sw.Change(mods...); err != nil {
			t.Fatal(err)
		}
		c.await("the controller has done something", func() bool { return sw.Counts().Commits > commits })
		c.settle()
		_, rev := c.store.Snapshot()
		c.applied(rev)
		if got := c.events("DriftRepaired")[before:]; len(got) != drift {
			t.Errorf("%s: %d rows are told to have been repaired, want %d: %v", what, len(got), drift, got)
		}
	}
	// Row by row, and when the whole bridge is compared because a row stands where none is wanted.
	changes("the row in the place of ours", plain[1:], 0)
	changes("both rows", plain, 0)
	// What is somebody else's doing is told, also when it comes together with that.
	stray := add(flow.Flow{Priority: 7, Cookie: flow.Cookie(flow.PipelineCookie, "physical"), Actions: []openflow.Action{openflow.Output{Port: 9}}})
	changes("a row of ours that nobody wants", append(plain, stray), 1)
}
