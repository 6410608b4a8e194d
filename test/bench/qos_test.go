package bench

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
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

// policy limits bits and packets in both directions and marks, with some kbit/s.
func policy(kbps uint32) *model.QoSPolicy {
	q := &model.QoSPolicy{Meta: model.Meta{ID: "90500000-0000-4000-8000-000000000001"}, Rules: []model.QoSRule{{Type: model.DSCPMarking, Direction: model.Egress, DSCPMark: 46}}}
	for _, direction := range []string{model.Egress, model.Ingress} {
		q.Rules = append(q.Rules, model.QoSRule{Type: model.BandwidthLimit, Direction: direction, MaxKbps: kbps},
			model.QoSRule{Type: model.PacketRateLimit, Direction: direction, MaxKpps: 1})
	}
	return q
}

// limited is secured, and the network has a policy.
func limited(tx viewtest.Tx, s state.Snapshot, kbps uint32) {
	q := policy(kbps)
	n := *s.Network("net")
	n.QoSPolicyID = q.ID
	tx.Put(q, &n)
}

// meters are those of the host's ports.
func meters(s state.Snapshot, parts view.PartSet) (out []flow.Meter) {
	for p := range parts {
		out = append(out, ofapps.Meters(s, "host1", p)...)
	}
	slices.SortFunc(out, func(a, b flow.Meter) int { return int(a.ID) - int(b.ID) })
	return out
}

func allParts(s state.Snapshot) view.PartSet {
	out := view.PartSet{}
	for p := range view.Parts(s, "host1") {
		out[p] = struct{}{}
	}
	return out
}

// BenchmarkQoSRows counts the rows and meters that a policy costs, judged ports with security groups having it all: limits of bits and
// of packets in both directions, and a mark.
func BenchmarkQoSRows(b *testing.B) {
	fmt.Printf("%10s %12s %12s %12s %12s\n", "ports", "rows without", "with", "more a port", "meters")
	for _, n := range []int{10, 100, 1000} {
		c := secured(b, n, 0)
		without := len(ofapps.RenderAll(c.Snapshot(), "host1")[view.BrInt])
		_, s, _ := c.Change(func(tx viewtest.Tx) { limited(tx, c.Snapshot(), 1000) })
		with := len(ofapps.RenderAll(s, "host1")[view.BrInt])
		fmt.Printf("%10d %12d %12d %12.1f %12d\n", n, without, with, float64(with-without)/float64(n), len(meters(s, allParts(s))))
	}
	for b.Loop() {
	}
}

// BenchmarkQoSPolicy changes the rate of a policy that 200 ports have, and gives the policy to them all: what the controller computes, and
// what it tells the switch. The reference is ovs-ofctl with the same meters, which it takes one at a time, and the same rows in one bundle.
func BenchmarkQoSPolicy(b *testing.B) {
	c := secured(b, 200, 0)
	none := c.Snapshot()
	_, slow, changes := c.Change(func(tx viewtest.Tx) { limited(tx, none, 1000) })
	come := view.Affected(none, slow, changes)["host1"]
	_, fast, changes := c.Change(func(tx viewtest.Tx) { tx.Put(policy(2000)) })
	change := view.Affected(slow, fast, changes)["host1"]

	sw := ovs.Start(b)
	sw.Vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure", "protocols=OpenFlow10,OpenFlow13,OpenFlow14")
	var lines strings.Builder
	for _, f := range ofapps.RenderAll(none, "host1")[view.BrInt] {
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
	tell := func(command openflow.MeterCommand, list []flow.Meter) {
		var mods []openflow.Message
		for _, m := range list {
			mods = append(mods, m.Mod(command))
		}
		if err := conn.Tell(b.Context(), mods...); err != nil {
			b.Fatal(err)
		}
	}
	bundle := func(diffs []flow.Difference) {
		var mods []openflow.FlowMod
		for _, d := range diffs {
			mods = append(mods, d.FlowMod())
		}
		if err := conn.Bundle(b.Context(), mods); err != nil {
			b.Fatal(err)
		}
	}
	ofctl := func(command string, list []flow.Meter) {
		for _, m := range list {
			text := strings.Replace(m.String(), ",rate=", ",band=type=drop,rate=", 1)
			if command == "del-meter" {
				text = fmt.Sprintf("meter=%d", m.ID)
			}
			sw.Ofctl("-OOpenFlow13", command, "br0", text)
		}
	}
	there, back := differences(b, none, slow, come), differences(b, slow, none, come)
	files := []string{write(b, "there", script(there)), write(b, "back", script(back))}
	var compute, changed, changedBy, came, cameBy []time.Duration
	since := func(list *[]time.Duration, start time.Time) { *list = append(*list, time.Since(start)) }
	count, rows := 0, len(there)
	for b.Loop() {
		wanted := meters(slow, come)
		start := time.Now()
		tell(openflow.MeterAdd, wanted)
		bundle(there)
		since(&came, start)

		start = time.Now()
		before, after := meters(slow, change), meters(fast, change)
		after = slices.DeleteFunc(after, func(m flow.Meter) bool { return slices.Contains(before, m) })
		if n := len(differences(b, slow, fast, change)); n != 0 {
			b.Fatalf("another rate changes %d rows", n)
		}
		since(&compute, start)
		start = time.Now()
		tell(openflow.MeterModify, after)
		since(&changed, start)
		count = len(after)
		if got := strings.Count(sw.Ofctl("-OOpenFlow13", "dump-meters", "br0"), "rate=2000"); got != count {
			b.Fatalf("%d meters have the new rate, want %d", got, count)
		}
		start = time.Now()
		ofctl("mod-meter", after)
		since(&changedBy, start)

		bundle(back)
		tell(openflow.MeterDelete, wanted)
		start = time.Now()
		ofctl("add-meter", wanted)
		sw.Ofctl("--bundle", "-OOpenFlow13", "add-flows", "br0", files[0])
		since(&cameBy, start)
		sw.Ofctl("--bundle", "-OOpenFlow13", "add-flows", "br0", files[1])
		tell(openflow.MeterDelete, wanted)
	}
	show := func(what string, ours, theirs []time.Duration) {
		x, y := slices.Min(ours), slices.Min(theirs)
		fmt.Printf("%s: %v; ovs-ofctl %v; ratio %.3f\n", what, x.Round(10*time.Microsecond), y.Round(time.Millisecond), float64(x)/float64(y))
	}
	show(fmt.Sprintf("another rate of a policy of 200 ports: %d meters, 0 rows", count), changed, changedBy)
	fmt.Printf("the controller's work for that: %v of one core\n", slices.Min(compute).Round(10*time.Microsecond))
	show(fmt.Sprintf("a policy comes to 200 ports: %d meters, %d flow-mods", 4*200, rows), came, cameBy)
}
