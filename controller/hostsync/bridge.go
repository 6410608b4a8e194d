package hostsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// programTimeout bounds one conversation with a switch: 100,000 rows take OVS half a second.
const programTimeout = 20 * time.Second

// bridge is the OpenFlow side of one bridge of a host.
type bridge struct {
	host *host
	name string
	role string

	conn  *channel.Conn
	fresh bool // conn has not been taken over yet
	since time.Time
	err   string

	// base is the snapshot whose rows the switch has, but for the parts that failed.
	base    state.Snapshot
	pending view.PartSet
	all     bool
	failed  map[view.Part]string
	auditAt time.Time
	// changed is the revision at which rows last changed.
	changed int64
	// replayed says that an agent fills the bridge, which its switch has lost.
	replayed atomic.Bool
	// retell says that the agent is to be told again that the bridge is complete: it forgets what it had not saved when
	// the switch went away.
	retell bool
	rows   int

	repaired int64
	// refusals are those of the last comparison.
	refusals refusals
	// hasMeters says that the switch, when it was last asked, had any.
	hasMeters bool
	// meters are those that the switch has been told to have, by their numbers.
	meters map[uint32]flow.Meter
	// left are those that nobody wants any more, and that are still there.
	left map[uint32]bool
	// limitedAt is when meters were last changed by what is wanted, removedAt when any were removed.
	limitedAt, removedAt time.Time
	// metersAt is when they are looked at again.
	metersAt time.Time
	// refusesMeters says that the switch has refused one since the last comparison.
	refusesMeters bool
	// drifted are the meters that were last found otherwise than they should be.
	drifted meterChange
}

func (b *bridge) close() {
	if b.conn != nil {
		b.conn.Close()
		b.conn = nil
	}
}

// dirty adds to what has to be looked at.
func (b *bridge) dirty(all bool, parts view.PartSet) {
	b.all = b.all || all
	if b.pending == nil {
		b.pending = view.PartSet{}
	}
	maps.Copy(b.pending, parts)
}

func (b *bridge) settled() bool { return b.unsettledReason() == "" }

func (b *bridge) unsettledReason() string {
	switch {
	case b.conn == nil && b.err != "":
		return "OpenFlow not connected: " + b.err
	case b.conn == nil:
		return "OpenFlow not connected since " + b.since.Format(time.TimeOnly)
	case b.err != "":
		return b.err
	case b.fresh || b.all || len(b.pending) > 0:
		return "being programmed"
	}
	for _, p := range slices.SortedFunc(maps.Keys(b.failed), view.Part.Compare) {
		return fmt.Sprintf("%v: %s", p, b.failed[p])
	}
	return ""
}

// catchUp makes the switch have what the host's snapshot wants.
func (b *bridge) catchUp(ctx context.Context, seen *foreign) {
	ctx, cancel := context.WithTimeout(ctx, programTimeout)
	defer cancel()
	err := b.catchUpOnce(ctx, seen)
	b.err = ""
	if err == nil {
		return
	}
	b.err = err.Error()
	if errors.Is(err, channel.ErrStale) {
		b.host.fleet.event(b.host.name, "Superseded", "", "%s of %s obeys a newer controller: %v", b.name, b.host.name, err)
	}
	b.host.fleet.cfg.Log.Warn("bridge not programmed", "host", b.host.name, "bridge", b.name, "rev", b.host.rev, "err", err)
	// What the switch has now is not known. It connects again and is asked.
	b.close()
}

func (b *bridge) catchUpOnce(ctx context.Context, seen *foreign) error {
	now := time.Now()
	switch {
	case b.fresh:
		return b.takeOver(ctx)
	case b.all, now.After(b.auditAt), len(b.failed) > 0 && !now.Before(b.host.retryAt), seen.needsAudit(b):
		return b.audit(ctx)
	}
	if err := b.repair(ctx, seen); err != nil {
		return err
	}
	if b.watchesMeters() && now.After(b.metersAt) {
		if err := b.lookAtMeters(ctx); err != nil {
			return err
		}
	}
	return b.applyPending(ctx)
}

// takeOver begins a connection: be master, be told of foreign changes, and only then look.
func (b *bridge) takeOver(ctx context.Context) error {
	if err := b.conn.SetRole(ctx, openflow.RoleMaster, b.host.fleet.cfg.Epoch); err != nil {
		return fmt.Errorf("role: %w", err)
	}
	if err := b.conn.Monitor(ctx); err != nil {
		return fmt.Errorf("flow monitor: %w", err)
	}
	if err := b.awaitReplay(ctx); err != nil {
		return err
	}
	if _, err := b.compareAndApply(ctx); err != nil {
		return err
	}
	b.fresh, b.retell = false, true
	return nil
}

// audit compares everything, and tells of what was not as we left it.
func (b *bridge) audit(ctx context.Context) error {
	expected := b.all || len(b.pending) > 0 || len(b.failed) > 0
	diffs, err := b.compareAndApply(ctx)
	if err == nil && !expected {
		b.tell(diffs)
		b.tellMeters()
	}
	return err
}

// compareAndApply asks the switch for its rows, and makes them what the host's snapshot wants.
func (b *bridge) compareAndApply(ctx context.Context) ([]flow.Difference, error) {
	h := b.host
	var cmp *flow.Comparison
	var wanted wantedRows
	var rows int
	// The switch takes as long to list its rows as we do to render ours, so each begins at once; what arrives before ours
	// are there is kept.
	rendered := make(chan struct{})
	var renderErr error
	go func() {
		defer close(rendered)
		wanted, renderErr = h.rendered.take(h, b)
		if renderErr == nil {
			cmp, rows = flow.NewComparison(wanted.set, b.toleratesRow), wanted.set.Len()
		}
	}()
	defer func() { <-rendered }()
	if err := b.askMeters(ctx); err != nil {
		return nil, err
	}
	limits, err := b.readMeters(ctx)
	if err != nil {
		return nil, err
	}
	var kept early
	ready := func() error {
		<-rendered
		if renderErr != nil {
			return renderErr
		}
		return kept.release(cmp.Observe)
	}
	counted := refusals{}
	err = b.conn.DumpFlows(ctx, openflow.AllFlows(), func(s *openflow.FlowStats) error {
		limits.keepNamed(b, s)
		counted.note(b, s)
		select {
		case <-rendered:
		default:
			if kept.keep(s) {
				return nil
			}
		}
		if err := ready(); err != nil {
			return err
		}
		return cmp.Observe(s)
	})
	if err := ready(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("dump: %w", err)
	}
	b.countRefused(counted)
	diffs, err := cmp.Differences()
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	groups := map[view.Part]*group{}
	for _, d := range diffs {
		var p view.Part // rows that nobody wants belong to the host
		if d.Owner >= 0 {
			p = wanted.parts[d.Owner]
		}
		if groups[p] == nil {
			groups[p] = &group{part: p}
		}
		groups[p].diffs = append(groups[p].diffs, d)
	}
	if err := b.forgetMissing(ctx, groups); err != nil {
		return nil, err
	}
	b.failed, b.refusesMeters = map[view.Part]string{}, false
	change := limits.change(wanted.meters)
	if !b.fresh && slices.ContainsFunc(change.add, func(m flow.Meter) bool { _, told := b.meters[m.ID]; return told }) {
		b.removedAt = time.Now() // by somebody else, a moment ago
	}
	if err := b.applyLimited(ctx, change, ordered(groups)); err != nil {
		return nil, err
	}
	if err := b.removeMeters(ctx, change.remove); err != nil {
		return nil, err
	}
	if !b.fresh {
		if err := b.forgetGone(ctx); err != nil {
			return nil, err
		}
	}
	b.base, b.all, b.pending = h.snap, false, nil
	drifted := change.without(b.left)
	b.rows, b.meters, b.left = rows, nil, nil
	b.told(meterChange{add: wanted.meters})
	b.auditAt, b.metersAt = time.Now().Add(h.fleet.cfg.AuditInterval), time.Now().Add(h.fleet.cfg.MeterInterval)
	if b.changed == 0 || len(diffs) > 0 || !change.empty() {
		b.changed = h.rev
	}
	b.drifted = drifted
	return diffs, nil
}

// applyPending applies what changed between two snapshots, without asking the switch.
func (b *bridge) applyPending(ctx context.Context) error {
	h := b.host
	if len(b.pending) == 0 {
		b.base = h.snap
		return nil
	}
	c := flow.Coder{Version: b.conn.Version()}
	groups := map[view.Part]*group{}
	for p := range b.pending {
		if !p.Kind.HasRows() {
			continue
		}
		before := ofapps.Render(b.base, h.name, p)[b.name]
		after := ofapps.Render(h.snap, h.name, p)[b.name]
		diffs, err := flow.Diff(&c, before, after)
		if err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
		if len(diffs) > 0 {
			groups[p] = &group{part: p, diffs: diffs}
		}
	}
	handOver(&c, groups)
	b.forgetLearned(groups)
	if err := b.forgetPending(ctx); err != nil {
		return err
	}
	change := b.pendingMeters()
	if err := b.applyLimited(ctx, change, ordered(groups)); err != nil {
		return err
	}
	b.told(change)
	b.leave(change)
	if err := b.forgetGone(ctx); err != nil {
		return err
	}
	for p := range b.pending {
		if groups[p] == nil {
			delete(b.failed, p)
		}
	}
	b.base, b.pending = h.snap, nil
	if len(groups) > 0 || !change.empty() {
		b.changed = h.rev
	}
	return nil
}

// report is what others are told.
func (b *bridge) report() report.Bridge {
	r := report.Bridge{Name: b.name, Connected: b.conn != nil, Since: b.since, Flows: b.rows, DriftRepaired: b.repaired, Err: b.err}
	for _, br := range view.PartResources(b.host.snap, b.host.name, view.Part{Kind: view.HostPart}).Bridges {
		if br.Name == b.name {
			r.DatapathID = br.DatapathID
		}
	}
	if b.conn != nil {
		r.Version = b.conn.Version().String()
		r.FlowMods = int64(b.conn.Stats().FlowMods)
	}
	return r
}

func (b *bridge) failures() []report.Failure {
	var out []report.Failure
	for _, p := range slices.SortedFunc(maps.Keys(b.failed), view.Part.Compare) {
		out = append(out, report.Failure{Object: p.String(), Reason: "FlowsRefused", Message: b.name + ": " + b.failed[p]})
	}
	return out
}
