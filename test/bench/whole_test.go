package bench

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/fakeagent"
)

// BenchmarkFirewallJoinWhole is a member that joins a group of 2,000 which 500 ports of a host use, from the API call to the
// acknowledgement of the host's switch. CPU is that of the whole process: API, store with etcd, controller, and the simulated host and
// switch. What the same costs with a group that no rule names is measured beside it; the difference is what the host costs.
func BenchmarkFirewallJoinWhole(b *testing.B) {
	const members, here, samples = 2000, 500, 100
	c := newCloud(b, 0, 1)
	h := c.hosts[0]
	var nw *model.Network
	group := map[string]string{}
	c.update(func(tx *store.Tx) (err error) {
		if nw, err = tx.CreateNetwork(&model.Network{Type: model.VXLAN, AdminStateUp: true, L2Population: true, PortSecurityEnabled: true}); err != nil {
			return err
		}
		if _, err = tx.CreateSubnet(&model.Subnet{NetworkID: nw.ID, CIDR: netip.MustParsePrefix("10.0.0.0/14")}); err != nil {
			return err
		}
		for _, name := range []string{"named", "unnamed"} {
			g, err := tx.CreateSecurityGroup(&model.SecurityGroup{Meta: model.Meta{Name: name}, Stateful: true})
			if err != nil {
				return err
			}
			group[name] = g.ID
		}
		_, err = tx.CreateSecurityGroupRule(&model.SecurityGroupRule{SecurityGroupID: group["named"], Direction: model.Ingress, EtherType: model.IPv4,
			RemoteGroupID: group["named"]})
		return err
	})
	for _, name := range []string{"named", "unnamed"} {
		for made := 0; made < members; made += portsPerNetwork {
			var ifaces []fakeagent.Interface
			c.update(func(tx *store.Tx) error {
				ifaces = nil
				for range portsPerNetwork {
					p, err := tx.CreatePort(&model.Port{NetworkID: nw.ID, AdminStateUp: true, PortSecurityEnabled: true, SecurityGroups: []string{group[name]}})
					if err != nil {
						return err
					}
					ifaces = append(ifaces, fakeagent.Interface{Name: "tap" + p.ID[:11], IfaceID: p.ID, MAC: p.MAC.String()})
				}
				return nil
			})
			if name == "named" && made < here {
				if err := h.agent.Plug(ifaces...); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	c.await("the ports of the host are ACTIVE", func() bool {
		s, _ := c.store.Snapshot()
		active := 0
		for p := range s.Ports() {
			if st := s.PortState(p.ID); st != nil && st.Status == model.PortActive {
				active++
			}
		}
		return active == here
	})
	type cost struct {
		p50, spent time.Duration
		mods       float64
	}
	join := func(name string) cost {
		var times []time.Duration
		var spent time.Duration
		_, rev := c.store.Snapshot()
		c.applied(rev)
		mods := 0
		for range samples {
			before, sent, begin := cpu(), c.flowMods(), time.Now()
			p, err := c.ports.CreatePort(c.ctx, &weftv1.CreatePortRequest{Port: &weftv1.Port{NetworkId: nw.ID, SecurityGroups: []string{group[name]}}})
			if err != nil {
				b.Fatal(err)
			}
			c.applied(p.Metadata.Revision)
			times, spent, mods = append(times, time.Since(begin)), spent+cpu()-before, mods+c.flowMods()-sent
			if _, err := c.ports.DeletePort(c.ctx, &weftv1.DeletePortRequest{Id: p.Metadata.Id}); err != nil {
				b.Fatal(err)
			}
			_, rev := c.store.Snapshot()
			c.applied(rev)
		}
		slices.Sort(times)
		return cost{times[samples/2], spent / samples, float64(mods) / samples}
	}
	for b.Loop() {
		bare, joined := join("unnamed"), join("named")
		if joined.mods == 0 || bare.mods != 0 {
			b.Fatalf("flow-mods: %.1f for the group that is named, %.1f for the other", joined.mods, bare.mods)
		}
		fmt.Printf("a member joins a group of 2,000 used by 500 ports, from the API call to the switch: %.1f flow-mods, p50 %v, CPU %v; of a group that nobody names %v, %v; the host: %v of 50ms, ratio %.3f\n",
			joined.mods, joined.p50.Round(10*time.Microsecond), joined.spent.Round(10*time.Microsecond), bare.p50.Round(10*time.Microsecond), bare.spent.Round(10*time.Microsecond),
			(joined.spent - bare.spent).Round(10*time.Microsecond), float64(joined.spent-bare.spent)/float64(50*time.Millisecond))
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFirewallReplaceRulesWhole replaces 100 rules of a group that 200 ports of a host use by 100 others, in one change of the store,
// and measures until the host's switch has acknowledged them. The reference is ovs-ofctl --bundle with the same difference, on
// another bridge of that switch.
func BenchmarkFirewallReplaceRulesWhole(b *testing.B) {
	const here, rules, samples = 200, 100, 10
	c := newCloud(b, 1, 0)
	h := c.hosts[0]
	group := ""
	var ifaces []fakeagent.Interface
	c.update(func(tx *store.Tx) error {
		nw, err := tx.CreateNetwork(&model.Network{Type: model.VXLAN, AdminStateUp: true, L2Population: true, PortSecurityEnabled: true})
		if err != nil {
			return err
		}
		if _, err = tx.CreateSubnet(&model.Subnet{NetworkID: nw.ID, CIDR: netip.MustParsePrefix("10.0.0.0/14")}); err != nil {
			return err
		}
		g, err := tx.CreateSecurityGroup(&model.SecurityGroup{Stateful: true})
		if err != nil {
			return err
		}
		group, ifaces = g.ID, nil
		for range here {
			p, err := tx.CreatePort(&model.Port{NetworkID: nw.ID, AdminStateUp: true, PortSecurityEnabled: true, SecurityGroups: []string{group}})
			if err != nil {
				return err
			}
			ifaces = append(ifaces, fakeagent.Interface{Name: "tap" + p.ID[:11], IfaceID: p.ID, MAC: p.MAC.String()})
		}
		return nil
	})
	var made []string
	replace := func(first int) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			for _, id := range made {
				if err := tx.DeleteSecurityGroupRule(id, 0); err != nil {
					return err
				}
			}
			var now []string
			for i := range rules {
				protocol, port := uint8(6), uint16(first+i)
				r, err := tx.CreateSecurityGroupRule(&model.SecurityGroupRule{SecurityGroupID: group, Direction: model.Ingress, EtherType: model.IPv4,
					Protocol: &protocol, PortRangeMin: &port, PortRangeMax: &port})
				if err != nil {
					return err
				}
				now = append(now, r.ID)
			}
			made = now
			return nil
		}
	}
	c.update(replace(1000))
	if err := h.agent.Plug(ifaces...); err != nil {
		b.Fatal(err)
	}
	c.await("the rows are there", func() bool { return len(h.ovs.Flows("br-int")) > here })
	settle := func() { _, rev := c.store.Snapshot(); c.applied(rev) }
	settle()
	state := [2][]string{h.ovs.Flows("br-int")}
	c.update(replace(3000))
	state[1] = h.ovs.Flows("br-int")
	h.ovs.Vsctl("add-br", "br-ref", "--", "set", "bridge", "br-ref", "datapath_type=dummy", "fail_mode=secure", "protocols=OpenFlow10,OpenFlow13,OpenFlow14")
	h.ovs.Ofctl("--bundle", "add-flows", "br-ref", write(b, "all", strings.Join(state[1], "\n")))
	files := [2]string{}
	changed := 0
	for i := range files {
		text := ""
		text, changed = difference(state[1-i], state[i])
		files[i] = write(b, fmt.Sprint("to", i), text)
	}
	var ours, theirs []time.Duration
	for b.Loop() {
		for range samples {
			for to := range files {
				begin := time.Now()
				c.update(replace(1000 + 2000*to))
				ours = append(ours, time.Since(begin))
				begin = time.Now()
				h.ovs.Ofctl("--bundle", "add-flows", "br-ref", files[to])
				theirs = append(theirs, time.Since(begin))
			}
		}
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	x, y := ours[len(ours)/2], theirs[len(theirs)/2]
	fmt.Printf("100 rules replaced for 200 ports, from the change to the switch's acknowledgement: %d flow-mods, p50 %v; ovs-ofctl --bundle %v; ratio %.2f\n",
		changed, x.Round(10*time.Microsecond), y.Round(10*time.Microsecond), float64(x)/float64(y))
	b.ReportMetric(0, "ns/op")
}

// difference is what ovs-ofctl add-flows needs to make rows of others, and how many rows that are. Cookies are not compared: rules
// that are made again have others.
func difference(from, to []string) (text string, n int) {
	bare := func(row string) string { _, rest, _ := strings.Cut(row, "table="); return "table=" + rest }
	was, is := map[string]bool{}, map[string]bool{}
	for _, r := range from {
		was[bare(r)] = true
	}
	var out strings.Builder
	for _, r := range to {
		if is[bare(r)] = true; !was[bare(r)] {
			fmt.Fprintf(&out, "add %s\n", r)
			n++
		}
	}
	for r := range was {
		if match, _, _ := strings.Cut(r, " actions="); !is[r] {
			fmt.Fprintf(&out, "delete_strict %s\n", match)
			n++
		}
	}
	return out.String(), n
}

func (c *cloud) update(f func(*store.Tx) error) {
	c.b.Helper()
	rev, err := c.store.Update(c.ctx, f)
	if err != nil {
		c.b.Fatal(err)
	}
	c.applied(rev)
}
