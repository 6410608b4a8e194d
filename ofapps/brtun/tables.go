// Package brtun is the pipeline of the tunnel bridge: local VLANs on one side, tunnel keys on the other.
//
// Its tables have the numbers and the meaning that operators know from Neutron (seed 004). What differs is written down
// in docs/decisions: known addresses are answered here whether they are remote or local, the switch learns only on
// networks whose ports nobody tells it, and neighbour solicitations are answered as ARP requests are.
//
// Every function renders one part of a host's view; together they are the bridge.
package brtun

import (
	"github.com/weft-sdn/weft/ofapps/dvr"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// Role names the pipeline in the cookies of its base rows.
const Role = "br-tun"

// The tables of the tunnel bridge.
var (
	Classify = &flow.Table{
		ID: 0, Name: "Classify", About: "Where a packet comes from: br-int, or a tunnel of which type",
		Match: []openflow.Field{openflow.InPort},
		Next:  []string{"DvrProcess", "GreTunToLv", "VxlanTunToLv", "GeneveTunToLv"},
	}
	DvrProcess = &flow.Table{
		ID: 1, Name: "DvrProcess", About: "Distributed routers stay on their host: what they send leaves from the host's DVR MAC, questions and packets for them do not leave, and answers for an address that moves between ports go to all their copies",
		Match: dvr.Match,
		Set:   dvr.Set,
		Next:  []string{"PatchLvToTun", "FloodToTun"},
	}
	PatchLvToTun = &flow.Table{
		ID: 2, Name: "PatchLvToTun", About: "From br-int: for one station, for a group, or a question for an address",
		Match: []openflow.Field{openflow.EthType, openflow.EthDst, openflow.IPProto, openflow.ICMPv6Type, openflow.ICMPv6Code},
		Next:  []string{"UcastToTun", "ArpResponder", "FloodToTun"},
	}
	GreTunToLv    = tunToLv(3, "GreTunToLv", "GRE")
	VxlanTunToLv  = tunToLv(4, "VxlanTunToLv", "VXLAN")
	GeneveTunToLv = tunToLv(6, "GeneveTunToLv", "Geneve")
	DvrNotLearn   = &flow.Table{
		ID: 9, Name: "DvrNotLearn", About: "What another host's distributed routers sent goes to br-int and is not learned",
		Match: []openflow.Field{openflow.EthSrc},
		Next:  []string{"LearnFromTun"},
	}
	LearnFromTun = &flow.Table{
		ID: 10, Name: "LearnFromTun", About: "Everything from tunnels goes to br-int; on networks without l2_population it is learned which tunnel a MAC is behind",
		Match:  []openflow.Field{openflow.VlanVID},
		Learns: []string{"UcastToTun"},
	}
	UcastToTun = &flow.Table{
		ID: 20, Name: "UcastToTun", About: "A known MAC leaves by the one tunnel to its host; learned rows have priority 1",
		Match: []openflow.Field{openflow.VlanVID, openflow.EthDst},
		Set:   []openflow.Field{openflow.VlanVID, openflow.TunID},
		Next:  []string{"FloodToTun"},
	}
	ArpResponder = &flow.Table{
		ID: 21, Name: "ArpResponder", About: "A question for a known address does not leave the host: the address of another host's port is answered here (neighbour solicitations on the userspace datapath only), that of a port of this host by the port",
		Match: []openflow.Field{
			openflow.VlanVID, openflow.EthType, openflow.ARPOp, openflow.ARPSPA, openflow.ARPTPA,
			openflow.IPProto, openflow.ICMPv6Type, openflow.ICMPv6Code, openflow.NDTarget, openflow.NDOptionsType,
		},
		Set: []openflow.Field{
			openflow.EthSrc, openflow.EthDst, openflow.ARPOp, openflow.ARPSHA, openflow.ARPTHA, openflow.ARPSPA, openflow.ARPTPA,
			openflow.IPv6Src, openflow.IPv6Dst, openflow.ICMPv6Type, openflow.NDOptionsType, openflow.NDReserved,
		},
		Next: []string{"FloodToTun", "NdAnswer"},
	}
	FloodToTun = &flow.Table{
		ID: 22, Name: "FloodToTun", About: "Everything else goes to each host that carries the network",
		Match: []openflow.Field{openflow.VlanVID},
		Set:   []openflow.Field{openflow.VlanVID, openflow.TunID},
	}
	NdAnswer = &flow.Table{
		ID: 23, Name: "NdAnswer", About: "A neighbour solicitation that table 21 has turned into an advertisement gets its link-layer address",
		Match: []openflow.Field{openflow.EthType, openflow.IPProto, openflow.ICMPv6Type, openflow.ICMPv6Code},
		Set:   []openflow.Field{openflow.NDTLL},
	}
)

// Tables lists the tables of the tunnel bridge in order.
var Tables = []*flow.Table{
	Classify, DvrProcess, PatchLvToTun, GreTunToLv, VxlanTunToLv, GeneveTunToLv, DvrNotLearn, LearnFromTun,
	UcastToTun, ArpResponder, FloodToTun, NdAnswer,
}

func tunToLv(id uint8, name, kind string) *flow.Table {
	return &flow.Table{
		ID: id, Name: name, About: "From " + kind + ": the tunnel key becomes the local VLAN; keys of networks that are not here are dropped",
		Match: []openflow.Field{openflow.TunID},
		Set:   []openflow.Field{openflow.VlanVID},
		Next:  []string{"DvrNotLearn"},
	}
}
