package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/test/fakeagent"
)

// fill makes one network with n ports on the last host, and one on the first, which then has rows for all the others.
func (c *cloud) fill(n int) {
	c.b.Helper()
	nw := c.network()
	plug := func(h *host, count int) {
		var ifaces []fakeagent.Interface
		if _, err := c.store.Update(c.ctx, func(tx *store.Tx) error {
			ifaces = ifaces[:0]
			for range count {
				p, err := tx.CreatePort(&model.Port{NetworkID: nw.ID, AdminStateUp: true})
				if err != nil {
					return err
				}
				ifaces = append(ifaces, fakeagent.Interface{Name: "tap" + p.ID[:11], IfaceID: p.ID, MAC: p.MAC.String()})
			}
			return nil
		}); err != nil {
			c.b.Fatal(err)
		}
		if err := h.agent.Plug(ifaces...); err != nil {
			c.b.Fatal(err)
		}
	}
	plug(c.hosts[0], 1)
	for done := 0; done < n; done += 1000 {
		plug(c.hosts[len(c.hosts)-1], min(1000, n-done))
	}
	c.await("all ports are ACTIVE", func() bool {
		s, _ := c.store.Snapshot()
		return s.Len("portstates") == n+1
	})
	_, rev := c.store.Snapshot()
	c.applied(rev)
}

// BenchmarkReconcile compares a real bridge of 50,000 and 100,000 rows, all of them right, with what is wanted: the work
// of a reconnect and of an audit. The reference is ovs-ofctl, which reads and prints the same rows.
func BenchmarkReconcile(b *testing.B) {
	fmt.Printf("%10s %12s %12s %8s %14s\n", "rows", "compare", "ovs-ofctl", "ratio", "flow-mods")
	for _, ports := range []int{25000, 50000} {
		c := newCloud(b, 1, 1)
		c.fill(ports)
		real := c.hosts[0]
		rows, mods := 0, int64(0)
		for _, br := range c.fleet.Host(real.name).Bridges {
			rows, mods = rows+br.Flows, mods+br.FlowMods
		}
		var ours, theirs []time.Duration
		for range 7 {
			begin := time.Now()
			diffs, err := c.fleet.Drift(c.ctx, real.name)
			ours = append(ours, time.Since(begin))
			if err != nil || len(diffs) > 0 {
				b.Fatalf("%d differences, %v", len(diffs), err)
			}
			begin = time.Now()
			real.ovs.Ofctl("-O", "OpenFlow13", "dump-flows", "br-tun")
			theirs = append(theirs, time.Since(begin))
		}
		slices.Sort(ours)
		slices.Sort(theirs)
		after := int64(0)
		for _, br := range c.fleet.Host(real.name).Bridges {
			after += br.FlowMods
		}
		fmt.Printf("%10d %12v %12v %8.2f %14d\n", rows, ours[3].Round(time.Millisecond), theirs[3].Round(time.Millisecond),
			float64(ours[3])/float64(theirs[3]), after-mods)
	}
	b.ReportMetric(0, "ns/op")
}
