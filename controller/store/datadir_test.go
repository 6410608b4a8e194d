package store

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/controller/model"
)

// openFails checks that Open says in one line which directory is meant, and each of the words; and says so quickly.
func openFails(t *testing.T, dir string, words ...string) {
	t.Helper()
	began := time.Now()
	s, err := Open(t.Context(), Config{DataDir: dir}, testLog(t))
	if err == nil {
		s.Close()
		t.Fatal("the store opened")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to fail", took)
	}
	text := err.Error()
	t.Log(text)
	if strings.Contains(text, "\n") || !strings.Contains(text, "data directory "+dir) {
		t.Errorf("not one line that names the directory: %q", text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q lacks %q", text, w)
		}
	}
}

// filled is a data directory with one network in it, closed. It returns the network.
func filled(t *testing.T, dir string) *model.Network {
	t.Helper()
	s, err := Open(t.Context(), Config{DataDir: dir}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return network(t, s, "blue")
}

func TestDataDirectoryInUse(t *testing.T) {
	t.Run("by another controller", func(t *testing.T) {
		dir := t.TempDir()
		s := openTest(t, Config{DataDir: dir})
		openFails(t, dir, "in use by process", "stop it")
		network(t, s, "still works")
		s.Close()
		openTest(t, Config{DataDir: dir})
	})
	t.Run("by a plain etcd", func(t *testing.T) {
		dir := t.TempDir()
		c, err := embedConfig(Config{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(etcdLogger(quiet(), nil))
		e, err := embed.StartEtcd(c)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		openFails(t, dir, "in use by another process", "stop it")
	})
}

func TestDataDirectoryUnusable(t *testing.T) {
	t.Run("a file is in the way", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(dir, []byte("hello"), 0o600); err != nil {
			t.Fatal(err)
		}
		openFails(t, dir, "a file is in the way")
	})
	t.Run("read-only file system", func(t *testing.T) {
		dir := mountTmpfs(t, "16m")
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		openFails(t, dir, "read-only file system", "choose another directory")
	})
	t.Run("too small a disk", func(t *testing.T) {
		dir := mountTmpfs(t, "8m")
		openFails(t, dir, "has 8 MiB of disk space left, but needs 160 MiB")
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 || entries[0].Name() != lockName {
			t.Errorf("left behind: %v, %v", entries, err)
		}
	})
	t.Run("full disk with a store on it", func(t *testing.T) {
		dir := mountTmpfs(t, "256m")
		n := filled(t, dir)
		free := fill(t, dir)
		openFails(t, dir, "has 0 MiB of disk space left, but needs 16 MiB", "free some")
		free()
		s := openTest(t, Config{DataDir: dir})
		snap, _ := s.Snapshot()
		if snap.Network(n.ID) == nil {
			t.Error("the network is gone")
		}
	})
}

func TestDataDirectoryDamaged(t *testing.T) {
	damage := map[string]func(t *testing.T, dir string){
		"log overwritten": func(t *testing.T, dir string) {
			overwrite(t, one(t, dir, "member/wal/*.wal"), 100, bytes.Repeat([]byte("x"), 4096))
		},
		"log cut off": func(t *testing.T, dir string) {
			if err := os.Truncate(one(t, dir, "member/wal/*.wal"), 64); err != nil {
				t.Fatal(err)
			}
		},
		"database overwritten": func(t *testing.T, dir string) {
			db := filepath.Join(dir, "member/snap/db")
			overwrite(t, db, 0, bytes.Repeat([]byte("x"), 64<<10))
		},
		"database pages overwritten": func(t *testing.T, dir string) {
			db := filepath.Join(dir, "member/snap/db")
			st, err := os.Stat(db)
			if err != nil {
				t.Fatal(err)
			}
			// The first two pages say where the others are, and stay.
			overwrite(t, db, 8192, bytes.Repeat([]byte("x"), int(st.Size())-8192))
		},
		"database cut off": func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, "member/snap/db"), 9000); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, harm := range damage {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			filled(t, dir)
			harm(t, dir)
			openFails(t, dir, "is damaged", "restore it from a backup, or move it away")
		})
	}
}

// A value that this version cannot read must not be taken for an object that is not there.
func TestStoreContentsThatNobodyUnderstands(t *testing.T) {
	for name, kv := range map[string][2]string{
		"not JSON":      {etcdKey("ports", "p1"), "{"},
		"another's key": {etcdKey("ports", "p1"), `{"id":"p2"}`},
		"unknown kind":  {prefix + "gadgets/g1", `{"id":"g1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openTest(t, Config{DataDir: dir})
			n := network(t, s, "blue")
			if _, err := s.client.Put(t.Context(), kv[0], kv[1]); err != nil {
				t.Fatal(err)
			}
			// A running controller goes on with what it understands.
			n2 := network(t, s, "red")
			snap, _ := s.Snapshot()
			if snap.Network(n.ID) == nil || snap.Network(n2.ID) == nil || snap.Port("p1") != nil {
				t.Error("the rest of the state is not right")
			}
			s.Close()
			openFails(t, dir, kv[0], "remove it")
		})
	}
}

// The disk fills up while the controller runs: etcd would end the process.
func TestDiskFullWhileRunning(t *testing.T) {
	segment := wal.SegmentSizeBytes
	wal.SegmentSizeBytes = 1 << 20
	t.Cleanup(func() { wal.SegmentSizeBytes = segment })
	dir := mountTmpfs(t, "192m")
	var log bytes.Buffer
	s, err := Open(t.Context(), Config{DataDir: dir}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	n := network(t, s, "blue")
	free := fill(t, dir)
	for deadline := time.Now().Add(time.Minute); err == nil; {
		if time.Now().After(deadline) {
			t.Fatal("the disk is full, and updates succeed for ever")
		}
		_, err = s.Update(t.Context(), func(tx *Tx) error {
			_, err := tx.CreateNetwork(&model.Network{Meta: model.Meta{Description: strings.Repeat("x", 255)}})
			return err
		})
	}
	readOnly := as[*ErrReadOnly](t, err)
	t.Log(readOnly)
	if !strings.Contains(readOnly.Error(), dir) || !strings.Contains(readOnly.Error(), "restart the controller") {
		t.Errorf("error %q names no directory or remedy", readOnly)
	}
	began := time.Now()
	as[*ErrReadOnly](t, tryUpdate(t, s, func(tx *Tx) error {
		_, err := tx.CreateNetwork(&model.Network{})
		return err
	}))
	if took := time.Since(began); took > time.Second {
		t.Errorf("the second refusal took %s", took)
	}
	snap, _ := s.Snapshot()
	if snap.Network(n.ID) == nil {
		t.Error("reads do not go on")
	}
	began = time.Now()
	s.Close()
	if took := time.Since(began); took > stopTimeout {
		t.Errorf("close took %s", took)
	}
	if !strings.Contains(log.String(), "updates are refused until a restart") {
		t.Errorf("log:\n%s", log.String())
	}
	// A process that met the full disk keeps the directory until it ends. The next one finds everything that was answered.
	free()
	restarted := t.TempDir()
	if err := os.CopyFS(restarted, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	after, _ := openTest(t, Config{DataDir: restarted}).Snapshot()
	got := dump(after)
	for key, want := range dump(snap) {
		if d := cmp.Diff(want, got[key], addrs); d != "" {
			t.Errorf("%s after the restart (-want +got):\n%s", key, d)
		}
	}
}

// mountTmpfs is an empty file system of that size.
func mountTmpfs(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		t.Fatalf("mount (this test needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all space that a file system has left, until free is called.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Error(err)
		}
	}
}

// one is the only file that matches.
func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v %v", pattern, files, err)
	}
	return files[0]
}

func overwrite(t *testing.T, file string, at int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(with, at); err != nil {
		t.Fatal(err)
	}
}
