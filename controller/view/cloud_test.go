package view

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// cloud is a state that tests fill by the names of things.
type cloud struct {
	t  testing.TB
	db *state.DB
}

func newCloud(t testing.TB) *cloud {
	t.Helper()
	db, err := state.New()
	if err != nil {
		t.Fatal(err)
	}
	return &cloud{t, db}
}

// change commits what f does and returns both sides of it.
func (c *cloud) change(f func(put func(state.Kind, any), del func(state.Kind, string))) (before, after state.Snapshot, changes []state.Change) {
	c.t.Helper()
	before = c.db.Snapshot()
	txn := c.db.Begin()
	f(func(k state.Kind, o any) {
		if err := txn.Put(k, o); err != nil {
			c.t.Fatal(err)
		}
	}, func(k state.Kind, key string) {
		if err := txn.Delete(k, key); err != nil {
			c.t.Fatal(err)
		}
	})
	changes = txn.Changes()
	txn.Commit()
	return before, c.db.Snapshot(), changes
}

func (c *cloud) put(k state.Kind, o any) {
	c.t.Helper()
	c.change(func(put func(state.Kind, any), _ func(state.Kind, string)) { put(k, o) })
}

func mac(last byte) model.MAC { return model.MAC{0xfa, 0x16, 0x3e, 0, 0, last} }

// host adds hostN with tunnel address 10.0.0.N and the port numbers given.
func (c *cloud) host(n byte, ports map[string]uint32) {
	c.t.Helper()
	name := fmt.Sprintf("host%d", n)
	c.put(state.Hosts, &model.Host{Meta: model.Meta{ID: name}, Number: uint16(n), DVRMAC: model.MAC{0xfa, 0x16, 0x3f, 0, 0, n}})
	c.put(state.HostFacts, &model.HostFacts{
		Host: name, TunnelIP: netip.AddrFrom4([4]byte{10, 0, 0, n}),
		BridgeMappings: map[string]string{"physnet1": "br-ex"}, Ports: ports,
	})
}

func (c *cloud) network(id, typ string, segment uint32, l2pop bool) {
	c.t.Helper()
	n := &model.Network{Meta: model.Meta{ID: id}, AdminStateUp: true, Type: typ, SegmentID: segment, L2Population: l2pop}
	if !model.Tunnelled(typ) {
		n.PhysicalNetwork = "physnet1"
	}
	c.put(state.Networks, n)
}

// carry gives the network a local VLAN on the host.
func (c *cloud) carry(host, network string, vlan uint16) {
	c.t.Helper()
	c.put(state.LocalVLANs, &model.LocalVLAN{Host: host, NetworkID: network, VLAN: vlan})
}

func (c *cloud) bind(id, network, host string, n byte, ofport uint32) {
	c.t.Helper()
	c.put(state.Ports, &model.Port{
		Meta: model.Meta{ID: id}, NetworkID: network, MAC: mac(n), AdminStateUp: true,
		FixedIPs: []model.FixedIP{{SubnetID: "s-" + network, IP: netip.AddrFrom4([4]byte{10, 1, 0, n})}},
	})
	c.put(state.Bindings, &model.Binding{PortID: id, NetworkID: network, Host: host, Interface: "tap-" + id, OFPort: ofport})
}

// sight is all that a part of a host comes to.
type sight struct {
	Host      Host
	AnswersND bool
	PatchInt  uint32
	Peers     []Peer
	Tunnel    Tunnel
	Network   Network
	Flood     []uint32
	Local     LocalPort
	Remote    RemotePort
	Resources Resources
}

func look(s state.Snapshot, host string, p Part) sight {
	h, ok := ForHost(s, host)
	if !ok {
		return sight{}
	}
	out := sight{Resources: PartResources(s, host, p), AnswersND: h.AnswersND}
	switch p.Kind {
	case TunnelPart, NetworkPart:
		out.AnswersND = false
	}
	switch p.Kind {
	case HostPart:
		out.Host, out.Peers = h, Peers(s, host)
		// What these hold is seen in the parts that use them.
		out.Host.mappings, out.Host.ports, out.Host.TunnelIP = nil, nil, netip.Addr{}
	case TunnelPart:
		out.Tunnel, _ = ForTunnel(s, h, p.ID)
	case NetworkPart:
		if n, ok := ForNetwork(s, h, p.ID); ok {
			out.Network, out.Flood = n, Flood(s, h, p.ID)
			if n.Learn {
				out.PatchInt = h.PatchInt
			}
		}
	case PortPart:
		n, l, r := ForPort(s, h, p.ID)
		out.Network = n
		// A port's rows have nothing to do with the physical bridge.
		out.Network.Physical = Physical{}
		if l != nil {
			out.Local = *l
		}
		if r != nil {
			out.Remote = *r
		}
	}
	return out
}

// nothing says whether a part comes to nothing.
func (s sight) nothing() bool {
	return s.Host.Name == "" && s.Tunnel.Name == "" && s.Network.ID == ""
}
