package agent

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/nsagent/namespaces"
	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/nsagent/replay"
	"github.com/weft-sdn/weft/ovsdb"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// answer tells the controller what of the last Delta, and of all before, is not true. It waits as long as something may
// yet become true, and speaks again only when what it would say has changed.
func (a *Agent) answer() {
	errs, waiting := a.failures()
	a.met.failing.Set(float64(len(errs)))
	if a.stream == nil || a.delta == nil || waiting {
		return
	}
	var say strings.Builder
	for _, e := range errs {
		fmt.Fprintf(&say, "%q %q %q %q\n", e.Resource, e.Field, e.Reason, e.Message)
	}
	if a.answered == "answered\n"+say.String() {
		return
	}
	a.answered = "answered\n" + say.String()
	if len(errs) == 0 {
		a.stream.send(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Ack{Ack: &nodev1.Ack{Nonce: a.delta.Nonce, Revision: a.delta.Revision}}})
		return
	}
	for _, e := range errs {
		a.log.Warn("not true", "rev", a.delta.Revision, "object", e.Resource, "reason", e.Reason, "err", e.Message)
	}
	a.stream.send(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Nack{Nack: &nodev1.Nack{Nonce: a.delta.Nonce, Revision: a.delta.Revision, Errors: errs}}})
}

// failures lists what is not true, sorted by resource. waiting says that more may become true within ApplyTimeout.
func (a *Agent) failures() (errs []*nodev1.ResourceError, waiting bool) {
	all := maps.Clone(a.held.rejected)
	for name := range a.unsaved {
		if a.saveErr != nil {
			all[name] = &nodev1.ResourceError{Resource: name, Reason: notSaved, Message: a.saveErr.Error()}
		}
	}
	now := time.Now()
	a.dueAt = time.Time{}
	for name, p := range a.problem {
		if _, wanted := a.held.wants[name]; !wanted {
			continue
		}
		if a.mayPass(p) {
			since, ok := a.late[name]
			if !ok {
				since = now
				a.late[name] = now
			}
			if due := since.Add(a.cfg.ApplyTimeout); now.Before(due) {
				waiting = true
				if a.dueAt.IsZero() || due.Before(a.dueAt) {
					a.dueAt = due
				}
			}
		}
		if all[name] == nil {
			all[name] = &nodev1.ResourceError{Resource: name, Field: p.Field, Reason: p.Reason, Message: p.Message}
		}
	}
	for name := range a.late {
		if p, ok := a.problem[name]; !ok || !a.mayPass(p) {
			delete(a.late, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		errs = append(errs, all[name])
	}
	return errs, waiting
}

// mayPass says whether a problem is one that time alone often cures. An interface that vanishes mostly does so because its
// port is being unbound, or because its VM is being restarted; only a Delta that asks for one that is not there is
// answered at once, unless we make it ourselves.
func (a *Agent) mayPass(p ovsdb.Problem) bool {
	return p.Reason == ovsdb.NotApplied || p.Reason == databaseAway || (p.Reason == ovsdb.InterfaceMissing && (a.answered != "" || a.ours(p.Resource)))
}

// tellInventory tells the controller which interfaces there are: all, or what changed since it was told.
//
// Of a plug that takes another port's place nobody hears before the switch has added it: without either, the port would be
// bound nowhere for a moment.
func (a *Agent) tellInventory(st *ovsdb.State, plugs []ovsdb.Plug) {
	if a.stream == nil {
		return
	}
	now := map[string]told{}
	for name, i := range st.Interfaces(a.bridges()...) {
		i.Bound = false // that is by the controller's own wish
		now[name] = told{i, a.firewalled(name)}
	}
	for _, p := range plugs {
		if was, ok := a.inventory[p.Instead]; ok && now[p.Interface].OFPort == 0 && now[p.Interface].Error == "" {
			delete(now, p.Interface)
			now[p.Instead] = was
		}
	}
	inv := &nodev1.Inventory{Full: a.inventory == nil}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if was, ok := a.inventory[name]; !ok || was != now[name] {
			inv.Interfaces = append(inv.Interfaces, fact(now[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.inventory)) {
		if _, ok := now[name]; !ok {
			inv.RemovedInterfaces = append(inv.RemovedInterfaces, name)
		}
	}
	if v := st.OVSVersion(); inv.Full || v != a.version {
		inv.OvsVersion = &v
		a.version = v
	}
	if inv.Full || inv.OvsVersion != nil || len(inv.Interfaces) > 0 || len(inv.RemovedInterfaces) > 0 {
		a.stream.send(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Inventory{Inventory: inv}})
	}
	a.inventory = now
}

// told is what a controller is told of an interface.
type told struct {
	ovsdb.Interface
	firewalled bool
}

// firewalled says whether an interface is the outer end of a firewall bridge which judges, and which br-int cannot do without yet.
// While that is being looked at, it is so if it was; an agent that has just begun goes by what it had written down.
func (a *Agent) firewalled(name string) bool {
	if slices.ContainsFunc(a.report.Devices, func(d namespaces.Device) bool {
		return d.Name == name && plan.FirewallDevice(name) && !d.Lent && !d.Taught
	}) {
		return true
	}
	d, wanted := a.held.devices()[name]
	if !wanted || !a.held.bridged(d.resource) || !a.report.Stale && !a.report.Pending[d.resource] {
		return false
	}
	return !a.looked || a.inventory[name].firewalled
}

// bridges are the names of the bridges that the host was given, and of those that a controller wants.
func (a *Agent) bridges() []string {
	names := []string{a.cfg.IntegrationBridge, a.cfg.TunnelBridge}
	for _, b := range a.cfg.BridgeMappings {
		names = append(names, b)
	}
	for _, b := range a.held.desired().Bridges {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func fact(i told) *nodev1.InterfaceFact {
	f := &nodev1.InterfaceFact{Firewalled: i.firewalled, Name: i.Name, Bridge: i.Bridge, Type: i.Type, Ofport: i.OFPort, IfaceId: i.IfaceID, AttachedMac: i.AttachedMAC, Error: i.Error}
	if mac, err := net.ParseMAC(i.AttachedMAC); err == nil {
		f.AttachedMac = mac.String()
	}
	return f
}

// maxNotices is how many notices are kept for a controller that is away; the oldest go first.
const maxNotices = 64

// notice tells the controller something worth telling, now or when there is one.
func (a *Agent) notice(reason, resource, message string) {
	n := &nodev1.Notice{Reason: reason, Message: message, Resource: resource}
	if a.stream != nil {
		a.stream.send(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Notice{Notice: n}})
		return
	}
	a.notices = append(a.notices, n)
	a.notices = a.notices[max(0, len(a.notices)-maxNotices):]
}

// event is something that a keeper of flows or of namespaces has to tell.
type event struct {
	log, reason, resource, message string
	drift                          bool
}

// tell takes an event of a keeper, whose goroutines must not wait for the loop.
func (a *Agent) tell(e event) {
	select {
	case a.events <- e:
	default:
		a.log.Warn("notice not passed on", "object", e.resource, "reason", e.reason, "message", e.message)
	}
}

func (a *Agent) heard(e event) {
	a.log.Info(e.log, "object", e.resource, "reason", e.reason, "message", e.message)
	if e.drift {
		a.met.drift.Inc()
	}
	a.notice(e.reason, e.resource, e.message)
}

// notify takes a notice of the keeper of flows.
func (a *Agent) notify(n replay.Notice) {
	a.met.flows.WithLabelValues(n.Reason).Inc()
	if n.Reason != replay.FlowsSaved { // nothing that people wait for
		a.tell(event{log: "flows", reason: n.Reason, resource: "bridge/" + n.Bridge, message: n.Message})
	}
}
