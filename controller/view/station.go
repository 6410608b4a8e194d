package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Station is a MAC of a network that frames to judged ports of the host carry: the own one of a port, or one of its
// allowed address pairs, which several ports may have and which is wherever its holder is at the moment.
type Station struct {
	Network Network
	MAC     model.MAC
	// Receivers are the judged ports of this host that frames may be for, ordered by id.
	Receivers []Receiver
	// Alone says that they can be for nobody else, here or on another host: the MAC is the own one of the only receiver.
	Alone bool
}

// Receiver is a port that frames are for if its rules say so.
type Receiver struct {
	ID     string
	OFPort uint32
	Set    Set
}

// StationID is the ID of the part for a MAC on a network.
func StationID(network string, mac model.MAC) string { return network + "/" + mac.String() }

// ForStation looks up a station part. False means that no judged port of the host has the MAC, or that none of them is up
// and has a port number. The cost is the number of ports of the network that may have the MAC.
func ForStation(s state.Snapshot, h Host, id string) (Station, bool) { return Once(s, h).Station(id) }

// Station is as the function ForStation.
func (l *Lookup) Station(id string) (Station, bool) {
	network, text, _ := strings.Cut(id, "/")
	mac, err := model.ParseMAC(text)
	n := l.network(network)
	if err != nil || n == nil {
		return Station{}, false
	}
	out := Station{Network: *n, MAC: mac, Alone: true}
	// Nothing of a network that hangs on its bridges is part of what leads to a station.
	out.Network.Physical = Physical{}
	for p := range l.s.PortsAtStation(network, mac) {
		_, lp, _ := l.port(p.ID)
		if lp == nil || lp.Security == nil || !lp.Up || lp.OFPort == 0 {
			continue
		}
		out.Alone = out.Alone && p.MAC == mac && len(out.Receivers) == 0
		out.Receivers = append(out.Receivers, Receiver{p.ID, lp.OFPort, lp.Security.Set})
	}
	slices.SortFunc(out.Receivers, func(a, b Receiver) int { return cmp.Compare(a.ID, b.ID) })
	return out, len(out.Receivers) > 0
}

// Multicast is where frames for a group, or for all, go on a network with judged ports: those may hear only what their
// rules say, and the bridge by itself would flood to all.
type Multicast struct {
	Network Network
	// Judged are the ports of this host that are judged, by their groups, ordered by number.
	Judged []Hearers
	// Ports are the numbers of all other ports of the network on this host, ascending: what is sent there is not judged.
	Ports []uint32
	// Uplink is the port of br-int that leads to the other hosts, 0 while there is none.
	Uplink uint32
}

// Hearers are ports with the same groups.
type Hearers struct {
	Set Set
	// Ports are ascending.
	Ports []uint32
}

// ForMulticast looks up a multicast part: false when no judged port of the network is on the host, up, and has a port
// number. The cost is the number of the network's ports on the host.
func ForMulticast(s state.Snapshot, h Host, network string) (Multicast, bool) {
	return Once(s, h).Multicast(network)
}

// Multicast is as the function ForMulticast.
func (l *Lookup) Multicast(network string) (Multicast, bool) {
	n := l.network(network)
	if n == nil || !n.Up {
		return Multicast{}, false
	}
	out := Multicast{Network: *n, Uplink: n.Physical.Int}
	if n.Tunnelled() {
		out.Uplink = l.h.PatchTun
	}
	judged := map[Set][]uint32{}
	for b := range l.s.BindingsAt(l.h.Name, network) {
		_, lp, _ := l.port(b.PortID)
		switch {
		case lp == nil || !lp.Up || lp.OFPort == 0:
		case lp.Security != nil:
			judged[lp.Security.Set] = append(judged[lp.Security.Set], lp.OFPort)
		default:
			out.Ports = append(out.Ports, lp.OFPort)
		}
	}
	for _, r := range l.routed(network).here() {
		out.Ports = append(out.Ports, r.OFPort)
	}
	out.Ports = ascending(out.Ports)
	for set, ports := range judged {
		out.Judged = append(out.Judged, Hearers{set, ascending(ports)})
	}
	slices.SortFunc(out.Judged, func(a, b Hearers) int { return a.Set.compare(b.Set) })
	return out, len(judged) > 0
}

func ascending(ports []uint32) []uint32 {
	slices.Sort(ports)
	return slices.Compact(ports)
}
