package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weft-sdn/weft/openflow/channel"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// A bug: where controller and agent were killed together, the new agent made no bridge connect, and each waited for
// ovs-vswitchd's next attempt.
func TestWhichBridgesAreMadeToConnect(t *testing.T) {
	const (
		same    = iota // the agent that was there before
		another        // a new process
		empty          // a new process, which finds nothing on disk
	)
	for _, c := range []struct {
		name  string
		agent int
		epoch uint64 // of the controller that speaks; before, it was 7
		up    bool   // what the database says
		has   bool   // what the controller says
		two   bool   // the bridge has two controllers
		anew  bool
	}{
		{name: "another controller", agent: same, epoch: 8, anew: true},
		{name: "another controller, agent", agent: another, epoch: 8, anew: true},
		{name: "another controller, agent, and the database does not know yet", agent: another, epoch: 8, up: true, anew: true},
		{name: "another controller, which has the bridge, agent", agent: another, epoch: 8, up: true, has: true},
		{name: "another controller, agent without a state", agent: empty, epoch: 8, up: true, anew: true},
		{name: "another agent without a state, and the controller has the bridge", agent: empty, epoch: 7, up: true, has: true},
		{name: "another agent", agent: another, epoch: 7, anew: true},
		{name: "another agent, and somebody has the bridge", agent: another, epoch: 7, up: true},
		{name: "another controller of two, agent, and the other has the bridge", agent: another, epoch: 8, up: true, two: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			targets := []string{nobody}
			var connected chan *channel.Conn
			if c.up {
				targets[0], connected, _ = switches(t, "127.0.0.1:0")
				targets[0] = "tcp:" + targets[0]
			}
			if c.two {
				targets = append(targets, nobody)
			}
			br := bridge("br-int", "integration", "7765667400010001", targets...)
			before := listen(t, "", 7)
			h := newHost(t, before)
			h.start()
			before.hello(1)
			before.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: []*nodev1.Resource{br}})
			before.await("ack 1 rev 40")
			if c.up {
				h.Await("the connection", func() bool { return len(connected) > 0 })
				// ovs-vswitchd says so within five seconds, too.
				h.Vsctl("set", "controller", h.Vsctl("--bare", "--columns=_uuid", "find", "controller", `target="`+targets[0]+`"`), "is_connected=true")
			}
			rows := h.get("bridge", "br-int", "controller")
			before.stop()
			if c.agent != same {
				h.end()
			}
			if c.agent == empty {
				if err := os.Remove(filepath.Join(h.state, "desired-state")); err != nil {
					t.Fatal(err)
				}
			}
			after := listen(t, before.addr, c.epoch, func(c *controller) { c.reticent = true })
			if c.agent != same {
				h.start()
			}
			held := after.hello(1).ResourceVersions
			d := &nodev1.Delta{Nonce: "1", Revision: 41, Full: true, Unchanged: []string{br.Name}}
			if held[br.Name] != br.Version {
				d.Unchanged, d.Upserts = nil, []*nodev1.Resource{br}
			}
			if c.has {
				d.Connected = []string{"br-int"}
			}
			after.delta(d)
			after.await("ack 1 rev 41")
			after.delta(&nodev1.Delta{Nonce: "2", Revision: 42}) // what comes after the decision, if need be after the repair
			after.await("ack 2 rev 42")
			if anew := h.get("bridge", "br-int", "controller") != rows; anew != c.anew {
				t.Errorf("the bridge was made to connect: %v, want %v", anew, c.anew)
			}
			after.silent("notice")
		})
	}
}
