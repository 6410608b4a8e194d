package store

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// world is an external network with one subnet, two tenant networks with one subnet each, and a machine on each.
type world struct {
	*Store
	ext, blue, red          *model.Network
	extNet, blueNet, redNet *model.Subnet
	vm, vm2                 *model.Port
}

const (
	outside = "203.0.113.0/24"
	blues   = "10.0.1.0/24"
	reds    = "10.0.2.0/24"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{Store: newStore(t)}
	w.ext, w.extNet = w.external(t, "ext", "physnet1", outside)
	w.blue, w.red = network(t, w.Store, "blue"), network(t, w.Store, "red")
	w.blueNet, w.redNet = w.subnet(t, w.blue, "blues", blues), w.subnet(t, w.red, "reds", reds)
	w.vm = port(t, w.Store, &model.Port{Meta: model.Meta{Name: "vm"}, NetworkID: w.blue.ID, FixedIPs: fixed("10.0.1.5")})
	w.vm2 = port(t, w.Store, &model.Port{Meta: model.Meta{Name: "vm2"}, NetworkID: w.red.ID, FixedIPs: fixed("10.0.2.5")})
	return w
}

func (w *world) external(t testing.TB, name, physnet, cidr string) (*model.Network, *model.Subnet) {
	t.Helper()
	n := made(t, w.Store, func(tx *Tx) (*model.Network, error) {
		return tx.CreateNetwork(&model.Network{Meta: model.Meta{Name: name}, Type: model.Flat, PhysicalNetwork: physnet, RouterExternal: true})
	})
	return n, w.subnet(t, n, name+"net", cidr)
}

func (w *world) subnet(t testing.TB, n *model.Network, name, cidr string) *model.Subnet {
	t.Helper()
	p := netip.MustParsePrefix(cidr)
	return made(t, w.Store, func(tx *Tx) (*model.Subnet, error) {
		return tx.CreateSubnet(&model.Subnet{Meta: model.Meta{Name: name}, NetworkID: n.ID, CIDR: p, GatewayIP: model.DefaultGateway(p)})
	})
}

// netHost is a network host with a bridge for physnet1.
func (w *world) host(t testing.TB, name string, roles ...string) {
	t.Helper()
	update(t, w.Store, func(tx *Tx) error {
		if _, err := tx.EnsureHost(name); err != nil {
			return err
		}
		return tx.ReportHost(&model.HostFacts{Host: name, Roles: roles, BridgeMappings: map[string]string{"physnet1": "br-ex"}})
	})
}

// router makes a router that has its gateway on the external network and an interface on each of the subnets.
func (w *world) router(t testing.TB, name string, distributed bool, subnets ...*model.Subnet) *model.Router {
	t.Helper()
	r := &model.Router{Meta: model.Meta{Name: name}, AdminStateUp: true, Distributed: distributed, Gateway: &model.ExternalGateway{NetworkID: w.ext.ID, EnableSNAT: true}}
	for _, s := range subnets {
		r.Interfaces = append(r.Interfaces, model.RouterInterface{SubnetID: s.ID})
	}
	return made(t, w.Store, func(tx *Tx) (*model.Router, error) { return tx.CreateRouter(r) })
}

func (w *world) change(t testing.TB, r *model.Router, change func(*model.Router)) *model.Router {
	t.Helper()
	return made(t, w.Store, func(tx *Tx) (*model.Router, error) { return tx.UpdateRouter(changed(tx.Router(r.ID), change), 0) })
}

func changed(r *model.Router, change func(*model.Router)) *model.Router {
	c := cloneRouter(r)
	change(c)
	return c
}

func (w *world) floating(t testing.TB, p *model.Port) *model.FloatingIP {
	t.Helper()
	f := &model.FloatingIP{FloatingNetworkID: w.ext.ID}
	if p != nil {
		f.PortID = p.ID
	}
	return made(t, w.Store, func(tx *Tx) (*model.FloatingIP, error) { return tx.CreateFloatingIP(f) })
}

func (w *world) forward(t testing.TB, f *model.FloatingIP, port uint16, to *model.Port) *model.PortForwarding {
	t.Helper()
	return made(t, w.Store, func(tx *Tx) (*model.PortForwarding, error) {
		return tx.CreatePortForwarding(&model.PortForwarding{
			FloatingIPID: f.ID, Protocol: model.TCP, External: model.PortRange{First: port, Last: port},
			InternalPortID: to.ID, Internal: model.PortRange{First: 80, Last: 80},
		})
	})
}

func (w *world) now() state.Snapshot {
	snap, _ := w.Snapshot()
	return snap
}

// own lists the ports of a device that are Weft's: owner, network, addresses and host.
func (w *world) own(device string) (out []string) {
	snap := w.now()
	for _, n := range []*model.Network{w.ext, w.blue, w.red} {
		for p := range snap.PortsOf(n.ID) {
			if p.DeviceID == device && model.OwnedByWeft(p.DeviceOwner) {
				out = append(out, strings.TrimSpace(fmt.Sprint(strings.TrimPrefix(p.DeviceOwner, "network:"), " ", n.Name, " ", strings.Join(ips(p), ","), " ", p.BindingHostID)))
			}
		}
	}
	return out
}

func (w *world) owns(t *testing.T, what, device string, want ...string) {
	t.Helper()
	got := w.own(device)
	less := func(a, b string) bool { return a < b }
	if d := cmp.Diff(want, got, sorted(less)); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
	invariants(t, w.now())
}
