package api

import (
	"strings"

	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Roles of bridges, as the cookies of their base rows have them.
const (
	roleInt      = "br-int"
	roleTun      = "br-tun"
	rolePhysical = "physical"
)

var roles = []string{roleInt, roleTun, rolePhysical}

// roleOf is the role of a bridge: br-int and br-tun have their own, all others lead to a physical network.
func roleOf(bridge string) string {
	switch bridge {
	case roleInt, roleTun:
		return bridge
	}
	return rolePhysical
}

// pipelineKind is the kind of the owner of the rows that every bridge of a role begins with.
const pipelineKind = "pipeline"

// plainSwitch stands for the role of a bridge that no controller has programmed yet.
const plainSwitch = "plain switch"

// owners leads from cookies to the objects that wanted the rows.
type owners struct {
	snap state.Snapshot
	// hashed are the hosts and the roles by their cookie, which holds a hash of their name.
	hashed map[uint64][]*weftv1.ObjectRef
	known  map[uint64][]*weftv1.ObjectRef
}

func (s *Server) owners(snap state.Snapshot) *owners {
	o := &owners{snap: snap, hashed: map[uint64][]*weftv1.ObjectRef{}, known: map[uint64][]*weftv1.ObjectRef{}}
	for h := range snap.Hosts() {
		c := flow.Cookie(flow.HostCookie, h.ID)
		o.hashed[c] = append(o.hashed[c], spellRef(refTo(state.Hosts, h)))
	}
	for _, role := range roles {
		c := flow.Cookie(flow.PipelineCookie, role)
		o.hashed[c] = append(o.hashed[c], &weftv1.ObjectRef{Kind: pipelineKind, Id: role})
	}
	o.hashed[flow.PlainSwitch] = []*weftv1.ObjectRef{{Kind: pipelineKind, Id: plainSwitch}}
	return o
}

// all are the objects that a cookie may stand for: one, but for a collision of 48 bits; none when the cookie is not
// ours, or its object is gone.
func (o *owners) all(cookie uint64) []*weftv1.ObjectRef {
	if refs, ok := o.known[cookie]; ok {
		return refs
	}
	refs := o.find(cookie)
	o.known[cookie] = refs
	return refs
}

func (o *owners) find(cookie uint64) []*weftv1.ObjectRef {
	kind, prefix, ok := flow.ParseCookie(cookie)
	if !ok {
		return nil
	}
	if refs := o.hashed[cookie]; refs != nil {
		return refs
	}
	k, ok := cookieKinds[kind]
	if !ok {
		return nil
	}
	var refs []*weftv1.ObjectRef
	for obj := range o.snap.ByIDPrefix(k, strings.ToLower(prefix)) {
		refs = append(refs, spellRef(refTo(k, obj)))
	}
	return refs
}

// one is the first of all; nil when there is none.
func (o *owners) one(cookie uint64) *weftv1.ObjectRef {
	if refs := o.all(cookie); len(refs) > 0 {
		return refs[0]
	}
	return nil
}

// cookieKinds are the kinds whose objects' ids are UUIDs.
var cookieKinds = map[flow.CookieKind]state.Kind{
	flow.NetworkCookie: state.Networks,
	flow.SubnetCookie:  state.Subnets,
	flow.PortCookie:    state.Ports,
	flow.RouterCookie:  state.Routers,
	flow.LearnedCookie: state.Networks,

	flow.SecurityGroupCookie:     state.SecurityGroups,
	flow.SecurityGroupRuleCookie: state.SecurityGroupRules,
	flow.AddressGroupCookie:      state.AddressGroups,
	flow.QoSPolicyCookie:         state.QoSPolicies,
}

// sentence names an owner for people.
func sentence(r *weftv1.ObjectRef) string {
	if r.Kind == pipelineKind && r.Id == plainSwitch {
		return "the plain switch that an agent makes of a bridge until a controller comes"
	}
	if r.Kind == pipelineKind {
		return "the pipeline of " + r.Id + " bridges"
	}
	return store.Ref{Kind: state.Kind(r.Kind), ID: r.Id, Name: r.Name}.String()
}
