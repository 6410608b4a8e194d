package brtun

import (
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// learnedFor is how long a MAC that was learned stays so, in seconds: Neutron's value, which is also the default of Open
// vSwitch's own MAC table.
const learnedFor = 300

// Network renders the rows of a network: its key in, its flood list out. A provider network has none here.
func Network(h view.Host, n view.Network, flood []uint32) []flow.Flow {
	if !n.Tunnelled() || !n.Up {
		return nil
	}
	rows := []flow.Flow{
		fromTun(n.Type).Row(1, flow.TunID(n.Segment)).Do(flow.PushVLAN(), flow.SetVLAN(n.VLAN), flow.Goto(DvrNotLearn)),
	}
	if len(flood) > 0 {
		out := []openflow.Action{flow.PopVLAN(), flow.SetTunID(n.Segment)}
		for _, port := range flood {
			out = append(out, flow.Output(port))
		}
		rows = append(rows, FloodToTun.Row(1, flow.DlVlan(n.VLAN)).Do(out...))
	}
	if n.Learn && h.PatchInt != 0 {
		rows = append(rows, LearnFromTun.Row(1, flow.DlVlan(n.VLAN)).Do(learn(n), flow.Output(h.PatchInt)))
	}
	return flow.Owned(flow.Cookie(flow.NetworkCookie, n.ID), rows...)
}

// learn teaches the switch, from a packet out of a tunnel, a row of UcastToTun for its source MAC.
//
// The rows belong to the row that learned them: when that goes, because the network leaves the host or changes its VLAN,
// the switch removes them at once (delete_learned). Else a VLAN that is given to another tenant's network would still lead
// into the tunnel key of the first.
func learn(n view.Network) openflow.Action {
	return openflow.Learn{
		Table: UcastToTun.ID, Priority: 1, HardTimeout: learnedFor,
		Cookie: flow.Cookie(flow.LearnedCookie, n.ID), Flags: openflow.LearnDeleteLearned,
		Specs: []openflow.LearnSpec{
			openflow.MatchField(openflow.VlanTCI.Range(0, 11), openflow.VlanTCI.Range(0, 11)),
			openflow.MatchField(openflow.EthDst.Whole(), openflow.EthSrc.Whole()),
			openflow.LoadValue(0, openflow.VlanTCI.Whole()),
			openflow.LoadField(openflow.TunID.Whole(), openflow.TunID.Whole()),
			openflow.OutputField(openflow.InPort.Whole()),
		},
	}
}

// Stands says whether a row that the switch has learned is one that it may have: of the network as it is, into a tunnel that is there.
//
// delete_learned is not enough for that. Open vSwitch counts the last packets that went by a path some time after they did, and
// then learns from them again, even what has just been removed (ofproto_flow_mod_learn_refresh).
func Stands(h view.Host, n view.Network, row flow.Flow) bool {
	if !n.Learn || !n.Up || row.Table != UcastToTun.ID || row.Cookie != flow.Cookie(flow.LearnedCookie, n.ID) {
		return false
	}
	for _, f := range row.Match {
		if f.Field == openflow.VlanVID && uint16(f.Uint())&vlanID != n.VLAN {
			return false
		}
	}
	for _, a := range row.Actions {
		if out, ok := a.(openflow.Output); ok && !h.HasTunnelPort(n.Type, out.Port) {
			return false
		}
	}
	return true
}

// vlanID are the bits of VLAN_VID that are the VLAN's number.
const vlanID = 0x0fff
