package viewtest

import (
	"fmt"
	"net/netip"

	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Walk draws random changes in a small cloud, so that things meet. It makes histories that the store would not allow too:
// what is derived from a state must not rely on the store's order of events.
type Walk struct {
	T *rapid.T
	// Ports are the names of ports that hosts may report.
	Ports []string
}

// Hosts are the hosts that a walk deals with.
func (Walk) Hosts() []string { return []string{"h1", "h2", "h3"} }

// Tell spells changes out, for the message of a failure.
func Tell(cs []state.Change) (out string) {
	for _, c := range cs {
		out += fmt.Sprintf("\n  %s %s: %+v -> %+v", c.Kind, c.Key, c.Old, c.New)
	}
	return out
}

func (w Walk) one(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(w.T, label)
}

func (w Walk) n(label string, most int) int { return rapid.IntRange(0, most).Draw(w.T, label) }

func (w Walk) bool(label string) bool { return rapid.Bool().Draw(w.T, label) }

func (w Walk) addr() netip.Addr {
	return netip.MustParseAddr(w.one("address", "10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"))
}

// Step makes one change.
func (w Walk) Step(tx Tx) {
	host := w.one("host", w.Hosts()...)
	network := w.one("network", "n1", "n2", "n3")
	port := w.port()
	gone := w.n("gone", 3) == 0
	switch kind := w.one("kind", "host", "facts", "network", "port", "binding", "vlan", "vlan", "binding", "router", "router", "security", "security", "qos", "qos"); {
	case kind == "qos":
		w.qosStep(tx, network, gone)
	case kind == "security":
		w.securityStep(tx, network, gone)
	case kind == "router":
		w.routerStep(tx, host, network, gone)
	case kind == "host" && gone:
		tx.Delete(state.Hosts, host)
	case kind == "host":
		tx.Put(w.host(host))
	case kind == "facts" && gone:
		tx.Delete(state.HostFacts, host)
	case kind == "facts":
		tx.Put(w.facts(host))
	case kind == "network" && gone:
		tx.Delete(state.Networks, network)
	case kind == "network":
		tx.Put(&model.Network{
			Meta: model.Meta{ID: network}, Type: w.one("type", "vxlan", "vxlan", "gre", "vlan", "flat"), PhysicalNetwork: "physnet1",
			SegmentID: uint32(w.n("segment", 2)), L2Population: w.n("learns", 3) != 0, AdminStateUp: w.n("down", 3) != 0,
			MTU: 1450 + w.n("mtu", 1),
		})
	case kind == "port" && gone:
		tx.Delete(state.Ports, port)
	case kind == "port":
		tx.Put(w.portOf(port, network))
	case kind == "binding" && gone:
		tx.Delete(state.Bindings, port)
	case kind == "binding":
		tx.Put(&model.Binding{PortID: port, NetworkID: network, Host: host, OFPort: uint32(w.n("ofport", 3)), Interface: w.one("interface", "tap", "qvo"), Firewalled: w.bool("firewalled")})
	case gone:
		tx.Delete(state.LocalVLANs, host+"/"+network)
	default:
		tx.Put(&model.LocalVLAN{Host: host, NetworkID: network, VLAN: uint16(1 + w.n("vlan", 2))})
	}
}

func (w Walk) host(id string) *model.Host {
	o := &model.Host{Meta: model.Meta{ID: id}, Number: uint16(w.n("number", 3)), DVRMAC: DVRMAC(byte(w.n("dvr mac", 3)))}
	if w.bool("override") {
		o.TunnelIP = w.addr()
		o.BridgeMappings = map[string]string{"physnet1": w.one("bridge", "br-ex", "br-prov", "br-int")}
	}
	return o
}

func (w Walk) facts(host string) *model.HostFacts {
	f := &model.HostFacts{Host: host, TunnelIP: w.addr(), Ports: map[string]uint32{}}
	if w.bool("userspace") {
		f.DatapathType = "netdev"
	}
	if w.bool("mapped") {
		f.BridgeMappings = map[string]string{"physnet1": "br-ex"}
	}
	for i, name := range w.Ports {
		if w.bool(name) {
			f.Ports[name] = uint32(i + 1 + 10*w.n("renumbered", 1))
		}
	}
	return f
}
