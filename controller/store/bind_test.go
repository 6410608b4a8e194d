package store

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// bindings prints where every port is bound and which VLANs there are, with ports and networks by name.
func bindings(s *Store) map[string]string {
	snap, _ := s.Snapshot()
	out := map[string]string{}
	for p := range snap.Ports() {
		if b := snap.Binding(p.ID); b != nil {
			out[p.Name] = fmt.Sprintf("%s/%s %d by %s", b.Host, b.Interface, b.OFPort, b.BoundBy)
		}
		if st := snap.PortState(p.ID); st != nil {
			out[p.Name] += " " + st.Status
		}
	}
	for n := range snap.Networks() {
		for v := range snap.LocalVLANsOf(n.ID) {
			out[n.Name+"@"+v.Host] = fmt.Sprint("vlan ", v.VLAN)
		}
	}
	return out
}

func bound(t *testing.T, s *Store, when string, want map[string]string) {
	t.Helper()
	if d := cmp.Diff(want, bindings(s)); d != "" {
		t.Errorf("%s (-want +got):\n%s", when, d)
	}
	snap, _ := s.Snapshot()
	invariants(t, snap)
}

type m = map[string]string

func named(n *model.Network, name string) *model.Port {
	return &model.Port{Meta: model.Meta{Name: name}, NetworkID: n.ID}
}

func active(t *testing.T, s *Store, p *model.Port, host string) {
	t.Helper()
	update(t, s, func(tx *Tx) error {
		return tx.SetPortState(&model.PortState{PortID: p.ID, Status: model.PortActive, Host: host})
	})
}

func TestBindingFollowsTheInterface(t *testing.T) {
	s := newStore(t)
	blue, red := blueAndRed(t, s)
	host(t, s, "h1")
	host(t, s, "h2")
	p, q := port(t, s, named(blue, "p")), port(t, s, named(red, "q"))
	bound(t, s, "no interfaces", m{})

	report(t, s, "h1", true, nil, tap("tap1", 5, p.ID), tap("tap2", 6, q.ID), tap("tap3", 7, uid(1)), tap("patch", 1, ""))
	bound(t, s, "plugged", m{"p": "h1/tap1 5 by iface-id", "q": "h1/tap2 6 by iface-id", "blue@h1": "vlan 1", "red@h1": "vlan 2"})
	active(t, s, p, "h1")
	_, before := s.Snapshot()
	report(t, s, "h1", true, nil, tap("tap1", 5, p.ID), tap("tap2", 6, q.ID), tap("tap3", 7, uid(1)), tap("patch", 1, ""))
	if _, after := s.Snapshot(); after != before {
		t.Error("the same report again wrote something")
	}

	report(t, s, "h2", false, nil, tap("tap1", 9, p.ID))
	bound(t, s, "live migration: the newer interface wins, the state is void",
		m{"p": "h2/tap1 9 by iface-id", "q": "h1/tap2 6 by iface-id", "blue@h2": "vlan 1", "red@h1": "vlan 2"})
	report(t, s, "h1", false, []string{"tap1"})
	active(t, s, p, "h2")
	bound(t, s, "the old one is unplugged", m{"p": "h2/tap1 9 by iface-id ACTIVE", "q": "h1/tap2 6 by iface-id", "blue@h2": "vlan 1", "red@h1": "vlan 2"})
	report(t, s, "h2", false, []string{"tap1"}, tap("tap2", 9, p.ID))
	bound(t, s, "another interface of the host: the VLAN stays", m{"p": "h2/tap2 9 by iface-id", "q": "h1/tap2 6 by iface-id", "blue@h2": "vlan 1", "red@h1": "vlan 2"})
	report(t, s, "h1", false, nil, tap("tap7", 7, p.ID))
	bound(t, s, "and back to the first host", m{"p": "h1/tap7 7 by iface-id", "q": "h1/tap2 6 by iface-id", "blue@h1": "vlan 1", "red@h1": "vlan 2"})
	report(t, s, "h1", false, nil, tap("tap7", 8, p.ID))
	report(t, s, "h2", false, nil, tap("tap2", 10, p.ID))
	bound(t, s, "other port numbers do not make it newer", m{"p": "h1/tap7 8 by iface-id", "q": "h1/tap2 6 by iface-id", "blue@h1": "vlan 1", "red@h1": "vlan 2"})
	report(t, s, "h1", false, []string{"tap7"})
	report(t, s, "h2", true, nil)
	bound(t, s, "gone", m{"q": "h1/tap2 6 by iface-id", "red@h1": "vlan 2"})
	report(t, s, "h1", false, nil, tap("tap1", 5, p.ID))
	bound(t, s, "back: the lowest VLAN is free again", m{"p": "h1/tap1 5 by iface-id", "q": "h1/tap2 6 by iface-id", "blue@h1": "vlan 1", "red@h1": "vlan 2"})
	report(t, s, "h1", false, nil, tap("tap1", 0, p.ID))
	bound(t, s, "OVS could not add the interface", m{"q": "h1/tap2 6 by iface-id", "red@h1": "vlan 2"})
	update(t, s, func(tx *Tx) error { return tx.DeletePort(q.ID, 0) })
	bound(t, s, "port deleted", m{})
	// The interface is there before its port, as when an orchestrator is slow.
	late := named(red, "late")
	late.ID = uid(1)
	port(t, s, late)
	bound(t, s, "port made for an interface that waits", m{"late": "h1/tap3 7 by iface-id", "red@h1": "vlan 1"})
}

func TestBindingByAttachedMAC(t *testing.T) {
	s := newStore(t)
	blue, red := blueAndRed(t, s)
	host(t, s, "h1")
	p := named(blue, "p")
	p.MAC, _ = model.ParseMAC("fa:16:3e:00:00:01")
	p = port(t, s, p)
	byMAC := func(name, ifaceID, mac string) model.Interface {
		return model.Interface{Name: name, OFPort: 5, IfaceID: ifaceID, AttachedMAC: mac}
	}
	report(t, s, "h1", true, nil, byMAC("tap1", "foreign", "FA-16-3E-00-00-01"))
	bound(t, s, "by MAC, in any spelling", m{"p": "h1/tap1 5 by attached-mac", "blue@h1": "vlan 1"})

	twin := named(red, "twin")
	twin.MAC = p.MAC
	twin = port(t, s, twin)
	bound(t, s, "two ports have the MAC", m{})
	update(t, s, func(tx *Tx) error {
		c := *twin
		c.MAC[5] = 2
		_, err := tx.UpdatePort(&c, 0)
		return err
	})
	bound(t, s, "one of them changed its own", m{"p": "h1/tap1 5 by attached-mac", "blue@h1": "vlan 1"})

	mine := named(red, "mine")
	mine.ID = uid(7)
	report(t, s, "h1", true, nil, byMAC("tap1", uid(7), p.MAC.String()))
	bound(t, s, "an iface-id that is no port's", m{"p": "h1/tap1 5 by attached-mac", "blue@h1": "vlan 1"})
	port(t, s, mine)
	bound(t, s, "the iface-id has become a port's", m{"mine": "h1/tap1 5 by iface-id", "red@h1": "vlan 1"})
	update(t, s, func(tx *Tx) error { return tx.DeletePort(uid(7), 0) })
	bound(t, s, "and is none again", m{"p": "h1/tap1 5 by attached-mac", "blue@h1": "vlan 1"})
	report(t, s, "h1", false, nil, tap("tap9", 9, p.ID))
	bound(t, s, "iface-id comes before MAC", m{"p": "h1/tap9 9 by iface-id", "blue@h1": "vlan 1"})
	report(t, s, "h1", true, nil, byMAC("tap1", "", "not a mac"))
	bound(t, s, "nonsense matches nothing", m{})
}

func TestBindingHostAskedFor(t *testing.T) {
	s := newStore(t)
	blue := network(t, s, "blue")
	for _, h := range []string{"h1", "h2"} {
		host(t, s, h)
	}
	p := named(blue, "p")
	p.BindingHostID = "h1"
	p = port(t, s, p)
	report(t, s, "h1", true, nil, tap("tap1", 5, p.ID))
	report(t, s, "h2", true, nil, tap("tap1", 6, p.ID))
	bound(t, s, "the host asked for, though the other is newer", m{"p": "h1/tap1 5 by iface-id", "blue@h1": "vlan 1"})
	active(t, s, p, "h1")
	move := func(host string) {
		update(t, s, func(tx *Tx) error {
			c := *tx.Port(p.ID)
			c.BindingHostID = host
			_, err := tx.UpdatePort(&c, 0)
			return err
		})
	}
	move("h2")
	bound(t, s, "asked to move", m{"p": "h2/tap1 6 by iface-id", "blue@h2": "vlan 1"})
	move("")
	bound(t, s, "any host: the newer one", m{"p": "h2/tap1 6 by iface-id", "blue@h2": "vlan 1"})
	report(t, s, "h2", true, nil)
	bound(t, s, "only the older one is left", m{"p": "h1/tap1 5 by iface-id", "blue@h1": "vlan 1"})
}

func TestNoBindingWithoutFacts(t *testing.T) {
	s := newStore(t)
	blue := network(t, s, "blue")
	p := port(t, s, named(blue, "p"))
	update(t, s, func(tx *Tx) error { _, err := tx.EnsureHost("h1"); return err })
	report(t, s, "h1", true, nil, tap("tap1", 5, p.ID))
	bound(t, s, "the agent has said nothing about the host", m{})
	host(t, s, "h1")
	bound(t, s, "now it has", m{"p": "h1/tap1 5 by iface-id", "blue@h1": "vlan 1"})
}

func TestAllLocalVLANsTaken(t *testing.T) {
	s := newStore(t)
	host(t, s, "h1")
	is := crowd(t, s, "h1", model.MaxVLAN)
	n := network(t, s, "one too many")
	p, q := port(t, s, named(n, "p")), port(t, s, named(n, "q"))
	report(t, s, "h1", false, nil, tap("p", 5000, p.ID), tap("q", 5001, q.ID))
	snap, _ := s.Snapshot()
	for _, id := range []string{p.ID, q.ID} {
		st := snap.PortState(id)
		if snap.Binding(id) != nil || st == nil || st.Status != model.PortError || st.Reason != NoLocalVLAN ||
			st.Message != "host h1 carries 4094 networks already, one for each VLAN of br-int: move ports to another host" {
			t.Errorf("binding %v, state %+v", snap.Binding(id), st)
		}
	}
	invariants(t, snap)
	freed := snap.LocalVLAN("h1", snap.Binding(is[999].IfaceID).NetworkID).VLAN
	report(t, s, "h1", false, []string{is[999].Name})
	snap, _ = s.Snapshot()
	if v := snap.LocalVLAN("h1", n.ID); v == nil || v.VLAN != freed {
		t.Errorf("VLAN %v, want the %d that has become free", v, freed)
	}
	for _, id := range []string{p.ID, q.ID} {
		if snap.Binding(id) == nil || snap.PortState(id) != nil {
			t.Errorf("binding %v, state %v", snap.Binding(id), snap.PortState(id))
		}
	}

	// A port that is deleted makes room as one that is unplugged does.
	r := port(t, s, named(network(t, s, "two too many"), "r"))
	report(t, s, "h1", false, nil, tap("r", 5002, r.ID))
	snap, _ = s.Snapshot()
	if st := snap.PortState(r.ID); snap.Binding(r.ID) != nil || st == nil || st.Reason != NoLocalVLAN {
		t.Fatalf("binding %v, state %+v", snap.Binding(r.ID), st)
	}
	update(t, s, func(tx *Tx) error { return tx.DeletePort(is[998].IfaceID, 0) })
	snap, _ = s.Snapshot()
	if b := snap.Binding(r.ID); b == nil || b.Host != "h1" || b.Interface != "r" || snap.PortState(r.ID) != nil {
		t.Errorf("after the delete: binding %v, state %+v", b, snap.PortState(r.ID))
	}
	invariants(t, snap)
}

// A port whose last interface is on a host without a VLAN left for it is bound to the interface before that when the host
// is deleted.
func TestAPortInErrorIsBoundElsewhereWhenTheHostGoes(t *testing.T) {
	s := newStore(t)
	host(t, s, "h1")
	host(t, s, "h2")
	p := port(t, s, named(network(t, s, "blue"), "p"))
	report(t, s, "h2", true, nil, tap("tap2", 6, p.ID))
	bound(t, s, "at first", m{"p": "h2/tap2 6 by iface-id", "blue@h2": "vlan 1"})
	// Networks that h1 carries for other reasons than ports, which would keep the host from being deleted; they go with it.
	carried := func(change func(*Tx, *model.LocalVLAN)) func(*Tx) error {
		return func(tx *Tx) error {
			for i := 1; i <= model.MaxVLAN; i++ {
				change(tx, &model.LocalVLAN{Host: "h1", NetworkID: uid(i), VLAN: uint16(i)})
			}
			return nil
		}
	}
	update(t, s, carried(func(tx *Tx, v *model.LocalVLAN) { tx.put(state.LocalVLANs, v) }))
	report(t, s, "h1", true, nil, tap("tap1", 5, p.ID))
	snap, _ := s.Snapshot()
	if st := snap.PortState(p.ID); snap.Binding(p.ID) != nil || st == nil || st.Status != model.PortError || st.Reason != NoLocalVLAN || st.Host != "h1" {
		t.Fatalf("binding %v, state %+v", snap.Binding(p.ID), st)
	}
	update(t, s, func(tx *Tx) error {
		return errors.Join(carried(func(tx *Tx, v *model.LocalVLAN) { tx.delete(state.LocalVLANs, state.Key(v)) })(tx), tx.DeleteHost("h1", 0))
	})
	bound(t, s, "the host is gone", m{"p": "h2/tap2 6 by iface-id", "blue@h2": "vlan 1"})
	snap, _ = s.Snapshot()
	if st := snap.PortState(p.ID); st != nil {
		t.Errorf("state %+v of the host that is gone", st)
	}
}

func TestPortState(t *testing.T) {
	s := newStore(t)
	blue := network(t, s, "blue")
	host(t, s, "h1")
	p := port(t, s, named(blue, "p"))
	set := func(status, message string, revision int64) func(*Tx) error {
		return func(tx *Tx) error {
			return tx.SetPortState(&model.PortState{PortID: p.ID, Status: status, Host: "h1", Message: message, Revision: revision})
		}
	}
	refused[*ErrConflict](t, s, set(model.PortActive, "", 1), fmt.Sprintf("port %s: is not bound to host h1", p.ID))
	report(t, s, "h1", true, nil, tap("tap1", 5, p.ID))
	update(t, s, set(model.PortBuild, "", 1))
	now := func() *model.PortState {
		snap, _ := s.Snapshot()
		return snap.PortState(p.ID)
	}
	build := now()
	rev := update(t, s, set(model.PortBuild, "", 2))
	if d := cmp.Diff(build, now()); d != "" {
		t.Errorf("the same status again (-before +after):\n%s", d)
	}
	if _, at := s.Snapshot(); rev != at {
		t.Error("the same status again wrote something")
	}
	update(t, s, set(model.PortBuild, "still at it", 3))
	if st := now(); !st.Since.Equal(build.Since) || st.Message != "still at it" || st.Revision != 3 {
		t.Errorf("%+v", st)
	}
	update(t, s, set(model.PortActive, "", 4))
	if st := now(); !st.Since.After(build.Since) || st.Revision != 4 {
		t.Errorf("%+v", st)
	}
	update(t, s, set(model.PortDown, "", 4))
	if st := now(); st != nil {
		t.Errorf("%+v", st)
	}
	refused[*model.Invalid](t, s, set("UP", "", 1), `status: "UP" is unknown; it is ACTIVE, BUILD, ERROR or DOWN`)
	update(t, s, func(tx *Tx) error { return tx.DeletePort(p.ID, 0) })
	refused[*ErrConflict](t, s, set(model.PortActive, "", 5), fmt.Sprintf("port %s: is not bound to host h1", p.ID))
}

func TestHosts(t *testing.T) {
	s := newStore(t)
	h1, h2 := host(t, s, "h1"), host(t, s, "h2")
	if h1.Number != 1 || h2.Number != 2 || h1.DVRMAC == h2.DVRMAC || [3]byte(h1.DVRMAC[:3]) != model.DVRMACPrefix {
		t.Errorf("numbers %d %d, MACs %s %s", h1.Number, h2.Number, h1.DVRMAC, h2.DVRMAC)
	}
	ip := netip.MustParseAddr("10.9.0.1")
	c := *h1
	c.TunnelIP, c.Number, c.DVRMAC = ip, 77, model.MAC{}
	got := made(t, s, func(tx *Tx) (*model.Host, error) { return tx.UpdateHost(&c, h1.Revision) })
	if got.TunnelIP != ip || got.Number != 1 || got.DVRMAC != h1.DVRMAC || got.Generation != 2 {
		t.Errorf("%+v", got)
	}
	refused[*ErrAlreadyExists](t, s, func(tx *Tx) error { return tx.ReportHost(&model.HostFacts{Host: "h2", TunnelIP: ip}) },
		"tunnel_ip: 10.9.0.1 is taken by host h1")
	refused[*ErrAlreadyExists](t, s, create((*Tx).CreateHost, &model.Host{Meta: model.Meta{ID: "h1"}}), "metadata.id: h1 is taken by host h1")
	refused[*model.Invalid](t, s, func(tx *Tx) error { _, err := tx.EnsureHost("a b"); return err },
		`metadata.id: "a b" is not a hostname: use letters, digits, '-', '_' and '.', and begin with a letter or digit`)
	refused[*ErrNotFound](t, s, func(tx *Tx) error { return tx.ReportHost(&model.HostFacts{Host: "h9"}) }, `host "h9" does not exist`)
	refused[*ErrNotFound](t, s, func(tx *Tx) error { return tx.ReportInterfaces("h9", true, nil, nil) }, `host "h9" does not exist`)
	refused[*model.Invalid](t, s, func(tx *Tx) error {
		return tx.ReportInterfaces("h1", true, []model.Interface{tap("tap1", 1, "x"), tap("", 2, "\n")}, nil)
	}, "interfaces[1].name: is empty", "interfaces[1].iface_id: contains the unprintable character U+000A; remove it")

	blue := network(t, s, "blue")
	p := port(t, s, named(blue, "p"))
	wanted := named(blue, "w")
	wanted.BindingHostID = "h2"
	w := port(t, s, wanted)
	report(t, s, "h2", true, nil, tap("tap1", 1, p.ID), tap("tap2", 2, w.ID))
	refused[*ErrInUse](t, s, func(tx *Tx) error { return tx.DeleteHost("h2", 0) },
		fmt.Sprintf(`host h2 is in use by port "w" (%s), port "p" (%s)`, w.ID, p.ID))
	update(t, s, func(tx *Tx) error {
		if err := tx.DeletePort(p.ID, 0); err != nil {
			return err
		}
		if err := tx.DeletePort(w.ID, 0); err != nil {
			return err
		}
		return tx.DeleteHost("h2", h2.Revision)
	})
	snap, _ := s.Snapshot()
	if snap.Host("h2") != nil || snap.HostFacts("h2") != nil || snap.Len(state.Interfaces) != 0 {
		t.Errorf("left of the host: %v", dump(snap))
	}
	if h3 := host(t, s, "h3"); h3.Number != 2 {
		t.Errorf("number %d, want the lowest free", h3.Number)
	}
}
