package bench

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
	"github.com/weft-sdn/weft/test/ovs"
)

// secured is one network with ports of one security group, some on host1 and some on host2, with an address of each family.
// The group's rules are those of the original's measurements: 7, with a range of ports and a remote group among them.
func secured(b *testing.B, here, there int) *viewtest.Cloud {
	b.Helper()
	c := viewtest.New(b)
	c.Host(1, map[string]uint32{"patch-tun": 1, "patch-int": 1, "vxlan-0a000002": 2})
	c.Host(2, map[string]uint32{"patch-tun": 1, "patch-int": 1, "vxlan-0a000001": 2})
	c.Network("net", model.VXLAN, 100, true)
	c.Carry("host1", "net", 1)
	c.Carry("host2", "net", 1)
	c.Group("web", 1, "egress ipv4", "egress ipv6", "ingress ipv4 icmp", "ingress ipv6 icmpv6", "ingress ipv4 tcp 22",
		"ingress ipv4 tcp 80-90 from 10.0.0.0/8", "ingress ipv4 udp from web")
	c.Change(func(tx viewtest.Tx) {
		tx.Put(&model.GroupSet{Key: "web", Number: 101})
		for i := range here + there {
			host := "host1"
			if i >= here {
				host = "host2"
			}
			securedPort(tx, i, host)
		}
	})
	return c
}

func securedPort(tx viewtest.Tx, i int, host string) {
	id := fmt.Sprintf("%08x-ffff-4000-8000-000000000000", i)
	tx.Put(&model.Port{
		Meta: model.Meta{ID: id}, NetworkID: "net", MAC: model.MAC{0xfa, 0x16, 0x3e, byte(i >> 16), byte(i >> 8), byte(i)}, AdminStateUp: true,
		PortSecurityEnabled: true, SecurityGroups: []string{"web"},
		FixedIPs: []model.FixedIP{{IP: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}, {IP: netip.AddrFrom16([16]byte{0xfd, 14: byte(i >> 8), 15: byte(i)})}},
	}, &model.Binding{PortID: id, NetworkID: "net", Host: host, OFPort: uint32(100 + i)})
}

// BenchmarkFirewallRows counts the rows of br-int for ports with security groups, against those of the original: 72 for
// each port with these 7 rules.
func BenchmarkFirewallRows(b *testing.B) {
	count := func(here int) int { return len(ofapps.RenderAll(secured(b, here, 0).Snapshot(), "host1")[view.BrInt]) }
	const original = 72
	base := count(0)
	fmt.Printf("%10s %10s %12s %12s %12s %8s\n", "ports", "rows", "a port", "a rule", "original's", "ratio")
	for _, n := range []int{10, 100, 1000} {
		rows := count(n) - base
		fmt.Printf("%10d %10d %12.1f %12.1f %12d %8.2f\n", n, rows, float64(rows)/float64(n), float64(ruleRows(b))/7, n*original, float64(rows)/float64(n*original))
	}
	for b.Loop() {
		count(100)
	}
}

// ruleRows is how many rows the 7 rules come to, for all ports of the host together.
func ruleRows(b *testing.B) int {
	s := secured(b, 1, 0).Snapshot()
	n := 0
	for _, p := range []view.Part{{Kind: view.GroupSetPart, ID: "web"}, {Kind: view.RemoteGroupPart, ID: "web"}} {
		n += len(ofapps.Render(s, "host1", p)[view.BrInt])
	}
	return n
}

// BenchmarkFirewallJoin is a member that joins a group of 2,000 which 500 ports of a host use: what the controller does for
// that host, up to the flow-mods.
func BenchmarkFirewallJoin(b *testing.B) {
	c := secured(b, 500, 1500)
	before, after, changes := c.Change(func(tx viewtest.Tx) { securedPort(tx, 3000, "host2") })
	n, start := 0, time.Now()
	for b.Loop() {
		n = len(differences(b, before, after, view.Affected(before, after, changes)["host1"]))
	}
	fmt.Printf("a member joins a group of 2,000 used by 500 ports: %d flow-mods, %v of one core\n", n, (time.Since(start) / time.Duration(b.N)).Round(time.Microsecond))
}

func differences(b *testing.B, before, after state.Snapshot, parts view.PartSet) []flow.Difference {
	b.Helper()
	was, is := ofapps.NewRenderer(before, "host1"), ofapps.NewRenderer(after, "host1")
	coder := flow.Coder{Version: openflow.V14}
	var all []flow.Difference
	render := func(r ofapps.Renderer, p view.Part) ofapps.Rows {
		out := ofapps.Rows{}
		r.Render(p, func(bridge string, rows []flow.Flow) { out[bridge] = append(out[bridge], rows...) })
		return out
	}
	for p := range parts {
		x, y := render(was, p), render(is, p)
		for _, bridge := range []string{view.BrInt, view.BrTun} {
			d, err := flow.Diff(&coder, x[bridge], y[bridge])
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, d...)
		}
	}
	return all
}

// BenchmarkFirewallReplaceRules replaces 100 rules of a group that 200 ports of the host use by 100 others, in one bundle.
// The reference is ovs-ofctl --bundle with the same difference.
func BenchmarkFirewallReplaceRules(b *testing.B) {
	c := secured(b, 200, 0)
	rules := func(first int) func(viewtest.Tx) {
		return func(tx viewtest.Tx) {
			for i := range 100 {
				proto, port := uint8(6), uint16(first+i)
				tx.Put(&model.SecurityGroupRule{Meta: model.Meta{ID: viewtest.RuleID(2, i)}, SecurityGroupID: "web", Direction: model.Ingress, EtherType: model.IPv4,
					Protocol: &proto, PortRangeMin: &port, PortRangeMax: &port})
			}
		}
	}
	_, odd, _ := c.Change(rules(1000))
	before, after, changes := c.Change(rules(2000))
	parts := view.Affected(before, after, changes)["host1"]
	there, back := differences(b, odd, after, parts), differences(b, after, odd, parts)

	sw := ovs.Start(b)
	sw.Vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure", "protocols=OpenFlow10,OpenFlow13,OpenFlow14")
	var lines strings.Builder
	for _, f := range ofapps.RenderAll(odd, "host1")[view.BrInt] {
		fmt.Fprintln(&lines, f)
	}
	sw.Ofctl("--bundle", "add-flows", "br0", write(b, "all", lines.String()))
	nc, err := net.Dial("unix", filepath.Join(sw.Dir, "br0.mgmt"))
	if err != nil {
		b.Fatal(err)
	}
	conn, err := (channel.Config{}).Handshake(b.Context(), nc)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()

	files := []string{write(b, "there", script(there)), write(b, "back", script(back))}
	var ours, theirs time.Duration
	n := 0
	for b.Loop() {
		for i, diffs := range [][]flow.Difference{there, back} {
			start := time.Now()
			var mods []openflow.FlowMod
			for _, d := range diffs {
				mods = append(mods, d.FlowMod())
			}
			if err := conn.Bundle(b.Context(), mods); err != nil {
				b.Fatal(err)
			}
			ours += time.Since(start)
			// The same once more, back and forth, by the reference.
			sw.Ofctl("--bundle", "add-flows", "br0", files[1-i])
			start = time.Now()
			sw.Ofctl("--bundle", "add-flows", "br0", files[i])
			theirs += time.Since(start)
			n++
		}
	}
	fmt.Printf("100 rules replaced for 200 ports: %d flow-mods, %v; ovs-ofctl --bundle %v; ratio %.2f\n", len(there),
		(ours / time.Duration(n)).Round(time.Microsecond), (theirs / time.Duration(n)).Round(time.Microsecond), float64(ours)/float64(theirs))
}

// script spells differences as ovs-ofctl reads them.
func script(diffs []flow.Difference) string {
	var b strings.Builder
	for _, d := range diffs {
		if d.Kind == flow.Foreign {
			fmt.Fprintf(&b, "delete_strict table=%d,priority=%d,%s\n", d.Flow.Table, d.Flow.Priority, d.Flow.Match)
			continue
		}
		fmt.Fprintf(&b, "add %s\n", d.Flow)
	}
	return b.String()
}

func write(b *testing.B, name, text string) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}
