package namespaces

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Bounds of what is told at once.
const (
	maxTold = 8
	maxText = 200 // bytes of one thing
)

// tellDrift tells what somebody else has changed since the namespace was right: the steps that would have been needed
// then already.
func (w *worker) tellDrift(have plan.Namespace, steps []plan.Step) {
	w.k.mu.Lock()
	excused := w.excused
	w.excused = false
	w.k.mu.Unlock()
	if w.settled == nil || len(steps) == 0 || excused {
		return
	}
	before := map[string]bool{}
	for _, s := range plan.Diff(*w.settled, have) {
		before[s.String()] = true
	}
	var texts []string
	for _, s := range steps {
		switch s.(type) {
		case plan.Announce, plan.Forget, plan.ForgetZones, plan.CopyConnections, plan.TeachConnections, plan.DeleteBridge, plan.ReleaseTap:
			continue
		}
		if !w.knew(s) {
			continue
		}
		if text := s.String(); before[text] {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return
	}
	w.drift("somebody had changed it; done: " + some(texts))
}

// drift tells of drift that is being repaired.
func (w *worker) drift(message string) {
	w.k.met.drift.Inc()
	w.k.log.Warn("drift repaired", "namespace", w.name, "message", message)
	w.k.notify(Notice{Namespace: w.name, Resource: w.own(), Reason: DriftRepaired, Message: message})
	if d := w.calm.Reserve().Delay(); d > 0 {
		w.lookedAt = time.Now().Add(d) // news are heard later
	}
}

func (w *worker) own() string {
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	if w.sources == nil {
		return ""
	}
	return w.sources.Own()
}

// some is a list for people.
func some(texts []string) string {
	short := make([]string, 0, maxTold)
	for _, t := range texts[:min(len(texts), maxTold)] {
		if len(t) > maxText {
			t = strings.ToValidUTF8(t[:maxText], "") + "…"
		}
		short = append(short, t)
	}
	out := strings.Join(short, " · ")
	if more := len(texts) - len(short); more > 0 {
		out += fmt.Sprintf(" · and %d more", more)
	}
	return out
}

// tellForeign tells of what is not ours, once.
func (w *worker) tellForeign(list []plan.Line) {
	var texts []string
	now := make(map[plan.Line]bool, len(list))
	for _, l := range list {
		now[l] = true
		if !w.foreign[l] {
			texts = append(texts, l.Section+": "+l.Text)
		}
	}
	w.foreign = now
	if len(texts) > 0 {
		w.k.notify(Notice{Namespace: w.name, Resource: w.own(), Reason: ForeignFound, Message: "not ours, and left alone: " + some(texts)})
	}
}

// tell notes that the removal of what must go was tried.
func (w *worker) tell(generation int) {
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	if w.tried != generation {
		w.tried = generation
		poke(w.k.changed)
	}
}

// publish makes the outcome of a pass part of the report.
func (w *worker) publish(generation int, out outcome) {
	w.k.mu.Lock()
	before := w.tried
	if !out.waits {
		w.tried = generation
	}
	changed := w.tried != before || !maps.Equal(w.problems, out.problems) || !slices.Equal(w.devices, out.devices)
	if w.sources != nil {
		w.problems, w.devices = out.problems, out.devices
	}
	w.k.mu.Unlock()
	if changed {
		poke(w.k.changed)
	}
	var said strings.Builder
	for _, r := range slices.Sorted(maps.Keys(out.problems)) {
		fmt.Fprintf(&said, "%s: %s; ", r, out.problems[r].Message)
	}
	if text := said.String(); text != w.last {
		w.last = text
		if text == "" {
			w.k.log.Info("namespace is as desired again", "namespace", w.name)
			return
		}
		if len(text) > 1000 {
			text = strings.ToValidUTF8(text[:1000], "") + "…"
		}
		w.k.log.Warn("namespace is not as desired", "namespace", w.name, "err", text)
	}
}

// unlearned tells that a firewall bridge, or else br-int, could not be made to know connections of a port.
func (k *Keeper) unlearned(portID string, bridge bool, n int) {
	resource := (&plan.PortFirewall{PortID: portID}).Resource()
	message := fmt.Sprintf("br-int judges the port from now on, and does not know %d of its connections, because the machine did not say where they are: "+
		"each is judged by its next packet as if it began with that", n)
	if bridge {
		message = fmt.Sprintf("its firewall bridge judges the port from now on, and does not know %d of its SCTP associations, because not both sides said something on them: "+
			"each is dropped until who has begun it sends a heartbeat, or begins it anew", n)
	}
	k.log.Warn("a port's firewall does not know all of its connections", "object", resource, "connections", n, "message", message)
	k.notify(Notice{Namespace: plan.Home, Resource: resource, Reason: ConnectionsUnknown, Message: message})
}
