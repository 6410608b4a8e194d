package ofapps

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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

var update = flag.Bool("update", false, "write golden files and docs instead of comparing with them")

// Networks and ports have ids whose beginnings can be seen in cookies.
const (
	red    = "aaaaaaaa-0001-4000-8000-000000000000"
	blue   = "bbbbbbbb-0002-4000-8000-000000000000"
	green  = "cccccccc-0003-4000-8000-000000000000"
	vlan42 = "dddddddd-0004-4000-8000-000000000000"
	flat   = "eeeeeeee-0005-4000-8000-000000000000"
)

func portID(n int) string { return fmt.Sprintf("%08d-ffff-4000-8000-000000000000", n) }

// Port numbers of host1.
const (
	patchTun  = 1 // on br-int
	intBrEx   = 2
	patchInt  = 1 // on br-tun
	vxlan2    = 2
	vxlan3    = 3
	gre2      = 4
	gre3      = 5
	geneve2   = 6
	phyBrEx   = 1 // on br-ex
	firstPort = 11
)

func host1Ports() map[string]uint32 {
	return map[string]uint32{
		"patch-tun": patchTun, "int-br-ex": intBrEx, "patch-int": patchInt, "phy-br-ex": phyBrEx,
		"vxlan-0a000002": vxlan2, "vxlan-0a000003": vxlan3, "gre-0a000002": gre2, "gre-0a000003": gre3, "geneve-0a000002": geneve2,
	}
}

// threeHosts have nothing but their bridges.
func threeHosts(t viewtest.T) *viewtest.Cloud {
	c := viewtest.New(t)
	c.Host(1, host1Ports())
	back := map[string]uint32{"patch-tun": 1, "patch-int": 1, "vxlan-0a000001": 2, "gre-0a000001": 3, "geneve-0a000001": 4}
	c.Host(2, back)
	c.Host(3, back)
	return c
}

// tenants is red on all three hosts, and blue, of another tenant and with the same addresses, on host1 and host2.
func tenants(t viewtest.T) *viewtest.Cloud {
	c := threeHosts(t)
	c.Network(red, model.VXLAN, 0x64, true)
	c.Network(blue, model.VXLAN, 0xc8, true)
	for i, h := range []string{"host1", "host2", "host3"} {
		c.Carry(h, red, uint16(i+1))
	}
	c.Carry("host1", blue, 7)
	c.Carry("host2", blue, 8)
	c.Bind(portID(1), red, "host1", 1, firstPort, "10.1.0.1", "fd00::1")
	c.Bind(portID(2), red, "host2", 2, 20, "10.1.0.2", "fd00::2")
	c.Bind(portID(3), red, "host3", 3, 20, "10.1.0.3")
	c.Bind(portID(4), blue, "host1", 4, firstPort+1, "10.1.0.1")
	c.Bind(portID(6), red, "host1", 6, firstPort+2, "10.1.0.6")
	c.Bind(portID(5), blue, "host2", 5, 21, "10.1.0.2")
	return c
}

// learning is a GRE network whose MACs nobody tells.
func learning(t viewtest.T) *viewtest.Cloud {
	c := threeHosts(t)
	c.Network(green, model.GRE, 0x12c, false)
	c.Carry("host1", green, 9)
	c.Carry("host2", green, 4)
	c.Bind(portID(1), green, "host1", 1, firstPort, "10.1.0.1")
	c.Bind(portID(2), green, "host1", 2, firstPort+1, "10.1.0.2")
	c.Bind(portID(3), green, "host2", 3, 20, "10.1.0.3")
	return c
}

// provider is a VLAN and a flat network of physnet1.
func provider(t viewtest.T) *viewtest.Cloud {
	c := threeHosts(t)
	c.Network(vlan42, model.VLAN, 42, true)
	c.Network(flat, model.Flat, 0, true)
	c.Carry("host1", vlan42, 5)
	c.Carry("host1", flat, 6)
	c.Carry("host2", vlan42, 5)
	c.Bind(portID(1), vlan42, "host1", 1, firstPort, "10.1.0.1")
	c.Bind(portID(2), flat, "host1", 2, firstPort+1, "10.2.0.1")
	c.Bind(portID(3), vlan42, "host2", 3, 20, "10.1.0.2")
	return c
}

// kernel is tenants on a host whose datapath cannot answer neighbour solicitations.
func kernel(t viewtest.T) *viewtest.Cloud {
	c := tenants(t)
	f := *c.Snapshot().HostFacts("host1")
	f.DatapathType = "system"
	c.Put(&f)
	return c
}

// young is tenants on a host that has not reported any port number but those of its patch ports.
func young(t viewtest.T) *viewtest.Cloud {
	c := tenants(t)
	f := *c.Snapshot().HostFacts("host1")
	f.Ports = map[string]uint32{"patch-tun": patchTun, "patch-int": patchInt}
	c.Put(&f)
	return c
}

// unborn is tenants on a host whose agent has never been heard of.
func unborn(t viewtest.T) *viewtest.Cloud {
	c := tenants(t)
	c.Change(func(tx viewtest.Tx) { tx.Delete(state.HostFacts, "host1") })
	return c
}

// dead is tenants with a port of host1, a port of host2 and the whole blue network down.
func dead(t viewtest.T) *viewtest.Cloud {
	c := tenants(t)
	for _, id := range []string{portID(1), portID(2)} {
		p := *c.Snapshot().Port(id)
		p.AdminStateUp = false
		c.Put(&p)
	}
	n := *c.Snapshot().Network(blue)
	n.AdminStateUp = false
	c.Put(&n)
	return c
}

// unmapped is provider on a host that leads to no physical network.
func unmapped(t viewtest.T) *viewtest.Cloud {
	c := provider(t)
	f := *c.Snapshot().HostFacts("host1")
	f.BridgeMappings = nil
	c.Put(&f)
	return c
}

// geneve is a Geneve network.
func geneve(t viewtest.T) *viewtest.Cloud {
	c := threeHosts(t)
	c.Network(red, model.Geneve, 0x3e8, true)
	c.Carry("host1", red, 1)
	c.Carry("host2", red, 1)
	c.Bind(portID(1), red, "host1", 1, firstPort, "10.1.0.1")
	c.Bind(portID(2), red, "host2", 2, 20, "10.1.0.2")
	return c
}

// scenarios are what golden files, the switch and the contract are held against: always host1.
var scenarios = map[string]func(viewtest.T) *viewtest.Cloud{
	"empty": threeHosts, "tenants": tenants, "learning": learning, "provider": provider, "kernel-datapath": kernel,
	"ports-unknown": young, "agent-unknown": unborn, "dead": dead, "unmapped": unmapped, "geneve": geneve,
}

func eachScenario(t *testing.T, f func(t *testing.T, s state.Snapshot)) {
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		t.Run(name, func(t *testing.T) { f(t, scenarios[name](t).Snapshot()) })
	}
}

// sorted are rows in the order in which people read them.
func sorted(rows []flow.Flow) []flow.Flow {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, flow.Order)
	return rows
}

func TestRowsOfEachScenario(t *testing.T) {
	eachScenario(t, func(t *testing.T, s state.Snapshot) {
		var b strings.Builder
		all := RenderAll(s, "host1")
		for _, bridge := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "# %s\n", bridge)
			for _, f := range sorted(all[bridge]) {
				fmt.Fprintln(&b, f)
			}
		}
		golden(t, filepath.Join("testdata", filepath.Base(t.Name())+".txt"), b.String())
	})
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s is not what is rendered; go test -update writes it (-want +got):\n%s", file, d)
	}
}

// check holds all rows of a host against the contract of flow.Check.
func check(s state.Snapshot, host string) error {
	h, ok := view.ForHost(s, host)
	if !ok {
		return nil
	}
	rows := RenderAll(s, host)
	roles := map[string]string{view.BrInt: view.RoleIntegration, view.BrTun: view.RoleTunnel}
	ports := map[string][]uint32{view.BrInt: {h.PatchTun}, view.BrTun: {h.PatchInt}}
	for _, ph := range h.Physical {
		roles[ph.Bridge] = view.RolePhysical
		ports[ph.Bridge] = []uint32{ph.Phy}
		ports[view.BrInt] = append(ports[view.BrInt], ph.Int)
	}
	for b := range s.BindingsOn(host) {
		ports[view.BrInt] = append(ports[view.BrInt], b.OFPort)
	}
	r := view.HostResources(s, host)
	for _, tun := range r.Tunnels {
		ports[view.BrTun] = append(ports[view.BrTun], tun.OFPort)
	}
	for _, tap := range r.Taps {
		ports[view.BrInt] = append(ports[view.BrInt], tap.OFPort)
	}
	for bridge, role := range roles {
		// 0 stands for a number that is unknown: no row may name it.
		known := slices.DeleteFunc(ports[bridge], func(p uint32) bool { return p == 0 })
		if err := flow.Check(Tables(role), rows[bridge], known); err != nil {
			return fmt.Errorf("%s of %s: %w", bridge, host, err)
		}
	}
	return nil
}

func TestEachScenarioKeepsTheContract(t *testing.T) {
	eachScenario(t, func(t *testing.T, s state.Snapshot) {
		for h := range s.Hosts() {
			if err := check(s, h.ID); err != nil {
				t.Error(err)
			}
		}
	})
}
