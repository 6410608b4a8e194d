package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weft-sdn/weft/nsagent/namespaces"
	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/ovsdb"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// tapDevice is a device of a namespace's port on the integration bridge, by its name: whose it is, and which resource
// wants it.
type tapDevice struct{ portID, resource string }

// spaces are the resources that ask for something in namespaces.
func (h *held) spaces() map[string]plan.Resource {
	out := map[string]plan.Resource{}
	for name, w := range h.wants {
		if r := spaceOf(w); r != nil {
			out[name] = r
		}
	}
	return out
}

// spaceOf is what a wanted thing asks for in namespaces; nil for what the database holds.
func spaceOf(w any) plan.Resource {
	switch w := w.(type) {
	case ovsdb.Bridge, ovsdb.TunnelPort, ovsdb.Binding:
		return nil
	case plan.Resource:
		return w
	}
	return nil
}

// devices are the devices that resources want on the integration bridge. The map is not to be changed.
func (h *held) devices() map[string]tapDevice {
	if h.taps != nil {
		return h.taps
	}
	h.taps = map[string]tapDevice{}
	for name, w := range h.wants {
		add := func(ds ...plan.Device) {
			for _, d := range ds {
				h.taps[plan.Tap(d.PortID)] = tapDevice{d.PortID, name}
			}
		}
		switch r := w.(type) {
		case *plan.Router:
			for _, i := range r.Interfaces {
				add(i.Device)
			}
			if r.Gateway != nil {
				add(r.Gateway.Device)
			}
		case *plan.Snat:
			add(r.Gateway.Device)
			add(r.Interfaces...)
		case *plan.FipNamespace:
			add(r.Device)
		case *plan.DHCP:
			add(r.Device)
		case *plan.PortFirewall:
			h.taps[plan.OuterOf(r.PortID)] = tapDevice{r.PortID, name}
		}
	}
	return h.taps
}

// wantSpaces tells the keeper of namespaces what is desired. It does its work aside; nothing here waits for it.
func (a *Agent) wantSpaces() { a.spaces.Set(a.held.spaces(), a.held.complete) }

// keepSpaces runs the keeper of namespaces. Where there can be none, those who need some are told by its report; bridges
// and tunnels are another matter.
func (a *Agent) keepSpaces(ctx context.Context) {
	defer a.close()
	if err := a.spaces.Run(ctx); err != nil {
		a.log.Error("no namespace can be kept on this host", "err", err)
	}
}

// desired is what the database must hold: what the resources say, and the devices of namespaces. One that does not exist
// yet, or not any more for a moment, is no reason to take its port away.
func (a *Agent) desired() ovsdb.Desired {
	d := a.held.desired()
	exists := make(map[string]bool, len(a.report.Devices))
	for _, t := range a.report.Devices {
		exists[t.Name] = true
	}
	taps := a.held.devices()
	for _, name := range slices.Sorted(maps.Keys(taps)) {
		if a.held.bridged(taps[name].resource) {
			// It is there with the machine, of which the report tells; as long as nobody has looked, it stays.
			if r := taps[name].resource; !exists[name] && (a.report.Stale || a.report.Pending[r] || a.report.Problems[r] != namespaces.Problem{}) {
				d.Plugs = append(d.Plugs, ovsdb.Plug{Interface: name, PortID: taps[name].portID, Absent: true})
			}
			continue
		}
		d.Plugs = append(d.Plugs, ovsdb.Plug{Interface: name, PortID: taps[name].portID, Absent: !exists[name]})
	}
	for _, t := range a.report.Devices {
		if t.Instead != "" {
			d.Plugs = append(d.Plugs, ovsdb.Plug{Interface: t.Name, PortID: t.PortID, MAC: t.MAC, Instead: t.Instead, Lent: t.Lent})
		}
	}
	return d
}

// bridged says whether a resource is a firewall bridge.
func (h *held) bridged(resource string) bool {
	_, is := h.wants[resource].(*plan.PortFirewall)
	return is
}

// owner is the resource that a change or problem is about, as the controller knows it: of a plug, the one that wants it.
func (a *Agent) owner(resource string) string {
	if tap, ok := ovsdb.Plugged(resource); ok {
		if d, ok := a.held.devices()[tap]; ok {
			return d.resource
		}
	}
	return resource
}

// judgeSpaces notes which resources are not true in their namespaces, and gives problems of plugs to who wants them.
func (a *Agent) judgeSpaces() {
	for r, p := range a.problem {
		if to := a.owner(r); to != r {
			delete(a.problem, r)
			if _, other := a.problem[to]; !other {
				p.Resource, p.Field = to, ""
				a.problem[to] = p
			}
		}
	}
	a.judgeReport(a.report)
}

func (a *Agent) judgeReport(rep namespaces.Report) {
	for r, p := range rep.Problems {
		if a.held.wants[r] != nil {
			a.problem[r] = ovsdb.Problem{Resource: r, Field: p.Field, Reason: p.Reason, Message: p.Message}
		}
	}
	for r, w := range a.held.wants {
		if _, other := a.problem[r]; !other && (rep.Pending[r] || (rep.Stale && spaceOf(w) != nil)) {
			a.problem[r] = ovsdb.Problem{Resource: r, Reason: ovsdb.NotApplied, Message: "its namespace is still being worked on"}
		}
	}
}

// ours says whether a binding's interface is a device of ours, which comes when its namespace is built, or when its machine has been
// put into its firewall bridge. It does not come without the machine.
func (a *Agent) ours(resource string) bool {
	b, ok := a.held.wants[resource].(ovsdb.Binding)
	if !ok {
		return false
	}
	d, ok := a.held.devices()[b.Interface]
	if ok && a.held.bridged(d.resource) {
		return a.report.Stale || a.report.Pending[d.resource] ||
			slices.ContainsFunc(a.report.Devices, func(d namespaces.Device) bool { return d.Name == b.Interface })
	}
	return ok
}

// tellPlugged tells the keeper which devices the integration bridge holds: it deletes one only when its port is gone. Those that
// are bound lead somewhere: they are worth an announcement.
func (a *Agent) tellPlugged(st *ovsdb.State) {
	names, bound := map[string]bool{}, map[string]bool{}
	for name, i := range st.Interfaces(a.cfg.IntegrationBridge) {
		names[name] = true
		if i.Bound {
			bound[name] = true
		}
	}
	if a.bound == nil || !maps.Equal(a.bound, bound) {
		a.bound = bound
		a.spaces.Bound(maps.Clone(bound))
	}
	if a.plugged == nil || !maps.Equal(a.plugged, names) {
		a.plugged = names
		a.spaces.Unplugged(maps.Clone(names))
	}
}

// replug makes the switch listen to devices that were made again, under the names of some that it had open.
func (a *Agent) replug(ctx context.Context, st *ovsdb.State, plugs []ovsdb.Plug) {
	names := st.Deaf(plugs)
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, transactTimeout)
	defer cancel()
	a.log.Info("ports are plugged in again, because their devices are others now", "interfaces", names)
	if err := a.db.Replug(ctx, st, names); err != nil {
		a.log.Warn("ports were not plugged in again", "interfaces", names, "err", err)
	}
	a.met.transactions.Add(2)
}

// forgetPlugs forgets that devices were true which are wanted no more: if they are wanted again, that is no drift.
func (a *Agent) forgetPlugs() {
	taps := a.held.devices()
	for r := range a.settled {
		if tap, ok := ovsdb.Plugged(r); ok && taps[tap].portID == "" {
			delete(a.settled, r)
		}
	}
}

// spaceNotice takes a notice of the keeper of namespaces, whose goroutines must not wait for the loop.
func (a *Agent) spaceNotice(n namespaces.Notice) {
	message := n.Message
	if n.Namespace != "" {
		message = n.Namespace + ": " + message
	}
	a.tell(event{log: "namespace", reason: n.Reason, resource: n.Resource, message: message, drift: n.Reason == namespaces.DriftRepaired})
}

const (
	// describeTimeout bounds a look at what somebody asks about.
	describeTimeout = 10 * time.Second
	// maxAsks is how many questions of people are answered at the same time.
	maxAsks = 4
)

// answerAsk looks, aside, at what is asked for, and tells whoever asked.
func (a *Agent) answerAsk(ctx context.Context, s *stream, ask *nodev1.Ask) {
	reply := func(n *nodev1.Answer) {
		n.Nonce = ask.GetNonce()
		s.send(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Answer{Answer: n}})
	}
	select {
	case a.asks <- struct{}{}:
	default:
		reply(&nodev1.Answer{Error: fmt.Sprintf("this host is asked %d things already; try again", maxAsks)})
		return
	}
	a.asked.Go(func() {
		defer func() { <-a.asks }()
		ctx, cancel := context.WithTimeout(ctx, describeTimeout)
		defer cancel()
		answer := a.describe
		switch {
		case ask.GetFirewall() != "":
			answer = a.counted
		case ask.GetTrace() != nil:
			answer = a.trace
		case ask.GetRoute() != nil:
			answer = a.route
		}
		n, err := answer(ctx, ask)
		if err != nil {
			n = &nodev1.Answer{Error: err.Error()}
		}
		reply(n)
	})
}

func (a *Agent) describe(ctx context.Context, ask *nodev1.Ask) (*nodev1.Answer, error) {
	lines, err := a.spaces.Describe(ctx, ask.GetNamespace())
	n := &nodev1.Answer{}
	for _, l := range lines {
		n.Lines = append(n.Lines, &nodev1.NamespaceLine{Section: l.Section, Text: l.Text, State: l.State})
	}
	return n, err
}

// counted tells what the rules of a firewall bridge have counted.
func (a *Agent) counted(ctx context.Context, ask *nodev1.Ask) (*nodev1.Answer, error) {
	c, err := a.spaces.Counters(ctx, ask.GetFirewall())
	counter := func(c plan.Counter) *nodev1.Counter { return &nodev1.Counter{Packets: c.Packets, Bytes: c.Bytes} }
	n := &nodev1.Answer{RefusedIngress: counter(c.RefusedIngress), RefusedEgress: counter(c.RefusedEgress)}
	for _, id := range slices.Sorted(maps.Keys(c.Rules)) {
		n.Rules = append(n.Rules, &nodev1.RuleCounter{RuleId: id, Counter: counter(c.Rules[id])})
	}
	return n, err
}
