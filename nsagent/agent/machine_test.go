package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/weft-sdn/weft/nsagent/plan"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// The outer end of a firewall bridge goes with its machine, and does not come back without it: what a controller asks for next is
// answered at once, and does not wait for the bridge.
func TestAMachineThatIsGoneIsNotWaitedFor(t *testing.T) {
	const id, network = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "0a4be645-5b2c-4d3e-8f60-718293a4b5c6"
	tap, outer := plan.Tap(id), plan.OuterOf(id)
	c := listen(t, "", 1)
	h := newHost(t, c)
	h.cfg.ApplyTimeout = time.Minute
	run(t, "ip", "link", "add", tap, "type", "veth", "peer", "name", "guest")
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 1, Full: true, Upserts: three()})
	c.await("ack 1 rev 1")
	h.plug(tap, id)
	c.delta(&nodev1.Delta{Nonce: "2", Revision: 2, Upserts: []*nodev1.Resource{port(id, tap, 7, 0), {Name: "firewall/" + id, Version: "1",
		Spec: &nodev1.Resource_Firewall{Firewall: &nodev1.PortFirewall{PortId: id, Interface: tap, MacAddress: "fa:16:3e:00:00:01", NetworkId: network, Mtu: 1450, Vlan: 7}}}}})
	plugged := func() bool { return strings.Contains(h.Vsctl("list-ports", "br-int"), outer) }
	h.Await("the bridge to be on br-int", plugged)
	c.delta(&nodev1.Delta{Nonce: "3", Revision: 3, Upserts: []*nodev1.Resource{port(id, outer, 7, 0)}})
	c.await("ack 3 rev 3")
	run(t, "ip", "link", "del", tap)
	h.Await("the bridge to be gone from br-int", func() bool { return !plugged() })
	c.delta(&nodev1.Delta{Nonce: "4", Revision: 4, Upserts: []*nodev1.Resource{tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21")}})
	c.await("nack 4 rev 4\n  port/" + id + "|interface|InterfaceMissing|no interface " + outer + " is on br-int")
	c.delta(&nodev1.Delta{Nonce: "5", Revision: 5, Removed: []string{"port/" + id, "firewall/" + id}})
	c.await("ack 5 rev 5")
}
