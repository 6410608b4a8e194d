package ofconn

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
	"github.com/weft-sdn/weft/test/fakeswitch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// fleet admits switches 1 to 99 and keeps what it is told.
type fleet struct {
	mu    sync.Mutex
	told  []string
	conns map[uint64]*channel.Conn
}

func (f *fleet) Admit(id uint64, remote net.Addr) error {
	if id == 0 || id >= 100 {
		return fmt.Errorf("no host has it")
	}
	return nil
}

func (f *fleet) Connected(c *channel.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, fmt.Sprintf("%d connected", c.DatapathID()))
	f.conns[c.DatapathID()] = c
}

func (f *fleet) Disconnected(c *channel.Conn, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	why := err.Error()
	if strings.HasPrefix(why, "the peer closed") || strings.Contains(why, "reset by peer") || strings.Contains(why, "broken pipe") {
		why = "the peer is gone"
	}
	f.told = append(f.told, fmt.Sprintf("%d disconnected: %s", c.DatapathID(), why))
}

func (f *fleet) history() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.told...)
}

func (f *fleet) conn(id uint64) *channel.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conns[id]
}

// logged is a log that a test reads.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.buf.String()), "\n")
}

// listener is a running Serve.
type listener struct {
	addr  string
	fleet *fleet
	log   *logged
	// stop ends it and returns what Serve returned.
	stop func() error
}

func listen(t *testing.T, cfg Config) *listener {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{addr: nl.Addr().String(), fleet: &fleet{conns: map[uint64]*channel.Conn{}}, log: &logged{}}
	cfg.Log = slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "remote" {
			return slog.Attr{}
		}
		return a
	}}))
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- cfg.Serve(ctx, nl, l.fleet) }()
	l.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-result:
			return err
		case <-time.After(patience):
			return errors.New("it did not end")
		}
	})
	t.Cleanup(func() {
		if err := l.stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l
}

// connect keeps a switch connected until its context or the test ends.
func (l *listener) connect(t *testing.T, ctx context.Context, sw *fakeswitch.Switch) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { sw.Dial(ctx, "tcp", l.addr, 5*time.Millisecond) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func (l *listener) awaitHistory(t *testing.T, want ...string) {
	t.Helper()
	await(t, fmt.Sprintf("%q", want), func() bool { return len(l.fleet.history()) >= len(want) })
	if d := cmp.Diff(want, l.fleet.history()); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func barrier(t *testing.T, c *channel.Conn) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return c.Barrier(ctx)
}

func TestConnectAndReconnect(t *testing.T) {
	l := listen(t, Config{})
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 7})
	l.connect(t, t.Context(), sw)
	l.awaitHistory(t, "7 connected")
	if err := barrier(t, l.fleet.conn(7)); err != nil {
		t.Fatal(err)
	}
	sw.Disconnect()
	l.awaitHistory(t, "7 connected", "7 disconnected: the peer is gone", "7 connected")
	if err := barrier(t, l.fleet.conn(7)); err != nil {
		t.Fatal(err)
	}
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	l.awaitHistory(t, "7 connected", "7 disconnected: the peer is gone", "7 connected", "7 disconnected: closed")
	if log := l.log.lines(); len(log) != 1 || !strings.HasPrefix(log[0], `level=WARN msg="OpenFlow connection cut" datapath=0000000000000007 err=`) {
		t.Errorf("log:\n%s", strings.Join(log, "\n"))
	}
}

// A switch that no host has is closed, told in the log, and not programmed. However often it tries, the log stays short.
func TestUnknownSwitchIsRefused(t *testing.T) {
	l := listen(t, Config{})
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 0xbad})
	l.connect(t, t.Context(), sw)
	await(t, "many tries", func() bool { return sw.Counts().Connections > 3*refusalBurst })
	if h := l.fleet.history(); len(h) != 0 {
		t.Errorf("told %q", h)
	}
	if n := sw.Counts().FlowMods; n != 0 {
		t.Errorf("%d flow-mods were sent", n)
	}
	log := l.log.lines()
	want := `level=WARN msg="OpenFlow connection refused" err="switch 0000000000000bad refused: no host has it" not_logged=0`
	if log[0] != want || len(log) > 2*refusalBurst {
		t.Errorf("%d lines of log for %d tries; the first: %s, want %s", len(log), sw.Counts().Connections, log[0], want)
	}
}

// A switch that lost its power comes back; its old connection does not answer and goes.
func TestNewcomerReplacesADeadConnection(t *testing.T) {
	l := listen(t, Config{ProbeTimeout: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dead := fakeswitch.New(fakeswitch.Config{DatapathID: 7})
	l.connect(t, ctx, dead)
	l.awaitHistory(t, "7 connected")
	dead.SetMute(true)
	reborn := fakeswitch.New(fakeswitch.Config{DatapathID: 7})
	l.connect(t, t.Context(), reborn)
	await(t, "the newcomer", func() bool { return len(l.fleet.history()) >= 3 })
	want := []string{"7 connected", "7 disconnected: it does not answer, and a newer connection takes its place", "7 connected"}
	if d := cmp.Diff(want, l.fleet.history()[:3]); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// Two bridges that were given one datapath id do not throw each other out for ever: who is there stays.
func TestSecondSwitchWithADatapathIDInUseIsRefused(t *testing.T) {
	l := listen(t, Config{})
	one, two := fakeswitch.New(fakeswitch.Config{DatapathID: 7}), fakeswitch.New(fakeswitch.Config{DatapathID: 7})
	l.connect(t, t.Context(), one)
	l.awaitHistory(t, "7 connected")
	conn := l.fleet.conn(7)
	l.connect(t, t.Context(), two)
	await(t, "several tries", func() bool { return two.Counts().Connections > 3 })
	if err := conn.Err(); err != nil {
		t.Errorf("the first one's connection ended: %v", err)
	}
	if d := cmp.Diff([]string{"7 connected"}, l.fleet.history()); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	if log := l.log.lines()[0]; !strings.Contains(log, "switch 0000000000000007 refused: it is connected from 127.0.0.1:") || !strings.Contains(log, " already, and answers there") {
		t.Errorf("log: %s", log)
	}
}

// Garbage, half a hello and silence cost a bounded time, are told with the reason, and others do not notice.
func TestPeersThatAreNoSwitches(t *testing.T) {
	l := listen(t, Config{Channel: channel.Config{HandshakeTimeout: 200 * time.Millisecond}})
	l.connect(t, t.Context(), fakeswitch.New(fakeswitch.Config{DatapathID: 7}))
	l.awaitHistory(t, "7 connected")
	for _, says := range []string{"GET / HTTP/1.0\r\n\r\n", "\x05\x00\x00", ""} {
		nc, err := net.Dial("tcp", l.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		fmt.Fprint(nc, says)
		nc.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 100)
		for {
			if _, err := nc.Read(b); err != nil {
				break
			}
		}
	}
	if err := barrier(t, l.fleet.conn(7)); err != nil {
		t.Errorf("the good switch: %v", err)
	}
	want := []string{
		`level=WARN msg="OpenFlow connection refused" err="OpenFlow handshake: it begins with message of type 69 of version 0x47, not with a hello" not_logged=0`,
		`level=WARN msg="OpenFlow connection refused" err="OpenFlow handshake: not done in 200ms" not_logged=0`,
		`level=WARN msg="OpenFlow connection refused" err="OpenFlow handshake: not done in 200ms" not_logged=0`,
	}
	await(t, "three lines of log", func() bool { return len(l.log.lines()) >= 3 })
	if d := cmp.Diff(want, l.log.lines()); d != "" {
		t.Errorf("log (-want +got):\n%s", d)
	}
}

// Switches that were good, and then send garbage, half a message, or nothing at all are cut off with a line of log that says
// which and why, while another one takes bundle after bundle.
func TestSwitchesThatGoBadAreCut(t *testing.T) {
	l := listen(t, Config{Channel: channel.Config{EchoInterval: 100 * time.Millisecond, EchoTimeout: 300 * time.Millisecond}})
	good := fakeswitch.New(fakeswitch.Config{DatapathID: 7})
	l.connect(t, t.Context(), good)
	l.awaitHistory(t, "7 connected")
	conn := l.fleet.conn(7)
	stop := make(chan struct{})
	worked := make(chan error, 1)
	bundles := 0
	go func() {
		for {
			mods := []openflow.FlowMod{{Table: uint8(1 + bundles>>16), Priority: uint16(bundles), BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			err := conn.Bundle(ctx, mods)
			cancel()
			if err != nil {
				worked <- err
				return
			}
			bundles++
			select {
			case <-stop:
				worked <- nil
				return
			default:
			}
		}
	}()
	half := (&openflow.EchoRequest{Data: make([]byte, 80)}).Append(nil, openflow.V14, 9)[:20]
	told := []string{"7 connected"}
	var want []string
	for i, tc := range []struct {
		name string
		says []byte
		why  string
	}{
		{"garbage", []byte("GET / HTTP/1.0\r\n\r\n"), "message of type 69 of version 0x47 after 1.4 was agreed on"},
		{"half a message", half, "echo request of 88 bytes, of which 20 came: the rest is overdue"},
		{"nothing at all", nil, "silent for 400ms, and no answer to an echo request"},
	} {
		id := uint64(8 + i)
		bad := fakeswitch.New(fakeswitch.Config{DatapathID: id})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		nc, err := net.Dial("tcp", l.addr)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { bad.Serve(ctx, nc) })
		defer wg.Wait()
		told = append(told, fmt.Sprintf("%d connected", id))
		l.awaitHistory(t, told...)
		bad.SetMute(true)
		bad.SendRaw(tc.says)
		await(t, tc.name, func() bool { return len(l.fleet.history()) > len(told) })
		last := l.fleet.history()[len(told)]
		if !strings.HasPrefix(last, fmt.Sprintf("%d disconnected: after ", id)) || !strings.HasSuffix(last, " bytes from the peer: "+tc.why) {
			t.Errorf("%s: told %q", tc.name, last)
		}
		told = append(told, last)
		_, why, _ := strings.Cut(last, ": ")
		want = append(want, fmt.Sprintf("level=WARN msg=\"OpenFlow connection cut\" datapath=%016x err=%q", id, why))
		cancel()
	}
	close(stop)
	if err := <-worked; err != nil {
		t.Errorf("the other switch: %v", err)
	}
	t.Logf("%d bundles meanwhile", bundles)
	if good.Len() != bundles || l.fleet.conn(7) != conn || conn.Err() != nil {
		t.Errorf("the other switch has %d rows of %d bundles, its connection says %v", good.Len(), bundles, conn.Err())
	}
	if d := cmp.Diff(want, l.log.lines()); d != "" {
		t.Errorf("log (-want +got):\n%s", d)
	}
}

// Connections that come to nothing fill the places for handshakes only for a while.
func TestHandshakesAreLimited(t *testing.T) {
	l := listen(t, Config{MaxHandshakes: 3, Channel: channel.Config{HandshakeTimeout: 100 * time.Millisecond}})
	for range 7 {
		nc, err := net.Dial("tcp", l.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
	}
	l.connect(t, t.Context(), fakeswitch.New(fakeswitch.Config{DatapathID: 7}))
	l.awaitHistory(t, "7 connected")
	if n := len(l.log.lines()); n < 5 {
		t.Errorf("a switch was let in before those that came first were done with: %d refusals", n)
	}
}

func TestTLS(t *testing.T) {
	cert, pool := selfSigned(t)
	l := listen(t, Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Channel: channel.Config{HandshakeTimeout: 2 * time.Second}})
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 7})
	nc, err := tls.Dial("tcp", l.addr, &tls.Config{RootCAs: pool, ServerName: "controller"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { sw.Serve(ctx, nc) })
	defer wg.Wait()
	defer cancel()
	l.awaitHistory(t, "7 connected")
	mods := make([]openflow.FlowMod, 3000)
	for i := range mods {
		mods[i] = openflow.FlowMod{Table: 1, Priority: uint16(i), BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}
	}
	tctx, tcancel := context.WithTimeout(t.Context(), patience)
	defer tcancel()
	if err := l.fleet.conn(7).Bundle(tctx, mods); err != nil || sw.Len() != 3000 {
		t.Errorf("a bundle over TLS: %v, %d rows", err, sw.Len())
	}
	plain, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	plain.Write(openflow.NewHello(openflow.V14).Append(nil, openflow.V14, 1))
	await(t, "a line of log", func() bool { return l.log.lines()[0] != "" })
	if log := l.log.lines()[0]; !strings.Contains(log, "OpenFlow handshake: tls: ") {
		t.Errorf("log: %s", log)
	}
}

// A quiet TLS connection lives: the read deadlines of the keep-alive must not spoil it.
func TestTLSKeepAlive(t *testing.T) {
	cert, pool := selfSigned(t)
	l := listen(t, Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Channel: channel.Config{EchoInterval: 20 * time.Millisecond}})
	sw := fakeswitch.New(fakeswitch.Config{DatapathID: 7})
	nc, err := tls.Dial("tcp", l.addr, &tls.Config{RootCAs: pool, ServerName: "controller"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { sw.Serve(ctx, nc) })
	defer wg.Wait()
	defer cancel()
	l.awaitHistory(t, "7 connected")
	c := l.fleet.conn(7)
	await(t, "some echo requests", func() bool { return c.Stats().BytesReceived >= 10*openflow.HeaderLen })
	if err := barrier(t, c); err != nil {
		t.Error(err)
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"controller"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}
