package ofapps

import (
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
// check) change no row that is another's: only a port's own, and those of the firewall's tables.
func TestFirewallTouchesNothingElse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := viewtest.New(rt)
		w := viewtest.Walk{T: rt, Ports: []string{"patch-tun", "patch-int", "int-br-ex", "phy-br-ex", "vxlan-0a000001", "vxlan-0a000002", "vxlan-0a000003"}}
		_, first, _ := c.Change(w.Begin)
		before := others(first, w.Hosts())
		for range 10 {
			_, after, changes := c.Change(w.RulesStep)
			if d := cmp.Diff(before, others(after, w.Hosts())); d != "" {
				rt.Fatalf("(-before +after):\n%s\nchanges: %s", d, viewtest.Tell(changes))
			}
		}
	})
}

// others are the rows of all bridges that are neither in the firewall's tables nor a port's own.
func others(s state.Snapshot, hosts []string) map[string][]string {
	out := map[string][]string{}
	for _, h := range hosts {
		for bridge, rows := range RenderAll(s, h) {
			var kept []flow.Flow
			for _, f := range rows {
				kind, _, _ := flow.ParseCookie(f.Cookie)
				if bridge != view.BrInt || f.Table < brint.BaseEgress.ID && kind != flow.PortCookie {
					kept = append(kept, f)
				}
			}
			out[h+" "+bridge] = texts(kept)
		}
	}
	return out
}
