package store

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Config{DataDir: dir})
	epoch := func() uint64 {
		e, err := s.Epoch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	began := uint64(time.Now().Unix())
	first := epoch()
	if first < began || epoch() != first+1 {
		t.Errorf("epoch %d at time %d", first, began)
	}
	blue, red := blueAndRed(t, s)
	subnet(t, s, blue.ID, "10.0.0.0/24")
	for _, h := range []string{"h1", "h2"} {
		host(t, s, h)
	}
	p, q := port(t, s, named(blue, "p")), port(t, s, named(red, "q"))
	report(t, s, "h1", true, nil, tap("tap1", 5, p.ID), tap("tap2", 6, q.ID))
	report(t, s, "h1", false, []string{"tap1"})
	active(t, s, q, "h1")
	want, rev := s.Snapshot()
	bound(t, s, "before", m{"q": "h1/tap2 6 by iface-id ACTIVE", "red@h1": "vlan 2"})
	before := time.Now()
	s.Close()
	if took := time.Since(before); took > stopTimeout {
		t.Errorf("close took %s", took)
	}

	s = openTest(t, Config{DataDir: dir})
	got, now := s.Snapshot()
	sameState(t, "after the restart", want, got)
	if now != rev {
		t.Errorf("revision %d, want %d", now, rev)
	}
	if e := epoch(); e < first+2 {
		t.Errorf("epoch %d after %d", e, first+1)
	}
	// The agent reports what it sees, and nothing of what was allocated moves.
	report(t, s, "h1", true, nil, tap("tap2", 6, q.ID))
	bound(t, s, "after the agent's report", m{"q": "h1/tap2 6 by iface-id ACTIVE", "red@h1": "vlan 2"})
	if n := network(t, s, "green"); n.SegmentID != 3 {
		t.Errorf("next segment %d, want 3", n.SegmentID)
	}
}

// lossyKV is an etcd whose answers get lost: the transaction is made, and the client is told that it timed out.
type lossyKV struct {
	clientv3.KV
	lose atomic.Int32
	// then runs after a lost answer, before the client hears of it.
	then func()
}

type lossyTxn struct {
	clientv3.Txn
	kv *lossyKV
}

func (k *lossyKV) Txn(ctx context.Context) clientv3.Txn { return &lossyTxn{k.KV.Txn(ctx), k} }

func (t *lossyTxn) If(cs ...clientv3.Cmp) clientv3.Txn   { t.Txn = t.Txn.If(cs...); return t }
func (t *lossyTxn) Then(ops ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Then(ops...); return t }
func (t *lossyTxn) Else(ops ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Else(ops...); return t }
func (t *lossyTxn) Commit() (*clientv3.TxnResponse, error) {
	res, err := t.Txn.Commit()
	if err == nil && t.kv.lose.Add(-1) >= 0 {
		if t.kv.then != nil {
			t.kv.then()
		}
		return nil, rpctypes.ErrTimeout
	}
	return res, err
}

func TestLostAnswerIsNeitherLostNorDoneTwice(t *testing.T) {
	for _, otherWriter := range []bool{false, true} {
		t.Run(fmt.Sprint("other writer ", otherWriter), func(t *testing.T) {
			endpoint := startEtcd(t)
			s, other := openTest(t, Config{Endpoints: []string{endpoint}}), openTest(t, Config{Endpoints: []string{endpoint}})
			kv := &lossyKV{KV: s.client.KV}
			s.client.KV = kv
			if otherWriter {
				kv.then = func() {
					if _, err := other.Update(context.Background(), create((*Tx).CreateNetwork, &model.Network{})); err != nil {
						t.Error(err)
					}
				}
			}
			runs := 0
			kv.lose.Store(1)
			update(t, s, func(tx *Tx) error {
				runs++
				_, err := tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: "once"}})
				return err
			})
			snap, _ := s.Snapshot()
			n := 0
			for range snap.Named(state.Networks, "once") {
				n++
			}
			if n != 1 || runs != 1 {
				t.Errorf("%d networks by %d runs, want 1 by 1", n, runs)
			}
		})
	}
}

func TestExternalEtcdOverTLS(t *testing.T) {
	c, err := embedConfig(Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.ListenClientUrls = []url.URL{{Scheme: "https", Host: l.Addr().String()}}
	c.AdvertiseClientUrls = c.ListenClientUrls
	c.ClientAutoTLS, c.SelfSignedCertValidity = true, 1
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(etcdLogger(quiet(), nil))
	l.Close()
	e, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	<-e.Server.ReadyNotify()
	pem, err := os.ReadFile(filepath.Join(c.Dir, "fixtures", "client", "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	endpoint := c.ListenClientUrls[0].String()

	s := openTest(t, Config{Endpoints: []string{endpoint}, TLS: &tls.Config{RootCAs: roots}})
	network(t, s, "blue")
	s.Close()
	// The server is not one that is trusted.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = Open(ctx, Config{Endpoints: []string{endpoint}, TLS: &tls.Config{RootCAs: x509.NewCertPool()}}, quiet())
	want := "etcd at " + endpoint + ": tls: failed to verify certificate: x509: certificate signed by unknown authority: check that it runs there, and the TLS files"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestNoEtcdThere(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := Open(ctx, Config{Endpoints: []string{"http://127.0.0.1:1"}}, quiet())
	want := "etcd at http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused: check that it runs there, and the TLS files"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// The cluster takes 128 operations in a transaction: batches respect that, and a larger update is refused.
func TestExternalEtcdLimits(t *testing.T) {
	s := openTest(t, Config{Endpoints: []string{startEtcd(t)}})
	n := network(t, s, "blue")
	ports := func(count int) func(*Tx) error {
		return func(tx *Tx) error {
			for range count {
				if _, err := tx.CreatePort(&model.Port{NetworkID: n.ID}); err != nil {
					return err
				}
			}
			return nil
		}
	}
	update(t, s, ports(127))
	refused[*ErrTooLarge](t, s, ports(128),
		"the change writes 129 keys, but one transaction may hold 128: split it, or raise --max-txn-ops of the external etcd and --etcd-max-txn-ops of the controller")
	big := openTest(t, Config{Endpoints: s.cfg.Endpoints, MaxTxnOps: 100000})
	err := tryUpdate(t, big, ports(1000))
	if !errors.Is(err, rpctypes.ErrTooManyOps) || !strings.Contains(err.Error(), "100000 operations") {
		t.Errorf("etcd's own limit: %v", err)
	}
	// Updates that do not fit together go into several transactions.
	hold, held := make(chan struct{}), make(chan struct{})
	errs := make(chan error, 11)
	go func() {
		_, err := s.Update(context.Background(), func(*Tx) error { close(held); <-hold; return nil })
		errs <- err
	}()
	<-held
	for range 10 {
		go func() {
			_, err := s.Update(context.Background(), ports(50))
			errs <- err
		}()
	}
	eventually(t, "ten wait", func() bool { return len(s.requests) == 10 })
	_, before := s.Snapshot()
	close(hold)
	for range 11 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if snap, after := s.Snapshot(); snap.Len(state.Ports) != 127+500 || after != before+5 {
		t.Errorf("%d ports in %d transactions, want 627 in 5", snap.Len(state.Ports), after-before)
	}
}

func TestUpdateWithAnEndedContextIsNotRun(t *testing.T) {
	s := newStore(t)
	hold, held, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		if _, err := s.Update(context.Background(), func(*Tx) error { close(held); <-hold; return nil }); err != nil {
			t.Error(err)
		}
	}()
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	ran := false
	if _, err := s.Update(ctx, func(*Tx) error { ran = true; return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(hold)
	<-done
	update(t, s, func(*Tx) error { return nil })
	if ran {
		t.Error("it was run all the same")
	}
}

// A first start says nothing that sounds as if something were wrong; what is wrong later is told.
func TestWhatEtcdSaysTooEarlyIsNotTold(t *testing.T) {
	var log bytes.Buffer
	b := newBreaker()
	b.started.Store(true)
	etcd := etcdLogger(slog.New(slog.NewTextHandler(&log, nil)), b)
	etcd.Warn("Failed to detect schema version")
	etcd.Error("failed to update storage version")
	etcd.Warn("slow fdatasync")
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=WARN msg="etcd: slow fdatasync"`) {
		t.Errorf("log:\n%s", got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, cfg := range map[string]Config{
		"store: give either a data directory or etcd endpoints":                                                 {},
		`store: tenant network type "vlxan" is not one of [vxlan gre geneve vlan flat]`:                         {DataDir: "x", TenantNetworkTypes: []string{"vlxan"}},
		"store: underlay MTU 100 is not in 576..65535":                                                          {DataDir: "x", UnderlayMTU: 100},
		"store: vxlan range 0:5 is not inside 1:16777215":                                                       {DataDir: "x", Ranges: Ranges{VXLAN: []Range{{0, 5}}}},
		"store: geneve range 9:5 is not inside 1:16777215":                                                      {DataDir: "x", Ranges: Ranges{Geneve: []Range{{9, 5}}}},
		"store: vlan p range 1:4095 is not inside 1:4094":                                                       {DataDir: "x", Ranges: Ranges{VLAN: map[string][]Range{"p": {{1, 4095}}}}},
		`store: client listener "http://10.0.0.1:2379" is not local: use unix:///path or http://127.0.0.1:port`: {DataDir: t.TempDir(), ListenClient: "http://10.0.0.1:2379"},
		`store: client listener "http://0.0.0.0:2379" is not local: use unix:///path or http://127.0.0.1:port`:  {DataDir: t.TempDir(), ListenClient: "http://0.0.0.0:2379"},
	} {
		if _, err := Open(t.Context(), cfg, quiet()); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
