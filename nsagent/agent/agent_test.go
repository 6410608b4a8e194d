package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"google.golang.org/protobuf/testing/protocmp"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

func TestDesiredStateIsMadeAndAcknowledged(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.Vsctl("set", "Open_vSwitch", ".", "ovs_version=3.1.0")
	h.start()
	awaitTold := func(what, line string) {
		t.Helper()
		h.Await(what, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return slices.Contains(c.inv, line)
		})
	}
	want := &nodev1.Hello{Host: "compute1", BootId: "boot", AgentVersion: "test", DatapathType: "netdev", TunnelIp: "10.91.0.20",
		BridgeMappings: map[string]string{"physnet1": "br-ex"}, Roles: []string{"compute"}}
	got := c.hello(1)
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Errorf("hello (-want +got):\n%s", d)
	}
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: append(three(), tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"))})
	c.await("ack 1 rev 40")
	for _, x := range []struct{ table, record, column, want string }{
		{"bridge", "br-int", "fail_mode", "secure"},
		{"bridge", "br-int", "datapath_id", "7765667400010001"},
		{"interface", "int-br-ex", "options", "{peer=phy-br-ex}"},
		{"interface", "vxlan-0a5b0015", "options:remote_ip", "10.91.0.21"},
	} {
		if got := h.get(x.table, x.record, x.column); got != x.want {
			t.Errorf("%s %s %s: %s, want %s", x.table, x.record, x.column, got, x.want)
		}
	}

	h.plug("tap1", "p1")
	awaitTold("the interface to be told", `tap1 on br-int type "internal" ofport 3 iface-id "p1" mac "fa:16:3e:00:00:01" error ""`)
	awaitTold("the version to be told", "Open vSwitch 3.1.0")
	h.Vsctl("set", "Open_vSwitch", ".", "ovs_version=3.5.0")
	awaitTold("the upgrade to be told", "Open vSwitch 3.5.0")
	c.delta(&nodev1.Delta{Nonce: "2", Revision: 41, Upserts: []*nodev1.Resource{port("p1", "tap1", 5, 0)}})
	c.await("ack 2 rev 41")
	if got := h.get("port", "tap1", "tag"); got != "5" {
		t.Errorf("tag %s", got)
	}
	c.delta(&nodev1.Delta{Nonce: "3", Revision: 42, Upserts: []*nodev1.Resource{port("p1", "tap1", 5, 41)}})
	c.await("ack 3 rev 42")
	if got := h.get("interface", "tap1", "external_ids:weft-installed"); got != "41" {
		t.Errorf("weft-installed %s", got)
	}

	h.Vsctl("del-port", "tap1")
	c.await("nack 3 rev 42\n  port/p1|interface|InterfaceMissing|no interface tap1 is on br-int")
	c.mu.Lock()
	if last := c.inv[len(c.inv)-1]; last != "tap1 removed" {
		t.Errorf("inventory %q", c.inv)
	}
	c.mu.Unlock()
	c.delta(&nodev1.Delta{Nonce: "4", Revision: 43, Removed: []string{"port/p1", "tunnel/vxlan-0a5b0015", "bridge/br-ex"}})
	c.await("ack 4 rev 43")
	if got := h.Vsctl("list-br"); got != "br-int\nbr-tun" {
		t.Errorf("bridges %q", got)
	}
	if got := h.Vsctl("list-ports", "br-tun"); got != "patch-int" {
		t.Errorf("ports of br-tun %q", got)
	}
	c.silent("notice DriftRepaired")
}

func TestSameStateAgainCostsNothing(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: append(three(), tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"))})
	c.await("ack 1 rev 40")
	before := h.ourTransactions()
	transactions := testutil.ToFloat64(h.agent.met.transactions)

	c.delta(&nodev1.Delta{Nonce: "2", Revision: 41, Full: true, Upserts: append(three(), tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"))})
	c.await("ack 2 rev 41")
	h.end()
	h.start()
	versions := c.hello(2).ResourceVersions
	if len(versions) != 4 || versions["tunnel/vxlan-0a5b0015"] != "10.91.0.21" {
		t.Errorf("hello after a restart holds %v", versions)
	}
	c.delta(&nodev1.Delta{Nonce: "3", Revision: 42, Full: true, Unchanged: []string{"bridge/br-int", "bridge/br-tun", "bridge/br-ex", "tunnel/vxlan-0a5b0015"},
		Connected: []string{"br-ex", "br-int", "br-tun"}})
	c.await("ack 3 rev 42")
	if after := h.ourTransactions(); before != 1 || after != before {
		t.Errorf("the database has %d transactions of the agent's, then %d; want 1", before, after)
	}
	if got := testutil.ToFloat64(h.agent.met.transactions); transactions != 1 || got != 0 {
		t.Errorf("%v transactions at first, want 1; %v afterwards, want 0", transactions, got)
	}
}

// ourTransactions counts in the database's own log, where each transaction bears a comment of who made it.
func (h *host) ourTransactions() int {
	h.t.Helper()
	log, err := os.ReadFile(filepath.Join(h.Dir, "conf.db"))
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Count(string(log), `"_comment":"weft-nsagent: `)
}

func TestBadResourcesAreNamedAndTheRestIsMade(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.Vsctl("add-br", "elsewhere", "--", "set", "bridge", "elsewhere", "datapath_type=netdev", "--", "add-port", "elsewhere", "gre-0a5b0016",
		"--", "set", "interface", "gre-0a5b0016", "type=internal")
	h.start()
	c.hello(1)
	bad := bridge("br-ex;reboot", "physical", "7765667400010003", nobody)
	other := bridge("br-int2", "integration", "7765667400010004", nobody)
	misnamed := tunnel("vxlan-0a5b0017", "vxlan", "10.91.0.23")
	misnamed.Name = "tunnel/vxlan-0a5b0018"
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Unchanged: []string{"port/never-sent"},
		Upserts: append(three()[:2], bad, other, misnamed, &nodev1.Resource{Name: "router/r1", Version: "1"},
			tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"), tunnel("gre-0a5b0016", "gre", "10.91.0.22"), tunnel("gre-0a5b0019", "gre", "10.91.0"), port("p1", "tap1", 5000, 0))})
	c.await(`nack 1 rev 40
  bridge/br-ex;reboot|name|Invalid|"br-ex;reboot" is no name for a network device: 1 to 15 letters, digits, "_", ".", "-" are
  bridge/br-int2|name|Invalid|the integration bridge of this host is br-int, as its agent was started, not br-int2
  port/never-sent||NotHeld|it is said to be unchanged, and this agent does not hold it
  port/p1|vlan|Invalid|5000 is not in 1..4095
  router/r1||Unsupported|this agent does not know what it is; a newer agent may know it
  tunnel/gre-0a5b0016|name|NameTaken|port gre-0a5b0016 exists, but on elsewhere and not on br-tun; remove it there
  tunnel/gre-0a5b0019|remote_ip|Invalid|"10.91.0" is not an IP address
  tunnel/vxlan-0a5b0018|name|Invalid|"tunnel/vxlan-0a5b0018" is the name of a resource whose own name would be "tunnel/vxlan-0a5b0017"`)
	if got := h.Vsctl("list-ports", "br-tun"); got != "patch-int\nvxlan-0a5b0015" {
		t.Errorf("ports of br-tun: %q", got)
	}

	// What was in the way goes, and the rest is sent right: the answer to the same Delta changes by itself.
	c.delta(&nodev1.Delta{Nonce: "2", Revision: 41, Full: true, Upserts: append(three()[:2], tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"), tunnel("gre-0a5b0016", "gre", "10.91.0.22"))})
	c.await("nack 2 rev 41\n  tunnel/gre-0a5b0016|name|NameTaken|port gre-0a5b0016 exists, but on elsewhere and not on br-tun; remove it there")
	h.Vsctl("del-port", "gre-0a5b0016")
	c.await("ack 2 rev 41")

	// A tunnel that worked and is now sent wrong stays as it was.
	c.delta(&nodev1.Delta{Nonce: "3", Revision: 42, Upserts: []*nodev1.Resource{tunnel("vxlan-0a5b0015", "vxlan", "nowhere")}})
	c.await("nack 3 rev 42\n  tunnel/vxlan-0a5b0015|remote_ip|Invalid|\"nowhere\" is not an IP address")
	if got := h.get("interface", "vxlan-0a5b0015", "options:remote_ip"); got != "10.91.0.21" {
		t.Errorf("remote_ip %s", got)
	}
}

func TestBridgeInUseIsAdoptedWithItsFlows(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	h.plugged(c)
	h.Ofctl("add-flow", "br-int", "table=60,actions=NORMAL")
	flows := h.Flows("br-int")
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: append(three(), port("p1", "tap1", 5, 0))})
	c.await("ack 1 rev 40")
	if d := cmp.Diff(flows, h.Flows("br-int")); d != "" {
		t.Errorf("flows of a bridge that had a controller (-want +got):\n%s", d)
	}
	c.silent("notice FlowsFlushed")
}

func TestFirstControllerIsTold(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: three()[:1]})
	c.await("notice FlowsFlushed bridge/br-int: it got its first controller, on which Open vSwitch removes all flows of a bridge")
	c.await("ack 1 rev 40")
}

func TestDriftIsRepairedAndTold(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	h.plugged(c)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true,
		Upserts: append(three(), tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21"), port("p1", "tap1", 5, 0))})
	c.await("ack 1 rev 40")
	c.silent("notice DriftRepaired")
	for _, x := range []struct {
		harm   []string
		notice string
		check  func() bool
	}{
		{[]string{"del-port", "vxlan-0a5b0015"}, "notice DriftRepaired tunnel/vxlan-0a5b0015: port vxlan-0a5b0015 was missing; it is right again",
			func() bool { return h.get("interface", "vxlan-0a5b0015", "options:remote_ip") == "10.91.0.21" }},
		{[]string{"del-port", "patch-tun"}, "notice DriftRepaired bridge/br-tun: port patch-tun was missing; it is right again",
			func() bool { return h.get("interface", "patch-tun", "options") == "{peer=patch-int}" }},
		{[]string{"set", "port", "tap1", "tag=9"}, "notice DriftRepaired port/p1: tap1 had tag 9; it is right again",
			func() bool { return h.get("port", "tap1", "tag") == "5" }},
		{[]string{"clear", "port", "tap1", "tag"}, "notice DriftRepaired port/p1: tap1 had no tag; it is right again",
			func() bool { return h.get("port", "tap1", "tag") == "5" }},
		{[]string{"set", "bridge", "br-int", "other_config:datapath-id=0000000000000001"}, "notice DriftRepaired bridge/br-int: datapath-id of br-int was \"0000000000000001\"; it is right again",
			func() bool { return h.get("bridge", "br-int", "other_config:datapath-id") == "7765667400010001" }},
		{[]string{"set-controller", "br-tun", "tcp:127.0.0.1:2"}, "notice DriftRepaired bridge/br-tun: br-tun had controller tcp:127.0.0.1:2; controller tcp:127.0.0.1:1 of br-tun was missing; it is right again",
			func() bool { return h.Vsctl("get-controller", "br-tun") == nobody }},
		{[]string{"set-fail-mode", "br-ex", "standalone"}, "notice DriftRepaired bridge/br-ex: fail_mode of br-ex was \"standalone\"; it is right again",
			func() bool { return h.get("bridge", "br-ex", "fail_mode") == "secure" }},
		{[]string{"set", "interface", "vxlan-0a5b0015", "options:remote_ip=10.91.0.99"}, "notice DriftRepaired tunnel/vxlan-0a5b0015: vxlan-0a5b0015 was of type \"vxlan\" with options map[",
			func() bool { return h.get("interface", "vxlan-0a5b0015", "options:remote_ip") == "10.91.0.21" }},
	} {
		h.Vsctl(append([]string{"--no-wait"}, x.harm...)...)
		h.Await("repair of "+strings.Join(x.harm, " "), x.check)
		h.Await(x.notice, func() bool {
			return slices.ContainsFunc(c.heard(), func(s string) bool { return strings.HasPrefix(s, x.notice) })
		})
	}

	// A VM that was restarted has a new interface of the old name: that is no drift, nor is it a failure in between.
	n := len(c.heard())
	h.Vsctl("--no-wait", "del-port", "tap1")
	h.plug("tap1", "p1")
	h.Await("the new interface", func() bool { return h.get("port", "tap1", "tag") == "5" })
	for _, s := range c.heard()[n:] {
		if strings.HasPrefix(s, "notice DriftRepaired port/") || strings.HasPrefix(s, "nack") {
			t.Errorf("the agent said %q", s)
		}
	}
}
