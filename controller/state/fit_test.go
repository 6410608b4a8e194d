package state

import (
	"slices"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
)

func TestFit(t *testing.T) {
	db := New()
	txn := db.Begin()
	put := func(k Kind, obj any) {
		t.Helper()
		if err := txn.Put(k, obj); err != nil {
			t.Fatal(err)
		}
	}
	network := []string{model.RoleNetwork}
	facts := func(host string, roles ...string) {
		put(HostFacts, &model.HostFacts{Host: host, Roles: roles, BridgeMappings: map[string]string{"physnet1": "br-ex"}})
	}
	host := func(name string, change func(*model.Host)) {
		h := &model.Host{Meta: model.Meta{ID: name}}
		change(h)
		put(Hosts, h)
	}
	host("reported", func(*model.Host) {})
	facts("reported", network...)
	host("compute", func(*model.Host) {})
	facts("compute")
	host("overruled", func(h *model.Host) {
		h.Roles, h.BridgeMappings = network, map[string]string{"physnet2": "br-2"}
	})
	facts("overruled", model.RoleCompute)
	host("draining", func(h *model.Host) { h.Draining = true })
	facts("draining", network...)
	host("silent", func(h *model.Host) { h.Roles = network })
	host("dead", func(*model.Host) {})
	facts("dead", network...)
	put(HostHealths, &model.HostHealth{Host: "dead", Down: true})

	s := txn.Snapshot
	for _, c := range []struct{ host, physnet, want string }{
		{"reported", "physnet1", ""},
		{"reported", "physnet2", "has no bridge for physical network physnet2"},
		{"compute", "", "is no network host"},
		{"overruled", "", ""},
		{"overruled", "physnet2", ""},
		{"overruled", "physnet1", "has no bridge for physical network physnet1"},
		{"draining", "", "is draining"},
		{"silent", "", "has not reported yet"},
		{"dead", "", "is down"},
		{"nobody", "", "is gone"},
	} {
		var physnets []string
		if c.physnet != "" {
			physnets = []string{c.physnet}
		}
		if got := s.Unfit(c.host, physnets); got != c.want {
			t.Errorf("%s with %q: %q, want %q", c.host, c.physnet, got, c.want)
		}
	}
	if got := s.Roles("compute"); !slices.Equal(got, []string{model.RoleCompute}) {
		t.Errorf("roles when nobody says otherwise: %v", got)
	}
}

func TestWhatRoutersNeed(t *testing.T) {
	db := New()
	txn := db.Begin()
	for _, o := range []struct {
		k   Kind
		obj any
	}{
		{Networks, &model.Network{Meta: model.Meta{ID: "ext"}, Type: model.Flat, PhysicalNetwork: "physnet1"}},
		{Networks, &model.Network{Meta: model.Meta{ID: "vlan"}, Type: model.VLAN, PhysicalNetwork: "physnet1", SegmentID: 7}},
		{Networks, &model.Network{Meta: model.Meta{ID: "other"}, Type: model.VLAN, PhysicalNetwork: "another", SegmentID: 7}},
		{Networks, &model.Network{Meta: model.Meta{ID: "blue"}, Type: model.VXLAN, SegmentID: 7}},
		{Ports, port("p1", "vlan")}, {Ports, port("p2", "blue")}, {Ports, port("p3", "other")},
	} {
		if err := txn.Put(o.k, o.obj); err != nil {
			t.Fatal(err)
		}
	}
	gateway := &model.ExternalGateway{NetworkID: "ext"}
	one := []model.RouterInterface{{PortID: "p1"}, {PortID: "p2"}, {PortID: "p3"}}
	r := &model.Router{Gateway: gateway, Interfaces: one}
	if got := txn.PhysicalNetworks(r); !slices.Equal(got, []string{"another", "physnet1"}) {
		t.Errorf("physical networks %v", got)
	}
	for _, c := range []struct {
		r                    model.Router
		centralised, spreads bool
	}{
		{model.Router{}, false, false},
		{model.Router{Gateway: gateway}, true, false},
		{model.Router{Interfaces: one}, true, false},
		{model.Router{Distributed: true, AdminStateUp: true, Gateway: gateway}, false, false},
		{model.Router{Distributed: true, AdminStateUp: true, Interfaces: one}, false, true},
		{model.Router{Distributed: true, Gateway: gateway, Interfaces: one}, true, false},
		{model.Router{Distributed: true, AdminStateUp: true, Gateway: gateway, Interfaces: one}, true, true},
	} {
		if txn.Centralised(&c.r) != c.centralised || Spreads(&c.r) != c.spreads {
			t.Errorf("%+v: %t %t", c.r, txn.Centralised(&c.r), Spreads(&c.r))
		}
	}
}
