// Package brint is the pipeline of the integration bridge: the ports of virtual machines on one side, br-tun and the
// bridges of physical networks on the other.
//
// Who may talk is said row by row: each live port has its row, and what comes in by any other port is dropped. Within
// the host packets are forwarded by Open vSwitch itself (NORMAL), by the VLAN tags that the agent sets on ports.
//
// What a distributed router of another host has routed comes from that host's DVR MAC, and is given to the port as if the
// router's copy on this host had sent it (docs/decisions/0025).
//
// Every function renders one part of a host's view; together they are the bridge.
package brint

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// Role names the pipeline in the cookies of its base rows.
const Role = "br-int"

// The tables of the integration bridge.
var (
	LocalSwitching = &flow.Table{
		ID: 0, Name: "LocalSwitching", About: "Who may talk at all, and which network a packet from outside belongs to",
		Match: []openflow.Field{
			openflow.InPort, openflow.VlanVID, openflow.EthSrc, openflow.EthDst, openflow.EthType, openflow.ARPOp,
			openflow.IPProto, openflow.ICMPv6Type, openflow.ICMPv6Code,
		},
		Set:  []openflow.Field{openflow.VlanVID, vlan, groups},
		Next: []string{"DvrToSrcMac", "DvrToSrcMacPhysical", "DvrDstMac", "DvrDstMacPhysical", "QosEgress", "Transient", "BaseEgress"},
	}
	DvrToSrcMac         = toSrcMac(1, "DvrToSrcMac", "came by a tunnel")
	DvrToSrcMacPhysical = toSrcMac(2, "DvrToSrcMacPhysical", "came by a physical network", openflow.InPort)
	DvrDstMac           = dstMac(3, "DvrDstMac", "Came by a tunnel")
	DvrDstMacPhysical   = dstMac(4, "DvrDstMacPhysical", "Came by a physical network", openflow.InPort)
	Transient           = &flow.Table{
		ID: 60, Name: "Transient", About: "May go on, and nobody judges who sent it: by the network of the packet",
		Match: []openflow.Field{openflow.VlanVID},
		Set:   []openflow.Field{vlan},
		Next:  []string{"AcceptOrIngress"},
	}
)

// Tables lists the tables of the integration bridge in order.
var Tables = append([]*flow.Table{LocalSwitching, DvrToSrcMac, DvrToSrcMacPhysical, DvrDstMac, DvrDstMacPhysical, QosEgress, Transient},
	append(firewallTables, Apart, BandwidthIngress, PacketRateIngress)...)

func toSrcMac(id uint8, name, came string, more ...openflow.Field) *flow.Table {
	return &flow.Table{
		ID: id, Name: name, About: "Routed by another host, " + came + ": to a port of this host, from the MAC of its own gateway for that family; questions go to all ports",
		Match: append(more, openflow.VlanVID, openflow.EthDst, openflow.EthType, openflow.ARPOp, openflow.IPProto, openflow.ICMPv6Type,
			openflow.ICMPv6Code, openflow.IPv4Dst, openflow.IPv6Dst),
		Set:  []openflow.Field{openflow.VlanVID, openflow.EthSrc, judged},
		Next: []string{"Transient", "Apart"},
	}
}

func dstMac(id uint8, name, came string, more ...openflow.Field) *flow.Table {
	return &flow.Table{
		ID: id, Name: name, About: came + ", for a distributed router on this host that asked from the host's DVR MAC: to the router's device",
		Match: append(more, openflow.VlanVID, openflow.EthDst, openflow.EthType, openflow.ARPTHA, openflow.IPv6Dst),
		Set:   []openflow.Field{openflow.VlanVID, openflow.EthDst},
	}
}

// Host renders the rows that the bridge begins with, and those for DVR MACs.
func Host(h view.Host, peers []view.Peer) []flow.Flow {
	rows := flow.Owned(flow.Cookie(flow.PipelineCookie, Role),
		LocalSwitching.Row(65535, flow.DlVlan(view.DeadVLAN)).Drop(),
		LocalSwitching.Row(0).Drop(),
		DvrToSrcMac.Row(0).Drop(),
		DvrToSrcMacPhysical.Row(0).Drop(),
		DvrDstMac.Row(0).Drop(),
		DvrDstMacPhysical.Row(0).Drop(),
	)
	rows = append(rows, flow.Owned(flow.Cookie(flow.PipelineCookie, Role), firewallBase(h)...)...)
	rows = append(rows, flow.Owned(flow.Cookie(flow.PipelineCookie, Role), qosBase()...)...)
	if h.PatchTun != 0 {
		rows = append(rows, flow.Owned(flow.Cookie(flow.PipelineCookie, Role),
			LocalSwitching.Row(1, flow.InPort(h.PatchTun)).Goto(Transient))...)
		rows = append(rows, dvr(h, peers, h.PatchTun, 2, DvrToSrcMac, DvrDstMac)...)
	}
	for _, ph := range h.Physical {
		if ph.Int != 0 {
			rows = append(rows, dvr(h, peers, ph.Int, 4, DvrToSrcMacPhysical, DvrDstMacPhysical)...)
		}
	}
	return rows
}

// dvr renders what comes in by a port from, or for, a distributed router.
func dvr(h view.Host, peers []view.Peer, port uint32, priority uint16, from, to *flow.Table) []flow.Flow {
	var rows []flow.Flow
	if h.DVRMAC != (model.MAC{}) {
		rows = flow.Owned(flow.Cookie(flow.HostCookie, h.Name),
			LocalSwitching.Row(5, flow.InPort(port), flow.DlDst(h.DVRMAC)).Goto(to))
	}
	for _, p := range peers {
		rows = append(rows, flow.Owned(flow.Cookie(flow.HostCookie, p.Name),
			LocalSwitching.Row(priority, flow.InPort(port), flow.DlSrc(p.DVRMAC)).Goto(from))...)
	}
	return rows
}

// Network renders what turns a provider network's packets from outside into the local VLAN, and what distributed routers
// need on a network. Tunnelled networks come out of br-tun with their local VLAN and need nothing else here.
func Network(h view.Host, n view.Network, r view.Routed) []flow.Flow {
	if !n.Up {
		return nil
	}
	rows := routedNetwork(h, n, r)
	if a, ok := arrivalOf(n); ok && !n.Tunnelled() {
		rows = append(rows, LocalSwitching.Row(3, a.is).Do(then(a.local, flow.Goto(Transient))...))
	}
	return flow.Owned(flow.Cookie(flow.NetworkCookie, n.ID), rows...)
}

// LocalPort renders the row that lets a port of this host talk, those of its own if it is judged, and the rows for
// what distributed routers send it and hear from it. A port that is down has none: what it sends is dropped.
//
// A tag of the port's own choosing is not let in, whatever the port's tag in OVSDB: nobody reaches another network by
// writing its VLAN into his packets.
func LocalPort(h view.Host, n view.Network, p view.LocalPort) []flow.Flow {
	if !p.Up || p.OFPort == 0 {
		return nil
	}
	rows := append([]flow.Flow{sentBy(n, p)}, judgedPort(h, p)...)
	rows = append(rows, routedTo(n, p)...)
	rows = append(rows, heard(h, n, p)...)
	return append(flow.Owned(flow.Cookie(flow.PortCookie, p.ID), rows...), limitedPort(p)...)
}
