package ofapps

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// The original's firewall removed rows of the routers. Here 1,000 changes of rules, groups and their members (10 for each
// check) change no row that is another's: only a port's own, and those of the firewall's tables. What limits a port, and marks
// what it sends, stays as it is, too.
func TestFirewallTouchesNothingElse(t *testing.T) {
	limited := false
	rapid.Check(t, func(rt *rapid.T) {
		c := viewtest.New(rt)
		w := viewtest.Walk{T: rt, Ports: []string{"patch-tun", "patch-int", "int-br-ex", "phy-br-ex", "vxlan-0a000001", "vxlan-0a000002", "vxlan-0a000003"}}
		c.Change(w.Begin)
		_, first, _ := c.Change(w.BeginQoS)
		before := others(first, w.Hosts())
		limited = limited || slices.ContainsFunc(before["h1 "+view.BrInt], func(row string) bool { return strings.Contains(row, "meter:") })
		for range 10 {
			_, after, changes := c.Change(w.RulesStep)
			if d := cmp.Diff(before, others(after, w.Hosts())); d != "" {
				rt.Fatalf("(-before +after):\n%s\nchanges: %s", d, viewtest.Tell(changes))
			}
		}
	})
	if !limited {
		t.Error("no port was limited")
	}
}

// others are the rows of all bridges that are neither in the firewall's tables nor a port's own. What is sent within its limits goes
// on to the firewall, or past it: where to is not looked at.
func others(s state.Snapshot, hosts []string) map[string][]string {
	out := map[string][]string{}
	for _, h := range hosts {
		for bridge, rows := range RenderAll(s, h) {
			var kept []flow.Flow
			for _, f := range rows {
				kind, _, _ := flow.ParseCookie(f.Cookie)
				firewalls := f.Table >= brint.BaseEgress.ID && f.Table < brint.Apart.ID
				if n := len(f.Actions); bridge == view.BrInt && f.Table == brint.QosEgress.ID && n > 0 {
					f.Actions = f.Actions[:n-1]
				}
				if bridge != view.BrInt || !firewalls && kind != flow.PortCookie {
					kept = append(kept, f)
				}
			}
			out[h+" "+bridge] = texts(kept)
		}
	}
	return out
}
