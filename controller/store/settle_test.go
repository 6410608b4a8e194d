package store

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// places tells where everything is: routers and networks by name, with the hosts they are on.
func places(s *Store) map[string]string {
	snap, _ := s.Snapshot()
	out := map[string]string{}
	for r := range snap.Routers() {
		if sc := snap.Schedule(r.ID); sc != nil {
			at := sc.Host
			if sc.Next != "" {
				at += ", then " + sc.Next
			}
			out[r.Name] = at + ": " + sc.Reason
		}
		var on []string
		for h := range snap.RouterHostsOf(r.ID) {
			on = append(on, h.Host)
		}
		if len(on) > 0 {
			slices.Sort(on)
			out[r.Name+" on"] = fmt.Sprint(on)
		}
	}
	for n := range snap.Networks() {
		var on []string
		for _, owner := range []string{model.OwnerDHCP, model.OwnerFIPGateway} {
			for p := range snap.PortsOwned(n.ID, owner) {
				on = append(on, p.BindingHostID)
			}
		}
		if len(on) > 0 {
			slices.Sort(on)
			out[n.Name] = fmt.Sprint(on)
		}
	}
	return out
}

func (w *world) are(t *testing.T, when string, want map[string]string) {
	t.Helper()
	if d := cmp.Diff(want, places(w.Store)); d != "" {
		t.Errorf("%s (-want +got):\n%s", when, d)
	}
	invariants(t, w.now())
}

// plug makes an interface of the port appear on the host.
func (w *world) plug(t testing.TB, p *model.Port, host string) {
	t.Helper()
	report(t, w.Store, host, false, nil, tap("tap"+p.ID[:11], 7, p.ID))
}

func (w *world) unplug(t testing.TB, p *model.Port, host string) {
	t.Helper()
	report(t, w.Store, host, false, []string{"tap" + p.ID[:11]})
}

func (w *world) setHost(t testing.TB, name string, change func(*model.Host)) {
	t.Helper()
	update(t, w.Store, func(tx *Tx) error {
		h := cloneHost(tx.Host(name))
		change(h)
		_, err := tx.UpdateHost(h, 0)
		return err
	})
}

func (w *world) down(t testing.TB, host string, down bool) {
	t.Helper()
	update(t, w.Store, func(tx *Tx) error { return tx.SetHostDown(host, down) })
}

func TestRoutersAreScheduled(t *testing.T) {
	w := newWorld(t)
	a := w.router(t, "a", false, w.blueNet)
	w.are(t, "no network host", m{})
	w.host(t, "cmp1", model.RoleCompute)
	w.are(t, "a compute host is none", m{})
	w.host(t, "net1", model.RoleNetwork)
	w.are(t, "the first one takes what waits", m{"a": "net1: the only network host that is fit"})
	w.host(t, "net2", model.RoleCompute, model.RoleNetwork)
	b, c := w.router(t, "b", false), w.router(t, "c", true, w.redNet)
	w.are(t, "the others by load", m{
		"a": "net1: the only network host that is fit", "b": "net2: least loaded of 2 network hosts",
		"c": "net1: least loaded of 2 network hosts", "c on": "[net1]",
	})
	w.owns(t, "ports are where their router is", c.ID, "router_gateway ext 203.0.113.4 net1", "router_interface_distributed red 10.0.2.1", "router_centralized_snat red 10.0.2.2 net1")

	w.setHost(t, "net1", func(h *model.Host) { h.Draining = true })
	w.are(t, "drained: they stay until the other host is ready", m{
		"a": "net1, then net2: the only network host that is fit", "b": "net2: least loaded of 2 network hosts",
		"c": "net1, then net2: least loaded of 2 network hosts", "c on": "[net1 net2]",
	})
	w.owns(t, "and so do their ports", a.ID, "router_gateway ext 203.0.113.2 net1", "router_interface blue 10.0.1.1 net1")
	w.setHost(t, "net1", func(h *model.Host) { h.Draining = false })
	w.are(t, "drained no more: they stay", m{
		"a": "net1: the only network host that is fit", "b": "net2: least loaded of 2 network hosts",
		"c": "net1: least loaded of 2 network hosts", "c on": "[net1]",
	})
	w.setHost(t, "net1", func(h *model.Host) { h.Draining = true })
	w.down(t, "net2", true)
	w.are(t, "the other host dies: they stay where they are", m{
		"a": "net1: the only network host that is fit", "b": "net2: least loaded of 2 network hosts",
		"c": "net1: least loaded of 2 network hosts", "c on": "[net1]",
	})
	w.down(t, "net2", false)
	update(t, w.Store, func(tx *Tx) error {
		tx.Prepared("net1", []string{a.ID})
		tx.Prepared("net2", []string{a.ID, b.ID, "gone"})
		return nil
	})
	w.are(t, "one is ready", m{
		"a": "net2: moved: net1 is draining", "b": "net2: least loaded of 2 network hosts",
		"c": "net1, then net2: least loaded of 2 network hosts", "c on": "[net1 net2]",
	})
	w.down(t, "net1", true)
	w.are(t, "who is dead is not waited for", m{
		"a": "net2: moved: net1 is draining", "b": "net2: least loaded of 2 network hosts",
		"c": "net2: moved: net1 is draining", "c on": "[net2]",
	})
	w.down(t, "net1", false)
	moved := m{"a": "net2: moved: net1 is draining", "b": "net2: least loaded of 2 network hosts", "c": "net2: moved: net1 is draining", "c on": "[net2]"}
	w.are(t, "who is back gets nothing back", moved)
	w.owns(t, "ports follow", a.ID, "router_gateway ext 203.0.113.2 net2", "router_interface blue 10.0.1.1 net2")
	w.setHost(t, "net1", func(h *model.Host) { h.Draining = false })
	w.are(t, "who comes back gets nothing back", moved)
	w.down(t, "net2", true)
	moved = m{"a": "net1: moved: net2 is down", "b": "net1: moved: net2 is down", "c": "net1: moved: net2 is down", "c on": "[net1]"}
	w.are(t, "down", moved)
	w.down(t, "net1", true)
	w.are(t, "both are down: it stays", moved)
	w.down(t, "net2", false)
	moved = m{"a": "net2: moved: net1 is down", "b": "net2: moved: net1 is down", "c": "net2: moved: net1 is down", "c on": "[net2]"}
	w.are(t, "the other one is back, this one is not", moved)
	w.down(t, "net1", false)
	if w.now().Len(state.HostHealths) != 0 {
		t.Error("hosts that are up have a record of their health")
	}
	w.setHost(t, "net2", func(h *model.Host) { h.BridgeMappings = map[string]string{"physnet9": "br-9"} })
	w.are(t, "no bridge to the external network", m{
		"a": "net1: moved: net2 has no bridge for physical network physnet1", "b": "net1: moved: net2 has no bridge for physical network physnet1",
		"c": "net1: moved: net2 has no bridge for physical network physnet1", "c on": "[net1]",
	})
	inside := w.subnet(t, network(t, w.Store, "n"), "n", "10.7.0.0/24")
	d := made(t, w.Store, func(tx *Tx) (*model.Router, error) {
		return tx.CreateRouter(&model.Router{Meta: model.Meta{Name: "d"}, Interfaces: []model.RouterInterface{{SubnetID: inside.ID}}})
	})
	if s := w.now().Schedule(d.ID); s == nil || s.Host != "net2" {
		t.Errorf("a router without gateway needs no bridge: %+v", s)
	}
	w.change(t, d, func(r *model.Router) { r.Gateway = &model.ExternalGateway{NetworkID: w.ext.ID} })
	if s := w.now().Schedule(d.ID); s.Host != "net1" || s.Reason != "moved: net2 has no bridge for physical network physnet1" {
		t.Errorf("with a gateway it does: %+v", s)
	}
	w.setHost(t, "net1", func(h *model.Host) { h.Roles = []string{model.RoleCompute} })
	if s := w.now().Schedule(a.ID); s.Host != "net1" {
		t.Errorf("no host is fit, but it moved: %+v", s)
	}
	update(t, w.Store, func(tx *Tx) error { return tx.DeleteHost("net1", 0) })
	if s := w.now().Schedule(a.ID); s != nil {
		t.Errorf("it is on a host that is gone: %+v", s)
	}
	w.owns(t, "nowhere", b.ID, "router_gateway ext 203.0.113.3")
	w.setHost(t, "net2", func(h *model.Host) { h.BridgeMappings = nil })
	for _, r := range []*model.Router{a, b, c, d} {
		if s := w.now().Schedule(r.ID); s == nil || s.Host != "net2" || s.Reason != "the only network host that is fit" {
			t.Errorf("%s: %+v", r.Name, s)
		}
	}
	invariants(t, w.now())
	refused[*ErrNotFound](t, w.Store, func(tx *Tx) error { return tx.SetHostDown("net9", true) }, `host "net9" does not exist`)
}

// A provider network of the tenants must lead to the host as well.
func TestRouterNeedsBridgesOfItsInterfaces(t *testing.T) {
	w := newWorld(t)
	w.host(t, "net1", model.RoleNetwork)
	vlan := made(t, w.Store, func(tx *Tx) (*model.Network, error) {
		return tx.CreateNetwork(&model.Network{Type: model.VLAN, PhysicalNetwork: "physnet2", SegmentID: 7})
	})
	r := w.router(t, "r", false, w.subnet(t, vlan, "v", "10.7.0.0/24"))
	if s := w.now().Schedule(r.ID); s != nil {
		t.Errorf("%+v", s)
	}
	w.setHost(t, "net1", func(h *model.Host) {
		h.BridgeMappings = map[string]string{"physnet1": "br-ex", "physnet2": "br-2"}
	})
	w.are(t, "mapped", m{"r": "net1: the only network host that is fit"})
}

func TestDistributedRoutersAreWhereTheyAreNeeded(t *testing.T) {
	w := newWorld(t)
	for _, h := range []string{"h1", "h2", "h3"} {
		w.host(t, h, model.RoleCompute)
	}
	w.host(t, "net1", model.RoleNetwork)
	r := w.router(t, "r", true, w.blueNet, w.redNet)
	const at = "net1: the only network host that is fit"
	w.are(t, "only where its centralised part is", m{"r": at, "r on": "[net1]"})
	w.plug(t, w.vm, "h1")
	w.plug(t, w.vm2, "h2")
	w.are(t, "where machines are", m{"r": at, "r on": "[h1 h2 net1]"})
	if w.now().LocalVLAN("h1", w.red.ID) == nil || w.now().LocalVLAN("h3", w.red.ID) != nil {
		t.Error("h1 must have a VLAN for red, which the router leads to, and h3 none")
	}
	vlan := *w.now().LocalVLAN("h1", w.red.ID)
	red := port(t, w.Store, named(w.red, "red on h1"))
	w.plug(t, red, "h1")
	w.unplug(t, w.vm, "h1")
	if got := w.now().LocalVLAN("h1", w.red.ID); got == nil || *got != vlan {
		t.Errorf("VLAN %+v, want %+v, which it had for the router", got, vlan)
	}
	w.are(t, "another machine needs it", m{"r": at, "r on": "[h1 h2 net1]"})
	w.unplug(t, red, "h1")
	w.are(t, "nobody does", m{"r": at, "r on": "[h2 net1]"})

	// Two in a row: what comes from a third network goes through both of them on the host where it begins.
	green := network(t, w.Store, "green")
	greens := w.subnet(t, green, "greens", "10.0.3.0/24")
	vm3 := port(t, w.Store, named(green, "vm3"))
	w.plug(t, vm3, "h3")
	leg := port(t, w.Store, &model.Port{NetworkID: w.red.ID, FixedIPs: fixed("10.0.2.254")})
	next := made(t, w.Store, func(tx *Tx) (*model.Router, error) {
		return tx.CreateRouter(&model.Router{
			Meta: model.Meta{Name: "next"}, AdminStateUp: true, Distributed: true,
			Interfaces: []model.RouterInterface{{PortID: leg.ID}, {SubnetID: greens.ID}},
		})
	})
	w.are(t, "a router behind the router", m{"r": at, "r on": "[h2 h3 net1]", "next on": "[h2 h3 net1]"})
	w.change(t, next, func(r *model.Router) { r.AdminStateUp = false })
	w.are(t, "it is down, and leads nowhere", m{"r": at, "r on": "[h2 net1]"})
	w.change(t, next, func(r *model.Router) { r.AdminStateUp = true })
	update(t, w.Store, func(tx *Tx) error {
		_, err := tx.RemoveRouterInterface(r.ID, model.RouterInterface{SubnetID: w.redNet.ID})
		return err
	})
	w.are(t, "they share no network any more", m{"r": at, "r on": "[net1]", "next on": "[h2 h3]"})
	w.change(t, r, func(r *model.Router) { r.Distributed = false })
	w.are(t, "centralised", m{"r": at, "next on": "[h2 h3]"})
	links := map[uint16]bool{}
	for h := range w.now().RouterHostsOn("h2") {
		links[h.LinkLocal] = true
	}
	w.change(t, r, func(r *model.Router) {
		r.Distributed, r.Interfaces = true, append(r.Interfaces, model.RouterInterface{SubnetID: w.redNet.ID})
	})
	w.are(t, "all again", m{"r": at, "r on": "[h2 h3 net1]", "next on": "[h2 h3 net1]"})
	for h := range w.now().RouterHostsOn("h2") {
		links[h.LinkLocal] = true
	}
	if want := []uint16{0, 1}; !slices.Equal(slices.Sorted(maps.Keys(links)), want) {
		t.Errorf("link-local numbers %v, want %v", links, want)
	}
}

// Weft's own ports are bound to the host that was chosen, or not at all; agents that restart report them like any other.
func TestBindingOfOwnPorts(t *testing.T) {
	w := newWorld(t)
	w.host(t, "net1", model.RoleNetwork)
	w.host(t, "net2", model.RoleNetwork)
	r := w.router(t, "r", true, w.blueNet)
	snap := w.now()
	gateway, leg := snap.Port(r.Gateway.PortID), snap.Port(r.Interfaces[0].PortID)
	for _, h := range []string{"net1", "net2"} {
		w.plug(t, gateway, h)
		w.plug(t, leg, h)
		report(t, w.Store, h, false, nil, model.Interface{Name: "vm", OFPort: 9, AttachedMAC: leg.MAC.String()})
	}
	check := func(when, host string) {
		t.Helper()
		if b := w.now().Binding(gateway.ID); b == nil || b.Host != host {
			t.Errorf("%s: the gateway is bound %+v, want to %s", when, b, host)
		}
		if b := w.now().Binding(leg.ID); b != nil {
			t.Errorf("%s: the distributed interface is bound: %+v", when, b)
		}
		invariants(t, w.now())
	}
	check("both hosts have them", "net1")
	update(t, w.Store, func(tx *Tx) error {
		return tx.SetPortState(&model.PortState{PortID: gateway.ID, Status: model.PortActive, Host: "net1"})
	})
	_, before := w.Snapshot()
	w.plug(t, gateway, "net1")
	if _, after := w.Snapshot(); after != before {
		t.Error("the agent's report after a restart wrote something")
	}
	w.down(t, "net1", true)
	check("moved", "net2")
	if w.now().PortState(gateway.ID) != nil {
		t.Error("the state of the former host is left")
	}
	w.unplug(t, gateway, "net2")
	if b := w.now().Binding(gateway.ID); b != nil {
		t.Errorf("it is bound where it is not to be: %+v", b)
	}
}

func TestFIPGateways(t *testing.T) {
	w := newWorld(t)
	for _, h := range []string{"h1", "h2"} {
		w.host(t, h, model.RoleCompute)
	}
	w.host(t, "net1", model.RoleNetwork)
	r := w.router(t, "r", true, w.blueNet)
	f := w.floating(t, w.vm)
	const at = "net1: the only network host that is fit"
	w.are(t, "its port is nowhere", m{"r": at, "r on": "[net1]"})
	w.plug(t, w.vm, "h1")
	w.are(t, "plugged in", m{"r": at, "r on": "[h1 net1]", "ext": "[h1]"})
	w.owns(t, "the host's port", "h1", "floatingip_agent_gateway ext 203.0.113.4 h1")
	other := port(t, w.Store, named(w.blue, "other"))
	w.plug(t, other, "h1")
	second := w.floating(t, other)
	w.owns(t, "one port for all of them", "h1", "floatingip_agent_gateway ext 203.0.113.4 h1")
	w.unplug(t, w.vm, "h1")
	w.plug(t, w.vm, "h2")
	w.are(t, "moved to another host", m{"r": at, "r on": "[h1 h2 net1]", "ext": "[h1 h2]"})
	w.associate(t, second, "")
	w.are(t, "disassociated", m{"r": at, "r on": "[h1 h2 net1]", "ext": "[h2]"})
	w.setHost(t, "h2", func(h *model.Host) { h.BridgeMappings = map[string]string{"physnet9": "br-9"} })
	w.are(t, "no bridge: it is served with the centralised part", m{"r": at, "r on": "[h1 h2 net1]"})
	w.setHost(t, "h2", func(h *model.Host) { h.BridgeMappings = nil })
	w.change(t, r, func(r *model.Router) { r.AdminStateUp = false })
	w.are(t, "the router is down", m{"r": at})
	w.change(t, r, func(r *model.Router) { r.AdminStateUp, r.Distributed = true, false })
	w.are(t, "centralised", m{"r": at})
	w.change(t, r, func(r *model.Router) { r.Distributed = true })
	w.are(t, "and distributed again", m{"r": at, "r on": "[h1 h2 net1]", "ext": "[h2]"})
	// A host with nothing but its own part of the floating IPs can go.
	refused[*ErrInUse](t, w.Store, func(tx *Tx) error { return tx.DeleteHost("h2", 0) }, fmt.Sprintf("host h2 is in use by %s", ref(w.vm)))
	update(t, w.Store, func(tx *Tx) error { return tx.DeletePort(w.vm.ID, 0) })
	w.are(t, "the machine is gone", m{"r": at, "r on": "[h1 net1]"})
	update(t, w.Store, func(tx *Tx) error { return tx.DeleteFloatingIP(f.ID, 0) })
}

// Without an address left, a host has no port on the external network; it gets one as soon as one is given back.
func TestAddressesThatBecomeFree(t *testing.T) {
	w := newWorld(t)
	w.host(t, "h1", model.RoleCompute)
	tiny, tinyNet := w.external(t, "tiny", "physnet2", "198.51.100.0/29")
	w.setHost(t, "h1", func(h *model.Host) {
		h.BridgeMappings = map[string]string{"physnet1": "br-ex", "physnet2": "br-2"}
	})
	w.ext, w.extNet = tiny, tinyNet
	w.router(t, "r", true, w.blueNet)
	w.plug(t, w.vm, "h1")
	var spare []*model.FloatingIP
	for range 3 {
		spare = append(spare, w.floating(t, nil))
	}
	w.floating(t, w.vm)
	w.are(t, "none left", m{"r on": "[h1]"})
	refused[*ErrExhausted](t, w.Store, create((*Tx).CreateFloatingIP, &model.FloatingIP{FloatingNetworkID: tiny.ID}),
		fmt.Sprintf("floating_ip_address: no address is left in the allocation pools of %s: delete ports, enlarge the pools or add a subnet", ref(tinyNet)))
	refused[*ErrExhausted](t, w.Store, create((*Tx).CreateRouter, &model.Router{Gateway: &model.ExternalGateway{NetworkID: tiny.ID}}),
		fmt.Sprintf("external_gateway_info.external_fixed_ips: no address is left in the allocation pools of %s: delete ports, enlarge the pools or add a subnet", ref(tinyNet)))
	update(t, w.Store, func(tx *Tx) error { return tx.DeleteFloatingIP(spare[0].ID, 0) })
	w.are(t, "one was given back", m{"r on": "[h1]", "tiny": "[h1]"})

	// The same for DHCP, and for the addresses that a gateway needs inside.
	w.host(t, "net1", model.RoleNetwork)
	small := network(t, w.Store, "small")
	p := netip.MustParsePrefix("10.6.0.0/30")
	sn := made(t, w.Store, func(tx *Tx) (*model.Subnet, error) {
		return tx.CreateSubnet(&model.Subnet{Meta: model.Meta{Name: "smalls"}, NetworkID: small.ID, CIDR: p, GatewayIP: model.DefaultGateway(p)})
	})
	vm := port(t, w.Store, named(small, "vm"))
	c := *sn
	c.EnableDHCP = true
	update(t, w.Store, replace((*Tx).UpdateSubnet, &c, 0))
	w.are(t, "no address for DHCP", m{"r on": "[h1]", "tiny": "[h1]"})
	refused[*ErrExhausted](t, w.Store, create((*Tx).CreateRouter, &model.Router{
		Distributed: true, Gateway: &model.ExternalGateway{NetworkID: w.now().NetworkBySegment(model.Flat, "physnet1", 0).ID}, Interfaces: []model.RouterInterface{{SubnetID: sn.ID}},
	}), fmt.Sprintf("external_gateway_info: the gateway of a distributed router needs an address of its own on every subnet: no address is left in the allocation pools of %s: delete ports or enlarge the pools", ref(sn)))
	update(t, w.Store, func(tx *Tx) error { return tx.DeletePort(vm.ID, 0) })
	w.are(t, "DHCP has it", m{"r on": "[h1]", "tiny": "[h1]", "small": "[net1]"})
}

func TestDHCPPorts(t *testing.T) {
	w := newWorld(t)
	serve := func(s *model.Subnet, on bool) {
		t.Helper()
		update(t, w.Store, func(tx *Tx) error {
			c := cloneSubnet(tx.Subnet(s.ID))
			c.EnableDHCP = on
			_, err := tx.UpdateSubnet(c, 0)
			return err
		})
	}
	serve(w.blueNet, true)
	w.are(t, "no network host", m{})
	w.host(t, "net2", model.RoleNetwork)
	w.are(t, "the first", m{"blue": "[net2]"})
	w.host(t, "net1", model.RoleNetwork)
	w.host(t, "net3", model.RoleNetwork)
	w.are(t, "two are enough", m{"blue": "[net1 net2]"})
	serve(w.redNet, true)
	w.are(t, "the least loaded", m{"blue": "[net1 net2]", "red": "[net1 net3]"})
	w.owns(t, "each with an address", w.blue.ID, "dhcp blue 10.0.1.2 net2", "dhcp blue 10.0.1.3 net1")
	more := w.subnet(t, w.blue, "more", "10.0.9.0/24")
	serve(more, true)
	w.owns(t, "on every subnet", w.blue.ID, "dhcp blue 10.0.1.2,10.0.9.2 net2", "dhcp blue 10.0.1.3,10.0.9.3 net1")
	// Who is asked to go takes the address along: machines know their server by it.
	w.setHost(t, "net2", func(h *model.Host) { h.Draining = true })
	w.owns(t, "drained", w.blue.ID, "dhcp blue 10.0.1.2,10.0.9.2 net3", "dhcp blue 10.0.1.3,10.0.9.3 net1")
	w.down(t, "net1", true)
	w.are(t, "nowhere to go", m{"blue": "[net1 net3]", "red": "[net1 net3]"})
	w.setHost(t, "net2", func(h *model.Host) { h.Draining = false })
	w.are(t, "now there is", m{"blue": "[net2 net3]", "red": "[net2 net3]"})
	w.down(t, "net1", false)
	w.are(t, "who comes back gets nothing back", m{"blue": "[net2 net3]", "red": "[net2 net3]"})
	update(t, w.Store, func(tx *Tx) error { return tx.DeleteHost("net3", 0) })
	w.are(t, "a host is gone", m{"blue": "[net1 net2]", "red": "[net1 net2]"})
	serve(w.redNet, false)
	w.are(t, "switched off", m{"blue": "[net1 net2]"})

	// Its ports hold nobody up, but people cannot take them away, nor make some.
	var p *model.Port
	for p = range w.now().PortsOwned(w.blue.ID, model.OwnerDHCP) {
		break
	}
	refused[*ErrInUse](t, w.Store, func(tx *Tx) error { return tx.DeletePort(p.ID, 0) }, fmt.Sprintf("port %s is in use by %s", p.ID, ref(w.blue)))
	refused[*model.Invalid](t, w.Store, create((*Tx).CreatePort, &model.Port{NetworkID: w.blue.ID, DeviceOwner: model.OwnerDHCP}),
		"device_owner: network:dhcp is for ports that Weft makes itself; choose another, or leave it empty")
	c := *w.vm
	c.DeviceOwner = model.OwnerRouterGateway
	refused[*model.Invalid](t, w.Store, replace((*Tx).UpdatePort, &c, 0),
		"device_owner: network:router_gateway is for ports that Weft makes itself; choose another, or leave it empty")
	update(t, w.Store, func(tx *Tx) error { return tx.DeleteSubnet(more.ID, 0) })
	w.owns(t, "one subnet less", w.blue.ID, "dhcp blue 10.0.1.2 net1", "dhcp blue 10.0.1.3 net2")
	update(t, w.Store, func(tx *Tx) error {
		if err := tx.DeletePort(w.vm.ID, 0); err != nil {
			return err
		}
		if err := tx.DeleteSubnet(w.blueNet.ID, 0); err != nil {
			return err
		}
		return tx.DeleteNetwork(w.blue.ID, 0)
	})
	w.are(t, "all in one transaction", m{})
}

func TestDHCPNeedsABridge(t *testing.T) {
	w := newWorld(t)
	w.host(t, "net1", model.RoleNetwork)
	vlan := made(t, w.Store, func(tx *Tx) (*model.Network, error) {
		return tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: "vlan"}, Type: model.VLAN, PhysicalNetwork: "physnet2", SegmentID: 7})
	})
	made(t, w.Store, func(tx *Tx) (*model.Subnet, error) {
		return tx.CreateSubnet(&model.Subnet{NetworkID: vlan.ID, CIDR: netip.MustParsePrefix("10.7.0.0/24"), EnableDHCP: true})
	})
	w.are(t, "not mapped", m{})
	w.setHost(t, "net1", func(h *model.Host) { h.BridgeMappings = map[string]string{"physnet2": "br-2"} })
	w.are(t, "mapped", m{"vlan": "[net1]"})
}
