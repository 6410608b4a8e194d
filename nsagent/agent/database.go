package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/weft-sdn/weft/ovsdb"
)

// transactTimeout bounds a transaction: a database that does not answer within it is given up and dialled anew.
const transactTimeout = 5 * time.Second

// Retries of what the database or the switch refused.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// dialBackoff is how reconnecting slows down: to five attempts a second. What is dialled is local or few, a refusal costs
// neither side anything, and a controller that starts opens its doors before it reads its store: whoever has come by
// then loses no time.
func dialBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier, b.RandomizationFactor = 20*time.Millisecond, 200*time.Millisecond, 2, 0.3
	return b
}

// keepDatabase has a session with the database whenever there is a database.
func (a *Agent) keepDatabase(ctx context.Context) {
	wait := dialBackoff()
	var outage once
	for ctx.Err() == nil {
		s, err := a.dialDatabase(ctx)
		if err != nil {
			if outage.now() && ctx.Err() == nil {
				a.log.Error("no database; the host stays as it is", "err", err)
			}
			sleep(ctx, wait.NextBackOff())
			continue
		}
		wait.Reset()
		outage = once{}
		select {
		case a.sessions <- s:
			select {
			case <-s.Done():
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		s.Close()
	}
}

func (a *Agent) dialDatabase(ctx context.Context) (*ovsdb.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, transactTimeout)
	defer cancel()
	return ovsdb.Dial(ctx, a.cfg.OVSDB)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (a *Agent) databaseUp() {
	a.log.Info("database connected", "endpoint", a.cfg.OVSDB)
	a.met.database.Set(1)
	clear(a.need)
	a.inventory = nil // what comes next is told in full
}

func (a *Agent) databaseDown() {
	a.log.Warn("database lost", "endpoint", a.cfg.OVSDB)
	a.met.database.Set(0)
	a.db, a.quiet = nil, time.Time{}
	a.seen.Store(nil)
}

// reconcile makes the host what is desired, as far as it can be now, and tells what was found.
func (a *Agent) reconcile(ctx context.Context) {
	a.report = a.spaces.Report()
	a.looked = a.looked || !a.report.Stale && len(a.report.Pending) == 0
	if a.db == nil {
		a.away("ovsdb-server does not answer at " + a.cfg.OVSDB)
		return
	}
	if time.Now().Before(a.quiet) {
		return
	}
	want := a.desired()
	actx, cancel := context.WithTimeout(ctx, transactTimeout)
	out, err := a.db.Apply(actx, want)
	cancel()
	if err != nil {
		a.applyFailed(ctx, err)
		return
	}
	a.quiet = time.Time{}
	a.seen.Store(out.State)
	a.met.transactions.Add(float64(out.Transactions))
	a.changed(out)
	a.noteOldPaths(out)
	a.forgetOldPaths(ctx, out.State)
	a.judge(out)
	a.judgeSpaces()
	a.settle(want, out)
	a.poke(ctx, out.State)
	a.tellPlugged(out.State)
	a.replug(ctx, out.State, want.Plugs)
	a.tellInventory(out.State, want.Plugs)
	a.answer()
	a.callBack(ctx, out.State)
	a.keeper.Wake()
}

// away says that nothing is known to be true.
func (a *Agent) away(why string) {
	a.problem = map[string]ovsdb.Problem{}
	a.retryAt = time.Time{}
	for name, w := range a.held.wants {
		if spaceOf(w) == nil {
			a.problem[name] = ovsdb.Problem{Resource: name, Reason: databaseAway, Message: why}
		}
	}
	// Of the namespaces, those are not true that nothing can be said to be plugged of.
	for _, d := range a.held.devices() {
		a.problem[d.resource] = ovsdb.Problem{Resource: d.resource, Reason: databaseAway, Message: why}
	}
	a.judgeReport(a.report)
	a.answer()
}

func (a *Agent) applyFailed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	a.log.Warn("database not brought up to date", "err", err)
	a.away(err.Error())
	if errors.Is(err, ovsdb.ErrNotReady) {
		a.quiet = time.Now().Add(firstRetry)
	} else {
		a.db.Close() // it is dialled anew
	}
}

// changed tells what was done. What was true before, and which no Delta touched, had drifted.
func (a *Agent) changed(out ovsdb.Outcome) {
	drift := map[string][]string{}
	for _, c := range out.Changes {
		if out.Cfg > 0 {
			a.need[c.Resource] = out.Cfg
		}
		if c.Bookkeeping {
			continue
		}
		row, was := a.settled[c.Resource]
		if was && row == c.Row {
			drift[c.Resource] = append(drift[c.Resource], c.Text)
		} else {
			a.log.Info("made true", "rev", a.held.revision, "object", c.Resource, "was", c.Text)
		}
		if c.Flushes {
			a.notice("FlowsFlushed", c.Resource, "it got its first controller, on which Open vSwitch removes all flows of a bridge")
		}
	}
	for _, r := range slices.Sorted(maps.Keys(drift)) {
		text := strings.Join(drift[r], "; ")
		a.log.Warn("drift repaired", "object", a.owner(r), "was", text)
		a.notice("DriftRepaired", a.owner(r), text+"; it is right again")
		a.met.drift.Inc()
	}
	if len(drift) > 0 {
		// Somebody who undoes every repair must not keep this host busy.
		if d := a.calm.Reserve().Delay(); d > 0 {
			a.quiet = time.Now().Add(d)
		}
	}
}

// judge notes which resources are not true: what the database says, and what the switch has not carried out.
func (a *Agent) judge(out ovsdb.Outcome) {
	a.problem = out.Problems
	for r, cfg := range a.need {
		if out.State.Applied(cfg) {
			delete(a.need, r)
		} else if _, other := a.problem[r]; !other && a.held.wants[a.owner(r)] != nil {
			a.problem[r] = ovsdb.Problem{Resource: r, Reason: ovsdb.NotApplied,
				Message: fmt.Sprintf("ovs-vswitchd has not carried out transaction %d; is it running?", cfg)}
		}
	}
}

// settle remembers what is true now.
func (a *Agent) settle(want ovsdb.Desired, out ovsdb.Outcome) {
	moved := map[string]bool{}
	for _, c := range out.Changes {
		moved[c.Resource] = true
	}
	ok := func(resource, row string) {
		if _, bad := out.Problems[resource]; !bad && !moved[resource] {
			a.settled[resource] = row
		}
	}
	for _, b := range want.Bridges {
		ok(b.Resource(), "")
	}
	for _, t := range want.Tunnels {
		ok(t.Resource(), "")
	}
	for _, b := range want.Bindings {
		ok(b.Resource(), out.State.Row(b.Interface))
	}
	for _, p := range want.Plugs {
		if !p.Absent {
			ok(p.Resource(), "")
		}
	}
	// Who takes the tag of an interface away that waits, again and again, must not keep this host busy.
	for _, c := range out.Changes {
		if _, waits := ovsdb.Waiting(c.Resource); waits {
			a.settled[c.Resource] = c.Row
		}
	}
	for resource, row := range a.settled {
		if name, waits := ovsdb.Waiting(resource); waits && out.State.Row(name) != row {
			delete(a.settled, resource)
		}
	}
}

// poke makes the switch try again, later each time, while ports of ours could not be added: it tries on transactions
// only.
func (a *Agent) poke(ctx context.Context, st *ovsdb.State) {
	failing := false
	for r, p := range a.problem {
		failing = failing || p.Reason == ovsdb.Rejected || (p.Reason == ovsdb.PortFailed && !strings.HasPrefix(r, "port/"))
	}
	switch {
	case !failing:
		a.retryAt, a.retryAfter = time.Time{}, 0
	case a.retryAt.IsZero():
		a.retryAfter = firstRetry
		a.retryAt = time.Now().Add(a.retryAfter)
	case !time.Now().Before(a.retryAt):
		a.retryAfter = min(2*a.retryAfter, lastRetry)
		a.retryAt = time.Now().Add(a.retryAfter)
		ctx, cancel := context.WithTimeout(ctx, transactTimeout)
		defer cancel()
		if err := a.db.Poke(ctx, st); err != nil {
			a.log.Warn("the switch was not made to try again", "err", err)
		}
		a.met.transactions.Inc()
	}
}
