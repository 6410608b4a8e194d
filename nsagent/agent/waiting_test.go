package agent

import (
	"testing"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// An interface that nobody has bound yet is kept out of all VLANs, by an agent that was started anew too, and its port gets its
// VLAN when it is bound.
func TestAnInterfaceThatWaitsIsDeadUntilItIsBound(t *testing.T) {
	c := listen(t, "", 1)
	h := newHost(t, c)
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 1, Full: true, Upserts: three()})
	c.await("ack 1 rev 1")
	h.plug("tap1", "p1")
	tag := func(want string) {
		t.Helper()
		h.Await("tag "+want, func() bool { return h.get("port", "tap1", "tag") == want })
	}
	tag("4095")
	h.Vsctl("clear", "port", "tap1", "tag")
	tag("4095")
	c.await("notice DriftRepaired interface/tap1: tap1 had no tag, and is bound to nothing yet; it is right again")
	c.delta(&nodev1.Delta{Nonce: "2", Revision: 2, Upserts: []*nodev1.Resource{port("p1", "tap1", 7, 0)}})
	c.await("ack 2 rev 2")
	tag("7")

	// Started anew, without what was on disk, and without a controller: what is bound stays, what waits is dead.
	h.end()
	c.stop()
	h.plug("tap2", "p2")
	h.state = t.TempDir()
	h.configure(c)
	h.start()
	h.Await("the agent to have looked", func() bool { return h.agent.seen.Load() != nil })
	tag("7")
	c = listen(t, c.addr, 2)
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 2, Full: true, Upserts: append(three(), port("p1", "tap1", 7, 0))})
	c.await("ack 1 rev 2")
	tag("7")
	h.Await("tap2 dead", func() bool { return h.get("port", "tap2", "tag") == "4095" })
}
