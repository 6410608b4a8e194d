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

// callBack makes bridges connect to a controller that has just spoken to us, if they have lost theirs: by itself
// ovs-vswitchd waits for a second before it tries again, and after some attempts in vain for up to eight. (Open vSwitch
// 3.1 does not heed max_backoff.)
//
// A raised epoch means another process than the one that was there before. Where that is a bridge's only controller,
// there is no need to wait for the database to say that the connection was lost. What the controller itself has is not lost, though:
// to make such a bridge connect anew would cut it off while its rows are listed.
func (a *Agent) callBack(ctx context.Context, st *ovsdb.State) {
	a.watchLinks(st)
	if a.stream == nil || !a.greeted || a.called {
		return
	}
	a.called = true
	var lost []string
	for _, b := range a.held.desired().Bridges {
		l, known := a.links[b.Name]
		if _, ok := a.settled[b.Resource()]; !ok || !known || slices.Contains(a.connected, b.Name) {
			continue
		}
		if (a.replaced && len(b.Controllers) == 1) || (!l.up && (l.lost || time.Since(l.since) > settling)) {
			lost = append(lost, b.Name)
			delete(a.settled, b.Resource()) // what follows is no drift
		}
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
