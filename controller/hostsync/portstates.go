package hostsync

import (
	"context"
	"errors"
	"time"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
)

// writePortStates keeps in the store what the hosts acknowledged about ports: as many as have come up in one
// transaction, so that no loop waits for a disk.
func (f *Fleet) writePortStates(ctx context.Context) {
	for {
		var batch []model.PortState
		select {
		case <-ctx.Done():
			return
		case st := <-f.states:
			batch = append(batch, st)
		}
		for more := true; more && len(batch) < cap(f.states); {
			select {
			case st := <-f.states:
				batch = append(batch, st)
			default:
				more = false
			}
		}
		f.writeBatch(ctx, batch)
	}
}

// writeBatch does not give up: what a host acknowledged stays true while the store is away.
func (f *Fleet) writeBatch(ctx context.Context, batch []model.PortState) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		_, err := f.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			for i := range batch {
				var moved *store.ErrConflict
				// A port that has moved on meanwhile is another loop's business.
				if err := tx.SetPortState(&batch[i]); err != nil && !errors.As(err, &moved) {
					return err
				}
			}
			return nil
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		f.cfg.Log.Warn("port states not written; trying again", "ports", len(batch), "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
