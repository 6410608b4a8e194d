package ovsdb

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const tapA, tapB = "tap0a0a0a0a-0a", "tap0b0b0b0b-0b"

func (h *host) want(table, record, column, want string) {
	h.t.Helper()
	if got := h.get(table, record, column); got != want {
		h.t.Errorf("%s %s %s: %s, want %s", table, record, column, got, want)
	}
}

func TestPlugIsDeadUntilItIsBound(t *testing.T) {
	h := newHost(t)
	d := threeBridges()
	d.Prune = true
	d.Plugs = []Plug{{Interface: tapA, PortID: "port-a"}, {Interface: tapB, PortID: "port-b", Absent: true}}
	h.settle(d)
	h.want("port", tapA, "tag", "4095")
	h.want("port", tapA, "external_ids", "{weft-owned=true}")
	h.want("interface", tapA, "external_ids", "{iface-id=port-a}")
	h.want("interface", tapA, "type", "")
	h.want("port", tapB, "tag", "")

	d.Bindings = []Binding{{PortID: "port-a", Interface: tapA, MAC: "fa:16:3e:00:00:0a", VLAN: 7}}
	out := h.settle(d)
	h.want("port", tapA, "tag", "7")
	if p := problems(out.Problems); len(p) > 0 {
		t.Errorf("problems %q", p)
	}
	row := out.State.Row(tapA)

	// The device is away for a moment: its port stays, with its VLAN.
	d.Plugs[0].Absent = true
	if out = h.settle(d); out.State.Row(tapA) != row {
		t.Error("the port is another one than before")
	}
	h.want("port", tapA, "tag", "7")

	d.Plugs[0].Absent, d.Bindings = false, nil
	h.settle(d)
	h.want("port", tapA, "tag", "4095")
	h.want("interface", tapA, "external_ids", "{iface-id=port-a}")

	d.Plugs = nil
	if out = h.apply(d); len(out.Changes) != 1 || out.Changes[0].Resource != "plug/"+tapA {
		t.Errorf("changes %q", texts(out.Changes))
	}
	if got := h.Vsctl("list-ports", "br-int"); got != "int-br-ex\npatch-tun" {
		t.Errorf("ports of br-int: %q", got)
	}
}

// A binding and a plug that each put the tag right would do so for ever.
func TestDriftOfAPlugIsRepairedInOneStep(t *testing.T) {
	h := newHost(t)
	d := threeBridges()
	d.Plugs = []Plug{{Interface: tapA, PortID: "port-a"}, {Interface: tapB, PortID: "port-b"}}
	h.settle(d)
	d.Bindings = []Binding{{PortID: "port-a", Interface: tapA, MAC: "fa:16:3e:00:00:0a", VLAN: 7}}
	h.settle(d)
	h.Vsctl("--no-wait", "set", "interface", tapA, "external_ids:iface-id=other", "--", "set", "port", tapA, "tag=9", "--", "set", "port", tapB, "tag=9")
	h.Await("the mirror to follow", func() bool { st, err := h.s.State(); return err == nil && value(st.ports[tapB].Tag) == 9 })
	out := h.apply(d)
	if diff := cmp.Diff([]string{
		"plug/" + tapA + ": iface-id of " + tapA + ` was "other"`,
		"plug/" + tapB + ": " + tapB + " had tag 9, and is bound to nothing",
		"port/port-a: " + tapA + " had tag 9",
	}, texts(out.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if out = h.apply(d); len(out.Changes) > 0 || len(out.Problems) > 0 {
		t.Errorf("then changes %q, problems %q", texts(out.Changes), problems(out.Problems))
	}
	h.want("port", tapA, "tag", "7")

	h.Vsctl("--no-wait", "del-port", tapA)
	h.Await("the port and its VLAN", func() bool { h.apply(d); return h.get("port", tapA, "tag") == "7" })
}

func TestPlugLeavesWhatIsForeign(t *testing.T) {
	h := newHost(t)
	d := threeBridges()
	h.settle(d)
	h.plug(tapA, "a-vm")
	h.Vsctl("--no-wait", "add-port", "br-ex", tapB)
	d.Plugs = []Plug{{Interface: tapA, PortID: "port-a"}, {Interface: tapB, PortID: "port-b"}}
	d.Prune = true
	h.Await("both ports", func() bool { return len(h.apply(d).Problems) == 2 })
	if diff := cmp.Diff([]string{
		"plug/" + tapA + "||NameTaken|port " + tapA + ` of br-int is somebody else's: it has iface-id "a-vm" and not "port-a"; remove it`,
		"plug/" + tapB + "||NameTaken|port " + tapB + " exists, but on br-ex and not on br-int; remove it there",
	}, problems(h.settle(d).Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	h.want("port", tapA, "external_ids", "{}")

	// What carries our port's id was put there for us, by whoever.
	h.Vsctl("set", "interface", tapA, "type=dummy", "external_ids:iface-id=port-a")
	h.Await("the port", func() bool { h.apply(d); return h.get("port", tapA, "external_ids") == "{weft-owned=true}" })
	h.want("port", tapA, "tag", "4095")
	h.want("interface", tapA, "type", "")
}
