package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/nsagent/statefile"
	"github.com/weft-sdn/weft/openflow/channel"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

func TestOutdatedControllerIsRefused(t *testing.T) {
	old, current := listen(t, "", 6), listen(t, "", 7)
	h := newHost(t, current, old)
	h.start()
	current.hello(1)
	current.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: three()[:1]})
	current.await("ack 1 rev 40")
	current.stop()
	if got := old.hello(1); got.Epoch != 7 {
		t.Errorf("the hello tells epoch %d", got.Epoch)
	}
	// Each time that the outdated one speaks the agent hangs up.
	old.hello(2)
	old.delta(&nodev1.Delta{Nonce: "1", Revision: 41, Full: true})
	old.hello(3)
	h.end()
	h.start()
	if got := old.hello(4); got.Epoch != 7 {
		t.Errorf("after a restart the hello tells epoch %d", got.Epoch)
	}
	old.silent("ack")
	if got := h.Vsctl("list-br"); got != "br-int" {
		t.Errorf("bridges %q", got)
	}
	again := listen(t, current.addr, 8)
	again.hello(1)
	again.delta(&nodev1.Delta{Nonce: "1", Revision: 42, Full: true, Unchanged: []string{"bridge/br-int"}})
	again.await("ack 1 rev 42")
}

func TestOneAgentOnAStateDirectory(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	_, err := New(h.cfg)
	if !errors.Is(err, statefile.ErrLocked) || err.Error() != fmt.Sprintf("state directory %s: another agent uses it: process %d; end that one first", h.state, os.Getpid()) {
		t.Errorf("second agent: %v", err)
	}
}

// switches accepts OpenFlow connections, as a controller does.
func switches(t *testing.T, addr string) (target string, connected chan *channel.Conn, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	connected = make(chan *channel.Conn, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			if c, err := (channel.Config{}).Handshake(t.Context(), nc); err == nil {
				connected <- c
			}
		}
	}()
	stop = func() {
		ln.Close()
		<-done
		for {
			select {
			case c := <-connected:
				c.Close()
			default:
				return
			}
		}
	}
	t.Cleanup(stop)
	return ln.Addr().String(), connected, stop
}

// Open vSwitch alone would wait for a second at least.
func TestBridgesConnectWhenTheControllerSpeaks(t *testing.T) {
	addr, connected, stop := switches(t, "127.0.0.1:0")
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: []*nodev1.Resource{bridge("br-int", "integration", "7765667400010001", "tcp:"+addr)}})
	c.await("ack 1 rev 40")
	h.Ofctl("add-flow", "br-int", ours+"table=0,actions=drop")
	flows := h.Flows("br-int")
	h.Await("the bridge to connect", func() bool { return len(connected) == 1 })
	c.stop()
	stop()

	_, connected, _ = switches(t, addr)
	again := listen(t, c.addr, 8)
	again.hello(1)
	began := time.Now()
	again.delta(&nodev1.Delta{Nonce: "1", Revision: 41, Full: true, Unchanged: []string{"bridge/br-int"}})
	h.Await("a new connection", func() bool { return len(connected) == 1 })
	t.Logf("the bridge connected %v after its agent", time.Since(began))
	if d := cmp.Diff(flows, h.Flows("br-int")); d != "" {
		t.Errorf("flows (-want +got):\n%s", d)
	}
	again.await("ack 1 rev 41")
	again.silent("notice")
	h.Await("the right controller", func() bool { return h.Vsctl("get-controller", "br-int") == "tcp:"+addr })
}

// A bug: a bridge that had found the new controller by itself, a moment before its agent did, was made to connect again, while
// the controller read its rows.
func TestABridgeThatTheControllerHasStaysConnected(t *testing.T) {
	addr, connected, _ := switches(t, "127.0.0.1:0")
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: []*nodev1.Resource{bridge("br-int", "integration", "7765667400010001", "tcp:"+addr)}})
	c.await("ack 1 rev 40")
	conn := <-connected
	c.stop()

	again := listen(t, c.addr, 8, func(c *controller) { c.reticent = true })
	again.hello(1)
	again.delta(&nodev1.Delta{Nonce: "1", Revision: 41, Full: true, Unchanged: []string{"bridge/br-int"}, Connected: []string{"br-int"}})
	again.await("ack 1 rev 41")
	h.Vsctl("set", "bridge", "br-int", "external_ids:seen=yes") // returns when the switch has seen all that was before
	if _, err := conn.TableStats(t.Context()); err != nil || len(connected) > 0 {
		t.Errorf("the connection: %v; %d new ones", err, len(connected))
	}
}
