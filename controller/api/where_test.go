package api

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// places asks where something is; ids of the test's objects are cut short.
func (d *door) places(kind, object string) []string {
	d.t.Helper()
	var out []string
	for _, p := range must[*weftv1.WhereResponse](d.t)(d.Where(d.ctx, &weftv1.WhereRequest{Kind: kind, Object: object})).Places {
		line := fmt.Sprintf("%s %s %s: %s", p.Host, p.What, p.State, p.Why)
		if p.Message != "" {
			line += " (" + p.Message + ")"
		}
		for id, short := range map[string]string{edgeID: "EDGE", publicID: "PUBLIC", blueID: "BLUE", redID: "RED"} {
			line = strings.ReplaceAll(line, id, short)
		}
		out = append(out, plain(line))
	}
	return out
}

func TestWhere(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	vm1 := fmt.Sprintf("port %q (%s)", "vm1", portID)
	edgeRef := `router "edge" (EDGE)`
	const nobody = "there are no hosts yet: start weft-nsagent on one with the role network"
	diff(t, "nothing yet", []string(nil), d.places("network", "blue"))
	d.apply(edge(), withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress, f.PortId = "203.0.113.7", "vm1" }), fipID),
		floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.8" }))
	diff(t, "a router without a host", []string{" snat-EDGE DOWN: " + nobody}, d.places("", "edge"))
	diff(t, "its floating IP", []string{" its translation DOWN: " + edgeRef + " has no host: " + nobody}, d.places("floatingip", "203.0.113.7"))
	diff(t, "one that stands for nobody", []string(nil), d.places("", "203.0.113.8"))
	diff(t, "a port that is not plugged in", []string{
		" its interface DOWN: no interface of br-int has iface-id " + portID + "; on its host, plug it in: ovs-vsctl set Interface NAME external_ids:iface-id=" + portID,
		" its translation DOWN: floating IP 203.0.113.7: " + edgeRef + " has no host: " + nobody}, d.places("port", "vm1"))

	d.facts("network1", "physnet1", "network")
	d.facts("compute1", "physnet1")
	d.plug("compute1", model.Interface{Name: "tapvm1", OFPort: 3, IfaceID: portID})
	for _, h := range []string{"network1", "compute1"} {
		d.build(h)
		d.in(h)
	}
	because := vm1 + " is bound there, its router is distributed, and the host leads to the external network"
	diff(t, "the router", []string{
		"compute1 fip-PUBLIC ACTIVE: it serves the floating IPs of ports that are bound there: 203.0.113.7",
		"compute1 qrouter-EDGE ACTIVE: port vm1 of its networks is bound there",
		"network1 qrouter-EDGE ACTIVE: its snat namespace is there",
		"network1 snat-EDGE ACTIVE: the only network host that is fit"}, d.places("router", "edge"))
	diff(t, "its floating IP", []string{"compute1 fip-PUBLIC ACTIVE: " + because, "compute1 qrouter-EDGE ACTIVE: " + because}, d.places("", "203.0.113.7"))
	snap, _ := d.store.Snapshot()
	diff(t, "a network", []string{fmt.Sprintf("compute1 vlan %d ACTIVE: one of its ports is bound there", snap.LocalVLAN("compute1", blueID).VLAN),
		fmt.Sprintf("network1 vlan %d ACTIVE: one of its ports is bound there", snap.LocalVLAN("network1", blueID).VLAN)}, d.places("network", "blue"))
	if got := d.places("network", "public"); len(got) == 0 || !strings.HasPrefix(got[0], "compute1 fip-PUBLIC ACTIVE: it serves floating IPs of ports that are bound there, with 203.0.113.") {
		t.Errorf("the external network: %v", got)
	}
	d.report(func(tx *store.Tx) error {
		return tx.SetPortState(&model.PortState{PortID: portID, Host: "compute1", Status: model.PortActive, Revision: 1})
	})
	diff(t, "a port", []string{"compute1 tapvm1 ACTIVE: interface tapvm1 of compute1 has its id as iface-id",
		"compute1 fip-PUBLIC ACTIVE: floating IP 203.0.113.7: " + because, "compute1 qrouter-EDGE ACTIVE: floating IP 203.0.113.7: " + because}, d.places("port", "vm1"))
	diff(t, "the router's own port", []string{"compute1 tapX ACTIVE: port vm1 of its networks is bound there", "network1 tapX ACTIVE: its snat namespace is there"},
		d.places("port", snap.Router(edgeID).Interfaces[0].PortID))
	diff(t, "the address of a floating IP", []string(nil), d.places("port", snap.PortByIP(publicID, snap.FloatingIP(fipID).Address).ID))

	d.in("compute1", report.Failure{Object: "fip/" + publicID, Reason: "Taken", Message: "somebody else made it"})
	d.report(func(tx *store.Tx) error { return tx.SetHostDown("network1", true) })
	diff(t, "what is wrong", []string{
		"compute1 fip-PUBLIC ERROR: it serves the floating IPs of ports that are bound there: 203.0.113.7 (compute1: somebody else made it)",
		"compute1 qrouter-EDGE ACTIVE: port vm1 of its networks is bound there",
		"network1 qrouter-EDGE DOWN: its snat namespace is there (network1 is down since T)",
		"network1 snat-EDGE DOWN: the only network host that is fit (network1 is down since T)"}, d.places("router", "edge"))

	d.in("compute1")
	d.report(func(tx *store.Tx) error { return tx.SetHostDown("network1", false) })
	d.apply(edge(func(r *weftv1.Router) { r.Distributed = proto.Bool(false) }))
	d.build("network1")
	d.in("network1")
	diff(t, "centralized", []string{"network1 qrouter-EDGE ACTIVE: the only network host that is fit"}, d.places("router", "edge"))
	diff(t, "and its floating IP", []string{"network1 qrouter-EDGE ACTIVE: its router is centralized, and there"}, d.places("floatingip", fipID))
	d.apply(edge(func(r *weftv1.Router) { r.AdminStateUp = proto.Bool(false) }))
	diff(t, "down by its own wish", []string(nil), d.places("router", "edge"))
}

func TestWhereDHCPServesANetwork(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), subnet("v4", "blue", "10.0.0.0/24"))
	diff(t, "no hosts", []string{" qdhcp-BLUE DOWN: there are no hosts yet: start weft-nsagent on one with the role network"}, d.places("", "blue"))
	d.facts("network1", "", "network")
	d.build("network1")
	d.in("network1")
	diff(t, "one", []string{"network1 qdhcp-BLUE ACTIVE: a DHCP server of the network is there, with 10.0.0.2", "network1 vlan 1 ACTIVE: one of its ports is bound there"}, d.places("", "blue"))
	d.apply(withID(router("edge", func(r *weftv1.Router) { r.Interfaces = []*weftv1.RouterInterface{{SubnetId: "v4"}} }), edgeID))
	d.build("network1")
	d.in("network1")
	diff(t, "a router for it", []string{"network1 qrouter-EDGE ACTIVE: port DHCP of blue of its networks is bound there"}, d.places("router", "edge"))
}

func TestWhereWhat(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.apply(network("twin"), withID(router("twin"), edgeID))
	snap, _ := d.store.Snapshot()
	twin := ""
	for n := range snap.Networks() {
		if n.Name == "twin" {
			twin = n.ID
		}
	}
	fields := func(v string) refusal {
		return refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{v}}
	}
	for _, tc := range []struct {
		kind, object string
		want         refusal
	}{
		{"", "", fields("object: is missing; give an id, the beginning of one, or a name")},
		{"router", "", fields("object: is missing; give an id, the beginning of one, or a name")},
		{"", "nosuch", refusal{Code: codes.NotFound, Reason: "NOT_FOUND", Info: map[string]string{"name": "nosuch"}}},
		{"router", "blue", refusal{Code: codes.NotFound, Reason: "NOT_FOUND", Info: map[string]string{"kind": "router", "name": "blue"}, Resource: "router/blue"}},
		{"subnet", "blue-v4", fields(`kind: "subnet" is nothing that hosts have; choose one of router, network, floatingip, port`)},
		{"", "twin", fields(fmt.Sprintf(`kind: is missing; "twin" could be router "twin" (%s), network "twin" (%s)`, edgeID, twin))},
	} {
		_, err := d.Where(d.ctx, &weftv1.WhereRequest{Kind: tc.kind, Object: tc.object})
		diff(t, fmt.Sprintf("%q %q", tc.kind, tc.object), tc.want, refused(t, err))
	}
}

func TestGetNamespace(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.apply(edge(), host("compute1"))
	ask := func(host, name string) (*weftv1.GetNamespaceResponse, error) {
		return d.GetNamespace(d.ctx, &weftv1.GetNamespaceRequest{Host: host, Namespace: name})
	}
	if _, err := ask("compute1", "qrouter-edge"); refused(t, err).Code != codes.Unavailable {
		t.Errorf("an agent that is away: %v", err)
	}
	d.fleet.spaces = map[string][]report.NamespaceLine{
		"compute1/qrouter-" + edgeID: {{Section: "link", Text: "qr-0123", State: report.OK}, {Section: "rule", Text: "32768: from 10.0.0.5 lookup 16", State: report.Missing},
			{Section: "sysctl", Text: "net.ipv4.ip_forward = 0", State: report.Foreign}},
		"compute1/fip-" + publicID: {{Section: "link", Text: "fg-0123", State: report.OK}},
	}
	want := &weftv1.GetNamespaceResponse{Host: "compute1", Namespace: "qrouter-" + edgeID, Lines: []*weftv1.NamespaceLine{
		{Section: "link", Text: "qr-0123", State: "ok"}, {Section: "rule", Text: "32768: from 10.0.0.5 lookup 16", State: "missing"},
		{Section: "sysctl", Text: "net.ipv4.ip_forward = 0", State: "foreign"}}}
	for _, name := range []string{"qrouter-edge", "qrouter-" + edgeID, "qrouter-" + edgeID[:6], "qrouter-" + strings.ToUpper(edgeID)} {
		diff(t, name, want, must[*weftv1.GetNamespaceResponse](t)(ask("compute1", name)))
	}
	if ns := must[*weftv1.GetNamespaceResponse](t)(ask("compute1", "fip-public")); ns.Namespace != "fip-"+publicID {
		t.Errorf("by the network's name: %v", ns)
	}
	for name, want := range map[string]refusal{
		"qrouter-egde":                        {Code: codes.NotFound, Reason: "NOT_FOUND", Info: map[string]string{"kind": "router", "name": "egde"}, Resource: "router/egde"},
		"qrouter-":                            {Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{`namespace: "qrouter-" lacks the id of what it belongs to`}},
		"blue":                                {Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{`namespace: "blue" is no namespace of ours: write qrouter-, snat-, fip- or qdhcp- and an id or a name`}},
		"snat-edge":                           {Code: codes.NotFound},
		"qdhcp-" + blueID:                     {Code: codes.NotFound},
		"qrouter-" + port2ID + " of somebody": {Code: codes.NotFound, Reason: "NOT_FOUND", Info: map[string]string{"kind": "router", "name": port2ID + " of somebody"}, Resource: "router/" + port2ID + " of somebody"},
	} {
		_, err := ask("compute1", name)
		diff(t, name, want, refused(t, err))
	}
	if _, err := ask("compute9", "qrouter-edge"); refused(t, err).Resource != "host/compute9" {
		t.Errorf("no such host: %v", err)
	}
	if _, err := ask("", "qrouter-edge"); refused(t, err).Code != codes.InvalidArgument {
		t.Errorf("no host: %v", err)
	}
}
