package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/weft-sdn/weft/controller/model"
)

// stir makes, changes and removes ports.
func stir(t *testing.T, s *Store, round int) {
	t.Helper()
	n := network(t, s, fmt.Sprint("net", round))
	for i := range 20 {
		var made *model.Port
		update(t, s, func(tx *Tx) (err error) {
			made, err = tx.CreatePort(&model.Port{NetworkID: n.ID, Meta: model.Meta{Name: fmt.Sprint(i)}})
			return err
		})
		update(t, s, func(tx *Tx) error {
			if i%3 == 0 {
				return tx.DeletePort(made.ID, 0)
			}
			p := *made
			p.Description = "changed"
			_, err := tx.UpdatePort(&p, 0)
			return err
		})
	}
}

func fromDisk(t *testing.T, dir string) *loaded {
	t.Helper()
	found, err := readable(dir, filepath.Join(dir, "member", "snap", "db"))
	if err != nil {
		t.Fatal(err)
	}
	l := <-found.begin(newTurns())
	if l == nil {
		t.Fatal("what is on disk was not understood")
	}
	return l
}

func sameLoaded(t *testing.T, what string, want, got *loaded) {
	t.Helper()
	if d := cmp.Diff(dump(want.db.Snapshot()), dump(got.db.Snapshot()), addrs); d != "" {
		t.Errorf("%s: objects (-etcd +disk):\n%s", what, d)
	}
	if want.revision != got.revision || want.clock != got.clock || want.last != got.last {
		t.Errorf("%s: etcd has revision %d, clock %d, last %d; the disk %d, %d, %d", what, want.revision, want.clock, want.last, got.revision, got.clock, got.last)
	}
}

// What is read from etcd's file is what etcd says itself, and what happened since can be added.
func TestTheDiskSaysWhatEtcdSays(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{DataDir: dir}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	stir(t, s, 1)
	if _, err := s.Epoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, err := load(t.Context(), s.client)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	got := fromDisk(t, dir)
	sameLoaded(t, "closed", want, got)

	s = openTest(t, Config{DataDir: dir})
	stir(t, s, 2)
	update(t, s, func(tx *Tx) error {
		for p := range tx.Ports() {
			if err := tx.DeletePort(p.ID, 0); err != nil {
				return err
			}
		}
		return nil
	})
	stir(t, s, 3)
	if want, err = load(t.Context(), s.client); err != nil {
		t.Fatal(err)
	}
	if err := got.catchUp(t.Context(), s.client, want.revision); err != nil {
		t.Fatal(err)
	}
	sameLoaded(t, "caught up", want, got)
	if err := got.catchUp(t.Context(), s.client, want.revision+1); err == nil {
		t.Error("a revision that never came was waited for, and there it was")
	}
}

// A store that was killed has in its log what its database lacks.
func TestAfterACrashTheLogIsMinded(t *testing.T) {
	dir, copied := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	s := openTest(t, Config{DataDir: dir})
	behind := 0
	for round := range 5 {
		stir(t, s, round)
		// As the disk is at this moment.
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		want, rev := s.Snapshot()
		if fromDisk(t, copied).revision < rev {
			behind++
		}
		again, err := Open(t.Context(), Config{DataDir: copied}, quiet())
		if err != nil {
			t.Fatal(err)
		}
		got, gotRev := again.Snapshot()
		again.Close()
		if d := cmp.Diff(dump(want), dump(got), addrs); d != "" || gotRev != rev {
			t.Errorf("round %d: revision %d, want %d; objects (-want +got):\n%s", round, gotRev, rev, d)
		}
		if err := os.RemoveAll(copied); err != nil {
			t.Fatal(err)
		}
	}
	if behind == 0 {
		t.Error("the database was never behind the log: this test tests nothing")
	}
}

// A form that is not known is left to etcd.
func TestAFormThatIsNotKnownIsNotGuessed(t *testing.T) {
	for name, entry := range map[string][2][]byte{
		"a short key":     {[]byte("0123"), []byte("x")},
		"no revision":     {[]byte("0123456789abcdefg"), []byte("x")},
		"a broken value":  {[]byte("\x00\x00\x00\x00\x00\x00\x00\x07_\x00\x00\x00\x00\x00\x00\x00\x00"), []byte("\x0a\xff")},
		"a value of bits": {[]byte("\x00\x00\x00\x00\x00\x00\x00\x07_\x00\x00\x00\x00\x00\x00\x00\x00"), []byte("\xff\xff\xff")},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := bolt.Open(filepath.Join(t.TempDir(), "db"), 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Update(func(tx *bolt.Tx) error {
				b, err := tx.CreateBucket(diskBucket)
				if err != nil {
					return err
				}
				return b.Put(entry[0], entry[1])
			}); err != nil {
				t.Fatal(err)
			}
			if d, err := walk(db); d != nil || err != nil {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}
