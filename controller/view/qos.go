package view

import (
	"iter"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// QoS is what a port of this host may send and hear at most, and how what it sends is marked, as far as the host's switch can
// do so.
type QoS struct {
	// Policy is the id of the QoS policy that says so.
	Policy string
	// Egress is for what the port sends, Ingress for what it hears.
	Egress, Ingress Limits
	// Mark says that what the port sends is marked with DSCP.
	Mark bool
	DSCP uint8
}

// Limits are those of one direction; zero where there is none.
type Limits struct {
	// Bits is in kilobits, Packets in packets.
	Bits, Packets Limit
}

// Any says whether there is a limit.
func (l Limits) Any() bool { return l != (Limits{}) }

// Limit is a rate a second, and how much may pass at once after a pause.
type Limit struct{ Rate, Burst uint32 }

// defaultBurst is the part of a rate, in percent, that may pass at once where nobody says how much: with less, TCP does not
// come near the rate.
const defaultBurst = 80

// PolicyOf is the QoS policy in force on a port, or nil. The port's own takes the place of the network's as a whole, and that is
// not in force on ports that Weft makes itself.
func PolicyOf(s state.Snapshot, p *model.Port) *model.QoSPolicy {
	id := p.QoSPolicyID
	if n := s.Network(p.NetworkID); id == "" && n != nil && !model.OwnedByWeft(p.DeviceOwner) {
		id = n.QoSPolicyID
	}
	if id == "" {
		return nil
	}
	return s.QoSPolicy(id)
}

// Limited says whether a QoS policy is in force on a port of this host, whatever the host can do.
func Limited(s state.Snapshot, host, port string) bool {
	b := s.Binding(port)
	if b == nil || b.Host != host {
		return false
	}
	p := s.Port(port)
	return p != nil && PolicyOf(s, p) != nil
}

// qos is what a port of the host is limited to; nil when it is not, or the host's switch cannot limit it.
func qos(s state.Snapshot, h Host, p *model.Port) *QoS {
	policy := PolicyOf(s, p)
	if policy == nil {
		return nil
	}
	q := QoS{Policy: policy.ID}
	for _, r := range policy.Rules {
		limits := &q.Egress
		if r.Direction == model.Ingress {
			limits = &q.Ingress
		}
		switch {
		case r.Type == model.DSCPMarking:
			q.Mark, q.DSCP = true, r.DSCPMark
		case r.Type == model.BandwidthLimit && h.Meters.Kbps:
			// What does not fit into the burst by itself never passes.
			limits.Bits = limit(r.MaxKbps, r.MaxBurstKbps, h.largestFrame(s.Network(p.NetworkID)))
		case r.Type == model.PacketRateLimit && h.Meters.Pktps:
			limits.Packets = limit(1000*r.MaxKpps, 1000*r.MaxBurstKpps, 1)
		}
	}
	if q == (QoS{Policy: policy.ID}) {
		return nil
	}
	return &q
}

func limit(rate, burst, least uint32) Limit {
	if burst == 0 {
		burst = uint32(uint64(rate) * defaultBurst / 100)
	}
	return Limit{rate, max(burst, least)}
}

// largestFrame is how many kilobits the largest frame has that the switch meets. The kernel's datapath meets what a machine
// leaves to the device to take apart, up to 64 KiB.
func (h Host) largestFrame(n *model.Network) uint32 {
	const header, tag = 14, 4
	bytes := 64 << 10
	if h.AnswersND && n != nil {
		bytes = n.MTU + header + tag
	}
	return uint32(bytes*8+999) / 1000
}

// limitsHearing says whether the port that a binding is about may have a limit for what it hears, whatever its host can do.
func limitsHearing(s state.Snapshot, b *model.Binding) bool {
	p := s.Port(b.PortID)
	if p == nil || p.NetworkID != b.NetworkID {
		return false
	}
	policy := PolicyOf(s, p)
	if policy == nil {
		return false
	}
	for _, r := range policy.Rules {
		if r.Direction == model.Ingress {
			return true
		}
	}
	return false
}

// led is the port of a binding if rows of the host lead what is for it there, because it is judged or limited; else nil.
func led(s state.Snapshot, b *model.Binding) *model.Port {
	if p := byRows(s, b); p != nil {
		return p
	}
	if limitsHearing(s, b) {
		return s.Port(b.PortID)
	}
	return nil
}

// policy takes in one change of any kind: bound ports may be limited otherwise than before.
func (a *affected) policy(c state.Change) {
	switch c.Kind {
	case state.Ports:
		o, n := sides[model.Port](c)
		if o != nil && n != nil && o.QoSPolicyID != n.QoSPolicyID {
			a.limited(n.ID)
		}
		a.stationOf(o, n)
	case state.Networks:
		o, n := sides[model.Network](c)
		if o != nil && n != nil && (o.QoSPolicyID != n.QoSPolicyID || o.MTU != n.MTU) {
			a.limitedOf(n.ID)
		}
	case state.QoSPolicies:
		for s := range a.snapshots() {
			for p := range s.PortsWithQoS(c.Key) {
				a.limited(p.ID)
			}
			for n := range s.NetworksWithQoS(c.Key) {
				a.limitedOf(n.ID)
			}
		}
	}
}

// stationOf adds the MACs that one side of a port may have and the other may not, and that are another port's own: whether
// rows lead to that one hangs on whether it is alone.
func (a *affected) stationOf(o, n *model.Port) {
	was, is := claims(o), claims(n)
	for at := range was {
		if !is[at] {
			a.ownerOf(at)
		}
	}
	for at := range is {
		if !was[at] {
			a.ownerOf(at)
		}
	}
}

type station struct {
	network string
	mac     model.MAC
}

// claims are the MACs that a port may have: its own and, if it is judged, those of its allowed address pairs.
func claims(p *model.Port) map[station]bool {
	if p == nil {
		return nil
	}
	out := map[station]bool{{p.NetworkID, p.MAC}: true}
	if p.Secured() {
		for _, mac := range p.Stations() {
			out[station{p.NetworkID, mac}] = true
		}
	}
	return out
}

func (a *affected) ownerOf(at station) {
	for s := range a.snapshots() {
		if p := s.PortByMAC(at.network, at.mac); p != nil {
			if b := s.Binding(p.ID); b != nil && limitsHearing(s, b) {
				a.add(b.Host, StationPart, StationID(at.network, at.mac))
			}
		}
	}
}

func (a *affected) limitedOf(network string) {
	for s := range a.snapshots() {
		for b := range s.BindingsOf(network) {
			a.limited(b.PortID)
		}
	}
}

// limited adds a port on its own host, if some policy was or is in force on it.
func (a *affected) limited(id string) {
	for s := range a.snapshots() {
		b, p := s.Binding(id), s.Port(id)
		if b == nil || p == nil {
			continue
		}
		for t := range a.snapshots() {
			if q := t.Port(id); q != nil && PolicyOf(t, q) != nil {
				a.add(b.Host, PortPart, id)
			}
		}
	}
}

// stations are the MACs by which rows of its host lead to a bound port.
func stations(s state.Snapshot, b *model.Binding, p *model.Port) iter.Seq[model.MAC] {
	return func(yield func(model.MAC) bool) {
		if byRows(s, b) == nil {
			yield(p.MAC)
			return
		}
		for _, mac := range p.Stations() {
			if !yield(mac) {
				return
			}
		}
	}
}
