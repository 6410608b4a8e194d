package api

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// build does what agents do for the namespaces of a host: their devices appear on br-int, and the ports that are bound
// there are acknowledged.
func (d *door) build(host string) {
	d.t.Helper()
	d.report(func(tx *store.Tx) error {
		var taps []model.Interface
		for p := range tx.Ports() {
			here := p.BindingHostID == host
			if p.DeviceOwner == model.OwnerDistributedInterface {
				here = tx.RouterHost(p.DeviceID, host) != nil
			}
			if here && model.OwnedByWeft(p.DeviceOwner) && p.DeviceOwner != model.OwnerFloatingIP {
				taps = append(taps, model.Interface{Name: view.TapName(p.ID), OFPort: uint32(100 + len(taps)), IfaceID: p.ID})
			}
		}
		return tx.ReportInterfaces(host, false, taps, nil)
	})
	d.report(func(tx *store.Tx) error {
		for b := range tx.BindingsOn(host) {
			if err := tx.SetPortState(&model.PortState{PortID: b.PortID, Host: host, Status: model.PortActive, Revision: 1}); err != nil {
				return err
			}
		}
		return nil
	})
}

// in says that a host is connected and has applied everything, but for what failed.
func (d *door) in(host string, failed ...report.Failure) {
	_, rev := d.store.Snapshot()
	d.fleet.set(report.Host{Name: host, AgentConnected: true, Applied: rev, Failed: failed})
}

// plain replaces what no two runs have in common in texts.
func plain(s string) string {
	s = regexp.MustCompile(`tap[0-9a-f]{8}-[0-9a-f]{2}`).ReplaceAllString(s, "tapX")
	return regexp.MustCompile(`since \d\d:\d\d:\d\d`).ReplaceAllString(s, "since T")
}

func statusText(status, host string, cs []*weftv1.Condition) string {
	return plain(strings.TrimRight(status+" "+host, " ") + " | " + strings.Join(conditionText(cs), " | "))
}

func TestStatusOfADistributedRouterAndItsFloatingIPs(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.apply(edge(), withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress, f.PortId = "203.0.113.7", "vm1" }), fipID))
	get := func() []string {
		r := must[*weftv1.Router](t)(d.GetRouter(d.ctx, &weftv1.GetRouterRequest{Id: "edge"}))
		f := must[*weftv1.FloatingIP](t)(d.GetFloatingIP(d.ctx, &weftv1.GetFloatingIPRequest{Id: fipID}))
		return []string{statusText(r.Status.Status, strings.TrimRight(r.Status.GatewayHost+" "+strings.Join(r.Status.Hosts, ","), " "), r.Status.Conditions),
			statusText(f.Status.Status, strings.TrimRight(f.Status.Host+" "+strings.ReplaceAll(f.Status.Namespace, edgeID, "EDGE"), " "), f.Status.Conditions)}
	}
	const noneAtAll = "there are no hosts yet: start weft-nsagent on one with the role network"
	edgeRef := fmt.Sprintf("router %q (%s)", "edge", edgeID)
	down := func(why string) []string {
		return []string{"DOWN | Scheduled=False NoHost: " + why + " | Programmed=False NoHost: " + why, "DOWN | Programmed=False NoHost: " + edgeRef + " has no host: " + why}
	}
	const scheduled = "Scheduled=True Scheduled: on network1: the only network host that is fit"
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"no hosts", func() {}, down(noneAtAll)},
		{"no network host", func() { d.facts("compute1", "physnet1") }, down("no host has the role network: weft set host NAME --role network")},
		{"a network host that leads nowhere", func() { d.facts("network1", "", "network") },
			down("no network host can take it: network1 has no bridge for physical network physnet1")},
		{"one that is being drained", func() {
			d.facts("network1", "physnet1", "network", "compute")
			d.apply(host("network1", func(h *weftv1.Host) { h.Draining = proto.Bool(true) }))
		}, []string{"DOWN network1 network1 | Scheduled=False NoOtherHost: it stays on network1, because no network host can take it: network1 is draining" +
			" | Programmed=False Programming: waiting for tapX on br-int of network1",
			"DOWN network1 snat-EDGE | Programmed=False Programming: waiting for tapX on br-int of network1"}},
		{"one that can take it", func() { d.apply(host("network1", func(h *weftv1.Host) { h.Draining = proto.Bool(false) })) }, []string{
			"DOWN network1 network1 | " + scheduled + " | Programmed=False Programming: waiting for tapX on br-int of network1",
			"DOWN network1 snat-EDGE | Programmed=False Programming: waiting for tapX on br-int of network1"}},
		{"its devices are there, and its agent not any more", func() { d.build("network1") }, []string{
			"ACTIVE network1 network1 | " + scheduled + " | Programmed=Unknown NotConnected: the agent of network1 is not connected; what it made stays in force",
			"ACTIVE network1 snat-EDGE | Programmed=Unknown NotConnected: the agent of network1 is not connected; what it made stays in force"}},
		{"all is well; the floating IP is served by the snat namespace", func() { d.in("network1") }, []string{
			"ACTIVE network1 network1 | " + scheduled + " | Programmed=True Acknowledged: acknowledged by network1",
			"ACTIVE network1 snat-EDGE | Programmed=True Acknowledged: acknowledged by network1"}},
		{"the port of the floating IP is plugged in: both move to its host", func() {
			d.plug("compute1", model.Interface{Name: "tapvm1", OFPort: 3, IfaceID: portID})
			d.in("compute1")
		}, []string{
			"DOWN network1 compute1,network1 | " + scheduled + " | Programmed=False Programming: waiting for tapX on br-int of compute1",
			"DOWN compute1 qrouter-EDGE | Programmed=False Programming: waiting for tapX on br-int of compute1"}},
		{"its host has made it", func() { d.build("compute1"); d.in("compute1"); d.in("network1") }, []string{
			"ACTIVE network1 compute1,network1 | " + scheduled + " | Programmed=True Acknowledged: acknowledged by compute1, network1",
			"ACTIVE compute1 qrouter-EDGE | Programmed=True Acknowledged: acknowledged by compute1"}},
		{"the agent cannot make the floating IP", func() {
			d.in("compute1", report.Failure{Object: "floatingip/" + fipID, Reason: "NoSuchAddress", Message: "10.0.0.5 is nobody's"})
		}, []string{
			"ACTIVE network1 compute1,network1 | " + scheduled + " | Programmed=True Acknowledged: acknowledged by compute1, network1",
			"ERROR compute1 qrouter-EDGE | Programmed=False NoSuchAddress: compute1: 10.0.0.5 is nobody's"}},
		{"the agent cannot make the namespace", func() {
			d.in("compute1", report.Failure{Object: "router/" + edgeID, Reason: "NotOurs", Message: "namespace qrouter-" + edgeID + " was made by somebody else: remove it"})
		}, []string{
			"ERROR network1 compute1,network1 | " + scheduled + " | Programmed=False NotOurs: compute1: namespace qrouter-" + edgeID + " was made by somebody else: remove it",
			"ERROR compute1 qrouter-EDGE | Programmed=False NotOurs: compute1: namespace qrouter-" + edgeID + " was made by somebody else: remove it"}},
		{"something else of the host fails", func() { d.in("compute1", report.Failure{Object: "tunnel/vxlan-0a000001", Message: "x"}) }, []string{
			"ACTIVE network1 compute1,network1 | " + scheduled + " | Programmed=True Acknowledged: acknowledged by compute1, network1",
			"ACTIVE compute1 qrouter-EDGE | Programmed=True Acknowledged: acknowledged by compute1"}},
		{"two hosts fail", func() {
			d.in("compute1", report.Failure{Object: "router/" + edgeID, Reason: "NoIptables", Message: "iptables is missing"})
			d.in("network1", report.Failure{Object: "snat/" + edgeID, Reason: "NoIptables", Message: "iptables is missing"})
		}, []string{
			"ERROR network1 compute1,network1 | " + scheduled + " | Programmed=False NoIptables: compute1: iptables is missing; network1 too",
			"ERROR compute1 qrouter-EDGE | Programmed=False NoIptables: compute1: iptables is missing"}},
		{"the network host is down, and there is no other", func() {
			d.in("compute1")
			d.report(func(tx *store.Tx) error { return tx.SetHostDown("network1", true) })
		}, []string{
			"DOWN network1 compute1,network1 | Scheduled=False NoOtherHost: it stays on network1, because no network host can take it: network1 is down" +
				" | Programmed=False HostDown: network1 is down since T",
			"ACTIVE compute1 qrouter-EDGE | Programmed=True Acknowledged: acknowledged by compute1"}},
		{"another network host takes it", func() {
			d.facts("network2", "physnet1", "network")
			d.build("network2")
			d.in("network2")
		}, []string{
			"ACTIVE network2 compute1,network2 | Scheduled=True Scheduled: on network2: moved: network1 is down | Programmed=True Acknowledged: acknowledged by compute1, network2",
			"ACTIVE compute1 qrouter-EDGE | Programmed=True Acknowledged: acknowledged by compute1"}},
		{"that one is drained, and the first one is back", func() {
			d.report(func(tx *store.Tx) error { return tx.SetHostDown("network1", false) })
			d.apply(host("network2", func(h *weftv1.Host) { h.Draining = proto.Bool(true) }))
			d.in("network1")
		}, []string{
			"ACTIVE network2 compute1,network1,network2 | Scheduled=True Moving: on network2, which is draining; it moves to network1 when its namespaces are made there" +
				" | Programmed=True Acknowledged: acknowledged by compute1, network1, network2",
			"ACTIVE compute1 qrouter-EDGE | Programmed=True Acknowledged: acknowledged by compute1"}},
		{"it is drained no more", func() {
			d.apply(host("network2", func(h *weftv1.Host) { h.Draining = proto.Bool(false) }))
			d.in("network2")
		}, []string{
			"ACTIVE network2 compute1,network2 | Scheduled=True Scheduled: on network2: moved: network1 is down | Programmed=True Acknowledged: acknowledged by compute1, network2",
			"ACTIVE compute1 qrouter-EDGE | Programmed=True Acknowledged: acknowledged by compute1"}},
		{"it goes down by its own wish", func() { d.apply(edge(func(r *weftv1.Router) { r.AdminStateUp = proto.Bool(false) })) }, []string{
			"DOWN | Programmed=False AdminDown: admin_state_up of the router is false: it is on no host",
			"DOWN | Programmed=False RouterDown: admin_state_up of " + edgeRef + " is false"}},
		{"the floating IP stands for nobody", func() {
			f := floatingIP("")
			f.UpdateMask = maskOf("port_id")
			d.apply(edge(func(r *weftv1.Router) { r.AdminStateUp = proto.Bool(true) }), withID(f, fipID))
		}, []string{
			"ACTIVE network2 compute1,network2 | Scheduled=True Scheduled: on network2: moved: network1 is down | Programmed=True Acknowledged: acknowledged by compute1, network2",
			"DOWN | Programmed=False NotAssociated: it stands for no port: weft floatingip attach 203.0.113.7 PORT"}},
	} {
		step.do()
		if step.name == "it goes down by its own wish" || strings.HasPrefix(step.name, "the floating IP stands") {
			d.in("compute1")
			d.in("network2")
		}
		diff(t, step.name, step.want, get())
	}
}

func TestStatusOfACentralizedRouterAndItsPortForwardings(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.facts("network1", "physnet1", "network")
	get := func() []string {
		r := must[*weftv1.Router](t)(d.GetRouter(d.ctx, &weftv1.GetRouterRequest{Id: "edge"}))
		out := []string{statusText(r.Status.Status, strings.Join(r.Status.Hosts, ","), r.Status.Conditions)}
		for _, f := range must[*weftv1.ListFloatingIPsResponse](t)(d.ListFloatingIPs(d.ctx, &weftv1.ListFloatingIPsRequest{})).Floatingips {
			out = append(out, statusText(f.Status.Status, f.Status.Host, f.Status.Conditions))
		}
		for _, f := range must[*weftv1.ListPortForwardingsResponse](t)(d.ListPortForwardings(d.ctx, &weftv1.ListPortForwardingsRequest{})).Portforwardings {
			out = append(out, statusText(f.Status.Status, f.Status.Host+" "+strings.ReplaceAll(f.Status.Namespace, edgeID, "EDGE"), f.Status.Conditions))
		}
		return out
	}
	const pfID = "bf000000-0000-4000-8000-000000000020"
	const scheduled = "Scheduled=True Scheduled: on network1: the only network host that is fit"
	bare := func(distributed bool) *weftv1.Object {
		return withID(router("edge", func(r *weftv1.Router) { r.Distributed = proto.Bool(distributed) }), edgeID)
	}
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"nothing to do, distributed", func() { d.apply(bare(true)) }, []string{"ACTIVE | Programmed=True NotNeeded: no host needs it: it has no interfaces"}},
		{"nothing to do", func() { d.apply(bare(false)) }, []string{"ACTIVE | Programmed=True NotNeeded: no host needs it: it has neither interfaces nor a gateway"}},
		{"distributed, and nobody there", func() {
			d.apply(withID(router("edge", func(r *weftv1.Router) {
				r.Distributed, r.Interfaces = proto.Bool(true), []*weftv1.RouterInterface{{SubnetId: "blue-v4"}}
			}), edgeID))
		}, []string{"ACTIVE | Programmed=True NotNeeded: no host needs it: no port of its networks is bound"}},
		{"with all there is", func() {
			d.apply(edge(func(r *weftv1.Router) { r.Distributed = proto.Bool(false) }),
				withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.7" }), fipID),
				withID(portForwarding("203.0.113.7", "tcp", 2222, "vm1", 22), pfID))
		}, []string{"DOWN network1 | " + scheduled + " | Programmed=False Programming: waiting for tapX on br-int of network1",
			"DOWN network1 | Programmed=False Programming: waiting for tapX on br-int of network1",
			"DOWN network1 qrouter-EDGE | Programmed=False Programming: waiting for tapX on br-int of network1"}},
		{"made", func() { d.build("network1"); d.in("network1") }, []string{
			"ACTIVE network1 | " + scheduled + " | Programmed=True Acknowledged: acknowledged by network1",
			"ACTIVE network1 | Programmed=True Acknowledged: acknowledged by network1",
			"ACTIVE network1 qrouter-EDGE | Programmed=True Acknowledged: acknowledged by network1"}},
		{"a device that Open vSwitch could not add", func() {
			snap, _ := d.store.Snapshot()
			tap := view.TapName(snap.Router(edgeID).Interfaces[0].PortID)
			d.report(func(tx *store.Tx) error {
				return tx.ReportInterfaces("network1", false, []model.Interface{{Name: tap, IfaceID: snap.Router(edgeID).Interfaces[0].PortID}}, nil)
			})
		}, []string{"ERROR network1 | " + scheduled + " | Programmed=False InterfaceFailed: network1: Open vSwitch could not add tapX; see ovs-vsctl get Interface tapX error there",
			"ACTIVE network1 | Programmed=True Acknowledged: acknowledged by network1",
			"ACTIVE network1 qrouter-EDGE | Programmed=True Acknowledged: acknowledged by network1"}},
		{"the port forwarding is refused", func() {
			d.build("network1")
			d.in("network1", report.Failure{Object: "portforwarding/" + pfID, Reason: "Bad", Message: "no"})
		}, []string{"ACTIVE network1 | " + scheduled + " | Programmed=True Acknowledged: acknowledged by network1",
			"ERROR network1 | Programmed=False Bad: network1: no", "ERROR network1 qrouter-EDGE | Programmed=False Bad: network1: no"}},
		{"a change that is on its way", func() {
			d.in("network1")
			d.apply(withID(portForwarding("", "", 0, "", 2022), pfID))
		}, []string{"ACTIVE network1 | " + scheduled + " | Programmed=True Acknowledged: acknowledged by network1",
			"ACTIVE network1 | Programmed=True Acknowledged: acknowledged by network1",
			"DOWN network1 qrouter-EDGE | Programmed=False Programming: network1 has not acknowledged it yet"}},
	} {
		step.do()
		diff(t, step.name, step.want, get())
	}
}

func TestStatusOfPortsThatWeftMakes(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.apply(edge(), floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.7" }))
	owned := func(owner string) []string {
		var out []string
		for _, p := range must[*weftv1.ListPortsResponse](t)(d.ListPorts(d.ctx, &weftv1.ListPortsRequest{DeviceOwner: owner})).Ports {
			out = append(out, statusText(p.Status.Status, p.Status.Host, p.Status.Conditions))
		}
		slices.Sort(out)
		return out
	}
	const notBound = " | Programmed=False NotBound: nothing is programmed for a port that is not bound"
	diff(t, "a gateway without a host", []string{"DOWN | Bound=False NoHost: no host has router " + edgeID + ", which it belongs to: weft where router " + edgeID + " tells why" + notBound}, owned(model.OwnerRouterGateway))
	d.facts("network1", "physnet1", "network")
	diff(t, "a gateway that its host has not made", []string{"DOWN | Bound=False NoInterface: tapX is not on br-int of network1 yet: its agent makes it" + notBound}, owned(model.OwnerRouterGateway))
	diff(t, "the address of a floating IP", []string{"N/A | Bound=False NotPlugged: it keeps the address of a floating IP; nothing is ever plugged into it"}, owned(model.OwnerFloatingIP))
	on1 := fmt.Sprintf("Bound=True Distributed: it is on each of the 1 hosts that have router %q (%s) | ", "edge", edgeID)
	diff(t, "distributed interfaces", []string{"BUILD | " + on1 + "Programmed=False Programming: waiting for tapX on br-int of network1",
		"BUILD | " + on1 + "Programmed=False Programming: waiting for tapX on br-int of network1"}, owned(model.OwnerDistributedInterface))
	d.build("network1")
	d.in("network1")
	diff(t, "distributed interfaces that are made", []string{"ACTIVE | " + on1 + "Programmed=True Acknowledged: acknowledged by network1",
		"ACTIVE | " + on1 + "Programmed=True Acknowledged: acknowledged by network1"}, owned(model.OwnerDistributedInterface))
	// Their devices on the host are nobody's strangers.
	for _, i := range must[*weftv1.ListInterfacesResponse](t)(d.ListInterfaces(d.ctx, &weftv1.ListInterfacesRequest{Host: "network1"})).Interfaces {
		if i.PortId == "" || i.Message != "" {
			t.Errorf("an interface without a port: %v", i)
		}
	}
	if h := must[*weftv1.Host](t)(d.GetHost(d.ctx, &weftv1.GetHostRequest{Id: "network1"})); h.Status.UnboundInterfaces != 0 {
		t.Errorf("%d unbound interfaces", h.Status.UnboundInterfaces)
	}
	d.apply(edge(func(r *weftv1.Router) { r.AdminStateUp = proto.Bool(false) }))
	diff(t, "distributed interfaces of a router that is down", []string{"DOWN | Bound=False NotNeeded: its router is on no host", "DOWN | Bound=False NotNeeded: its router is on no host"},
		owned(model.OwnerDistributedInterface))
	if got := must[*weftv1.ListPortsResponse](t)(d.ListPorts(d.ctx, &weftv1.ListPortsRequest{DeviceOwner: model.OwnerDistributedInterface, NetworkId: "blue"})).Ports; len(got) != 1 {
		t.Errorf("those on one network: %v", got)
	}
}

func TestStatusOfDHCPAndOfItsHosts(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), subnet("v4", "blue", "10.0.0.0/24"))
	text := func() string {
		n := must[*weftv1.Network](t)(d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: "blue"}))
		return statusText(n.Status.Status, "", n.Status.Conditions[1:])
	}
	hostText := func(name string) string {
		h := must[*weftv1.Host](t)(d.GetHost(d.ctx, &weftv1.GetHostRequest{Id: name})).Status
		return fmt.Sprintf("%s routers %d dhcp %d down %v", h.Status, h.ScheduledRouters, h.DhcpNetworks, h.DownSince != nil)
	}
	diff(t, "no hosts", "ACTIVE | DHCP=False NoHost: there are no hosts yet: start weft-nsagent on one with the role network", text())
	d.facts("network1", "", "network")
	d.facts("network2", "", "network")
	diff(t, "two servers", "ACTIVE | DHCP=False Programming: waiting for tapX on br-int of network1; network2 too", text())
	for _, h := range []string{"network1", "network2"} {
		d.build(h)
		d.in(h)
	}
	diff(t, "both made", "ACTIVE | DHCP=True Served: acknowledged by network1, network2", text())
	diff(t, "the host", "NotReady routers 0 dhcp 1 down false", hostText("network1"))
	d.in("network2", report.Failure{Object: "dhcp/" + blueID, Reason: "Died", Message: "dnsmasq ends again and again: see its log"})
	diff(t, "one that does not come up", "ACTIVE | DHCP=False Died: network2: dnsmasq ends again and again: see its log", text())
	d.report(func(tx *store.Tx) error { return tx.SetHostDown("network2", true) })
	diff(t, "a host that is down", "NotReady routers 0 dhcp 1 down true", hostText("network2"))
	d.apply(subnet("v4", "blue", "10.0.0.0/24", func(s *weftv1.Subnet) { s.EnableDhcp = proto.Bool(false) }))
	diff(t, "nobody asks for it", "ACTIVE | ", text())
}

// next reads up to the first event that is not a bookmark.
func (w *watching) next() string {
	w.t.Helper()
	for {
		e, err := w.stream.Recv()
		if err != nil {
			w.t.Fatal(err)
		}
		if e.Type != "BOOKMARK" {
			return eventText(e)
		}
	}
}

// What the store knows is told with the revision that changed it; what only the hosts know is told all the same.
func TestWatchTellsHowRoutersAndFloatingIPsAre(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.facts("network1", "physnet1", "network")
	kinds := []string{"router", "floatingip", "portforwarding"}
	w := d.watch(0, kinds...)
	_, rev := d.store.Snapshot()
	w.until(rev)
	const pfID = "bf000000-0000-4000-8000-000000000020"
	rev = d.apply(edge(), withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress, f.PortId = "203.0.113.7", "vm1" }), fipID),
		withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.8" }), "f1b10000-0000-4000-8000-000000000032"),
		withID(portForwarding("203.0.113.8", "tcp", 2222, "vm2", 22, func(f *weftv1.PortForwarding) { f.Metadata.Name = "ssh" }), pfID)).Revision
	diff(t, "new", []string{"ADDED router edge DOWN", "ADDED floatingip 203.0.113.7 DOWN", "ADDED floatingip 203.0.113.8 DOWN", "ADDED portforwarding ssh DOWN"}, w.until(rev))
	d.build("network1")
	_, rev = d.store.Snapshot()
	events := w.until(rev)
	diff(t, "made, as far as anybody knows", []string{"MODIFIED router edge ACTIVE", "MODIFIED floatingip 203.0.113.7 ACTIVE", "MODIFIED floatingip 203.0.113.8 ACTIVE",
		"MODIFIED portforwarding ssh ACTIVE"}, events[len(events)-4:])

	d.in("network1", report.Failure{Object: "floatingip/" + fipID, Reason: "Bad", Message: "no"})
	var live []string
	for range 4 {
		live = append(live, w.next())
	}
	diff(t, "the agent is there, and cannot make one", []string{"MODIFIED router edge ACTIVE", "MODIFIED floatingip 203.0.113.7 ERROR", "MODIFIED floatingip 203.0.113.8 ACTIVE",
		"MODIFIED portforwarding ssh ACTIVE"}, live)
	d.in("network1")
	diff(t, "now it can", "MODIFIED floatingip 203.0.113.7 ACTIVE", w.next())

	rev = d.report(func(tx *store.Tx) error { return tx.SetHostDown("network1", true) })
	diff(t, "its host is down", []string{"MODIFIED router edge DOWN", "MODIFIED floatingip 203.0.113.7 DOWN", "MODIFIED floatingip 203.0.113.8 DOWN", "MODIFIED portforwarding ssh DOWN"}, w.until(rev))
	rev = must[*weftv1.ApplyResponse](t)(d.Apply(d.ctx, &weftv1.ApplyRequest{Deletes: []*weftv1.ObjectRef{{Kind: "floatingip", Id: "203.0.113.8"}}})).Revision
	diff(t, "gone, with what hung on it", []string{"DELETED portforwarding ssh", "DELETED floatingip 203.0.113.8"}, w.until(rev)[:2])
}
