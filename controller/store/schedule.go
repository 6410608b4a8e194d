package store

import (
	"fmt"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// fleet is what is known, during one settle, of the hosts that centralised parts and DHCP servers are put on.
type fleet struct {
	known bool
	// hosts are those that are fit for anything that needs no physical network, in order of name.
	hosts []string
	// routers and networks count by host what is there: Schedules, and DHCP ports.
	routers, networks map[string]int
}

func (f *fleet) look(t *Tx) {
	if f.known {
		return
	}
	*f = fleet{known: true, routers: map[string]int{}, networks: map[string]int{}}
	for h := range t.Hosts() {
		if t.Unfit(h.ID, nil) != "" {
			continue
		}
		f.hosts = append(f.hosts, h.ID)
		for range t.SchedulesOn(h.ID) {
			f.routers[h.ID]++
		}
		for p := range t.PortsWantedOn(h.ID) {
			if p.DeviceOwner == model.OwnerDHCP {
				f.networks[h.ID]++
			}
		}
	}
}

// least is the host with the least load of those that are fit and not excluded, and how many are fit. Of several the first
// by name; "" when there is none.
func (f *fleet) least(t *Tx, physnets []string, load map[string]int, excluded map[string]bool) (best string, fit int) {
	for _, h := range f.hosts {
		if t.Unfit(h, physnets) != "" {
			continue
		}
		fit++
		if !excluded[h] && (best == "" || load[h] < load[best]) {
			best = h
		}
	}
	return best, fit
}

// schedule puts a router's centralised part on a network host: the one where it is, as long as that one is fit; else the
// least loaded that is. When none is, it stays where it is, and a new one is nowhere. A host that comes back gets nothing
// back. From a host that is alive it moves when its namespaces are made on the other one. The router's ports follow.
func (t *Tx) schedule(f *fleet, id string) {
	r, old := t.Router(id), t.Schedule(id)
	var now *model.Schedule
	if r != nil && t.Centralised(r) {
		now = t.choose(f, r, old)
	}
	if now != old {
		t.setSchedule(f, id, old, now)
	}
	if r == nil || !state.Spreads(r) {
		t.gather(id)
	}
	host := ""
	if now != nil {
		host = now.Host
	}
	for _, p := range slices.Collect(t.PortsOfDevice(id)) {
		switch p.DeviceOwner {
		case model.OwnerRouterInterface, model.OwnerRouterGateway, model.OwnerCentralizedSNAT:
			if p.BindingHostID != host {
				t.changePort(p, func(p *model.Port) { p.BindingHostID = host })
			}
		}
	}
}

// choose says where a router's centralised part is to be. It returns old itself when it stays.
func (t *Tx) choose(f *fleet, r *model.Router, old *model.Schedule) *model.Schedule {
	physnets := t.PhysicalNetworks(r)
	unfit := ""
	if old != nil {
		if unfit = t.Unfit(old.Host, physnets); unfit == "" {
			return toward(old, "")
		}
	}
	f.look(t)
	host, fit := f.least(t, physnets, f.routers, nil)
	if old != nil && old.Next != "" && t.Unfit(old.Next, physnets) == "" {
		host = old.Next
	}
	now := &model.Schedule{RouterID: r.ID, Host: host, Since: t.now}
	switch {
	case host == "" && old != nil && t.Host(old.Host) != nil:
		return toward(old, "")
	case host == "":
		return nil
	case old != nil && t.stays(old.Host) && !t.prepared[r.ID]:
		return toward(old, host)
	case old != nil:
		now.Reason = fmt.Sprintf("moved: %s %s", old.Host, unfit)
	case fit == 1:
		now.Reason = "the only network host that is fit"
	default:
		now.Reason = fmt.Sprintf("least loaded of %d network hosts", fit)
	}
	return now
}

func (t *Tx) setSchedule(f *fleet, id string, old, now *model.Schedule) {
	if now == nil {
		t.delete(state.Schedules, id)
	} else {
		t.put(state.Schedules, now)
	}
	for n, s := range []*model.Schedule{old, now} {
		if s == nil {
			continue
		}
		for _, host := range s.Hosts() {
			if f.known {
				f.routers[host] += 2*n - 1
			}
			// A distributed router is where its centralised part is.
			for p := range t.distributedPorts(id) {
				t.pending.places.add(place{host, p.NetworkID})
				break
			}
		}
	}
}

// toward is the schedule with another host that it moves to: the same one when that is so already.
func toward(s *model.Schedule, next string) *model.Schedule {
	if s.Next == next {
		return s
	}
	n := *s
	n.Next = next
	return &n
}

// stays says whether what is on a host goes on there until it is elsewhere: the host is drained, and not down.
func (t *Tx) stays(host string) bool {
	h, health := t.Host(host), t.HostHealth(host)
	return h != nil && h.Draining && (health == nil || !health.Down)
}

// Prepared takes note that a host to which centralised parts of routers move has made their namespaces: they move now. Routers
// that do not, or no longer, move there stay as they are.
func (t *Tx) Prepared(host string, routers []string) {
	for _, id := range routers {
		if s := t.Schedule(id); s != nil && s.Next == host {
			if t.prepared == nil {
				t.prepared = map[string]bool{}
			}
			t.prepared[id] = true
			t.pending.routers.add(id)
		}
	}
}
