package ofapps

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// members is one network with ports of web, as many of them on host1 and host2 as given, all with an address of each family.
func members(t viewtest.T, onHost1, onHost2 int) *viewtest.Cloud {
	c := viewtest.New(t)
	c.Host(1, host1Ports())
	c.Host(2, map[string]uint32{"patch-tun": 1, "patch-int": 1, "vxlan-0a000001": 2})
	c.Network(red, model.VXLAN, 100, true)
	c.Carry("host1", red, 1)
	c.Carry("host2", red, 1)
	groups(c)
	c.Change(func(tx viewtest.Tx) {
		tx.Put(&model.GroupSet{Key: web, Number: 101})
		for i := range onHost1 + onHost2 {
			host := "host1"
			if i >= onHost1 {
				host = "host2"
			}
			member(tx, i, host)
		}
	})
	return c
}

func member(tx viewtest.Tx, i int, host string) {
	id := fmt.Sprintf("%08x-ffff-4000-8000-000000000000", i)
	tx.Put(&model.Port{
		Meta: model.Meta{ID: id}, NetworkID: red, MAC: model.MAC{0xfa, 0x16, 0x3e, byte(i >> 16), byte(i >> 8), byte(i)}, AdminStateUp: true,
		PortSecurityEnabled: true, SecurityGroups: []string{web},
		FixedIPs: []model.FixedIP{{IP: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}, {IP: netip.AddrFrom16([16]byte{0xfd, 14: byte(i >> 8), 15: byte(i)})}},
	}, &model.Binding{PortID: id, NetworkID: red, Host: host, OFPort: uint32(100 + i)})
}

// original is how many rows of br-int a port with 7 rules has in the original (neutron.md, 0.6).
const original = 72

func TestFirewallIsAtMostHalfOfTheOriginal(t *testing.T) {
	base := len(RenderAll(members(t, 0, 0).Snapshot(), "host1")[view.BrInt])
	for _, n := range []int{10, 100, 1000} {
		rows := len(RenderAll(members(t, n, 0).Snapshot(), "host1")[view.BrInt]) - base
		t.Logf("%d ports: %d rows, %.1f a port", n, rows, float64(rows)/float64(n))
		if rows > n*original/2 {
			t.Errorf("%d ports with 7 rules have %d rows, more than half of the original's %d", n, rows, n*original)
		}
	}
}

// A rule that names a group has two rows, one for what it allows and one for the answers, and each address in the group has two,
// for all rules: a sum. In the original it was n×m.
func TestMembersTimesRulesIsASum(t *testing.T) {
	const clients = db
	rows := func(n, m int) int {
		c := members(t, 1, 0)
		c.Group(clients, 9)
		c.Change(func(tx viewtest.Tx) {
			for i := range n {
				tx.Put(&model.Port{Meta: model.Meta{ID: fmt.Sprintf("client%d", i)}, NetworkID: blue, AdminStateUp: true, PortSecurityEnabled: true,
					SecurityGroups: []string{clients}, FixedIPs: []model.FixedIP{{IP: netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)})}}})
			}
		})
		for i := range m {
			c.Rule(fmt.Sprintf("names%d", i), web, fmt.Sprintf("ingress ipv4 tcp %d from %s", 2000+2*i, clients))
		}
		return len(RenderAll(c.Snapshot(), "host1")[view.BrInt])
	}
	const each = 2
	one := rows(10, 1)
	for _, n := range []int{10, 11, 20, 50, 100, 200, 500, 1000} {
		for m := 1; m <= 20; m++ {
			if got, want := rows(n, m), one+each*(n-10)+each*(m-1); got != want {
				t.Errorf("%d members and %d rules that name their group: %d rows, want %d", n, m, got, want)
			}
		}
	}
	t.Logf("%d members, %d rules: %d rows, of which %d are neither's", 1000, 20, rows(1000, 20), one-each*(10+1))
}

// mods are the flow-mods of a change on a host.
func mods(t testing.TB, before, after state.Snapshot, parts view.PartSet, host string) (n int) {
	was, is := NewRenderer(before, host), NewRenderer(after, host)
	coder := flow.Coder{Version: openflow.V14}
	for p := range parts {
		b, a := Rows{}, Rows{}
		was.Render(p, b.add)
		is.Render(p, a.add)
		for _, bridge := range []string{view.BrInt, view.BrTun} {
			diffs, err := flow.Diff(&coder, b[bridge], a[bridge])
			if err != nil {
				t.Fatal(err)
			}
			n += len(diffs)
		}
	}
	return n
}

// The original made hundreds of calls when a member joined a large group, and the host stood still.
func TestMemberThatJoinsIsAHandfulOfFlowMods(t *testing.T) {
	c := members(t, 500, 1500)
	before, after, changes := c.Change(func(tx viewtest.Tx) { member(tx, 3000, "host2") })
	told := view.Affected(before, after, changes)
	n := mods(t, before, after, told["host1"], "host1")
	t.Logf("a member of a group of 2,000 that 500 ports use joins: %d flow-mods on their host, from %v", n, told["host1"].Sorted())
	if n == 0 || n > 10 {
		t.Error("that is none, or more than a handful")
	}
	// One that is no neighbour, but in the group.
	before, after, changes = c.Change(func(tx viewtest.Tx) {
		p := *c.Snapshot().Port("00000bb8-ffff-4000-8000-000000000000")
		p.ID, p.NetworkID = "far", "elsewhere"
		p.FixedIPs = []model.FixedIP{{IP: netip.MustParseAddr("10.77.0.1")}}
		tx.Put(&p)
	})
	told = view.Affected(before, after, changes)
	if n := mods(t, before, after, told["host1"], "host1"); n != 2 {
		t.Errorf("an address joins the group: %d flow-mods, want one for packets and one for answers to them, from %v", n, told["host1"].Sorted())
	}
}

// BenchmarkMemberJoins is all that a controller does for host1 when a member joins a group of 2,000 that 500 of its ports
// use, but for sending it.
func BenchmarkMemberJoins(b *testing.B) {
	c := members(b, 500, 1500)
	before, after, changes := c.Change(func(tx viewtest.Tx) { member(tx, 3000, "host2") })
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n = mods(b, before, after, view.Affected(before, after, changes)["host1"], "host1")
	}
	b.ReportMetric(float64(n), "flow-mods")
}

// BenchmarkRuleChanges is the same when a rule of that group changes.
func BenchmarkRuleChanges(b *testing.B) {
	c := members(b, 500, 1500)
	before, after, changes := c.Change(func(tx viewtest.Tx) {
		r := *c.Snapshot().SecurityGroupRule(viewtest.RuleID(1, 5))
		port := uint16(2222)
		r.PortRangeMin, r.PortRangeMax = &port, &port
		tx.Put(&r)
	})
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n = mods(b, before, after, view.Affected(before, after, changes)["host1"], "host1")
	}
	b.ReportMetric(float64(n), "flow-mods")
}

// BenchmarkPortPlugged is the same when a port with the group appears on the host that has 500 already.
func BenchmarkPortPlugged(b *testing.B) {
	c := members(b, 500, 1500)
	before, after, changes := c.Change(func(tx viewtest.Tx) { member(tx, 3000, "host1") })
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n = mods(b, before, after, view.Affected(before, after, changes)["host1"], "host1")
	}
	b.ReportMetric(float64(n), "flow-mods")
}
