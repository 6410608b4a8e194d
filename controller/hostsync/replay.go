package hostsync

import (
	"context"
	"time"
)

// A bridge that had many rows and has none was lost by its switch. Its agent, which has them on disk, replays them at
// once; when two fill the bridge at a time, both take twice as long. The number is the agent's, too (nsagent/replay).
const (
	many       = 10_000
	replayTime = time.Second
	replayLook = 10 * time.Millisecond
)

// willBeReplayed says whether an agent fills the bridge should its switch come back without rows.
func (b *bridge) willBeReplayed() bool {
	a := &b.host.agent
	return b.rows >= b.host.fleet.manyRows && a.session != nil && a.checkpoints[b.name] > 0
}

// awaitReplay leaves it to the agent, for a while, to fill the host's bridges. One with few rows waits for the others: to render what
// it should have is to render what they should have, and processors are what the replay needs.
func (b *bridge) awaitReplay(ctx context.Context) error {
	defer b.replayed.Store(false)
	waits := b.beingReplayed
	if b.willBeReplayed() {
		waits = b.empty
	}
	for end := time.Now().Add(replayTime); time.Now().Before(end); {
		if wait, err := waits(ctx); err != nil || !wait {
			return err
		}
		select {
		case <-time.After(replayLook):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// empty says whether the bridge has no row.
func (b *bridge) empty(ctx context.Context) (bool, error) {
	tables, err := b.conn.TableStats(ctx)
	if err != nil {
		return false, err
	}
	for _, t := range tables {
		if t.Active > 0 {
			return false, nil
		}
	}
	return true, nil
}

// beingReplayed says whether another bridge of the host is.
func (b *bridge) beingReplayed(context.Context) (bool, error) {
	for _, other := range b.host.bridges {
		if other != b && other.replayed.Load() {
			return true, nil
		}
	}
	return false, nil
}
