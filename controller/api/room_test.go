package api

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// crowd has a host carry so many networks of which nothing else is known; interface other0 is in the first.
func (d *door) crowd(host string, networks int) {
	d.t.Helper()
	const batch = 200 // more takes a slow machine longer than etcd waits
	for i := 0; i < networks; i += batch {
		d.report(func(tx *store.Tx) error {
			var taps []model.Interface
			for j := i; j < min(i+batch, networks); j++ {
				n, err := tx.CreateNetwork(&model.Network{AdminStateUp: true})
				if err != nil {
					return err
				}
				p, err := tx.CreatePort(&model.Port{NetworkID: n.ID, AdminStateUp: true})
				if err != nil {
					return err
				}
				taps = append(taps, model.Interface{Name: fmt.Sprint("other", j), OFPort: uint32(1000 + j), IfaceID: p.ID})
			}
			return tx.ReportInterfaces(host, false, taps, nil)
		})
	}
}

// What there is none of any more is refused with the field that asked for it, and nothing is written.
func TestNothingIsLeftToChooseFrom(t *testing.T) {
	d := openDoor(t, func(c *store.Config) {
		one := []store.Range{{Min: 7, Max: 7}}
		c.Ranges = store.Ranges{VXLAN: one, GRE: one, Geneve: one, VLAN: map[string][]store.Range{"physnet1": one}}
	})
	of := func(networkType string) *weftv1.Object {
		return network("of "+networkType, func(n *weftv1.Network) {
			n.ProviderNetworkType = networkType
			if networkType == "vlan" {
				n.ProviderPhysicalNetwork = "physnet1"
			}
		})
	}
	const subnetID = "50b00000-0000-4000-8000-000000000005"
	d.apply(of("vxlan"), of("gre"), of("geneve"), of("vlan"), withID(port("bare", "of vxlan"), port2ID))
	d.apply(withID(subnet("tiny", "of vxlan", "10.0.0.0/30"), subnetID), port("last", "of vxlan"))
	create := func(o *weftv1.Object) error {
		if p := o.GetPort(); p != nil {
			_, err := d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: p})
			return err
		}
		_, err := d.CreateNetwork(d.ctx, &weftv1.CreateNetworkRequest{Network: o.GetNetwork()})
		return err
	}
	tiny := fmt.Sprintf("subnet %q (%s)", "tiny", subnetID)
	onTiny := []*weftv1.FixedIP{{SubnetId: "tiny"}}
	for name, tc := range map[string]struct {
		do   func() error
		want string
	}{
		"vxlan":  {func() error { return create(of("vxlan")) }, "provider_segmentation_id: no segment id is left in the controller's vxlan ranges: delete networks or configure more"},
		"gre":    {func() error { return create(of("gre")) }, "provider_segmentation_id: no segment id is left in the controller's gre ranges: delete networks or configure more"},
		"geneve": {func() error { return create(of("geneve")) }, "provider_segmentation_id: no segment id is left in the controller's geneve ranges: delete networks or configure more"},
		"vlan": {func() error { return create(of("vlan")) },
			`provider_segmentation_id: no segment id is left in the controller's vlan ranges of physical network "physnet1": delete networks or configure more`},
		"any address": {func() error { return create(port("late", "of vxlan")) },
			"fixed_ips: no address is left in the allocation pools of " + tiny + ": delete ports, enlarge the pools or add a subnet"},
		"an address of a subnet": {func() error { return create(port("late", "of vxlan", func(p *weftv1.Port) { p.FixedIps = onTiny })) },
			"fixed_ips[0]: no address is left in the allocation pools of " + tiny + ": delete ports or enlarge the pools"},
		"an address for a port that is there": {func() error {
			_, err := d.UpdatePort(d.ctx, &weftv1.UpdatePortRequest{Port: withID(port("", "", func(p *weftv1.Port) { p.FixedIps = onTiny }), port2ID).GetPort()})
			return err
		}, "fixed_ips[0]: no address is left in the allocation pools of " + tiny + ": delete ports or enlarge the pools"},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := d.store.Snapshot()
			diff(t, "refusal", refusal{Code: codes.ResourceExhausted, Reason: "EXHAUSTED", Violations: []string{tc.want}}, refused(t, tc.do()))
			sameState(t, before, d.store)
		})
	}
}

// A port is plugged in on a host that has no VLAN left for its network: it says so, where, and what to do, until a network
// leaves the host.
func TestPortWithoutALocalVLAN(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(withID(network("blue"), blueID), withID(port("vm", "blue"), portID))
	d.facts("compute1", "")
	d.crowd("compute1", model.MaxVLAN)
	_, before := d.store.Snapshot()
	w := d.watch(before, "port")
	full := d.report(func(tx *store.Tx) error {
		return tx.ReportInterfaces("compute1", false, []model.Interface{{Name: "tapvm", OFPort: 3, IfaceID: portID}}, nil)
	})
	diff(t, "watched", "MODIFIED port vm ERROR", strings.Join(w.until(full), "; "))
	p := must[*weftv1.Port](t)(d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: "vm"}))
	diff(t, "no VLAN is left", []string{
		"Bound=False NoLocalVLAN: host compute1 carries 4094 networks already, one for each VLAN of br-int: move ports to another host",
		"Programmed=False NoLocalVLAN: host compute1 carries 4094 networks already, one for each VLAN of br-int: move ports to another host"}, conditionText(p.Status.Conditions))
	d.report(func(tx *store.Tx) error { return tx.ReportInterfaces("compute1", false, nil, []string{"other0"}) })
	p = must[*weftv1.Port](t)(d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: "vm"}))
	if p.Status.Status != "BUILD" || p.Status.Host != "compute1" || p.Status.InterfaceName != "tapvm" {
		t.Errorf("after a network has left: %v", p.Status)
	}
}

// A distributed router comes to a host that has one VLAN left, and needs two. It says what it lacks, where, and what to do;
// when a network leaves the host it has all.
func TestRouterWithoutAVLAN(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.facts("compute1", "")
	d.crowd("compute1", model.MaxVLAN-1)
	d.apply(withID(router("edge", func(r *weftv1.Router) {
		r.Interfaces = []*weftv1.RouterInterface{{SubnetId: "blue-v4"}, {SubnetId: "red-v4"}}
	}), edgeID))
	d.plug("compute1", model.Interface{Name: "tapvm1", OFPort: 3, IfaceID: portID})
	d.build("compute1")
	d.in("compute1")
	is := func(when, want string) {
		t.Helper()
		r := must[*weftv1.Router](t)(d.GetRouter(d.ctx, &weftv1.GetRouterRequest{Id: "edge"}))
		diff(t, when, want, statusText(r.Status.Status, strings.Join(r.Status.Hosts, ","), r.Status.Conditions))
	}
	is("one VLAN for two networks", "ERROR compute1 | Programmed=False NoLocalVLAN: host compute1 carries 4094 networks already, one for each VLAN of br-int, "+
		"and the router is there without red: move ports of other networks to another host")
	_, before := d.store.Snapshot()
	w := d.watch(before, "router")
	freed := d.report(func(tx *store.Tx) error { return tx.ReportInterfaces("compute1", false, nil, []string{"other0"}) })
	diff(t, "watched", "MODIFIED router edge ACTIVE", strings.Join(w.until(freed), "; "))
	d.build("compute1")
	d.in("compute1")
	is("a network has left", "ACTIVE compute1 | Programmed=True Acknowledged: acknowledged by compute1")
}

// A host that has no pair of addresses left for one more distributed router.
func TestRouterWithoutALinkLocal(t *testing.T) {
	load := state.NewLoad()
	for k, objs := range map[state.Kind][]any{
		state.Networks: {&model.Network{Meta: model.Meta{ID: blueID}}},
		state.Routers: {&model.Router{Meta: model.Meta{ID: edgeID}, AdminStateUp: true, Distributed: true,
			Interfaces: []model.RouterInterface{{SubnetID: blueSubID, PortID: port2ID}}}},
		state.Ports: {&model.Port{Meta: model.Meta{ID: portID}, NetworkID: blueID},
			&model.Port{Meta: model.Meta{ID: port2ID}, NetworkID: blueID, DeviceID: edgeID, DeviceOwner: model.OwnerDistributedInterface}},
		state.LocalVLANs: {&model.LocalVLAN{Host: "compute1", NetworkID: blueID, VLAN: 1}},
		state.Bindings:   {&model.Binding{PortID: portID, NetworkID: blueID, Host: "compute1"}},
	} {
		for _, obj := range objs {
			if err := load.Put(k, obj); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range model.MaxLinkLocals {
		if err := load.Put(state.RouterHosts, &model.RouterHost{RouterID: fmt.Sprint(n), Host: "compute1", LinkLocal: uint16(n)}); err != nil {
			t.Fatal(err)
		}
	}
	s := &sight{Snapshot: load.DB().Snapshot()}
	var out weftv1.Router
	routerStatus(s, s.Router(edgeID), &out)
	diff(t, "status", "ERROR | Programmed=False NoLinkLocal: host compute1 has 8192 distributed routers already, one for each pair of addresses of 169.254.64.0/18: "+
		"move ports that need others of them to another host", statusText(out.Status.Status, strings.Join(out.Status.Hosts, ","), out.Status.Conditions))
}
