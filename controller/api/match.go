package api

import (
	"cmp"
	"errors"

	"github.com/weft-sdn/weft/controller/state"
)

// naming is the field by which a step names its object.
func (st *step) naming() string {
	switch {
	case st.ref != nil && st.ref.GetId() != "":
		return "id"
	case st.ref != nil:
		return "name"
	case st.in.GetMetadata().GetId() != "":
		return "metadata.id"
	case st.in.GetMetadata().GetName() == "":
		return "metadata" // by what of it there can be only once
	}
	return "metadata.name"
}

// match finds the object that a step is about, if it is there already. A name counts as it is: it is not the beginning
// of an id.
func (a *application) match(st *step) error {
	md := st.in.GetMetadata()
	var obj any
	var err error
	switch {
	case md.GetId() != "":
		obj, err = find(a.tx.Snapshot, st.kind, md.Id, nil)
	case md.GetName() != "":
		among := applied(st.kind).among(&reading{Snapshot: a.tx.Snapshot}, st.in)
		obj, err = findNamed(a.tx.Snapshot, st.kind, md.Name, among)
	default:
		known := false
		if obj, known = applied(st.kind).known(&reading{Snapshot: a.tx.Snapshot}, st.in); !known {
			return invalid("metadata", "has neither id nor name; give one, so that the object is found again the next time")
		}
		if obj == nil {
			return nil
		}
	}
	var ambiguous *errAmbiguous
	switch {
	case errors.As(err, &ambiguous):
		return invalid(st.naming(), "%v", err)
	case err != nil:
		return nil
	}
	return a.claim(st, state.Key(obj))
}

// claim makes an object a step's, and refuses one that another step is about.
func (a *application) claim(st *step, key string) error {
	id := ident{st.kind, key}
	if other := a.claimed[id]; other != nil {
		return invalid(st.naming(), "is the same object as %s", other.at)
	}
	a.claimed[id] = st
	st.key = key
	return nil
}

// matchRef finds the object that is to be deleted.
func (a *application) matchRef(st *step) error {
	ref := cmp.Or(st.ref.GetId(), st.ref.GetName())
	if ref == "" {
		return invalid("id", "is missing; give an id or a name")
	}
	obj, err := find(a.tx.Snapshot, st.kind, ref, nil)
	var ambiguous *errAmbiguous
	switch {
	case errors.As(err, &ambiguous):
		return invalid(st.naming(), "%v", err)
	case err != nil:
		return err
	}
	return a.claim(st, state.Key(obj))
}
