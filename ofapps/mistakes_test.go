package ofapps

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// Mistakes of the original that must not be made again. The first of them, gateway MACs that are chosen by VLAN and MAC
// without the address family, is about tables 1 and 2 of br-int, which hold nothing yet but the rows that drop.

// whole is all rows of some hosts as texts.
func whole(s state.Snapshot, hosts ...string) map[string][]string {
	out := map[string][]string{}
	for _, h := range hosts {
		for bridge, rows := range RenderAll(s, h) {
			out[h+" "+bridge] = texts(rows)
		}
	}
	return out
}

// Agents that started at the same instant did not hear of each other's DVR MACs, and nobody listed them again. Here rows
// follow from which hosts exist, not from who was told when.
func TestMistakeDVRMACsLostWhenHostsStartTogether(t *testing.T) {
	hosts := []byte{1, 2, 3}
	var first map[string][]string
	for _, order := range [][]byte{{1, 2, 3}, {3, 2, 1}, {2, 1, 3}} {
		c := viewtest.New(t)
		for _, n := range order {
			c.Host(n, host1Ports())
		}
		s := c.Snapshot()
		for _, n := range hosts {
			for _, peer := range hosts {
				dm := fmt.Sprintf("dl_src=fa:16:3f:00:00:%02x", peer)
				for _, bridge := range []string{view.BrInt, view.BrTun, "br-ex"} {
					found := slices.ContainsFunc(RenderAll(s, fmt.Sprintf("host%d", n))[bridge], func(f flow.Flow) bool {
						return strings.Contains(f.String(), dm)
					})
					if found != (n != peer) {
						t.Errorf("order %v: %s of host%d has a row for the DVR MAC of host%d: %v", order, bridge, n, peer, found)
					}
				}
			}
		}
		all := whole(s, "host1", "host2", "host3")
		if first == nil {
			first = all
		}
		if d := cmp.Diff(first, all); d != "" {
			t.Errorf("order %v (-order 1 2 3, +this):\n%s", order, d)
		}
	}
}

// A delete that named another table than the add left a row to a port that was gone, whose number the next port got.
func TestMistakeRowOfAPortThatIsGone(t *testing.T) {
	c := tenants(t)
	s := c.Snapshot()
	named := func(s state.Snapshot, bridge, what string) (rows []string) {
		for _, f := range RenderAll(s, "host1")[bridge] {
			for _, w := range strings.FieldsFunc(f.Line(), func(r rune) bool { return r == ',' || r == ' ' }) {
				if w == what || strings.HasSuffix(w, "="+what) {
					rows = append(rows, f.Line())
				}
			}
		}
		return rows
	}
	if len(named(s, view.BrInt, "in_port=11")) == 0 || len(named(s, view.BrTun, "output:3")) == 0 || len(named(s, view.BrTun, "in_port=3")) == 0 {
		t.Fatal("the rows that this is about are not there to begin with")
	}
	_, s, _ = c.Change(func(tx viewtest.Tx) {
		// The port's interface goes, and so does the tunnel to host3.
		tx.Delete(state.Bindings, portID(1))
		f := *s.HostFacts("host1")
		f.Ports = host1Ports()
		delete(f.Ports, "vxlan-0a000003")
		tx.Put(&f)
	})
	for _, gone := range []struct{ bridge, what string }{
		{view.BrInt, "in_port=11"}, {view.BrTun, "output:3"}, {view.BrTun, "actions=output:3"}, {view.BrTun, "in_port=3"},
	} {
		if rows := named(s, gone.bridge, gone.what); rows != nil {
			t.Errorf("%s still says %s: %q", gone.bridge, gone.what, rows)
		}
	}
}

// The firewall's wildcard deletes removed rows of the routers. Here a row is rendered by one part and no other, so that
// whoever takes his rows away takes nobody else's.
func TestMistakeRowsWithTwoOwners(t *testing.T) {
	eachScenario(t, func(t *testing.T, s state.Snapshot) {
		owner := map[string]view.Part{}
		for p := range view.Parts(s, "host1") {
			for bridge, rows := range Render(s, "host1", p) {
				for _, f := range rows {
					k := fmt.Sprintf("%s table %d priority %d %s", bridge, f.Table, f.Priority, f.Match)
					if q, taken := owner[k]; taken {
						t.Errorf("%s is wanted by %v and by %v", k, q, p)
					}
					owner[k] = p
				}
			}
		}
	})
}

// Rows leaked because what was installed and what was removed were computed from different things. Here nobody computes a
// delete: when what made rows come is gone, so are the rows, to the last.
func TestMistakeRemovalThatIsNotTheReverseOfAddition(t *testing.T) {
	hosts := []string{"host1", "host2", "host3"}
	for _, c := range []struct {
		name     string
		add, del func(viewtest.Tx)
	}{
		{"port with many addresses", func(tx viewtest.Tx) {
			tx.Put(&model.Port{
				Meta: model.Meta{ID: "new"}, NetworkID: red, MAC: viewtest.MAC(9), AdminStateUp: true,
				FixedIPs: []model.FixedIP{{IP: netip.MustParseAddr("10.1.0.9")}, {IP: netip.MustParseAddr("10.1.0.10")}, {IP: netip.MustParseAddr("fd00::9")}},
			}, &model.Binding{PortID: "new", NetworkID: red, Host: "host2", OFPort: 30})
		}, func(tx viewtest.Tx) {
			tx.Delete(state.Bindings, "new")
			tx.Delete(state.Ports, "new")
		}},
		{"network that comes to a host with a port", func(tx viewtest.Tx) {
			tx.Put(&model.LocalVLAN{Host: "host3", NetworkID: blue, VLAN: 9},
				&model.Port{Meta: model.Meta{ID: "new"}, NetworkID: blue, MAC: viewtest.MAC(9), AdminStateUp: true},
				&model.Binding{PortID: "new", NetworkID: blue, Host: "host3", OFPort: 30})
		}, func(tx viewtest.Tx) {
			tx.Delete(state.Bindings, "new")
			tx.Delete(state.Ports, "new")
			tx.Delete(state.LocalVLANs, "host3/"+blue)
		}},
		{"host", func(tx viewtest.Tx) {
			tx.Put(&model.Host{Meta: model.Meta{ID: "host4"}, Number: 4, DVRMAC: viewtest.DVRMAC(4)},
				&model.HostFacts{Host: "host4", TunnelIP: netip.MustParseAddr("10.0.0.4")},
				&model.LocalVLAN{Host: "host4", NetworkID: red, VLAN: 3})
		}, func(tx viewtest.Tx) {
			tx.Delete(state.LocalVLANs, "host4/"+red)
			tx.Delete(state.HostFacts, "host4")
			tx.Delete(state.Hosts, "host4")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := tenants(t)
			before, added, came := cl.Change(c.add)
			_, after, went := cl.Change(c.del)
			if cmp.Equal(whole(before, hosts...), whole(added, hosts...)) {
				t.Fatal("the addition changed nothing")
			}
			if d := cmp.Diff(whole(before, hosts...), whole(after, hosts...)); d != "" {
				t.Errorf("rows that stayed or went (-before +after):\n%s", d)
			}
			// And whoever was told of the addition is told of the removal.
			if d := cmp.Diff(view.Affected(before, added, came), view.Affected(added, after, went)); d != "" {
				t.Errorf("told of (-addition +removal):\n%s", d)
			}
		})
	}
}
