package ovsdb

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEverythingIsMadeInOneTransaction(t *testing.T) {
	h := newHost(t)
	h.Vsctl("set", "Open_vSwitch", ".", "ovs_version=3.1.0") // as ovs-ctl does
	out := h.apply(threeBridges())
	if out.Transactions != 1 {
		t.Errorf("%d transactions, want 1", out.Transactions)
	}
	out = h.settle(threeBridges())
	if d := cmp.Diff([]string(nil), problems(out.Problems)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
	if !out.State.Applied(1) || out.State.OVSVersion() != "3.1.0" {
		t.Errorf("applied %v, version %q", out.State.Applied(1), out.State.OVSVersion())
	}
	for _, c := range []struct{ table, record, column, want string }{
		{"bridge", "br-int", "fail_mode", "secure"},
		{"bridge", "br-int", "datapath_type", "netdev"},
		{"bridge", "br-int", "datapath_id", "7765667400010001"},
		{"bridge", "br-tun", "protocols", "[OpenFlow10, OpenFlow13, OpenFlow14, OpenFlow15]"},
		{"bridge", "br-tun", "other_config", "{datapath-id=7765667400010002, disable-in-band=true, mac-table-size=50000}"},
		{"bridge", "br-ex", "external_ids", "{weft-owned=true}"},
		{"interface", "patch-int", "options", "{peer=patch-tun}"},
		{"interface", "patch-tun", "options", "{peer=patch-int}"},
		{"interface", "phy-br-ex", "options", "{peer=int-br-ex}"},
		{"interface", "int-br-ex", "options", "{peer=phy-br-ex}"},
		{"interface", "vxlan-0a5b0015", "type", "vxlan"},
		{"interface", "vxlan-0a5b0015", "options",
			"{df_default=true, egress_pkt_mark=0, in_key=flow, local_ip=10.91.0.20, out_key=flow, remote_ip=10.91.0.21}"},
		{"port", "vxlan-0a5b0015", "external_ids", "{weft-owned=true}"},
	} {
		if got := h.get(c.table, c.record, c.column); got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.table, c.record, c.column, got, c.want)
		}
	}
	want := "out-of-band,10000,1000,tcp:127.0.0.1:1,{weft-owned=true}\n"
	if d := cmp.Diff(strings.Repeat(want, 3), strings.ReplaceAll(h.Vsctl("-f", "csv", "--no-headings",
		"--columns=connection_mode,inactivity_probe,max_backoff,target,external_ids", "list", "controller"), `"`, "")+"\n"); d != "" {
		t.Errorf("controllers (-want +got):\n%s", d)
	}
}

// A host that is as it should be costs no write.
func TestSecondApplySendsNothing(t *testing.T) {
	h := newHost(t)
	h.settle(threeBridges())
	h.plug("tap1", "port1")
	d := threeBridges()
	d.Bindings = []Binding{{PortID: "port1", Interface: "tap1", MAC: "fa:16:3e:00:00:01", VLAN: 7, Installed: 12}}
	d.Prune = true
	// The mirror may show the new interface a moment later.
	h.Await("the binding", func() bool { return len(h.apply(d).Problems) == 0 })
	h.settle(d)
	log := func() int {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(h.Dir, "conf.db"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), `"_comment":"weft-nsagent: `)
	}
	before := log()
	out := h.apply(d)
	if out.Transactions != 0 || len(out.Changes) != 0 {
		t.Errorf("%d transactions, changes %q", out.Transactions, texts(out.Changes))
	}
	if after := log(); before != 2 || after != before {
		t.Errorf("the database has %d transactions of ours, then %d; want 2", before, after)
	}
}

func TestBindingOfAPort(t *testing.T) {
	h := newHost(t)
	d := threeBridges()
	h.settle(d)
	h.plug("tap1", "port1")
	h.plug("tap2", "")
	h.plug("tap3", "somebody-else")
	// As os-vif leaves a port until it is bound.
	h.Vsctl("set", "port", "tap1", "vlan_mode=trunk", "trunks=4095", "tag=4095")
	h.Vsctl("set", "interface", "tap3", "external_ids:attached-mac=fa:16:3e:00:00:03")
	d.Bindings = []Binding{
		{PortID: "port1", Interface: "tap1", MAC: "fa:16:3e:00:00:09", VLAN: 7},
		{PortID: "port2", Interface: "tap2", MAC: "fa:16:3e:00:00:01", VLAN: 8, Installed: 44},
		{PortID: "port3", Interface: "tap3", MAC: "fa:16:3e:00:00:09", VLAN: 9},
		{PortID: "port4", Interface: "tap4", MAC: "fa:16:3e:00:00:09", VLAN: 9},
		{PortID: "port5", Interface: "tap2", MAC: "fa:16:3e:00:00:01", VLAN: 9},
	}
	h.seen("tap3", func(i Interface) bool { return i.AttachedMAC == "fa:16:3e:00:00:03" })
	out := h.apply(d)
	if out.Transactions != 1 {
		t.Errorf("%d transactions, want 1", out.Transactions)
	}
	if diff := cmp.Diff([]string{
		`port/port3|interface|InterfaceMismatch|tap3 carries iface-id "somebody-else" and attached-mac "fa:16:3e:00:00:03", which are not those of the port`,
		"port/port4|interface|InterfaceMissing|no interface tap4 is on br-int",
		"port/port5|interface|InterfaceTaken|tap2 is bound to port port2",
	}, problems(h.settle(d).Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	for _, c := range []struct{ table, record, column, want string }{
		{"port", "tap1", "tag", "7"}, {"port", "tap1", "vlan_mode", "[]"}, {"port", "tap1", "trunks", "[]"},
		{"interface", "tap1", "external_ids:weft-port", "port1"},
		{"port", "tap2", "tag", "8"}, {"interface", "tap2", "external_ids:weft-installed", "44"},
		{"port", "tap3", "tag", "4095"}, // it waits for what it is for
	} {
		if got := h.get(c.table, c.record, c.column); got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.table, c.record, c.column, got, c.want)
		}
	}

	// A port that is unbound must not stay in the network, nor speak in all VLANs.
	d.Bindings = d.Bindings[1:2]
	h.settle(d)
	if got := h.get("port", "tap1", "tag"); got != "7" {
		t.Errorf("without prune, tag %s", got)
	}
	d.Prune = true
	h.settle(d)
	if got := h.get("port", "tap1", "tag"); got != "4095" {
		t.Errorf("unbound port has tag %s, want 4095", got)
	}
	if got := h.get("interface", "tap1", "external_ids"); got != "{attached-mac=FA:16:3E:00:00:01, iface-id=port1}" {
		t.Errorf("unbound interface has external_ids %s", got)
	}

	// The interface is another VM's by now.
	h.Vsctl("set", "interface", "tap2", "external_ids:attached-mac=fa:16:3e:00:00:77")
	d.Prune = false
	h.Await("tap2 to be dead", func() bool { h.apply(d); return h.get("port", "tap2", "tag") == "4095" })
}

func TestAdoptionKeepsWhatIsForeign(t *testing.T) {
	h := newHost(t)
	h.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "fail_mode=secure", "other_config:theirs=1", "external_ids:theirs=2",
		"--", "set-controller", "br-int", "tcp:127.0.0.1:6633",
		"--", "add-port", "br-int", "tapX", "--", "set", "interface", "tapX", "type=internal",
		"--", "add-port", "br-int", "patch-tun", "--", "set", "interface", "patch-tun", "type=patch", "options:peer=nowhere",
		"--", "add-br", "br-ex", "--", "set", "bridge", "br-ex", "datapath_type=netdev", "--", "set-controller", "br-ex", "tcp:127.0.0.1:6633")
	h.Ofctl("add-flow", "br-int", "table=60,actions=NORMAL")
	flows := h.Flows("br-int")

	out := h.apply(threeBridges())
	for _, c := range out.Changes {
		if c.Flushes {
			t.Errorf("%s: %s is said to flush", c.Resource, c.Text)
		}
	}
	h.settle(threeBridges())
	if d := cmp.Diff(flows, h.Flows("br-int")); d != "" {
		t.Errorf("flows of br-int, which had a controller (-want +got):\n%s", d)
	}
	for _, c := range []struct{ table, record, column, want string }{
		{"bridge", "br-int", "other_config:theirs", "1"},
		{"bridge", "br-int", "external_ids", "{theirs=2}"},
		{"interface", "patch-tun", "options", "{peer=patch-int}"},
		{"port", "patch-tun", "external_ids", "{weft-owned=true}"},
		{"port", "tapX", "tag", "[]"},
	} {
		if got := h.get(c.table, c.record, c.column); got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.table, c.record, c.column, got, c.want)
		}
	}
	if got := h.Vsctl("get-controller", "br-int"); got != "tcp:127.0.0.1:1" {
		t.Errorf("controllers of br-int: %q", got)
	}
	if got := h.Vsctl("get-controller", "br-ex"); got != "tcp:127.0.0.1:1\ntcp:127.0.0.1:6633" {
		t.Errorf("controllers of br-ex, which others may use: %q", got)
	}

	// Pruning everything takes away only what we made: br-int was there before.
	h.settle(Desired{DatapathType: "netdev", Prune: true})
	if got := h.Vsctl("list-br"); got != "br-ex\nbr-int" {
		t.Errorf("bridges after all was pruned: %q", got)
	}
	if got := h.Vsctl("list-ports", "br-int"); got != "tapX" {
		t.Errorf("ports of br-int after all was pruned: %q", got)
	}
}

func TestChangeOfControllersKeepsFlowsAndRows(t *testing.T) {
	h := newHost(t)
	d := threeBridges()
	out := h.settle(d)
	h.Ofctl("add-flow", "br-int", "table=60,actions=NORMAL")
	flows := h.Flows("br-int")
	row := slices.Clone(out.State.bridges["br-int"].Controllers)

	d.Bridges[1].Controllers = []string{"tcp:127.0.0.1:1", "tcp:127.0.0.1:2"}
	out = h.settle(d)
	if !slices.Contains(out.State.bridges["br-int"].Controllers, row[0]) {
		t.Error("the controller row that was right is another one now")
	}
	d.Bridges[1].Controllers = []string{"tcp:[::1]:3"}
	h.settle(d)
	if got := h.Vsctl("get-controller", "br-int"); got != "tcp:[::1]:3" {
		t.Errorf("controllers: %q", got)
	}
	d.Bridges[1].Controllers = nil
	if out := h.apply(d); out.Transactions != 0 {
		t.Errorf("no controllers wanted, and %q", texts(out.Changes))
	}
	if d := cmp.Diff(flows, h.Flows("br-int")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
}

func TestFirstControllerIsToldToFlush(t *testing.T) {
	h := newHost(t)
	h.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
	out := h.apply(threeBridges())
	for _, c := range out.Changes {
		if want := c.Resource == "bridge/br-int" && strings.Contains(c.Text, "fail_mode"); c.Flushes != want {
			t.Errorf("%s (%s): flushes %v", c.Resource, c.Text, c.Flushes)
		}
	}
}

func TestWhatCannotBeMadeIsToldAndTheRestIsMade(t *testing.T) {
	h := newHost(t)
	h.Vsctl("add-br", "elsewhere", "--", "set", "bridge", "elsewhere", "datapath_type=netdev", "--", "add-port", "elsewhere", "gre-0a5b0016",
		"--", "set", "interface", "gre-0a5b0016", "type=internal",
		"--", "add-br", "br-ex", "--", "set", "bridge", "br-ex", "datapath_type=system",
		"--", "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
	h.Vsctl("--no-wait", "add-port", "br-int", "ghost", "--", "set", "interface", "ghost", "type=nosuch", "external_ids:iface-id=ghost")
	d := threeBridges()
	d.Bindings = []Binding{{PortID: "ghost", Interface: "ghost", MAC: "fa:16:3e:00:00:01", VLAN: 7}}
	d.Tunnels = append(d.Tunnels,
		TunnelPort{"gre-0a5b0016", "gre", addr("10.91.0.20"), addr("10.91.0.22")},
	)
	if diff := cmp.Diff([]string{
		`bridge/br-ex||DatapathMismatch|br-ex has datapath type "system", the integration bridge has "netdev", and patch ports do not connect the two; start the agent with --datapath-type system or re-create br-ex`,
		"port/ghost||PortFailed|ghost: could not open network device ghost (Address family not supported by protocol)",
		"tunnel/gre-0a5b0016|name|NameTaken|port gre-0a5b0016 exists, but on elsewhere and not on br-tun; remove it there",
	}, problems(h.settle(d).Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if got := h.Vsctl("list-ports", "br-tun"); got != "patch-int\nvxlan-0a5b0015" {
		t.Errorf("ports of br-tun: %q", got)
	}
}

// The database refuses a whole transaction for one bad value. Checks keep such values out; here they are passed by.
func TestRefusedTransactionIsTakenApart(t *testing.T) {
	h := newHost(t)
	d := threeBridges()
	h.settle(d)
	h.plug("tap1", "port1")
	h.plug("tap2", "port2")
	d.Bindings = []Binding{{PortID: "port1", Interface: "tap1", VLAN: 5000}, {PortID: "port2", Interface: "tap2", VLAN: 5}}
	d.Tunnels = append(d.Tunnels, TunnelPort{"gre-0a5b0016", "gre", addr("10.91.0.20"), addr("10.91.0.22")})
	out := h.apply(d)
	if out.Transactions != 2 {
		t.Errorf("%d transactions, want one for each change that is not refused", out.Transactions)
	}
	if diff := cmp.Diff(`port/port1||Rejected|the database refuses the transaction at "update Port": constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)`,
		problems(out.Problems)[0]); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
	if got := h.get("port", "tap2", "tag"); got != "5" {
		t.Errorf("tag of tap2: %s", got)
	}
	if got := h.Vsctl("list-ports", "br-tun"); got != "gre-0a5b0016\npatch-int\nvxlan-0a5b0015" {
		t.Errorf("ports of br-tun: %q", got)
	}
}
