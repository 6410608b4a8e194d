package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// A distributed router comes to a host that has one VLAN left, and needs two. It says what it lacks, where, and what to do;
// when a network leaves the host it has all.
func TestRouterWithoutAVLAN(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.facts("compute1", "")
	const batch = 400 // more takes a slow machine longer than etcd waits
	for i := 0; i < model.MaxVLAN-1; i += batch {
		d.report(func(tx *store.Tx) error {
			var taps []model.Interface
			for j := i; j < min(i+batch, model.MaxVLAN-1); j++ {
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
			return tx.ReportInterfaces("compute1", false, taps, nil)
		})
	}
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
