package api

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// hostStatus tells how a host is: what its agent reported, and how its connections are at this moment.
func hostStatus(s *sight, h *model.Host, out *weftv1.Host) {
	facts, live := s.HostFacts(h.ID), s.fleet.Host(h.ID)
	tunnelIP, mappings := inForce(h, facts)
	st := &weftv1.HostStatus{
		Status:            "Ready",
		AppliedRevision:   live.Applied,
		BridgeMappings:    mappings,
		UnboundInterfaces: int32(unboundOn(s.Snapshot, h.ID)),
		Conditions:        []*weftv1.Condition{agentCondition(h.ID, live), openFlowCondition(live), inSyncCondition(s, live)},
	}
	if !h.DVRMAC.IsZero() {
		st.DvrMacAddress = h.DVRMAC.String()
	}
	if tunnelIP.IsValid() {
		st.TunnelIp = tunnelIP.String()
	}
	st.Roles = s.Roles(h.ID)
	st.Limits = limits(h, facts, s.SwitchFacts(h.ID))
	if facts != nil {
		st.AgentVersion, st.OvsVersion = facts.AgentVersion, facts.OVSVersion
	}
	if health := s.HostHealth(h.ID); health != nil && health.Down {
		st.Status, st.DownSince = "NotReady", since(health.Since)
	}
	for at := range s.SchedulesOn(h.ID) {
		if at.Host == h.ID {
			st.ScheduledRouters++
		}
	}
	for p := range s.PortsWantedOn(h.ID) {
		if p.DeviceOwner == model.OwnerDHCP {
			st.DhcpNetworks++
		}
	}
	if slices.ContainsFunc(st.Conditions, func(c *weftv1.Condition) bool { return c.Status != conditionTrue && c.Reason != reasonBehind }) {
		st.Status = "NotReady"
	}
	for _, b := range live.Bridges {
		st.Bridges = append(st.Bridges, &weftv1.BridgeStatus{
			Name:            b.Name,
			DatapathId:      fmt.Sprintf("%016x", b.DatapathID),
			Connected:       b.Connected,
			Flows:           int32(b.Flows),
			FlowMods:        b.FlowMods,
			DriftRepaired:   b.DriftRepaired,
			OpenflowVersion: b.Version,
		})
	}
	out.Status = st
}

// limits are what ports cannot have on a host, as far as it is known what that has.
func limits(h *model.Host, facts *model.HostFacts, of *model.SwitchFacts) []string {
	var out []string
	if facts != nil && facts.DatapathType == model.DatapathNetdev && h.FirewallDriver != model.FirewallHybrid {
		major, _, _ := strings.Cut(facts.OVSVersion, ".")
		if n, err := strconv.Atoi(major); err == nil && n < wholeDatagrams {
			out = append(out, fmt.Sprintf("the userspace datapath of Open vSwitch %s loses datagrams of more than 32 fragments of ports with port security (46 kB at an MTU of 1,450): "+
				"use Open vSwitch %d.0, its kernel datapath, networks with an MTU of 2,100, or firewall_driver=%s", facts.OVSVersion, wholeDatagrams, model.FirewallHybrid))
		}
	}
	if of == nil {
		return out
	}
	var types []string
	if !of.MeterKbps {
		types = append(types, model.BandwidthLimit)
	}
	if !of.MeterPktps {
		types = append(types, model.PacketRateLimit)
	}
	if len(types) > 0 {
		out = append(out, fmt.Sprintf("its switch cannot enforce %s of QoS policies: %s; %s", strings.Join(types, " and "), of.Reason, metersElsewhere))
	}
	return out
}

// wholeDatagrams is the version of Open vSwitch from which its userspace datapath takes a datagram's fragments together, however many
// they are (docs/decisions/0077).
const wholeDatagrams = 4

// clock is a time of day, and the date unless it is today.
func clock(t, now time.Time) string {
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

func agentCondition(host string, live report.Host) *weftv1.Condition {
	c := &weftv1.Condition{Type: "Agent", LastTransitionTime: since(live.AgentSince)}
	switch {
	case live.AgentConnected:
		c.Status, c.Reason, c.Message = conditionTrue, "Connected", "its agent is connected"
	case live.AgentSince.IsZero():
		c.Status, c.Reason = conditionFalse, "NeverConnected"
		c.Message = fmt.Sprintf("no agent has connected since this controller started: start weft-nsagent on %s", host)
	default:
		c.Status, c.Reason = conditionFalse, "NotConnected"
		c.Message = fmt.Sprintf("agent not connected since %s; what it made stays in force: see the log of weft-nsagent on %s",
			clock(live.AgentSince, time.Now()), host)
	}
	return c
}

func openFlowCondition(live report.Host) *weftv1.Condition {
	c := &weftv1.Condition{Type: "OpenFlow", Status: conditionTrue, Reason: "Connected"}
	var names, away []string
	var changed time.Time
	for _, b := range live.Bridges {
		names = append(names, b.Name)
		if b.Since.After(changed) {
			changed = b.Since
		}
		if !b.Connected {
			away = append(away, fmt.Sprintf("%s not connected since %s", b.Name, clock(b.Since, time.Now())))
		}
	}
	c.LastTransitionTime = since(changed)
	switch {
	case len(names) == 0:
		c.Status, c.Reason = conditionFalse, "NoBridges"
		c.Message = "no bridge is known yet: its agent makes them when it connects"
	case len(away) > 0:
		c.Status, c.Reason = conditionFalse, "NotConnected"
		c.Message = strings.Join(away, ", ") + "; what is programmed goes on: see ovs-vsctl show on the host"
	default:
		c.Message = strings.Join(names, ", ") + " connected"
	}
	return c
}

// reasonBehind is the one reason not to be in sync that does no harm: it is busy.
const reasonBehind = "Behind"

func inSyncCondition(s *sight, live report.Host) *weftv1.Condition {
	c := &weftv1.Condition{Type: "InSync", Status: conditionTrue, Reason: "Applied",
		Message: fmt.Sprintf("everything up to revision %d is in force", live.Applied)}
	var failed []string
	for _, f := range live.Failed {
		failed = append(failed, fmt.Sprintf("%s: %s", f.Object, cmp.Or(f.Message, f.Reason)))
	}
	for _, b := range live.Bridges {
		if b.Connected && b.Err != "" {
			failed = append(failed, b.Name+": "+b.Err)
		}
	}
	connected := live.AgentConnected && len(live.Bridges) > 0
	for _, b := range live.Bridges {
		connected = connected && b.Connected
	}
	switch {
	case len(failed) > 0:
		c.Status, c.Reason, c.Message = conditionFalse, "Failed", strings.Join(failed, "; ")
	case !connected && live.Applied < s.revision:
		c.Status, c.Reason = conditionUnknown, "NotConnected"
		c.Message = fmt.Sprintf("revision %d was in force when it was last heard of; the newest is %d", live.Applied, s.revision)
	case live.Applied < s.revision:
		c.Status, c.Reason = conditionFalse, reasonBehind
		c.Message = fmt.Sprintf("revision %d of %d is in force", live.Applied, s.revision)
	}
	return c
}

// unboundOn counts the interfaces of a host that carry no port.
func unboundOn(s state.Snapshot, host string) int {
	n := 0
	for i := range s.InterfacesOf(host) {
		if copied(s, i) == nil {
			n++
		}
	}
	for range s.BindingsOn(host) {
		n--
	}
	return n
}
