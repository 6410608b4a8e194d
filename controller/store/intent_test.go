package store

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// refused runs an operation that must fail with exactly that error text, and leave the store alone.
func refused[E error](t *testing.T, s *Store, fn func(*Tx) error, want ...string) E {
	t.Helper()
	err := tryUpdate(t, s, fn)
	got := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	var inv *model.Invalid
	if errors.As(err, &inv) {
		got = nil
		for _, v := range inv.Violations {
			got = append(got, v.Field+": "+v.Message)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("errors (-want +got):\n%s", d)
	}
	return as[E](t, err)
}

func create[T any](fn func(*Tx, *T) (*T, error), obj *T) func(*Tx) error {
	return func(tx *Tx) error { _, err := fn(tx, obj); return err }
}

func replace[T any](fn func(*Tx, *T, int64) (*T, error), obj *T, expected int64) func(*Tx) error {
	return func(tx *Tx) error { _, err := fn(tx, obj, expected); return err }
}

func uid(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

func TestNetworkSegments(t *testing.T) {
	s := openTest(t, Config{DataDir: t.TempDir(), TenantNetworkTypes: []string{model.Geneve}, Ranges: Ranges{
		Geneve: []Range{{20, 21}, {30, 30}},
		VLAN:   map[string][]Range{"physnet1": {{100, 101}}},
	}})
	segment := func(n *model.Network) uint32 {
		t.Helper()
		return made(t, s, func(tx *Tx) (*model.Network, error) { return tx.CreateNetwork(n) }).SegmentID
	}
	if got := segment(&model.Network{Meta: model.Meta{ID: uid(1), Name: "first"}}); got != 20 {
		t.Errorf("first segment %d, want 20", got)
	}
	if got := segment(&model.Network{SegmentID: 30}); got != 30 {
		t.Errorf("segment %d, want the 30 that was asked for", got)
	}
	if got := segment(&model.Network{SegmentID: 5000}); got != 5000 {
		t.Errorf("segment %d, want the 5000 that is in no range", got)
	}
	if got := segment(&model.Network{Meta: model.Meta{ID: uid(2)}}); got != 21 {
		t.Errorf("next segment %d, want 21", got)
	}
	e := refused[*ErrExhausted](t, s, create((*Tx).CreateNetwork, &model.Network{}),
		"provider_segmentation_id: no segment id is left in the controller's geneve ranges: delete networks or configure more")
	_ = e
	update(t, s, func(tx *Tx) error { return tx.DeleteNetwork(uid(1), 0) })
	if got := segment(&model.Network{}); got != 20 {
		t.Errorf("segment %d, want 20, which was given back", got)
	}
	taken := refused[*ErrAlreadyExists](t, s, create((*Tx).CreateNetwork, &model.Network{SegmentID: 21}),
		"provider_segmentation_id: 21 is taken by network "+uid(2))
	if taken.Kind != state.Networks || taken.Field != "provider_segmentation_id" || taken.Value != "21" || taken.By.ID != uid(2) {
		t.Errorf("%+v", taken)
	}
	// The same id in another type, or on another wire, is another segment.
	if got := segment(&model.Network{Type: model.VXLAN, SegmentID: 21}); got != 21 {
		t.Errorf("vxlan segment %d", got)
	}
	for _, physnet := range []string{"physnet1", "physnet2"} {
		segment(&model.Network{Type: model.VLAN, PhysicalNetwork: physnet, SegmentID: 100})
	}
	if got := segment(&model.Network{Type: model.VLAN, PhysicalNetwork: "physnet1"}); got != 101 {
		t.Errorf("VLAN %d, want 101", got)
	}
	refused[*model.Invalid](t, s, create((*Tx).CreateNetwork, &model.Network{Type: model.VLAN, PhysicalNetwork: "physnet2"}),
		`provider_segmentation_id: is missing, and the controller has no vlan ranges of physical network "physnet2" to choose one from`)
	flat := made(t, s, func(tx *Tx) (*model.Network, error) {
		return tx.CreateNetwork(&model.Network{Meta: model.Meta{ID: uid(3), Name: "wire"}, Type: model.Flat, PhysicalNetwork: "physnet1", L2Population: true})
	})
	if flat.SegmentID != 0 || flat.L2Population {
		t.Errorf("flat network: %+v", flat)
	}
	refused[*ErrAlreadyExists](t, s, create((*Tx).CreateNetwork, &model.Network{Type: model.Flat, PhysicalNetwork: "physnet1"}),
		`provider_physical_network: physnet1 is taken by network "wire" (`+uid(3)+")")
	// A mistake and a conflict are told together.
	refused[*model.Invalid](t, s, create((*Tx).CreateNetwork, &model.Network{Meta: model.Meta{ID: uid(2), Name: "\x00"}, SegmentID: 21}),
		"metadata.name: contains the unprintable character U+0000; remove it",
		"metadata.id: "+uid(2)+" is taken by network "+uid(2),
		"provider_segmentation_id: 21 is taken by network "+uid(2))
	// Two conflicts, too.
	refused[*ErrAlreadyExists](t, s, create((*Tx).CreateNetwork, &model.Network{Meta: model.Meta{ID: uid(2)}, SegmentID: 21}),
		"metadata.id: "+uid(2)+" is taken by network "+uid(2),
		"provider_segmentation_id: 21 is taken by network "+uid(2))
}

func TestNetworkMTU(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want map[string]int
	}{
		"1500 over IPv4": {Config{}, map[string]int{model.VXLAN: 1450, model.GRE: 1458, model.Geneve: 1442, model.VLAN: 1500, model.Flat: 1500}},
		"9000 over IPv6": {Config{UnderlayMTU: 9000, UnderlayIPv6: true}, map[string]int{model.VXLAN: 8930, model.GRE: 8938, model.Geneve: 8922, model.VLAN: 9000, model.Flat: 9000}},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.DataDir = t.TempDir()
			c.cfg.Ranges.VLAN = map[string][]Range{"p": {{1, 9}}}
			s := openTest(t, c.cfg)
			for typ, want := range c.want {
				n := &model.Network{Type: typ}
				if !model.Tunnelled(typ) {
					n.PhysicalNetwork = "p"
				}
				if got := made(t, s, func(tx *Tx) (*model.Network, error) { return tx.CreateNetwork(n) }); got.MTU != want {
					t.Errorf("%s: MTU %d, want %d", typ, got.MTU, want)
				}
			}
		})
	}
	s := newStore(t)
	refused[*model.Invalid](t, s, create((*Tx).CreateNetwork, &model.Network{MTU: 1451}),
		"mtu: 1451 is too large; at most 1450 fit (underlay MTU 1500 minus 50 for vxlan over IPv4)")
	n := network(t, s, "blue")
	lower := *n
	lower.MTU = 1279
	update(t, s, replace((*Tx).UpdateNetwork, &lower, n.Revision))
	refused[*model.Invalid](t, s, create((*Tx).CreateSubnet, &model.Subnet{NetworkID: n.ID, CIDR: netip.MustParsePrefix("fd00::/64")}),
		fmt.Sprintf(`cidr: IPv6 needs an MTU of 1280, but network "blue" (%s) has 1279`, n.ID))
	lower.MTU = 0
	update(t, s, replace((*Tx).UpdateNetwork, &lower, 0))
	snap, _ := s.Snapshot()
	if got := snap.Network(n.ID).MTU; got != 1450 {
		t.Errorf("computed again: %d, want 1450", got)
	}
	six := subnet(t, s, n.ID, "fd00::/64")
	lower.MTU = 1000
	refused[*model.Invalid](t, s, replace((*Tx).UpdateNetwork, &lower, 0),
		fmt.Sprintf("mtu: 1000 is too small for IPv6, which subnet %s has; the least is 1280", six.ID))
}

func TestUpdateNetwork(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	changed := *n
	changed.Name, changed.Labels, changed.AdminStateUp = "red", map[string]string{"a": "b"}, false
	got := made(t, s, func(tx *Tx) (*model.Network, error) { return tx.UpdateNetwork(&changed, n.Revision) })
	want := changed
	want.Generation, want.UpdateTime, want.Revision = 2, got.UpdateTime, n.Revision+1
	if d := cmp.Diff(&want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if !got.UpdateTime.After(n.UpdateTime) || !got.CreateTime.Equal(n.CreateTime) {
		t.Errorf("times: %v %v, before %v", got.CreateTime, got.UpdateTime, n.UpdateTime)
	}
	conflict := refused[*ErrConflict](t, s, replace((*Tx).UpdateNetwork, &changed, n.Revision),
		fmt.Sprintf("network %s: was changed since revision %d; read it again", n.ID, n.Revision))
	if conflict.Kind != state.Networks || conflict.ID != n.ID {
		t.Errorf("%+v", conflict)
	}
	refused[*ErrConflict](t, s, func(tx *Tx) error { return tx.DeleteNetwork(n.ID, n.Revision) },
		fmt.Sprintf("network %s: was changed since revision %d; read it again", n.ID, n.Revision))
	changed.Type, changed.PhysicalNetwork, changed.SegmentID = model.VLAN, "p", 7
	refused[*model.Invalid](t, s, replace((*Tx).UpdateNetwork, &changed, 0),
		"provider_network_type: is vxlan and cannot be changed",
		"provider_physical_network: is empty and cannot be changed",
		"provider_segmentation_id: is 1 and cannot be changed")
	missing := refused[*ErrNotFound](t, s, replace((*Tx).UpdateNetwork, &model.Network{Meta: model.Meta{ID: uid(9)}}, 0),
		fmt.Sprintf("network %q does not exist", uid(9)))
	if missing.Kind != state.Networks || missing.ID != uid(9) {
		t.Errorf("%+v", missing)
	}
}

func TestDeleteTellsWhoUsesIt(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	sn := subnet(t, s, n.ID, "10.0.0.0/24")
	var refs []string
	update(t, s, func(tx *Tx) error {
		for i := range 12 {
			p := &model.Port{Meta: model.Meta{ID: uid(i), Name: fmt.Sprint("p", i)}, NetworkID: n.ID}
			if _, err := tx.CreatePort(p); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range 10 {
		refs = append(refs, fmt.Sprintf(`port "p%d" (%s)`, i, uid(i)))
	}
	list := strings.Join(refs, ", ")
	inUse := refused[*ErrInUse](t, s, func(tx *Tx) error { return tx.DeleteSubnet(sn.ID, 0) },
		fmt.Sprintf("subnet %s is in use by %s and 2 more", sn.ID, list))
	if inUse.Total != 12 || len(inUse.By) != 10 || inUse.By[0] != (Ref{state.Ports, uid(0), "p0"}) {
		t.Errorf("%+v", inUse)
	}
	refused[*ErrInUse](t, s, func(tx *Tx) error { return tx.DeleteNetwork(n.ID, 0) },
		fmt.Sprintf("network %s is in use by %s and 3 more", n.ID, list))
	update(t, s, func(tx *Tx) error {
		for i := range 12 {
			if err := tx.DeletePort(uid(i), 0); err != nil {
				return err
			}
		}
		return nil
	})
	refused[*ErrInUse](t, s, func(tx *Tx) error { return tx.DeleteNetwork(n.ID, 0) },
		fmt.Sprintf("network %s is in use by subnet %s", n.ID, sn.ID))
	update(t, s, func(tx *Tx) error {
		if err := tx.DeleteSubnet(sn.ID, sn.Revision); err != nil {
			return err
		}
		return tx.DeleteNetwork(n.ID, n.Revision)
	})
	snap, _ := s.Snapshot()
	if len(dump(snap)) != 0 {
		t.Errorf("left: %v", dump(snap))
	}
}

func TestSubnetIntent(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	a := subnet(t, s, n.ID, "10.0.0.0/24")
	refused[*model.Invalid](t, s, create((*Tx).CreateSubnet, &model.Subnet{NetworkID: n.ID, CIDR: netip.MustParsePrefix("10.0.0.0/16"), GatewayIP: netip.MustParseAddr("10.1.0.1")}),
		"gateway_ip: 10.1.0.1 is outside 10.0.0.0/16",
		fmt.Sprintf("cidr: 10.0.0.0/16 overlaps 10.0.0.0/24 of subnet %s, which is on the same network", a.ID))
	refused[*model.Invalid](t, s, create((*Tx).CreateSubnet, &model.Subnet{NetworkID: uid(1), CIDR: netip.MustParsePrefix("10.0.0.0/16")}),
		fmt.Sprintf("network_id: network %q does not exist", uid(1)))
	subnet(t, s, network(t, s, "other").ID, "10.0.0.0/24")

	c := *a
	c.CIDR, c.NetworkID = netip.MustParsePrefix("10.0.0.0/25"), uid(1)
	c.AllocationPools = []model.Range{{Start: netip.MustParseAddr("10.0.0.2"), End: netip.MustParseAddr("10.0.0.3")}}
	refused[*model.Invalid](t, s, replace((*Tx).UpdateSubnet, &c, 0),
		"network_id: is "+n.ID+" and cannot be changed", "cidr: is 10.0.0.0/24 and cannot be changed")
	c.CIDR, c.NetworkID = a.CIDR, a.NetworkID
	update(t, s, replace((*Tx).UpdateSubnet, &c, a.Revision))
	for _, want := range []string{"10.0.0.2", "10.0.0.3"} {
		if got := port(t, s, &model.Port{NetworkID: n.ID}); got.FixedIPs[0].IP.String() != want {
			t.Errorf("address %s, want %s", got.FixedIPs[0].IP, want)
		}
	}
	refused[*ErrExhausted](t, s, create((*Tx).CreatePort, &model.Port{NetworkID: n.ID}),
		fmt.Sprintf("fixed_ips: no address is left in the allocation pools of subnet %s: delete ports, enlarge the pools or add a subnet", a.ID))
	refused[*ErrExhausted](t, s, create((*Tx).CreatePort, &model.Port{NetworkID: n.ID, FixedIPs: []model.FixedIP{{SubnetID: a.ID}}}),
		fmt.Sprintf("fixed_ips[0]: no address is left in the allocation pools of subnet %s: delete ports or enlarge the pools", a.ID))
	// The next subnet of the same IP version helps out; an address outside the pools can still be asked for.
	b := subnet(t, s, n.ID, "10.0.1.0/24")
	if got := port(t, s, &model.Port{NetworkID: n.ID}); got.FixedIPs[0].SubnetID != b.ID {
		t.Errorf("address %v, want one of %s", got.FixedIPs, b.ID)
	}
	if got := port(t, s, &model.Port{NetworkID: n.ID, FixedIPs: []model.FixedIP{{IP: netip.MustParseAddr("10.0.0.200")}}}); got.FixedIPs[0].SubnetID != a.ID {
		t.Errorf("subnet of the address: %v", got.FixedIPs)
	}
	c.AllocationPools, c.GatewayIP = nil, netip.Addr{}
	got := made(t, s, func(tx *Tx) (*model.Subnet, error) { return tx.UpdateSubnet(&c, 0) })
	if len(got.AllocationPools) != 1 || got.AllocationPools[0].String() != "10.0.0.1-10.0.0.254" {
		t.Errorf("pools computed again: %v", got.AllocationPools)
	}
}
