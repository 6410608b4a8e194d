package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// Keys of controllers that share an etcd. They live apart from the objects, and go with their controller's lease.
const (
	memberPrefix = "/weft/cluster/v1/members/"
	leaderPrefix = "/weft/cluster/v1/leader"
)

// Member is what a controller tells of itself to those with whom it shares an external etcd, and to people.
type Member struct {
	// Name is unique among them.
	Name    string
	Version string
	// API are the addresses of its gRPC API.
	API []string
	// Since is when it came.
	Since time.Time
	// Leader says that it leads: of all members one does.
	Leader bool `json:"-"`
}

// ErrDeposed says that this controller does not lead any more: its lease has run out, because it could not reach etcd for as long, or
// was stopped.
var ErrDeposed = errors.New("this controller does not lead any more: it could not renew its lease in etcd")

// Membership is a controller's place among those that share an external etcd, from Join to Leave. It lives as long as its lease.
type Membership struct {
	store    *Store
	me       Member
	session  *concurrency.Session
	election *concurrency.Election
}

// Join makes this controller known to the others. lease, in whole seconds, is how long they wait for it when it is silent. The key of
// one with the same name that died a moment ago is waited for; that of one that lives is an error.
func (s *Store) Join(ctx context.Context, me Member, lease time.Duration) (*Membership, error) {
	ttl := int(lease / time.Second)
	granted, err := s.client.Grant(ctx, int64(ttl))
	if err != nil {
		return nil, s.etcdError(err)
	}
	session, err := concurrency.NewSession(s.client, concurrency.WithLease(granted.ID), concurrency.WithTTL(ttl))
	if err != nil {
		return nil, s.etcdError(err)
	}
	m := &Membership{store: s, me: me, session: session, election: concurrency.NewElection(session, leaderPrefix)}
	if err := m.register(ctx, lease); err != nil {
		return nil, errors.Join(err, m.Leave())
	}
	return m, nil
}

func (m *Membership) register(ctx context.Context, lease time.Duration) error {
	key := memberPrefix + m.me.Name
	value, err := json.Marshal(m.me)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(3 * lease); ; pause(ctx, lease/10) {
		res, err := m.store.client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
			Then(clientv3.OpPut(key, string(value), clientv3.WithLease(m.session.Lease()))).Commit()
		switch {
		case err != nil:
			return m.store.etcdError(err)
		case res.Succeeded:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("a controller named %q runs already with this etcd: give each its own --name", m.me.Name)
		}
	}
}

// Lead waits until this controller leads. From then on nothing is written by this store unless it still does.
func (m *Membership) Lead(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-m.Lost():
			cancel(ErrDeposed)
		case <-stop:
		}
	}()
	if err := m.election.Campaign(ctx, m.me.Name); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return m.store.etcdError(err)
	}
	m.store.fence.Store(&fence{m.election.Key(), m.election.Rev()})
	return nil
}

// Lost is closed when the lease has run out: this controller does not lead any more, and must start over.
func (m *Membership) Lost() <-chan struct{} { return m.session.Done() }

// Leave lets another lead at once.
func (m *Membership) Leave() error {
	if err := m.session.Close(); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) { // it has run out
		return m.store.etcdError(err)
	}
	return nil
}

// Members lists the controllers that share the etcd, by name; none where it is embedded.
func (s *Store) Members(ctx context.Context) ([]Member, error) {
	res, err := s.client.Txn(ctx).Then(clientv3.OpGet(memberPrefix, clientv3.WithPrefix()),
		clientv3.OpGet(leaderPrefix+"/", clientv3.WithFirstCreate()...)).Commit()
	if err != nil {
		return nil, s.etcdError(err)
	}
	leader := ""
	for _, kv := range res.Responses[1].GetResponseRange().Kvs {
		leader = string(kv.Value)
	}
	var all []Member
	for _, kv := range res.Responses[0].GetResponseRange().Kvs {
		m := Member{}
		if err := json.Unmarshal(kv.Value, &m); err != nil {
			return nil, fmt.Errorf("etcd key %q: %w", kv.Key, err)
		}
		m.Name = strings.TrimPrefix(string(kv.Key), memberPrefix)
		m.Leader = m.Name == leader
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// fence is the key that this controller leads by: who leads later has another, whose revision is higher.
type fence struct {
	key      string
	revision int64
}

// held is the condition that this controller still leads.
func (f *fence) held() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(f.key), "=", f.revision)
}
