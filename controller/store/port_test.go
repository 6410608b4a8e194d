package store

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

func fixed(ips ...string) (out []model.FixedIP) {
	for _, ip := range ips {
		out = append(out, model.FixedIP{IP: netip.MustParseAddr(ip)})
	}
	return out
}

func ips(p *model.Port) (out []string) {
	for _, f := range p.FixedIPs {
		out = append(out, f.IP.String())
	}
	return out
}

func wantIPs(t *testing.T, what string, p *model.Port, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, ips(p)); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestPortAddresses(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	a, b := subnet(t, s, n.ID, "10.0.0.0/24"), subnet(t, s, n.ID, "10.0.1.0/24")
	six := subnet(t, s, n.ID, "fd00::/64")
	other := subnet(t, s, network(t, s, "red").ID, "10.0.9.0/24")

	p := port(t, s, &model.Port{Meta: model.Meta{ID: uid(1), Name: "first"}, NetworkID: n.ID})
	wantIPs(t, "automatic", p, "10.0.0.2", "fd00::2")
	wantIPs(t, "chosen", port(t, s, &model.Port{NetworkID: n.ID, FixedIPs: fixed("10.0.0.3", "10.0.1.9")}), "10.0.0.3", "10.0.1.9")
	wantIPs(t, "by subnet, twice", port(t, s, &model.Port{NetworkID: n.ID, FixedIPs: []model.FixedIP{{SubnetID: b.ID}, {SubnetID: b.ID}}}), "10.0.1.2", "10.0.1.3")
	wantIPs(t, "gateway", port(t, s, &model.Port{NetworkID: n.ID, FixedIPs: fixed("10.0.0.1")}), "10.0.0.1")
	wantIPs(t, "past a chosen one", port(t, s, &model.Port{NetworkID: n.ID}), "10.0.0.4", "fd00::3")

	refused[*model.Invalid](t, s, create((*Tx).CreatePort, &model.Port{NetworkID: uid(9), BindingHostID: "nowhere"}),
		fmt.Sprintf("network_id: network %q does not exist", uid(9)),
		`binding_host_id: host "nowhere" does not exist: create it, or start its agent`)
	bad := append(fixed("10.0.0.0", "10.0.0.255", "10.0.2.1", "10.0.0.2", "fd00::"),
		model.FixedIP{SubnetID: other.ID}, model.FixedIP{SubnetID: uid(9)}, model.FixedIP{SubnetID: a.ID, IP: netip.MustParseAddr("10.0.1.77")})
	refused[*model.Invalid](t, s, create((*Tx).CreatePort, &model.Port{Meta: model.Meta{ID: uid(1)}, NetworkID: n.ID, MAC: p.MAC, FixedIPs: bad}),
		"fixed_ips[0].ip_address: 10.0.0.0 is the network address of 10.0.0.0/24; choose one of 10.0.0.1-10.0.0.254",
		"fixed_ips[1].ip_address: 10.0.0.255 is the broadcast address of 10.0.0.0/24; choose one of 10.0.0.1-10.0.0.254",
		fmt.Sprintf("fixed_ips[2].ip_address: 10.0.2.1 is in no subnet of the network (%s)", cidrsOf(s, n.ID)),
		"fixed_ips[4].ip_address: fd00:: is the subnet-router anycast address of fd00::/64; choose one of fd00::1-fd00::ffff:ffff:ffff:ffff",
		fmt.Sprintf("fixed_ips[5].subnet_id: subnet %s is on another network", other.ID),
		fmt.Sprintf("fixed_ips[6].subnet_id: subnet %q does not exist", uid(9)),
		"fixed_ips[7].ip_address: 10.0.1.77 is outside 10.0.0.0/24",
		fmt.Sprintf(`metadata.id: %s is taken by port "first" (%s)`, uid(1), uid(1)))
	refused[*ErrAlreadyExists](t, s, create((*Tx).CreatePort, &model.Port{NetworkID: n.ID, MAC: p.MAC, FixedIPs: fixed("10.0.0.2")}),
		fmt.Sprintf(`mac_address: %s is taken by port "first" (%s)`, p.MAC, uid(1)),
		fmt.Sprintf(`fixed_ips[0].ip_address: 10.0.0.2 is taken by port "first" (%s)`, uid(1)))
	// MACs and addresses are unique in one network only.
	red := port(t, s, &model.Port{NetworkID: other.NetworkID, MAC: p.MAC})
	if red.MAC != p.MAC {
		t.Errorf("MAC %s", red.MAC)
	}
	// A network without subnets has no addresses to give.
	wantIPs(t, "no subnets", port(t, s, &model.Port{NetworkID: network(t, s, "empty").ID}))
	_ = six
}

func cidrsOf(s *Store, network string) string {
	snap, _ := s.Snapshot()
	out := ""
	for sn := range snap.SubnetsOf(network) {
		if out != "" {
			out += ", "
		}
		out += sn.CIDR.String()
	}
	return out
}

// An address that was given up is the last to be given out again: neighbours may still send to its former MAC.
func TestFreedAddressRests(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	subnet(t, s, n.ID, "10.0.0.0/29")
	var ps []*model.Port
	for range 3 {
		ps = append(ps, port(t, s, &model.Port{NetworkID: n.ID}))
	}
	update(t, s, func(tx *Tx) error { return tx.DeletePort(ps[0].ID, 0) })
	for _, want := range []string{"10.0.0.5", "10.0.0.6", "10.0.0.2"} {
		wantIPs(t, "next", port(t, s, &model.Port{NetworkID: n.ID}), want)
	}
	as[*ErrExhausted](t, tryUpdate(t, s, create((*Tx).CreatePort, &model.Port{NetworkID: n.ID})))
}

func TestUpdatePort(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	a, b := subnet(t, s, n.ID, "10.0.0.0/24"), subnet(t, s, n.ID, "10.0.1.0/24")
	p := port(t, s, &model.Port{NetworkID: n.ID, FixedIPs: fixed("10.0.0.9", "10.0.0.10")})
	other := port(t, s, &model.Port{NetworkID: n.ID, FixedIPs: fixed("10.0.0.11")})
	with := func(ips ...model.FixedIP) *model.Port {
		c := *p
		c.MAC, c.FixedIPs = model.MAC{}, ips
		return &c
	}
	now := func() *model.Port {
		snap, _ := s.Snapshot()
		return snap.Port(p.ID)
	}
	update(t, s, replace((*Tx).UpdatePort, with(model.FixedIP{SubnetID: b.ID}, model.FixedIP{SubnetID: a.ID}), p.Revision))
	wantIPs(t, "one more subnet", now(), "10.0.1.2", "10.0.0.9")
	if now().MAC != p.MAC {
		t.Errorf("MAC became %s", now().MAC)
	}
	if _, before := s.Snapshot(); update(t, s, replace((*Tx).UpdatePort, with(model.FixedIP{SubnetID: b.ID}, model.FixedIP{SubnetID: a.ID}), 0)) != before {
		t.Error("the same again wrote something")
	}
	update(t, s, replace((*Tx).UpdatePort, with(), 0))
	wantIPs(t, "none", now())
	c := with(fixed("10.0.0.11")...)
	c.NetworkID = uid(9)
	refused[*model.Invalid](t, s, replace((*Tx).UpdatePort, c, 0), "network_id: is "+n.ID+" and cannot be changed")
	c.NetworkID, c.MAC = n.ID, other.MAC
	refused[*ErrAlreadyExists](t, s, replace((*Tx).UpdatePort, c, 0),
		fmt.Sprintf("mac_address: %s is taken by port %s", other.MAC, other.ID),
		fmt.Sprintf("fixed_ips[0].ip_address: 10.0.0.11 is taken by port %s", other.ID))
	refused[*ErrConflict](t, s, replace((*Tx).UpdatePort, with(), p.Revision),
		fmt.Sprintf("port %s: was changed since revision %d; read it again", p.ID, p.Revision))
	refused[*ErrNotFound](t, s, replace((*Tx).UpdatePort, &model.Port{Meta: model.Meta{ID: uid(9)}}, 0), fmt.Sprintf("port %q does not exist", uid(9)))
	refused[*ErrNotFound](t, s, func(tx *Tx) error { return tx.DeletePort(uid(9), 0) }, fmt.Sprintf("port %q does not exist", uid(9)))
}

// What a caller does with an object after handing it in must not reach the store.
func TestObjectsAreNotShared(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	subnet(t, s, n.ID, "10.0.0.0/24")
	p := &model.Port{Meta: model.Meta{Labels: map[string]string{"a": "b"}}, NetworkID: n.ID, FixedIPs: fixed("10.0.0.7")}
	stored := port(t, s, p)
	p.Labels["a"], p.FixedIPs[0].IP = "changed", netip.MustParseAddr("10.0.0.8")
	if stored.Labels["a"] != "b" || stored.FixedIPs[0].IP.String() != "10.0.0.7" {
		t.Errorf("stored: %v %v", stored.Labels, stored.FixedIPs)
	}

	full := &model.Port{
		NetworkID: n.ID, AllowedAddressPairs: []model.AddressPair{{IP: netip.MustParsePrefix("10.0.0.9/32")}},
		ExtraDHCPOpts: []model.DHCPOption{{Name: "67", Value: "a", IPVersion: 4}},
		Instance:      &model.Instance{Hostname: "h", UserData: []byte("u"), PublicKeys: map[string]string{"k": "v"}, Meta: map[string]string{"k": "v"}},
	}
	stored = port(t, s, full)
	before, err := encode(stored)
	if err != nil {
		t.Fatal(err)
	}
	full.AllowedAddressPairs[0].MAC[5], full.ExtraDHCPOpts[0].Value, full.Instance.Hostname = 9, "b", "x"
	full.Instance.UserData[0], full.Instance.PublicKeys["k"], full.Instance.Meta["k"] = 'x', "x", "x"
	if after, err := encode(stored); err != nil || string(after) != string(before) {
		t.Errorf("stored: %s, %v, before %s", after, err, before)
	}
	_, at := s.Snapshot()
	if rev := update(t, s, replace((*Tx).UpdatePort, stored, 0)); rev != at {
		t.Error("what was read from etcd is not the same as itself")
	}
}

// One Apply: objects that refer to each other in one transaction, all or nothing.
func TestManyObjectsInOneTransaction(t *testing.T) {
	s := newStore(t)
	apply := func(mac string) func(*Tx) error {
		return func(tx *Tx) error {
			n, err := tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: "n"}})
			if err != nil {
				return err
			}
			if _, err := tx.CreateSubnet(&model.Subnet{NetworkID: n.ID, CIDR: netip.MustParsePrefix("10.0.0.0/24")}); err != nil {
				return err
			}
			m, err := model.ParseMAC(mac)
			if err != nil {
				return err
			}
			for range 2 {
				p, err := tx.CreatePort(&model.Port{NetworkID: n.ID, MAC: m})
				if err != nil {
					return err
				}
				if tx.PortByMAC(n.ID, m).ID != p.ID || p.Revision != 0 {
					return fmt.Errorf("port %+v is not seen in its own transaction", p)
				}
				m[5]++
			}
			return nil
		}
	}
	_, before := s.Snapshot()
	rev := update(t, s, apply("fa:16:3e:00:00:01"))
	snap, _ := s.Snapshot()
	if snap.Len(state.Ports) != 2 || snap.Len(state.Subnets) != 1 || rev != before+1 {
		t.Errorf("%d ports, %d subnets, revision %d after %d", snap.Len(state.Ports), snap.Len(state.Subnets), rev, before)
	}
	as[*model.Invalid](t, tryUpdate(t, s, apply("01:00:00:00:00:00")))
}
