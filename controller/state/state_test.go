package state

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
)

func port(id, network string, ips ...string) *model.Port {
	p := &model.Port{Meta: model.Meta{ID: id}, NetworkID: network}
	for _, ip := range ips {
		p.FixedIPs = append(p.FixedIPs, model.FixedIP{SubnetID: "s-" + network, IP: netip.MustParseAddr(ip)})
	}
	return p
}

func TestSnapshotIsImmutableAndIndexed(t *testing.T) {
	db := New()
	txn := db.Begin()
	for _, p := range []*model.Port{port("aaaa1", "n1", "10.0.0.1", "fd00::1"), port("aaab2", "n1", "10.0.0.2"), port("b", "n10", "10.0.0.1")} {
		if err := txn.Put(Ports, p); err != nil {
			t.Fatal(err)
		}
	}
	txn.Commit()
	before := db.Snapshot()

	txn = db.Begin()
	if err := txn.Delete(Ports, "aaaa1"); err != nil {
		t.Fatal(err)
	}
	if err := txn.Put(Ports, port("aaab2", "n1", "10.0.0.9")); err != nil {
		t.Fatal(err)
	}
	cs := txn.Changes()
	txn.Commit()
	if len(cs) != 2 || cs[0].Key != "aaaa1" || cs[0].New != nil || cs[1].Old == nil || cs[1].New == nil {
		t.Errorf("changes: %+v", cs)
	}

	ids := func(s Snapshot) (out []string) {
		for p := range s.PortsOf("n1") {
			out = append(out, p.ID)
		}
		return out
	}
	if got := ids(before); !slices.Equal(got, []string{"aaaa1", "aaab2"}) {
		t.Errorf("ports of n1 in the old snapshot: %v (n10 must not be among them)", got)
	}
	if got := ids(db.Snapshot()); !slices.Equal(got, []string{"aaab2"}) {
		t.Errorf("ports of n1 now: %v", got)
	}
	if p := before.PortByIP("n1", netip.MustParseAddr("fd00::1")); p == nil || p.ID != "aaaa1" {
		t.Errorf("by second address: %v", p)
	}
	if p := db.Snapshot().PortByIP("n1", netip.MustParseAddr("10.0.0.2")); p != nil {
		t.Errorf("an address given up is still found at %v", p.ID)
	}
	n := 0
	for range before.ByIDPrefix(Ports, "aaa") {
		n++
	}
	if n != 2 {
		t.Errorf("id prefix aaa: %d objects, want 2", n)
	}
	if before.Len(Ports) != 3 {
		t.Errorf("len: %d", before.Len(Ports))
	}
}

func TestForkGoesItsOwnWay(t *testing.T) {
	db := New()
	put := func(db *DB, id string) {
		txn := db.Begin()
		if err := txn.Put(Ports, port(id, "n1")); err != nil {
			t.Fatal(err)
		}
		txn.Commit()
	}
	ids := func(db *DB) (out []string) {
		for p := range db.Snapshot().Ports() {
			out = append(out, p.ID)
		}
		return out
	}
	put(db, "a")
	fork := db.Fork()
	put(db, "b")
	put(fork, "c")
	if got := ids(db); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("original: %v", got)
	}
	if got := ids(fork); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("fork: %v", got)
	}
}
