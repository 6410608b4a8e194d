package ovsdb

import (
	"slices"
	"strings"
	"testing"
)

// TestPlugTakesAPlace: a firewall bridge's qvo comes where the machine's tap was, and the tap comes back, in one transaction
// each, with the VLAN, the marks and the number; the binding follows.
func TestPlugTakesAPlace(t *testing.T) {
	const qvoA = "qvo0a0a0a0a-0a"
	h := newHost(t)
	d := threeBridges()
	d.Prune = true
	h.settle(d)
	h.Vsctl("add-port", "br-int", tapA, "--", "set", "Interface", tapA, "external_ids:iface-id=port-a", "external_ids:vm-uuid=vm", "ofport=12")
	numbered := func(i Interface) bool { return i.OFPort == 12 }
	h.seen(tapA, numbered)
	d.Bindings = []Binding{{PortID: "port-a", Interface: tapA, MAC: "fa:16:3e:00:00:0a", VLAN: 7, Installed: 9}}
	h.apply(d)
	h.want("port", tapA, "tag", "7")

	for _, c := range []struct {
		plug         Plug
		bound, owned string
	}{
		{Plug{Interface: qvoA, PortID: "port-a", MAC: "fa:16:3e:00:00:0a", Instead: tapA}, tapA, "{weft-owned=true}"},
		{Plug{Interface: tapA, PortID: "port-a", MAC: "fa:16:3e:00:00:0a", Instead: qvoA, Lent: true}, qvoA, "{}"},
	} {
		d.Plugs = []Plug{c.plug}
		d.Bindings[0].Interface = c.bound // as long as the controller has not heard
		out := h.apply(d)
		if len(out.Changes) != 1 || out.Transactions != 1 {
			t.Errorf("%s: changes %q", c.plug.Interface, texts(out.Changes))
		}
		name := c.plug.Interface
		h.want("port", name, "tag", "7")
		h.want("port", name, "external_ids", c.owned)
		h.want("interface", name, "ofport_request", "12")
		for _, id := range []string{"attached-mac=fa:16:3e:00:00:0a", "iface-id=port-a", "vm-uuid=vm", "weft-port=port-a", "weft-installed=9"} {
			if got := h.get("interface", name, "external_ids"); !strings.Contains(got, id) {
				t.Errorf("%s: external_ids %s, want %s", name, got, id)
			}
		}
		if got := h.Vsctl("list-ports", "br-int"); slices.Contains(strings.Fields(got), c.plug.Instead) {
			t.Errorf("ports of br-int: %q", got)
		}
		if again := h.apply(d); len(again.Changes) > 0 {
			t.Errorf("%s: once more %q", name, texts(again.Changes))
		}
		h.Vsctl("set", "Interface", name, "ofport=12")
		h.seen(name, numbered)
	}
	// It was lent: nobody takes it away.
	d.Plugs, d.Bindings[0].Interface = nil, tapA
	if out := h.apply(d); len(out.Changes) > 0 {
		t.Errorf("changes %q", texts(out.Changes))
	}
	h.want("port", tapA, "tag", "7")
}
