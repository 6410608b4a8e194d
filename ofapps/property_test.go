package ofapps

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// lines are rows as texts by bridge and part: what a host's loop holds.
type lines map[view.Part]map[string][]string

func (l lines) set(p view.Part, rows Rows) {
	delete(l, p)
	for bridge, flows := range rows {
		if l[p] == nil {
			l[p] = map[string][]string{}
		}
		l[p][bridge] = texts(flows)
	}
}

// meters are told as well.
func (l lines) meters(p view.Part, meters []flow.Meter) {
	if len(meters) == 0 {
		return
	}
	if l[p] == nil {
		l[p] = map[string][]string{}
	}
	l[p]["meters"] = []string{fmt.Sprint(meters)}
}

// Rendering only the parts that a change affects must come to the same rows as rendering everything, whatever happens.
func TestRenderingAffectedPartsIsRenderingAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := viewtest.New(rt)
		w := viewtest.Walk{T: rt, Ports: []string{
			"patch-tun", "patch-int", "int-br-ex", "phy-br-ex", "vxlan-0a000001", "vxlan-0a000002", "vxlan-0a000003",
			"gre-0a000001", "gre-0a000002", view.TunnelName("vxlan", netip.MustParseAddr("fd00::1")),
		}}
		furnished := rapid.Bool().Draw(rt, "furnished")
		held := map[string]lines{}
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
			for h, parts := range view.Affected(before, after, changes) {
				if held[h] == nil {
					held[h] = lines{}
				}
				for p := range parts {
					held[h].set(p, Render(after, h, p))
					held[h].meters(p, Meters(after, h, p))
				}
			}
			for _, h := range w.Hosts() {
				whole := lines{}
				for p := range view.Parts(after, h) {
					whole.set(p, Render(after, h, p))
					whole.meters(p, Meters(after, h, p))
				}
				if d := cmp.Diff(whole, held[h], cmpopts.EquateEmpty()); d != "" {
					rt.Fatalf("step %d, %s: (-whole +incremental):\n%s\nchanges: %s", step, h, d, viewtest.Tell(changes))
				}
			}
		}
	})
}

// drawCloud draws a cloud as the store makes them: unique addresses, MACs, segments and VLANs, a local VLAN where ports
// are bound or a distributed router is, and nowhere else. What hosts have reported is anything.
func drawCloud(rt *rapid.T) *viewtest.Cloud {
	c := viewtest.New(rt)
	hosts := rapid.IntRange(1, 4).Draw(rt, "hosts")
	types := []string{model.VXLAN, model.GRE, model.Geneve, model.VLAN, model.Flat}
	networks := rapid.SliceOfN(rapid.SampledFrom(types), 0, 5).Draw(rt, "networks")
	var reported []string
	for n := range hosts {
		for _, typ := range types[:3] {
			reported = append(reported, fmt.Sprintf("%s-0a0000%02x", typ, n+1))
		}
	}
	reported = append(reported, "patch-tun", "patch-int", "int-br-ex", "phy-br-ex")
	for n := range hosts {
		ports := map[string]uint32{}
		for i, name := range reported {
			if rapid.IntRange(0, 4).Draw(rt, name) > 0 {
				ports[name] = uint32(i + 1)
			}
		}
		c.Host(byte(n+1), ports)
	}
	number := 0
	for r := range 2 {
		c.Router(fmt.Sprintf("r%d", r), true)
	}
	for i, typ := range networks {
		id := fmt.Sprintf("n%d", i)
		segment := uint32(100 + i)
		if typ == model.Flat {
			if slices.Index(networks, typ) != i {
				continue // one flat network for each physical network
			}
			segment = 0
		}
		c.Network(id, typ, segment, rapid.Bool().Draw(rt, "l2pop"))
		for range rapid.IntRange(0, 4).Draw(rt, "ports") {
			number++
			host := fmt.Sprintf("host%d", rapid.IntRange(1, hosts).Draw(rt, "host"))
			c.Carry(host, id, uint16(10+i))
			c.Bind(fmt.Sprintf("p%d", number), id, host, byte(number), uint32(100+number),
				fmt.Sprintf("10.0.1.%d", number), fmt.Sprintf("fd00::%d", number))
			if rapid.IntRange(0, 3).Draw(rt, "roams") == 0 {
				c.Allow(fmt.Sprintf("p%d", number), "10.0.1.1", "10.0.1.100")
			}
		}
		c.Subnets(id, "10.0.1.0/24", "fd00::/64")
		for r := range rapid.IntRange(0, 2).Draw(rt, "routers") {
			number++
			addresses := [][]string{{"10.0.1.%d"}, {"fd00::%d"}, {"10.0.1.%d", "fd00::%d"}}[rapid.IntRange(0, 2).Draw(rt, "families")]
			for a := range addresses {
				addresses[a] = fmt.Sprintf(addresses[a], 200+r)
			}
			c.Join(fmt.Sprintf("r%d", r), fmt.Sprintf("gw%d", number), id, byte(number), addresses...)
			for h := range hosts {
				if host := fmt.Sprintf("host%d", h+1); rapid.Bool().Draw(rt, "router here") {
					c.Carry(host, id, uint16(10+i))
					device := map[string]uint32{}
					if rapid.IntRange(0, 3).Draw(rt, "device") > 0 {
						device[fmt.Sprintf("gw%d", number)] = uint32(200 + number)
					}
					c.RouterAt(fmt.Sprintf("r%d", r), host, device)
				}
			}
		}
	}
	if rapid.Bool().Draw(rt, "limited") {
		limitAll(c)
	}
	return c
}

func TestEveryHostKeepsTheContract(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawCloud(rt).Snapshot()
		for h := range s.Hosts() {
			if err := check(s, h.ID); err != nil {
				rt.Error(err)
			}
		}
	})
}

// Cost follows the change: whoever does not carry the network of a port has nothing to do when the port comes.
func TestNewPortConcernsOnlyHostsThatCarryItsNetwork(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := drawCloud(rt)
		var carried []*model.LocalVLAN
		for h := range c.Snapshot().Hosts() {
			carried = slices.AppendSeq(carried, c.Snapshot().LocalVLANsOn(h.ID))
		}
		if len(carried) == 0 {
			return
		}
		at := rapid.SampledFrom(carried).Draw(rt, "where")
		before, after, changes := c.Change(func(tx viewtest.Tx) {
			tx.Put(&model.Port{Meta: model.Meta{ID: "new"}, NetworkID: at.NetworkID, MAC: viewtest.MAC(0xff), AdminStateUp: true},
				&model.Binding{PortID: "new", NetworkID: at.NetworkID, Host: at.Host, OFPort: 999})
		})
		for h, parts := range view.Affected(before, after, changes) {
			want := []view.Part{{Kind: view.PortPart, ID: "new"}}
			if h == at.Host && view.PolicyOf(after, after.Port("new")) != nil {
				// What is for a port with limits is led to it.
				want = append(want, view.Part{Kind: view.StationPart, ID: view.StationID(at.NetworkID, viewtest.MAC(0xff))},
					view.Part{Kind: view.MulticastPart, ID: at.NetworkID})
			}
			if d := cmp.Diff(want, parts.Sorted()); d != "" {
				rt.Errorf("%s (-want +got):\n%s", h, d)
			}
			if after.LocalVLAN(h, at.NetworkID) == nil {
				rt.Errorf("%s does not carry the network, and must look at it", h)
			}
		}
	})
}
