package hostsync

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// rowsOf are the flow-mods that make what a bridge should have.
func (c *cloud) rowsOf(host, bridge string) (mods []openflow.FlowMod) {
	s, _ := c.store.Snapshot()
	for _, f := range ofapps.RenderAll(s, host)[bridge] {
		mods = append(mods, flow.Difference{Kind: flow.Missing, Flow: f}.FlowMod())
	}
	return mods
}

// A bug: an agent forgets that a bridge is complete when the switch goes away before it has saved the rows, and it was
// never told again. After the next crash of the switch it replayed rows of long ago.
func TestAnAgentIsToldAgainThatABridgeIsComplete(t *testing.T) {
	c := start(t)
	blue(c)
	c.settle()
	h := c.hosts["compute1"]
	told := func() (n int) {
		for _, b := range h.agent.Complete() {
			if b == view.BrTun {
				n++
			}
		}
		return n
	}
	c.await("the agent knows that br-tun is complete", func() bool { return told() > 0 })
	before := told()
	h.switches[view.BrTun].Disconnect()
	c.await("it is told again", func() bool { return told() > before })
	if !slices.Contains(h.agent.Complete(), view.BrInt) {
		t.Error("nothing was said of br-int")
	}
}

// Many rows that a switch has lost are its agent's to replay: it is quicker, and two at a time are slower than either.
func TestTheAgentReplaysManyRows(t *testing.T) {
	c := start(t)
	c.fleet.manyRows = 5
	blue(c)
	c.settle()
	c.await("the agent knows that br-tun is complete", func() bool { return slices.Contains(c.hosts["compute1"].agent.Complete(), view.BrTun) })
	sw, connections := c.hosts["compute1"].switches[view.BrTun], 0
	crash := func() {
		connections = sw.Counts().Connections
		sw.Clear()
		sw.Disconnect()
		c.await("the switch is back", func() bool { return sw.Counts().Connections > connections })
	}
	mods := sw.Counts().FlowMods
	crash()
	if err := sw.Change(c.rowsOf("compute1", view.BrTun)...); err != nil {
		t.Fatal(err)
	}
	c.settle()
	_, rev := c.store.Snapshot()
	c.applied(rev)
	if got := sw.Counts().FlowMods - mods; got != 0 {
		t.Errorf("the controller sent %d flow-mods to a bridge that its agent had filled", got)
	}

	// An agent that does not is not waited for.
	crash()
	began := time.Now()
	c.settle()
	if took := time.Since(began); took > 5*replayTime {
		t.Errorf("the controller filled the bridge after %v", took)
	}
	if got := sw.Counts().FlowMods - mods; got == 0 {
		t.Error("who filled the bridge?")
	}
}

// All bridges of a host connect within milliseconds, and to compare one may take long: the others do not wait for that.
func TestABridgeThatComesWhileAnotherIsComparedDoesNotWait(t *testing.T) {
	c := start(t)
	c.later = view.BrTun
	first, second := make(chan struct{}), make(chan struct{})
	var dumps atomic.Int32
	c.intercept = func(_ openflow.Header, m openflow.Message) ([]byte, bool) {
		if r, ok := m.(*openflow.MultipartRequest); ok && r.Type == openflow.MultipartFlow {
			switch dumps.Add(1) {
			case 1:
				close(first)
				select { // the rows of the first bridge do not come before somebody has asked for those of the second
				case <-second:
				case <-c.ctx.Done():
				}
			case 2:
				close(second)
			}
		}
		return nil, false
	}
	h := c.host("compute1", "10.0.0.1")
	<-first
	go h.switches[view.BrTun].Dial(c.ctx, "tcp", c.openflow, 20*time.Millisecond)
	select {
	case <-second:
	case <-time.After(10 * time.Second):
		t.Fatal("the second bridge waits for the first")
	}
	c.settle()
}
