package api

import (
	"fmt"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// applier is a kind of object, for those who treat all kinds alike. Objects are pointers to the model's structs.
type applier interface {
	// among says among which objects a name is looked for; nil: all of the kind.
	among(rd *reading, in object) func(any) bool
	// known finds the object that a message without id and name is about; nil when there is none yet, and false when the
	// message does not tell.
	known(rd *reading, in object) (any, bool)
	// masked are the fields that an update mask stands for; those that are set in the object, when it is empty.
	masked(in object, mask []string) ([]field, []model.Violation)
	// put creates the object, or gives old the fields.
	put(tx *store.Tx, rd *reading, old any, in object, fields []field) (*weftv1.ApplyResult, error)
	delete(tx *store.Tx, key string) error
	// leavesChoice says that the server has to choose something for the object that others may ask for by value.
	leavesChoice(in object) bool
	// show spells an object with its status as it is in that sight; without a status when sight is nil.
	show(sight *sight, obj any) object
}

// applied finds the kind; it must be one of kinds.
func applied(k state.Kind) applier {
	switch k {
	case state.Networks:
		return networks
	case state.Subnets:
		return subnets
	case state.Ports:
		return ports
	case state.Hosts:
		return hosts
	case state.Routers:
		return routers
	case state.FloatingIPs:
		return floatingIPs
	case state.PortForwardings:
		return portForwardings
	case state.SecurityGroups:
		return securityGroups
	case state.SecurityGroupRules:
		return securityGroupRules
	case state.AddressGroups:
		return addressGroups
	case state.QoSPolicies:
		return qosPolicies
	}
	panic(fmt.Sprintf("api: no requests are about %s", k))
}

func (r *resource[M, P]) among(rd *reading, in object) func(any) bool {
	if r.scope == nil {
		return nil
	}
	return r.scope(rd, in.(P))
}

func (r *resource[M, P]) known(rd *reading, in object) (any, bool) {
	if r.same == nil {
		return nil, false
	}
	return r.same(rd, in.(P))
}

func (r *resource[M, P]) leavesChoice(in object) bool {
	return r.chooses != nil && r.chooses(in.(P))
}

func (r *resource[M, P]) masked(in object, mask []string) ([]field, []model.Violation) {
	if len(mask) == 0 {
		return r.fields.given(in), nil
	}
	return r.fields.masked("update_mask", mask)
}

func (r *resource[M, P]) put(tx *store.Tx, rd *reading, old any, in object, fields []field) (*weftv1.ApplyResult, error) {
	res := &weftv1.ApplyResult{Action: created}
	var m *M
	var err error
	if old == nil {
		m, err = r.insert(tx, rd, in.(P))
	} else {
		m, err = r.change(tx, rd, old.(*M), in.(P), fields)
	}
	if err != nil {
		return nil, err
	}
	if old != nil {
		res.Action = unchanged
		if res.Changes, err = r.fields.changes(r.spell(old.(*M)), r.spell(m)); err != nil {
			return nil, err
		}
		if len(res.Changes) > 0 {
			res.Action = updated
		}
	}
	res.Object = spellRef(refTo(r.kind, m))
	return res, nil
}

func (r *resource[M, P]) delete(tx *store.Tx, key string) error { return r.remove(tx, key, 0) }

func (r *resource[M, P]) show(sight *sight, obj any) object {
	m := obj.(*M)
	if sight == nil {
		return r.spell(m)
	}
	return r.answer(sight, m, 0)
}
