package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
)

// way is one of those by which a packet leaves a host's bridges.
type way struct {
	output
	// port is what it leaves by; nil when the switch does not tell of it.
	port *swPort
	// to is the host at the other end of a tunnel.
	to string
	// wire: the port leads to a physical network.
	wire bool
}

func (o way) String() string {
	switch {
	case o.tunnel != nil && o.to != "":
		return "the tunnel to " + o.to
	case o.tunnel != nil:
		return "the tunnel to " + o.tunnel.dst.String()
	case o.port == nil:
		return fmt.Sprintf("port %d of the datapath", o.output.port)
	}
	return o.port.name
}

// bridge asks a host's switch what becomes of the packet.
func (w *walk) bridge(host string, q report.TraceQuestion) stage {
	return func() stage {
		q.EthSrc, q.EthDst, q.VLAN = w.ethSrc, w.ethDst, w.vlan
		q.Src, q.Dst, q.Protocol, q.TTL = w.packet.Src, w.packet.Dst, w.packet.Protocol, w.ttl
		q.SrcPort, q.DstPort = w.packet.SrcPort, w.packet.DstPort
		if isICMP(w.packet) {
			q.SrcPort, q.DstPort = uint16(w.packet.Type), uint16(w.packet.Code)
		}
		a, err := w.hosts.Trace(w.ctx, host, q)
		if err != nil {
			return w.lost(host, q.Bridge, err)
		}
		s, err := parse(a.Text)
		if err != nil {
			return w.lost(host, q.Bridge, err)
		}
		ports, err := parsePorts(a.Ports)
		if err != nil {
			return w.lost(host, q.Bridge, err)
		}
		return w.leave(host, q, s, w.ways(host, s, ports))
	}
}

// lost is the end of a way that a host does not tell of.
func (w *walk) lost(host, place string, err error) stage {
	return w.end(Unknown, host, place, "weft describe host "+host, "what becomes of it in %s of %s could not be found out: %s", place, host, strings.TrimPrefix(err.Error(), "host "+host+": "))
}

// ways are all by which the packet leaves, each once.
func (w *walk) ways(host string, s said, ports []swPort) []way {
	physical := map[string]bool{}
	if h, ok := view.ForHost(w.s, host); ok {
		for _, ph := range h.Physical {
			physical[ph.Bridge] = true
		}
	}
	var out []way
	for _, o := range s.outputs() {
		x := way{output: o, port: byDatapath(ports, o.port)}
		switch {
		case o.tunnel != nil:
			x.to = w.tunnelHost(o)
			if o.tunnel.kind == "" && x.port != nil {
				o.tunnel.kind = x.port.kind
			}
		case x.port != nil:
			if x.port.number == local && (physical[x.port.bridge] || x.port.bridge == view.BrInt || x.port.bridge == view.BrTun) {
				continue // the host itself, which hears what is flooded
			}
			x.wire = physical[x.port.bridge]
		}
		if !slices.ContainsFunc(out, func(y way) bool { return y.String() == x.String() }) {
			out = append(out, x)
		}
	}
	return out
}

func (w *walk) tunnelHost(o output) string {
	for h := range w.s.Hosts() {
		if v, ok := view.ForHost(w.s, h.ID); ok && v.TunnelIP.IsValid() && v.TunnelIP.Unmap() == o.tunnel.dst.Unmap() {
			return h.ID
		}
	}
	return ""
}

// choose takes the one way that leads to who is to get the packet, or the only one there is, if it leads on: what another port hears of
// a frame that is not for it, it does not take.
func (w *walk) choose(host string, ways []way) (way, bool) {
	for _, leads := range []func(way) bool{
		func(o way) bool {
			return w.aim.port != nil && w.aim.host == host && !o.wire && o.tunnel == nil && o.port != nil && w.isPort(host, o.port.name, w.aim.port)
		},
		func(o way) bool { return w.aim.port != nil && o.tunnel != nil && o.to != "" && o.to == w.aim.host },
		func(o way) bool { return o.wire && (w.aim.port == nil || w.aim.host != host) },
	} {
		if i := slices.IndexFunc(ways, leads); i >= 0 {
			return ways[i], true
		}
	}
	if len(ways) == 1 && (w.aim.port == nil || ways[0].tunnel != nil || ways[0].wire || ways[0].port == nil) {
		return ways[0], true
	}
	return way{}, false
}

// leave adds the leg, and goes on by the way that leads to who is to get the packet.
func (w *walk) leave(host string, q report.TraceQuestion, s said, ways []way) stage {
	o, ok := w.choose(host, ways)
	steps := s.steps
	if ok || w.aim.host == host {
		steps = onTheWay(s.steps, q.Bridge, o)
	}
	l := w.leg(Leg{Host: host, Place: places(steps), Text: w.path(steps), Steps: steps})
	if note := trouble(steps); note != "" {
		l.Notes = append(l.Notes, "the switch says: "+note)
	}
	if !ok {
		return w.nowhere(host, q, s, ways)
	}
	if len(ways) > 1 {
		var others []string
		for _, x := range ways {
			if x.String() != o.String() {
				others = append(others, x.String())
			}
		}
		l.Notes = append(l.Notes, "flooded: it also goes to "+several(others))
	}
	w.frameHead = o.frameHead
	switch {
	case o.tunnel != nil:
		if o.to == "" {
			return w.end(Unknown, host, view.BrTun, "weft get hosts", "it leaves by a tunnel to %v, which is no host's tunnel address", o.tunnel.dst)
		}
		l.Text += fmt.Sprintf("; %s %d to %s", o.tunnel.kind, o.tunnel.key, o.to)
		return w.fromTunnel(host, o)
	case o.wire:
		l.Text += "; out by " + o.port.name
		if o.vlan != 0 {
			l.Text += fmt.Sprintf(", VLAN %d", o.vlan)
		}
		return w.toWire(host, o)
	case o.port == nil:
		return w.end(Unknown, host, q.Bridge, "", "it leaves by %v, which is no port that the switch tells of", o)
	}
	l.Text += "; to " + o.port.name
	return w.arrive(host, o.port.name)
}

func (w *walk) fromTunnel(from string, o way) stage {
	h, _ := view.ForHost(w.s, from)
	there, _ := view.ForHost(w.s, o.to)
	return w.bridge(o.to, report.TraceQuestion{Bridge: view.BrTun, InPort: view.TunnelName(o.tunnel.kind, h.TunnelIP),
		Tunnel: &report.Encapsulation{Key: o.tunnel.key, Src: h.TunnelIP.Unmap(), Dst: there.TunnelIP.Unmap()}})
}

// toWire goes on where the physical network leads to the host of who is to get the packet.
func (w *walk) toWire(host string, o way) stage {
	if w.aim.port == nil {
		return w.end(Left, host, o.port.bridge, "", "by %s of %s on %s, from %v to %v", o.port.name, o.port.bridge, host, w.packet.Src, w.packet.Dst)
	}
	to := w.aim.host
	if to == "" {
		return w.end(Dropped, host, o.port.bridge, describe(w.aim.port), "it leaves by %s, and %s is bound to no host", o.port.name, called(w.aim.port))
	}
	bridge := w.physical(to)
	if bridge == "" {
		return w.end(Dropped, to, "", "weft get hosts -o wide", "it leaves %s by %s, and %s has no bridge to that physical network", host, o.port.name, to)
	}
	a, err := w.hosts.Trace(w.ctx, to, report.TraceQuestion{Bridge: bridge})
	if err != nil {
		return w.lost(to, bridge, err)
	}
	ports, err := parsePorts(a.Ports)
	if err != nil {
		return w.lost(to, bridge, err)
	}
	in := wires(ports, bridge)
	switch len(in) {
	case 0:
		return w.end(Dropped, to, bridge, "weft interfaces "+to, "it leaves %s by %s, and %s of %s has no port that leads to the physical network", host, o.port.name, bridge, to)
	case 1:
	default:
		return w.end(Unknown, to, bridge, "", "it leaves %s by %s; by which of %s it comes into %s of %s is not known here", host, o.port.name, strings.Join(in, ", "), bridge, to)
	}
	return w.bridge(to, report.TraceQuestion{Bridge: bridge, InPort: in[0]})
}

// physical is the bridge of a host that leads to the physical network of the packet's network; empty: none.
func (w *walk) physical(host string) string {
	n := w.s.Network(w.network)
	if n == nil {
		return ""
	}
	return view.PhysicalBridge(w.s, host, n.PhysicalNetwork)
}

// onTheWay leaves out what has become of copies that are not followed, and the underlay.
func onTheWay(steps []Step, first string, o way) []Step {
	keep := map[string]bool{first: true, view.BrInt: true}
	if o.tunnel != nil {
		keep[view.BrTun] = true
	} else if o.wire {
		keep[o.port.bridge] = true
	}
	return slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return !keep[s.Bridge] })
}

// places are the bridges, in the order in which they were met.
func places(steps []Step) string {
	var out []string
	for _, s := range steps {
		if !slices.Contains(out, s.Bridge) {
			out = append(out, s.Bridge)
		}
	}
	return strings.Join(out, "→")
}

// path names the tables that did something for this packet in particular, and the last of each bridge.
func (w *walk) path(steps []Step) string {
	var out strings.Builder
	last := ""
	for i, s := range steps {
		kind, _, ours := flow.ParseCookie(s.Cookie)
		decides := i == len(steps)-1 || steps[i+1].Bridge != s.Bridge || steps[i+1].refused()
		if !decides && (s.Trivial() || ours && kind == flow.PipelineCookie) {
			continue
		}
		if last != "" && last != s.Bridge {
			out.WriteString(" | ")
		} else if last != "" {
			out.WriteString("→")
		}
		last = s.Bridge
		out.WriteString(w.names.Table(s.Bridge, s.Table))
	}
	return out.String()
}

// trouble is what the switch says of a packet that it cannot send.
func trouble(steps []Step) string {
	for _, s := range steps {
		for _, n := range s.Notes {
			if s.warned || strings.Contains(n, "dropping") || strings.Contains(n, "failed") || strings.Contains(n, "cache miss") {
				return n
			}
		}
	}
	return ""
}

func several(words []string) string {
	const most = 4
	if n := len(words) - most; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), n)
	}
	return strings.Join(words, ", ")
}

// isPort says whether a port of br-int is that of a port of a network.
func (w *walk) isPort(host, name string, p *model.Port) bool {
	at := w.portAt(host, name)
	return at != nil && at.ID == p.ID
}

// portAt is the port behind a port of br-int, or nil.
func (w *walk) portAt(host, name string) *model.Port {
	for b := range w.s.BindingsOn(host) {
		if b.Interface == name {
			return w.s.Port(b.PortID)
		}
	}
	return w.portByDevice(name, "tap")
}
