package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"sync"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
	"golang.org/x/sync/errgroup"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

func TestManyCallersNeverGetTheSameAddress(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	sn := subnet(t, s, n.ID, "10.0.1.0/24")
	const callers, pool = 64, 253
	var mu sync.Mutex
	exhausted := 0
	var g errgroup.Group
	for range callers {
		g.Go(func() error {
			for range 5 {
				_, err := s.Update(context.Background(), func(tx *Tx) error {
					_, err := tx.CreatePort(&model.Port{NetworkID: n.ID})
					return err
				})
				var none *ErrExhausted
				if errors.As(err, &none) {
					mu.Lock()
					exhausted++
					mu.Unlock()
				} else if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	snap, _ := s.Snapshot()
	ips, macs := map[netip.Addr]bool{}, map[model.MAC]bool{}
	for p := range snap.PortsOf(n.ID) {
		if len(p.FixedIPs) != 1 || !sn.AllocationPools[0].Contains(p.FixedIPs[0].IP) {
			t.Errorf("port %s has %v", p.ID, p.FixedIPs)
			continue
		}
		ips[p.FixedIPs[0].IP], macs[p.MAC] = true, true
	}
	if len(ips) != pool || len(macs) != pool || snap.Len(state.Ports) != pool || exhausted != callers*5-pool {
		t.Errorf("%d ports with %d addresses and %d MACs, %d refused; want %d each, and %d",
			snap.Len(state.Ports), len(ips), len(macs), exhausted, pool, callers*5-pool)
	}
}

// startEtcd is an etcd server that several stores share, on a unix socket.
func startEtcd(t *testing.T) (endpoint string) {
	t.Helper()
	c, err := embedConfig(Config{DataDir: t.TempDir(), ListenClient: "unix://" + t.TempDir() + "/etcd.sock"})
	if err != nil {
		t.Fatal(err)
	}
	c.MaxTxnOps, c.MaxRequestBytes = embed.DefaultMaxTxnOps, embed.DefaultMaxRequestBytes
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(etcdLogger(quiet(), nil))
	e, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	<-e.Server.ReadyNotify()
	t.Cleanup(e.Close)
	return (&url.URL{Scheme: "unix", Path: c.ListenClientUrls[0].Path}).String()
}

func TestTwoControllersOnOneEtcdConverge(t *testing.T) {
	endpoint := startEtcd(t)
	a := openTest(t, Config{Endpoints: []string{endpoint}})
	b := openTest(t, Config{Endpoints: []string{endpoint}})
	n := network(t, a, "blue")
	subnet(t, a, n.ID, "10.0.0.0/22")

	var g errgroup.Group
	for c, s := range []*Store{a, b} {
		for w := range 8 {
			g.Go(func() error {
				for i := range 20 {
					// The network was made by the other controller a moment ago: no write of b may miss it.
					_, err := s.Update(context.Background(), func(tx *Tx) error {
						_, err := tx.CreatePort(&model.Port{Meta: model.Meta{Name: fmt.Sprint(c, w, i)}, NetworkID: n.ID})
						return err
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both at one revision", func() bool {
		_, ra := a.Snapshot()
		_, rb := b.Snapshot()
		return ra == rb
	})
	sa, _ := a.Snapshot()
	sb, _ := b.Snapshot()
	sameState(t, "the two controllers", sa, sb)
	if got := sa.Len(state.Ports); got != 320 {
		t.Errorf("%d ports, want 320", got)
	}
	invariants(t, sa)
}

func TestUpdatesInOneTransactionFailAlone(t *testing.T) {
	s := newStore(t)
	n := network(t, s, "blue")
	subnet(t, s, n.ID, "10.0.0.0/16")
	_, before := s.Snapshot()

	// The first update holds the committer until all others wait, so that they form one batch.
	const others = 50
	hold, held := make(chan struct{}), make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		_, err := s.Update(context.Background(), func(*Tx) error {
			close(held)
			<-hold
			return errors.New("held")
		})
		if err == nil || err.Error() != "held" {
			return fmt.Errorf("holder: %v", err)
		}
		return nil
	})
	<-held
	for i := range others {
		g.Go(func() error {
			_, err := s.Update(context.Background(), func(tx *Tx) error {
				for p := range tx.Ports() {
					if failing(p.Name) {
						t.Errorf("update %d sees port %s of an update that failed", i, p.Name)
					}
				}
				p, err := tx.CreatePort(&model.Port{Meta: model.Meta{Name: fmt.Sprint(i)}, NetworkID: n.ID})
				if err != nil {
					return err
				}
				if failing(p.Name) {
					return fmt.Errorf("%s is not to be", p.Name)
				}
				return nil
			})
			if (err != nil) != failing(fmt.Sprint(i)) {
				return fmt.Errorf("update %d: %v", i, err)
			}
			return nil
		})
	}
	eventually(t, "all others wait", func() bool { return len(s.requests) == others })
	close(hold)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	snap, after := s.Snapshot()
	if got := snap.Len(state.Ports); got != others*4/5 {
		t.Errorf("%d ports, want %d", got, others*4/5)
	}
	if after != before+1 {
		t.Errorf("%d transactions, want 1", after-before)
	}
	for p := range snap.Ports() {
		if failing(p.Name) {
			t.Errorf("port %s of an update that failed is there", p.Name)
		}
	}
}

// failing says which of the updates fail: every fifth.
func failing(name string) bool { return name[len(name)-1] == '0' || name[len(name)-1] == '5' }
