package store

import (
	"cmp"
	"maps"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
)

// component are the distributed routers that are connected with each other through shared networks, and those networks. A
// host with a port of any of the networks, or with the centralised part of any of the routers, needs all of the routers: what
// they send may go through one after the other, and none of them is anywhere else.
type component struct {
	routers  []*model.Router
	networks []string
	// done are the hosts that have the routers they need; all says that all have.
	done map[string]bool
	all  bool
}

func (t *Tx) componentOf(network string, known map[string]*component) *component {
	if c := known[network]; c != nil {
		return c
	}
	c := &component{networks: []string{network}, done: map[string]bool{}}
	known[network] = c
	seen := map[string]bool{}
	for i := 0; i < len(c.networks); i++ {
		for p := range t.PortsOwned(c.networks[i], model.OwnerDistributedInterface) {
			r := t.Router(p.DeviceID)
			if r == nil || !state.Spreads(r) || seen[r.ID] {
				continue
			}
			seen[r.ID] = true
			c.routers = append(c.routers, r)
			for q := range t.distributedPorts(r.ID) {
				if known[q.NetworkID] == nil {
					known[q.NetworkID] = c
					c.networks = append(c.networks, q.NetworkID)
				}
			}
		}
	}
	return c
}

// spreadRouters puts the distributed routers on the hosts that need them, and takes them from the others.
func (t *Tx) spreadRouters() {
	networks, places := drain(&t.pending.spread), t.pending.places
	t.pending.places = nil
	touched, known := map[place]bool{}, map[string]*component{}
	for _, n := range networks {
		for v := range t.LocalVLANsOf(n) {
			touched[place{v.Host, n}] = true
		}
		c := t.componentOf(n, known)
		if !c.all {
			c.all = true
			for _, host := range t.hostsOf(c) {
				t.spreadTo(c, host, touched)
			}
		}
	}
	for _, p := range sortedPlaces(places) {
		if c := t.componentOf(p.network, known); !c.all {
			t.spreadTo(c, p.host, touched)
		}
	}
	// A router that stays on a host may have got another network.
	for _, n := range networks {
		for p := range t.PortsOwned(n, model.OwnerDistributedInterface) {
			for h := range t.RouterHostsOf(p.DeviceID) {
				touched[place{h.Host, n}] = true
			}
		}
	}
	if len(touched) > 0 {
		t.rebindAt(newClaims(), touched)
	}
}

// hostsOf are the hosts that have, or need, a router of the component.
func (t *Tx) hostsOf(c *component) []string {
	hosts := map[string]bool{}
	for _, n := range c.networks {
		for v := range t.LocalVLANsOf(n) {
			hosts[v.Host] = true
		}
	}
	for _, r := range c.routers {
		for h := range t.RouterHostsOf(r.ID) {
			hosts[h.Host] = true
		}
		if s := t.Schedule(r.ID); s != nil {
			for _, host := range s.Hosts() {
				hosts[host] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(hosts))
}

// spreadTo puts the routers of a component on a host when something there needs them.
func (t *Tx) spreadTo(c *component, host string, touched map[place]bool) {
	if c.done[host] || len(c.routers) == 0 {
		return
	}
	c.done[host] = true
	want := t.needed(c, host)
	for _, r := range c.routers {
		have := t.RouterHost(r.ID, host) != nil
		switch {
		case want == have:
			continue
		case have:
			t.removeRouterHost(r.ID, host)
		default:
			link, ok := t.freeLinkLocal(host)
			if !ok {
				// The router says so. It comes when another one goes.
				continue
			}
			t.put(state.RouterHosts, &model.RouterHost{RouterID: r.ID, Host: host, LinkLocal: link})
		}
		t.routerCame(r.ID, host)
		for p := range t.distributedPorts(r.ID) {
			touched[place{host, p.NetworkID}] = true
		}
	}
}

// needed says whether the host has the centralised part of one of the routers, or a port that sends to them.
func (t *Tx) needed(c *component, host string) bool {
	for _, r := range c.routers {
		if s := t.Schedule(r.ID); s != nil && s.On(host) {
			return true
		}
	}
	for _, n := range c.networks {
		for b := range t.BindingsAt(host, n) {
			if model.NeedsRouter(t.Port(b.PortID).DeviceOwner) {
				return true
			}
		}
	}
	return false
}

// gather takes a router that is not distributed, or has nothing to do, from all hosts.
func (t *Tx) gather(router string) {
	for _, h := range slices.Collect(t.RouterHostsOf(router)) {
		t.removeRouterHost(router, h.Host)
		t.routerCame(router, h.Host)
		for p := range t.distributedPorts(router) {
			t.pending.spread.add(p.NetworkID)
		}
	}
}

// removeRouterHost takes a router from a host. Where there was no pair of addresses left, others may have waited for it.
func (t *Tx) removeRouterHost(router, host string) {
	if _, ok := t.freeLinkLocal(host); !ok {
		for v := range t.LocalVLANsOn(host) {
			t.pending.places.add(place{host, v.NetworkID})
		}
	}
	t.delete(state.RouterHosts, router+"/"+host)
}

// routerCame notes that the floating IPs of a router that came to a host, or went, are served elsewhere now.
func (t *Tx) routerCame(router, host string) {
	for range t.FloatingIPsOfRouter(router) {
		t.pending.floating.add(host)
		return
	}
}

// freeLinkLocal is the lowest number that no router of the host has.
func (t *Tx) freeLinkLocal(host string) (uint16, bool) {
	var taken [model.MaxLinkLocals]bool
	for h := range t.RouterHostsOn(host) {
		taken[h.LinkLocal] = true
	}
	for n, is := range taken {
		if !is {
			return uint16(n), true
		}
	}
	return 0, false
}

// serveFloating gives a host its port on every external network of which it serves a floating IP, and takes back the
// others. Without an address left there is none; it is tried again when one is.
func (t *Tx) serveFloating(host string) {
	want := map[string]bool{}
	for b := range t.BindingsOn(host) {
		for f := range t.FloatingIPsOfPort(b.PortID) {
			if view.FIPHost(t.Snapshot, f) == host {
				want[f.FloatingNetworkID] = true
			}
		}
	}
	for _, p := range slices.Collect(t.PortsOfDevice(host)) {
		if p.DeviceOwner != model.OwnerFIPGateway {
			continue
		}
		if want[p.NetworkID] {
			delete(want, p.NetworkID)
		} else {
			t.removePort(p)
		}
	}
	for _, network := range slices.SortedFunc(maps.Keys(want), cmp.Compare[string]) {
		ip, err := t.anyAddress("", t.subnets4(network))
		if err != nil {
			continue
		}
		// Without a MAC left it is as without an address.
		_, _ = t.makePort(&model.Port{
			NetworkID: network, FixedIPs: []model.FixedIP{ip}, DeviceID: host, DeviceOwner: model.OwnerFIPGateway, BindingHostID: host,
		})
	}
}
