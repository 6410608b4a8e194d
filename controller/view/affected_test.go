package view

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view/viewtest"
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
	for _, c := range []struct {
		name string
		do   func(s state.Snapshot, tx viewtest.Tx)
		want map[string][]string
	}{
		{"a port bound on host2 in a network that host1 does not carry", func(s state.Snapshot, tx viewtest.Tx) {
			tx.Put(&model.Port{Meta: model.Meta{ID: "blue9"}, NetworkID: "blue", MAC: viewtest.MAC(9), AdminStateUp: true})
			tx.Put(&model.Binding{PortID: "blue9", NetworkID: "blue", Host: "host2", OFPort: 20})
		}, map[string][]string{"host2": {"port/blue9"}, "host3": {"port/blue9"}}},
		{"a port that is bound nowhere", func(s state.Snapshot, tx viewtest.Tx) {
			tx.Put(&model.Port{Meta: model.Meta{ID: "blue9"}, NetworkID: "blue", MAC: viewtest.MAC(9), AdminStateUp: true})
		}, map[string][]string{}},
		{"another number for a bound port", func(s state.Snapshot, tx viewtest.Tx) {
			b := *s.Binding("red2")
			b.OFPort = 99
			tx.Put(&b)
		}, map[string][]string{"host2": {"port/red2"}}},
		{"another name for a port, a network, a host", func(s state.Snapshot, tx viewtest.Tx) {
			p, n, h := *s.Port("red2"), *s.Network("red"), *s.Host("host2")
			p.Name, n.Name, h.Name = "p", "n", "h"
			tx.Put(&p)
			tx.Put(&n)
			tx.Put(&h)
		}, map[string][]string{}},
		{"a port of a learning network", func(s state.Snapshot, tx viewtest.Tx) {
			p := *s.Port("green1")
			p.MAC = viewtest.MAC(99)
			tx.Put(&p)
		}, map[string][]string{"host1": {"port/green1"}}},
		{"the last port of blue on host3 goes", func(s state.Snapshot, tx viewtest.Tx) {
			tx.Delete(state.Bindings, "blue3")
			tx.Delete(state.Ports, "blue3")
			tx.Delete(state.LocalVLANs, "host3/blue")
		}, map[string][]string{
			"host2": {"tunnel/vxlan/host3", "network/blue", "port/blue3"},
			"host3": {"tunnel/vxlan/host2", "network/blue", "port/blue2", "port/blue3"},
		}},
		{"host1's tunnel to host3 gets its number", func(s state.Snapshot, tx viewtest.Tx) {
			f := *s.HostFacts("host1")
			f.Ports = maps.Clone(f.Ports)
			f.Ports["vxlan-0a000003"] = 6
			tx.Put(&f)
		}, map[string][]string{
			"host1": {"tunnel/vxlan/host3", "network/red", "port/red3"},
			// The tunnel back may now be used.
			"host3": {"tunnel/vxlan/host1", "network/red", "port/red1"},
		}},
		{"host1's bridge to the physical network gets its number", func(s state.Snapshot, tx viewtest.Tx) {
			f := *s.HostFacts("host1")
			f.Ports = maps.Clone(f.Ports)
			f.Ports["phy-br-ex"] = 40
			tx.Put(&f)
		}, map[string][]string{"host1": {"host", "network/ext"}}},
		{"an agent says again what it said", func(s state.Snapshot, tx viewtest.Tx) {
			f := *s.HostFacts("host1")
			f.BootID = "another"
			tx.Put(&f)
		}, map[string][]string{}},
		{"a new host", func(s state.Snapshot, tx viewtest.Tx) {
			tx.Put(&model.Host{Meta: model.Meta{ID: "host4"}, Number: 4, DVRMAC: viewtest.MAC(0x44)})
			tx.Put(&model.HostFacts{Host: "host4", TunnelIP: netip.MustParseAddr("10.0.0.4")})
		}, map[string][]string{
			"host1": {"host", "tunnel/gre/host4", "network/green"},
			"host2": {"host"}, "host3": {"host"}, "host4": {"host"},
		}},
		{"host3 moves to another tunnel address", func(s state.Snapshot, tx viewtest.Tx) {
			f := *s.HostFacts("host3")
			f.TunnelIP = netip.MustParseAddr("10.0.0.33")
			tx.Put(&f)
		}, map[string][]string{
			"host1": {"tunnel/gre/host3", "tunnel/vxlan/host3", "network/green", "network/red", "port/red3"},
			"host2": {"tunnel/vxlan/host3", "network/blue", "network/red", "port/blue3", "port/red3"},
			"host3": {"tunnel/vxlan/host1", "tunnel/vxlan/host2", "network/blue", "network/red",
				"port/blue2", "port/blue3", "port/red1", "port/red2", "port/red3"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := threeHosts(t)
			before, after, changes := cl.Change(func(tx viewtest.Tx) { c.do(cl.Snapshot(), tx) })
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
		c := viewtest.New(rt)
		w := viewtest.Walk{T: rt, Ports: []string{
			"patch-tun", "patch-int", "int-br-ex", "phy-br-ex", "vxlan-0a000001", "vxlan-0a000002", "vxlan-0a000003",
			"gre-0a000001", "gre-0a000002", TunnelName("vxlan", netip.MustParseAddr("fd00::1")),
		}}
		furnished := rapid.Bool().Draw(rt, "furnished")
		held := map[string]map[Part]sight{}
		for step := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			before, after, changes := c.Change(func(tx viewtest.Tx) {
				if step == 0 && furnished {
					w.Begin(tx)
					return
				}
				for range rapid.IntRange(1, 3).Draw(rt, "changes") {
					w.Step(tx)
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
			for _, h := range w.Hosts() {
				whole, agents := map[Part]sight{}, slices.Collect(ResourceParts(after, h))
				for p := range Parts(after, h) {
					if s := look(after, h, p); !s.nothing() {
						whole[p] = s
					}
					if r := PartResources(after, h, p); !slices.Contains(agents, p) && !reflect.DeepEqual(r, Resources{}) {
						rt.Fatalf("step %d, %s: %v comes to resources, and is not told to be one of those that may: %+v", step, h, p, r)
					}
				}
				if d := cmp.Diff(whole, held[h], same, emptyIsNil); d != "" {
					rt.Fatalf("step %d, %s: affected parts are not enough (-whole +incremental):\n%s\nchanges: %s", step, h, d, viewtest.Tell(changes))
				}
			}
		}
	})
}

var emptyIsNil = cmp.FilterValues(
	func(a, b map[Part]sight) bool { return len(a) == 0 && len(b) == 0 },
	cmp.Comparer(func(_, _ map[Part]sight) bool { return true }))
