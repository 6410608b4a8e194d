package hostsync

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
	"github.com/weft-sdn/weft/test/fakeagent"
)

// What a host must be told may be more than fits into one message. The first one must name every namespace, so that the
// agent removes none that is to stay.
func TestMuchIsSaidInSeveralDeltas(t *testing.T) {
	c := start(t)
	c.networkHost("network1", "10.0.0.3")
	const machines = 150 // of 64 KiB each: more than maxDelta
	var net *model.Network
	c.change(func(tx *store.Tx) (err error) {
		if net, err = tx.CreateNetwork(&model.Network{Type: model.VXLAN, AdminStateUp: true, L2Population: true}); err != nil {
			return err
		}
		cidr := netip.MustParsePrefix("10.0.0.0/16")
		// Without a gateway_ip DHCP serves metadata too.
		_, err = tx.CreateSubnet(&model.Subnet{NetworkID: net.ID, CIDR: cidr, EnableDHCP: true})
		return err
	})
	for i := range machines / 50 {
		c.change(func(tx *store.Tx) error {
			for j := range 50 {
				p := &model.Port{Meta: model.Meta{Name: fmt.Sprint(i, "-", j)}, NetworkID: net.ID, AdminStateUp: true,
					Instance: &model.Instance{UserData: bytes.Repeat([]byte("x"), 64<<10)}}
				if _, err := tx.CreatePort(p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	_, rev := c.store.Snapshot()
	c.applied(rev)

	// The agent comes anew, and holds nothing.
	old := c.hosts["network1"]
	old.die()
	delete(c.hosts, "network1")
	var first *nodev1.Delta
	agent := &fakeagent.Agent{Host: "network1", TunnelIP: "10.0.0.3", Roles: []string{model.RoleNetwork},
		BridgeMappings: map[string]string{"physnet1": "br-ex"}, OnDelta: func(d *nodev1.Delta) {
			if first == nil {
				first = d
			}
		}}
	c.add(agent)
	c.await("the agent has everything", func() bool { return c.kinds("network1")["endpoint"] == machines })
	c.applied(rev)
	if !first.Full || len(first.Upserts) == 0 {
		t.Fatalf("first Delta: full %v, %d upserts", first.Full, len(first.Upserts))
	}
	named := map[string]int{}
	for _, r := range first.Upserts {
		named[kindOf(r.Name)]++
	}
	if named["dhcp"] != 1 || named["endpoint"] == 0 || named["endpoint"] == machines {
		t.Errorf("the first Delta holds %v", named)
	}
}

// Two namespaces that want one device would take it from each other: the one of the gateway goes to the router with the Delta that
// takes it from the snat namespace, though rows may still lead there.
func TestGatewayIsGivenOverInOneDelta(t *testing.T) {
	c := newTenant(start(t))
	s, _ := c.store.Snapshot()
	home := s.Schedule(c.router.ID).Host
	deltas := make(chan *nodev1.Delta, 100)
	old := c.hosts[home]
	old.die()
	delete(c.hosts, home)
	c.add(&fakeagent.Agent{Host: home, TunnelIP: old.agent.TunnelIP, Roles: old.agent.Roles, BridgeMappings: old.agent.BridgeMappings,
		OnDelta: func(d *nodev1.Delta) { deltas <- d }})
	change := func(distributed bool) {
		c.applied(c.change(func(tx *store.Tx) error {
			r := *tx.Router(c.router.ID)
			r.Distributed = distributed
			_, err := tx.UpdateRouter(&r, 0)
			return err
		}))
	}
	c.await("the agent has everything", func() bool { return c.kinds(home)["snat"] == 1 })
	c.settle()
	change(false)
	change(true)
	router, snat := "router/"+c.router.ID, "snat/"+c.router.ID
	held := map[string]*nodev1.Resource{}
	kinds := 0
	for len(deltas) > 0 {
		d := <-deltas
		for _, name := range d.Removed {
			delete(held, name)
		}
		was := held[router].GetRouter().GetGateway() != nil
		for _, r := range d.Upserts {
			held[r.Name] = r
		}
		is := held[router].GetRouter().GetGateway() != nil
		if is && held[snat] != nil {
			t.Errorf("at revision %d both have the gateway's device", d.Revision)
		}
		if is != was {
			kinds++
		}
	}
	if kinds != 2 || held[snat] == nil {
		t.Errorf("the router changed %d times; at last the host holds %v", kinds, held)
	}
}

// A namespace that cannot be built is told of, and keeps nothing else waiting.
func TestNamespaceThatCannotBeBuilt(t *testing.T) {
	c := newTenant(start(t))
	s, _ := c.store.Snapshot()
	home := s.Schedule(c.router.ID).Host
	name := "snat/" + c.router.ID
	agent := c.hosts[home].agent
	refuse := func(why *nodev1.ResourceError) {
		if err := agent.Refuse(name, why); err != nil {
			t.Fatal(err)
		}
	}
	refuse(&nodev1.ResourceError{Resource: name, Reason: "NoPermission", Message: "iptables: not found"})
	c.await("its failure is told", func() bool {
		f := c.fleet.Host(home).Failed
		return len(f) == 1 && f[0].Object == name && f[0].Reason == "NoPermission"
	})
	c.await("people are told", func() bool { return len(c.events("ResourceFailed")) == 1 })
	lags, _ := c.fleet.lags(1 << 60)
	for _, l := range lags {
		if l.Host == home && !strings.Contains(l.Reason, "iptables: not found") {
			t.Errorf("%s: %s", home, l.Reason)
		}
	}
	// A port of another network comes all the same.
	var p *model.Port
	c.change(func(tx *store.Tx) (err error) {
		p, err = tx.CreatePort(&model.Port{NetworkID: c.b.ID, AdminStateUp: true})
		return err
	})
	c.plug(home, p)
	c.await("the port is ACTIVE", func() bool { return c.status(p.ID) == "ACTIVE" })
	refuse(nil)
	c.await("it is well again", func() bool { return len(c.fleet.Host(home).Failed) == 0 })
}
