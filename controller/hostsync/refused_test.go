package hostsync

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// What a host refuses is counted by direction, and goes on where it was when the row that counts is made anew.
func TestRefusedPacketsAreCounted(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.AuditInterval = 20 * time.Millisecond })
	sw := c.host("host1", "10.0.0.1").switches[view.BrInt]
	c.settle()
	counts := func(direction string, n float64) {
		t.Helper()
		c.await("it is counted", func() bool {
			return testutil.ToFloat64(c.fleet.metrics.packets.WithLabelValues("host1", direction)) == n
		})
	}
	sent, heard := brint.Drops()
	sw.Hit(sent.Table, sent.Priority, 7)
	sw.Hit(heard.Table, heard.Priority, 100)
	counts(model.Egress, 7)
	counts(model.Ingress, 100)
	sw.Hit(heard.Table, heard.Priority, 5)
	counts(model.Ingress, 105)

	if err := sw.Change(flow.Difference{Kind: flow.Foreign, Flow: heard}.FlowMod()); err != nil {
		t.Fatal(err)
	}
	c.settle()
	dumps := sw.Counts().Dumps
	c.await("the new row was seen", func() bool { return sw.Counts().Dumps > dumps+1 })
	sw.Hit(heard.Table, heard.Priority, 3)
	counts(model.Ingress, 108)
	counts(model.Egress, 7)
	// The rows of other tables refuse nobody.
	sw.Hit(brint.RulesIngress.ID, heard.Priority, 1000)
	dumps = sw.Counts().Dumps
	c.await("it was seen", func() bool { return sw.Counts().Dumps > dumps+1 })
	counts(model.Ingress, 108)
}
