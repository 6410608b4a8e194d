package hostsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// limits says whether the bridge's rows name meters.
func (b *bridge) limits() bool { return b.role == view.RoleIntegration }

// observedMeters are a bridge's meters.
type observedMeters struct {
	configs map[uint32]openflow.MeterConfig
	// named are those that rows name which may stay though nobody wants them.
	named map[uint32]bool
}

// readMeters asks the switch for its meters, if it has any.
func (b *bridge) readMeters(ctx context.Context) (observedMeters, error) {
	o := observedMeters{configs: map[uint32]openflow.MeterConfig{}, named: map[uint32]bool{}}
	if !b.hasMeters {
		return o, nil
	}
	configs, err := b.conn.MeterConfigs(ctx)
	if err != nil {
		return o, fmt.Errorf("dump meters: %w", err)
	}
	for _, c := range configs {
		o.configs[c.MeterID] = c
	}
	return o, nil
}

// keepNamed takes note of the meter of a row that may stay: with the meter, the switch would remove the row. It is given each
// row of a dump.
func (o observedMeters) keepNamed(b *bridge, s *openflow.FlowStats) {
	if len(o.configs) == 0 || flow.Ours(s.Cookie) || b.tolerates(s.Cookie) == "" {
		return
	}
	// A row that cannot be understood is the comparison's to tell.
	if f, err := flow.FromStats(s, b.conn.Version()); err == nil {
		for _, a := range f.Actions {
			if m, ok := a.(openflow.Meter); ok {
				o.named[m.ID] = true
			}
		}
	}
}

// meterChange leads from some meters to others.
type meterChange struct {
	add, modify []flow.Meter
	remove      []uint32
}

func (c meterChange) empty() bool { return len(c.add)+len(c.modify)+len(c.remove) == 0 }

// change leads from what was observed to what is wanted.
func (o observedMeters) change(wanted []flow.Meter) meterChange {
	var c meterChange
	keep := maps.Clone(o.named)
	for _, m := range wanted {
		keep[m.ID] = true
		if is, there := o.configs[m.ID]; !there {
			c.add = append(c.add, m)
		} else if !m.Is(is) {
			c.modify = append(c.modify, m)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(o.configs)) {
		if !keep[id] {
			c.remove = append(c.remove, id)
		}
	}
	return c
}

// told keeps what the switch has been told of its meters.
func (b *bridge) told(c meterChange) {
	if b.meters == nil {
		b.meters = map[uint32]flow.Meter{}
	}
	for _, m := range slices.Concat(c.add, c.modify) {
		b.meters[m.ID] = m
	}
	for _, id := range c.remove {
		delete(b.meters, id)
	}
}

// watchesMeters says whether the bridge's meters are looked at between two comparisons. One that the switch refuses is not
// found as it should be, however often one looks.
func (b *bridge) watchesMeters() bool {
	return b.conn != nil && !b.fresh && b.hasMeters && !b.refusesMeters && len(b.meters)+len(b.left) > 0
}

// lookAtMeters puts meters right that somebody changed: no switch announces that. A removed one took its rows along, so that
// everything is compared. One that nobody wants is left to the next comparison: it limits nobody, and whoever adds it may be
// about to add a row that may stay and names it.
func (b *bridge) lookAtMeters(ctx context.Context) error {
	o, err := b.readMeters(ctx)
	if err != nil {
		return err
	}
	b.metersAt = time.Now().Add(b.host.fleet.cfg.MeterInterval)
	c := o.change(slices.Collect(maps.Values(b.meters)))
	if len(c.add) > 0 {
		return b.audit(ctx)
	}
	if len(b.left) > 0 && len(b.pending) == 0 && time.Since(b.limitedAt) >= b.host.fleet.cfg.MeterInterval {
		if err := b.removeMeters(ctx, slices.Sorted(maps.Keys(b.left))); err != nil {
			return err
		}
		b.left = nil
	}
	if c.remove = nil; c.empty() {
		return nil
	}
	slices.SortFunc(c.modify, func(x, y flow.Meter) int { return cmp.Compare(x.ID, y.ID) })
	if err := b.tellSwitch(ctx, c.modify, openflow.MeterModify); err != nil {
		return err
	}
	// The agent may have saved them as they were.
	b.changed = b.host.rev
	b.drifted = c
	b.tellMeters()
	return nil
}

// pendingMeters leads from the meters of pending parts as they were to what they are to be. Those that are left are there.
func (b *bridge) pendingMeters() meterChange {
	before := observedMeters{configs: map[uint32]openflow.MeterConfig{}, named: map[uint32]bool{}}
	if !b.limits() {
		return meterChange{}
	}
	var after []flow.Meter
	for _, p := range slices.SortedFunc(maps.Keys(b.pending), view.Part.Compare) {
		for _, m := range ofapps.Meters(b.base, b.host.name, p) {
			before.configs[m.ID] = m.Config()
		}
		after = append(after, ofapps.Meters(b.host.snap, b.host.name, p)...)
	}
	c := before.change(after)
	was := func(m flow.Meter) bool { return b.left[m.ID] }
	for _, m := range c.add {
		if was(m) {
			c.modify = append(c.modify, m)
		}
	}
	c.add = slices.DeleteFunc(c.add, was)
	return c
}

// leave takes note of meters that nobody wants any more, and of those that are wanted again. They go when nothing has changed for a
// while: see removeMeters.
func (b *bridge) leave(c meterChange) {
	if c.empty() {
		return
	}
	b.limitedAt = time.Now()
	for _, m := range c.modify {
		delete(b.left, m.ID)
	}
	for _, id := range c.remove {
		if b.left == nil {
			b.left = map[uint32]bool{}
		}
		b.left[id] = true
	}
}

// meterRest is how long no meter is added to a switch after one was removed. Open vSwitch, from 3.1 to 4.0 at least, gives the numbers
// of meters back in a thread of its own some milliseconds later, without a lock against the one that takes such numbers: meters
// that come right then can end ovs-vswitchd (docs/decisions/0083).
const meterRest = time.Second

// removeMeters removes meters that no row names.
func (b *bridge) removeMeters(ctx context.Context, ids []uint32) error {
	if len(ids) == 0 {
		return nil
	}
	gone := make([]flow.Meter, len(ids))
	for i, id := range ids {
		gone[i].ID = id
	}
	err := b.tellSwitch(ctx, gone, openflow.MeterDelete)
	b.removedAt = time.Now()
	return err
}

// addMeters adds meters, not right after others were removed.
func (b *bridge) addMeters(ctx context.Context, meters []flow.Meter) error {
	if rest := meterRest - time.Since(b.removedAt); len(meters) > 0 && rest > 0 {
		select {
		case <-time.After(rest):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return b.tellSwitch(ctx, meters, openflow.MeterAdd)
}

// applyLimited makes the groups true with the meters that they name: these must be there before the rows. Those to remove stay as yet.
// A meter cannot be part of a bundle.
func (b *bridge) applyLimited(ctx context.Context, c meterChange, groups []*group) error {
	if err := b.addMeters(ctx, c.add); err != nil {
		return err
	}
	if err := b.tellSwitch(ctx, c.modify, openflow.MeterModify); err != nil {
		return err
	}
	return b.apply(ctx, groups)
}

// tellSwitch sends meter-mods. A meter that an agent has replayed meanwhile is changed instead of added, and one that somebody
// has removed is added. When a switch refuses one, it refuses the rows with it too, and these tell whose it is.
func (b *bridge) tellSwitch(ctx context.Context, meters []flow.Meter, command openflow.MeterCommand) error {
	if len(meters) == 0 {
		return nil
	}
	mods := make([]openflow.Message, len(meters))
	for i, m := range meters {
		mods[i] = m.Mod(command)
	}
	err := b.conn.Tell(ctx, mods...)
	var refused *channel.BundleError
	if !errors.As(err, &refused) {
		return err
	}
	var other []openflow.Message
	for _, e := range refused.Errors {
		switch {
		case command == openflow.MeterAdd && e.Err.Type == openflow.ErrorMeterModFailed && e.Err.Code == openflow.MeterExists:
			other = append(other, meters[e.Index].Mod(openflow.MeterModify))
		case command == openflow.MeterModify && e.Err.Type == openflow.ErrorMeterModFailed && e.Err.Code == openflow.MeterUnknown:
			other = append(other, meters[e.Index].Mod(openflow.MeterAdd))
		default:
			b.refusesMeters = true
			b.host.fleet.event(b.host.name, "MeterRefused", "", "%s of %s refuses meter %d: %v", b.name, b.host.name, meters[e.Index].ID, e.Err)
		}
	}
	if len(other) == 0 {
		return nil
	}
	if err := b.conn.Tell(ctx, other...); !errors.As(err, &refused) {
		return err
	}
	b.refusesMeters = true
	b.host.fleet.event(b.host.name, "MeterRefused", "", "%s of %s: %v", b.name, b.host.name, refused)
	return nil
}

// meterDrift is a meter that is not as it should be.
type meterDrift struct {
	kind flow.Kind
	text string
}

// without leaves out the removal of some meters.
func (c meterChange) without(left map[uint32]bool) meterChange {
	c.remove = slices.DeleteFunc(slices.Clone(c.remove), func(id uint32) bool { return left[id] })
	return c
}

func (c meterChange) drifts() []meterDrift {
	var out []meterDrift
	for _, m := range c.add {
		out = append(out, meterDrift{flow.Missing, m.String()})
	}
	for _, m := range c.modify {
		out = append(out, meterDrift{flow.Changed, m.String()})
	}
	for _, id := range c.remove {
		out = append(out, meterDrift{flow.Foreign, fmt.Sprintf("meter=%d", id)})
	}
	return out
}

// tellMeters records which meters were repaired.
func (b *bridge) tellMeters() {
	drifts := b.drifted.drifts()
	b.drifted = meterChange{}
	if len(drifts) == 0 {
		return
	}
	b.repaired += int64(len(drifts))
	b.host.fleet.metrics.drift.WithLabelValues(b.host.name, b.name).Add(float64(len(drifts)))
	for i, d := range drifts {
		if i == toldRows {
			b.host.fleet.event(b.host.name, "DriftRepaired", "", "%s of %s: and %d more meters", b.name, b.host.name, len(drifts)-i)
			return
		}
		b.host.fleet.event(b.host.name, "DriftRepaired", "", "%s of %s: a meter %s: %s", b.name, b.host.name, mended[d.kind], d.text)
	}
}

// askMeters asks a switch what it can limit, and tells the store when it believes something else.
func (b *bridge) askMeters(ctx context.Context) error {
	if !b.limits() {
		return nil
	}
	f, err := b.conn.MeterFeatures(ctx)
	var refused *openflow.Error
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	b.hasMeters = refused == nil && f.MaxMeter > 0
	facts := &model.SwitchFacts{Host: b.host.name}
	var lacks []string
	switch has := uint16(f.Capabilities); {
	case refused != nil:
		facts.Reason = fmt.Sprintf("it does not know meters (%v)", refused)
	case f.MaxMeter == 0 || f.BandTypes&(1<<openflow.BandDrop) == 0:
		facts.Reason = "its datapath has no meters"
	default:
		if facts.MeterKbps = has&openflow.MeterKbps != 0; !facts.MeterKbps {
			lacks = append(lacks, "bits")
		}
		if facts.MeterPktps = has&openflow.MeterPktps != 0; !facts.MeterPktps {
			lacks = append(lacks, "packets")
		}
		facts.Reason = "its meters do not count " + strings.Join(lacks, " and ")
	}
	if facts.MeterKbps && facts.MeterPktps {
		facts = nil
	}
	known := b.host.snap.SwitchFacts(b.host.name)
	if facts == nil && known == nil || facts != nil && known != nil && *facts == *known {
		return nil
	}
	h := b.host
	h.fleet.loops.Go(func() {
		_, err := h.fleet.cfg.Store.Update(h.fleet.ctx, func(tx *store.Tx) error { return tx.SetSwitchFacts(h.name, facts) })
		var gone *store.ErrNotFound
		if err != nil && !errors.As(err, &gone) && h.fleet.ctx.Err() == nil {
			// The next comparison asks again.
			h.fleet.cfg.Log.Warn("what a switch can limit was not written", "host", h.name, "err", err)
		}
	})
	return nil
}
