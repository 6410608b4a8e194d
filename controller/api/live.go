package api

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// liveKind is the kind of an object whose status also tells what the hosts say at the moment, which the store does not
// know. The status of other ports than those of distributed routers is a function of the store.
func liveKind(obj object) (state.Kind, bool) {
	switch o := obj.(type) {
	case *weftv1.Host:
		return state.Hosts, true
	case *weftv1.Network:
		return state.Networks, true
	case *weftv1.Port:
		return state.Ports, o.DeviceOwner == model.OwnerDistributedInterface
	case *weftv1.Router:
		return state.Routers, true
	case *weftv1.FloatingIP:
		return state.FloatingIPs, true
	case *weftv1.PortForwarding:
		return state.PortForwardings, true
	}
	return "", false
}

// lively are the objects of a kind that liveKind holds for.
func lively(s state.Snapshot, k state.Kind) iter.Seq[any] {
	return func(yield func(any) bool) {
		for obj := range s.ByIDPrefix(k, "") {
			p, isPort := obj.(*model.Port)
			if k == state.Subnets || isPort && p.DeviceOwner != model.OwnerDistributedInterface {
				continue
			}
			if !yield(obj) {
				return
			}
		}
	}
}

// liveOf is what a watcher is told anew when it differs.
func liveOf(obj object) string {
	switch o := obj.(type) {
	case *weftv1.Host:
		return healthOf(o)
	case *weftv1.Network:
		return digest(o.Status)
	case *weftv1.Port:
		return digest(o.Status)
	case *weftv1.Router:
		return digest(o.Status)
	case *weftv1.FloatingIP:
		return digest(o.Status)
	case *weftv1.PortForwarding:
		return digest(o.Status)
	}
	return ""
}

func digest(status proto.Message) string {
	// What was spelled here can always be marshalled.
	b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(status)
	sum := sha256.Sum256(b)
	return string(sum[:])
}

// healthOf is what of a host's status moves seldom.
func healthOf(h *weftv1.Host) string {
	var s strings.Builder
	s.WriteString(h.Status.Status)
	for _, c := range h.Status.Conditions {
		if c.Reason == reasonBehind {
			continue
		}
		fmt.Fprintf(&s, " %s=%s/%s", c.Type, c.Status, c.Reason)
	}
	return s.String()
}

// live sends the objects whose status has become another since they were last told of, although the store has not changed:
// a connection came or went, an agent failed or has done what it was told.
func (w *watcher) live() error {
	if !w.hasBefore {
		return nil
	}
	now := &sight{Snapshot: w.before, revision: w.at, fleet: w.server.cfg.Fleet}
	looked := now.fleetAsItIs()
	if looked == w.looked {
		return nil
	}
	for _, k := range kinds {
		if !w.kinds[k] {
			continue
		}
		for obj := range lively(now.Snapshot, k) {
			shown := applied(k).show(now, obj)
			if w.told[ident{k, state.Key(obj)}] == liveOf(shown) {
				continue
			}
			if err := w.event(eventModified, w.at, shown); err != nil {
				return err
			}
		}
	}
	w.looked = looked
	return nil
}

// fleetAsItIs is what statuses are derived from besides the store; it differs when one of them may.
func (s *sight) fleetAsItIs() string {
	var b strings.Builder
	for h := range s.Hosts() {
		live := s.fleet.Host(h.ID)
		fmt.Fprintf(&b, "%s %v %v %d %v", h.ID, live.AgentConnected, live.AgentSince, live.Applied, live.Failed)
		for _, br := range live.Bridges {
			fmt.Fprintf(&b, " %s %v %s", br.Name, br.Connected, br.Err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
