package hostsync

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
	"github.com/weft-sdn/weft/test/fakeagent"
)

// An agent that comes back says which versions it holds, and is told that all of them stay: none is sent again. One that
// changed while it was away is, alone.
func TestAgentResumesByVersion(t *testing.T) {
	c := start(t)
	_, p1, _ := blue(c)
	h := c.hosts["compute1"]
	back := func() *nodev1.Delta {
		t.Helper()
		first := make(chan *nodev1.Delta, 100)
		h.agent.OnDelta = func(d *nodev1.Delta) { first <- d }
		ctx, die := context.WithCancel(c.ctx)
		if err := fakeagent.Dial(ctx, c.agents, h.agent, nil); err != nil {
			t.Fatal(err)
		}
		h.die = die
		return <-first
	}
	away := func() {
		h.die()
		c.await("its agent is away", func() bool { return !c.fleet.Host("compute1").AgentConnected })
	}
	names := func(rs []*nodev1.Resource) (all []string) {
		for _, r := range rs {
			all = append(all, r.Name)
		}
		return all
	}
	held := slices.Sorted(maps.Keys(h.agent.Held()))
	if !slices.Contains(held, "port/"+p1.ID) || !slices.Contains(held, "bridge/br-int") {
		t.Fatalf("it holds %v", held)
	}
	away()
	d := back()
	if diff := cmp.Diff(held, d.Unchanged); diff != "" || !d.Full || len(d.Upserts) != 0 || len(d.Removed) != 0 {
		t.Errorf("full %t, sent again %v, removed %v, unchanged (-want +got):\n%s", d.Full, names(d.Upserts), d.Removed, diff)
	}
	away()
	h.agent.Forget("port/" + p1.ID)
	d = back()
	if diff := cmp.Diff([]string{"port/" + p1.ID}, names(d.Upserts)); diff != "" {
		t.Errorf("sent again (-want +got):\n%s", diff)
	}
}
