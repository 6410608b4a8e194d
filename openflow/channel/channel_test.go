package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/test/fakeswitch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test.
const patience = 20 * time.Second

// quick are limits short enough for a test to wait for.
var quick = Config{EchoInterval: 50 * time.Millisecond, EchoTimeout: 100 * time.Millisecond, WriteTimeout: 150 * time.Millisecond, HandshakeTimeout: 300 * time.Millisecond}

// pair is two ends of a TCP connection.
func pair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	ours, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	return ours, theirs
}

// serve lets a switch speak on a connection until the test ends.
func serve(t testing.TB, sw *fakeswitch.Switch, nc net.Conn) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { sw.Serve(ctx, nc) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// connect makes a channel to a switch.
func connect(t testing.TB, sw *fakeswitch.Switch, cfg Config) *Conn {
	t.Helper()
	ours, theirs := pair(t)
	serve(t, sw, theirs)
	c, err := cfg.Handshake(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// script is a switch that a test plays by hand, after a handshake in version 1.4.
func script(t testing.TB, cfg Config) (*Conn, net.Conn) {
	t.Helper()
	ours, theirs := pair(t)
	hand := openflow.NewHello(openflow.V14).Append(nil, openflow.V14, 1)
	hand = (&openflow.FeaturesReply{DatapathID: 1}).Append(hand, openflow.V14, 2)
	if _, err := theirs.Write(hand); err != nil {
		t.Fatal(err)
	}
	c, err := cfg.Handshake(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	// What is left unread would make the end of this connection a reset.
	if _, err := io.ReadFull(theirs, make([]byte, 16+8+12)); err != nil {
		t.Fatal(err)
	}
	return c, theirs
}

// limited is a context that no test outlives by much.
func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await polls until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

// ended waits for the end of a channel and returns why.
func ended(t testing.TB, c *Conn) error {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the channel did not end")
	}
	return c.Err()
}

func mods(n int) []openflow.FlowMod {
	out := make([]openflow.FlowMod, n)
	for i := range out {
		out[i] = row(i, openflow.Output{Port: 1})
	}
	return out
}

// refuseTable makes a switch that refuses rows of one table.
func refuseTable(table uint8) func(*openflow.FlowMod) *openflow.Error {
	return func(m *openflow.FlowMod) *openflow.Error {
		if m.Table == table {
			return &openflow.Error{Type: openflow.ErrorBadInstruction, Code: 2}
		}
		return nil
	}
}

// events keeps what a channel tells.
type events struct {
	mu       sync.Mutex
	messages []string
	updates  []string
}

func (e *events) Message(_ *Conn, h openflow.Header, m openflow.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r, ok := m.(*openflow.RoleStatus); ok {
		e.messages = append(e.messages, fmt.Sprintf("%v, generation %d", r.Role, r.GenerationID))
	} else {
		e.messages = append(e.messages, h.Type.String())
	}
}

func (e *events) FlowUpdates(c *Conn, body []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := openflow.EachFlowUpdate(body, c.Version(), func(u *openflow.FlowUpdate) error {
		s := u.Event.String()
		if u.Event != openflow.UpdateAbbrev {
			s = fmt.Sprintf("%s table %d cookie %#x", s, u.Table, u.Cookie)
		}
		e.updates = append(e.updates, s)
		return nil
	})
	if err != nil {
		e.updates = append(e.updates, err.Error())
	}
}

func (e *events) told() (messages, updates []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.messages...), append([]string(nil), e.updates...)
}

// blamed returns the indexes that an error blames, or fails.
func blamed(t testing.TB, err error) []int {
	t.Helper()
	var be *BundleError
	if !errors.As(err, &be) {
		t.Fatalf("not a BundleError: %v", err)
	}
	var out []int
	for _, e := range be.Errors {
		out = append(out, e.Index)
	}
	return out
}
