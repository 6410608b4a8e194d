package agent

import (
	"context"
	"slices"
	"time"

	"github.com/weft-sdn/weft/ovsdb"
)

// settling is how long a bridge may seem to be without its controller before that is believed: ovs-vswitchd writes the
// state of connections into the database every five seconds only.
const settling = 6 * time.Second

// link is what is known of a bridge's connection to its controller.
type link struct {
	up bool
	// since is when it was first seen so; lost says that it was up before.
	since time.Time
	lost  bool
}

// callBack makes bridges connect to a controller that has just spoken to us, if it does not have them: by itself
// ovs-vswitchd waits for a second before it tries again, and after some attempts in vain for up to eight. (Open vSwitch
// 3.1 does not heed max_backoff.) It is done once for each stream, when its first Delta has said what the controller has.
func (a *Agent) callBack(ctx context.Context, st *ovsdb.State) {
	a.watchLinks(st)
	if a.stream == nil || a.delta == nil || a.called {
		return
	}
	a.called = true
	var lost []string
	for _, b := range a.held.desired().Bridges {
		_, settled := a.settled[b.Resource()]
		if l, known := a.links[b.Name]; !settled || !known || slices.Contains(a.connected, b.Name) || !l.lacks(b, a.replaced) {
			continue
		}
		lost = append(lost, b.Name)
		delete(a.settled, b.Resource()) // what follows is no drift
	}
	if len(lost) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, transactTimeout)
	defer cancel()
	a.log.Info("bridges are made to connect to their controller at once", "bridges", lost)
	if err := a.db.Disconnect(ctx, st, lost); err != nil {
		a.log.Warn("bridges were not made to connect to their controller at once", "bridges", lost, "err", err)
	}
	a.met.transactions.Inc()
}

// lacks says whether a bridge, which the controller of our stream does not have, is without a controller. The database cannot be relied
// on for that: a connection whose other end was killed together with the agent's last process is up in it for seconds.
//
// A bridge's only controller knows. But where the database says that such a bridge is connected, and no other process speaks
// than before (replaced), it may be to another one than ours, or the controller is just greeting it. One of several controllers
// knows of its own connection only, and the bridge may have gone to another of them.
func (l link) lacks(b ovsdb.Bridge, replaced bool) bool {
	if len(b.Controllers) == 1 {
		return replaced || !l.up
	}
	return !l.up && (l.lost || time.Since(l.since) > settling)
}

// watchLinks notes when bridges gain and lose their controller.
func (a *Agent) watchLinks(st *ovsdb.State) {
	next := map[string]link{}
	for _, b := range a.held.desired().Bridges {
		if len(b.Controllers) == 0 {
			continue
		}
		l, known := a.links[b.Name]
		if up := st.Connected(b.Name); !known || l.up != up {
			l = link{up: up, since: time.Now(), lost: known && !up}
		}
		next[b.Name] = l
	}
	a.links = next
}
