package api

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Values of a condition's status.
const (
	conditionTrue    = "True"
	conditionFalse   = "False"
	conditionUnknown = "Unknown"
)

// since is a time as conditions have it; zero is not known.
func since(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// portStatus tells what hosts acknowledged about the port. It is a function of the store alone, so that whoever watches
// sees each of its changes.
func portStatus(s *sight, p *model.Port, out *weftv1.Port) {
	switch p.DeviceOwner {
	case model.OwnerDistributedInterface:
		copiedStatus(s, p, out)
		return
	case model.OwnerFloatingIP:
		out.Status = &weftv1.PortStatus{Status: "N/A", Conditions: []*weftv1.Condition{{Type: "Bound", Status: conditionFalse,
			Reason: "NotPlugged", Message: "it keeps the address of a floating IP; nothing is ever plugged into it"}}}
		return
	}
	b, st := s.Binding(p.ID), s.PortState(p.ID)
	if st != nil && b != nil && st.Host != b.Host {
		st = nil // of an earlier place
	}
	out.Status = &weftv1.PortStatus{Status: portWord(s, p, b, st)}
	if b != nil {
		out.Status.Host, out.Status.InterfaceName = b.Host, b.Interface
		out.Status.Ofport, out.Status.BoundBy = b.OFPort, b.BoundBy
	}
	out.Status.Conditions = []*weftv1.Condition{bound(s, p, b, st), programmed(s, p, b, st)}
	if c := qosEnforced(s, p, b, st); c != nil {
		out.Status.Conditions = append(out.Status.Conditions, c)
	}
}

// copiedStatus is the status of a port of a distributed router, which is on every host that has the router.
func copiedStatus(s *sight, p *model.Port, out *weftv1.Port) {
	st := &weftv1.PortStatus{Status: stateDown}
	out.Status = st
	bound := &weftv1.Condition{Type: "Bound", Status: conditionFalse, Reason: "NotNeeded", Message: "its router is on no host"}
	st.Conditions = []*weftv1.Condition{bound}
	r := s.Router(p.DeviceID)
	if r == nil {
		return
	}
	var spots []spot
	for _, at := range routerSpots(s.Snapshot, r) {
		if len(at.copied) > 0 {
			at.copied = []string{p.ID}
			spots = append(spots, at)
		}
	}
	if len(spots) == 0 {
		return
	}
	bound.Status, bound.Reason, bound.Message = conditionTrue, "Distributed", fmt.Sprintf("it is on each of the %d hosts that have %s", len(spots), refTo(state.Routers, r))
	programmed, word := s.programmedOn(spots)
	st.Conditions, st.Status = append(st.Conditions, programmed), word
}

func portWord(s *sight, p *model.Port, b *model.Binding, st *model.PortState) string {
	switch {
	case deadBecause(s, p) != "":
		return model.PortDown
	case st != nil && st.Status == model.PortError:
		return model.PortError
	case b == nil:
		return model.PortDown
	case st == nil:
		return model.PortBuild
	}
	return st.Status
}

// deadBecause says why nothing enters or leaves the port by somebody's wish; else "".
func deadBecause(s *sight, p *model.Port) string {
	if !p.AdminStateUp {
		return "admin_state_up of the port is false"
	}
	if n := s.Network(p.NetworkID); n != nil && !n.AdminStateUp {
		return fmt.Sprintf("admin_state_up of its network %s is false", cmp.Or(n.Name, n.ID))
	}
	return ""
}

func bound(s *sight, p *model.Port, b *model.Binding, st *model.PortState) *weftv1.Condition {
	c := &weftv1.Condition{Type: "Bound", Status: conditionTrue}
	switch {
	case b != nil && b.BoundBy == model.BoundByIfaceID:
		c.Reason, c.Message = "IfaceID", fmt.Sprintf("interface %s of %s has its id as iface-id", b.Interface, b.Host)
	case b != nil:
		c.Reason, c.Message = "AttachedMAC", fmt.Sprintf("interface %s of %s has its MAC as attached-mac", b.Interface, b.Host)
	case st != nil && st.Status == model.PortError:
		c.Status, c.Reason, c.Message, c.LastTransitionTime = conditionFalse, st.Reason, st.Message, since(st.Since)
	default:
		c.Status = conditionFalse
		c.Reason, c.Message = unplugged(s, p)
	}
	if b != nil && b.Firewalled {
		c.Message += "; the firewall bridge before it judges the port"
		if h := s.Host(b.Host); h != nil && h.FirewallDriver != model.FirewallHybrid {
			c.Message += ", until br-int knows its connections"
		}
	}
	return c
}

// unplugged says why no interface carries a port: the interface that comes nearest, and what it lacks.
func unplugged(s *sight, p *model.Port) (reason, message string) {
	var claims []*model.Interface
	for i := range s.InterfacesByIfaceID(p.ID) {
		claims = append(claims, i)
	}
	for i := range s.InterfacesByMAC(p.MAC.String()) {
		if s.Port(i.IfaceID) == nil {
			claims = append(claims, i)
		}
	}
	slices.SortStableFunc(claims, func(a, b *model.Interface) int { return cmp.Compare(b.Seen, a.Seen) })
	for _, i := range claims {
		if o := obstacleTo(s, i, p); o.reason != "" {
			return o.reason, o.message
		}
	}
	switch owned := model.OwnedByWeft(p.DeviceOwner); {
	case owned && p.BindingHostID == "":
		return "NoHost", ownerNowhere(p)
	case owned:
		return "NoInterface", fmt.Sprintf("%s is not on br-int of %s yet: its agent makes it", view.TapName(p.ID), p.BindingHostID)
	}
	where := "on its host"
	if p.BindingHostID != "" {
		where = "on " + p.BindingHostID
	}
	return "NoInterface", fmt.Sprintf("no interface of br-int has iface-id %s; %s, plug it in: ovs-vsctl set Interface NAME external_ids:iface-id=%s",
		p.ID, where, p.ID)
}

// ownerNowhere tells what of Weft's, which a port belongs to, no host has, and who tells why.
func ownerNowhere(p *model.Port) string {
	kind, id := "router", p.DeviceID
	if p.DeviceOwner == model.OwnerDHCP {
		kind, id = "network", p.NetworkID
	}
	return fmt.Sprintf("no host has %s %s, which it belongs to: weft where %s %s tells why", kind, id, kind, id)
}

// obstacle is why an interface does not carry a port.
type obstacle struct {
	reason, message string
}

// obstacleTo says what keeps an interface, whose iface-id or attached-mac means the port, from carrying it. It follows the
// rules by which the store binds; the zero value means that nothing does, and another interface came first.
func obstacleTo(s *sight, i *model.Interface, p *model.Port) obstacle {
	where := fmt.Sprintf("interface %s of %s", i.Name, i.Host)
	switch {
	case i.OFPort == 0:
		return obstacle{"InterfaceFailed", fmt.Sprintf("%s has no OpenFlow port: Open vSwitch could not add it; see ovs-vsctl get Interface %s error", where, i.Name)}
	case s.HostFacts(i.Host) == nil:
		return obstacle{"HostSilent", fmt.Sprintf("%s is there, but the agent of %s has not reported its host; restart weft-nsagent there", where, i.Host)}
	case p.BindingHostID != "" && p.BindingHostID != i.Host:
		return obstacle{"WrongHost", fmt.Sprintf("%s is there, but binding_host_id asks for %s: move the interface, or set binding_host_id to %s",
			where, p.BindingHostID, i.Host)}
	}
	if i.IfaceID == p.ID {
		return obstacle{}
	}
	n := 0
	for range s.PortsByAttachedMAC(p.MAC) {
		n++
	}
	if n > 1 {
		return obstacle{"AmbiguousMAC", fmt.Sprintf("%s has attached-mac %s, but so have %d ports: set its external_ids:iface-id to the id of the port that is meant",
			where, p.MAC, n)}
	}
	return obstacle{}
}

func programmed(s *sight, p *model.Port, b *model.Binding, st *model.PortState) *weftv1.Condition {
	c := &weftv1.Condition{Type: "Programmed", Status: conditionFalse}
	switch {
	case st != nil && st.Status == model.PortError:
		c.Reason, c.Message, c.LastTransitionTime = st.Reason, st.Message, since(st.Since)
	case b == nil:
		c.Reason, c.Message = "NotBound", "nothing is programmed for a port that is not bound"
	case st == nil || st.Status != model.PortActive:
		c.Reason = "Programming"
		c.Message = fmt.Sprintf("%s has not acknowledged it yet; if that lasts, see weft describe host %s", b.Host, b.Host)
	default:
		c.Status, c.Reason, c.LastTransitionTime = conditionTrue, "Acknowledged", since(st.Since)
		c.Message = fmt.Sprintf("the bridges and the agent of %s acknowledged it at revision %d", b.Host, st.Revision)
		if why := deadBecause(s, p); why != "" {
			c.Reason, c.Message = "Dead", fmt.Sprintf("it is programmed to pass nothing on %s: %s", b.Host, why)
		}
	}
	return c
}
