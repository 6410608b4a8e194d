package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

func TestSwitchThatDoesNotFollowIsReportedAndLaterNot(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: three()})
	c.await("ack 1 rev 40")
	h.KillSwitchd()
	c.delta(&nodev1.Delta{Nonce: "2", Revision: 41, Upserts: []*nodev1.Resource{tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21")}})
	c.await("nack 2 rev 41\n  tunnel/vxlan-0a5b0015||NotApplied|the switch has not added port vxlan-0a5b0015 yet")
	h.StartSwitchd()
	c.await("ack 2 rev 41")
}

func TestAgentWithoutDatabase(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.KillDB()
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: three()[:1]})
	c.await("nack 1 rev 40\n  bridge/br-int||DatabaseUnavailable|ovsdb-server does not answer at " + h.Endpoint())
	h.StartDB()
	c.await("ack 1 rev 40")
}

// The host was restarted, or the agent, and there is no controller.
func TestHostIsRebuiltFromDisk(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	h.plugged(c)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true,
		Upserts: append(three(), tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"), port("p1", "tap1", 5, 40))})
	c.await("ack 1 rev 40")
	c.stop()
	h.end()

	h.Vsctl("del-br", "br-tun", "--", "del-br", "br-ex", "--", "set", "port", "tap1", "tag=9",
		// Ours, by its mark, and not in the state: without a controller nothing is removed.
		"--", "add-port", "br-int", "left", "--", "set", "interface", "left", "type=internal", "--", "set", "port", "left", "external_ids:weft-owned=true")
	h.start()
	h.Await("the host to be as it was", func() bool {
		return h.get("port", "tap1", "tag") == "5" && h.get("interface", "vxlan-0a5b0015", "ofport") != "" && h.get("interface", "phy-br-ex", "ofport") != ""
	})
	if got := h.Vsctl("list-ports", "br-int"); got != "int-br-ex\nleft\npatch-tun\ntap1" {
		t.Errorf("ports of br-int: %q", got)
	}
}

// plugged makes br-int and a VM's interface on it, as on a host that was in use.
func (h *host) plugged(c *controller) {
	h.t.Helper()
	h.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "fail_mode=secure", "--", "set-controller", "br-int", nobody)
	h.plug("tap1", "p1")
	h.Await("the interface", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.facts["tap1"].GetOfport() > 0
	})
}

func TestRestartOfTheDatabase(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: append(three(), tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"))})
	c.await("ack 1 rev 40")
	h.KillDB()
	c.mu.Lock()
	c.inv = nil
	c.mu.Unlock()
	h.StartDB()
	h.Await("a full inventory", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.inv) > 0 && c.inv[0] == "full" && c.facts["vxlan-0a5b0015"].GetOfport() > 0
	})
	c.silent("notice DriftRepaired")

	// Somebody changes the database while the agent is not connected to it.
	h.KillDB()
	h.StartDB()
	h.Vsctl("--no-wait", "del-port", "vxlan-0a5b0015")
	c.await("notice DriftRepaired tunnel/vxlan-0a5b0015: port vxlan-0a5b0015 was missing; it is right again")
	h.Await("the tunnel", func() bool { return h.get("interface", "vxlan-0a5b0015", "ofport") != "" })
}

const ours = "cookie=0x570f000000000001,"

// saved brings a host to where a bridge's flows are on disk.
func (h *host) saved(c *controller) {
	h.t.Helper()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: append(three()[:2], tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"))})
	c.await("ack 1 rev 40")
	h.Ofctl("add-flow", "br-tun", ours+"table=0,priority=1,in_port=patch-int,actions=goto_table:22")
	h.Ofctl("add-flow", "br-tun", ours+"table=22,priority=1,dl_vlan=3,actions=pop_vlan,set_field:0x2b->tun_id,output:vxlan-0a5b0015")
	h.checkpointed(c, 40)
}

func (h *host) checkpointed(c *controller, revision int64) {
	h.t.Helper()
	before, _ := os.Stat(filepath.Join(h.state, "flows-br-tun"))
	c.checkpoint("br-tun", revision)
	h.Await("the flows to be on disk", func() bool {
		after, err := os.Stat(filepath.Join(h.state, "flows-br-tun"))
		return err == nil && !os.SameFile(before, after)
	})
}

func TestFlowsAreReplayedWithoutController(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	h.saved(c)
	want := h.Flows("br-tun")
	c.stop()

	h.KillSwitchd()
	h.StartSwitchd()
	same := func() bool { return h.Answers("br-tun") && slices.Equal(h.Flows("br-tun"), want) }
	h.Await("the flows", same)

	// The whole host: agent first, the switch later, and a database that has lost everything.
	h.end()
	h.KillSwitchd()
	h.Vsctl("--no-wait", "emer-reset", "--", "del-br", "br-tun", "--", "del-br", "br-int")
	h.start()
	h.StartSwitchd()
	h.Await("the flows after a restart of the host", same)
}

func TestFlowsAreNotReplayedOverAController(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	h.saved(c)
	h.end()
	h.KillSwitchd()
	h.StartSwitchd()
	h.Await("the bridge", func() bool { return h.Answers("br-tun") })
	h.Ofctl("add-flow", "br-tun", ours+"table=0,priority=9,actions=drop")
	h.start()
	c.hello(2)
	h.checkpointed(c, 41) // what comes after the decision
	if d := cmp.Diff([]string{"cookie=0x570f000000000001, priority=9 actions=drop"}, h.Flows("br-tun")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
	c.silent("notice FlowsReplayed")
}

func TestCorruptStateRemovesNothing(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: append(three(), tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"))})
	c.await("ack 1 rev 40")
	h.end()
	if err := os.Truncate(filepath.Join(h.state, "desired-state"), 100); err != nil {
		t.Fatal(err)
	}
	before := h.Vsctl("show")
	h.start()
	if held := c.hello(2).ResourceVersions; len(held) != 0 {
		t.Errorf("the agent says that it holds %v", held)
	}
	h.Await("the loss to be told", func() bool {
		return slices.ContainsFunc(c.heard(), func(s string) bool {
			return strings.HasPrefix(s, "notice StateCorrupt : the saved desired state is not right (its checksum is wrong); it was set aside as ")
		})
	})
	c.delta(&nodev1.Delta{Nonce: "2", Revision: 41, Upserts: three()[:1]})
	c.await("ack 2 rev 41")
	if d := cmp.Diff(before, h.Vsctl("show")); d != "" {
		t.Errorf("ovs-vsctl show (-want +got):\n%s", d)
	}
	c.delta(&nodev1.Delta{Nonce: "3", Revision: 42, Full: true, Upserts: three()[:1]})
	c.await("ack 3 rev 42")
	if got := h.Vsctl("list-br"); got != "br-int" {
		t.Errorf("after a full Delta there are bridges %q", got)
	}
}

func TestStateThatCannotBeSavedIsTold(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	if err := os.Rename(h.state, h.state+".away"); err != nil {
		t.Fatal(err)
	}
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: three()[:1]})
	h.Await("a nack", func() bool {
		return slices.ContainsFunc(c.heard(), func(s string) bool {
			return strings.HasPrefix(s, "nack 1 rev 40\n  bridge/br-int||NotSaved|save the desired state: ") && strings.HasSuffix(s, "no such file or directory")
		})
	})
	if got := h.Vsctl("list-br"); got != "br-int" {
		t.Errorf("bridges %q", got)
	}
	if err := os.Rename(h.state+".away", h.state); err != nil {
		t.Fatal(err)
	}
	c.await("ack 1 rev 40")
}
