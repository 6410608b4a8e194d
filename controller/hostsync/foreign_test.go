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
	outlived := flow.Cookie(flow.LearnedCookie, "11111111-1111-4111-8111-111111111111")
	if err := sw.Change(openflow.FlowMod{Command: openflow.FlowDelete, Table: 20, BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny},
		strange(0xdef0, 22), strange(outlived, 20)); err != nil {
		t.Fatal(err)
	}
	c.settle()
	if has(sw, 0xdef0) || has(sw, outlived) || !slices.ContainsFunc(sw.Flows(), func(f fakeswitch.Flow) bool { return f.Cookie == flow.Cookie(flow.PortCookie, p2.ID) }) {
		t.Errorf("rows: %v", sw.Flows())
	}
	// The row of the port on the other host, the table's last, the stranger's, and one that was learned of a network that is gone.
	c.await("four repairs are told", func() bool { return len(c.events("DriftRepaired")) == 4 })
	c.await("and counted", func() bool {
		return slices.ContainsFunc(c.fleet.Host("compute1").Bridges, func(b report.Bridge) bool { return b.Name == "br-tun" && b.DriftRepaired == 4 })
	})
	for _, e := range c.events("DriftRepaired") {
		if !strings.HasPrefix(e.Message, "br-tun of compute1: a row ") {
			t.Errorf("told: %q", e.Message)
		}
	}
}

// A switch may learn once more from packets that came before its table changed, and then has a row that nothing removes. Such
// rows go; those of a network that learns, into a tunnel that is there, stay.
func TestLearnedRowsThatOutliveTheirReason(t *testing.T) {
	c := start(t)
	net, _, _ := blue(c)
	learn := func(on bool) {
		t.Helper()
		c.update(func(tx *store.Tx) error {
			n := *net
			n.L2Population = !on
			_, err := tx.UpdateNetwork(&n, 0)
			return err
		})
		c.settle()
	}
	learn(true)
	sw := c.hosts["compute1"].switches["br-tun"]
	snap, _ := c.store.Snapshot()
	vlan := snap.LocalVLAN("compute1", net.ID).VLAN
	tunnel := snap.HostFacts("compute1").Ports["vxlan-0a000002"]
	if vlan == 0 || tunnel == 0 {
		t.Fatalf("VLAN %d, tunnel port %d", vlan, tunnel)
	}
	row := func(n int, network string, vlan uint16, port uint32) string {
		return fmt.Sprintf("cookie=%#x, table=20, hard_timeout=300, priority=1,vlan_tci=%#04x/0x0fff,dl_dst=02:00:00:00:00:%02x actions=load:0->NXM_OF_VLAN_TCI[],load:%#x->NXM_NX_TUN_ID[],output:%d",
			flow.Cookie(flow.LearnedCookie, network), vlan, n, snap.Network(net.ID).SegmentID, port)
	}
	// Right; of another VLAN; into a port that is not there; of a network that is not there.
	rows := []string{row(1, net.ID, vlan, tunnel), row(2, net.ID, vlan+1, tunnel), row(3, net.ID, vlan, tunnel+10), row(4, "11111111-1111-4111-8111-111111111111", vlan, tunnel)}
	teach := func() {
		t.Helper()
		var mods []openflow.FlowMod
		for _, r := range rows {
			f, err := openflow.ParseFlow(r)
			if err != nil {
				t.Fatal(err)
			}
			mods = append(mods, openflow.FlowMod{Command: openflow.FlowAdd, Table: f.Table, Priority: f.Priority, Cookie: f.Cookie, HardTimeout: f.HardTimeout,
				Match: f.Match, Actions: f.Actions, BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny})
		}
		if err := sw.Change(mods...); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (out []int) {
		for _, f := range sw.Flows() {
			if flow.Learned(f.Cookie) {
				m := f.Match.String()
				out = append(out, int(m[len(m)-1]-'0'))
			}
		}
		slices.Sort(out)
		return out
	}
	teach()
	c.await("only the first row is left", func() bool { return slices.Equal(left(), []int{1}) })

	// As delete_learned does.
	if err := sw.Change(openflow.FlowMod{Command: openflow.FlowDelete, Table: 20, Cookie: flow.Cookie(flow.LearnedCookie, net.ID), CookieMask: ^uint64(0),
		BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}); err != nil {
		t.Fatal(err)
	}
	learn(false)
	teach()
	c.await("no row is left", func() bool { return len(left()) == 0 })
}
