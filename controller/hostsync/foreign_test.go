package hostsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/fakeagent"
	"github.com/weft-sdn/weft/test/fakeswitch"
)

// strange is a row that somebody else adds.
func strange(cookie uint64, table uint8) openflow.FlowMod {
	return openflow.FlowMod{Command: openflow.FlowAdd, Table: table, Priority: 777, Cookie: cookie, BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}
}

// has says whether a switch has a row of that cookie.
func has(sw *fakeswitch.Switch, cookie uint64) bool {
	return slices.ContainsFunc(sw.Flows(), func(f fakeswitch.Flow) bool { return f.Cookie == cookie })
}

// Foreign rows: on br-int and br-tun they go, unless their cookie is tolerated; on the bridge of a physical network, which
// others use too, they stay. What stays is listed as drift, with the reason.
func TestForeignRows(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Tolerated = []CookieMask{{Value: 0xabc0, Mask: 0xfff0}} })
	h := c.add(&fakeagent.Agent{Host: "compute1", TunnelIP: "10.0.0.1", BridgeMappings: map[string]string{"physnet1": "br-ex"}})
	c.update(func(tx *store.Tx) error {
		_, err := tx.CreateNetwork(&model.Network{Type: model.VLAN, PhysicalNetwork: "physnet1", SegmentID: 100, AdminStateUp: true})
		return err
	})
	c.settle()
	const tolerated, stranger = 0xabc7, 0xdef0
	for _, sw := range h.switches {
		// The whole bridge is compared before the stranger's row goes.
		if err := sw.Change(strange(tolerated, 0), strange(stranger, 22)); err != nil {
			t.Fatal(err)
		}
	}
	for _, bridge := range []string{"br-int", "br-tun"} {
		c.await(bridge+" has lost the stranger's row", func() bool { return !has(h.switches[bridge], stranger) })
	}
	drift, err := c.fleet.Drift(c.ctx, "compute1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range drift {
		got = append(got, fmt.Sprintf("%s %s %#x: %s", d.Bridge, d.Kind, d.Cookie, d.Action))
	}
	slices.Sort(got)
	want := []string{
		"br-ex foreign 0xabc7: left alone: br-ex is shared",
		"br-ex foreign 0xdef0: left alone: br-ex is shared",
		"br-int foreign 0xabc7: left alone: its cookie is on the tolerated list",
		"br-tun foreign 0xabc7: left alone: its cookie is on the tolerated list",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("drift (-want +got):\n%s", d)
	}
	for bridge, sw := range h.switches {
		if !has(sw, tolerated) || has(sw, stranger) != (bridge == "br-ex") {
			t.Errorf("%s: tolerated row %t, stranger's %t", bridge, has(sw, tolerated), has(sw, stranger))
		}
	}
	if events := c.events("DriftRepaired"); len(events) != 2 {
		t.Errorf("repairs that were told: %v", events)
	}
}

// A switch that announces nothing of what others do is compared as a whole from time to time: what is missing comes back,
// and what is foreign goes, is counted and told.
func TestAuditRepairsWhatNobodyAnnounced(t *testing.T) {
	silent := func(c *cloud) {
		c.intercept = func(h openflow.Header, m openflow.Message) ([]byte, bool) {
			if r, ok := m.(*openflow.MultipartRequest); ok && r.Type == openflow.MultipartFlowMonitor {
				return (&openflow.MultipartReply{Multipart: openflow.Multipart{Type: r.Type}}).Append(nil, h.Version, h.XID), true
			}
			return nil, false
		}
	}
	c := start(t, func(cfg *Config) { cfg.AuditInterval = 100 * time.Millisecond })
	silent(c)
	_, _, p2 := blue(c)
	sw := c.hosts["compute1"].switches["br-tun"]
	if err := sw.Change(openflow.FlowMod{Command: openflow.FlowDelete, Table: 20, BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}, strange(0xdef0, 22)); err != nil {
		t.Fatal(err)
	}
	c.settle()
	if has(sw, 0xdef0) || !slices.ContainsFunc(sw.Flows(), func(f fakeswitch.Flow) bool { return f.Cookie == flow.Cookie(flow.PortCookie, p2.ID) }) {
		t.Errorf("rows: %v", sw.Flows())
	}
	// The row of the port on the other host, the table's last, and the stranger's.
	c.await("three repairs are told", func() bool { return len(c.events("DriftRepaired")) == 3 })
	c.await("and counted", func() bool {
		return slices.ContainsFunc(c.fleet.Host("compute1").Bridges, func(b report.Bridge) bool { return b.Name == "br-tun" && b.DriftRepaired == 3 })
	})
	for _, e := range c.events("DriftRepaired") {
		if !strings.HasPrefix(e.Message, "br-tun of compute1: a row ") {
			t.Errorf("told: %q", e.Message)
		}
	}
}
