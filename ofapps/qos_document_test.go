package ofapps

import (
	"strings"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
)

// qosSymbols take the place of the numbers of meters, of port 9003, and of a mark.
var qosSymbols = strings.NewReplacer("meter:36012", "meter:BITS_OUT", "meter:36013", "meter:PACKETS_OUT", "meter:36014", "meter:BITS_IN",
	"meter:36015", "meter:PACKETS_IN", "set_field:46->ip_dscp", "set_field:DSCP->ip_dscp")

// qosExample adds every row that limits know.
func qosExample(rows Rows, h view.Host, n view.Network, p view.LocalPort) {
	n.Physical = view.Physical{}
	some := view.Limits{Bits: view.Limit{Rate: 1000, Burst: 800}, Packets: view.Limit{Rate: 1000, Burst: 800}}
	p.QoS = &view.QoS{Policy: "policy", Egress: some, Ingress: some, Mark: true, DSCP: 46}
	set := view.Set{Number: 9101}
	for _, s := range []*view.Security{nil, {Set: set}} {
		p.Security = s
		rows.add(view.BrInt, brint.LocalPort(h, n, p))
	}
	rows.add(view.BrInt, brint.Station(view.Station{Network: n, MAC: p.MAC, Limited: &view.Receiver{ID: "port", OFPort: p.OFPort}}))
	rows.add(view.BrInt, brint.Multicast(h, view.Multicast{Network: n, Judged: []view.Hearers{{Set: set, Limited: []uint32{p.OFPort}}},
		Ports: []uint32{9004}, Limited: []uint32{p.OFPort}, Uplink: h.PatchTun}))
}
