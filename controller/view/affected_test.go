package view

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

func names(hosts map[string]PartSet) map[string][]string {
	out := map[string][]string{}
	for h, ps := range hosts {
		for _, p := range ps.Sorted() {
			out[h] = append(out[h], p.String())
		}
	}
	return out
}

func TestChangesConcernOnlyWhomTheyConcern(t *testing.T) {
	type (
		put = func(state.Kind, any)
		del = func(state.Kind, string)
	)
	for _, c := range []struct {
		name string
		do   func(s state.Snapshot, put put, del del)
		want map[string][]string
	}{
		{"a port bound on host2 in a network that host1 does not carry", func(s state.Snapshot, put put, _ del) {
			put(state.Ports, &model.Port{Meta: model.Meta{ID: "blue9"}, NetworkID: "blue", MAC: mac(9), AdminStateUp: true})
			put(state.Bindings, &model.Binding{PortID: "blue9", NetworkID: "blue", Host: "host2", OFPort: 20})
		}, map[string][]string{"host2": {"port/blue9"}, "host3": {"port/blue9"}}},
		{"a port that is bound nowhere", func(s state.Snapshot, put put, _ del) {
			put(state.Ports, &model.Port{Meta: model.Meta{ID: "blue9"}, NetworkID: "blue", MAC: mac(9), AdminStateUp: true})
		}, map[string][]string{}},
		{"another number for a bound port", func(s state.Snapshot, put put, _ del) {
			b := *s.Binding("red2")
			b.OFPort = 99
			put(state.Bindings, &b)
		}, map[string][]string{"host2": {"port/red2"}}},
		{"another name for a port, a network, a host", func(s state.Snapshot, put put, _ del) {
			p, n, h := *s.Port("red2"), *s.Network("red"), *s.Host("host2")
			p.Name, n.Name, h.Name = "p", "n", "h"
			put(state.Ports, &p)
			put(state.Networks, &n)
			put(state.Hosts, &h)
		}, map[string][]string{}},
		{"a port of a learning network", func(s state.Snapshot, put put, _ del) {
			p := *s.Port("green1")
			p.MAC = mac(99)
			put(state.Ports, &p)
		}, map[string][]string{"host1": {"port/green1"}}},
		{"the last port of blue on host3 goes", func(s state.Snapshot, put put, del del) {
			del(state.Bindings, "blue3")
			del(state.Ports, "blue3")
			del(state.LocalVLANs, "host3/blue")
		}, map[string][]string{
			"host2": {"tunnel/vxlan/host3", "network/blue", "port/blue3"},
			"host3": {"tunnel/vxlan/host2", "network/blue", "port/blue2", "port/blue3"},
		}},
		{"host1's tunnel to host3 gets its number", func(s state.Snapshot, put put, _ del) {
			f := *s.HostFacts("host1")
			f.Ports = maps.Clone(f.Ports)
			f.Ports["vxlan-0a000003"] = 6
			put(state.HostFacts, &f)
		}, map[string][]string{"host1": {"tunnel/vxlan/host3", "network/red", "port/red3"}}},
		{"host1's bridge to the physical network gets its number", func(s state.Snapshot, put put, _ del) {
			f := *s.HostFacts("host1")
			f.Ports = maps.Clone(f.Ports)
			f.Ports["phy-br-ex"] = 40
			put(state.HostFacts, &f)
		}, map[string][]string{"host1": {"host", "network/ext"}}},
		{"an agent says again what it said", func(s state.Snapshot, put put, _ del) {
			f := *s.HostFacts("host1")
			f.BootID = "another"
			put(state.HostFacts, &f)
		}, map[string][]string{}},
		{"a new host", func(s state.Snapshot, put put, _ del) {
			put(state.Hosts, &model.Host{Meta: model.Meta{ID: "host4"}, Number: 4, DVRMAC: mac(0x44)})
			put(state.HostFacts, &model.HostFacts{Host: "host4", TunnelIP: netip.MustParseAddr("10.0.0.4")})
		}, map[string][]string{
			"host1": {"host", "tunnel/gre/host4", "network/green"},
			"host2": {"host"}, "host3": {"host"}, "host4": {"host"},
		}},
		{"host3 moves to another tunnel address", func(s state.Snapshot, put put, _ del) {
			f := *s.HostFacts("host3")
			f.TunnelIP = netip.MustParseAddr("10.0.0.33")
			put(state.HostFacts, &f)
		}, map[string][]string{
			"host1": {"tunnel/gre/host3", "tunnel/vxlan/host3", "network/green", "network/red", "port/red3"},
			"host2": {"tunnel/vxlan/host3", "network/blue", "network/red", "port/blue3", "port/red3"},
			"host3": {"tunnel/vxlan/host1", "tunnel/vxlan/host2", "network/blue", "network/red",
				"port/blue2", "port/blue3", "port/red1", "port/red2", "port/red3"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := threeHosts(t)
			before, after, changes := cl.change(func(put put, del del) { c.do(cl.db.Snapshot(), put, del) })
			if d := cmp.Diff(c.want, names(Affected(before, after, changes))); d != "" {
				t.Errorf("affected (-want +got):\n%s", d)
			}
		})
	}
}

// Looking only at the parts that a change affects must give the same as looking at all of them, whatever happens in
// whatever order: also histories that the store would not allow.
func TestAffectedPartsAreEnough(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newCloud(t)
		w := walk{rt}
		held := map[string]map[Part]sight{}
		for step := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			before, after, changes := c.change(func(put func(state.Kind, any), del func(state.Kind, string)) {
				for range rapid.IntRange(1, 3).Draw(rt, "changes") {
					w.step(put, del)
				}
			})
			for h, parts := range Affected(before, after, changes) {
				for p := range parts {
					if held[h] == nil {
						held[h] = map[Part]sight{}
					}
					if s := look(after, h, p); s.nothing() {
						delete(held[h], p)
					} else {
						held[h][p] = s
					}
				}
			}
			for _, h := range w.hosts() {
				whole := map[Part]sight{}
				for p := range Parts(after, h) {
					if s := look(after, h, p); !s.nothing() {
						whole[p] = s
					}
				}
				if d := cmp.Diff(whole, held[h], same, emptyIsNil); d != "" {
					rt.Fatalf("step %d, %s: affected parts are not enough (-whole +incremental):\n%s\nchanges: %s", step, h, d, w.tell(changes))
				}
			}
		}
	})
}

var emptyIsNil = cmp.FilterValues(
	func(a, b map[Part]sight) bool { return len(a) == 0 && len(b) == 0 },
	cmp.Comparer(func(_, _ map[Part]sight) bool { return true }))

// walk draws random changes in a small cloud, so that things meet.
type walk struct{ t *rapid.T }

func (walk) hosts() []string { return []string{"h1", "h2", "h3"} }

func (walk) tell(cs []state.Change) (out string) {
	for _, c := range cs {
		out += fmt.Sprintf("\n  %s %s: %+v -> %+v", c.Kind, c.Key, c.Old, c.New)
	}
	return out
}

func (w walk) one(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(w.t, label)
}

func (w walk) n(label string, most int) int { return rapid.IntRange(0, most).Draw(w.t, label) }

func (w walk) bool(label string) bool { return rapid.Bool().Draw(w.t, label) }

func (w walk) step(put func(state.Kind, any), del func(state.Kind, string)) {
	host := w.one("host", w.hosts()...)
	network := w.one("network", "n1", "n2", "n3")
	port := w.one("port", "p1", "p2", "p3", "p4")
	gone := w.n("gone", 3) == 0
	switch w.one("kind", "host", "facts", "network", "port", "binding", "vlan", "vlan", "binding") {
	case "host":
		if gone {
			del(state.Hosts, host)
			return
		}
		o := &model.Host{Meta: model.Meta{ID: host}, Number: uint16(w.n("number", 3)), DVRMAC: mac(byte(w.n("dvr mac", 3)))}
		if w.bool("override") {
			o.TunnelIP = w.addr()
			o.BridgeMappings = map[string]string{"physnet1": w.one("bridge", "br-ex", "br-prov", "br-int")}
		}
		put(state.Hosts, o)
	case "facts":
		if gone {
			del(state.HostFacts, host)
			return
		}
		f := &model.HostFacts{Host: host, TunnelIP: w.addr(), Ports: map[string]uint32{}}
		if w.bool("userspace") {
			f.DatapathType = "netdev"
		}
		if w.bool("mapped") {
			f.BridgeMappings = map[string]string{"physnet1": "br-ex"}
		}
		for i, name := range []string{
			"patch-tun", "patch-int", "int-br-ex", "phy-br-ex", "vxlan-0a000001", "vxlan-0a000002", "vxlan-0a000003",
			"gre-0a000001", "gre-0a000002", TunnelName("vxlan", netip.MustParseAddr("fd00::1")),
		} {
			if w.bool(name) {
				f.Ports[name] = uint32(i + 1 + 10*w.n("renumbered", 1))
			}
		}
		put(state.HostFacts, f)
	case "network":
		if gone {
			del(state.Networks, network)
			return
		}
		put(state.Networks, &model.Network{
			Meta: model.Meta{ID: network}, Type: w.one("type", "vxlan", "vxlan", "gre", "vlan", "flat"), PhysicalNetwork: "physnet1",
			SegmentID: uint32(w.n("segment", 2)), L2Population: w.n("learns", 3) != 0, AdminStateUp: w.n("down", 3) != 0,
		})
	case "port":
		if gone {
			del(state.Ports, port)
			return
		}
		put(state.Ports, &model.Port{
			Meta: model.Meta{ID: port}, NetworkID: network, MAC: mac(byte(w.n("mac", 3))), AdminStateUp: w.bool("up"),
			FixedIPs: []model.FixedIP{{IP: w.addr()}},
		})
	case "binding":
		if gone {
			del(state.Bindings, port)
			return
		}
		put(state.Bindings, &model.Binding{PortID: port, NetworkID: network, Host: host, OFPort: uint32(w.n("ofport", 3)), Interface: "tap"})
	case "vlan":
		if gone {
			del(state.LocalVLANs, host+"/"+network)
			return
		}
		put(state.LocalVLANs, &model.LocalVLAN{Host: host, NetworkID: network, VLAN: uint16(1 + w.n("vlan", 2))})
	}
}

func (w walk) addr() netip.Addr {
	return netip.MustParseAddr(w.one("address", "10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"))
}
