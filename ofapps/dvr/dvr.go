// Package dvr is what the bridges that lead out of a host have in common for distributed routers: the router is on many
// hosts at once with one MAC and one address, and each copy must stay on its own host.
//
// What a copy sends leaves with the DVR MAC of its host, which the other hosts know (br-int turns it back); nobody outside
// ever sees the router's own MAC as a source, and so nobody learns it. Questions for its address and packets to its MAC do
// not leave either: the copy at home takes them.
package dvr

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// Match and Set are the fields that Keep's rows match and set.
var (
	Match = []openflow.Field{
		openflow.VlanVID, openflow.EthSrc, openflow.EthDst, openflow.EthType, openflow.ARPOp, openflow.ARPTPA,
		openflow.IPProto, openflow.ICMPv6Type, openflow.ICMPv6Code, openflow.NDTarget,
	}
	Set = []openflow.Field{openflow.EthSrc}
)

// Keep renders the rows, of a table that what comes from br-int meets first, that keep a router on its host. Packets that
// may go on go to next; answers for the router, which br-int sends only for addresses that move between ports, go to
// answers, which must take them to all other hosts of the network: the copy that asked may be there.
func Keep(t, next, answers *flow.Table, h view.Host, r view.RoutedNetwork) []flow.Flow {
	vlan, mac := flow.DlVlan(r.Network.VLAN), r.Port.MAC
	rows := []flow.Flow{
		t.Row(4, vlan, flow.ARP(), flow.ARPOp(flow.ARPReply), flow.DlDst(mac)).Goto(answers),
		t.Row(4, vlan, flow.ICMPv6(flow.NeighborAdvertisement), flow.DlDst(mac)).Goto(answers),
		// Linux gives the interface a link-local address, whether there are others or not, and asks whether it is free: the
		// other copies would say that it is not.
		t.Row(3, vlan, flow.ICMPv6(flow.NeighborSolicitation), flow.NDTarget(r.Port.LinkLocal())).Drop(),
		t.Row(3, vlan, flow.ICMPv6(flow.NeighborAdvertisement), flow.DlSrc(mac), flow.Multicast()).Drop(),
		t.Row(3, vlan, flow.ICMPv6(flow.RouterAdvertisement), flow.DlSrc(mac)).Drop(),
		t.Row(2, vlan, flow.DlDst(mac)).Drop(),
	}
	for _, ip := range r.Port.IPs {
		if ip.Is4() {
			rows = append(rows, t.Row(3, vlan, flow.ARP(), flow.ARPTPA(ip)).Drop())
		} else if ip != r.Port.LinkLocal() {
			rows = append(rows, t.Row(3, vlan, flow.ICMPv6(flow.NeighborSolicitation), flow.NDTarget(ip)).Drop())
		}
	}
	out := t.Row(1, vlan, flow.DlSrc(mac)).Drop()
	if h.DVRMAC != (model.MAC{}) {
		out = t.Row(1, vlan, flow.DlSrc(mac)).Do(flow.SetEthSrc(h.DVRMAC), flow.Goto(next))
	}
	return flow.Owned(flow.Cookie(flow.RouterCookie, r.Port.RouterID), append(rows, out)...)
}
