package ofapps

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brex"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/ofapps/brtun"
	"github.com/weft-sdn/weft/ofapps/flow"
)

const documentHead = `# The pipelines

<!-- Generated from the tables in ofapps by go generate ./ofapps/... — do not edit. -->

What ` + "`ovs-ofctl -O OpenFlow13 --no-stats dump-flows`" + ` shows on a host, table by table. The rows below are rendered by the code
that programs the switches, with symbols in the place of values:

| symbol | stands for |
|---|---|
| ` + "`V`" + ` | local VLAN: the network's tag inside this host, 1 to 4094 |
| ` + "`S`" + ` | the network's segment: tunnel key, or the provider's VLAN |
| ` + "`M`" + `, ` + "`IP`" + ` | MAC and address of a port |
| ` + "`CIDR`" + ` | a subnet of a port that has addresses on several subnets with different routers |
| ` + "`OWN_DM`, `PEER_DM`" + ` | DVR MAC of this host, and of another |
| ` + "`GW`, `GW_IP`" + ` | MAC and address of a distributed router's port; ` + "`GW_LL`" + ` its link-local address |
| ` + "`SET`" + ` | number of a set of security groups that ports have; ` + "`STATELESS_SET`" + ` that of stateless ones, with the bit 31 |
| ` + "`G`, `MEMBER`" + ` | number of a security group or address group that rules name, and an address that it has |
| ` + "`LL`, `REMOTE`" + ` | link-local address of a port's MAC; block of addresses that a rule names |
| ` + "`BITS_OUT`, `PACKETS_OUT`, `BITS_IN`, `PACKETS_IN`" + ` | meters of a port for what it sends and hears: four times the port's number, plus 0, 1, 2 and 3; ` + "`DSCP`" + ` the mark of a policy |
| ` + "`PAIR_M`, `PAIR_IP`" + ` | MAC and address of an allowed address pair |
| ` + "`patch-tun`, `vxlan`, `port`" + ` … | OpenFlow number of that port; ` + "`port`" + ` is that of a virtual machine, ` + "`qr`" + ` that of a router's device |

The cookie of a row tells who wanted it: ` + "`0x57`" + `, one byte for the kind that is named here (` + "`network` 0x01, `subnet` 0x02, `port` 0x03, `host` 0x04, `router` 0x05" + `,
` + "`securitygroup` 0x08, `securitygrouprule` 0x09, `addressgroup` 0x0a, `qospolicy` 0x0b, `pipeline` 0x0f, `learned` 0x1f" + `),
and the first 12 hex digits of the object's id; for hosts and pipelines, whose ids are no UUIDs, 48 bits of a hash. ` + "`weft explain COOKIE`" + ` looks it up.

A row that names a port is there only while the host has reported the port's number. Rows of ports and networks that are
down (admin_state_up is false) are not there. What no row takes meets the last row of its table, so that drops are counted.

`

// Values that occur nowhere else in a row.
const (
	docVLAN, docSegment, docProvider = 3001, 0xabcdef, 2002
)

var docSymbols = strings.NewReplacer(
	"dl_vlan=3001", "dl_vlan=V", fmt.Sprintf("set_field:%d->vlan_vid", docVLAN|0x1000), "set_field:V->vlan_vid",
	"dl_vlan=2002", "dl_vlan=S", fmt.Sprintf("set_field:%d->vlan_vid", docProvider|0x1000), "set_field:S->vlan_vid",
	"0xabcdef", "S", "fa:16:3e:aa:aa:aa", "M", "192.0.2.77", "IP", "2001:db8::77", "IP",
	"fa:16:3f:aa:aa:aa", "OWN_DM", "fa:16:3f:bb:bb:bb", "PEER_DM",
	"fa:16:3e:bb:bb:bb", "GW", "fe80::f816:3eff:febb:bbbb", "GW_LL", "192.0.2.1", "GW_IP", "2001:db8::1", "GW_IP",
	"198.51.100.0/24", "CIDR", "2001:db8:1::/64", "CIDR",
	"=9001", "=patch-tun", "=9002", "=int-br-ex", "=9003", "=port", "=9004", "=qr",
	":9001", ":patch-tun", ":9002", ":int-br-ex", ":9003", ":port", ":9004", ":qr",
	"=9011", "=patch-int", ":9011", ":patch-int", "=9012", "=gre", ":9012", ":gre", "=9013", "=vxlan", ":9013", ":vxlan",
	"=9014", "=geneve", "=9021", "=phy-br-ex", ":9021", ":phy-br-ex",
)

var learnedCookie = regexp.MustCompile(`cookie=0x571f[0-9a-f]{12}`)

// example is every row that the pipelines know, with values for docSymbols.
func example() Rows {
	h := view.Host{
		Name: "host", DVRMAC: model.MAC{0xfa, 0x16, 0x3f, 0xaa, 0xaa, 0xaa}, AnswersND: true, PatchTun: 9001, PatchInt: 9011,
		Physical: []view.Physical{{Bridge: "br-ex", Int: 9002, Phy: 9021}},
	}
	peers := []view.Peer{{Name: "peer", DVRMAC: model.MAC{0xfa, 0x16, 0x3f, 0xbb, 0xbb, 0xbb}}}
	mac := model.MAC{0xfa, 0x16, 0x3e, 0xaa, 0xaa, 0xaa}
	ips := []netip.Addr{netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("2001:db8::77")}

	rows := Rows{}
	rows.add(view.BrInt, brint.Host(h, peers))
	rows.add(view.BrTun, brtun.Host(h, peers))
	rows.add("br-ex", brex.Host(h.Physical[0], peers))
	for i, typ := range []string{model.GRE, model.VXLAN, model.Geneve} {
		rows.add(view.BrTun, brtun.Tunnel(view.Tunnel{Type: typ, Remote: "peer", OFPort: uint32(9012 + i)}))
		n := view.Network{ID: "network", Type: typ, Segment: docSegment, VLAN: docVLAN, Up: true}
		rows.add(view.BrTun, brtun.Network(h, n, []uint32{9012, 9013}))
		n.Learn = true
		rows.add(view.BrTun, brtun.Network(h, n, []uint32{9012, 9013}))
	}
	vxlan := view.Network{ID: "network", Type: model.VXLAN, Segment: docSegment, VLAN: docVLAN, Up: true}
	gw := view.RouterPort{ID: "gw", RouterID: "router", MAC: model.MAC{0xfa, 0x16, 0x3e, 0xbb, 0xbb, 0xbb}, Here: true, OFPort: 9004,
		IPs: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}}
	local := view.LocalPort{ID: "port", OFPort: 9003, MAC: mac, IPs: ips, Up: true, Hearers: []view.RouterPort{gw}, Via: []view.Via{
		{To: netip.MustParsePrefix("198.51.100.0/24"), MAC: gw.MAC}, {MAC: gw.MAC},
		{IPv6: true, To: netip.MustParsePrefix("2001:db8:1::/64"), MAC: gw.MAC}, {IPv6: true, MAC: gw.MAC}}}
	routed := func(n view.Network) {
		six := gw
		six.ID, six.IPs = "gw6", gw.IPs[1:]
		four := gw
		four.IPs = gw.IPs[:1]
		rows.add(view.BrInt, brint.Network(h, n, view.Routed{Ports: []view.RouterPort{four, six}}))
		rows.add(view.BrInt, brint.LocalPort(h, n, local))
		rows.add(view.BrInt, brint.Router(h, view.RoutedNetwork{Network: n, Port: gw}))
		rows.add(view.BrTun, brtun.Router(h, view.RoutedNetwork{Network: n, Port: gw}))
		if n.Physical.Bridge != "" {
			rows.add(n.Physical.Bridge, brex.Router(h, view.RoutedNetwork{Network: n, Port: gw}))
		}
	}
	routed(vxlan)
	firewallExample(rows, h, vxlan, local)
	qosExample(rows, h, vxlan, local)
	rows.add(view.BrTun, brtun.LocalPort(vxlan, local))
	rows.add(view.BrTun, brtun.RemotePort(h, vxlan, view.RemotePort{ID: "port", MAC: mac, IPs: ips, Up: true, Tunnel: 9013}))
	for _, typ := range []string{model.VLAN, model.Flat} {
		n := view.Network{ID: "network", Type: typ, Segment: docProvider, VLAN: docVLAN, Up: true, Physical: h.Physical[0]}
		routed(n)
		rows.add("br-ex", brex.Network(n))
	}
	return rows
}

func TestPipelineDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString(documentHead)
	rows := example()
	for _, bridge := range []struct{ name, role, about string }{
		{view.BrInt, view.RoleIntegration, "The ports of virtual machines, br-tun and the physical bridges meet here."},
		{view.BrTun, view.RoleTunnel, "Local VLANs on one side, tunnel keys on the other."},
		{"br-ex", view.RolePhysical, "br-ex, and every other bridge that bridge_mappings name, leads to a physical network. Rows of others on it are left alone."},
	} {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", bridge.name, bridge.about)
		b.WriteString(flow.Markdown(Tables(bridge.role), func(table *flow.Table) []string {
			return symbolic(rows[bridge.name], table.ID)
		}))
	}
	golden(t, filepath.Join("..", "docs", "pipeline.md"), strings.TrimSuffix(b.String(), "\n"))
}

func symbolic(rows []flow.Flow, table uint8) []string {
	var lines []string
	for _, f := range sorted(rows) {
		if f.Table != table {
			continue
		}
		kind, _, _ := flow.ParseCookie(f.Cookie)
		l := learnedCookie.ReplaceAllString(qosSymbols.Replace(firewallSymbols.Replace(docSymbols.Replace(f.Line()))), "cookie=learned")
		l = "cookie=" + kind.String() + ", " + l
		if !slices.Contains(lines, l) {
			lines = append(lines, l)
		}
	}
	return lines
}
