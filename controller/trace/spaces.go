package trace

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
)

// space is a namespace, and the device by which a packet comes in.
type space struct {
	name, device string
	// router is the one that the namespace is of, or nil.
	router *model.Router
}

// Beginnings of the names of devices in namespaces (docs/decisions/0037); what follows is the beginning of a port's id, or of a
// router's for the pair between a router and the fip namespace.
const (
	devRouter, devGateway, devSnat, devExternal, devDHCP = "qr-", "qg-", "sg-", "fg-", "ns-"
	devToFIP, devToRouter                                = "rfp-", "fpr-"
	routerPart                                           = 10
)

// spaceOf is the namespace behind a port of Weft's own.
func (w *walk) spaceOf(p *model.Port) (space, bool) {
	r := w.s.Router(p.DeviceID)
	id := strings.TrimPrefix(view.TapName(p.ID), "tap")
	switch p.DeviceOwner {
	case model.OwnerDistributedInterface, model.OwnerRouterInterface:
		return space{"qrouter-" + p.DeviceID, devRouter + id, r}, r != nil
	case model.OwnerCentralizedSNAT:
		return space{"snat-" + p.DeviceID, devSnat + id, r}, r != nil
	case model.OwnerRouterGateway:
		if r != nil && r.Distributed {
			return space{"snat-" + p.DeviceID, devGateway + id, r}, true
		}
		return space{"qrouter-" + p.DeviceID, devGateway + id, r}, r != nil
	case model.OwnerFIPGateway:
		return space{"fip-" + p.NetworkID, devExternal + id, nil}, true
	case model.OwnerDHCP:
		return space{"qdhcp-" + p.NetworkID, devDHCP + id, nil}, true
	}
	return space{}, false
}

// isIn says whether a port is that of a device in a namespace.
func (w *walk) isIn(p *model.Port, at space) bool {
	its, ours := w.spaceOf(p)
	return ours && its.name == at.name
}

// portByDevice is the port whose id is in a device's name after a prefix, or nil.
func (w *walk) portByDevice(name, prefix string) *model.Port {
	id, ok := strings.CutPrefix(name, prefix)
	if !ok || len(id) < len("01234567-89") {
		return nil
	}
	for o := range w.s.ByIDPrefix(state.Ports, id) {
		return o.(*model.Port)
	}
	return nil
}

// route asks a host's kernel what becomes of the packet in a namespace.
func (w *walk) route(host string, at space) stage {
	return func() stage {
		l := Leg{Host: host, Place: at.name}
		next := look(host, at.name)
		if w.metadata(at) {
			l.Text = "the metadata service answers"
			w.leg(l)
			return w.end(Delivered, host, at.name, "", "the metadata service in %s of %s answers", at.name, host)
		}
		before := w.packet
		translated := w.destination(host, at)
		if translated != "" {
			l.Notes = append(l.Notes, told("nat: destination", before.Dst, w.packet.Dst, translated))
		}
		a, err := w.hosts.Route(w.ctx, host, report.RouteQuestion{Namespace: at.name, Device: at.device, Src: w.packet.Src, Dst: w.packet.Dst})
		if err != nil {
			return w.lost(host, at.name, err)
		}
		switch a.Kind {
		case report.RouteLocal:
			l.Text = fmt.Sprintf("%v is its own address", w.packet.Dst)
			w.leg(l)
			if d := w.req.Destination; d != nil && !w.isIn(d, at) {
				return w.end(Dropped, host, at.name, next, "%s of %s keeps it: %v is its own address", at.name, host, w.packet.Dst)
			}
			return w.end(Delivered, host, at.name, "", "to %v, an address of %s on %s", w.packet.Dst, at.name, host)
		case report.RouteForward:
		default:
			l.Text = a.Message
			w.leg(l)
			return w.end(Dropped, host, at.name, next, "%s of %s drops it: %s", at.name, host, a.Message)
		}
		if w.ttl <= 1 {
			w.leg(l)
			return w.end(Dropped, host, at.name, next, "its time to live is over")
		}
		w.ttl--
		l.Text = fmt.Sprintf("route by %s to %v, dev %s, ttl %d→%d", tableName(a.Table), a.Via, a.Device, w.ttl+1, w.ttl)
		before = w.packet
		if why := w.source(host, at, a.Device, translated != ""); why != "" {
			l.Notes = append(l.Notes, told("nat: source", before.Src, w.packet.Src, why))
		}
		if len(l.Notes) > 0 {
			if stop, over := w.verify(host, at, &l); over {
				w.leg(l)
				return stop
			}
		}
		return w.onward(host, at, a, w.leg(l))
	}
}

// look is the command that shows a namespace.
func look(host, namespace string) string {
	prefix, id, _ := strings.Cut(namespace, "-")
	return fmt.Sprintf("weft ns %s %s-%s", host, prefix, id[:min(8, len(id))])
}

// verify looks whether the rules that translate are in the namespace. over: some are not, and so nobody knows what becomes of the
// packet.
func (w *walk) verify(host string, at space, l *Leg) (stop stage, over bool) {
	ns, err := w.hosts.Namespace(w.ctx, host, at.name)
	if err != nil {
		return w.lost(host, at.name, err), true
	}
	missing := 0
	for _, line := range ns.Lines {
		if line.Section == "iptables" && line.State == report.Missing {
			missing++
		}
	}
	if missing > 0 {
		return w.end(Unknown, host, at.name, look(host, at.name)+" --diff", "%s on %s should translate its addresses, but lacks %d rules of iptables", at.name, host, missing), true
	}
	l.Notes = append(l.Notes, "the rules of iptables that translate are there")
	return nil, false
}

func told(what string, from, to netip.Addr, why string) string {
	return fmt.Sprintf("%s %v → %v, %s", what, from, to, why)
}

// tableName names a routing table (linux/rtnetlink.h).
func tableName(n uint32) string {
	switch n {
	case 0, 254:
		return "table main"
	case 255:
		return "table local"
	}
	return fmt.Sprintf("table %d", n)
}

// onward goes on where a device leads: into another namespace, or to br-int.
func (w *walk) onward(host string, at space, a report.RouteAnswer, l *Leg) stage {
	if a.Neighbour != "" {
		l.Text += fmt.Sprintf(", neighbour %s %s", a.Neighbour, a.NeighbourState)
	}
	if id, ok := strings.CutPrefix(a.Device, devToFIP); ok && at.router != nil && at.router.Gateway != nil {
		return w.route(host, space{"fip-" + at.router.Gateway.NetworkID, devToRouter + id, nil})
	}
	if id, ok := strings.CutPrefix(a.Device, devToRouter); ok {
		for o := range w.s.ByIDPrefix(state.Routers, id) {
			r := o.(*model.Router)
			return w.route(host, space{"qrouter-" + r.ID, devToFIP + r.ID[:min(routerPart, len(r.ID))], r})
		}
	}
	var p *model.Port
	for _, prefix := range []string{devRouter, devGateway, devSnat, devExternal, devDHCP} {
		if p == nil {
			p = w.portByDevice(a.Device, prefix)
		}
	}
	if p == nil {
		return w.end(Unknown, host, at.name, look(host, at.name), "it leaves %s of %s by %s, which is no device of ours", at.name, host, a.Device)
	}
	w.network, w.ethSrc, w.vlan = p.NetworkID, a.DeviceMAC, 0
	if stop, over := w.neighbour(host, at, a, l); over {
		return stop
	}
	return w.bridge(host, report.TraceQuestion{Bridge: view.BrInt, InPort: view.TapName(p.ID)})
}

// neighbour finds out to which MAC the namespace sends. over: to none.
func (w *walk) neighbour(host string, at space, a report.RouteAnswer, l *Leg) (stop stage, over bool) {
	who, mac := w.station(w.network, a.Via)
	n := w.s.Network(w.network)
	if a.Neighbour != "" {
		w.ethDst = a.Neighbour
		switch {
		case who != nil && mac == a.Neighbour:
			w.aim = w.aimAt(who, host)
		default:
			if who != nil {
				l.Notes = append(l.Notes, fmt.Sprintf("%v is known there as %s, and %s has %s", a.Via, a.Neighbour, called(who), mac))
			}
			w.aim = w.aimAt(w.portByMAC(a.Neighbour), host)
		}
		return nil, false
	}
	next := look(host, at.name)
	switch {
	case who != nil:
		w.ethDst, w.aim = mac, w.aimAt(who, host)
		l.Text += fmt.Sprintf(", neighbour not known yet (%s)", a.NeighbourState)
		l.Notes = append(l.Notes, fmt.Sprintf("it asks for the MAC of %v first; traced with %s, that of %s", a.Via, mac, called(who)))
	case len(w.mayHave(w.network, a.Via)) > 1:
		return w.shared(host, at.name, a.Via), true
	case n == nil || model.Tunnelled(n.Type):
		return w.end(Dropped, host, at.name, next, "nobody on network %s has the address %v: %s of %s asks for its MAC, and gets no answer", networkName(n), a.Via, at.name, host), true
	default:
		w.ethDst, w.aim = nobodysMAC, aim{}
		l.Text += fmt.Sprintf(", neighbour not known yet (%s)", a.NeighbourState)
		l.Notes = append(l.Notes, fmt.Sprintf("it asks for the MAC of %v first, on the physical network of %s; traced with %s instead", a.Via, networkName(n), nobodysMAC))
	}
	return nil, false
}

// portByMAC is the port of the packet's network with a MAC, or nil.
func (w *walk) portByMAC(text string) *model.Port {
	mac, err := model.ParseMAC(text)
	if err != nil {
		return nil
	}
	return w.s.PortByMAC(w.network, mac)
}
