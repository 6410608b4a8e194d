package ovsdb

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRestartOfTheDatabase(t *testing.T) {
	h := newHost(t)
	h.settle(threeBridges())
	h.KillDB()
	select {
	case <-h.s.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("the session does not notice that the database is gone")
	}
	if _, err := h.s.Apply(t.Context(), threeBridges()); err == nil {
		t.Error("a session that is over applies")
	}
	if _, err := Dial(t.Context(), h.Endpoint()); err == nil || !strings.Contains(err.Error(), "is ovsdb-server running there?") {
		t.Errorf("dial without a server: %v", err)
	}
	h.StartDB()
	h.dial()
	if out := h.apply(threeBridges()); len(out.Changes) != 0 {
		t.Errorf("changes after a restart: %q", texts(out.Changes))
	}
}

func TestSwitchThatDoesNotFollowIsTold(t *testing.T) {
	h := newHost(t)
	h.settle(threeBridges())
	h.KillSwitchd()
	d := threeBridges()
	d.Tunnels = append(d.Tunnels, TunnelPort{"gre-0a5b0016", "gre", addr("10.91.0.20"), addr("10.91.0.22")})
	out := h.apply(d)
	if out.State.Applied(out.Cfg) {
		t.Error("a dead switch is said to have applied")
	}
	if diff := cmp.Diff([]string{"tunnel/gre-0a5b0016||NotApplied|the switch has not added port gre-0a5b0016 yet"}, problems(out.Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	h.StartSwitchd()
	out = h.settle(d)
	if diff := cmp.Diff([]string(nil), problems(out.Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestInterfaces(t *testing.T) {
	h := newHost(t)
	d := threeBridges()
	d.Bridges = d.Bridges[1:]
	h.settle(d)
	h.plug("tap1", "port1")
	h.Vsctl("--no-wait", "add-port", "br-int", "ghost", "--", "set", "interface", "ghost", "type=nosuch")
	var got map[string]Interface
	h.Await("the ghost's error", func() bool {
		got = h.apply(d).State.Interfaces("br-int", "br-tun", "br-nowhere")
		return got["ghost"].Error != ""
	})
	want := map[string]Interface{
		"br-int":         {Name: "br-int", Bridge: "br-int", Type: "internal", OFPort: 65534},
		"br-tun":         {Name: "br-tun", Bridge: "br-tun", Type: "internal", OFPort: 65534},
		"patch-tun":      {Name: "patch-tun", Bridge: "br-int", Type: "patch", OFPort: 1},
		"patch-int":      {Name: "patch-int", Bridge: "br-tun", Type: "patch", OFPort: 1},
		"vxlan-0a5b0015": {Name: "vxlan-0a5b0015", Bridge: "br-tun", Type: "vxlan", OFPort: 2},
		"tap1":           {Name: "tap1", Bridge: "br-int", Type: "internal", OFPort: 2, IfaceID: "port1", AttachedMAC: "FA:16:3E:00:00:01"},
		"ghost":          {Name: "ghost", Bridge: "br-int", Type: "nosuch", Error: "could not open network device ghost (Address family not supported by protocol)"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("interfaces (-want +got):\n%s", d)
	}
}

// What a real server takes of anybody is read as it is, and keeps nothing else from being made.
func TestRowsThatAnybodyMayWrite(t *testing.T) {
	h := newHost(t)
	h.settle(threeBridges())
	long := strings.Repeat("x", 10_000)
	h.plug("tap1", "")
	h.Vsctl("--no-wait", "set", "interface", "tap1", `external_ids:iface-id="a\n\"b\"\u001b[2J"`, "external_ids:"+ifaceKey+"2="+long, `external_ids:attached-mac="no MAC"`)
	h.Vsctl("--no-wait", "add-bond", "br-int", "tap2", "tap3", "tap4", "--", "set", "port", "tap2", "trunks=1,2,3", "external_ids:weft-owned=maybe")
	h.Vsctl("--no-wait", "set", "interface", "tap3", `external_ids:weft-port=""`, "external_ids:iface-id=p1", "options:x="+long)
	h.Vsctl("set", "bridge", "br-int", "external_ids:weft-owned=maybe", "other_config:mac-table-size=many")
	d := threeBridges()
	d.Bindings = []Binding{{"p1", "tap3", "fa:16:3e:00:00:01", 5, 0}, {"p2", "tap1", "fa:16:3e:00:00:02", 6, 0}}
	d.Prune = true
	// What others have written reaches the session some time after it is in the database.
	var out Outcome
	h.Await("what was written last is put right", func() bool {
		out = h.apply(d)
		return h.get("bridge", "br-int", "other_config:mac-table-size") == "50000"
	})
	if got := out.State.Interfaces("br-int")["tap1"]; got.IfaceID != "a\n\"b\"\x1b[2J" || got.AttachedMAC != "no MAC" {
		t.Errorf("tap1: %+v", got)
	}
	if p := out.Problems["port/p2"]; p.Reason != InterfaceMismatch {
		t.Errorf("p2: %+v", p)
	}
	if got := strings.Fields(h.Vsctl("list-ports", "br-int")); !slices.Contains(got, "tap1") || !slices.Contains(got, "tap2") {
		t.Errorf("somebody's ports are gone: %v", got)
	}
}

// Open vSwitch waits for up to eight seconds before it tries again to reach a controller that was away.
func TestDisconnectMakesTheSwitchConnectAtOnce(t *testing.T) {
	h := newHost(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	calls := make(chan struct{}, 100)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Close()
			calls <- struct{}{}
		}
	}()
	d := threeBridges()
	for i := range d.Bridges {
		d.Bridges[i].Controllers = []string{"tcp:" + ln.Addr().String()}
	}
	h.settle(d)
	h.Vsctl("add-port", "br-ex", "eth9", "--", "set", "interface", "eth9", "type=internal")
	h.Ofctl("add-flow", "br-ex", "table=0,actions=NORMAL")
	flows := h.Flows("br-ex")
	// After three attempts the next would be four seconds away.
	for range 9 {
		<-calls
	}
	began := time.Now()
	if err := h.s.Disconnect(t.Context(), h.settle(d).State, []string{"br-ex", "br-int", "nosuch"}); err != nil {
		t.Fatal(err)
	}
	h.settle(d)
	<-calls
	<-calls
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the switch connected after %v", took)
	}
	if d := cmp.Diff(flows, h.Flows("br-ex")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
	if got := h.Vsctl("get-controller", "br-ex"); got != "tcp:"+ln.Addr().String() {
		t.Errorf("controllers: %q", got)
	}
}
