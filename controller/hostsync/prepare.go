package hostsync

import (
	"context"
	"slices"
	"time"

	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
)

// awaitMoves keeps the list of the routers that move to the host once their namespaces are made.
func (h *host) awaitMoves(all bool, parts view.PartSet) {
	if all {
		h.moving = map[string]bool{}
		for at := range h.snap.SchedulesOn(h.name) {
			if at.Next == h.name {
				h.moving[at.RouterID] = true
			}
		}
	}
	for p := range parts {
		if p.Kind != view.RouterPart {
			continue
		}
		if at := h.snap.Schedule(p.ID); at != nil && at.Next == h.name {
			h.moving[p.ID] = true
		} else {
			delete(h.moving, p.ID)
		}
	}
}

// tellPrepared tells the store which of them may come, aside: no loop waits for a disk. When the store has said so, what is not
// yet told, or could not be, has its turn.
func (h *host) tellPrepared(ctx context.Context) {
	var ready []string
	for id := range h.moving {
		if h.prepared(id) {
			ready = append(ready, id)
		}
	}
	if len(ready) == 0 || !h.telling.CompareAndSwap(false, true) {
		return
	}
	slices.Sort(ready)
	h.fleet.loops.Go(func() {
		_, err := h.fleet.cfg.Store.Update(ctx, func(tx *store.Tx) error { tx.Prepared(h.name, ready); return nil })
		if err != nil && ctx.Err() == nil {
			h.fleet.cfg.Log.Warn("routers are made, but not moved; trying again", "host", h.name, "routers", len(ready), "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(firstRetry):
			}
		}
		h.telling.Store(false)
		h.rouse()
	})
}

// prepared says whether all that a router has on the host is made, and its devices are on br-int, where nothing passes through
// them yet. A floating IP that cannot be made does not keep the others back.
func (h *host) prepared(id string) bool {
	a, part := &h.agent, view.Part{Kind: view.RouterPart, ID: id}
	if a.session == nil || a.wanted == nil || a.lacking[part] != "" {
		return false
	}
	for _, name := range a.byPart[part] {
		if !a.has(name) {
			return false
		}
	}
	for f := range h.snap.FloatingIPsOfRouter(id) {
		if !a.answeredFor("floatingip/" + f.ID) {
			return false
		}
		for pf := range h.snap.PortForwardingsOf(f.ID) {
			if !a.answeredFor("portforwarding/" + pf.ID) {
				return false
			}
		}
	}
	return true
}

// answeredFor says whether the agent has said what became of a resource, if it is wanted.
func (a *agent) answeredFor(name string) bool {
	r := a.wanted[name]
	return r == nil || a.acked[name] == r.Version
}
