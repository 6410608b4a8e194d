package store

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/weft-sdn/weft/controller/state"
)

// overlay is a state with the changes of one transaction to be on top. Functions run on it one after the other; each
// sees what the ones before it did, and leaves nothing behind when it fails.
type overlay struct {
	cfg   *Config
	base  head
	db    *state.DB
	now   time.Time
	hints *hints
	// left is what a transaction could not hold, and is to be put right in the next one.
	left pending
	// writes are what the transaction will change, by etcd key.
	writes map[string]write
	bytes  int
}

// write is an object before and after, and the values of its key; nil means that there is none.
type write struct {
	key        string
	old, value []byte
	change     state.Change
}

func newOverlay(cfg *Config, base head, hints *hints) *overlay {
	return &overlay{
		cfg:    cfg,
		base:   base,
		db:     base.state.Fork(),
		now:    time.Now().UTC().Truncate(time.Microsecond),
		hints:  hints.fork(),
		writes: map[string]write{},
	}
}

// run adds one function's changes. fits is false, and nothing is added, when they do not fit beside those of others.
func (o *overlay) run(fn func(*Tx) error) (fits bool, err error) {
	txn := o.db.Begin()
	defer txn.Abort()
	tx := newTx(o, txn)
	if err := fn(tx); err != nil {
		return true, err
	}
	tx.settle()
	if tx.err != nil {
		return true, tx.err
	}
	merged, err := o.merge(txn.Changes())
	if err != nil {
		return true, err
	}
	// The clock is one more operation.
	if tooLarge := o.limit(len(o.writes)+merged.ops+1, o.bytes+merged.bytes); tooLarge != nil {
		if len(o.writes) > 0 {
			return false, nil
		}
		return true, tooLarge
	}
	for _, w := range merged.writes {
		if equal(w.old, w.value) {
			delete(o.writes, w.key)
			w.unwritten()
		} else {
			o.writes[w.key] = w
		}
	}
	o.bytes += merged.bytes
	o.left.join(tx.pending)
	tx.hints.join()
	o.now = tx.now
	txn.Commit()
	return true, nil
}

func (o *overlay) limit(ops, bytes int) error {
	if ops > o.cfg.MaxTxnOps || bytes > o.cfg.MaxTxnBytes {
		return &ErrTooLarge{Ops: ops, MaxOps: o.cfg.MaxTxnOps, Bytes: bytes, MaxBytes: o.cfg.MaxTxnBytes}
	}
	return nil
}

// addition is what a function's changes add to the transaction; ops and bytes may be negative.
type addition struct {
	writes     []write
	ops, bytes int
}

// merge sees what changes add to the writes so far. What ends as it began will not be written.
func (o *overlay) merge(changes []state.Change) (a addition, err error) {
	for _, c := range changes {
		w, again := o.writes[etcdKey(c.Kind, c.Key)]
		if again {
			a.ops--
			a.bytes -= w.size()
		} else {
			w.key = etcdKey(c.Kind, c.Key)
			c.Old = o.base.snapshot.Object(c.Kind, c.Key)
			w.change = c
			if w.old, err = encodeOrNil(c.Old); err != nil {
				return a, err
			}
		}
		w.change.New = c.New
		if w.value, err = encodeOrNil(c.New); err != nil {
			return a, err
		}
		if !equal(w.old, w.value) {
			a.ops++
			a.bytes += w.size()
		}
		a.writes = append(a.writes, w)
	}
	return a, nil
}

// unwritten gives an object that ends as it began the revision that it had.
func (w write) unwritten() {
	if m := meta(w.change.New); m != nil && w.change.New != w.change.Old {
		m.Revision = meta(w.change.Old).Revision
	}
}

// size is what the write takes in a request, with some room for its framing.
func (w write) size() int { return len(w.key) + len(w.value) + 32 }

func equal(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func encodeOrNil(obj any) ([]byte, error) {
	if obj == nil {
		return nil, nil
	}
	return encode(obj)
}

// sorted lists the writes in order of key.
func (o *overlay) sorted() []write {
	ws := make([]write, 0, len(o.writes))
	for _, w := range o.writes {
		ws = append(ws, w)
	}
	slices.SortFunc(ws, func(a, b write) int { return cmp.Compare(a.key, b.key) })
	return ws
}

// committed gives all objects the revision at which they were written, and lists the changes in order of key. Nobody else
// has the objects before the functions' callers are answered.
func (o *overlay) committed(revision int64) []state.Change {
	changes := make([]state.Change, 0, len(o.writes))
	for _, w := range o.sorted() {
		if m := meta(w.change.New); m != nil {
			m.Revision = revision
		}
		changes = append(changes, w.change)
	}
	return changes
}
