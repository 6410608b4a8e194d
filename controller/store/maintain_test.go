package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-sdn/weft/controller/model"
)

// churn makes many revisions of one network, each of some kilobytes.
func churn(t *testing.T, s *Store, n *model.Network, times int) error {
	t.Helper()
	labels := map[string]string{}
	for i := range model.MaxLabels {
		labels[fmt.Sprint(i)] = strings.Repeat("x", 250)
	}
	for i := range times {
		_, err := s.Update(t.Context(), func(tx *Tx) error {
			c := *tx.Network(n.ID)
			c.Labels, c.Name = labels, fmt.Sprint(i)
			_, err := tx.UpdateNetwork(&c, 0)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// logged is a log that is written to while it is read.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// fillUp changes the store until it is full for as long as full says, and answers the last refusal. A busy machine may leave
// etcd no time to answer meanwhile.
func fillUp(t *testing.T, change func() error, full func() bool) (last *ErrReadOnly) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); last == nil || !full(); {
		if time.Now().After(deadline) {
			t.Fatalf("the store is not full; the last refusal: %v", last)
		}
		err := change()
		var away *ErrUnavailable
		switch {
		case err == nil, errors.As(err, &away):
		default:
			last = as[*ErrReadOnly](t, err)
			pause(t.Context(), 10*time.Millisecond)
		}
	}
	return last
}

func TestHistoryIsCompacted(t *testing.T) {
	s := openTest(t, Config{DataDir: t.TempDir(), HistoryChanges: 50, MaintenanceInterval: 20 * time.Millisecond})
	_, begin := s.Snapshot()
	n := network(t, s, "blue")
	if err := churn(t, s, n, 200); err != nil {
		t.Fatal(err)
	}
	eventually(t, "etcd has forgotten the beginning", func() bool {
		_, err := s.client.Get(context.Background(), clockKey, clientv3.WithRev(begin+1))
		return errors.Is(err, rpctypes.ErrCompacted)
	})
	_, now := s.Snapshot()
	if _, err := s.client.Get(t.Context(), clockKey, clientv3.WithRev(now-49)); err != nil {
		t.Errorf("what watchers may ask for is gone: %v", err)
	}
}

func TestStoreFull(t *testing.T) {
	dir := t.TempDir()
	var log logged
	s, err := Open(t.Context(), Config{DataDir: dir, QuotaBytes: 4 << 20}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	n := network(t, s, "blue")
	// History alone fills the quota; to forget it makes room.
	readOnly := fillUp(t, func() error { return churn(t, s, n, 10) }, func() bool { return true })
	want := "the store is read-only: the store is full: data directory " + dir + " has reached its quota: restart the controller with a larger --store-quota"
	if readOnly.Error() != want {
		t.Errorf("error %q, want %q", readOnly, want)
	}
	snap, _ := s.Snapshot()
	if snap.Network(n.ID) == nil {
		t.Error("reads do not go on")
	}
	eventually(t, "updates are taken again", func() bool {
		_, err := s.Update(t.Context(), create((*Tx).CreateNetwork, &model.Network{}))
		return err == nil
	})

	// What is there now is really too much, and not history once more: the store says so itself.
	fillUp(t, func() error {
		_, err := s.Update(t.Context(), func(tx *Tx) error {
			for range 100 {
				if _, err := tx.CreateNetwork(&model.Network{Meta: model.Meta{Description: strings.Repeat("x", 255)}}); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	}, func() bool {
		return strings.Contains(log.String(), "updates are refused; restart the controller with a larger --store-quota")
	})
	snap, _ = s.Snapshot()
	s.Close()
	s = openTest(t, Config{DataDir: dir, QuotaBytes: 64 << 20})
	got, _ := s.Snapshot()
	sameState(t, "after the restart", snap, got)
	eventually(t, "updates are taken with the larger quota", func() bool {
		_, err := s.Update(t.Context(), create((*Tx).CreateNetwork, &model.Network{}))
		return err == nil
	})
}

// The data directory must not grow with the number of changes.
func TestDataDirectoryStaysBounded(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, Config{DataDir: dir, HistoryChanges: 50, MaintenanceInterval: 20 * time.Millisecond})
	n := network(t, s, "blue")
	if err := churn(t, s, n, 300); err != nil {
		t.Fatal(err)
	}
	db := func() int64 { return s.embedded.etcd.Server.Backend().Size() }
	first := db()
	if err := churn(t, s, n, 1500); err != nil {
		t.Fatal(err)
	}
	// 1,500 changes of 17 KB are 25 MB.
	if second := db(); second > first+10<<20 {
		t.Errorf("the database grew from %d to %d bytes", first, second)
	}
	// A start reads all of the log, and removes what a snapshot has made unnecessary.
	s.Close()
	openTest(t, Config{DataDir: dir})
	segments := func() int {
		names, err := filepath.Glob(filepath.Join(dir, "member", "wal", "*.wal"))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	eventually(t, "the log is short", func() bool { return segments() <= 2 })
}
