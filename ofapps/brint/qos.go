package brint

import (
	"slices"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// The tables of limits. What a port may send is counted where it comes in, before anything is judged; what it may hear where
// it goes out, after everything is.
var (
	QosEgress = &flow.Table{
		ID: 59, Name: "QosEgress", About: "What a port sends is within its limit of packets, and is marked",
		Match: []openflow.Field{openflow.InPort, openflow.EthType},
		Set:   []openflow.Field{openflow.IPDSCP},
		Next:  []string{"Transient", "BaseEgress"},
	}
	Apart = &flow.Table{
		ID: 95, Name: "Apart", About: "For a port that is limited in what it hears: without a tag, and what is dropped now ends no other copy",
		Match: []openflow.Field{openflow.VlanVID},
		Set:   []openflow.Field{openflow.VlanVID, spare},
		Next:  []string{"BandwidthIngress"},
	}
	BandwidthIngress = &flow.Table{
		ID: 96, Name: "BandwidthIngress", About: "What a port hears is within its limit of bits",
		Match: []openflow.Field{judged},
		Next:  []string{"PacketRateIngress"},
	}
	PacketRateIngress = &flow.Table{
		ID: 97, Name: "PacketRateIngress", About: "What a port hears is within its limit of packets, and goes out",
		Match: []openflow.Field{judged},
	}
)

// spare is a register that nobody reads.
const spare = openflow.Reg3

// Which of a port's meters; see meter.
const (
	bitsSent uint32 = iota
	packetsSent
	bitsHeard
	packetsHeard
	metersPerPort
)

// meter is the number of a meter of a port: there is no other with that number, for port numbers are unique on the bridge. The
// largest, of port 0xfeff, is less than the 262,144 meters that Open vSwitch has at most.
func meter(port, which uint32) uint32 { return port*metersPerPort + which }

// Meters are those that rows of the port name.
func Meters(p view.LocalPort) []flow.Meter {
	if p.QoS == nil || !p.Up || p.OFPort == 0 {
		return nil
	}
	var out []flow.Meter
	for which, l := range []view.Limit{p.QoS.Egress.Bits, p.QoS.Egress.Packets, p.QoS.Ingress.Bits, p.QoS.Ingress.Packets} {
		if l.Rate != 0 {
			w := uint32(which)
			out = append(out, flow.Meter{ID: meter(p.OFPort, w), Packets: w == packetsSent || w == packetsHeard, Rate: l.Rate, Burst: l.Burst})
		}
	}
	return out
}

// metered begins the actions of a row that counts for one of the port's limits, if there is one.
func metered(p view.LocalPort, l view.Limit, which uint32) []openflow.Action {
	if l.Rate == 0 {
		return nil
	}
	return []openflow.Action{flow.Metered(meter(p.OFPort, which))}
}

// qosBase are the rows that all limited ports share.
func qosBase() []flow.Flow {
	apart := []openflow.Action{flow.Apart(spare.Range(0, 0)), flow.Goto(BandwidthIngress)}
	return []flow.Flow{
		QosEgress.Row(0).Drop(),
		Apart.Row(1, flow.Tagged()).Do(slices.Insert(slices.Clone(apart), 0, flow.PopVLAN())...),
		Apart.Row(0).Do(apart...),
		BandwidthIngress.Row(0).Goto(PacketRateIngress),
		PacketRateIngress.Row(0).Drop(),
	}
}

// limitsSending says whether what the port sends is limited or marked.
func limitsSending(p view.LocalPort) bool { return p.QoS != nil && (p.QoS.Egress.Any() || p.QoS.Mark) }

// limitSent begins the row of what the port sends.
func limitSent(p view.LocalPort) []openflow.Action {
	if p.QoS == nil {
		return nil
	}
	return metered(p, p.QoS.Egress.Bits, bitsSent)
}

// afterLocal is where what the port sends goes from table 0.
func afterLocal(p view.LocalPort) *flow.Table {
	if p.QoS != nil && (p.QoS.Egress.Packets.Rate != 0 || p.QoS.Mark) {
		return QosEgress
	}
	return judgedOrNot(p)
}

func judgedOrNot(p view.LocalPort) *flow.Table {
	if p.Security != nil {
		return BaseEgress
	}
	return Transient
}

// limitedPort renders what a port with a QoS policy has for itself.
func limitedPort(p view.LocalPort) []flow.Flow {
	if p.QoS == nil {
		return nil
	}
	var rows []flow.Flow
	if afterLocal(p) == QosEgress {
		in := flow.InPort(p.OFPort)
		first, on := metered(p, p.QoS.Egress.Packets, packetsSent), flow.Goto(judgedOrNot(p))
		if p.QoS.Mark {
			marked := then(first, flow.SetDSCP(p.QoS.DSCP), on)
			rows = append(rows, QosEgress.Row(2, in, flow.IP()).Do(marked...), QosEgress.Row(2, in, flow.IPv6()).Do(marked...))
		}
		rows = append(rows, QosEgress.Row(1, in).Do(then(first, on)...))
	}
	if p.LimitsHearing() {
		to := flow.Reg(judged, p.OFPort)
		if p.Security == nil {
			rows = append(rows, Forward.Row(15, to).Goto(Apart))
		}
		if l := p.QoS.Ingress.Bits; l.Rate != 0 {
			rows = append(rows, BandwidthIngress.Row(1, to).Do(then(metered(p, l, bitsHeard), flow.Goto(PacketRateIngress))...))
		}
		rows = append(rows, PacketRateIngress.Row(1, to).Do(then(metered(p, p.QoS.Ingress.Packets, packetsHeard), flow.Output(p.OFPort))...))
	}
	return flow.Owned(flow.Cookie(flow.QoSPolicyCookie, p.QoS.Policy), rows...)
}

// limited are copies for ports that are limited in what they hear.
func limited(ports []uint32) []openflow.Action {
	var out []openflow.Action
	for _, p := range ports {
		out = append(out, flow.Copy(Apart, flow.SetReg(judged, p)))
	}
	return out
}

// limitedFlood renders where frames for a group, or for all, go that nobody judges, on a network with ports that are limited
// in what they hear: the bridge by itself would flood to these as well. It still learns from such frames where their senders
// are.
func limitedFlood(m view.Multicast) []flow.Flow {
	if !m.LimitsHearing() {
		return nil
	}
	ports, limitedPorts := slices.Clone(m.Ports), slices.Clone(m.Limited)
	for _, h := range m.Judged {
		ports, limitedPorts = append(ports, h.Ports...), append(limitedPorts, h.Limited...)
	}
	slices.Sort(ports)
	slices.Sort(limitedPorts)
	mine := flow.And(flow.Reg(phase, 0), flow.Reg(vlan, uint32(m.Network.VLAN)))
	rows := []flow.Flow{Forward.Row(13, mine, flow.LinkReserved()).Do(flow.Normal())}
	return append(rows, flood(m, 12, flow.And(mine, flow.Multicast()), []openflow.Action{learn}, ports, limitedPorts)...)
}

// learn has the bridge learn where the sender is and do no more: a frame for its own sender goes nowhere.
var learn = openflow.Clone{Actions: []openflow.Action{flow.Move(openflow.EthSrc, openflow.EthDst), flow.Normal()}}
