package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// placed are the kinds of objects that can be asked for by Where.
var placed = []state.Kind{state.Routers, state.Networks, state.FloatingIPs, state.Ports}

// Where implements DiagnosticsService.
func (s *Server) Where(_ context.Context, req *weftv1.WhereRequest) (*weftv1.WhereResponse, error) {
	sight := s.sight()
	k, obj, err := whereabouts(sight.Snapshot, req)
	if err != nil {
		return nil, s.refuse(err)
	}
	var spots []spot
	switch o := obj.(type) {
	case *model.Router:
		spots = whereRouter(sight.Snapshot, o)
	case *model.Network:
		spots = whereNetwork(sight.Snapshot, o)
	case *model.FloatingIP:
		spots = whereFloatingIP(sight.Snapshot, o)
	case *model.Port:
		return &weftv1.WhereResponse{Object: spellRef(refTo(k, obj)), Places: append(wherePort(sight, o), sight.places(portSpots(sight.Snapshot, o))...)}, nil
	}
	return &weftv1.WhereResponse{Object: spellRef(refTo(k, obj)), Places: sight.places(spots)}, nil
}

// whereabouts finds the object that a request means, of the kind that it names, or of any.
func whereabouts(s state.Snapshot, req *weftv1.WhereRequest) (state.Kind, any, error) {
	if req.Kind != "" {
		k, err := kindNamed(req.Kind)
		if err != nil || !slices.Contains(placed, k) {
			return "", nil, invalid("kind", "%q is nothing that hosts have; choose one of %s", req.Kind, placedWords())
		}
		obj, err := named(s, k, "object", req.Object)
		return k, obj, err
	}
	if req.Object == "" {
		return "", nil, invalid("object", "is missing; give an id, the beginning of one, or a name")
	}
	var kind state.Kind
	var found any
	var missing *errNoSuch
	var refs []string
	for _, k := range placed {
		obj, err := find(s, k, req.Object, nil)
		switch {
		case errors.As(err, &missing):
		case err != nil:
			return "", nil, err
		default:
			kind, found = k, obj
			refs = append(refs, refTo(k, obj).String())
		}
	}
	switch len(refs) {
	case 0:
		return "", nil, &errNowhere{req.Object}
	case 1:
		return kind, found, nil
	}
	return "", nil, invalid("kind", "is missing; %q could be %s", req.Object, strings.Join(refs, ", "))
}

func placedWords() string {
	var words []string
	for _, k := range placed {
		words = append(words, store.Singular(k))
	}
	return strings.Join(words, ", ")
}

// errNowhere says that nothing of any kind is called so.
type errNowhere struct{ ref string }

func (e *errNowhere) Error() string {
	return fmt.Sprintf("no %s is called %q", strings.ReplaceAll(placedWords(), ", ", " or "), e.ref)
}

// places looks at spots, and spells what it finds.
func (s *sight) places(spots []spot) []*weftv1.Place {
	slices.SortStableFunc(spots, func(a, b spot) int { return cmp.Or(strings.Compare(a.host, b.host), strings.Compare(a.what, b.what)) })
	var out []*weftv1.Place
	for _, at := range spots {
		f := s.look(at)
		p := &weftv1.Place{Host: at.host, What: at.what, Why: at.why, State: f.state, Message: f.message, Since: since(at.since)}
		if at.host == "" {
			p.Message = ""
		}
		out = append(out, p)
	}
	return out
}

func whereRouter(s state.Snapshot, r *model.Router) []spot {
	spots := routerSpots(s, r)
	for i := range spots {
		if len(spots[i].copied) > 0 {
			spots[i].why = needed(s, r, spots[i].host)
		}
	}
	type outside struct{ network, host string }
	served := map[outside][]string{}
	for f := range s.FloatingIPsOfRouter(r.ID) {
		if at, ok := view.FloatingIPPlace(s, f); ok && at.In == view.PlaceFIP {
			o := outside{f.FloatingNetworkID, at.Host}
			served[o] = append(served[o], f.Address.String())
		}
	}
	for o, addresses := range served {
		at := outsideSpot(s, o.network, o.host)
		at.why = "it serves the floating IPs of ports that are bound there: " + several(addresses)
		spots = append(spots, at)
	}
	return spots
}

// several lists the first of many for people.
func several(words []string) string {
	slices.Sort(words)
	if n := len(words) - maxNeeders; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:maxNeeders], ", "), n)
	}
	return strings.Join(words, ", ")
}

func whereNetwork(s state.Snapshot, n *model.Network) []spot {
	spots := dhcpSpots(s, n)
	if len(spots) == 0 && wantsDHCP(s, n) {
		spots = append(spots, spot{what: "qdhcp-" + n.ID, why: noHost(s, needs(n))})
	}
	for p := range s.PortsOwned(n.ID, model.OwnerFIPGateway) {
		at := outsideSpot(s, n.ID, p.DeviceID)
		at.why = fmt.Sprintf("it serves floating IPs of ports that are bound there, with %s", addressesOf(p))
		spots = append(spots, at)
	}
	for v := range s.LocalVLANsOf(n.ID) {
		bound := 0
		for range s.BindingsAt(v.Host, n.ID) {
			bound++
		}
		why := fmt.Sprintf("%d of its ports are bound there", bound)
		switch bound {
		case 0:
			why = "a distributed router with an interface on it is there"
		case 1:
			why = "one of its ports is bound there"
		}
		spots = append(spots, spot{host: v.Host, what: fmt.Sprintf("vlan %d", v.VLAN), why: why})
	}
	return spots
}

func whereFloatingIP(s state.Snapshot, f *model.FloatingIP) []spot {
	at, ok := view.FloatingIPPlace(s, f)
	resources := []string{"floatingip/" + f.ID}
	if f.PortID == "" {
		for pf := range s.PortForwardingsOf(f.ID) {
			at, ok = view.PortForwardingPlace(s, pf)
			resources = []string{"portforwarding/" + pf.ID}
		}
	}
	switch {
	case ok:
		return servingSpots(s, f, at, f.Revision, resources)
	case f.PortID == "" && f.RouterID == "":
		return nil
	}
	_, why := unserved(s, f)
	return []spot{{what: "its translation", why: why}}
}

// wherePort is where the port's interface is, or why there is none. Ports of distributed routers are where portSpots says.
func wherePort(s *sight, p *model.Port) []*weftv1.Place {
	if p.DeviceOwner == model.OwnerDistributedInterface || p.DeviceOwner == model.OwnerFloatingIP {
		return nil
	}
	shown := ports.answer(s, p, 0).Status
	place := &weftv1.Place{Host: shown.Host, What: shown.InterfaceName, State: shown.Status}
	for _, c := range shown.Conditions {
		switch {
		case c.Type == "Bound":
			place.Why = c.Message
		case c.Status != conditionTrue && shown.Host != "":
			place.Message = c.Message
		}
	}
	if place.What == "" {
		place.What = "its interface"
	}
	return []*weftv1.Place{place}
}

// portSpots are what else stands for a port: the copies of a distributed router's port, and its floating IPs.
func portSpots(s state.Snapshot, p *model.Port) []spot {
	var spots []spot
	if r := s.Router(p.DeviceID); r != nil && p.DeviceOwner == model.OwnerDistributedInterface {
		for _, at := range routerSpots(s, r) {
			if len(at.copied) > 0 {
				at.what, at.copied, at.why = view.TapName(p.ID), []string{p.ID}, needed(s, r, at.host)
				spots = append(spots, at)
			}
		}
	}
	for f := range s.FloatingIPsOfPort(p.ID) {
		for _, at := range whereFloatingIP(s, f) {
			at.why = fmt.Sprintf("floating IP %s: %s", f.Address, at.why)
			spots = append(spots, at)
		}
	}
	return spots
}
