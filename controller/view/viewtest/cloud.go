// Package viewtest fills states for tests: clouds by the names of things, and random walks through everything that can
// happen to one.
package viewtest

import (
	"fmt"
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// T is what of testing.TB is needed.
type T interface {
	Helper()
	Fatal(args ...any)
}

// Cloud is a state that a test fills.
type Cloud struct {
	t  T
	db *state.DB
}

// New makes an empty cloud.
func New(t T) *Cloud {
	t.Helper()
	db := state.New()
	return &Cloud{t, db}
}

// Snapshot takes the state as it is now.
func (c *Cloud) Snapshot() state.Snapshot { return c.db.Snapshot() }

// Tx is a change being made.
type Tx struct {
	t   T
	txn *state.Txn
}

// Put adds or replaces objects.
func (tx Tx) Put(objects ...any) {
	tx.t.Helper()
	for _, o := range objects {
		if err := tx.txn.Put(kindOf(o), o); err != nil {
			tx.t.Fatal(err)
		}
	}
}

// Delete removes an object.
func (tx Tx) Delete(k state.Kind, key string) {
	tx.t.Helper()
	if err := tx.txn.Delete(k, key); err != nil {
		tx.t.Fatal(err)
	}
}

func kindOf(o any) state.Kind {
	switch o.(type) {
	case *model.Network:
		return state.Networks
	case *model.Port:
		return state.Ports
	case *model.Host:
		return state.Hosts
	case *model.HostFacts:
		return state.HostFacts
	case *model.Binding:
		return state.Bindings
	case *model.LocalVLAN:
		return state.LocalVLANs
	case *model.Subnet:
		return state.Subnets
	case *model.Interface:
		return state.Interfaces
	case *model.Router:
		return state.Routers
	case *model.RouterHost:
		return state.RouterHosts
	case *model.Schedule:
		return state.Schedules
	case *model.FloatingIP:
		return state.FloatingIPs
	case *model.PortForwarding:
		return state.PortForwardings
	case *model.HostHealth:
		return state.HostHealths
	case *model.SwitchFacts:
		return state.SwitchFacts
	case *model.QoSPolicy:
		return state.QoSPolicies
	case *model.PortState:
		return state.PortStates
	}
	if k, ok := securityKind(o); ok {
		return k
	}
	panic(fmt.Sprintf("viewtest: no kind for a %T", o))
}

// Change commits what f does, and returns both sides of it and the changes between them.
func (c *Cloud) Change(f func(Tx)) (before, after state.Snapshot, changes []state.Change) {
	c.t.Helper()
	before = c.db.Snapshot()
	tx := Tx{c.t, c.db.Begin()}
	f(tx)
	changes = tx.txn.Changes()
	tx.txn.Commit()
	return before, c.db.Snapshot(), changes
}

// Put adds or replaces objects.
func (c *Cloud) Put(objects ...any) {
	c.t.Helper()
	c.Change(func(tx Tx) { tx.Put(objects...) })
}

// MAC is fa:16:3e:00:00:<last>.
func MAC(last byte) model.MAC { return model.MAC{0xfa, 0x16, 0x3e, 0, 0, last} }

// DVRMAC is fa:16:3f:00:00:<n>, that of host<n>.
func DVRMAC(n byte) model.MAC { return model.MAC{0xfa, 0x16, 0x3f, 0, 0, n} }

// Host adds host<n>: its number is n, its tunnel address 10.0.0.<n>, its datapath netdev, its bridge to physnet1 br-ex.
// It has reported the port numbers given.
func (c *Cloud) Host(n byte, ports map[string]uint32) {
	c.t.Helper()
	name := fmt.Sprintf("host%d", n)
	c.Put(&model.Host{Meta: model.Meta{ID: name}, Number: uint16(n), DVRMAC: DVRMAC(n)}, &model.HostFacts{
		Host: name, TunnelIP: netip.AddrFrom4([4]byte{10, 0, 0, n}), DatapathType: "netdev",
		BridgeMappings: map[string]string{"physnet1": "br-ex"}, Ports: ports,
	})
}

// Network adds a network that is up. Of type vlan or flat, it is on physnet1.
func (c *Cloud) Network(id, typ string, segment uint32, l2pop bool) {
	c.t.Helper()
	n := &model.Network{Meta: model.Meta{ID: id}, AdminStateUp: true, Type: typ, SegmentID: segment, L2Population: l2pop}
	if !model.Tunnelled(typ) {
		n.PhysicalNetwork = "physnet1"
	}
	c.Put(n)
}

// Carry gives the network a local VLAN on the host.
func (c *Cloud) Carry(host, network string, vlan uint16) {
	c.t.Helper()
	c.Put(&model.LocalVLAN{Host: host, NetworkID: network, VLAN: vlan})
}

// Bind adds a port that is up and bound to the host. Its addresses are of the subnets that Subnets adds. Its MAC is MAC(n), and its interface tap-<id>.
func (c *Cloud) Bind(id, network, host string, n byte, ofport uint32, ips ...string) {
	c.t.Helper()
	p := &model.Port{Meta: model.Meta{ID: id}, NetworkID: network, MAC: MAC(n), AdminStateUp: true, FixedIPs: fixed(network, ips)}
	c.Put(p, &model.Binding{PortID: id, NetworkID: network, Host: host, Interface: "tap-" + id, OFPort: ofport})
}
