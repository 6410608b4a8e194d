package brtun

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// Host renders the rows that the bridge begins with, and those for the other hosts' DVR MACs.
func Host(h view.Host, peers []view.Peer) []flow.Flow {
	rows := []flow.Flow{
		Classify.Row(0).Drop(),
		DvrProcess.Row(0).Goto(PatchLvToTun),
		PatchLvToTun.Row(1, flow.ARP(), flow.DlDst(flow.Broadcast)).Goto(ArpResponder),
		PatchLvToTun.Row(1, flow.ICMPv6(flow.NeighborSolicitation), flow.SolicitedNode()).Goto(ArpResponder),
		PatchLvToTun.Row(0, flow.Unicast()).Goto(UcastToTun),
		PatchLvToTun.Row(0, flow.Multicast()).Goto(FloodToTun),
		GreTunToLv.Row(0).Drop(),
		VxlanTunToLv.Row(0).Drop(),
		GeneveTunToLv.Row(0).Drop(),
		DvrNotLearn.Row(0).Goto(LearnFromTun),
		UcastToTun.Row(0).Goto(FloodToTun),
		ArpResponder.Row(0).Goto(FloodToTun),
		FloodToTun.Row(0).Drop(),
		NdAnswer.Row(0).Drop(),
	}
	if h.AnswersND {
		rows = append(rows, finishNA())
	}
	if h.PatchInt == 0 {
		// Nothing can reach br-int yet.
		return flow.Owned(flow.Cookie(flow.PipelineCookie, Role), append(rows, LearnFromTun.Row(0).Drop())...)
	}
	rows = flow.Owned(flow.Cookie(flow.PipelineCookie, Role), append(rows,
		Classify.Row(1, flow.InPort(h.PatchInt)).Goto(DvrProcess),
		LearnFromTun.Row(0).Do(flow.Output(h.PatchInt)),
	)...)
	for _, p := range peers {
		rows = append(rows, flow.Owned(flow.Cookie(flow.HostCookie, p.Name),
			DvrNotLearn.Row(1, flow.DlSrc(p.DVRMAC)).Do(flow.Output(h.PatchInt)))...)
	}
	return rows
}

// Tunnel renders the row that lets a tunnel's packets in.
func Tunnel(t view.Tunnel) []flow.Flow {
	if t.OFPort == 0 {
		return nil
	}
	return flow.Owned(flow.Cookie(flow.HostCookie, t.Remote), Classify.Row(1, flow.InPort(t.OFPort)).Goto(fromTun(t.Type)))
}

// fromTun is the table for packets out of a tunnel of a type.
func fromTun(networkType string) *flow.Table {
	switch networkType {
	case model.GRE:
		return GreTunToLv
	case model.Geneve:
		return GeneveTunToLv
	}
	return VxlanTunToLv
}
