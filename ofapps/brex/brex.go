// Package brex is the pipeline of a bridge that leads to a physical network: br-ex, or any other that is mapped.
//
// The bridge is shared with its owner, who may have an address on it and rows of his own: what does not come from br-int
// is forwarded as if we were not there.
//
// Every function renders one part of a host's view; together they are the bridge.
package brex

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/dvr"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// Role names the pipeline in the cookies of its base rows.
const Role = "physical"

// The tables of a physical bridge.
var (
	Classify = &flow.Table{
		ID: 0, Name: "Classify", About: "Where a packet comes from: br-int, or the physical network",
		Match: []openflow.Field{openflow.InPort},
		Next:  []string{"DvrProcessPhysical", "DvrNotLearnPhysical"},
	}
	DvrProcess = &flow.Table{
		ID: 1, Name: "DvrProcessPhysical", About: "Distributed routers stay on their host: what they send leaves from the host's DVR MAC, questions and packets for them do not leave, and answers for an address that moves between ports go to all their copies",
		Match: dvr.Match,
		Set:   dvr.Set,
		Next:  []string{"LvToSegment"},
	}
	LvToSegment = &flow.Table{
		ID: 2, Name: "LvToSegment", About: "From br-int: the local VLAN becomes the provider's; networks that are not of this bridge are dropped",
		Match: []openflow.Field{openflow.VlanVID},
		Set:   []openflow.Field{openflow.VlanVID},
	}
	DvrNotLearn = &flow.Table{
		ID: 3, Name: "DvrNotLearnPhysical", About: "From outside: what another host's distributed routers sent goes to br-int and is not learned; the rest is forwarded by MAC and VLAN",
		Match: []openflow.Field{openflow.EthSrc},
	}
)

// Tables lists the tables of a physical bridge in order.
var Tables = []*flow.Table{Classify, DvrProcess, LvToSegment, DvrNotLearn}

// Host renders the rows that the bridge begins with, and those for the other hosts' DVR MACs.
func Host(ph view.Physical, peers []view.Peer) []flow.Flow {
	rows := flow.Owned(flow.Cookie(flow.PipelineCookie, Role),
		Classify.Row(0).Goto(DvrNotLearn),
		DvrProcess.Row(0).Goto(LvToSegment),
		LvToSegment.Row(0).Drop(),
		DvrNotLearn.Row(0).Do(flow.Normal()),
	)
	if ph.Phy == 0 {
		return rows
	}
	rows = append(rows, flow.Owned(flow.Cookie(flow.PipelineCookie, Role),
		Classify.Row(1, flow.InPort(ph.Phy)).Goto(DvrProcess))...)
	for _, p := range peers {
		rows = append(rows, flow.Owned(flow.Cookie(flow.HostCookie, p.Name),
			DvrNotLearn.Row(1, flow.DlSrc(p.DVRMAC)).Do(flow.Output(ph.Phy)))...)
	}
	return rows
}

// Network renders what turns the local VLAN of one of the bridge's networks into the provider's VLAN, or takes it off for
// a flat network. All else that comes from br-int is dropped: local VLANs mean nothing outside the host.
func Network(n view.Network) []flow.Flow {
	if n.Tunnelled() || !n.Up {
		return nil
	}
	to := flow.SetVLAN(uint16(n.Segment))
	if n.Type == model.Flat {
		to = flow.PopVLAN()
	}
	return flow.Owned(flow.Cookie(flow.NetworkCookie, n.ID), LvToSegment.Row(1, flow.DlVlan(n.VLAN)).Do(to, flow.Normal()))
}

// Router renders the rows that keep a distributed router on its host, for one of its networks that the bridge leads to.
func Router(h view.Host, r view.RoutedNetwork) []flow.Flow {
	return dvr.Keep(DvrProcess, LvToSegment, LvToSegment, h, r)
}
