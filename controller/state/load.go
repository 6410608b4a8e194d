package state

// Load is a state that is put together for the first time. Objects are only taken down; an index is made of them when
// somebody first asks for it, or by Warm. So a start makes those that it needs.
type Load struct{ kinds map[Kind]*loaded }

// loaded are the objects of a kind.
type loaded struct{ objects []any }

// NewLoad begins with nothing.
func NewLoad() *Load {
	l := &Load{kinds: make(map[Kind]*loaded, len(tables))}
	for k := range tables {
		l.kinds[k] = &loaded{}
	}
	return l
}

// Put adds an object that is not there yet. Objects of different kinds may be put by different goroutines at the same time.
func (l *Load) Put(k Kind, obj any) error {
	if _, err := tableOf(k, obj); err != nil {
		return err
	}
	l.kinds[k].objects = append(l.kinds[k].objects, obj)
	return nil
}

// DB is the state as it was put together. It ends the load.
func (l *Load) DB() *DB {
	r := &root{trees: make([]*tree, indexCount)}
	for k, t := range tables {
		for _, i := range t.all {
			r.trees[i.number] = &tree{index: i, loaded: l.kinds[k]}
		}
	}
	return with(r)
}

// Warm makes all indexes that nobody has asked for yet.
func (s Snapshot) Warm() {
	for _, t := range s.root.trees {
		t.get()
	}
}
