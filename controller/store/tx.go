package store

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Tx is the state as the function of an Update sees it: the newest snapshot, with the changes that it made itself.
//
// Create, Update and Delete check everything and return all that is wrong at once: *model.Invalid, *ErrAlreadyExists
// (joined when several), *ErrNotFound, *ErrInUse, *ErrExhausted, *ErrConflict. After an error the function should
// return it. Objects given are not kept: the caller may go on using them. Objects returned are shared: copy before a
// change. Their Meta.Revision is 0 when they were changed in this transaction.
//
// What follows from all of that, and is nobody's request, is put right after the function has returned: where the centralised
// parts of routers are and which hosts distributed routers are on, with the binding_host_id of their ports, and the ports of
// DHCP and of hosts' fip namespaces. The function sees it as it was.
type Tx struct {
	state.Snapshot
	txn   *state.Txn
	cfg   *Config
	base  head
	now   time.Time
	hints *hints
	// pending is what has to be put right before the changes are whole; see settle.
	pending pending
	// given are the rules that security groups of this transaction were made with; one that says the same takes their place.
	given set[string]
	// prepared are the routers whose namespaces are made on the host that they move to.
	prepared map[string]bool
	// writes counts what was put and deleted.
	writes int
	// err is what went wrong where it cannot be returned: the state's schema and an object do not go together.
	err error
}

func newTx(o *overlay, txn *state.Txn) *Tx {
	return &Tx{Snapshot: txn.Snapshot, txn: txn, cfg: o.cfg, base: o.base, now: o.now, hints: o.hints.fork()}
}

func (t *Tx) put(k state.Kind, obj any) {
	t.writes++
	if err := t.txn.Put(k, obj); err != nil {
		t.err = errors.Join(t.err, err)
	}
}

func (t *Tx) delete(k state.Kind, key string) {
	t.writes++
	if err := t.txn.Delete(k, key); err != nil {
		t.err = errors.Join(t.err, err)
	}
}

// created fills in what every new object gets. No two are of the same time: some things go by age.
func (t *Tx) created(m *model.Meta) {
	t.now = t.now.Add(time.Microsecond)
	if m.ID == "" {
		m.ID = uuid.NewString()
	}
	m.Generation, m.CreateTime, m.UpdateTime, m.Revision = 1, t.now, t.now, 0
}

// updated fills in what every changed object gets, and says whether it is changed at all.
func (t *Tx) updated(old, obj any) bool {
	was, m := meta(old), meta(obj)
	m.Generation, m.CreateTime, m.UpdateTime, m.Revision = was.Generation, was.CreateTime, was.UpdateTime, was.Revision
	if reflect.DeepEqual(old, obj) {
		return false
	}
	m.Generation, m.UpdateTime, m.Revision = m.Generation+1, t.now, 0
	return true
}

// cloneMeta cuts the ties with the caller's object.
func cloneMeta(m model.Meta) model.Meta {
	m.Labels = cloneMap(m.Labels)
	return m
}

// cloneMap makes empty and nil the same, as they are in JSON.
func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

func cloneSlice[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return append([]T(nil), s...)
}

// expect compares an object's revision with the one that the caller saw.
func expect(k state.Kind, m *model.Meta, expected int64) error {
	if expected == 0 || m.Revision == expected {
		return nil
	}
	return &ErrConflict{Kind: k, ID: m.ID, Why: fmt.Sprintf("was changed since revision %d; read it again", expected)}
}

// checks collects what is wrong with a request.
type checks struct {
	kind       state.Kind
	violations []model.Violation
	taken      []*ErrAlreadyExists
	used       []use
	// rename is how the caller calls a field; nil: as it is.
	rename func(field string) string
}

// use is something that the request would take away from its users, and the field that says so.
type use struct {
	field string
	err   *ErrInUse
}

func (c *checks) add(field, format string, args ...any) {
	c.violations = append(c.violations, model.Violation{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (c *checks) take(field, value string, k state.Kind, by any) {
	c.takenBy(field, value, refTo(k, by))
}

func (c *checks) takenBy(field, value string, by Ref) {
	c.taken = append(c.taken, &ErrAlreadyExists{Kind: c.kind, Field: field, Value: value, By: by})
}

// use complains when something of an object, called what, still has users.
func (c *checks) use(field, id, what string, u users) {
	if u.total > 0 {
		c.used = append(c.used, use{field, &ErrInUse{Kind: c.kind, ID: id, What: what, By: u.refs, Total: u.total}})
	}
}

// immutable complains when a field that cannot be changed would be.
func immutable[T comparable](c *checks, field string, old, new T) {
	if old == new {
		return
	}
	was := fmt.Sprint(old)
	if was == "" {
		was = "empty"
	}
	c.add(field, "is %s and cannot be changed", was)
}

// err is one error for all: taken values and users alone are conflicts with others, and with anything else more mistakes.
func (c *checks) err() error {
	if c.rename != nil {
		for i := range c.violations {
			c.violations[i].Field = c.rename(c.violations[i].Field)
		}
		for _, t := range c.taken {
			t.Field = c.rename(t.Field)
		}
		for i := range c.used {
			c.used[i].field = c.rename(c.used[i].field)
		}
		c.rename = nil
	}
	if len(c.violations) == 0 {
		var errs []error
		for _, t := range c.taken {
			errs = append(errs, t)
		}
		for _, u := range c.used {
			errs = append(errs, u.err)
		}
		if len(errs) == 1 {
			return errs[0]
		}
		return errors.Join(errs...)
	}
	for _, t := range c.taken {
		c.add(t.Field, "%s", t.message())
	}
	for _, u := range c.used {
		c.add(u.field, "%s", u.err)
	}
	return &model.Invalid{Violations: c.violations}
}

// users collects who needs an object: the first ten, and how many.
type users struct {
	refs  []Ref
	total int
}

func (u *users) add(k state.Kind, obj any) { u.addRef(refTo(k, obj)) }

func (u *users) addRef(r Ref) {
	u.total++
	if len(u.refs) < 10 {
		u.refs = append(u.refs, r)
	}
}

func (u *users) err(k state.Kind, id string) error {
	if u.total == 0 {
		return nil
	}
	return &ErrInUse{Kind: k, ID: id, By: u.refs, Total: u.total}
}
