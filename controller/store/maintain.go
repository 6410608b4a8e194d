package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage"
)

// defragBytes is the size below which a database is left with its holes. Defragmenting stops all writes meanwhile, some
// 10 ms/MB.
const defragBytes = 64 << 20

// maintain keeps the embedded etcd small: it forgets history beyond what watchers may ask for, gives the space back to
// the disk, and takes writes again when there is room.
func (s *Store) maintain(ctx context.Context) {
	t := time.NewTicker(s.cfg.MaintenanceInterval)
	defer t.Stop()
	var compacted int64
	// A restart with a larger quota is the remedy for a full store.
	full := true
	for {
		if done, err := s.shrink(ctx, compacted, full); err != nil {
			if ctx.Err() != nil {
				return
			}
			s.log.Warn("the embedded etcd could not be compacted; the next attempt follows", "err", err,
				"interval", s.cfg.MaintenanceInterval)
		} else {
			compacted = done
		}
		full = false
		select {
		case <-t.C:
		case <-s.full:
			full = true
		case <-s.embedded.breaker.alive.Done():
			s.log.Error("updates are refused until a restart; reads and hosts go on", "err", s.broken())
			return
		case <-ctx.Done():
			return
		}
	}
}

// shrink returns the revision up to which history was forgotten. A full store forgets all of it.
func (s *Store) shrink(ctx context.Context, compacted int64, full bool) (int64, error) {
	alarmed := false
	if full {
		alarms, err := s.client.AlarmList(ctx)
		if err != nil {
			return compacted, fmt.Errorf("list alarms: %w", err)
		}
		for _, a := range alarms.Alarms {
			alarmed = alarmed || a.Alarm == etcdserverpb.AlarmType_NOSPACE
		}
	}
	now, _ := s.history.now()
	target := now.revision - int64(s.cfg.HistoryChanges)
	if alarmed {
		target = now.revision
	}
	if target > compacted {
		// It may have been done before a restart.
		if _, err := s.client.Compact(ctx, target, clientv3.WithCompactPhysical()); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
			return compacted, fmt.Errorf("compact to revision %d: %w", target, err)
		}
		compacted = target
	}
	server := s.embedded.etcd.Server
	size, used := server.Backend().Size(), server.Backend().SizeInUse()
	if alarmed || size > defragBytes && used < size/2 {
		began := time.Now()
		if err := server.Defragment(); err != nil {
			return compacted, fmt.Errorf("defragment: %w", err)
		}
		s.log.Info("defragmented the embedded etcd", "bytes_before", size, "bytes", server.Backend().Size(), "took", time.Since(began))
	}
	if !alarmed {
		return compacted, nil
	}
	quota := s.cfg.QuotaBytes
	if quota == 0 {
		quota = storage.DefaultQuotaBytes
	}
	if size := server.Backend().Size(); size > quota/10*9 {
		s.log.Error("the store is full: updates are refused; restart the controller with a larger --store-quota", "bytes", size, "quota", quota)
		return compacted, nil
	}
	if _, err := s.client.AlarmDisarm(ctx, &clientv3.AlarmMember{}); err != nil {
		return compacted, fmt.Errorf("disarm the alarm: %w", err)
	}
	s.log.Info("the store has room again: updates are taken", "bytes", server.Backend().Size(), "quota", quota)
	return compacted, nil
}
