package api

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

const noDnsmasq = "dnsmasq is missing: install it"

// serveTowns gives both towns DHCP.
func (d *door) serveTowns() {
	d.t.Helper()
	for _, town := range []struct{ name, id, cidr string }{{"blue", blueSubID, "10.0.0.0/24"}, {"red", redSubID, "10.0.1.0/24"}} {
		d.apply(withID(subnet(town.name+"-v4", town.name, town.cidr, func(s *weftv1.Subnet) { s.EnableDhcp = proto.Bool(true) }), town.id))
	}
}

// dhcpFails is what an agent reports that cannot serve a network.
func dhcpFails(network string) report.Failure {
	return report.Failure{Object: "dhcp/" + network, Reason: "ServerFailed", Message: noDnsmasq}
}

// A router whose networks are not served says so, with the host, the network and the reason, and that it forwards.
func TestRouterTellsThatDHCPFailed(t *testing.T) {
	for _, distributed := range []bool{true, false} {
		t.Run(fmt.Sprintf("distributed=%t", distributed), func(t *testing.T) {
			d := openDoor(t, nil)
			d.towns()
			d.serveTowns()
			d.facts("network1", "physnet1", "network")
			d.facts("network2", "", "network")
			d.apply(edge(func(r *weftv1.Router) { r.Distributed = proto.Bool(distributed) }),
				router("redder", func(r *weftv1.Router) {
					r.Interfaces = []*weftv1.RouterInterface{{SubnetId: "red-v4", PortId: "red-port"}}
				}),
				port("red-port", "red"))
			made := func() {
				// The routers come to where a server is.
				for _, h := range []string{"network1", "network2", "network1", "network2"} {
					d.build(h)
				}
				for _, h := range []string{"network1", "network2"} {
					d.in(h)
				}
			}
			get := func(name string) string {
				r := must[*weftv1.Router](t)(d.GetRouter(d.ctx, &weftv1.GetRouterRequest{Id: name}))
				c := r.Status.Conditions[len(r.Status.Conditions)-1]
				return strings.TrimRight(r.Status.Status+" "+c.Host, " ") + " | " + conditionText([]*weftv1.Condition{c})[0]
			}
			blue, red := fmt.Sprintf("network %q (%s)", "blue", blueID), fmt.Sprintf("network %q (%s)", "red", redID)
			failed := func(host, who, where, why string) string {
				return fmt.Sprintf("ACTIVE %s | Programmed=False DHCPFailed: it forwards, but in %s %s tells machines their addresses and routes by DHCP: %s", host, where, who, why)
			}
			all := "ACTIVE | Programmed=True Acknowledged: acknowledged by network1"
			other := "ACTIVE | Programmed=True Acknowledged: acknowledged by network1, network2"
			if distributed {
				all = other
			}
			for _, step := range []struct {
				name        string
				do          func()
				edge, other string
			}{
				{"all is well", made, all, other},
				{"one of two servers", func() { d.in("network2", dhcpFails(blueID)) }, failed("network2", "only network1", blue, "network2: "+noDnsmasq), other},
				{"both", func() { d.in("network1", dhcpFails(blueID)) },
					"ACTIVE | Programmed=False DHCPFailed: it forwards, but in " + blue + " nobody tells machines their addresses and routes by DHCP: network1: " + noDnsmasq + "; network2 too", other},
				{"two networks", func() { d.in("network1"); d.in("network2", dhcpFails(redID), dhcpFails(blueID)) },
					failed("network2", "only network1", red, "network2: "+noDnsmasq+"; "+blue+" too"), failed("network2", "only network1", red, "network2: "+noDnsmasq)},
				{"two networks, two hosts", func() { d.in("network1", dhcpFails(redID)); d.in("network2", dhcpFails(blueID)) },
					"ACTIVE | Programmed=False DHCPFailed: it forwards, but in " + red + " only network2 tells machines their addresses and routes by DHCP: network1: " + noDnsmasq + "; " + blue + " too",
					failed("network1", "only network2", red, "network1: "+noDnsmasq)},
				{"the router itself is worse", func() {
					d.in("network1", dhcpFails(blueID), report.Failure{Object: "router/" + edgeID, Reason: "NameTaken", Message: "somebody else's"})
					d.in("network2")
				}, "ERROR network1 | Programmed=False NameTaken: network1: somebody else's", other},
				{"it heals", func() { d.in("network1") }, all, other},
				{"the device of a server", func() { d.spoilDHCP("network2", blueID) },
					failed("network2", "only network1", blue, "network2: Open vSwitch could not add tapX; see ovs-vsctl get Interface tapX error there"), other},
				{"the device is there", made, all, other},
				{"nobody wants to be served", func() {
					d.in("network2", dhcpFails(blueID))
					d.apply(withID(subnet("blue-v4", "blue", "10.0.0.0/24", func(s *weftv1.Subnet) { s.EnableDhcp = proto.Bool(false) }), blueSubID))
					d.in("network1")
				}, all, other},
			} {
				step.do()
				diff(t, step.name, step.edge, plain(get("edge")))
				diff(t, step.name+": the other", step.other, plain(get("redder")))
			}
		})
	}
}

// spoilDHCP has Open vSwitch of a host refuse the device of a network's DHCP server.
func (d *door) spoilDHCP(host, network string) int64 {
	d.t.Helper()
	snap, _ := d.store.Snapshot()
	for p := range snap.PortsOwned(network, model.OwnerDHCP) {
		if p.BindingHostID == host {
			return d.report(func(tx *store.Tx) error {
				return tx.ReportInterfaces(host, false, []model.Interface{{Name: view.TapName(p.ID), IfaceID: p.ID}}, nil)
			})
		}
	}
	d.t.Fatalf("%s has no DHCP server on %s", network, host)
	return 0
}

// Watch tells of it whether an agent said so or the store, with the name that the network has; and of no other router.
func TestWatchTellsThatDHCPFailed(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.serveTowns()
	d.facts("network1", "physnet1", "network")
	d.apply(edge(), router("away"))
	d.build("network1")
	d.build("network1")
	d.in("network1")
	w := d.watch(0, "router")
	_, rev := d.store.Snapshot()
	w.until(rev)
	event := func() string {
		e, err := w.stream.Recv()
		for err == nil && e.Type == "BOOKMARK" {
			e, err = w.stream.Recv()
		}
		if err != nil {
			t.Fatal(err)
		}
		r := e.Object.GetRouter()
		c := r.Status.Conditions[len(r.Status.Conditions)-1]
		return plain(fmt.Sprintf("%s %s %s %s=%s %s %s: %s", e.Type, r.Metadata.Name, r.Status.Status, c.Type, c.Status, c.Reason, c.Host, c.Message))
	}
	const healed = "MODIFIED edge ACTIVE Programmed=True Acknowledged : acknowledged by network1"
	failed := func(network, why string) string {
		return fmt.Sprintf("MODIFIED edge ACTIVE Programmed=False DHCPFailed network1: it forwards, but in network %q (%s) nobody tells machines their addresses and routes by DHCP: network1: %s", network, blueID, why)
	}
	const refused = "Open vSwitch could not add tapX; see ovs-vsctl get Interface tapX error there"
	for _, step := range []struct {
		name, want string
		do         func()
	}{
		{"the agent lacks dnsmasq", failed("blue", noDnsmasq), func() { d.in("network1", dhcpFails(blueID)) }},
		{"it has dnsmasq", healed, func() { d.in("network1") }},
		{"Open vSwitch refuses the device", failed("blue", refused), func() { d.spoilDHCP("network1", blueID) }},
		{"the network gets another name", failed("azure", refused), func() { d.apply(withID(network("azure"), blueID)) }},
		{"the device is there", healed, func() { d.build("network1"); d.in("network1") }},
	} {
		step.do()
		got := event()
		for strings.Contains(step.want, "True") && !strings.Contains(got, "True") {
			got = event() // as it is acknowledged piece by piece
		}
		diff(t, step.name, step.want, got)
	}
}
