package ofapps

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// Mistakes of the original that must not be made again.

// On a network of both families packets of one came from the other's gateway MAC: whichever subnet was bound last. Here
// each family has its row, whatever came first.
func TestMistakeGatewayMACOfTheOtherFamily(t *testing.T) {
	row := func(family string, gw byte) string {
		return fmt.Sprintf("table=1, priority=4,%s,dl_vlan=1,dl_dst=%s actions=pop_vlan,set_field:%s->eth_src,output:11", family, mac(1), mac(gw))
	}
	want := []string{row("ip", mGwRed), row("ipv6", mGwRed6)}
	for _, order := range [][]string{{gwRed, gwRed6}, {gwRed6, gwRed}} {
		c := routedTunnels(t)
		r := *c.Snapshot().Router(r1)
		r.Interfaces = nil
		var ports []*model.Port
		for _, id := range order {
			r.Interfaces = append(r.Interfaces, model.RouterInterface{PortID: id})
			ports = append(ports, c.Snapshot().Port(id))
		}
		c.Change(func(tx viewtest.Tx) {
			for _, p := range ports {
				tx.Delete(state.Ports, p.ID)
			}
			tx.Put(&r)
		})
		for _, p := range ports {
			c.Put(p)
		}
		var got []string
		for _, f := range RenderAll(c.Snapshot(), "host1")[view.BrInt] {
			if f.Table == 1 && strings.Contains(f.Match.String(), "dl_dst="+mac(1)) {
				got = append(got, f.Line())
			}
		}
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("joined as %v (-want +got):\n%s", order, d)
		}
	}
}

// The row that led answers to a router's device was deleted from another table than it had been put into, and stayed when
// the device was gone; the rows that held back questions for the router were deleted by the subnet's gateway_ip, and stayed
// when the router had another address.
func TestMistakeRowsOfARouterThatHasLeft(t *testing.T) {
	for name, cloud := range map[string]func(viewtest.T) *viewtest.Cloud{"tunnels": routedTunnels, "provider": routedProvider} {
		t.Run(name, func(t *testing.T) {
			c := cloud(t)
			var gone []*model.Port
			c.Change(func(tx viewtest.Tx) {
				s := c.Snapshot()
				r := *s.Router(r1)
				for _, i := range r.Interfaces {
					p := *s.Port(i.PortID)
					p.FixedIPs = append(p.FixedIPs[:len(p.FixedIPs):len(p.FixedIPs)],
						model.FixedIP{SubnetID: p.FixedIPs[0].SubnetID, IP: netip.AddrFrom4([4]byte{10, 99, 0, p.MAC[5]})})
					tx.Put(&p)
					gone = append(gone, &p)
				}
			})
			before := whole(c.Snapshot(), "host1", "host2")
			c.Change(func(tx viewtest.Tx) {
				s := c.Snapshot()
				for _, p := range gone {
					tx.Delete(state.Ports, p.ID)
					for _, h := range []string{"host1", "host2", "host3"} {
						tx.Delete(state.Interfaces, h+"/tap"+p.ID[:11])
						tx.Delete(state.RouterHosts, r1+"/"+h)
					}
				}
				r := *s.Router(r1)
				r.Interfaces = nil
				tx.Put(&r)
			})
			after := whole(c.Snapshot(), "host1", "host2")
			for _, p := range gone {
				marks := []string{p.MAC.String(), fmt.Sprintf("output:%d", devices[p.ID]), fmt.Sprintf("in_port=%d,", devices[p.ID])}
				for _, f := range p.FixedIPs {
					marks = append(marks, "="+f.IP.String()+" ", "="+f.IP.String()+",")
				}
				for _, mark := range marks {
					if !strings.Contains(fmt.Sprint(before), mark) && !strings.HasPrefix(mark, "=") {
						t.Fatalf("no row says %s to begin with", mark)
					}
					for bridge, rows := range after {
						for _, r := range rows {
							if strings.Contains(r, mark) {
								t.Errorf("%s still says %s: %s", bridge, mark, r)
							}
						}
					}
				}
			}
		})
	}
}

// whole is all rows of some hosts as texts.
func whole(s state.Snapshot, hosts ...string) map[string][]string {
	out := map[string][]string{}
	for _, h := range hosts {
		for bridge, rows := range RenderAll(s, h) {
			out[h+" "+bridge] = texts(rows)
		}
	}
	return out
}

// Agents that started at the same instant did not hear of each other's DVR MACs, and nobody listed them again. Here rows
// follow from which hosts exist, not from who was told when.
func TestMistakeDVRMACsLostWhenHostsStartTogether(t *testing.T) {
	hosts := []byte{1, 2, 3}
	var first map[string][]string
	for _, order := range [][]byte{{1, 2, 3}, {3, 2, 1}, {2, 1, 3}} {
		c := viewtest.New(t)
		for _, n := range order {
			c.Host(n, host1Ports())
		}
		s := c.Snapshot()
		for _, n := range hosts {
			for _, peer := range hosts {
				dm := fmt.Sprintf("dl_src=fa:16:3f:00:00:%02x", peer)
				for _, bridge := range []string{view.BrInt, view.BrTun, "br-ex"} {
					found := slices.ContainsFunc(RenderAll(s, fmt.Sprintf("host%d", n))[bridge], func(f flow.Flow) bool {
						return strings.Contains(f.String(), dm)
					})
					if found != (n != peer) {
						t.Errorf("order %v: %s of host%d has a row for the DVR MAC of host%d: %v", order, bridge, n, peer, found)
					}
				}
			}
		}
		all := whole(s, "host1", "host2", "host3")
		if first == nil {
			first = all
		}
		if d := cmp.Diff(first, all); d != "" {
			t.Errorf("order %v (-order 1 2 3, +this):\n%s", order, d)
		}
	}
}

// A delete that named another table than the add left a row to a port that was gone, whose number the next port got.
func TestMistakeRowOfAPortThatIsGone(t *testing.T) {
	c := tenants(t)
	s := c.Snapshot()
	named := func(s state.Snapshot, bridge, what string) (rows []string) {
		for _, f := range RenderAll(s, "host1")[bridge] {
			for _, w := range strings.FieldsFunc(f.Line(), func(r rune) bool { return r == ',' || r == ' ' }) {
				if w == what || strings.HasSuffix(w, "="+what) {
					rows = append(rows, f.Line())
				}
			}
		}
		return rows
	}
	if len(named(s, view.BrInt, "in_port=11")) == 0 || len(named(s, view.BrTun, "output:3")) == 0 || len(named(s, view.BrTun, "in_port=3")) == 0 {
		t.Fatal("the rows that this is about are not there to begin with")
	}
	_, s, _ = c.Change(func(tx viewtest.Tx) {
		// The port's interface goes, and so does the tunnel to host3.
		tx.Delete(state.Bindings, portID(1))
		f := *s.HostFacts("host1")
		f.Ports = host1Ports()
		delete(f.Ports, "vxlan-0a000003")
		tx.Put(&f)
	})
	for _, gone := range []struct{ bridge, what string }{
		{view.BrInt, "in_port=11"}, {view.BrTun, "output:3"}, {view.BrTun, "actions=output:3"}, {view.BrTun, "in_port=3"},
	} {
		if rows := named(s, gone.bridge, gone.what); rows != nil {
			t.Errorf("%s still says %s: %q", gone.bridge, gone.what, rows)
		}
	}
}

// The firewall's wildcard deletes removed rows of the routers. Here a row is rendered by one part and no other, so that
// whoever takes his rows away takes nobody else's.
func TestMistakeRowsWithTwoOwners(t *testing.T) {
	eachScenario(t, func(t *testing.T, s state.Snapshot) {
		owner := map[string]view.Part{}
		for p := range view.Parts(s, "host1") {
			for bridge, rows := range Render(s, "host1", p) {
				for _, f := range rows {
					k := fmt.Sprintf("%s table %d priority %d %s", bridge, f.Table, f.Priority, f.Match)
					if q, taken := owner[k]; taken {
						t.Errorf("%s is wanted by %v and by %v", k, q, p)
					}
					owner[k] = p
				}
			}
		}
	})
}

// Rows leaked because what was installed and what was removed were computed from different things. Here nobody computes a
// delete: when what made rows come is gone, so are the rows, to the last.
func TestMistakeRemovalThatIsNotTheReverseOfAddition(t *testing.T) {
	hosts := []string{"host1", "host2", "host3"}
	plain := *tenants(t).Snapshot().Port(portID(1))
	for _, c := range []struct {
		name     string
		add, del func(viewtest.Tx)
	}{
		{"port with many addresses", func(tx viewtest.Tx) {
			tx.Put(&model.Port{
				Meta: model.Meta{ID: "new"}, NetworkID: red, MAC: viewtest.MAC(9), AdminStateUp: true,
				FixedIPs: []model.FixedIP{{IP: netip.MustParseAddr("10.1.0.9")}, {IP: netip.MustParseAddr("10.1.0.10")}, {IP: netip.MustParseAddr("fd00::9")}},
			}, &model.Binding{PortID: "new", NetworkID: red, Host: "host2", OFPort: 30})
		}, func(tx viewtest.Tx) {
			tx.Delete(state.Bindings, "new")
			tx.Delete(state.Ports, "new")
		}},
		{"network that comes to a host with a port", func(tx viewtest.Tx) {
			tx.Put(&model.LocalVLAN{Host: "host3", NetworkID: blue, VLAN: 9},
				&model.Port{Meta: model.Meta{ID: "new"}, NetworkID: blue, MAC: viewtest.MAC(9), AdminStateUp: true},
				&model.Binding{PortID: "new", NetworkID: blue, Host: "host3", OFPort: 30})
		}, func(tx viewtest.Tx) {
			tx.Delete(state.Bindings, "new")
			tx.Delete(state.Ports, "new")
			tx.Delete(state.LocalVLANs, "host3/"+blue)
		}},
		{"host", func(tx viewtest.Tx) {
			tx.Put(&model.Host{Meta: model.Meta{ID: "host4"}, Number: 4, DVRMAC: viewtest.DVRMAC(4)},
				&model.HostFacts{Host: "host4", TunnelIP: netip.MustParseAddr("10.0.0.4")},
				&model.LocalVLAN{Host: "host4", NetworkID: red, VLAN: 3})
		}, func(tx viewtest.Tx) {
			tx.Delete(state.LocalVLANs, "host4/"+red)
			tx.Delete(state.HostFacts, "host4")
			tx.Delete(state.Hosts, "host4")
		}},
		{"distributed router with ports on two networks", func(tx viewtest.Tx) {
			tx.Put(&model.Router{Meta: model.Meta{ID: r1}, AdminStateUp: true, Distributed: true,
				Interfaces: []model.RouterInterface{{PortID: gwRed}, {PortID: gwBlue}}})
			for i, p := range []string{gwRed, gwBlue} {
				tx.Put(&model.Port{Meta: model.Meta{ID: p}, NetworkID: []string{red, blue}[i], MAC: viewtest.MAC(mGwRed + byte(i)), AdminStateUp: true,
					DeviceID: r1, DeviceOwner: model.OwnerDistributedInterface, FixedIPs: []model.FixedIP{{IP: netip.MustParseAddr("10.1.0.254")}}})
				for _, h := range hosts {
					tx.Put(&model.Interface{Host: h, Name: qr(p), IfaceID: p, OFPort: devices[p]})
				}
			}
			for _, h := range hosts {
				tx.Put(&model.RouterHost{RouterID: r1, Host: h})
			}
		}, func(tx viewtest.Tx) {
			for _, p := range []string{gwRed, gwBlue} {
				tx.Delete(state.Ports, p)
				for _, h := range hosts {
					tx.Delete(state.Interfaces, h+"/"+qr(p))
				}
			}
			for _, h := range hosts {
				tx.Delete(state.RouterHosts, r1+"/"+h)
			}
			tx.Delete(state.Routers, r1)
		}},
		{"allowed address pair", func(tx viewtest.Tx) {
			p := plain
			p.AllowedAddressPairs = []model.AddressPair{{IP: netip.MustParsePrefix("10.1.0.2/32")}}
			tx.Put(&p)
		}, func(tx viewtest.Tx) { tx.Put(&plain) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := tenants(t)
			before, added, came := cl.Change(c.add)
			_, after, went := cl.Change(c.del)
			if cmp.Equal(whole(before, hosts...), whole(added, hosts...)) {
				t.Fatal("the addition changed nothing")
			}
			if d := cmp.Diff(whole(before, hosts...), whole(after, hosts...)); d != "" {
				t.Errorf("rows that stayed or went (-before +after):\n%s", d)
			}
			// And whoever was told of the addition is told of the removal.
			if d := cmp.Diff(view.Affected(before, added, came), view.Affected(added, after, went)); d != "" {
				t.Errorf("told of (-addition +removal):\n%s", d)
			}
		})
	}
}
