package ovsdb

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An interface that says which port it is for, and is bound to none yet, hears no VLAN; and every other is left alone.
func TestAnInterfaceThatWaitsIsDead(t *testing.T) {
	h := newHost(t)
	want := threeBridges()
	h.settle(want)
	h.plug("tap1", "p1")
	h.plug("tap2", "")
	h.plug("tap3", "p3")
	h.Vsctl("--no-wait", "set", "port", "tap3", "tag=7")
	h.plug("tap4", "p4")
	h.Vsctl("--no-wait", "set", "port", "tap4", "vlan_mode=trunk", "trunks=4095")
	h.Vsctl("--no-wait", "add-port", "br-ex", "tap5", "--", "set", "interface", "tap5", "type=internal", "external_ids:iface-id=p5")
	out := h.apply(want)
	if d := cmp.Diff([]string{"interface/tap1: tap1 had no tag, and is bound to nothing yet"}, texts(out.Changes)); d != "" || len(out.Problems) != 0 {
		t.Errorf("changes (-want +got):\n%s; problems %v", d, problems(out.Problems))
	}
	tags := func() (all []string) {
		for _, name := range []string{"tap1", "tap2", "tap3", "tap4", "tap5"} {
			all = append(all, name+" "+h.get("port", name, "tag"))
		}
		return all
	}
	if d := cmp.Diff([]string{"tap1 4095", "tap2 []", "tap3 7", "tap4 []", "tap5 []"}, tags()); d != "" {
		t.Errorf("tags (-want +got):\n%s", d)
	}
	if out := h.apply(want); len(out.Changes) != 0 {
		t.Errorf("the second time: %v", texts(out.Changes))
	}

	// It is bound, and another VM takes its name.
	want.Bindings = []Binding{{PortID: "p1", Interface: "tap1", MAC: "fa:16:3e:00:00:01", VLAN: 5}}
	h.apply(want)
	if got := h.get("port", "tap1", "tag"); got != "5" {
		t.Errorf("tag of tap1 when bound: %s", got)
	}
	h.Vsctl("--no-wait", "--", "del-port", "tap1")
	h.Vsctl("--no-wait", "add-port", "br-int", "tap1", "--", "set", "interface", "tap1", "type=internal", "external_ids:iface-id=another")
	h.Await("another interface of the name is dead", func() bool { h.apply(want); return h.get("port", "tap1", "tag") == "4095" })
}

// An agent that has just started knows of no binding. It must leave every bound interface as it is.
func TestWhoKnowsNothingLeavesBoundInterfacesAlone(t *testing.T) {
	h := newHost(t)
	want := threeBridges()
	h.settle(want)
	h.plug("tap1", "p1")
	h.plug("tap2", "p2")
	want.Bindings = []Binding{{PortID: "p1", Interface: "tap1", MAC: "fa:16:3e:00:00:01", VLAN: 5, Installed: 7},
		{PortID: "p2", Interface: "tap2", MAC: "fa:16:3e:00:00:01", VLAN: 6}}
	h.settle(want)
	// Somebody has taken a tag away meanwhile: the mark still says that the interface is bound.
	h.Vsctl("--no-wait", "clear", "port", "tap2", "tag")
	before := h.Vsctl("--columns=name,tag,external_ids", "list", "port") + h.Vsctl("--columns=name,external_ids", "list", "interface")
	for _, knows := range []Desired{{DatapathType: "netdev"}, threeBridges()} {
		h.Await("the database to be seen as it is", func() bool { return len(h.apply(knows).Changes) == 0 })
	}
	if after := h.Vsctl("--columns=name,tag,external_ids", "list", "port") + h.Vsctl("--columns=name,external_ids", "list", "interface"); after != before {
		t.Errorf("ports and interfaces (-before +after):\n%s", cmp.Diff(before, after))
	}
}

// What it is for: without the tag, NORMAL floods the packets of every VLAN to the interface.
func TestAnInterfaceThatWaitsHearsNothing(t *testing.T) {
	h := newHost(t)
	want := threeBridges()
	h.settle(want)
	h.plug("tap1", "p1")
	want.Bindings = []Binding{{PortID: "p1", Interface: "tap1", MAC: "fa:16:3e:00:00:01", VLAN: 5}}
	h.settle(want)
	h.Ofctl("add-flow", "br-int", "actions=NORMAL")
	h.Vsctl("add-port", "br-int", "tap2", "--", "set", "interface", "tap2", "type=internal")
	// The datapath's number of the port stands behind the slash: "tap2 6/7: (dummy-internal)".
	number := regexp.MustCompile(`\stap2 \d+/(\d+):`).FindStringSubmatch(h.Appctl("dpif/show"))
	if number == nil {
		t.Fatalf("no tap2 in the datapath:\n%s", h.Appctl("dpif/show"))
	}
	hears := func() bool {
		out := h.Appctl("ofproto/trace", "br-int", "in_port="+h.get("interface", "tap1", "ofport")+",dl_src=fa:16:3e:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff")
		_, actions, _ := strings.Cut(out, "Datapath actions: ")
		return slices.Contains(strings.FieldsFunc(actions, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }), number[1])
	}
	if !hears() {
		t.Error("an interface without a tag does not hear VLAN 5: this test tests nothing")
	}
	h.Vsctl("set", "interface", "tap2", "external_ids:iface-id=p2")
	h.Await("the tag", func() bool { h.apply(want); return h.get("port", "tap2", "tag") == "4095" })
	h.Await("the switch to follow", func() bool { return !hears() })
}
