package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// addrs compares addresses as values.
var addrs = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// testLog shows a store's lines in the test's log.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

func openTest(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// newStore is an embedded store in a directory of its own.
func newStore(t testing.TB) *Store {
	t.Helper()
	return openTest(t, Config{DataDir: t.TempDir()})
}

// update fails the test when the update fails.
func update(t testing.TB, s *Store, fn func(*Tx) error) int64 {
	t.Helper()
	rev, err := s.Update(t.Context(), fn)
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// made runs one operation and returns what it made, as the store has it.
func made[T any](t testing.TB, s *Store, fn func(*Tx) (*T, error)) *T {
	t.Helper()
	var out *T
	update(t, s, func(tx *Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	snap, _ := s.Snapshot()
	return snap.Object(kindOf(out), state.Key(out)).(*T)
}

func kindOf(obj any) state.Kind {
	for k, f := range newObject {
		if reflect.TypeOf(f()) == reflect.TypeOf(obj) {
			return k
		}
	}
	return ""
}

func network(t testing.TB, s *Store, name string) *model.Network {
	t.Helper()
	return made(t, s, func(tx *Tx) (*model.Network, error) {
		return tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: name}, AdminStateUp: true, L2Population: true})
	})
}

// blueAndRed are two networks whose ids are in this order, in which VLANs are given out.
func blueAndRed(t testing.TB, s *Store) (blue, red *model.Network) {
	t.Helper()
	for i, n := range []**model.Network{&blue, &red} {
		*n = made(t, s, func(tx *Tx) (*model.Network, error) {
			return tx.CreateNetwork(&model.Network{Meta: model.Meta{ID: uid(100 + i), Name: []string{"blue", "red"}[i]}})
		})
	}
	return blue, red
}

func subnet(t testing.TB, s *Store, network, cidr string) *model.Subnet {
	t.Helper()
	p, err := model.ParsePrefix(cidr)
	if err != nil {
		t.Fatal(err)
	}
	return made(t, s, func(tx *Tx) (*model.Subnet, error) {
		return tx.CreateSubnet(&model.Subnet{NetworkID: network, CIDR: p, GatewayIP: model.DefaultGateway(p)})
	})
}

func port(t testing.TB, s *Store, p *model.Port) *model.Port {
	t.Helper()
	return made(t, s, func(tx *Tx) (*model.Port, error) { return tx.CreatePort(p) })
}

// host registers a host whose agent has reported.
func host(t testing.TB, s *Store, name string) *model.Host {
	t.Helper()
	return made(t, s, func(tx *Tx) (*model.Host, error) {
		h, err := tx.EnsureHost(name)
		if err != nil {
			return nil, err
		}
		return h, tx.ReportHost(&model.HostFacts{Host: name})
	})
}

func report(t testing.TB, s *Store, host string, full bool, removed []string, is ...model.Interface) {
	t.Helper()
	update(t, s, func(tx *Tx) error { return tx.ReportInterfaces(host, full, is, removed) })
}

// crowd has a host carry so many networks of which nothing else is known, and answers the interfaces of their ports.
func crowd(t testing.TB, s *Store, host string, networks int) (all []model.Interface) {
	t.Helper()
	const batch = 200 // more takes a slow machine longer than etcd waits
	for i := 0; i < networks; i += batch {
		var is []model.Interface
		update(t, s, func(tx *Tx) error {
			is = nil
			for j := i; j < min(i+batch, networks); j++ {
				n, err := tx.CreateNetwork(&model.Network{})
				if err != nil {
					return err
				}
				p, err := tx.CreatePort(&model.Port{NetworkID: n.ID})
				if err != nil {
					return err
				}
				is = append(is, tap(fmt.Sprint("other", j), uint32(j+1), p.ID))
			}
			return tx.ReportInterfaces(host, false, is, nil)
		})
		all = append(all, is...)
	}
	return all
}

func tap(name string, ofport uint32, ifaceID string) model.Interface {
	return model.Interface{Name: name, OFPort: ofport, IfaceID: ifaceID}
}

// dump is everything in a state, by kind and key.
func dump(s state.Snapshot) map[string]any {
	out := map[string]any{}
	for _, k := range state.Kinds {
		for obj := range s.ByIDPrefix(k, "") {
			out[string(k)+"/"+state.Key(obj)] = obj
		}
	}
	return out
}

// sameState compares all objects, their revisions included.
func sameState(t testing.TB, what string, want, got state.Snapshot) {
	t.Helper()
	if d := cmp.Diff(dump(want), dump(got), addrs); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// eventually polls for a condition.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		pause(context.Background(), 5*time.Millisecond)
	}
}

// tryUpdate runs an operation that must fail, and checks that nothing was written.
func tryUpdate(t testing.TB, s *Store, fn func(*Tx) error) error {
	t.Helper()
	_, before := s.Snapshot()
	_, err := s.Update(t.Context(), fn)
	if err == nil {
		t.Fatal("the operation succeeded")
	}
	if _, after := s.Snapshot(); after != before {
		t.Errorf("the store moved from revision %d to %d", before, after)
	}
	return err
}

func as[E error](t testing.TB, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want %T", err, err, e)
	}
	return e
}

// sorted compares slices of strings without regard to order.
func sorted(less func(a, b string) bool) cmp.Option { return cmpopts.SortSlices(less) }
