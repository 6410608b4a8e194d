package state

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/btree"
)

// sep ends each part of an index key, so that a part is never the beginning of another.
const sep = "\x00"

func join(parts []string) string { return joinTo(parts, "") }

// joinTo is join with an id at the end.
func joinTo(parts []string, id string) string {
	n := len(parts)*len(sep) + len(id)
	for _, p := range parts {
		n += len(p)
	}
	var b strings.Builder
	b.Grow(n)
	for _, p := range parts {
		b.WriteString(p)
		b.WriteString(sep)
	}
	b.WriteString(id)
	return b.String()
}

// index finds objects of one kind by some of their values.
type index struct {
	name string
	// number is the place of the index's tree in a root.
	number int
	// keys appends the keys of an object with that id, which end with it, so that no two objects have the same.
	keys func(to []string, obj any, id string) []string
	// check says what is wrong with an object that is none of the kind; only the index byID has it.
	check func(obj any) error
}

// byID is the index that every kind has: the object's key inside its kind, as it is.
const byID = "id"

// by makes an index of one function: the parts of the key of an object, in order; nil when it has none.
func by[T any](f func(*T) []string) *index {
	return &index{keys: func(to []string, obj any, id string) []string {
		if parts := f(obj.(*T)); parts != nil {
			to = append(to, joinTo(parts, id))
		}
		return to
	}}
}

// many makes an index with any number of keys an object.
func many[T any](f func(*T) [][]string) *index {
	return &index{keys: func(to []string, obj any, id string) []string {
		for _, parts := range f(obj.(*T)) {
			to = append(to, joinTo(parts, id))
		}
		return to
	}}
}

// byKey makes the index byID.
func byKey[T any]() *index {
	return &index{
		keys: func(to []string, _ any, id string) []string { return append(to, id) },
		check: func(obj any) error {
			if o, ok := obj.(*T); !ok {
				return fmt.Errorf("is a %T, not a %T", obj, o)
			}
			return nil
		},
	}
}

// entry is one object under one of its keys.
type entry struct {
	key string
	obj any
}

// tree is all entries of one index, in the order of their keys. One that was handed out never changes.
type tree struct {
	// entries are there once somebody has asked for them.
	entries *btree.BTreeG[entry]
	asked   sync.Once
	// index and loaded are what the entries are made of.
	index  *index
	loaded *loaded
	// copying is held while the entries are copied, by whoever changes a copy of its own: the library marks both then.
	// Readers need not wait for that.
	copying sync.Mutex
	// readers counts those who go through a tree that may be changed; it stays as it is as long as there are any.
	readers int
}

// degree makes nodes of about a kilobyte: a change copies one of each level.
const degree = 16

// get returns the entries.
func (t *tree) get() *btree.BTreeG[entry] {
	t.asked.Do(t.make)
	return t.entries
}

// make makes the entries: all of them together, which is faster than one by one.
func (t *tree) make() {
	if t.entries != nil {
		return
	}
	t.entries = btree.NewBTreeGOptions(func(a, b entry) bool { return a.key < b.key }, btree.Options{Degree: degree, NoLocks: true})
	defer func() { t.loaded = nil }()
	if t.index.name == byID {
		for _, obj := range t.loaded.objects { // they come in order, for the most part
			t.entries.Load(entry{Key(obj), obj})
		}
		return
	}
	entries := make([]entry, 0, len(t.loaded.objects))
	var buf [4]string // more is possible, and rare
	for _, obj := range t.loaded.objects {
		for _, key := range t.index.keys(buf[:0], obj, Key(obj)) {
			entries = append(entries, entry{key, obj})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	for _, e := range entries {
		t.entries.Load(e)
	}
}

func (t *tree) copy() *tree {
	entries := t.get()
	t.copying.Lock()
	defer t.copying.Unlock()
	return &tree{entries: entries.Copy()}
}

// root is the trees of all indexes. The root of a DB or of a finished snapshot does not change; that of a Txn does.
type root struct {
	trees []*tree
	// own are the trees that nobody else has, and which may be changed; nil when the root may not.
	own []bool
}

// frozen is the root as it is now, for ever.
func (r *root) frozen() *root {
	clear(r.own)
	return &root{trees: slices.Clone(r.trees)}
}

// changeable begins with the same trees, and copies those that it changes.
func (r *root) changeable() *root {
	return &root{trees: slices.Clone(r.trees), own: make([]bool, len(r.trees))}
}

// mine returns a tree that may be changed.
func (r *root) mine(i *index) *btree.BTreeG[entry] {
	if !r.own[i.number] || r.trees[i.number].readers > 0 {
		r.trees[i.number], r.own[i.number] = r.trees[i.number].copy(), true
	}
	return r.trees[i.number].get()
}

// put adds an object in the place of the one with its id, which it returns; nil when there was none.
func (r *root) put(k Kind, obj any) (old any, err error) {
	t, err := tableOf(k, obj)
	if err != nil {
		return nil, err
	}
	id := Key(obj)
	if e, ok := r.mine(t.id).Set(entry{id, obj}); ok {
		old = e.obj
	}
	var buf [4]string // more is possible, and rare
	for _, i := range t.all {
		if i == t.id {
			continue
		}
		keys := i.keys(buf[:0], obj, id)
		if old != nil {
			for _, key := range i.keys(nil, old, id) {
				if !slices.Contains(keys, key) {
					r.mine(i).Delete(entry{key: key})
				}
			}
		}
		for _, key := range keys {
			r.mine(i).Set(entry{key, obj})
		}
	}
	return old, nil
}

// tableOf is the table of a kind, which the object must be of.
func tableOf(k Kind, obj any) (*table, error) {
	t := tables[k]
	if t == nil {
		return nil, fmt.Errorf("%s: no such kind", k)
	}
	if err := t.id.check(obj); err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	return t, nil
}

// remove takes an object out and returns it; nil when there is none.
func (r *root) remove(k Kind, id string) (old any) {
	t := tables[k]
	e, ok := r.trees[t.id.number].get().Get(entry{key: id})
	if !ok {
		return nil
	}
	var buf [8]string
	for _, i := range t.all {
		for _, key := range i.keys(buf[:0], e.obj, id) {
			r.mine(i).Delete(entry{key: key})
		}
	}
	return e.obj
}

// each goes through the entries whose keys begin with a prefix, in order of key, until yield is false. They are those that
// there were when it began: yield may change the root.
func (r *root) each(i *index, prefix string, yield func(any) bool) {
	t := r.trees[i.number]
	if r.own != nil && r.own[i.number] {
		t.readers++
		defer func() { t.readers-- }()
	}
	t.get().Ascend(entry{key: prefix}, func(e entry) bool {
		return strings.HasPrefix(e.key, prefix) && yield(e.obj)
	})
}

// first is the first of them, or nil.
func (r *root) first(i *index, prefix string) (obj any) {
	r.trees[i.number].get().Ascend(entry{key: prefix}, func(e entry) bool {
		if strings.HasPrefix(e.key, prefix) {
			obj = e.obj
		}
		return false
	})
	return obj
}
