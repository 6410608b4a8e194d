package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weft-sdn/weft/controller/state"
)

// ErrCompacted says that the history kept does not reach back to the revision asked for, or does not know it: take a
// Snapshot and watch from its revision.
var ErrCompacted = errors.New("the history kept does not reach that revision: list again and watch from the list's revision")

// ErrClosed says that the store has been closed.
var ErrClosed = errors.New("the store is closed")

// Ref names an object for people: by its id and, when it has one, its name.
type Ref struct {
	Kind state.Kind
	ID   string
	Name string
}

// String is like: port "web-1" (3f0c…).
func (r Ref) String() string {
	if r.Name == "" {
		return fmt.Sprintf("%s %s", Singular(r.Kind), r.ID)
	}
	return fmt.Sprintf("%s %q (%s)", Singular(r.Kind), r.Name, r.ID)
}

// Singular is the word for one object of a kind: "network", "host" …
func Singular(k state.Kind) string {
	if stem, ok := strings.CutSuffix(string(k), "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(string(k), "s")
}

// ErrNotFound says that the object which an operation is about does not exist.
type ErrNotFound struct {
	Kind state.Kind
	ID   string
}

func (e *ErrNotFound) Error() string {
	return fmt.Sprintf("%s %q does not exist", Singular(e.Kind), e.ID)
}

// ErrAlreadyExists says that a value which must be unique is taken. Several of them come as one errors.Join.
type ErrAlreadyExists struct {
	// Kind is the kind of the object that was to be written.
	Kind state.Kind
	// Field is the API's path of the field, e.g. "mac_address".
	Field string
	Value string
	// By has the value.
	By Ref
}

func (e *ErrAlreadyExists) Error() string {
	return fmt.Sprintf("%s: %s", e.Field, e.message())
}

func (e *ErrAlreadyExists) message() string {
	return fmt.Sprintf("%s is taken by %s", e.Value, e.By)
}

// ErrInUse says that an object, or something of it, cannot be taken away because others need it.
type ErrInUse struct {
	Kind state.Kind
	ID   string
	// What is needed, as a noun phrase, when it is not the whole object.
	What string
	// By holds the first ten users; Total counts all.
	By    []Ref
	Total int
	// Remedy is how a user is parted from the object, when that is not to delete it.
	Remedy string
}

func (e *ErrInUse) Error() string {
	by := make([]string, len(e.By))
	for i, r := range e.By {
		by[i] = r.String()
	}
	more := ""
	if n := e.Total - len(e.By); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	what := e.What
	if what == "" {
		what = Singular(e.Kind) + " " + e.ID
	}
	text := fmt.Sprintf("%s is in use by %s%s", what, strings.Join(by, ", "), more)
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// ErrExhausted says that nothing is left to allocate from.
type ErrExhausted struct {
	// Field is the API's path of the field that was to be filled in, e.g. "fixed_ips[0]"; empty when there is none.
	Field string
	// What is exhausted, and where, as a noun phrase with the remedy.
	What string
}

func (e *ErrExhausted) Error() string {
	if e.Field == "" {
		return e.What
	}
	return e.Field + ": " + e.What
}

// ErrConflict says that an object is not the one that the caller saw: read it again. Without a Kind it says that other
// controllers always came first.
type ErrConflict struct {
	Kind state.Kind
	ID   string
	// Why says what differs.
	Why string
}

func (e *ErrConflict) Error() string {
	if e.Kind == "" {
		return e.Why
	}
	return fmt.Sprintf("%s %s: %s", Singular(e.Kind), e.ID, e.Why)
}

// ErrReadOnly says that the store takes no writes for now, while reads go on.
type ErrReadOnly struct {
	// Why says what happened and what to do.
	Why string
}

func (e *ErrReadOnly) Error() string { return "the store is read-only: " + e.Why }

// ErrTooLarge says that one update needs more than one transaction of the etcd cluster may hold.
type ErrTooLarge struct {
	Ops, MaxOps     int
	Bytes, MaxBytes int
}

func (e *ErrTooLarge) Error() string {
	if e.Ops > e.MaxOps {
		return fmt.Sprintf("the change writes %d keys, but one transaction may hold %d: split it, or raise --max-txn-ops of the external etcd and --etcd-max-txn-ops of the controller", e.Ops, e.MaxOps)
	}
	return fmt.Sprintf("the change writes %d bytes, but one transaction may hold %d: split it, or raise --max-request-bytes of the external etcd and --etcd-max-request-bytes of the controller", e.Bytes, e.MaxBytes)
}

// ErrUnavailable says that etcd could not be reached, or did not answer in time. Whether the change was made is not
// known: look before trying again.
type ErrUnavailable struct {
	Err error
}

func (e *ErrUnavailable) Error() string { return "the store does not answer: " + e.Err.Error() }
func (e *ErrUnavailable) Unwrap() error { return e.Err }
