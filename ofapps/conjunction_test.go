package ofapps

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/test/ovs"
)

// What the rows of remote groups rely on, in a real switch: rows of one priority that overlap, an address with hundreds of
// groups, more than one conjunction that is met, one number in two tables.
func TestConjunctions(t *testing.T) {
	sw := ovs.Start(t)
	sw.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=dummy", "fail_mode=secure")
	h := &realHost{Switch: sw, ports: map[string]string{}}
	for i, name := range []string{"uplink", "vm", "vm2"} {
		h.port("br-int", name, uint32([]int{1, 11, 12}[i]))
	}
	h.number()
	host := view.Host{Name: "host1", PatchTun: 1}
	n := view.Network{ID: "n1", Type: model.VXLAN, VLAN: 1, Up: true}
	tcp, p80, p81 := uint8(6), uint16(80), uint16(81)
	rule := func(id string, ingress bool, port *uint16, remote uint32) view.Rule {
		return view.Rule{ID: id, Ingress: ingress, Protocol: &tcp, Min: port, Max: port, Remote: remote}
	}
	sets := []view.GroupSet{
		{Set: view.Set{Number: 101}, Rules: []view.Rule{
			rule("r1", true, &p80, 1), rule("r2", true, &p81, 2), rule("r3", true, &p80, 3), rule("r4", true, &p80, 400), rule("r5", false, &p81, 1)}},
		{Set: view.Set{Number: 102}, Rules: []view.Rule{rule("r6", true, &p81, 1)}},
	}
	rows := Rows{}
	rows.add("br-int", brint.Host(host, nil))
	for i, gs := range sets {
		p := view.LocalPort{ID: fmt.Sprintf("p%d", i), OFPort: uint32(11 + i), MAC: model.MAC{0xfa, 0x16, 0x3e, 0, 0, byte(1 + i)}, Up: true,
			Security: &view.Security{Set: gs.Set, Senders: []model.Sender{{MAC: model.MAC{0xfa, 0x16, 0x3e, 0, 0, byte(1 + i)}, IP: netip.MustParsePrefix("10.1.0.1/32")}}}}
		rows.add("br-int", brint.GroupSet(gs))
		rows.add("br-int", brint.LocalPort(host, n, p))
		rows.add("br-int", brint.Station(view.Station{Network: n, MAC: p.MAC, Alone: true, Receivers: []view.Receiver{{ID: p.ID, OFPort: p.OFPort, Set: gs.Set}}}))
	}
	group := func(numbers ...uint32) (out []view.RemoteGroup) {
		for _, n := range numbers {
			out = append(out, view.RemoteGroup{ID: fmt.Sprint(n), Number: n, Egress: true, Ingress: true})
		}
		return out
	}
	var many []uint32
	for n := uint32(100); n <= 400; n++ {
		many = append(many, n)
	}
	for _, g := range group(1, 2, 3, 400) {
		rows.add("br-int", brint.RemoteGroup(g))
	}
	for _, r := range []struct {
		block           string
		egress, ingress []uint32
	}{
		{"10.0.0.0/8", nil, []uint32{1}},
		{"10.2.0.0/16", nil, []uint32{2}},
		{"10.2.3.4/32", nil, []uint32{3}},
		{"192.0.2.1/32", nil, many},
		{"192.0.2.2/32", nil, []uint32{1, 3}},
		{"198.51.100.1/32", []uint32{1}, nil},
	} {
		rows.add("br-int", brint.Remote(view.Remote{Prefix: netip.MustParsePrefix(r.block), Egress: group(r.egress...), Ingress: group(r.ingress...)}))
	}
	load(t, sw, rows)

	in := func(dst byte, src, port string) string {
		return from("uplink", m(9), "dl_vlan=1", ipv4(dst, src, "10.1.0.1", toTCP+port))
	}
	out := func(to, port string) string { return from("vm", m(1), ipv4(8, "10.1.0.1", to, toTCP+port)) }
	vm, vm2 := []string{"vm"}, []string{"vm2"}
	for _, c := range []struct {
		name, packet string
		want         []string
	}{
		{"in a block", in(1, "10.9.9.9", "80"), vm},
		{"in a block, by a port of another group's rule", in(1, "10.9.9.9", "81"), nil},
		{"in two blocks, by the narrower one's rule", in(1, "10.2.9.9", "81"), vm},
		{"in two blocks, by the wider one's rule", in(1, "10.2.9.9", "80"), vm},
		{"in three blocks, by the middle one's rule", in(1, "10.2.3.4", "81"), vm},
		{"in three blocks, by rules of the widest and of the narrowest", in(1, "10.2.3.4", "80"), vm},
		{"in no block", in(1, "192.0.2.3", "80"), nil},
		{"in 301 groups, by the rule of the last", in(1, "192.0.2.1", "80"), vm},
		{"in 301 groups, by no rule", in(1, "192.0.2.1", "81"), nil},
		{"in two groups with rules of one port", in(1, "192.0.2.2", "80"), vm},
		{"by another set's rule", in(2, "10.9.9.9", "80"), nil},
		{"by the rule of that set", in(2, "10.9.9.9", "81"), vm2},
		{"egress, by the group's number of the other table", out("10.9.9.9", "81"), nil},
		{"egress, by the rule and the address of this table", out("198.51.100.1", "81"), []string{"uplink", "vm2"}},
		{"ingress, by an address of the other table", in(1, "198.51.100.1", "80"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, h.judge(t, "br-int", c.packet, isNew)); d != "" {
				t.Errorf("%s leaves by (-want +got):\n%s", c.packet, d)
			}
		})
	}
}
