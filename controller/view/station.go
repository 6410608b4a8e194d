package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Station is a MAC of a network that frames to judged or limited ports of the host carry: the own one of a port, or one of its
// allowed address pairs, which several ports may have and which is wherever its holder is at the moment.
type Station struct {
	Network Network
	MAC     model.MAC
	// Receivers are the judged ports of this host that frames may be for, ordered by id.
	Receivers []Receiver
	// Alone says that they can be for nobody else, here or on another host: the MAC is the own one of the only receiver.
	Alone bool
	// Limited is a port that nobody judges and that is limited in what it hears, if the MAC is its own and nobody else's; there
	// are no receivers then.
	Limited *Receiver
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
	owner := l.s.PortByMAC(network, mac)
	shared := false
	for p := range l.s.PortsAtStation(network, mac) {
		_, lp, _ := l.port(p.ID)
		shared = shared || owner == nil || p.ID != owner.ID
		if lp == nil || lp.Security == nil || !lp.Up || lp.OFPort == 0 {
			continue
		}
		out.Alone = out.Alone && p.MAC == mac && len(out.Receivers) == 0
		out.Receivers = append(out.Receivers, Receiver{p.ID, lp.OFPort, lp.Security.Set})
	}
	slices.SortFunc(out.Receivers, func(a, b Receiver) int { return cmp.Compare(a.ID, b.ID) })
	if len(out.Receivers) > 0 || owner == nil || shared {
		return out, len(out.Receivers) > 0
	}
	if _, lp, _ := l.port(owner.ID); lp != nil && lp.Security == nil && lp.Up && lp.OFPort != 0 && lp.LimitsHearing() {
		out.Limited = &Receiver{ID: owner.ID, OFPort: lp.OFPort}
	}
	return out, out.Limited != nil
}

// Multicast is where frames for a group, or for all, go on a network with judged or limited ports: those may hear only what
// their rules say, or so much, and the bridge by itself would flood to all.
type Multicast struct {
	Network Network
	// Judged are the ports of this host that are judged, by their groups, ordered by number.
	Judged []Hearers
	// Ports are the numbers of all other ports of the network on this host, ascending: what is sent there is not judged. Limited
	// are those that are limited in what they hear, and are not among Ports.
	Ports, Limited []uint32
	// Uplink is the port of br-int that leads to the other hosts, 0 while there is none.
	Uplink uint32
}

// Hearers are ports with the same groups.
type Hearers struct {
	Set Set
	// Ports are ascending. Limited are those that are limited in what they hear, and are not among Ports.
	Ports, Limited []uint32
}

// LimitsHearing says whether any port of the network here is limited in what it hears.
func (m Multicast) LimitsHearing() bool {
	return len(m.Limited) > 0 || slices.ContainsFunc(m.Judged, func(h Hearers) bool { return len(h.Limited) > 0 })
}

// ForMulticast looks up a multicast part: false when no judged or limited port of the network is on the host, up, and has a port
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
	judged := map[Set]Hearers{}
	var others Hearers
	for b := range l.s.BindingsAt(l.h.Name, network) {
		_, lp, _ := l.port(b.PortID)
		switch {
		case lp == nil || !lp.Up || lp.OFPort == 0:
		case lp.Security != nil:
			hs := judged[lp.Security.Set]
			hs.add(lp)
			judged[lp.Security.Set] = hs
		default:
			others.add(lp)
		}
	}
	for _, r := range l.routed(network).here() {
		others.Ports = append(others.Ports, r.OFPort)
	}
	out.Ports, out.Limited = ascending(others.Ports), ascending(others.Limited)
	for set, hs := range judged {
		out.Judged = append(out.Judged, Hearers{set, ascending(hs.Ports), ascending(hs.Limited)})
	}
	slices.SortFunc(out.Judged, func(a, b Hearers) int { return a.Set.compare(b.Set) })
	return out, len(judged) > 0 || out.LimitsHearing()
}

func (h *Hearers) add(p *LocalPort) {
	if p.LimitsHearing() {
		h.Limited = append(h.Limited, p.OFPort)
	} else {
		h.Ports = append(h.Ports, p.OFPort)
	}
}

func ascending(ports []uint32) []uint32 {
	slices.Sort(ports)
	return slices.Compact(ports)
}
