package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-sdn/weft/controller/model"
)

// lease is the shortest that etcd grants.
const lease = 2 * time.Second

// Of controllers that share an etcd one leads, and another when that one is gone. Who has been replaced writes nothing any more.
func TestOneLeads(t *testing.T) {
	endpoint := startEtcd(t)
	join := func(name string) (*Store, *Membership) {
		t.Helper()
		s := openTest(t, Config{Endpoints: []string{endpoint}})
		m, err := s.Join(t.Context(), Member{Name: name, Version: "v1", API: []string{name + ":9443"}}, lease)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Leave() }) // its store may be closed
		return s, m
	}
	lead := func(m *Membership) <-chan error {
		done := make(chan error, 1)
		go func() { done <- m.Lead(t.Context()) }()
		return done
	}
	s1, m1 := join("c1")
	if err := m1.Lead(t.Context()); err != nil {
		t.Fatal(err)
	}
	network(t, s1, "blue")
	s2, m2 := join("c2")
	second := lead(m2)
	members := func(want ...Member) {
		t.Helper()
		got, err := s2.Members(t.Context())
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Member{}, "Version", "API", "Since")); d != "" || err != nil {
			t.Errorf("members (-want +got): %v\n%s", err, d)
		}
	}
	members(Member{Name: "c1", Leader: true}, Member{Name: "c2"})
	select {
	case err := <-second:
		t.Fatalf("two lead: %v", err)
	case <-time.After(2 * lease):
	}

	// Its lease ends behind its back, as that of a process that was stopped for a while: the other leads, and it writes nothing more.
	if _, err := s2.client.Revoke(t.Context(), m1.session.Lease()); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	var unavailable *ErrUnavailable
	_, err := s1.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: "red"}})
		return err
	})
	if !errors.As(err, &unavailable) || !errors.Is(err, ErrDeposed) {
		t.Errorf("written by one who does not lead any more: %v", err)
	}
	select {
	case <-m1.Lost():
	case <-time.After(2 * lease):
		t.Error("who does not lead any more does not notice")
	}
	network(t, s2, "green")
	members(Member{Name: "c2", Leader: true})

	// A name is one controller's; that of one that is dead is free when its lease has run out.
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := s1.Join(short, Member{Name: "c2"}, lease); err == nil {
		t.Error("two controllers of one name")
	}
	m2.session.Orphan()
	_, m3 := join("c2")

	// Who leaves is followed at once.
	if err := m3.Lead(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, m4 := join("c4")
	fourth := lead(m4)
	began := time.Now()
	if err := m3.Leave(); err != nil {
		t.Fatal(err)
	}
	if err := <-fourth; err != nil || time.Since(began) > lease/2 {
		t.Errorf("after one has left, it took %v until the other led: %v", time.Since(began), err)
	}
}

func TestTwoOfOneName(t *testing.T) {
	endpoint := startEtcd(t)
	s := openTest(t, Config{Endpoints: []string{endpoint}})
	m, err := s.Join(t.Context(), Member{Name: "c1"}, lease)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Leave()
	const want = `a controller named "c1" runs already with this etcd: give each its own --name`
	if _, err := s.Join(t.Context(), Member{Name: "c1"}, lease); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	left, err := s.client.Leases(t.Context())
	if err != nil || len(left.Leases) != 1 {
		t.Errorf("leases: %v, %v", left, err)
	}
}

// What others have written there is no reason to be silent about who leads.
func TestMembersUnreadable(t *testing.T) {
	s := openTest(t, Config{Endpoints: []string{startEtcd(t)}})
	if _, err := s.client.Put(t.Context(), memberPrefix+"c1", "{"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Members(t.Context()); err == nil || !strings.Contains(err.Error(), memberPrefix+"c1") {
		t.Errorf("error %v", err)
	}
	if res, err := s.client.Get(t.Context(), "/weft/v1/", clientv3.WithPrefix()); err != nil || len(res.Kvs) != 0 {
		t.Errorf("among the objects: %v, %v", res, err)
	}
}

// An etcd without TLS is for this machine only.
func TestServeEtcdIsLocal(t *testing.T) {
	for _, listen := range []string{"http://192.0.2.1:2379", "http://0.0.0.0:2379", "https://127.0.0.1:2379", "x"} {
		if err := ServeEtcd(t.Context(), t.TempDir(), listen, quiet()); err == nil || !strings.Contains(err.Error(), "is not local") {
			t.Errorf("%s: error %v", listen, err)
		}
	}
}
