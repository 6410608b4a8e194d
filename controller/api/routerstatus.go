package api

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// routerStatus tells where the router is and whether its hosts have made it, and fills in the addresses of its
// interfaces.
func routerStatus(s *sight, r *model.Router, out *weftv1.Router) {
	for _, i := range out.Interfaces {
		if p := s.Port(i.PortId); p != nil {
			for _, f := range p.FixedIPs {
				i.IpAddresses = append(i.IpAddresses, f.IP.String())
			}
		}
	}
	st := &weftv1.RouterStatus{Status: stateActive}
	out.Status = st
	if !r.AdminStateUp {
		st.Status = stateDown
		st.Conditions = []*weftv1.Condition{{Type: "Programmed", Status: conditionFalse, Reason: "AdminDown", Message: "admin_state_up of the router is false: it is on no host"}}
		return
	}
	spots := routerSpots(s.Snapshot, r)
	for _, p := range spots {
		if p.what == "qrouter-"+r.ID && p.host != "" && (!r.Distributed || s.RouterHost(r.ID, p.host) != nil) {
			st.Hosts = append(st.Hosts, p.host)
		}
	}
	slices.Sort(st.Hosts)
	scheduled := scheduledCondition(s, r)
	if scheduled != nil {
		st.Conditions = append(st.Conditions, scheduled)
	}
	if at := s.Schedule(r.ID); at != nil {
		st.GatewayHost = at.Host
	}
	programmed, word := s.programmedOn(spots)
	if len(spots) == 0 {
		programmed.Reason, programmed.Message = "NotNeeded", idle(r)
	}
	if word == stateActive {
		programmed = cmp.Or(dhcpFailed(s, r), programmed)
	}
	st.Conditions = append(st.Conditions, programmed)
	// Neutron's routers have no BUILD.
	if st.Status = word; word == stateBuild {
		st.Status = stateDown
	}
}

// idle says why a router is on no host and nothing is wrong with that.
func idle(r *model.Router) string {
	switch {
	case len(r.Interfaces) == 0 && r.Distributed:
		return "no host needs it: it has no interfaces"
	case len(r.Interfaces) == 0:
		return "no host needs it: it has neither interfaces nor a gateway"
	}
	return "no host needs it: no port of its networks is bound"
}

// dhcpFailed tells of DHCP servers on the router's networks that their hosts could not make, or that do not run; nil when
// there are none. The router forwards all the same, and stays ACTIVE.
func dhcpFailed(s *sight, r *model.Router) *weftv1.Condition {
	var failed *weftv1.Condition
	var others []string
	for _, n := range networksOf(s.Snapshot, r) {
		spots := dhcpSpots(s.Snapshot, n)
		c, word := s.programmedOn(spots)
		if word != stateError {
			continue
		}
		if failed != nil {
			others = append(others, refTo(state.Networks, n).String())
			if c.Host != failed.Host {
				failed.Host = ""
			}
			continue
		}
		who := "nobody"
		if serving := s.active(spots); len(serving) > 0 {
			who = "only " + several(serving)
		}
		c.Reason = "DHCPFailed"
		c.Message = fmt.Sprintf("it forwards, but in %s %s tells machines their addresses and routes by DHCP: %s", refTo(state.Networks, n), who, c.Message)
		failed = c
	}
	if len(others) > 0 {
		failed.Message += fmt.Sprintf("; %s too", several(others))
	}
	return failed
}

// networksOf are the networks that the router has interfaces on, in order of their ids.
func networksOf(s state.Snapshot, r *model.Router) []*model.Network {
	var networks []*model.Network
	for _, i := range r.Interfaces {
		if p := s.Port(i.PortID); p != nil {
			networks = append(networks, s.Network(p.NetworkID))
		}
	}
	slices.SortFunc(networks, func(a, b *model.Network) int { return strings.Compare(a.ID, b.ID) })
	return slices.Compact(networks)
}

// scheduledCondition says where the router's centralised part is and why; nil when it has none.
func scheduledCondition(s *sight, r *model.Router) *weftv1.Condition {
	if !s.Centralised(r) {
		return nil
	}
	c := &weftv1.Condition{Type: "Scheduled", Status: conditionFalse, Reason: "NoHost"}
	at := s.Schedule(r.ID)
	if at == nil {
		c.Message = noHost(s.Snapshot, s.PhysicalNetworks(r))
		return c
	}
	c.Host, c.LastTransitionTime = at.Host, since(at.Since)
	if at.Next != "" {
		c.Status, c.Reason = conditionTrue, "Moving"
		c.Message = fmt.Sprintf("on %s, which %s; it moves to %s when its namespaces are made there", at.Host, s.Unfit(at.Host, s.PhysicalNetworks(r)), at.Next)
		return c
	}
	if physnets := s.PhysicalNetworks(r); s.Unfit(at.Host, physnets) != "" {
		c.Reason, c.Message = "NoOtherHost", fmt.Sprintf("it stays on %s, because %s", at.Host, noHost(s.Snapshot, physnets))
		return c
	}
	c.Status, c.Reason, c.Message = conditionTrue, "Scheduled", fmt.Sprintf("on %s: %s", at.Host, at.Reason)
	return c
}

// routerSpots are the namespaces of a router, that of its centralised part first.
func routerSpots(s state.Snapshot, r *model.Router) []spot {
	if !r.AdminStateUp {
		return nil
	}
	var spots []spot
	interfaces := make([]string, 0, len(r.Interfaces))
	for _, i := range r.Interfaces {
		if !slices.Contains(interfaces, i.PortID) {
			interfaces = append(interfaces, i.PortID)
		}
	}
	if s.Centralised(r) {
		spots = append(spots, centreSpot(s, r, interfaces))
	}
	if !r.Distributed {
		return spots
	}
	for rh := range s.RouterHostsOf(r.ID) {
		spots = append(spots, spot{host: rh.Host, what: "qrouter-" + r.ID, revision: r.Revision, copied: interfaces,
			resources: []string{"router/" + r.ID}, lacks: lacksVLAN(s, r, rh.Host)})
	}
	for _, host := range lackLinkLocal(s, r) {
		spots = append(spots, spot{host: host, what: "qrouter-" + r.ID, copied: interfaces, lacks: &found{state: stateError, reason: "NoLinkLocal",
			message: fmt.Sprintf("host %s has %d distributed routers already, one for each pair of addresses of 169.254.64.0/18: move ports that need others of them to another host", host, model.MaxLinkLocals)}})
	}
	return spots
}

// lacksVLAN says what a distributed router is without on a host where all VLANs of br-int are taken; nil when it has all.
func lacksVLAN(s state.Snapshot, r *model.Router, host string) *found {
	var without []string
	for p := range s.PortsOfDevice(r.ID) {
		if p.DeviceOwner == model.OwnerDistributedInterface && s.LocalVLAN(host, p.NetworkID) == nil {
			n := s.Network(p.NetworkID)
			without = append(without, cmp.Or(n.Name, n.ID))
		}
	}
	if without == nil || !full(s.LocalVLANsOn(host), model.MaxVLAN) {
		return nil
	}
	slices.Sort(without)
	return &found{state: stateError, reason: store.NoLocalVLAN, message: fmt.Sprintf(
		"host %s carries %d networks already, one for each VLAN of br-int, and the router is there without %s: move ports of other networks to another host",
		host, model.MaxVLAN, several(slices.Compact(without)))}
}

// full says whether a host has given out all that there is of something.
func full[T any](taken iter.Seq[*T], all int) bool {
	n := 0
	for range taken {
		n++
	}
	return n >= all
}

// lackLinkLocal are the hosts that need a distributed router, and have no pair of addresses left for it.
func lackLinkLocal(s state.Snapshot, r *model.Router) []string {
	var hosts []string
	if at := s.Schedule(r.ID); at != nil && s.RouterHost(r.ID, at.Host) == nil {
		hosts = append(hosts, at.Host)
	}
	for p := range s.PortsOfDevice(r.ID) {
		if p.DeviceOwner != model.OwnerDistributedInterface {
			continue
		}
		for v := range s.LocalVLANsOf(p.NetworkID) {
			if s.RouterHost(r.ID, v.Host) == nil && !slices.Contains(hosts, v.Host) && needsRouter(s, v.Host, p.NetworkID) {
				hosts = append(hosts, v.Host)
			}
		}
	}
	slices.Sort(hosts)
	return slices.DeleteFunc(hosts, func(h string) bool { return !full(s.RouterHostsOn(h), model.MaxLinkLocals) })
}

// needsRouter says whether a port of a network that is bound to a host sends to distributed routers.
func needsRouter(s state.Snapshot, host, network string) bool {
	for b := range s.BindingsAt(host, network) {
		if p := s.Port(b.PortID); p != nil && model.NeedsRouter(p.DeviceOwner) {
			return true
		}
	}
	return false
}

func centreSpot(s state.Snapshot, r *model.Router, interfaces []string) spot {
	c := spot{what: "qrouter-" + r.ID, revision: r.Revision, resources: []string{"router/" + r.ID}, bound: interfaces}
	if r.Distributed {
		c.what, c.resources, c.bound = "snat-"+r.ID, []string{"snat/" + r.ID}, nil
		for p := range s.PortsOfDevice(r.ID) {
			if p.DeviceOwner == model.OwnerCentralizedSNAT {
				c.bound = append(c.bound, p.ID)
			}
		}
	}
	if r.Gateway != nil {
		c.bound = append(slices.Clone(c.bound), r.Gateway.PortID)
	}
	at := s.Schedule(r.ID)
	if at == nil {
		c.why = noHost(s, s.PhysicalNetworks(r))
		return c
	}
	c.host, c.why, c.since = at.Host, at.Reason, at.Since
	return c
}

// maxNeeders is how many ports an explanation names.
const maxNeeders = 3

// needer is what people call a port that needs a router: those that Weft makes have no name, but belong to something.
func needer(s state.Snapshot, p *model.Port) string {
	switch n, r := s.Network(p.NetworkID), s.Router(p.DeviceID); {
	case p.DeviceOwner == model.OwnerDHCP && n != nil:
		return "DHCP of " + cmp.Or(n.Name, n.ID)
	case p.DeviceOwner == model.OwnerRouterInterface && r != nil:
		return "router " + cmp.Or(r.Name, r.ID)
	}
	return cmp.Or(p.Name, p.ID)
}

// needed says why a distributed router is on a host.
func needed(s state.Snapshot, r *model.Router, host string) string {
	var names []string
	networks := map[string]bool{}
	for _, i := range r.Interfaces {
		if p := s.Port(i.PortID); p != nil && !networks[p.NetworkID] {
			networks[p.NetworkID] = true
			for b := range s.BindingsAt(host, p.NetworkID) {
				if q := s.Port(b.PortID); q != nil && model.NeedsRouter(q.DeviceOwner) {
					names = append(names, needer(s, q))
				}
			}
		}
	}
	slices.Sort(names)
	at := s.Schedule(r.ID)
	switch n := len(names) - maxNeeders; {
	case n > 0:
		return fmt.Sprintf("ports of its networks are bound there: %s and %d more", strings.Join(names[:maxNeeders], ", "), n)
	case len(names) > 1:
		return "ports of its networks are bound there: " + strings.Join(names, ", ")
	case len(names) == 1:
		return "port " + names[0] + " of its networks is bound there"
	case at != nil && at.Host == host:
		return "its snat namespace is there"
	}
	return "a router that it shares a network with is needed there"
}
