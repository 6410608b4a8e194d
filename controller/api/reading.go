package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// defaultProject is the project of objects without one.
const defaultProject = "default"

// reading turns what one request says about one object into the model's values, and collects what cannot be understood.
// It goes on after a mistake, with the zero value, so that all mistakes are told at once.
type reading struct {
	state.Snapshot
	bad []model.Violation
	// excused says that an object of that kind and name is missing for a reason that is told elsewhere. Nil: never.
	excused func(k state.Kind, ref string) bool
	// hints is how many suggestions may still be made for names that do not exist.
	hints *int
	// silent are fields that are wrong, but not by their own fault.
	silent []string
	// guard is the field of the etag that was given.
	guard string
	// named are the paths of the fields that the request speaks of; what is named and not set is meant to be empty. Nil: of
	// all.
	named []string
}

// newReading begins to read one object of a request that has no other.
func newReading(s state.Snapshot) *reading {
	hints := maxHints
	return &reading{Snapshot: s, hints: &hints}
}

func (r *reading) add(field, format string, args ...any) {
	r.bad = append(r.bad, model.Violation{Field: field, Message: fmt.Sprintf(format, args...)})
}

// failed says whether something could not be understood.
func (r *reading) failed() bool { return len(r.bad)+len(r.silent) > 0 }

// errExcused is the error of an object that fails only because another one does.
var errExcused = errors.New("depends on another object of the request that is wrong")

// errStale is the error of an etag that is not the object's any more.
type errStale struct {
	field string
	error
}

func (e *errStale) Unwrap() error { return e.error }

// join adds what the store says about the object to what could not be understood. Fields that were not understood are
// not told twice: that they are missing now is our doing.
func (r *reading) join(err error) error {
	var conflict *store.ErrConflict
	if r.guard != "" && errors.As(err, &conflict) {
		err = &errStale{r.guard, err}
	}
	if !r.failed() {
		return err
	}
	said := slices.Clone(r.bad)
	tell := func(field, message string) {
		for _, v := range r.bad {
			if related(v.Field, field) {
				return
			}
		}
		for _, f := range r.silent {
			if related(f, field) {
				return
			}
		}
		said = append(said, model.Violation{Field: field, Message: message})
	}
	var invalid *model.Invalid
	if errors.As(err, &invalid) {
		for _, v := range invalid.Violations {
			tell(v.Field, v.Message)
		}
	}
	for _, taken := range takenIn(err) {
		tell(taken.Field, takenMessage(taken))
	}
	if len(said) == 0 {
		return errExcused
	}
	return &model.Invalid{Violations: said}
}

// related says whether one of two fields is the other, or holds it.
func related(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".") ||
		strings.HasPrefix(a, b+"[") || strings.HasPrefix(b, a+"[")
}

// addr reads an address; empty is the zero Addr.
func (r *reading) addr(field, s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	a, err := model.ParseAddr(s)
	if err != nil {
		r.add(field, "%v", err)
	}
	return a
}

// prefix reads an address block; empty is the zero Prefix.
func (r *reading) prefix(field, s string) netip.Prefix {
	if s == "" {
		return netip.Prefix{}
	}
	p, err := model.ParsePrefix(s)
	if err != nil {
		r.add(field, "%v", err)
	}
	return p
}

// someAddr reads an address that must be there.
func (r *reading) someAddr(field, s string) netip.Addr {
	if s == "" {
		r.add(field, "is missing; give an address")
	}
	return r.addr(field, s)
}

// somePrefix reads an address block that must be there.
func (r *reading) somePrefix(field, s string) netip.Prefix {
	if s == "" {
		r.add(field, "is missing; give a block of addresses, e.g. 192.168.0.0/16")
	}
	return r.prefix(field, s)
}

// addrOrPrefix reads an address, which is a block of one, or a block.
func (r *reading) addrOrPrefix(field, s string) netip.Prefix {
	switch {
	case s == "":
		r.add(field, "is missing; give an address, or a block of them")
		return netip.Prefix{}
	case strings.Contains(s, "/"):
		return r.prefix(field, s)
	}
	a := r.addr(field, s)
	if !a.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// mac reads a MAC; empty is the zero MAC.
func (r *reading) mac(field, s string) model.MAC {
	if s == "" {
		return model.MAC{}
	}
	m, err := model.ParseMAC(s)
	if err != nil {
		r.add(field, "%v", err)
	}
	return m
}

// ref finds the object that a field refers to and returns its id; empty stays empty.
func (r *reading) ref(field string, k state.Kind, ref string, in func(any) bool) string {
	if ref == "" {
		return ""
	}
	obj, err := find(r.Snapshot, k, ref, in)
	switch {
	case err == nil:
		return state.Key(obj)
	case r.excused != nil && r.excused(k, ref):
		r.silent = append(r.silent, field)
	default:
		suggest(r.Snapshot, err, in, r.hints)
		r.add(field, "%v", err)
	}
	return ""
}

// meta reads the metadata. Names of projects and the like are judged by the model.
func (r *reading) meta(in *weftv1.Metadata) model.Meta {
	return model.Meta{
		ID:          in.GetId(),
		Name:        in.GetName(),
		ProjectID:   cmp.Or(in.GetProjectId(), defaultProject),
		Description: in.GetDescription(),
		Labels:      in.GetLabels(),
	}
}

// etag makes the etag of an object at a revision.
func etag(revision int64) string {
	if revision == 0 {
		return ""
	}
	return strconv.FormatInt(revision, 36)
}

// expected reads an etag: the revision that the caller saw, or 0 when there is none. One that etag cannot have made is a
// mistake, and no sign that the object has changed.
func (r *reading) expected(field, tag string) int64 {
	if tag == "" {
		return 0
	}
	rev, err := strconv.ParseInt(tag, 36, 64)
	if err != nil || rev <= 0 || etag(rev) != tag {
		r.add(field, "%q is not an etag: give the one that was read with the object, or none", tag)
		return 0
	}
	r.guard = field
	return rev
}
