package store

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// A host without VLANs left: ports come before routers, and everybody gets one as soon as there is one again.
func TestAllLocalVLANsTakenByRouters(t *testing.T) {
	w := newWorld(t)
	host(t, w.Store, "h1")
	const last = 3
	is := crowd(t, w.Store, "h1", model.MaxVLAN-last)
	// blue, red and three more by one router: one network too many, and none of theirs has a port but blue.
	r := w.router(t, "r", true, w.blueNet, w.redNet, w.subnet(t, network(t, w.Store, "n1"), "n1", "10.0.3.0/24"), w.subnet(t, network(t, w.Store, "n2"), "n2", "10.0.4.0/24"))
	w.plug(t, w.vm, "h1")
	without := func() (n int) {
		for p := range interfacesSeq(w.now(), r) {
			if w.now().LocalVLAN("h1", p.NetworkID) == nil {
				n++
			}
		}
		return n
	}
	if w.now().Binding(w.vm.ID) == nil || w.now().RouterHost(r.ID, "h1") == nil || without() != 1 {
		t.Errorf("binding %v, router %v, %d networks without a VLAN, want 1", w.now().Binding(w.vm.ID), w.now().RouterHost(r.ID, "h1"), without())
	}
	// Another machine finds none, and says so; it comes before the router's network when one becomes free.
	late := port(t, w.Store, named(network(t, w.Store, "late"), "late"))
	w.plug(t, late, "h1")
	if st := w.now().PortState(late.ID); st == nil || st.Reason != NoLocalVLAN {
		t.Errorf("state %+v", st)
	}
	report(t, w.Store, "h1", false, []string{is[0].Name})
	if w.now().Binding(late.ID) == nil || without() != 1 {
		t.Errorf("binding %v, %d networks without a VLAN, want 1", w.now().Binding(late.ID), without())
	}
	report(t, w.Store, "h1", false, []string{is[1].Name})
	if without() != 0 {
		t.Errorf("%d networks without a VLAN, want none", without())
	}
	invariants(t, w.now())
	// The machine that needed the router goes, and with it the router and all its VLANs.
	w.unplug(t, w.vm, "h1")
	if w.now().RouterHost(r.ID, "h1") != nil || without() != 4 {
		t.Errorf("router %v, %d networks without a VLAN, want 4", w.now().RouterHost(r.ID, "h1"), without())
	}
	invariants(t, w.now())
}

// A host with as many distributed routers as it has pairs of addresses for: one more is not there, and comes when another
// one goes.
func TestAllLinkLocalsTaken(t *testing.T) {
	w := newWorld(t)
	host(t, w.Store, "h1")
	n := network(t, w.Store, "many")
	w.subnet(t, n, "many", "10.64.0.0/10")
	machine := port(t, w.Store, named(n, "machine"))
	w.plug(t, machine, "h1")
	const batch = 512 // more takes a slow machine longer than etcd waits
	for i := 0; i <= model.MaxLinkLocals; i += batch {
		update(t, w.Store, func(tx *Tx) error {
			for j := i; j < min(i+batch, model.MaxLinkLocals+1); j++ {
				p, err := tx.CreatePort(&model.Port{NetworkID: n.ID, AdminStateUp: true})
				if err != nil {
					return err
				}
				r := &model.Router{Meta: model.Meta{Name: fmt.Sprint("r", j)}, AdminStateUp: true, Distributed: true, Interfaces: []model.RouterInterface{{PortID: p.ID}}}
				if _, err := tx.CreateRouter(r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	lacking := func() (n int, which *model.Router) {
		for r := range w.now().Routers() {
			if w.now().RouterHost(r.ID, "h1") == nil {
				n, which = n+1, r
			}
		}
		return n, which
	}
	eventually(t, "8,192 routers are on the host", func() bool { n, _ := lacking(); return n == 1 })
	_, late := lacking()
	for r := range w.now().Routers() {
		if r != late {
			update(t, w.Store, func(tx *Tx) error {
				_, err := tx.RemoveRouterInterface(r.ID, r.Interfaces[0])
				return err
			})
			break
		}
	}
	if w.now().RouterHost(late.ID, "h1") == nil {
		t.Error("the one that waited has not come")
	}
}

func interfacesSeq(s state.Snapshot, r *model.Router) func(func(*model.Port) bool) {
	return func(yield func(*model.Port) bool) {
		for _, p := range interfacesOf(s, r) {
			if !yield(p) {
				return
			}
		}
	}
}

// The first network host of a cloud has more to take than one transaction holds: its report is taken at once, and the rest
// follows.
func TestMoreThanATransactionHolds(t *testing.T) {
	s := openTest(t, Config{DataDir: t.TempDir()})
	// What a small external etcd takes, once the store has begun.
	update(t, s, func(*Tx) error { return nil })
	s.cfg.MaxTxnOps = 128
	const networks = 300
	for range networks / 10 {
		update(t, s, func(tx *Tx) error {
			for range 10 {
				n, err := tx.CreateNetwork(&model.Network{})
				if err != nil {
					return err
				}
				if _, err := tx.CreateSubnet(&model.Subnet{NetworkID: n.ID, CIDR: netip.MustParsePrefix("10.0.0.0/24"), EnableDHCP: true}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	update(t, s, func(tx *Tx) error {
		if _, err := tx.EnsureHost("net1"); err != nil {
			return err
		}
		return tx.ReportHost(&model.HostFacts{Host: "net1", Roles: []string{model.RoleNetwork}})
	})
	snap, _ := s.Snapshot()
	if snap.HostFacts("net1") == nil {
		t.Error("the report was not taken")
	}
	eventually(t, "all networks are served", func() bool {
		snap, _ = s.Snapshot()
		return snap.Len(state.Ports) == networks
	})
	invariants(t, snap)
}

// What a controller would do in another way than the one before it, it puts right when it starts.
func TestOpenPutsRight(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Config{DataDir: dir})
	n := network(t, s, "blue")
	made(t, s, func(tx *Tx) (*model.Subnet, error) {
		return tx.CreateSubnet(&model.Subnet{NetworkID: n.ID, CIDR: netip.MustParsePrefix("10.0.0.0/24"), EnableDHCP: true})
	})
	for _, h := range []string{"net1", "net2", "net3"} {
		update(t, s, func(tx *Tx) error {
			if _, err := tx.EnsureHost(h); err != nil {
				return err
			}
			return tx.ReportHost(&model.HostFacts{Host: h, Roles: []string{model.RoleNetwork}})
		})
	}
	_, before := s.Snapshot()
	count := func() int {
		snap, _ := s.Snapshot()
		return snap.Len(state.Ports)
	}
	if count() != 2 {
		t.Errorf("%d DHCP ports, want 2", count())
	}
	s.Close()
	s = openTest(t, Config{DataDir: dir})
	update(t, s, func(*Tx) error { return nil })
	if _, after := s.Snapshot(); after != before {
		t.Errorf("revision %d after a start with nothing to put right, want %d", after, before)
	}
	for _, want := range []int{3, 1} {
		s.Close()
		s = openTest(t, Config{DataDir: dir, DHCPAgentsPerNetwork: want})
		update(t, s, func(*Tx) error { return nil })
		if count() != want {
			t.Errorf("%d DHCP ports, want %d", count(), want)
		}
	}
	if _, err := Open(t.Context(), Config{DataDir: t.TempDir(), DHCPAgentsPerNetwork: -1}, quiet()); err == nil || err.Error() != "store: -1 DHCP agents for a network; give 1 or more, or 0 for 2" {
		t.Errorf("%v", err)
	}
}
