package channel

import (
	"errors"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/ovs"
)

func row(i int, actions ...openflow.Action) openflow.FlowMod {
	return openflow.FlowMod{Command: openflow.FlowAdd, Table: 20, Priority: 2, Cookie: 7, BufferID: openflow.NoBuffer,
		OutPort: openflow.PortAny, OutGroup: openflow.GroupAny,
		Match:   openflow.Match{openflow.MACField(openflow.EthDst, [6]byte{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)})},
		Actions: actions}
}

// bridge starts a private Open vSwitch with one bridge and connects to it as the node agent does.
func bridge(t testing.TB, cfg Config) (*ovs.Switch, *Conn) {
	t.Helper()
	sw := ovs.Start(t)
	sw.Vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "other_config:datapath-id=00000000000000ab",
		"protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15", "fail_mode=secure")
	return sw, dialBridge(t, sw, cfg)
}

func dialBridge(t testing.TB, sw *ovs.Switch, cfg Config) *Conn {
	t.Helper()
	nc, err := net.Dial("unix", filepath.Join(sw.Dir, "br0.mgmt"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cfg.Handshake(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestHandshakeWithOpenVSwitch(t *testing.T) {
	sw, c := bridge(t, Config{})
	if c.Version() != openflow.V14 || c.DatapathID() != 0xab || c.Features().Tables != 254 {
		t.Errorf("version %v, datapath %x, features %+v", c.Version(), c.DatapathID(), c.Features())
	}
	if err := c.Barrier(limited(t)); err != nil {
		t.Fatal(err)
	}
	if got := sw.Ofctl("get-frags", "br0"); got != "nx-match" {
		t.Errorf("the switch treats fragments as %q: their ports cannot be matched", got)
	}
	sw.Vsctl("set", "bridge", "br0", "protocols=OpenFlow10,OpenFlow13")
	ended(t, c) // Open vSwitch cuts whose version is no longer allowed
	if c := dialBridge(t, sw, Config{}); c.Version() != openflow.V13 {
		t.Errorf("version %v", c.Version())
	}
}

// The whole life of a controller's connection on a real switch, in each version.
func TestOpenVSwitch(t *testing.T) {
	eachVersion(t, func(t *testing.T, cfg Config) {
		var heard events
		cfg.Events = &heard
		sw, c := bridge(t, cfg)
		ctx := limited(t)

		if err := c.SetRole(ctx, openflow.RoleMaster, 5); err != nil {
			t.Fatal(err)
		}
		other := dialBridge(t, sw, cfg)
		if err := other.SetRole(ctx, openflow.RoleMaster, 4); !errors.Is(err, ErrStale) {
			t.Errorf("a stale role: %v", err)
		}
		if err := c.Monitor(ctx); err != nil {
			t.Fatal(err)
		}

		if err := c.Bundle(ctx, mods(3)); err != nil {
			t.Fatal(err)
		}
		before := sw.Flows("br0")
		const n = 20_000
		all := mods(n)
		all[777].Actions = []openflow.Action{openflow.GotoTable{Table: 3}} // backwards
		all[778].Match = openflow.Match{openflow.U16(openflow.TCPDst, 80)} // of what protocol?
		if d := cmp.Diff([]int{777, 778}, blamed(t, c.Bundle(ctx, all))); d != "" {
			t.Errorf("blamed (-want +got):\n%s", d)
		}
		if d := cmp.Diff(before, sw.Flows("br0")); d != "" {
			t.Errorf("rows after a refused bundle (-before +after):\n%s", d)
		}
		all[777], all[778] = row(777), row(778)
		if err := c.Bundle(ctx, all); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		err := c.DumpFlows(ctx, openflow.AllFlows(), func(s *openflow.FlowStats) error {
			seen[string(s.Match)] = true
			return nil
		})
		if err != nil || len(seen) != n {
			t.Errorf("a dump of %d different rows, want %d: %v", len(seen), n, err)
		}

		await(t, "Open vSwitch has told of our bundles", func() bool { _, u := heard.told(); return len(u) >= 2 })
		start := time.Now()
		sw.Ofctl("-OOpenFlow13", "add-flow", "br0", "table=9,cookie=0x99,actions=drop")
		sw.Ofctl("-OOpenFlow13", "del-flows", "br0", "table=20,dl_dst=02:00:00:00:00:05")
		await(t, "both foreign changes", func() bool { _, u := heard.told(); return len(u) >= 4 })
		t.Logf("two ovs-ofctl and their updates: %v", time.Since(start))
		_, updates := heard.told()
		want := []string{"ABBREV", "ABBREV", "ADDED table 9 cookie 0x99", "DELETED table 20 cookie 0x7"}
		if d := cmp.Diff(want, updates); d != "" {
			t.Errorf("updates (-want +got):\n%s", d)
		}

		ports, err := c.PortDescs(ctx)
		if err != nil || len(ports) != 1 || ports[0].Name != "br0" || ports[0].Number != openflow.PortLocal {
			t.Errorf("ports %+v, %v", ports, err)
		}
		tables, err := c.TableStats(ctx)
		if err != nil || len(tables) != 254 || tables[20].Active != n-1 {
			t.Errorf("%d tables, 20: %+v, %v", len(tables), tables[20], err)
		}
		group := &openflow.GroupMod{Command: openflow.GroupAdd, GroupID: 1, BucketID: openflow.BucketAll,
			Buckets: []openflow.Bucket{{WatchPort: openflow.PortAny, WatchGroup: openflow.GroupAny, Actions: []openflow.Action{openflow.Output{Port: 1}}}}}
		if err := c.Tell(ctx, group); err != nil {
			t.Error(err)
		}
		err = c.Tell(ctx, group)
		if want := "the switch refuses message 0: OFPGMFC_GROUP_EXISTS"; err == nil || err.Error() != want {
			t.Errorf("a group twice: %v, want %s", err, want)
		}

		// Another controller takes over.
		if err := other.SetRole(ctx, openflow.RoleMaster, 6); err != nil {
			t.Fatal(err)
		}
		await(t, "the role-status", func() bool { m, _ := heard.told(); return len(m) > 0 })
		if m, _ := heard.told(); !slices.Equal(m, []string{"secondary, generation 6"}) {
			t.Errorf("told %q", m)
		}
		var refused *openflow.Error
		if err := c.Bundle(ctx, mods(1)); !errors.As(err, &refused) || refused.Name() != "OFPBRC_IS_SECONDARY" {
			t.Errorf("a bundle of who is master no longer: %v", err)
		}

		sw.KillSwitchd()
		if err := c.Barrier(ctx); err == nil {
			t.Error("a barrier after the switch was killed")
		}
		ended(t, c)
	})
}
