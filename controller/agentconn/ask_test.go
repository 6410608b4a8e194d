package agentconn

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/report"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

func TestAgentIsAskedAboutANamespace(t *testing.T) {
	w, client := serve(t, 7)
	st := dial(t, client("127.0.0.1"), &nodev1.Hello{Host: "compute1"})
	w.await(t, "connected compute1 holding map[]")
	w.mu.Lock()
	sess := w.sessions["compute1"]
	w.mu.Unlock()

	type answer struct {
		lines []report.NamespaceLine
		err   error
	}
	ask := func(ctx context.Context, namespace string) <-chan answer {
		c := make(chan answer, 1)
		go func() {
			lines, err := sess.Ask(ctx, namespace)
			c <- answer{lines, err}
		}()
		return c
	}
	asked := func() *nodev1.Ask {
		m, err := st.Recv()
		if err != nil || m.GetAsk() == nil || m.Epoch != 7 {
			t.Fatalf("%v %v", m, err)
		}
		return m.GetAsk()
	}
	say := func(a *nodev1.Answer) {
		send(t, st, &nodev1.SyncRequest{Message: &nodev1.SyncRequest_Answer{Answer: a}})
	}

	// Two questions at once, answered in the other order.
	first := ask(t.Context(), "qrouter-1")
	q1 := asked()
	second := ask(t.Context(), "qrouter-2")
	q2 := asked()
	if q1.Namespace != "qrouter-1" || q2.Namespace != "qrouter-2" {
		t.Errorf("asked for %s and %s", q1.Namespace, q2.Namespace)
	}
	say(&nodev1.Answer{Nonce: "q99"})
	say(&nodev1.Answer{Nonce: q2.Nonce, Error: "no such namespace"})
	say(&nodev1.Answer{Nonce: q1.Nonce, Lines: []*nodev1.NamespaceLine{{Section: "rule", Text: "0: from all lookup local", State: "ok"}}})
	if a := <-first; a.err != nil || cmp.Diff([]report.NamespaceLine{{Section: "rule", Text: "0: from all lookup local", State: report.OK}}, a.lines) != "" {
		t.Errorf("first: %+v", a)
	}
	if a := <-second; a.err == nil || a.err.Error() != "no such namespace" {
		t.Errorf("second: %+v", a)
	}

	ctx, cancel := context.WithCancel(t.Context())
	given := ask(ctx, "qrouter-3")
	late := asked()
	cancel()
	if a := <-given; a.err == nil || !strings.Contains(a.err.Error(), "no answer came") {
		t.Errorf("given up: %+v", a)
	}
	say(&nodev1.Answer{Nonce: late.Nonce})

	gone := ask(t.Context(), "qrouter-4")
	asked()
	st.CloseSend()
	if a := <-gone; a.err == nil || !strings.Contains(a.err.Error(), "went away") {
		t.Errorf("gone: %+v", a)
	}
	w.await(t, "disconnected compute1")
}

func TestSignsOfLifeAreHeard(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := &Server{}
	heard := s.Heard(ln)
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	nc, err := heard.Accept()
	if err != nil {
		t.Fatal(err)
	}
	sess := &Session{conn: s.signs.find(peer.LocalAddr().String())}
	at := sess.Heard()
	after := func(what string) {
		t.Helper()
		if now := sess.Heard(); !now.After(at) {
			t.Errorf("%s is no sign of life", what)
		} else {
			at = now
		}
	}
	buf := make([]byte, 8)
	peer.Write([]byte("x"))
	nc.Read(buf)
	after("a byte")
	nc.SetReadDeadline(time.Now())
	nc.Read(buf)
	if sess.Heard() != at {
		t.Error("to wait in vain is a sign of life")
	}
	nc.SetReadDeadline(time.Time{})
	peer.Close()
	nc.Read(buf)
	after("the end of the connection")
	nc.Close()
	if s.signs.find(peer.LocalAddr().String()) != nil {
		t.Error("a connection that is over is remembered")
	}
	if !(&Session{}).Heard().IsZero() {
		t.Error("nobody listened, but something was heard")
	}
}
