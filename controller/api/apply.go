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
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// What became of an object.
const (
	created   = "created"
	updated   = "updated"
	unchanged = "unchanged"
	deleted   = "deleted"
)

// Limits of one request. While its transaction runs, no other can; and etcd's transactions have a limit of their own.
const (
	maxApply  = 10_000
	maxPasses = 8
)

// Apply implements WeftService.
func (s *Server) Apply(ctx context.Context, req *weftv1.ApplyRequest) (*weftv1.ApplyResponse, error) {
	if n := len(req.Objects) + len(req.Deletes); n > maxApply {
		return nil, s.refuse(invalid("objects", "there are %d with the deletes; at most %d can be applied together", n, maxApply))
	}
	var results []*weftv1.ApplyResult
	rev, err := s.write(ctx, req.ValidateOnly, func(tx *store.Tx) (err error) {
		results, err = newApplication(tx, req).run(ctx)
		return err
	})
	if err != nil {
		return nil, s.refuse(err)
	}
	if req.ValidateOnly {
		_, rev = s.cfg.Store.Snapshot()
		for i, o := range req.Objects {
			if _, in := unwrap(o); results[i].Action == created && in.GetMetadata().GetId() == "" {
				// The next try would be given another one.
				results[i].Object.Id = ""
			}
		}
	}
	return &weftv1.ApplyResponse{Results: results, Revision: rev}, nil
}

// application is one run of Apply's transaction.
//
// Each object and each delete is a step. Steps are tried in an order in which most can be done at once; those that
// fail are tried again while others succeed, so that the request's order does not matter: an address is free when its
// port is gone, a network can be deleted when its last port has moved away.
type application struct {
	tx    *store.Tx
	steps []*step
	// claimed are the steps by the object they are about.
	claimed map[ident]*step
	// called are the steps that make objects, by the ids and names that others may refer to them by.
	called map[ident]*step
	// hints is how many suggestions may still be made.
	hints int
}

type ident struct {
	kind state.Kind
	id   string
}

// step is one object to make true, or one to delete.
type step struct {
	// at is the step's place in the request: "objects[3]", "deletes[0]".
	at   string
	kind state.Kind
	in   object // nil for a delete
	// fields are those that the object is about.
	fields []field
	ref    *weftv1.ObjectRef // nil for an object
	// key is the key of the object that is there already; empty when it is to be created. It is looked up before
	// anything is changed, so that no name means one thing to one step and another to the next.
	key string

	settled bool
	result  *weftv1.ApplyResult
	err     error
}

func newApplication(tx *store.Tx, req *weftv1.ApplyRequest) *application {
	a := &application{tx: tx, claimed: map[ident]*step{}, called: map[ident]*step{}, hints: maxHints}
	for i, o := range req.Objects {
		st := &step{at: fmt.Sprintf("objects[%d]", i)}
		st.kind, st.in = unwrap(o)
		if st.kind == "" || !st.in.ProtoReflect().IsValid() {
			st.fail(invalid("", "holds no object; set one of %s", strings.Join(words(), ", ")))
		} else {
			a.called[ident{st.kind, st.in.GetMetadata().GetId()}] = st
			a.called[ident{st.kind, st.in.GetMetadata().GetName()}] = st
			var bad []model.Violation
			if st.fields, bad = applied(st.kind).masked(st.in, o.GetUpdateMask().GetPaths()); len(bad) > 0 {
				st.fail(&model.Invalid{Violations: bad})
			} else {
				st.at += "." + store.Singular(st.kind)
				st.fail(a.match(st))
			}
		}
		a.steps = append(a.steps, st)
	}
	for i, ref := range req.Deletes {
		st := &step{at: fmt.Sprintf("deletes[%d]", i), ref: ref}
		var err error
		if st.kind, err = kindNamed(ref.GetKind()); err != nil {
			st.fail(invalid("kind", "%v", err))
		} else {
			st.fail(a.matchRef(st))
		}
		a.steps = append(a.steps, st)
	}
	return a
}

// fail settles a step that has an error for good: it is not tried again.
func (st *step) fail(err error) { st.settled, st.err = err != nil, err }

// run does all steps, or tells what is wrong with each that cannot be done. The results are in the request's order.
func (a *application) run(ctx context.Context) ([]*weftv1.ApplyResult, error) {
	waiting := slices.Clone(a.steps)
	slices.SortStableFunc(waiting, func(x, y *step) int { return cmp.Compare(x.rank(), y.rank()) })
	for pass := 0; pass < maxPasses && len(waiting) > 0; pass++ {
		var again []*step
		progress := false
		for _, st := range waiting {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if !st.settled {
				a.try(st)
			}
			if !st.settled {
				again = append(again, st)
			}
			progress = progress || st.result != nil
		}
		waiting = again
		if !progress {
			break
		}
	}
	var bad, excused problems
	results := make([]*weftv1.ApplyResult, len(a.steps))
	for i, st := range a.steps {
		results[i] = st.result
		switch {
		case errors.Is(st.err, errExcused):
			excused = append(excused, problem{st.at, st.err})
		case st.err != nil:
			bad = append(bad, problem{st.at, st.err})
		}
	}
	switch {
	case len(bad) > 0:
		return nil, bad
	case len(excused) > 0:
		return nil, excused
	}
	return results, nil
}

// rank orders steps: deletes before what may take the place, users before what they use; then objects, each after what
// it refers to, and those that ask for a value before those that take any.
func (st *step) rank() int {
	k := slices.Index(kinds, st.kind)
	if st.ref != nil {
		return -k
	}
	rank := 2*k + 1
	if st.kind != "" && st.in.ProtoReflect().IsValid() && applied(st.kind).leavesChoice(st.in) {
		rank++
	}
	return rank
}

func (a *application) try(st *step) {
	if st.ref != nil {
		a.delete(st)
		return
	}
	rd := &reading{Snapshot: a.tx.Snapshot, excused: a.excused, hints: &a.hints, named: paths(st.fields)}
	st.err = a.put(st, rd)
	// What could not be understood will not be understood the next time.
	st.settled = st.settled || st.err == nil || len(rd.bad) > 0
}

// excused says that an object is missing because the step that should make it has failed.
func (a *application) excused(k state.Kind, ref string) bool {
	st := a.called[ident{k, ref}]
	return st != nil && st.err != nil
}

// put makes one object true.
func (a *application) put(st *step, rd *reading) error {
	if st.key == "" {
		// Another step may have made it since, or called its network so.
		if err := a.match(st); err != nil {
			st.settled = true
			return err
		}
	}
	var old any
	if st.key != "" {
		old = a.tx.Object(st.kind, st.key)
	}
	res, err := applied(st.kind).put(a.tx, rd, old, st.in, st.fields)
	if err != nil {
		return err
	}
	st.result = res
	if old == nil {
		return a.claim(st, res.Object.Id)
	}
	return nil
}

func (a *application) delete(st *step) {
	r := refTo(st.kind, a.tx.Object(st.kind, st.key))
	if st.err = applied(st.kind).delete(a.tx, r.ID); st.err != nil {
		return
	}
	st.settled = true
	st.result = &weftv1.ApplyResult{Object: spellRef(r), Action: deleted}
}

func spellRef(r store.Ref) *weftv1.ObjectRef {
	return &weftv1.ObjectRef{Kind: store.Singular(r.Kind), Id: r.ID, Name: r.Name}
}
