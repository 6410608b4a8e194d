package state

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
)

func keysOf[T any](seq func(func(*T) bool)) (out []string) {
	for o := range seq {
		out = append(out, Key(o))
	}
	return out
}

// What a loop goes through stays as it was when the loop began, whatever the loop does.
func TestATransactionChangesWhatItGoesThrough(t *testing.T) {
	db := New()
	txn := db.Begin()
	for i := range 100 {
		if err := txn.Put(Ports, port(fmt.Sprintf("p%02d", i), "n1", fmt.Sprintf("10.0.0.%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	before := txn.Snapshot
	var seen []string
	for p := range txn.PortsOf("n1") {
		seen = append(seen, p.ID)
		for _, err := range []error{txn.Delete(Ports, p.ID), txn.Put(Ports, port("q"+p.ID, "n1")), txn.Put(Ports, port("p99", "n2"))} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(seen) != 100 || !slices.IsSorted(seen) {
		t.Errorf("seen %v", seen)
	}
	if got := len(keysOf(before.PortsOf("n1"))); got != 100 {
		t.Errorf("now there are %d: the transaction's own snapshot must show what it did", got)
	}
	txn.Commit()
	if got := keysOf(db.Snapshot().PortsOf("n1")); len(got) != 100 || got[0] != "qp00" {
		t.Errorf("committed: %v", got)
	}
}

func TestWhatWasNotCommittedIsNotThere(t *testing.T) {
	db := New()
	txn := db.Begin()
	if err := txn.Put(Ports, port("p", "n")); err != nil {
		t.Fatal(err)
	}
	txn.Abort()
	if db.Snapshot().Port("p") != nil {
		t.Error("an aborted change is there")
	}
	txn = db.Begin()
	if err := txn.Put(Ports, port("p", "n")); err != nil {
		t.Fatal(err)
	}
	txn.Commit()
	now := db.Snapshot()
	// The transaction is over; what it does from now on is its own.
	if err := txn.Put(Ports, port("q", "n")); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(now.Ports()); !slices.Equal(got, []string{"p"}) {
		t.Errorf("a snapshot has changed: %v", got)
	}
	if err := txn.Put(Ports, &model.Network{}); err == nil {
		t.Error("a network among the ports")
	}
	if err := txn.Put("things", port("p", "n")); err == nil {
		t.Error("a kind that there is not")
	}
}

func TestChangesAreOneAnObject(t *testing.T) {
	db := New()
	txn := db.Begin()
	old := port("stays", "n")
	for _, p := range []*model.Port{old, port("goes", "n")} {
		if err := txn.Put(Ports, p); err != nil {
			t.Fatal(err)
		}
	}
	txn.Commit()
	txn = db.Begin()
	last := port("stays", "m")
	for _, err := range []error{txn.Put(Ports, port("stays", "x")), txn.Put(Ports, port("comes and goes", "n")), txn.Delete(Ports, "goes"), txn.Put(Ports, port("new", "n")),
		txn.Put(Ports, last), txn.Delete(Ports, "comes and goes"), txn.Delete(Ports, "never was")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, c := range txn.Changes() {
		got = append(got, fmt.Sprintf("%s old %v new %v", c.Key, c.Old != nil, c.New != nil))
		if c.Key == "stays" && (c.Old != any(old) || c.New != any(last)) {
			t.Errorf("%+v", c)
		}
	}
	if d := cmp.Diff([]string{"goes old true new false", "new old false new true", "stays old true new true"}, got); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
}

// Several may begin with one state at the same time, while others read it. The race detector judges.
func TestForksOfOneStateAtTheSameTime(t *testing.T) {
	load := NewLoad()
	for i := range 1000 {
		if err := load.Put(Ports, port(fmt.Sprintf("p%03d", i), "n")); err != nil {
			t.Fatal(err)
		}
	}
	db := load.DB()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			fork := db.Fork()
			for i := range 50 {
				txn := fork.Begin()
				if err := txn.Put(Ports, port(fmt.Sprintf("p%03d", i*w), fmt.Sprint("m", w))); err != nil {
					t.Error(err)
				}
				txn.Commit()
			}
			if n := fork.Snapshot().Len(Ports); n != 1000 {
				t.Errorf("fork %d has %d ports", w, n)
			}
		})
		wg.Go(func() {
			for range 20 {
				if n := len(keysOf(db.Snapshot().PortsOf("n"))); n != 1000 {
					t.Errorf("a reader sees %d ports", n)
				}
			}
		})
	}
	wg.Wait()
}

// Whatever happens, every index finds exactly what a look at all objects finds.
func TestIndexesFindWhatThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few := func(label, of string) string {
			return of + fmt.Sprint(rapid.IntRange(0, 5).Draw(t, label))
		}
		db, want := New(), map[string]*model.Port{}
		for range rapid.IntRange(1, 30).Draw(t, "transactions") {
			txn := db.Begin()
			after := maps.Clone(want)
			for range rapid.IntRange(1, 5).Draw(t, "changes") {
				id := few("id", "p")
				if rapid.Bool().Draw(t, "delete") {
					delete(after, id)
					if err := txn.Delete(Ports, id); err != nil {
						t.Fatal(err)
					}
					continue
				}
				p := port(id, few("network", "n"))
				for range rapid.IntRange(0, 3).Draw(t, "ips") {
					p.FixedIPs = append(p.FixedIPs, model.FixedIP{SubnetID: few("subnet", "s"), IP: netip.MustParseAddr("10.0.0." + few("ip", ""))})
				}
				p.Name, p.DeviceID = few("name", ""), rapid.SampledFrom([]string{"", "d"}).Draw(t, "device")
				after[id] = p
				if err := txn.Put(Ports, p); err != nil {
					t.Fatal(err)
				}
			}
			if rapid.Bool().Draw(t, "abort") {
				txn.Abort()
				continue
			}
			txn.Commit()
			want = after
		}
		s := db.Snapshot()
		same := func(what string, got []string, is func(*model.Port) bool) {
			var all []string
			for _, id := range slices.Sorted(maps.Keys(want)) {
				if is(want[id]) {
					all = append(all, id)
				}
			}
			if d := cmp.Diff(all, got); d != "" {
				t.Fatalf("%s (-want +got):\n%s", what, d)
			}
		}
		same("all", keysOf(s.Ports()), func(*model.Port) bool { return true })
		for i := range 6 {
			n, sub, ip := fmt.Sprint("n", i), fmt.Sprint("s", i), netip.MustParseAddr(fmt.Sprint("10.0.0.", i))
			same("network", keysOf(s.PortsOf(n)), func(p *model.Port) bool { return p.NetworkID == n })
			same("subnet", keysOf(s.PortsOfSubnet(sub)), func(p *model.Port) bool {
				return slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.SubnetID == sub })
			})
			same("ip", keysOf(s.PortsByIP(n, ip)), func(p *model.Port) bool {
				return p.NetworkID == n && slices.ContainsFunc(p.FixedIPs, func(f model.FixedIP) bool { return f.IP == ip })
			})
		}
		same("device", keysOf(s.PortsOfDevice("d")), func(p *model.Port) bool { return p.DeviceID == "d" })
		if s.Len(Ports) != len(want) {
			t.Fatalf("%d ports, want %d", s.Len(Ports), len(want))
		}
	})
}

// A state that was loaded, in whatever order, has the same indexes as one that objects were put into.
func TestLoadedIsAsPut(t *testing.T) {
	var ports []*model.Port
	for i := range 300 {
		p := port(fmt.Sprintf("p%03d", (i*7)%300), fmt.Sprintf("n%d", i%3), fmt.Sprintf("10.0.0.%d", i%250), fmt.Sprintf("fd00::%x", i))
		p.Name, p.MAC = fmt.Sprint("name", i%5), model.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}
		ports = append(ports, p)
	}
	load, db := NewLoad(), New()
	txn := db.Begin()
	for _, p := range ports {
		b := &model.Binding{PortID: p.ID, NetworkID: p.NetworkID, Host: fmt.Sprint("h", len(p.Name))}
		for k, obj := range map[Kind]any{Ports: p, Bindings: b} {
			if err := load.Put(k, obj); err != nil {
				t.Fatal(err)
			}
			if err := txn.Put(k, obj); err != nil {
				t.Fatal(err)
			}
		}
	}
	txn.Commit()
	if err := load.Put(Ports, &model.Network{}); err == nil {
		t.Error("a network among the ports")
	}
	loaded := load.DB()
	loaded.Snapshot().Warm()
	for n, want := range db.Snapshot().root.trees {
		list := func(of *tree) (out []entry) {
			of.get().Scan(func(e entry) bool {
				out = append(out, e)
				return true
			})
			return out
		}
		if want, got := list(want), list(loaded.Snapshot().root.trees[n]); !slices.Equal(want, got) {
			t.Errorf("index %d: %d entries, want %d: %v, want %v", n, len(got), len(want), got, want)
		}
	}
}
