package ovsdb

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Outcome is what Apply found and did.
type Outcome struct {
	// State is the database after the changes.
	State *State
	// Changes were committed.
	Changes []Change
	// Problems are the resources that are not true, by name.
	Problems map[string]Problem
	// Cfg is the number of the last transaction; State.Applied tells when the switch has carried it out. 0: there was none.
	Cfg int64
	// Transactions is how many were committed: at most one, unless the database refused it.
	Transactions int
}

// Apply makes the database what is desired, as far as it can be, in one transaction. When the database refuses that,
// each change is tried by itself, and those that are refused become problems.
//
// An error means that the database could not be asked; then nothing is known of what was done.
func (s *Session) Apply(ctx context.Context, want Desired) (Outcome, error) {
	st, err := s.State()
	if err != nil {
		return Outcome{}, err
	}
	changes, problems := diff(want, st, nil)
	out := Outcome{State: st, Problems: problems}
	if len(changes) == 0 {
		return out, nil
	}
	out.Cfg, err = s.commit(ctx, st, comment(changes), operationsOf(changes))
	var refused *RefusedError
	if errors.As(err, &refused) {
		return s.applyOneByOne(ctx, want, 2*len(changes))
	}
	if err != nil {
		return out, err
	}
	out.Changes, out.Transactions = changes, 1
	out.State, err = s.State()
	if err == nil {
		var rest []Change
		rest, out.Problems = diff(want, out.State, nil)
		out.owe(rest)
	}
	return out, err
}

// owe notes what a transaction has made possible and the next one must do: a port that was just plugged gets its VLAN.
func (o *Outcome) owe(rest []Change) {
	for _, c := range rest {
		if _, other := o.Problems[c.Resource]; !other {
			o.Problems[c.Resource] = Problem{Resource: c.Resource, Reason: NotApplied, Message: c.Text + ", which is put right next"}
		}
	}
}

// applyOneByOne commits changes one at a time, at most so many: what others undo meanwhile is for the next Apply.
func (s *Session) applyOneByOne(ctx context.Context, want Desired, most int) (Outcome, error) {
	out := Outcome{}
	rejected := map[string]Problem{}
	for range most + 1 {
		st, err := s.State()
		if err != nil {
			return out, err
		}
		var changes []Change
		changes, out.Problems = diff(want, st, rejected)
		out.State = st
		if len(changes) == 0 {
			return out, nil
		}
		c := changes[0]
		cfg, err := s.commit(ctx, st, comment(changes[:1]), c.ops)
		var refused *RefusedError
		switch {
		case errors.As(err, &refused):
			rejected[c.Resource] = Problem{Resource: c.Resource, Reason: Rejected, Message: err.Error()}
		case err != nil:
			return out, err
		default:
			out.Cfg = cfg
			out.Changes = append(out.Changes, c)
			out.Transactions++
		}
	}
	return out, nil
}

func operationsOf(changes []Change) []ovsdb.Operation {
	var ops []ovsdb.Operation
	for _, c := range changes {
		ops = append(ops, c.ops...)
	}
	return ops
}

// comment is what ovsdb-tool show-log tells people.
func comment(changes []Change) string {
	names := map[string]bool{}
	for _, c := range changes {
		names[c.Resource] = true
	}
	all := slices.Sorted(maps.Keys(names))
	if len(all) > 8 {
		all = append(all[:8:8], "…")
	}
	return "weft-nsagent: " + strings.Join(all, " ")
}

// Poke makes the switch look at its configuration again, and so try once more to add ports that it could not add.
func (s *Session) Poke(ctx context.Context, st *State) error {
	_, err := s.commit(ctx, st, "weft-nsagent: try again what failed", nil)
	return err
}
