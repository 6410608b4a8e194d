package trace

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/policy"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
)

// Hosts are asked what they do with a packet.
type Hosts interface {
	// Trace tells what the tables of a host's switch do with a packet, now.
	Trace(ctx context.Context, host string, q report.TraceQuestion) (report.TraceAnswer, error)
	// Route tells what the kernel of a host does with a packet in a namespace, now.
	Route(ctx context.Context, host string, q report.RouteQuestion) (report.RouteAnswer, error)
	// Namespace compares a namespace of a host with what it should be, now.
	Namespace(ctx context.Context, host, namespace string) (report.Namespace, error)
}

// Request is a packet that begins a conversation, and who sends it.
type Request struct {
	// Source is bound to a host, and may send from the packet's source address.
	Source *model.Port
	// Destination is who is to get it; nil when only the address is known.
	Destination *model.Port
	Packet      policy.Packet
}

// Names tells people what numbers mean.
type Names struct {
	// Table is the name of a bridge's table, or its number.
	Table func(bridge string, table uint8) string
	// Owner is who wanted a row with a cookie: `network "blue" (…)`, or "".
	Owner func(cookie uint64) string
}

// Verdicts.
const (
	// Delivered: to the destination.
	Delivered = "DELIVERED"
	// Left: to the outside, by a physical network.
	Left = "LEFT"
	// Dropped: it ends on the way.
	Dropped = "DROPPED"
	// Unknown: it could not be followed to its end.
	Unknown = "UNKNOWN"
)

// Result is the way of a packet, and where it ended.
type Result struct {
	Legs    []Leg
	Verdict string
	// Text says where it ended, and why.
	Text        string
	Host, Place string
	// Next is a command to type next; it may be empty.
	Next string
	// To is the port that it was delivered to; nil when it was not, or to none.
	To *model.Port
}

// Leg is the way through the bridges of a host, or through one namespace.
type Leg struct {
	Host, Place string
	// Text is what happened there, in one line.
	Text  string
	Steps []Step
	Notes []string
}

// maxLegs is how long a way may be. From a machine to a floating IP of another host there are eight.
const maxLegs = 16

// timeToLive is what machines mostly begin with (RFC 1700).
const timeToLive = 64

// walk is a packet under way.
type walk struct {
	ctx   context.Context
	s     state.Snapshot
	hosts Hosts
	names Names
	req   Request

	packet policy.Packet
	ttl    uint8
	frameHead
	// network is the one in which the packet is, and aim who is to get it there.
	network string
	aim     aim
	out     Result
}

// aim is the station of a network that a frame is for.
type aim struct {
	// port is nil for a station that is nobody's port: somebody outside.
	port *model.Port
	// host is where it is; empty when that is not known.
	host string
}

// stage is what comes next; nil: the end.
type stage func() stage

// Follow follows a packet to its end.
func Follow(ctx context.Context, s state.Snapshot, hosts Hosts, names Names, req Request) Result {
	w := &walk{ctx: ctx, s: s, hosts: hosts, names: names, req: req, packet: req.Packet, ttl: timeToLive}
	for next := w.begin(); next != nil; next = next() {
		if len(w.out.Legs) >= maxLegs {
			at := w.out.Legs[len(w.out.Legs)-1]
			w.end(Unknown, at.Host, at.Place, "", "it has gone %d legs, and is not there yet: it seems to go in circles", maxLegs)
			break
		}
	}
	return w.out
}

// end is the end of the way.
func (w *walk) end(verdict, host, place, next, format string, args ...any) stage {
	w.out.Verdict, w.out.Host, w.out.Place, w.out.Next, w.out.Text = verdict, host, place, next, fmt.Sprintf(format, args...)
	return nil
}

func (w *walk) leg(l Leg) *Leg {
	w.out.Legs = append(w.out.Legs, l)
	return &w.out.Legs[len(w.out.Legs)-1]
}

// begin has the source send the packet: to who has the destination's address on its own network, or to a router.
func (w *walk) begin() stage {
	p := w.req.Source
	b := w.s.Binding(p.ID)
	if b == nil {
		return w.end(Dropped, "", "", describe(p), "%s is bound to no host: nothing can leave it", called(p))
	}
	w.network, w.ethSrc = p.NetworkID, p.MAC.String()
	if b.Firewalled {
		if stop, over := w.judgeBridge(b, p, true); over {
			return stop
		}
	}
	if stop, over := w.firstHop(b.Host, p); over {
		return stop
	}
	return w.bridge(b.Host, report.TraceQuestion{Bridge: view.BrInt, InPort: b.Interface})
}

// firstHop finds whom the source sends the frame to. over: to nobody.
func (w *walk) firstHop(host string, p *model.Port) (stop stage, over bool) {
	to, direct := w.nextHop(p)
	place := "port " + short(p)
	if !to.IsValid() {
		return w.end(Dropped, host, place, "weft get subnets", "%s has no way to %v: it is not on its subnet, which has no gateway", called(p), w.packet.Dst), true
	}
	who, mac := w.station(p.NetworkID, to)
	n := w.s.Network(p.NetworkID)
	switch {
	case who != nil && who.ID == p.ID:
		return w.end(Dropped, host, place, describe(p), "%v is its own address on network %s: the packet does not leave it", to, networkName(n)), true
	case who != nil:
		w.ethDst, w.aim = mac, w.aimAt(who, host)
	case len(w.mayHave(p.NetworkID, to)) > 1:
		return w.shared(host, place, to), true
	case n == nil || model.Tunnelled(n.Type):
		if direct {
			return w.end(Dropped, host, place, "weft get ports --network "+networkName(n), "nobody on network %s has the address %v: who asks for its MAC gets no answer", networkName(n), to), true
		}
		return w.end(Dropped, host, place, "weft router add-subnet --help", "no router is on the subnet of %v: its gateway, %v, is nobody's address on network %s", w.packet.Src, to, networkName(n)), true
	default:
		// Somebody outside has it, or nobody.
		w.ethDst, w.aim = nobodysMAC, aim{}
		w.out.Legs = append(w.out.Legs, Leg{Host: host, Place: place, Text: fmt.Sprintf("sends to %v, which is no port's address here: somebody on the physical network of %s may have it; traced with the MAC %s instead of his",
			to, networkName(n), nobodysMAC)})
	}
	return nil, false
}

// shared is the end of a way to an address that several ports may have.
func (w *walk) shared(host, place string, ip netip.Addr) stage {
	var who []string
	for _, a := range w.mayHave(w.network, ip) {
		who = append(who, called(a.port))
	}
	return w.end(Unknown, host, place, "", "%v may be had by %s (allowed address pairs): who of them has it now is not known here; trace to one of them by its name", ip, several(who))
}

// nobodysMAC stands for that of a station that is not known here. It is locally administered.
const nobodysMAC = "02:00:00:00:00:01"

// nextHop is whom a machine sends to: the destination itself, if it is on a subnet of its port, else the router that its subnet's
// routes, or the gateway, name. The zero Addr: to nobody.
func (w *walk) nextHop(p *model.Port) (to netip.Addr, direct bool) {
	dst := w.packet.Dst
	var own *model.Subnet
	for _, f := range p.FixedIPs {
		sub := w.s.Subnet(f.SubnetID)
		if sub == nil || sub.CIDR.Addr().Is4() != dst.Is4() {
			continue
		}
		if sub.CIDR.Contains(dst) {
			return dst, true
		}
		if own == nil || f.IP == w.packet.Src {
			own = sub
		}
	}
	if own == nil {
		return netip.Addr{}, false
	}
	best := -1
	to = own.GatewayIP
	for _, r := range own.HostRoutes {
		if r.Destination.Contains(dst) && r.Destination.Bits() > best {
			best, to = r.Destination.Bits(), r.NextHop
		}
	}
	return to, false
}

// station is the port that answers for an address on a network, with the MAC that it answers with; nil when there is none.
func (w *walk) station(network string, ip netip.Addr) (*model.Port, string) {
	for f := range w.s.FloatingIPsByAddress(ip) {
		if f.FloatingNetworkID == network {
			if by := w.floatingPort(f); by != nil {
				return by, by.MAC.String()
			}
			return nil, ""
		}
	}
	if p := w.s.PortByIP(network, ip); p != nil {
		return p, p.MAC.String()
	}
	if may := w.mayHave(network, ip); len(may) == 1 {
		return may[0].port, may[0].mac
	}
	return nil, ""
}

// allowed is a port that may have an address by an allowed address pair, and the MAC that it then has.
type allowed struct {
	port *model.Port
	mac  string
}

func (w *walk) mayHave(network string, ip netip.Addr) []allowed {
	var out []allowed
	for p := range w.s.PortsOf(network) {
		for _, a := range p.Senders() {
			if a.IP.Contains(ip) && !model.OwnedByWeft(p.DeviceOwner) {
				out = append(out, allowed{p, a.MAC.String()})
				break
			}
		}
	}
	return out
}

// floatingPort is the port of a namespace that answers for a floating IP.
func (w *walk) floatingPort(f *model.FloatingIP) *model.Port {
	at, ok := view.FloatingIPPlace(w.s, f)
	if ok && at.In == view.PlaceFIP {
		for p := range w.s.PortsOfDevice(at.Host) {
			if p.DeviceOwner == model.OwnerFIPGateway && p.NetworkID == f.FloatingNetworkID {
				return p
			}
		}
	}
	r := w.s.Router(f.RouterID)
	if r == nil || r.Gateway == nil || !ok && f.PortID != "" {
		return nil
	}
	return w.s.Port(r.Gateway.PortID)
}

// aimAt is where a port is, for a frame that is on a host. A distributed router is wherever it is asked for.
func (w *walk) aimAt(p *model.Port, here string) aim {
	if p == nil {
		return aim{}
	}
	if p.DeviceOwner == model.OwnerDistributedInterface {
		return aim{p, here}
	}
	if b := w.s.Binding(p.ID); b != nil {
		return aim{p, b.Host}
	}
	return aim{port: p}
}

// owns says whether an address is a port's own, or one of its allowed address pairs.
func owns(p *model.Port, ip netip.Addr) bool {
	for _, s := range p.Senders() {
		if s.IP.Contains(ip) {
			return true
		}
	}
	return false
}

// short is what people call a port, and what leads to it on a command line.
func short(p *model.Port) string {
	if p.Name != "" && !strings.ContainsAny(p.Name, " '\"") {
		return p.Name
	}
	return p.ID[:min(8, len(p.ID))]
}

func called(p *model.Port) string { return "port " + short(p) }

func describe(p *model.Port) string { return "weft describe port " + short(p) }

func networkName(n *model.Network) string {
	switch {
	case n == nil:
		return "(gone)"
	case n.Name != "":
		return n.Name
	}
	return n.ID[:min(8, len(n.ID))]
}
