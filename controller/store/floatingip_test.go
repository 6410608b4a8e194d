package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

func (w *world) associate(t testing.TB, f *model.FloatingIP, port string) *model.FloatingIP {
	t.Helper()
	c := *f
	c.PortID = port
	return made(t, w.Store, func(tx *Tx) (*model.FloatingIP, error) { return tx.UpdateFloatingIP(&c, 0) })
}

func TestFloatingIPMoves(t *testing.T) {
	w := newWorld(t)
	r1 := w.router(t, "r1", true, w.blueNet)
	r2 := w.router(t, "r2", false, w.redNet)
	f := w.floating(t, w.vm)
	if f.RouterID != r1.ID || f.FixedIP.String() != "10.0.1.5" || f.RulePriority != 32768 || f.SubnetID != w.extNet.ID || f.Address.String() != "203.0.113.4" {
		t.Errorf("%+v", *f)
	}
	w.owns(t, "its port", f.ID, "floatingip ext 203.0.113.4")
	other := w.floating(t, port(t, w.Store, named(w.blue, "other")))
	if other.RulePriority != 32769 {
		t.Errorf("rule %d, want 32769", other.RulePriority)
	}
	same := w.associate(t, f, w.vm.ID)
	if same.Generation != f.Generation {
		t.Error("the same again changed it")
	}
	f = w.associate(t, f, w.vm2.ID)
	if f.RouterID != r2.ID || f.FixedIP.String() != "10.0.2.5" || f.RulePriority != 32768 {
		t.Errorf("moved to another port and router: %+v", *f)
	}
	f = w.associate(t, f, "")
	if f.RouterID != "" || f.FixedIP.IsValid() || f.RulePriority != 0 || f.PortID != "" {
		t.Errorf("disassociated: %+v", *f)
	}
	f = w.associate(t, f, w.vm.ID)
	if f.RouterID != r1.ID || f.RulePriority != 32770 {
		t.Errorf("back, behind the rule given out last: %+v", *f)
	}
	update(t, w.Store, func(tx *Tx) error { return tx.DeletePort(w.vm.ID, 0) })
	if f = w.now().FloatingIP(f.ID); f.PortID != "" || f.RouterID != "" || f.RulePriority != 0 || !f.Address.IsValid() {
		t.Errorf("after its port is gone: %+v", *f)
	}
	invariants(t, w.now())
	update(t, w.Store, func(tx *Tx) error { return tx.DeleteFloatingIP(f.ID, 0) })
	w.owns(t, "deleted", f.ID)
}

func TestFloatingIPOfOneOfSeveralAddresses(t *testing.T) {
	w := newWorld(t)
	w.router(t, "r1", true, w.blueNet)
	p := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "many"}, NetworkID: w.blue.ID, FixedIPs: fixed("10.0.1.50", "10.0.1.51")})
	f := &model.FloatingIP{FloatingNetworkID: w.ext.ID, PortID: p.ID}
	refused[*model.Invalid](t, w.Store, create((*Tx).CreateFloatingIP, f),
		fmt.Sprintf("fixed_ip_address: is missing: %s has several IPv4 addresses (10.0.1.50, 10.0.1.51); choose one", ref(p)))
	f.FixedIP = netip.MustParseAddr("10.0.1.51")
	one := made(t, w.Store, func(tx *Tx) (*model.FloatingIP, error) { return tx.CreateFloatingIP(f) })
	taken := refused[*ErrAlreadyExists](t, w.Store, create((*Tx).CreateFloatingIP, f), fmt.Sprintf("fixed_ip_address: 10.0.1.51 is taken by %s", ref(one)))
	if taken.By.Name != one.Address.String() {
		t.Errorf("%+v", taken)
	}
	f.FixedIP = netip.MustParseAddr("10.0.1.50")
	two := made(t, w.Store, func(tx *Tx) (*model.FloatingIP, error) { return tx.CreateFloatingIP(f) })
	c := *p
	c.FixedIPs = p.FixedIPs[:1]
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdatePort, &c, 0),
		fmt.Sprintf("fixed_ips: %s stands for 10.0.1.51: disassociate it first", ref(one)))
	moved := *two
	moved.FixedIP = one.FixedIP
	refused[*ErrAlreadyExists](t, w.Store, replace((*Tx).UpdateFloatingIP, &moved, 0), fmt.Sprintf("fixed_ip_address: 10.0.1.51 is taken by %s", ref(one)))
	update(t, w.Store, func(tx *Tx) error { return tx.DeleteFloatingIP(one.ID, 0) })
	got := made(t, w.Store, func(tx *Tx) (*model.FloatingIP, error) { return tx.UpdateFloatingIP(&moved, 0) })
	if got.FixedIP != moved.FixedIP || got.RulePriority != two.RulePriority {
		t.Errorf("to another address of the port: %+v, before %+v", *got, *two)
	}
}

func TestFloatingIPRefusals(t *testing.T) {
	w := newWorld(t)
	r := w.router(t, "r1", true, w.blueNet)
	six := w.subnet(t, w.ext, "six", "fd00:1::/64")
	only6 := network(t, w.Store, "only6")
	w.subnet(t, only6, "only6net", "fd00:2::/64")
	vm6 := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "vm6"}, NetworkID: only6.ID})
	ext6, _ := w.external(t, "ext6", "physnet2", "fd00:3::/64")
	out := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "out"}, NetworkID: w.ext.ID, FixedIPs: fixed("203.0.113.200")})
	f := w.floating(t, w.vm)
	shared := w.floating(t, nil)
	vm3 := port(t, w.Store, named(w.blue, "vm3"))
	pf := w.forward(t, shared, 8080, vm3)
	addr := netip.MustParseAddr
	for name, c := range map[string]struct {
		f    model.FloatingIP
		want []string
	}{
		"nothing":  {model.FloatingIP{}, []string{"floating_network_id: is missing; name an external network"}},
		"nowhere":  {model.FloatingIP{FloatingNetworkID: uid(9)}, []string{fmt.Sprintf("floating_network_id: network %q does not exist", uid(9))}},
		"inside":   {model.FloatingIP{FloatingNetworkID: w.blue.ID}, []string{fmt.Sprintf("floating_network_id: %s is not external: set router_external on it, or choose another", ref(w.blue))}},
		"only six": {model.FloatingIP{FloatingNetworkID: ext6.ID}, []string{fmt.Sprintf("floating_network_id: %s has no IPv4 subnet to take the address from: create one first", ref(ext6))}},
		"outside": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, Address: addr("198.51.100.7")},
			[]string{fmt.Sprintf("floating_ip_address: 198.51.100.7 is outside %s (203.0.113.0/24)", ref(w.ext))},
		},
		"outside the subnet": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, SubnetID: w.extNet.ID, Address: addr("198.51.100.7")},
			[]string{fmt.Sprintf("floating_ip_address: 198.51.100.7 is outside %s (203.0.113.0/24)", ref(w.extNet))},
		},
		"IPv6": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, Address: addr("fd00:1::7"), PortID: w.vm.ID, FixedIP: addr("fd00::9")},
			[]string{
				"floating_ip_address: fd00:1::7 is IPv6, which is not translated; give an IPv4 address",
				"fixed_ip_address: fd00::9 is IPv6, which is not translated; give an IPv4 address",
			},
		},
		"IPv6 subnet":      {model.FloatingIP{FloatingNetworkID: w.ext.ID, SubnetID: six.ID}, []string{fmt.Sprintf("subnet_id: %s is IPv6, which is not translated; choose an IPv4 subnet", ref(six))}},
		"another's subnet": {model.FloatingIP{FloatingNetworkID: w.ext.ID, SubnetID: w.blueNet.ID}, []string{fmt.Sprintf("subnet_id: %s is not on %s", ref(w.blueNet), ref(w.ext))}},
		"no subnet":        {model.FloatingIP{FloatingNetworkID: w.ext.ID, SubnetID: uid(9)}, []string{fmt.Sprintf("subnet_id: subnet %q does not exist", uid(9))}},
		"broadcast": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, Address: addr("203.0.113.255")},
			[]string{"floating_ip_address: 203.0.113.255 is the broadcast address of 203.0.113.0/24; choose one of 203.0.113.1-203.0.113.254"},
		},
		"gateway": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, Address: addr("203.0.113.1")},
			[]string{fmt.Sprintf("floating_ip_address: 203.0.113.1 is the gateway_ip of %s, which is the next router's; choose another", ref(w.extNet))},
		},
		"the router's": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, Address: r.Gateway.FixedIPs[0].IP},
			[]string{fmt.Sprintf("floating_ip_address: 203.0.113.2 is taken by %s", ref(r))},
		},
		"another floating IP's": {model.FloatingIP{FloatingNetworkID: w.ext.ID, Address: f.Address}, []string{fmt.Sprintf("floating_ip_address: %s is taken by %s", f.Address, ref(f))}},
		"a port's":              {model.FloatingIP{FloatingNetworkID: w.ext.ID, Address: addr("203.0.113.200")}, []string{"floating_ip_address: 203.0.113.200 is taken by " + ref(out)}},
		"address without port": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, FixedIP: addr("10.0.1.5")},
			[]string{"fixed_ip_address: 10.0.1.5 is given without port_id; give the port that has it"},
		},
		"no port": {model.FloatingIP{FloatingNetworkID: w.ext.ID, PortID: uid(9)}, []string{fmt.Sprintf("port_id: port %q does not exist", uid(9))}},
		"a router's port": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, PortID: r.Interfaces[0].PortID},
			[]string{fmt.Sprintf("port_id: port %s was made for %s; give the port of a machine", r.Interfaces[0].PortID, ref(r))},
		},
		"a port without IPv4": {model.FloatingIP{FloatingNetworkID: w.ext.ID, PortID: vm6.ID}, []string{fmt.Sprintf("port_id: %s has no IPv4 address; give it one first", ref(vm6))}},
		"not its address": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, PortID: w.vm.ID, FixedIP: addr("10.0.1.99")},
			[]string{fmt.Sprintf("fixed_ip_address: 10.0.1.99 is no address of %s (10.0.1.5)", ref(w.vm))},
		},
		"no router between": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, PortID: w.vm2.ID},
			[]string{fmt.Sprintf("port_id: no router is between 10.0.2.5 of %s and %s: connect a router that has its gateway there with %s", ref(w.vm2), ref(w.ext), ref(w.redNet))},
		},
		"has one already": {model.FloatingIP{FloatingNetworkID: w.ext.ID, PortID: w.vm.ID}, []string{fmt.Sprintf("fixed_ip_address: 10.0.1.5 is taken by %s", ref(f))}},
		"has port forwardings": {
			model.FloatingIP{FloatingNetworkID: w.ext.ID, PortID: vm3.ID},
			[]string{fmt.Sprintf("fixed_ip_address: %s leads to %s: delete it first, for an answer takes the way of the floating IP", ref(pf), vm3.FixedIPs[0].IP)},
		},
		"id taken": {
			model.FloatingIP{Meta: model.Meta{ID: f.ID}, FloatingNetworkID: w.ext.ID},
			[]string{fmt.Sprintf("metadata.id: %s is taken by %s", f.ID, ref(f))},
		},
	} {
		t.Run(name, func(t *testing.T) { tryRefused(t, w.Store, create((*Tx).CreateFloatingIP, &c.f), c.want...) })
	}
	c := *f
	c.FloatingNetworkID, c.SubnetID, c.Address = ext6.ID, six.ID, addr("203.0.113.9")
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdateFloatingIP, &c, 0),
		fmt.Sprintf("floating_network_id: is %s and cannot be changed", w.ext.ID),
		fmt.Sprintf("subnet_id: is %s and cannot be changed", w.extNet.ID),
		fmt.Sprintf("floating_ip_address: is %s and cannot be changed", f.Address),
		fmt.Sprintf("port_id: no router is between 10.0.1.5 of %s and %s: connect a router that has its gateway there with %s", ref(w.vm), ref(ext6), ref(w.blueNet)))
	s := *shared
	s.PortID = w.vm2.ID
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdateFloatingIP, &s, 0),
		fmt.Sprintf("port_id: %s leads from the floating IP: delete it first, or associate another floating IP", ref(pf)))
	s.PortID, s.Name = "", "shared"
	got := made(t, w.Store, func(tx *Tx) (*model.FloatingIP, error) { return tx.UpdateFloatingIP(&s, 0) })
	if got.RouterID != r.ID {
		t.Errorf("a new name took the router away: %+v", *got)
	}
}

func TestPortForwardings(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.router(t, "r1", true, w.blueNet), w.router(t, "r2", true, w.redNet)
	f, associated := w.floating(t, nil), w.floating(t, w.vm)
	vm3 := port(t, w.Store, named(w.blue, "vm3"))
	two := port(t, w.Store, &model.Port{Meta: model.Meta{Name: "two"}, NetworkID: w.blue.ID, FixedIPs: fixed("10.0.1.50", "10.0.1.51")})
	pf := w.forward(t, f, 8080, vm3)
	if pf.InternalIP != vm3.FixedIPs[0].IP || w.now().FloatingIP(f.ID).RouterID != r1.ID || w.now().FloatingIP(f.ID).RulePriority != 0 {
		t.Errorf("%+v of %+v", *pf, *w.now().FloatingIP(f.ID))
	}
	f = w.now().FloatingIP(f.ID)
	span := func(first, last uint16) model.PortRange { return model.PortRange{First: first, Last: last} }
	base := model.PortForwarding{FloatingIPID: f.ID, Protocol: model.TCP, External: span(80, 80), Internal: span(80, 80), InternalPortID: vm3.ID}
	with := func(change func(*model.PortForwarding)) *model.PortForwarding {
		c := base
		change(&c)
		return &c
	}
	for name, c := range map[string]struct {
		pf   *model.PortForwarding
		want []string
	}{
		"nothing": {&model.PortForwarding{}, []string{
			"floatingip_id: is missing", `protocol: "" cannot be forwarded; choose tcp or udp`, "internal_port_id: is missing",
			"external_port: is missing; give 1..65535", "internal_port: is missing; give 1..65535",
		}},
		"ranges": {with(func(p *model.PortForwarding) { p.External, p.Internal = span(0, 9), span(9, 1) }), []string{
			"external_port_range: 0:9 begins with port 0; give 1..65535", "internal_port_range: 9:1 is reversed; write 1:9",
		}},
		"lengths": {with(func(p *model.PortForwarding) { p.External, p.Internal = span(80, 89), span(80, 88) }), []string{
			"internal_port_range: 80:88 has 9 ports, but 80:89 has 10; give one port, or as many",
		}},
		"used port": {with(func(p *model.PortForwarding) { p.External = span(8080, 8080) }), []string{
			fmt.Sprintf("external_port: tcp port 8080 of %s is taken by %s", f.Address, ref(pf)),
		}},
		"used range": {with(func(p *model.PortForwarding) { p.External, p.Internal = span(8000, 8099), span(1, 100) }), []string{
			fmt.Sprintf("external_port_range: tcp port 8000:8099 of %s is taken by %s", f.Address, ref(pf)),
		}},
		"no floating IP": {with(func(p *model.PortForwarding) { p.FloatingIPID = uid(9) }), []string{fmt.Sprintf("floatingip_id: floatingip %q does not exist", uid(9))}},
		"associated": {with(func(p *model.PortForwarding) { p.FloatingIPID = associated.ID }), []string{
			fmt.Sprintf("floatingip_id: %s is associated with %s: disassociate it first, or use another", ref(associated), ref(w.vm)),
		}},
		"to a port with a floating IP": {with(func(p *model.PortForwarding) { p.InternalPortID = w.vm.ID }), []string{
			fmt.Sprintf("internal_ip_address: %s stands for 10.0.1.5: disassociate it first, for an answer takes the way of the floating IP", ref(associated)),
		}},
		"no port":           {with(func(p *model.PortForwarding) { p.InternalPortID = uid(9) }), []string{fmt.Sprintf("internal_port_id: port %q does not exist", uid(9))}},
		"several addresses": {with(func(p *model.PortForwarding) { p.InternalPortID = two.ID }), []string{fmt.Sprintf("internal_ip_address: is missing: %s has several IPv4 addresses (10.0.1.50, 10.0.1.51); choose one", ref(two))}},
		"not its address": {with(func(p *model.PortForwarding) { p.InternalIP = netip.MustParseAddr("10.0.1.99") }), []string{
			fmt.Sprintf("internal_ip_address: 10.0.1.99 is no address of %s (%s)", ref(vm3), vm3.FixedIPs[0].IP),
		}},
		"another router": {with(func(p *model.PortForwarding) { p.InternalPortID = w.vm2.ID }), []string{
			fmt.Sprintf("internal_port_id: 10.0.2.5 of %s is reached by %s, but the other port forwardings of %s go through %s: use another floating IP", ref(w.vm2), ref(r2), ref(f), ref(r1)),
		}},
	} {
		t.Run(name, func(t *testing.T) { tryRefused(t, w.Store, create((*Tx).CreatePortForwarding, c.pf), c.want...) })
	}
	// The same number in the other protocol is another port; many may lead to one.
	udp := made(t, w.Store, func(tx *Tx) (*model.PortForwarding, error) {
		return tx.CreatePortForwarding(with(func(p *model.PortForwarding) {
			p.Protocol, p.External, p.InternalPortID, p.InternalIP = model.UDP, span(8080, 8089), two.ID, netip.MustParseAddr("10.0.1.51")
		}))
	})
	c := *two
	c.FixedIPs = two.FixedIPs[:1]
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdatePort, &c, 0), fmt.Sprintf("fixed_ips: %s leads to 10.0.1.51: delete it first", ref(udp)))
	moved := *udp
	moved.InternalPortID, moved.FloatingIPID = vm3.ID, associated.ID
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdatePortForwarding, &moved, 0), fmt.Sprintf("floatingip_id: is %s and cannot be changed", f.ID))
	moved.FloatingIPID = f.ID
	got := made(t, w.Store, func(tx *Tx) (*model.PortForwarding, error) { return tx.UpdatePortForwarding(&moved, udp.Revision) })
	if got.InternalIP != vm3.FixedIPs[0].IP {
		t.Errorf("moved to another port: %+v", *got)
	}
	invariants(t, w.now())
	update(t, w.Store, func(tx *Tx) error { return tx.DeletePort(vm3.ID, 0) })
	if w.now().Len(state.PortForwardings) != 0 || w.now().FloatingIP(f.ID).RouterID != "" {
		t.Errorf("after the port is gone: %d port forwardings, router %q", w.now().Len(state.PortForwardings), w.now().FloatingIP(f.ID).RouterID)
	}
	// With all of them gone another router may serve the floating IP.
	w.forward(t, f, 22, w.vm2)
	if got := w.now().FloatingIP(f.ID).RouterID; got != r2.ID {
		t.Errorf("router %s, want %s", got, r2.ID)
	}
}

// The router that a subnet's machines use as their gateway is the one that sees their answers.
func TestRouterBetween(t *testing.T) {
	w := newWorld(t)
	leg := port(t, w.Store, &model.Port{NetworkID: w.blue.ID, FixedIPs: fixed("10.0.1.254")})
	side := made(t, w.Store, func(tx *Tx) (*model.Router, error) {
		return tx.CreateRouter(&model.Router{AdminStateUp: true, Gateway: &model.ExternalGateway{NetworkID: w.ext.ID}, Interfaces: []model.RouterInterface{{PortID: leg.ID}}})
	})
	first := w.floating(t, w.vm)
	if first.RouterID != side.ID {
		t.Errorf("router %s, want the only one %s", first.RouterID, side.ID)
	}
	r := w.router(t, "r1", true, w.blueNet)
	if f := w.floating(t, port(t, w.Store, named(w.blue, "other"))); f.RouterID != r.ID {
		t.Errorf("router %s, want the gateway %s", f.RouterID, r.ID)
	}
	if f := w.associate(t, first, port(t, w.Store, named(w.blue, "third")).ID); f.RouterID != side.ID {
		t.Errorf("router %s, want %s, where it was", f.RouterID, side.ID)
	}
}

func TestManyCallersNeverGetTheSameFloatingIP(t *testing.T) {
	w := newWorld(t)
	r := w.router(t, "r1", true, w.blueNet)
	const callers, each, pool = 32, 10, 252
	var mu sync.Mutex
	exhausted := 0
	var g errgroup.Group
	for range callers {
		g.Go(func() error {
			for range each {
				_, err := w.Update(context.Background(), func(tx *Tx) error {
					p, err := tx.CreatePort(&model.Port{NetworkID: w.blue.ID})
					if err != nil {
						return err
					}
					_, err = tx.CreateFloatingIP(&model.FloatingIP{FloatingNetworkID: w.ext.ID, PortID: p.ID})
					return err
				})
				var none *ErrExhausted
				if errors.As(err, &none) {
					mu.Lock()
					exhausted++
					mu.Unlock()
				} else if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	invariants(t, w.now())
	rules := map[uint32]bool{}
	for f := range w.now().FloatingIPsOfRouter(r.ID) {
		rules[f.RulePriority] = true
	}
	// Machines find their addresses exhausted before floating IPs do, or the other way round.
	if n := w.now().Len(state.FloatingIPs); n < pool-10 || len(rules) != n || n+exhausted != callers*each {
		t.Errorf("%d floating IPs with %d rules, %d refused", n, len(rules), exhausted)
	}
}
