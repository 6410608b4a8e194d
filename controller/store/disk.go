package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage/mvcc"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weft-sdn/weft/controller/state"
)

// diskBucket is where etcd keeps every revision of every key.
var diskBucket = schema.Key.Name()

// onDisk is what etcd's database held before etcd itself was started: the revisions of each of our keys. To make the
// state of it takes as long as etcd needs to start, so both are done at once.
type onDisk struct {
	revision int64
	pairs    pairs
	values   arena
}

// take takes one entry of the bucket; they come in the order of their revisions. It says false when it does not
// understand, and then somebody else has to read the store.
func (d *onDisk) take(k, v []byte) bool {
	// etcd's own reader gives up on anything else, and on numbers that are negative.
	if n := len(k); n < 17 || n > 18 || k[8] != '_' || (k[0]|k[9])>>7 != 0 {
		return false
	}
	d.revision = mvcc.BytesToRev(k).Main
	p, ok := parsePair(v)
	if ok && strings.HasPrefix(p.key, prefix) {
		p.revision, p.gone = d.revision, mvcc.IsTombstone(k)
		p.value = d.values.clone(p.value) // the file is closed before the value is read
		d.pairs.add(p)
	}
	return ok
}

// arena is memory for many small things that are all needed equally long.
type arena struct{ free []byte }

const arenaBytes = 1 << 20

func (a *arena) clone(b []byte) []byte {
	if len(b) > len(a.free) {
		a.free = make([]byte, max(arenaBytes, len(b)))
	}
	c := a.free[:len(b):len(b)]
	a.free = a.free[len(b):]
	copy(c, b)
	return c
}

// Fields of mvccpb.KeyValue, kv.proto.
const (
	fieldKey   = 1
	fieldValue = 5
)

// parsePair reads the key and the value of a mvccpb.KeyValue. The value shares the buffer.
func parsePair(b []byte) (p pair, ok bool) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return p, false
		}
		b = b[n:]
		switch {
		case num == fieldKey && typ == protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(b); n >= 0 {
				p.key = string(v)
			}
		case num == fieldValue && typ == protowire.BytesType:
			p.value, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return p, false
		}
		b = b[n:]
	}
	return p, true
}

// errElsewhere says that etcd went on in a way that the changes do not show.
var errElsewhere = errors.New("etcd's newest revision does not come")

// patience is how long etcd may take to tell of changes that it has made.
const patience = time.Second

// catchUp applies what etcd has done since a revision: what its log held and its database did not yet.
func (l *loaded) catchUp(ctx context.Context, client *clientv3.Client, to int64) error {
	if l.revision == to {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	txn := l.db.Begin()
	for res := range client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(l.revision+1)) {
		if err := res.Err(); err != nil {
			return err
		}
		for _, ev := range res.Events {
			l.last, l.revision = max(l.last, ev.Kv.ModRevision), ev.Kv.ModRevision
			if err := l.apply(txn, ev); err != nil {
				return err
			}
		}
		if l.revision >= to {
			txn.Commit()
			return nil
		}
	}
	return errElsewhere
}

func (l *loaded) apply(txn *state.Txn, ev *clientv3.Event) error {
	key := string(ev.Kv.Key)
	if ev.Type == mvccpb.DELETE {
		if key == clockKey {
			l.clock = 0
		}
		k, key, ok, err := splitKey(key)
		if !ok || err != nil {
			return err
		}
		return txn.Delete(k, key)
	}
	o := pair{key: key, value: ev.Kv.Value, revision: ev.Kv.ModRevision}.decode()
	switch {
	case o.key == clockKey:
		l.clock = o.revision
	case o.err != nil:
		return o.err
	case o.obj != nil:
		return txn.Put(o.kind, o.obj)
	}
	return nil
}

// walk reads the whole database, so that what is damaged is found here, and lists what is in it. Nil without an error:
// it is sound, and its form is not the one that is known.
func walk(db *bolt.DB) (*onDisk, error) {
	d := &onDisk{pairs: pairs{}}
	known := true
	err := db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				if len(v) > 0 {
					_ = v[len(v)-1]
				}
				if known && bytes.Equal(name, diskBucket) {
					known = d.take(k, v)
				}
				return nil
			})
		})
	})
	if err != nil || !known {
		return nil, err
	}
	return d, nil
}

// begin makes the state of what was on disk, while etcd starts. The channel yields nil when that cannot be used.
func (d *onDisk) begin(turns turns) <-chan *loaded {
	done := make(chan *loaded, 1)
	if d == nil {
		done <- nil
		return done
	}
	go func() {
		l, err := understand(d.pairs, d.revision, turns)
		if err != nil || len(l.bad) > 0 {
			l = nil // etcd's own answer will tell what is wrong
		}
		done <- l
	}()
	return done
}

// loadFrom brings a state that was read from the disk up to date, or reads everything anew.
func loadFrom(ctx context.Context, client *clientv3.Client, disk <-chan *loaded) (*loaded, error) {
	res, err := client.Get(ctx, clockKey)
	if err != nil {
		return nil, fmt.Errorf("read the newest revision: %w", err)
	}
	l := <-disk
	if l != nil && l.revision <= res.Header.Revision && l.catchUp(ctx, client, res.Header.Revision) == nil {
		return l, nil
	}
	return load(ctx, client)
}
