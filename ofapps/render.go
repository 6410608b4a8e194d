// Package ofapps renders what a host must have in its bridges: each part of its view into rows of br-int, br-tun and the
// bridges of physical networks.
package ofapps

import (
	"fmt"

	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brex"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/ofapps/brtun"
	"github.com/weft-sdn/weft/ofapps/flow"
)

//go:generate go test . -run ^TestPipelineDocument$ -update

// Rows are rows by the name of their bridge.
type Rows map[string][]flow.Flow

func (r Rows) add(bridge string, rows []flow.Flow) {
	if len(rows) > 0 {
		r[bridge] = append(r[bridge], rows...)
	}
}

// Render renders one part of a host. It is a pure function of the snapshot, and costs what the part holds. A part that
// the host does not have comes to no rows.
func Render(s state.Snapshot, host string, p view.Part) Rows {
	if !p.Kind.HasRows() {
		return nil
	}
	h, ok := view.ForHost(s, host)
	if !ok {
		return nil
	}
	rows := Rows{}
	render(s, h, p, view.Once(s, h), rows.add)
	return rows
}

// Renderer is Render for many parts of one host: what they have in common is looked up once. It is for one goroutine.
type Renderer struct {
	s      state.Snapshot
	h      view.Host
	ok     bool
	lookup *view.Lookup
}

// NewRenderer begins to render parts of a host. An unknown host has no rows.
func NewRenderer(s state.Snapshot, host string) Renderer {
	h, ok := view.ForHost(s, host)
	return Renderer{s, h, ok, view.NewLookup(s, h)}
}

// Render renders one part, and gives the rows away bridge by bridge. A bridge may come again.
func (r Renderer) Render(p view.Part, to func(bridge string, rows []flow.Flow)) {
	if r.ok && p.Kind.HasRows() {
		render(r.s, r.h, p, r.lookup, to)
	}
}

func render(s state.Snapshot, h view.Host, p view.Part, l *view.Lookup, to func(bridge string, rows []flow.Flow)) {
	switch p.Kind {
	case view.HostPart:
		peers := view.Peers(s, h.Name)
		to(view.BrInt, brint.Host(h, peers))
		to(view.BrTun, brtun.Host(h, peers))
		for _, ph := range h.Physical {
			to(ph.Bridge, brex.Host(ph, peers))
		}
	case view.TunnelPart:
		if t, ok := view.ForTunnel(s, h, p.ID); ok {
			to(view.BrTun, brtun.Tunnel(t))
		}
	case view.NetworkPart:
		if n, ok := view.ForNetwork(s, h, p.ID); ok {
			to(view.BrInt, brint.Network(h, n, l.Routed(n.ID)))
			to(view.BrTun, brtun.Network(h, n, view.Flood(s, h, n.ID)))
			if n.Physical.Bridge != "" {
				to(n.Physical.Bridge, brex.Network(n))
			}
		}
	case view.PortPart:
		n, local, remote := l.ForPort(p.ID)
		if local != nil {
			to(view.BrInt, brint.LocalPort(h, n, *local))
			to(view.BrTun, brtun.LocalPort(n, *local))
		}
		if remote != nil {
			to(view.BrTun, brtun.RemotePort(h, n, *remote))
		}
	case view.RouterPart:
		for _, r := range l.Router(p.ID) {
			to(view.BrInt, brint.Router(h, r))
			to(view.BrTun, brtun.Router(h, r))
			if ph := r.Network.Physical; ph.Bridge != "" {
				to(ph.Bridge, brex.Router(h, r))
			}
		}
	default:
		to(view.BrInt, firewall(h, p, l))
	}
}

// Meters are those that rows of a part name on br-int. They must be there before the rows, and can go when these have gone.
func Meters(s state.Snapshot, host string, p view.Part) []flow.Meter {
	if p.Kind != view.PortPart || !view.Limited(s, host, p.ID) {
		return nil
	}
	h, ok := view.ForHost(s, host)
	if !ok {
		return nil
	}
	return meters(p, view.Once(s, h))
}

// Meters are as the function Meters.
func (r Renderer) Meters(p view.Part) []flow.Meter {
	if !r.ok || p.Kind != view.PortPart || !view.Limited(r.s, r.h.Name, p.ID) {
		return nil
	}
	return meters(p, r.lookup)
}

func meters(p view.Part, l *view.Lookup) []flow.Meter {
	if _, local, _ := l.ForPort(p.ID); local != nil {
		return brint.Meters(*local)
	}
	return nil
}

// firewall renders the parts that br-int's firewall is made of.
func firewall(h view.Host, p view.Part, l *view.Lookup) []flow.Flow {
	switch p.Kind {
	case view.GroupSetPart:
		if gs, ok := l.GroupSet(p.ID); ok {
			return brint.GroupSet(gs)
		}
	case view.RemoteGroupPart:
		if g, ok := l.RemoteGroup(p.ID); ok {
			return brint.RemoteGroup(g)
		}
	case view.RemotePart:
		if r, ok := l.Remote(p.ID); ok {
			return brint.Remote(r)
		}
	case view.StationPart:
		if s, ok := l.Station(p.ID); ok {
			return brint.Station(s)
		}
	case view.MulticastPart:
		if m, ok := l.Multicast(p.ID); ok {
			return brint.Multicast(h, m)
		}
	}
	return nil
}

// RenderAll renders all parts of a host: the definition of what its bridges must hold. A bridge without rows, which only
// an unknown host has, is not in it.
func RenderAll(s state.Snapshot, host string) Rows {
	all := Rows{}
	r := NewRenderer(s, host)
	for p := range view.Parts(s, host) {
		r.Render(p, all.add)
	}
	return all
}

// Tables lists the tables of the bridges of a role: view.RoleIntegration, RoleTunnel or RolePhysical.
func Tables(role string) []*flow.Table {
	switch role {
	case view.RoleIntegration:
		return brint.Tables
	case view.RoleTunnel:
		return brtun.Tables
	case view.RolePhysical:
		return brex.Tables
	}
	panic(fmt.Sprintf("ofapps: no bridge has the role %q", role))
}
