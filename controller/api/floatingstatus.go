package api

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// floatingIPStatus tells where the floating IP is served, and whether the host has made it. One with port forwardings is
// as the gravest of them.
func floatingIPStatus(s *sight, f *model.FloatingIP, out *weftv1.FloatingIP) {
	st := &weftv1.FloatingIPStatus{}
	out.Status = st
	at, ok := view.FloatingIPPlace(s.Snapshot, f)
	resources := []string{"floatingip/" + f.ID}
	if f.PortID == "" {
		resources = nil
		for pf := range s.PortForwardingsOf(f.ID) {
			resources = append(resources, "portforwarding/"+pf.ID)
			at, ok = view.PortForwardingPlace(s.Snapshot, pf)
		}
		if resources == nil {
			st.Status = stateDown
			st.Conditions = []*weftv1.Condition{{Type: "Programmed", Status: conditionFalse, Reason: "NotAssociated",
				Message: "it stands for no port: weft floatingip attach " + cmp.Or(f.Name, spellAddr(f.Address)) + " PORT"}}
			return
		}
	}
	st.Status, st.Host, st.Namespace, st.Conditions = served(s, f, at, ok, f.Revision, resources)
}

// portForwardingStatus tells where the port forwarding is served, and whether the host has made it.
func portForwardingStatus(s *sight, pf *model.PortForwarding, out *weftv1.PortForwarding) {
	st := &weftv1.PortForwardingStatus{Status: stateDown}
	out.Status = st
	f := s.FloatingIP(pf.FloatingIPID)
	if f == nil {
		return
	}
	at, ok := view.PortForwardingPlace(s.Snapshot, pf)
	st.Status, st.Host, st.Namespace, st.Conditions = served(s, f, at, ok, pf.Revision, []string{"portforwarding/" + pf.ID})
}

// served tells how something is that is served in a place; false says that there is none.
func served(s *sight, f *model.FloatingIP, at view.Place, ok bool, revision int64, resources []string) (word, host, namespace string, cs []*weftv1.Condition) {
	if !ok {
		reason, message := unserved(s.Snapshot, f)
		return stateDown, "", "", []*weftv1.Condition{{Type: "Programmed", Status: conditionFalse, Reason: reason, Message: message}}
	}
	spots := servingSpots(s.Snapshot, f, at, revision, resources)
	c, word := s.programmedOn(spots)
	if word == stateBuild {
		word = stateDown
	}
	return word, at.Host, spots[0].what, []*weftv1.Condition{c}
}

// unserved says why a floating IP that is associated is served nowhere.
func unserved(s state.Snapshot, f *model.FloatingIP) (reason, message string) {
	r := s.Router(f.RouterID)
	switch {
	case r == nil:
		return "NoRouter", "no router leads from the port's subnet to the external network"
	case !r.AdminStateUp:
		return "RouterDown", fmt.Sprintf("admin_state_up of %s is false", refTo(state.Routers, r))
	case r.Gateway == nil || r.Gateway.NetworkID != f.FloatingNetworkID:
		return "NoGateway", fmt.Sprintf("%s has no gateway on the external network", refTo(state.Routers, r))
	}
	return "NoHost", fmt.Sprintf("%s has no host: %s", refTo(state.Routers, r), noHost(s, s.PhysicalNetworks(r)))
}

// servingSpots are the namespaces by which something of a floating IP is served in a place: first the one that
// translates it.
func servingSpots(s state.Snapshot, f *model.FloatingIP, at view.Place, revision int64, resources []string) []spot {
	nat := spot{host: at.Host, what: "qrouter-" + f.RouterID, revision: revision, resources: withResource(resources, "router/"+f.RouterID)}
	r := s.Router(f.RouterID)
	switch at.In {
	case view.PlaceFIP:
		p := s.Port(f.PortID)
		why := ""
		if p != nil {
			why = fmt.Sprintf("%s is bound there, its router is distributed, and the host leads to the external network", refTo(state.Ports, p))
		}
		nat.why = why
		for _, i := range r.Interfaces {
			nat.copied = append(nat.copied, i.PortID)
		}
		outside := outsideSpot(s, f.FloatingNetworkID, at.Host)
		outside.revision, outside.why, outside.resources = revision, why, append(outside.resources, resources...)
		return []spot{nat, outside}
	case view.PlaceSNAT:
		nat.what, nat.resources = "snat-"+f.RouterID, withResource(resources, "snat/"+f.RouterID)
		nat.why = notOnItsHost(s, f)
	default:
		nat.why = "its router is centralized, and there"
	}
	if r.Gateway != nil {
		nat.bound = []string{r.Gateway.PortID}
	}
	if sched := s.Schedule(r.ID); sched != nil {
		nat.since = sched.Since
	}
	return []spot{nat}
}

// outsideSpot is the fip namespace of a host on an external network.
func outsideSpot(s state.Snapshot, network, host string) spot {
	at := spot{host: host, what: "fip-" + network, resources: []string{"fip/" + network}}
	for p := range s.PortsOwned(network, model.OwnerFIPGateway) {
		if p.DeviceID == host {
			at.bound = append(at.bound, p.ID)
		}
	}
	return at
}

func withResource(resources []string, more string) []string {
	return append(slices.Clone(resources), more)
}

// notOnItsHost says why a floating IP of a distributed router is served by the snat namespace.
func notOnItsHost(s state.Snapshot, f *model.FloatingIP) string {
	b := s.Binding(f.PortID)
	switch {
	case f.PortID == "":
		return "port forwardings are served by the snat namespace of their router"
	case b == nil:
		return "its port is not bound, so the snat namespace of its router serves it"
	case s.RouterHost(f.RouterID, b.Host) == nil:
		return fmt.Sprintf("its router is not on %s, where its port is bound, so the router's snat namespace serves it", b.Host)
	case !view.LeadsTo(s, b.Host, f.FloatingNetworkID):
		return fmt.Sprintf("%s, where its port is bound, has no bridge to the external network, so the snat namespace of its router serves it", b.Host)
	}
	return fmt.Sprintf("the fip namespace of %s is not ready to serve it, so the snat namespace of its router does", b.Host)
}
