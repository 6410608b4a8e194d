package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// States of what is not a port. They are Neutron's, as those of ports are.
const (
	stateActive = model.PortActive
	stateBuild  = model.PortBuild
	stateDown   = model.PortDown
	stateError  = model.PortError
)

// spot is something on a host that stands for an object, and what must be there for it to be true.
type spot struct {
	// host is empty when it should be on some host and is on none.
	host string
	// what it is, as operators look for it: qrouter-….
	what string
	// revision is that of the object that wants it.
	revision int64
	// resources of the host's agent make it, by their names.
	resources []string
	// bound are ports of ours with a device there; copied are ports of distributed routers, with one on each of their hosts.
	bound, copied []string
	since         time.Time
	// why it is there.
	why string
	// lacks is what the store has none left of for it.
	lacks *found
}

// found is how a spot is now: what acknowledged facts and the host's agent say.
type found struct {
	// state is ACTIVE, BUILD, DOWN or ERROR; unsure says that the host cannot be asked, and was in that state when it last
	// could.
	state  string
	unsure bool
	// reason and message say why it is not ACTIVE.
	reason, message string
	since           time.Time
	host            string
}

// look finds out how a spot is.
func (s *sight) look(at spot) found {
	f := s.judge(at)
	f.host = at.host
	return f
}

func (s *sight) judge(at spot) found {
	if at.host == "" {
		return found{state: stateDown, reason: "NoHost", message: at.why}
	}
	if at.lacks != nil {
		return *at.lacks
	}
	if h := s.HostHealth(at.host); h != nil && h.Down {
		return found{state: stateDown, reason: "HostDown", since: h.Since,
			message: fmt.Sprintf("%s is down since %s", at.host, clock(h.Since, time.Now()))}
	}
	live := s.fleet.Host(at.host)
	for _, f := range live.Failed {
		if slices.Contains(at.resources, f.Object) {
			return found{state: stateError, reason: f.Reason, message: fmt.Sprintf("%s: %s", at.host, cmp.Or(f.Message, f.Reason))}
		}
	}
	for _, id := range slices.Concat(at.bound, at.copied) {
		if f := s.device(at.host, id, slices.Contains(at.copied, id)); f.state != stateActive {
			return f
		}
	}
	switch {
	case !live.AgentConnected:
		return found{state: stateActive, unsure: true, reason: "NotConnected", since: live.AgentSince,
			message: fmt.Sprintf("the agent of %s is not connected; what it made stays in force", at.host)}
	case live.Applied < at.revision && len(live.Failed) == 0:
		// With a failure of something else the host never says that it has applied a revision.
		return found{state: stateBuild, reason: "Programming", message: fmt.Sprintf("%s has not acknowledged it yet", at.host)}
	}
	return found{state: stateActive}
}

// device finds out how the device of a port of ours is on a host. One that is copied has no binding.
func (s *sight) device(host, port string, copied bool) found {
	tap := view.TapName(port)
	i := s.Interface(host, tap)
	switch st := s.PortState(port); {
	case !copied && st != nil && st.Host == host && st.Status == model.PortError:
		return found{state: stateError, reason: st.Reason, message: fmt.Sprintf("%s: %s", host, st.Message), since: st.Since}
	case i == nil:
		return found{state: stateBuild, reason: "Programming", message: fmt.Sprintf("waiting for %s on br-int of %s", tap, host)}
	case i.OFPort == 0:
		return found{state: stateError, reason: "InterfaceFailed",
			message: fmt.Sprintf("%s: Open vSwitch could not add %s; see ovs-vsctl get Interface %s error there", host, tap, tap)}
	case !copied && (st == nil || st.Host != host || st.Status != model.PortActive):
		return found{state: stateBuild, reason: "Programming", message: fmt.Sprintf("%s has not acknowledged %s yet", host, tap)}
	}
	return found{state: stateActive}
}

// gravity orders states: what must be mended first is the gravest.
var gravity = []string{stateActive, stateBuild, stateDown, stateError}

// programmedOn is the condition about several spots, and the gravest of their states; ACTIVE when there are none.
func (s *sight) programmedOn(spots []spot) (*weftv1.Condition, string) {
	c := &weftv1.Condition{Type: "Programmed", Status: conditionTrue, Reason: "Acknowledged"}
	state := stateActive
	var worst found
	var at, good []string
	slices.SortStableFunc(spots, func(a, b spot) int { return strings.Compare(a.host, b.host) })
	for _, p := range spots {
		f := s.look(p)
		if f.state == stateActive && !f.unsure {
			good = append(good, p.host)
			continue
		}
		if rank := slices.Index(gravity, f.state); at == nil || rank > slices.Index(gravity, worst.state) {
			worst, at = f, nil
		}
		if f.state == worst.state {
			at = append(at, p.host)
		}
		if slices.Index(gravity, f.state) > slices.Index(gravity, state) {
			state = f.state
		}
	}
	if at == nil {
		slices.Sort(good)
		c.Message = fmt.Sprintf("acknowledged by %s", strings.Join(slices.Compact(good), ", "))
		return c, state
	}
	c.Status, c.Reason, c.Message, c.LastTransitionTime = conditionFalse, worst.reason, worst.message, since(worst.since)
	if worst.unsure {
		c.Status = conditionUnknown
	}
	slices.Sort(at)
	if at = slices.Compact(at); len(at) == 1 {
		c.Host = at[0]
		return c, state
	}
	c.Message += fmt.Sprintf("; %s too", several(slices.DeleteFunc(at, func(h string) bool { return h == worst.host })))
	return c, state
}

// active are the hosts of spots that are as they should be.
func (s *sight) active(spots []spot) []string {
	var hosts []string
	for _, p := range spots {
		if s.look(p).state == stateActive {
			hosts = append(hosts, p.host)
		}
	}
	return hosts
}

// maxUnfit is how many hosts an explanation names.
const maxUnfit = 5

// noHost says why no host takes what belongs on a network host with bridges to those physical networks.
func noHost(s state.Snapshot, physnets []string) string {
	var why []string
	hosts := 0
	for h := range s.Hosts() {
		hosts++
		if slices.Contains(s.Roles(h.ID), model.RoleNetwork) {
			why = append(why, h.ID+" "+s.Unfit(h.ID, physnets))
		}
	}
	switch {
	case hosts == 0:
		return "there are no hosts yet: start weft-nsagent on one with the role network"
	case len(why) == 0:
		return "no host has the role network: weft set host NAME --role network"
	}
	more := ""
	if n := len(why) - maxUnfit; n > 0 {
		why, more = why[:maxUnfit], fmt.Sprintf(" and %d more", n)
	}
	return "no network host can take it: " + strings.Join(why, ", ") + more
}
