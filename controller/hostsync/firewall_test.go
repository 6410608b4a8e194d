package hostsync

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
	"github.com/weft-sdn/weft/test/fakeagent"
)

// A firewall bridge that is to go is told so when br-int tracks what passes, and goes when br-int judges.
func TestBrIntLearnsBeforeABridgeGoes(t *testing.T) {
	c := start(t)
	var port *model.Port
	var hear atomic.Pointer[func(*nodev1.Delta)]
	brInt := c.add(&fakeagent.Agent{Host: "compute1", TunnelIP: "10.0.0.1", OnDelta: func(d *nodev1.Delta) {
		if f := hear.Load(); f != nil {
			(*f)(d)
		}
	}}).switches[view.BrInt]
	driver := func(tx *store.Tx, name string) error {
		h := *tx.Host("compute1")
		h.FirewallDriver = name
		_, err := tx.UpdateHost(&h, 0)
		return err
	}
	c.update(func(tx *store.Tx) error {
		net, err := tx.CreateNetwork(&model.Network{Type: model.VXLAN, AdminStateUp: true, PortSecurityEnabled: true})
		if err == nil {
			_, err = tx.CreateSubnet(&model.Subnet{NetworkID: net.ID, CIDR: netip.MustParsePrefix("10.0.1.0/24")})
		}
		if err == nil {
			port, err = tx.CreatePort(&model.Port{NetworkID: net.ID, AdminStateUp: true, PortSecurityEnabled: true})
		}
		if err == nil {
			err = driver(tx, model.FirewallHybrid)
		}
		return err
	})
	plug := func(firewalled bool) {
		t.Helper()
		if err := c.hosts["compute1"].agent.Plug(fakeagent.Interface{Name: "qvo" + port.ID[:11], IfaceID: port.ID, MAC: port.MAC.String(), Firewalled: firewalled}); err != nil {
			t.Fatal(err)
		}
	}
	plug(true)
	c.await("the port is ACTIVE", func() bool { return c.status(port.ID) == "ACTIVE" })
	c.settle()
	// What br-int judges the port by: nothing, everything is allowed, or its groups.
	judgedBy := func() string {
		s, _ := c.store.Snapshot()
		in := fmt.Sprintf("in_port=%d,", s.Binding(port.ID).OFPort)
		for _, f := range brInt.Flows() {
			if f.Table != 0 || !strings.Contains(f.Match.String()+",", in) {
				continue
			}
			switch actions := fmt.Sprint(f.Actions); {
			case strings.Contains(actions, "0x7fffffff->reg7"):
				return "everything"
			case strings.Contains(actions, "->reg7"):
				return "groups"
			}
		}
		return "nothing"
	}
	name := firewallName(port.ID)
	said := make(chan string, 100)
	listen := func(d *nodev1.Delta) {
		for _, r := range d.Upserts {
			if r.Name == name {
				said <- fmt.Sprintf("leaving %v, judged by %s", r.GetFirewall().GetLeaving(), judgedBy())
			}
		}
		for _, r := range d.Removed {
			if r == name {
				said <- "gone, judged by " + judgedBy()
			}
		}
	}
	next := func(want string) {
		t.Helper()
		c.await(want, func() bool { return len(said) > 0 })
		if got := <-said; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := judgedBy(); got != "nothing" {
		t.Errorf("behind its bridge it is judged by %s", got)
	}
	hear.Store(&listen)
	c.update(func(tx *store.Tx) error { return driver(tx, model.FirewallOpenFlow) })
	next("leaving true, judged by everything")
	plug(false)
	next("gone, judged by groups")
	c.settle()
	if len(said) > 0 {
		t.Errorf("and then: %s", <-said)
	}
}
