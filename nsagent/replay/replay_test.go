package replay

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/test/ovs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a switch with a keeper, and what the keeper said.
type host struct {
	*ovs.Switch
	*Keeper
	t     testing.TB
	state string
	stop  func() // ends the first keeper

	mu    sync.Mutex
	said  []string
	facts func(bridge string) Facts
}

func newHost(t *testing.T, bridges ...Bridge) *host {
	t.Helper()
	h := &host{Switch: ovs.Start(t), t: t, state: t.TempDir(), facts: func(string) Facts { return Facts{Known: true} }}
	for _, b := range bridges {
		h.Vsctl("add-br", b.Name, "--", "set", "bridge", b.Name, "datapath_type=netdev", "fail_mode=secure")
	}
	h.stop = h.keep(bridges...)
	return h
}

// keep runs a keeper until the test ends or the function is called.
func (h *host) keep(bridges ...Bridge) (stop func()) {
	k := New(Config{RunDir: h.Dir, StateDir: h.state, Log: slog.New(slog.DiscardHandler), SaveInterval: 10 * time.Millisecond,
		Facts: func(b string) Facts {
			h.mu.Lock()
			f := h.facts
			h.mu.Unlock()
			return f(b)
		},
		Notify: func(n Notice) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.said = append(h.said, n.Reason+": "+n.Message)
		}})
	k.Set(bridges)
	h.Keeper = k
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		k.Run(ctx)
		close(done)
	}()
	stop = func() {
		cancel()
		<-done
	}
	h.t.Cleanup(stop)
	return stop
}

func (h *host) setFacts(f func(bridge string) Facts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.facts = f
}

func (h *host) heard() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.said)
}

func (h *host) await(line string) {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			h.t.Logf("said: %q", h.heard())
		}
	}()
	h.Await(line, func() bool { return slices.Contains(h.heard(), line) })
}

// silent fails the test when something was said that begins so.
func (h *host) silent(prefix string) {
	h.t.Helper()
	for _, s := range h.heard() {
		if strings.HasPrefix(s, prefix) {
			h.t.Errorf("said %q", s)
		}
	}
}

func (h *host) restart() {
	h.t.Helper()
	h.KillSwitchd()
	h.StartSwitchd()
	h.Await("the bridge", func() bool { return h.Answers("br-tun") })
}

// ports adds internal ports, in order.
func (h *host) ports(names ...string) {
	h.t.Helper()
	for _, n := range names {
		h.Vsctl("add-port", "br-tun", n, "--", "set", "interface", n, "type=internal")
	}
}

func (h *host) flows(bridge string, rows ...string) {
	h.t.Helper()
	for _, r := range rows {
		h.Ofctl("add-flow", bridge, r)
	}
}

func (h *host) dump(bridge string) []string {
	h.t.Helper()
	return strings.Split(h.Ofctl("--no-stats", "dump-flows", bridge), "\n")
}

const ours = "cookie=0x570f000000000001,"

func TestFlowsComeBackAfterARestartOfTheSwitch(t *testing.T) {
	h := newHost(t, Bridge{Name: "br-tun"})
	h.ports("a", "b")
	h.flows("br-tun",
		ours+"table=0,priority=1,in_port=1,actions=goto_table:10",
		ours+"table=0,priority=0,actions=drop",
		ours+"table=10,priority=1,actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x571f000000000001,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:2",
		ours+"table=20,priority=2,dl_vlan=3,dl_dst=fa:16:3e:00:00:02,actions=pop_vlan,set_field:0x2b->tun_id,output:2",
		ours+"table=22,priority=1,dl_vlan=3,actions=pop_vlan,set_field:0x2b->tun_id,output:1,output:2",
		ours+"table=22,priority=0,ct_state=+trk,ip,actions=ct(commit,zone=3,nat(src=10.0.0.1))",
	)
	want := h.dump("br-tun")
	h.flows("br-tun", "cookie=0x571f000000000001,table=20,priority=1,dl_vlan=9,actions=output:1", "table=22,priority=9,actions=drop")
	h.Checkpoint("br-tun", 41)
	h.await("FlowsSaved: br-tun: 6 flows of revision 41 are on disk")

	h.restart()
	h.await("FlowsReplayed: br-tun had no flows and no controller spoke: 6 flows of revision 41 were replayed, 0 wait for interfaces, 0 were refused")
	if d := cmp.Diff(want, h.dump("br-tun")); d != "" {
		t.Errorf("flows; what was learned and what is foreign must not come back (-want +got):\n%s", d)
	}
	if got := h.heard()[len(h.heard())-2]; got != "SwitchUp: br-tun: the switch is there" {
		t.Errorf("said %q", got)
	}
}

// The machine was restarted: the agent is there before the switch, and its controller is not.
func TestFlowsComeBackAfterARestartOfTheHost(t *testing.T) {
	h := newHost(t, Bridge{Name: "br-tun"})
	h.flows("br-tun", ours+"table=0,priority=0,actions=drop")
	h.Checkpoint("br-tun", 5)
	h.await("FlowsSaved: br-tun: 1 flows of revision 5 are on disk")
	h.stop()
	h.KillSwitchd()
	h.keep(Bridge{Name: "br-tun"})
	h.Await("the missing switch to be told", func() bool {
		return slices.ContainsFunc(h.heard(), func(s string) bool { return strings.HasPrefix(s, "SwitchDown: br-tun: ") })
	})
	h.StartSwitchd()
	h.await("FlowsReplayed: br-tun had no flows and no controller spoke: 1 flows of revision 5 were replayed, 0 wait for interfaces, 0 were refused")
}

func TestNothingIsReplayedOverAController(t *testing.T) {
	h := newHost(t, Bridge{Name: "br-tun"})
	h.flows("br-tun", ours+"table=0,priority=0,actions=drop", ours+"table=60,priority=7,actions=NORMAL")
	h.Checkpoint("br-tun", 5)
	h.await("FlowsSaved: br-tun: 2 flows of revision 5 are on disk")

	// A controller that is master programs the empty bridge while the keeper gives it time.
	h.KillSwitchd()
	var programmed sync.Once
	h.setFacts(func(string) Facts {
		programmed.Do(func() { h.flows("br-tun", ours+"table=0,priority=1,actions=NORMAL") })
		return Facts{Known: true, Master: true}
	})
	h.StartSwitchd()
	h.await("SwitchUp: br-tun: the switch is there")
	h.Checkpoint("br-tun", 6) // comes after the keeper's decision
	h.await("FlowsSaved: br-tun: 1 flows of revision 6 are on disk")
	if d := cmp.Diff([]string{" cookie=0x570f000000000001, priority=1 actions=NORMAL"}, h.dump("br-tun")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
	h.silent("FlowsReplayed")

	// A master of which only the database knows, from before the crash, delays and does not prevent.
	h.restart()
	h.await("FlowsReplayed: br-tun had no flows and no controller spoke: 1 flows of revision 6 were replayed, 0 wait for interfaces, 0 were refused")
}

func TestRowsFollowTheirInterfaces(t *testing.T) {
	h := newHost(t, Bridge{Name: "br-tun"})
	ids := func(ids map[string]string) {
		h.setFacts(func(string) Facts { return Facts{Known: true, IfaceIDs: ids} })
	}
	ids(map[string]string{"vnet0": "vm-a", "vnet1": "vm-b"})
	h.ports("patch-int", "vnet0", "vnet1", "vxlan-0a000001", "vxlan-0a000002")
	h.flows("br-tun",
		ours+"table=0,priority=1,in_port=1,actions=goto_table:22",
		ours+"table=0,priority=1,in_port=2,actions=output:1",
		ours+"table=0,priority=1,in_port=3,actions=output:1",
		ours+"table=22,priority=1,dl_vlan=3,actions=output:4,output:5,NORMAL",
		ours+"table=22,priority=1,dl_vlan=4,actions=output:5",
	)
	h.Checkpoint("br-tun", 5)
	h.await("FlowsSaved: br-tun: 5 flows of revision 5 are on disk")

	// The numbers are others after this, vnet0 is the name of another VM, and a tunnel is away.
	h.KillSwitchd()
	h.Vsctl("--no-wait", "del-br", "br-tun", "--", "add-br", "br-tun", "--", "set", "bridge", "br-tun", "datapath_type=netdev", "fail_mode=secure")
	for _, n := range []string{"vxlan-0a000001", "vnet1", "vnet0", "patch-int"} {
		h.Vsctl("--no-wait", "add-port", "br-tun", n, "--", "set", "interface", n, "type=internal")
	}
	numbers := map[string]string{"vxlan-0a000001": "11", "vnet1": "12", "vnet0": "13", "patch-int": "14"}
	for n, number := range numbers {
		h.Vsctl("--no-wait", "set", "interface", n, "ofport_request="+number)
	}
	ids(map[string]string{"vnet0": "vm-c", "vnet1": "vm-b"})
	h.StartSwitchd()
	h.await("FlowsReplayed: br-tun had no flows and no controller spoke: 4 flows of revision 5 were replayed, 3 wait for interfaces, 0 were refused")
	if d := cmp.Diff([]string{
		" cookie=0x570f000000000001, priority=1,in_port=14 actions=goto_table:22",
		" cookie=0x570f000000000001, priority=1,in_port=12 actions=output:14",
		" cookie=0x570f000000000001, table=22, priority=1,dl_vlan=3 actions=output:11,NORMAL",
		" cookie=0x570f000000000001, table=22, priority=1,dl_vlan=4 actions=drop",
	}, h.dump("br-tun")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}

	// The tunnel comes.
	h.Vsctl("add-port", "br-tun", "vxlan-0a000002", "--", "set", "interface", "vxlan-0a000002", "type=internal", "ofport_request=21")
	h.Wake()
	h.await("FlowsReplayed: br-tun: 2 more flows of revision 5 were replayed, 1 still wait for interfaces")
	if d := cmp.Diff([]string{
		" cookie=0x570f000000000001, priority=1,in_port=14 actions=goto_table:22",
		" cookie=0x570f000000000001, priority=1,in_port=12 actions=output:14",
		" cookie=0x570f000000000001, table=22, priority=1,dl_vlan=3 actions=output:11,output:21,NORMAL",
		" cookie=0x570f000000000001, table=22, priority=1,dl_vlan=4 actions=output:21",
	}, h.dump("br-tun")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
}

func TestCheckpointsAreSavedOnce(t *testing.T) {
	h := newHost(t, Bridge{Name: "br-tun"})
	h.Checkpoint("br-tun", 4)
	h.await("FlowsNotSaved: br-tun: a controller says that the flows are complete, and there are none")
	h.flows("br-tun", ours+"table=0,priority=0,actions=drop")
	h.Checkpoint("br-tun", 5)
	h.await("FlowsSaved: br-tun: 1 flows of revision 5 are on disk")
	before, err := os.Stat(path(h.state, "br-tun"))
	if err != nil {
		t.Fatal(err)
	}
	h.Checkpoint("br-tun", 5)
	h.Checkpoint("br-other", 6)
	// The keeper takes checkpoints one after the other: when the next is saved, this one was passed over.
	h.flows("br-tun", ours+"table=0,priority=1,actions=drop")
	h.Await("the checkpoint to be taken", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.Keeper.bridges[Bridge{Name: "br-tun"}].checkpoint) == 0
	})
	after, err := os.Stat(path(h.state, "br-tun"))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the same revision was saved twice (%v)", err)
	}
	h.Checkpoint("br-tun", 6)
	h.await("FlowsSaved: br-tun: 2 flows of revision 6 are on disk")
	if out := h.run("ovs-ofctl", "ofp-parse", path(h.state, "br-tun")); !strings.Contains(out, "ADD priority=0 cookie:0x570f000000000001 actions=drop") {
		t.Errorf("ovs-ofctl ofp-parse says:\n%s", out)
	}
}

func (h *host) run(args ...string) string {
	h.t.Helper()
	// ovs-ofctl prints what it parsed.
	return h.Ofctl(args[1:]...)
}

func TestDamagedFileIsNotReplayed(t *testing.T) {
	h := newHost(t, Bridge{Name: "br-tun"})
	h.flows("br-tun", ours+"table=0,priority=0,actions=drop")
	h.Checkpoint("br-tun", 5)
	h.await("FlowsSaved: br-tun: 1 flows of revision 5 are on disk")
	h.stop()
	good, err := os.ReadFile(path(h.state, "br-tun"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"cut":     {good[:len(good)-1], "at byte 56 it is not a message"},
		"no end":  {good[:56], "its end is missing"},
		"one bit": {slices.Concat(good[:30], []byte{good[30] ^ 1}, good[31:]), "its checksum is wrong"},
		"text":    {[]byte("priority=0 actions=drop"), "at byte 0 it is not a message"},
		"other":   {[]byte(strings.Replace(string(good), `"br-tun"`, `"br-int"`, 1)), "it is of br-int"},
		"later":   {[]byte(strings.Replace(string(good), `"format":1`, `"format":2`, 1)), "it is of format 2, and this agent reads 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decode(c.file, "br-tun"); err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}

	if err := os.WriteFile(path(h.state, "br-tun"), good[:len(good)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	h.restart()
	h.keep(Bridge{Name: "br-tun"})
	h.await(fmt.Sprintf("FlowsUnusable: br-tun: the saved flows cannot be used: %s: at byte 56 it is not a message", path(h.state, "br-tun")))
	h.flows("br-tun", ours+"table=0,priority=3,actions=drop")
	h.Checkpoint("br-tun", 6)
	h.await("FlowsSaved: br-tun: 1 flows of revision 6 are on disk")
	h.silent("FlowsReplayed")
}

// A bridge of a physical network that we make secure must not cut the host off before a controller has ever spoken.
func TestPhysicalBridgeForwardsUntilItIsProgrammed(t *testing.T) {
	h := newHost(t, Bridge{Name: "br-ex", Uplink: "phy-br-ex"})
	h.Vsctl("add-port", "br-ex", "phy-br-ex", "--", "set", "interface", "phy-br-ex", "type=internal", "ofport_request=3")
	h.await("FlowsReplayed: br-ex had no flows, none were saved and no controller spoke: it forwards as a plain switch, without phy-br-ex")
	if d := cmp.Diff([]string{"priority=2,in_port=3 actions=drop", "priority=0 actions=NORMAL"}, h.plain("br-ex")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
}

func (h *host) plain(bridge string) []string {
	var out []string
	for _, l := range h.dump(bridge) {
		_, row, _ := strings.Cut(l, ", ")
		out = append(out, row)
	}
	return out
}

func TestRowThatTheSwitchRefusesIsLeftOut(t *testing.T) {
	h := newHost(t, Bridge{Name: "br-tun"})
	h.Ofctl("add-group", "br-tun", "group_id=1,type=all,bucket=actions=drop")
	h.flows("br-tun", ours+"table=0,priority=0,actions=drop", ours+"table=0,priority=1,actions=group:1", ours+"table=0,priority=2,actions=NORMAL")
	h.Checkpoint("br-tun", 5)
	h.await("FlowsSaved: br-tun: 3 flows of revision 5 are on disk")
	h.restart()
	h.await("FlowsReplayed: br-tun had no flows and no controller spoke: 2 flows of revision 5 were replayed, 0 wait for interfaces, 1 were refused")
}

// Meters come back with the rows that name them, and before them; those that no row of ours names are not ours to bring.
func TestMetersComeBackWithTheirRows(t *testing.T) {
	h := newHost(t, Bridge{Name: "br-tun"})
	h.Ofctl("add-meter", "br-tun", "meter=4,kbps,burst,band=type=drop,rate=2000,burst_size=1600")
	h.Ofctl("add-meter", "br-tun", "meter=9,pktps,burst,band=type=drop,rate=10,burst_size=10")
	h.flows("br-tun", "cookie=0x5703000000000001,priority=1,actions=meter:4,NORMAL", "cookie=0x5703000000000001,priority=0,actions=drop")
	h.Checkpoint("br-tun", 7)
	h.await("FlowsSaved: br-tun: 2 flows of revision 7 are on disk")
	rows := h.dump("br-tun")
	h.restart()
	h.Await("the rows", func() bool { return slices.Equal(rows, h.dump("br-tun")) })
	meters := h.Ofctl("dump-meters", "br-tun")
	if !strings.Contains(meters, "meter=4 kbps burst bands=\ntype=drop rate=2000 burst_size=1600") || strings.Contains(meters, "meter=9") {
		t.Errorf("meters: %s", meters)
	}
}
