package hostsync

import (
	"cmp"
	"fmt"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// tellMoves tells people what the store has put on another host, and which hosts went and came back.
func (f *Fleet) tellMoves(before, after state.Snapshot, changes []state.Change) {
	for _, c := range changes {
		switch c.Kind {
		case state.Schedules:
			o, _ := c.Old.(*model.Schedule)
			n, _ := c.New.(*model.Schedule)
			f.tellSchedule(before, after, o, n)
		case state.Ports:
			o, _ := c.Old.(*model.Port)
			n, _ := c.New.(*model.Port)
			f.tellDHCP(after, o, n)
		case state.HostHealths:
			o, _ := c.Old.(*model.HostHealth)
			n, _ := c.New.(*model.HostHealth)
			was, is := o != nil && o.Down, n != nil && n.Down
			switch {
			case is && !was:
				f.event(c.Key, "HostDown", "host/"+c.Key, "%s is down: neither its agent nor a switch of it has spoken for %v; centralised routers and DHCP servers move to other network hosts",
					c.Key, SilenceLimit(f.cfg.HostTimeout))
			case was && !is && after.Host(c.Key) != nil:
				f.event(c.Key, "HostUp", "host/"+c.Key, "%s is back; what has moved away stays where it is", c.Key)
			}
		}
	}
}

func (f *Fleet) tellSchedule(before, after state.Snapshot, o, n *model.Schedule) {
	switch {
	case n != nil && o == nil:
		f.event(n.Host, "RouterScheduled", "router/"+n.RouterID, "%s is on %s: %s", routerName(after, n.RouterID), n.Host, n.Reason)
	case n != nil && o.Host == n.Host && n.Next != "" && o.Next != n.Next:
		f.event(n.Next, "RouterMoving", "router/"+n.RouterID, "%s is on %s, and moves to %s when its namespaces are made there", routerName(after, n.RouterID), n.Host, n.Next)
	case n != nil && o.Host != n.Host:
		f.event(n.Host, "RouterMoved", "router/"+n.RouterID, "%s has moved from %s to %s: %s", routerName(after, n.RouterID), o.Host, n.Host, n.Reason)
	case n == nil && o != nil && after.Router(o.RouterID) != nil:
		f.event(o.Host, "RouterUnscheduled", "router/"+o.RouterID, "%s is on no network host any more", routerName(before, o.RouterID))
	}
}

// routerName is how people call what a Schedule is for.
func routerName(s state.Snapshot, id string) string {
	r := s.Router(id)
	if r == nil {
		return "router " + id
	}
	if r.Distributed {
		return fmt.Sprintf("the snat namespace of router %s", cmp.Or(r.Name, id))
	}
	return fmt.Sprintf("router %s", cmp.Or(r.Name, id))
}

func (f *Fleet) tellDHCP(after state.Snapshot, o, n *model.Port) {
	if n == nil || n.DeviceOwner != model.OwnerDHCP || n.BindingHostID == "" || o != nil && o.BindingHostID == n.BindingHostID {
		return
	}
	network := "network " + n.NetworkID
	var physnets []string
	if w := after.Network(n.NetworkID); w != nil {
		network = "network " + cmp.Or(w.Name, w.ID)
		if w.PhysicalNetwork != "" {
			physnets = []string{w.PhysicalNetwork}
		}
	}
	if o == nil || o.BindingHostID == "" {
		f.event(n.BindingHostID, "DHCPScheduled", "network/"+n.NetworkID, "DHCP for %s is on %s", network, n.BindingHostID)
		return
	}
	why := cmp.Or(after.Unfit(o.BindingHostID, physnets), "is left by it")
	f.event(n.BindingHostID, "DHCPMoved", "network/"+n.NetworkID, "DHCP for %s has moved from %s to %s: %s %s", network,
		o.BindingHostID, n.BindingHostID, o.BindingHostID, why)
}
