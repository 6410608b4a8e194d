package store

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

func TestFirstPort(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	sn := subnet(t, s, n.ID, "10.0.1.0/24")
	subnet(t, s, n.ID, "fd00:1::/64")
	p := port(t, s, &model.Port{NetworkID: n.ID, AdminStateUp: true})

	if n.Type != model.VXLAN || n.SegmentID != 1 || n.MTU != 1450 || n.Generation != 1 || n.Revision == 0 {
		t.Errorf("network: %+v", n)
	}
	want := []model.Range{{Start: netip.MustParseAddr("10.0.1.2"), End: netip.MustParseAddr("10.0.1.254")}}
	if !cmp.Equal(sn.AllocationPools, want, addrs) {
		t.Errorf("pools: %v", sn.AllocationPools)
	}
	if len(p.FixedIPs) != 2 || p.FixedIPs[0].IP.String() != "10.0.1.2" || p.FixedIPs[1].IP.String() != "fd00:1::2" {
		t.Errorf("addresses: %v", p.FixedIPs)
	}
	if [3]byte(p.MAC[:3]) != model.PortMACPrefix {
		t.Errorf("mac %s", p.MAC)
	}
}

func TestUpdateThatFailsOrChangesNothingWritesNothing(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	_, before := s.Snapshot()

	boom := errors.New("boom")
	if _, err := s.Update(t.Context(), func(tx *Tx) error {
		if _, err := tx.CreateNetwork(&model.Network{}); err != nil {
			return err
		}
		return boom
	}); err != boom {
		t.Errorf("error is %v, want the function's own", err)
	}
	rev := update(t, s, func(tx *Tx) error {
		// There and back again is no change.
		changed := *n
		changed.Name = "red"
		if _, err := tx.UpdateNetwork(&changed, 0); err != nil {
			return err
		}
		changed.Name = "blue"
		if _, err := tx.UpdateNetwork(&changed, 0); err != nil {
			return err
		}
		h, err := tx.CreateHost(&model.Host{Meta: model.Meta{ID: "h"}})
		if err != nil {
			return err
		}
		return tx.DeleteHost(h.ID, 0)
	})
	snap, after := s.Snapshot()
	got := snap.Network(n.ID)
	if got.Generation != 3 {
		t.Errorf("generation %d", got.Generation)
	}
	if snap.Len(state.Hosts) != 0 {
		t.Error("a host that was made and removed at once is there")
	}
	if rev != after || after <= before {
		t.Errorf("revision %d, store at %d, before %d", rev, after, before)
	}
	rev = update(t, s, func(tx *Tx) error {
		_, err := tx.UpdateNetwork(got, got.Revision)
		return err
	})
	if rev != after {
		t.Errorf("an update without a change moved the store to %d", rev)
	}
}
