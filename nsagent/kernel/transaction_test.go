package kernel

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// thousand are floating IPs of a router, that of machine i+shift the i-th.
func thousand(shift int) map[string]plan.Resource {
	out := router()
	for i := range 1000 {
		to := (i + shift) % 1000
		f := floating(i+2, fmt.Sprintf("172.24.%d.%d", 16+i/250, i%250+1), fmt.Sprintf("10.0.%d.%d", 16+to/250, to%250+1))
		out[f.Resource()] = f
	}
	return out
}

// TestRulesChangeInOneTransaction: the kernel counts one change of its rules when all rules of 1,000 floating IPs become others,
// and none when one of them is refused. So nobody, reader or packet, ever meets some of the old and some of the new ones.
func TestRulesChangeInOneTransaction(t *testing.T) {
	if !usesNftables() {
		t.Skip("iptables of the old kind: the kernel does not count changes of its rules")
	}
	h := open(t)
	first, second := build(t, thousand(0))[plan.QRouter+routerID], build(t, thousand(1))[plan.QRouter+routerID]
	n := ensure(t, h, first.Name)
	apply(t, n, first)
	generation := func() (g uint32) {
		t.Helper()
		if err := n.Do(func() (err error) { g, err = ruleGeneration(); return err }); err != nil {
			t.Fatal(err)
		}
		return g
	}

	g := generation()
	in(t, n, "sh", "-ec", "iptables -t nat -N x; iptables -t nat -X x")
	if got := generation() - g; got != 2 {
		t.Fatalf("two changes are counted as %d", got)
	}

	steps := plan.Diff(second, observe(t, n, second))
	restore, ok := steps[0].(plan.Restore)
	if len(steps) != 2 || !ok || restore.IPv6 {
		t.Fatalf("not one change of IPv4, and then what to forget of connections: %d steps", len(steps))
	}
	bad := restore
	bad.Text = strings.Replace(bad.Text, " -j DNAT --to-destination 10.0.17.250\n", " -j MASQUERADE\n", 1) // which PREROUTING cannot
	g = generation()
	if fs := n.Apply(context.Background(), []plan.Step{bad}, nil); len(fs) != 1 || !strings.Contains(fs[0].Error(), "/32 -j MASQUERADE)") {
		t.Errorf("failures %v", fs)
	}
	if got := generation() - g; got != 0 {
		t.Errorf("a change with a rule that is refused made %d changes", got)
	}
	if left := plan.Diff(first, observe(t, n, first)); len(left) > 0 {
		t.Errorf("something changed: %d steps lead back", len(left))
	}

	g = generation()
	for _, f := range n.Apply(context.Background(), steps, nil) {
		t.Errorf("%v", f)
	}
	if got := generation() - g; got != 1 {
		t.Errorf("%d lines made %d changes", strings.Count(restore.Text, "\n"), got)
	}
	if left := plan.Diff(second, observe(t, n, second)); len(left) > 0 {
		t.Errorf("%d steps are left", len(left))
	}
}
