package hostsync

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/store"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
	"github.com/weft-sdn/weft/test/fakeagent"
)

// tenant is a distributed router with a gateway between two subnets, a VM on each of two hosts, and two network hosts.
type tenant struct {
	*cloud
	ext, a, b *model.Network
	router    *model.Router
	pa, pb    *model.Port
}

func (c *cloud) networkHost(name, tunnelIP string) *simHost {
	c.t.Helper()
	return c.add(&fakeagent.Agent{Host: name, TunnelIP: tunnelIP, Roles: []string{model.RoleNetwork}, BridgeMappings: map[string]string{"physnet1": "br-ex"}})
}

func newTenant(c *cloud) *tenant {
	c.t.Helper()
	n := &tenant{cloud: c}
	c.add(&fakeagent.Agent{Host: "compute1", TunnelIP: "10.0.0.1", Describe: func(namespace string) *nodev1.Answer {
		if namespace == "qrouter-y" {
			return &nodev1.Answer{Error: "cannot be looked at"}
		}
		return &nodev1.Answer{Lines: []*nodev1.NamespaceLine{{Section: "rule", Text: "0: from all lookup local", State: "ok"}}}
	}})
	c.host("compute2", "10.0.0.2")
	c.networkHost("network1", "10.0.0.3")
	c.networkHost("network2", "10.0.0.4")
	subnet := func(tx *store.Tx, network *model.Network, cidr string, dhcp bool) (*model.Subnet, error) {
		p := netip.MustParsePrefix(cidr)
		return tx.CreateSubnet(&model.Subnet{NetworkID: network.ID, CIDR: p, GatewayIP: p.Addr().Next(), EnableDHCP: dhcp})
	}
	c.change(func(tx *store.Tx) (err error) {
		up := func(name string) *model.Network {
			return &model.Network{Meta: model.Meta{Name: name}, Type: model.VXLAN, AdminStateUp: true, L2Population: true}
		}
		ext := &model.Network{Meta: model.Meta{Name: "ext"}, Type: model.Flat, PhysicalNetwork: "physnet1", AdminStateUp: true, RouterExternal: true}
		if n.ext, err = tx.CreateNetwork(ext); err != nil {
			return err
		}
		if _, err = subnet(tx, n.ext, "172.24.4.0/24", false); err != nil {
			return err
		}
		if n.a, err = tx.CreateNetwork(up("a")); err != nil {
			return err
		}
		if n.b, err = tx.CreateNetwork(up("b")); err != nil {
			return err
		}
		sa, err := subnet(tx, n.a, "10.0.1.0/24", true)
		if err != nil {
			return err
		}
		sb, err := subnet(tx, n.b, "10.0.2.0/24", false)
		if err != nil {
			return err
		}
		if n.router, err = tx.CreateRouter(&model.Router{Meta: model.Meta{Name: "r1"}, AdminStateUp: true, Distributed: true,
			Gateway:    &model.ExternalGateway{NetworkID: n.ext.ID, EnableSNAT: true},
			Interfaces: []model.RouterInterface{{SubnetID: sa.ID}, {SubnetID: sb.ID}}}); err != nil {
			return err
		}
		if n.pa, err = tx.CreatePort(&model.Port{NetworkID: n.a.ID, AdminStateUp: true, Instance: &model.Instance{UserData: []byte("a's")}}); err != nil {
			return err
		}
		n.pb, err = tx.CreatePort(&model.Port{NetworkID: n.b.ID, AdminStateUp: true, Instance: &model.Instance{UserData: []byte("b's")}})
		return err
	})
	n.plug("compute1", n.pa)
	n.plug("compute2", n.pb)
	c.await("both ports are ACTIVE", func() bool { return c.status(n.pa.ID) == "ACTIVE" && c.status(n.pb.ID) == "ACTIVE" })
	_, rev := c.store.Snapshot()
	c.applied(rev)
	c.settle()
	return n
}

func (c *cloud) plug(host string, p *model.Port) {
	c.t.Helper()
	if err := c.hosts[host].agent.Plug(fakeagent.Interface{Name: "tap" + p.ID[:11], IfaceID: p.ID, MAC: p.MAC.String()}); err != nil {
		c.t.Fatal(err)
	}
}

// change is update without the wait.
func (c *cloud) change(f func(*store.Tx) error) int64 {
	c.t.Helper()
	rev, err := c.store.Update(c.ctx, f)
	if err != nil {
		c.t.Fatal(err)
	}
	return rev
}

// kinds are how many resources of each kind a host has been told of, but for those of layer 2.
func (c *cloud) kinds(host string) map[string]int {
	n := map[string]int{}
	for name := range c.hosts[host].agent.Held() {
		if k := kindOf(name); k != "bridge" && k != "tunnel" && k != "port" {
			n[k]++
		}
	}
	return n
}

func TestRoutersReachTheirHosts(t *testing.T) {
	c := newTenant(start(t))
	s, _ := c.store.Snapshot()
	home := s.Schedule(c.router.ID).Host
	other := map[string]string{"network1": "network2", "network2": "network1"}[home]

	t.Run("each host is told what it needs", func(t *testing.T) {
		for host, want := range map[string]map[string]int{
			// Neighbours: the two machines, the two ports of the snat namespace, the two of DHCP.
			"compute1": {"router": 1, "endpoint": 6},
			"compute2": {"router": 1, "endpoint": 6},
			home:       {"router": 1, "endpoint": 6, "snat": 1, "dhcp": 1},
			other:      {"router": 1, "endpoint": 6, "dhcp": 1},
		} {
			if d := cmp.Diff(want, c.kinds(host)); d != "" {
				t.Errorf("%s (-want +got):\n%s", host, d)
			}
		}
		data := func(host string, p *model.Port) string {
			return string(c.hosts[host].agent.Held()["endpoint/"+p.ID].GetEndpoint().GetInstance().GetUserData())
		}
		// Metadata is told where the machine is.
		for _, w := range []struct {
			host string
			port *model.Port
			want string
		}{{"compute1", c.pa, "a's"}, {"compute1", c.pb, ""}, {"compute2", c.pb, "b's"}, {"compute2", c.pa, ""}, {home, c.pa, ""}} {
			if got := data(w.host, w.port); got != w.want {
				t.Errorf("%s is told %q of the machine behind port %s, want %q", w.host, got, w.port.ID, w.want)
			}
		}
		r := c.hosts["compute1"].agent.Held()["router/"+c.router.ID].GetRouter()
		sg := r.GetInterfaces()[0].GetSnatAddresses()
		if !r.Distributed || len(r.Interfaces) != 2 || len(sg) != 1 || r.LinkLocal != "" || !slices.Contains(r.Interfaces[0].Device.Addresses, "10.0.1.1/24") {
			t.Errorf("compute1's copy: %v", r)
		}
	})

	t.Run("a floating IP is served where its machine is, and goes at once", func(t *testing.T) {
		var f *model.FloatingIP
		c.update(func(tx *store.Tx) (err error) {
			f, err = tx.CreateFloatingIP(&model.FloatingIP{FloatingNetworkID: c.ext.ID, PortID: c.pa.ID})
			return err
		})
		// compute1 has no bridge to the external network.
		got := c.hosts[home].agent.Held()["floatingip/"+f.ID].GetFloatingIp()
		want := &nodev1.FloatingIp{Id: f.ID, RouterId: c.router.ID, FloatingIpAddress: f.Address.String(), FixedIpAddress: c.pa.FixedIPs[0].IP.String(),
			Place: "snat", RulePriority: f.RulePriority, NetworkId: c.ext.ID}
		if got.String() != want.String() {
			t.Errorf("%s has %v, want %v", home, got, want)
		}
		c.update(func(tx *store.Tx) error { return tx.DeleteFloatingIP(f.ID, 0) })
		if h := c.hosts[home].agent.Held(); h["floatingip/"+f.ID] != nil {
			t.Error("it is still there")
		}
	})

	t.Run("a host that has what a namespace needs, but not its device, is not done", func(t *testing.T) {
		agent := c.hosts["compute2"].agent
		agent.MakeNoDevices()
		var third *model.Subnet
		rev := c.change(func(tx *store.Tx) (err error) {
			n, err := tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: "c"}, Type: model.VXLAN, AdminStateUp: true, L2Population: true})
			if err != nil {
				return err
			}
			cidr := netip.MustParsePrefix("10.0.3.0/24")
			if third, err = tx.CreateSubnet(&model.Subnet{NetworkID: n.ID, CIDR: cidr, GatewayIP: cidr.Addr().Next()}); err != nil {
				return err
			}
			_, err = tx.AddRouterInterface(c.router.ID, model.RouterInterface{SubnetID: third.ID})
			return err
		})
		waiting := func() string {
			lags, _ := c.fleet.lags(rev)
			for _, l := range lags {
				if l.Host == "compute2" {
					return l.Reason
				}
			}
			return ""
		}
		c.await("compute2 waits for the device", func() bool { return strings.HasPrefix(waiting(), "waiting for the port of tap") })
		if err := agent.MakeDevices(); err != nil {
			t.Fatal(err)
		}
		c.applied(rev)
		c.settle()
	})

	t.Run("a namespace is looked at by the agent", func(t *testing.T) {
		got, err := c.fleet.Namespace(t.Context(), "compute1", "qrouter-x")
		want := report.Namespace{Host: "compute1", Name: "qrouter-x", Lines: []report.NamespaceLine{{Section: "rule", Text: "0: from all lookup local", State: "ok"}}}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
		if _, err := c.fleet.Namespace(t.Context(), "compute1", "qrouter-y"); err == nil || !strings.Contains(err.Error(), "qrouter-y: cannot be looked at") {
			t.Errorf("one that cannot be looked at: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.fleet.Namespace(ctx, home, "snat-x"); err == nil || !strings.Contains(err.Error(), "no answer came") {
			t.Errorf("an agent that does not answer: %v", err)
		}
		if _, err := c.fleet.Namespace(t.Context(), "nobody", "snat-x"); err == nil || !strings.Contains(err.Error(), "not known") {
			t.Errorf("a host that nobody knows: %v", err)
		}
	})
}

func TestHostThatFallsSilentLosesItsRouters(t *testing.T) {
	const timeout = 1500 * time.Millisecond
	c := newTenant(start(t, func(cfg *Config) { cfg.HostTimeout = timeout }))
	s, _ := c.store.Snapshot()
	home := s.Schedule(c.router.ID).Host
	other := map[string]string{"network1": "network2", "network2": "network1"}[home]

	// Its agent alone does not make a host; nor do its switches.
	h := c.hosts[home]
	h.die()
	died := time.Now()
	c.await("the snat namespace has moved", func() bool {
		s, _ := c.store.Snapshot()
		return s.Schedule(c.router.ID).Host == other && s.HostHealth(home) != nil
	})
	if took := time.Since(died); took < SilenceLimit(timeout)/2 {
		t.Errorf("moved after %v", took)
	}
	c.await("the other host has it", func() bool { return c.kinds(other)["snat"] == 1 })
	c.await("people are told", func() bool { return len(c.events("HostDown")) == 1 && len(c.events("RouterMoved")) == 1 })
	if e := c.events("RouterMoved")[0]; e.Kind != "router" || e.ID != c.router.ID || e.Host != other || !strings.Contains(e.Message, home+" is down") {
		t.Errorf("event: %+v", e)
	}

	// Back at once, and nothing is given back.
	delete(c.hosts, home)
	c.networkHost(home, map[string]string{"network1": "10.0.0.3", "network2": "10.0.0.4"}[home])
	c.await("it is up", func() bool { s, _ := c.store.Snapshot(); return s.HostHealth(home) == nil })
	c.await("people are told", func() bool { return len(c.events("HostUp")) == 1 })
	_, rev := c.store.Snapshot()
	c.applied(rev)
	s, _ = c.store.Snapshot()
	if at := s.Schedule(c.router.ID).Host; at != other {
		t.Errorf("the snat namespace is on %s", at)
	}
	if n := len(c.events("HostDown")); n != 1 {
		t.Errorf("%d hosts were down", n)
	}
}

// A host that is drained was left at once, and nothing went out until the other one had made the namespaces.
func TestRoutersStayOnADrainedHostUntilTheOtherIsReady(t *testing.T) {
	c := newTenant(start(t))
	s, _ := c.store.Snapshot()
	home := s.Schedule(c.router.ID).Host
	other := map[string]string{"network1": "network2", "network2": "network1"}[home]
	at := func() *model.Schedule { s, _ := c.store.Snapshot(); return s.Schedule(c.router.ID) }
	agent := c.hosts[other].agent
	agent.MakeNoDevices()
	rev := c.change(func(tx *store.Tx) error {
		h := *tx.Host(home)
		h.Draining = true
		_, err := tx.UpdateHost(&h, 0)
		return err
	})
	c.await("the other host is told of the snat namespace", func() bool { return c.kinds(other)["snat"] == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if lags := c.fleet.WaitApplied(ctx, rev); !slices.ContainsFunc(lags, func(l report.Lag) bool { return l.Host == other }) {
		t.Errorf("done before the devices are there; who lags: %v", lags)
	}
	if now := at(); now.Host != home || now.Next != other || c.kinds(home)["snat"] != 1 {
		t.Errorf("before the devices are there: %+v", now)
	}
	if err := agent.MakeDevices(); err != nil {
		t.Fatal(err)
	}
	c.applied(rev)
	if now := at(); now.Host != other || now.Next != "" || c.kinds(other)["snat"] != 1 {
		t.Errorf("when all is done: %+v", now)
	}
	c.settle()
	c.await("the first one is left", func() bool { return c.kinds(home)["snat"] == 0 })
	if n, m := len(c.events("RouterMoving")), len(c.events("RouterMoved")); n != 1 || m != 1 {
		t.Errorf("told %d and %d times", n, m)
	}
}
