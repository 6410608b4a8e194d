package hostsync

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// maxForeign is how many foreign changes are looked at one by one; when there are more, the whole bridge is compared.
const maxForeign = 256

// toldRows is how many rows of one repair are told one by one.
const toldRows = 10

// foreign collects what a switch announced that others changed on a bridge.
type foreign struct {
	rows []foreignRow
	// whole asks for a comparison of the whole bridge.
	whole bool
}

// foreignRow is one row that somebody else added, changed or removed.
type foreignRow struct {
	removed bool
	flow    flow.Flow
}

// needsAudit says whether one has to look at everything to mend what was done.
func (f *foreign) needsAudit(b *bridge) bool {
	if f == nil {
		return false
	}
	if f.whole {
		return true
	}
	for _, r := range f.rows {
		// A row that is not ours may stand where one of ours stood.
		if !r.removed && !flow.Ours(r.flow.Cookie) && b.tolerates(r.flow.Cookie) == "" {
			return true
		}
	}
	return false
}

// tolerates says why a row that nobody wants, and the switch has not learned, may stay; empty means that it may not.
func (b *bridge) tolerates(cookie uint64) string {
	if b.role == view.RolePhysical && !flow.Ours(cookie) {
		return fmt.Sprintf("left alone: %s is shared", b.name)
	}
	for _, t := range b.host.fleet.cfg.Tolerated {
		if cookie&t.Mask == t.Value {
			return "left alone: its cookie is on the tolerated list"
		}
	}
	return ""
}

// repair puts rows of ours back which somebody removed or changed.
func (b *bridge) repair(ctx context.Context, seen *foreign) error {
	if seen == nil {
		return nil
	}
	h := b.host
	c := flow.Coder{Version: b.conn.Version()}
	var diffs []flow.Difference
	for _, r := range seen.rows {
		if flow.Learned(r.flow.Cookie) {
			if !stands(h.snap, h.name, r.flow) {
				diffs = append(diffs, flow.Difference{Kind: flow.Foreign, Flow: r.flow, Found: r.flow.Cookie})
			}
			continue
		}
		if !flow.Ours(r.flow.Cookie) {
			continue
		}
		key, row := c.Encode(&r.flow)
		wanted, is, ok := b.wantedRow(&c, r.flow.Cookie, key)
		switch {
		case ok && r.removed:
			diffs = append(diffs, flow.Difference{Kind: flow.Missing, Flow: wanted})
		case ok && is != row:
			diffs = append(diffs, flow.Difference{Kind: flow.Changed, Flow: wanted, Found: r.flow.Cookie})
		case !ok:
			// A row of ours that its owner does not want, as an agent replays it from an older day: it may stand, or have
			// stood, where a row of another owner belongs.
			diffs, err := b.compareAndApply(ctx)
			if err == nil {
				b.tell(diffs)
				b.tellMeters()
			}
			return err
		}
	}
	if len(diffs) == 0 {
		return nil
	}
	var mods []openflow.FlowMod
	for _, d := range diffs {
		mods = append(mods, d.FlowMod())
	}
	if err := b.conn.Bundle(ctx, mods); err != nil {
		h.fleet.cfg.Log.Warn("drift not repaired row by row; the bridge is compared", "host", h.name, "bridge", b.name, "err", err)
		diffs, err := b.compareAndApply(ctx)
		if err == nil {
			b.tell(diffs)
			b.tellMeters()
		}
		return err
	}
	h.fleet.metrics.flowMods.WithLabelValues(h.name, b.name).Add(float64(len(mods)))
	b.tell(diffs)
	return nil
}

// wantedRow finds the row with that key among the rows that the cookie's object wants on this bridge, as the switch
// was last told.
func (b *bridge) wantedRow(c *flow.Coder, cookie uint64, key flow.Key) (flow.Flow, flow.Row, bool) {
	for _, p := range partsOf(b.base, b.host.name, cookie) {
		for _, f := range ofapps.Render(b.base, b.host.name, p)[b.name] {
			if k, row := c.Encode(&f); k == key {
				return f, row, true
			}
		}
	}
	return flow.Flow{}, flow.Row{}, false
}

// partsOf lists the parts that may have made a row with that cookie.
func partsOf(s state.Snapshot, host string, cookie uint64) []view.Part {
	kind, prefix, ok := flow.ParseCookie(cookie)
	if !ok {
		return nil
	}
	var parts []view.Part
	switch kind {
	case flow.NetworkCookie, flow.LearnedCookie:
		for o := range s.ByIDPrefix(state.Networks, prefix) {
			parts = append(parts, view.Part{Kind: view.NetworkPart, ID: state.Key(o)})
		}
	case flow.PortCookie:
		for o := range s.ByIDPrefix(state.Ports, prefix) {
			parts = append(parts, view.Part{Kind: view.PortPart, ID: state.Key(o)})
		}
	case flow.RouterCookie:
		for o := range s.ByIDPrefix(state.Routers, prefix) {
			parts = append(parts, view.Part{Kind: view.RouterPart, ID: state.Key(o)})
		}
	default:
		for p := range view.Parts(s, host) {
			if p.Kind == view.HostPart || p.Kind == view.TunnelPart {
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// mended says what became of what was not as it should be.
var mended = map[flow.Kind]string{flow.Missing: "was missing and is back", flow.Changed: "was changed and is as it was",
	flow.Foreign: "was foreign and is gone"}

// tell records what was repaired. That an agent made a plain switch of the bridge, until we came, was none.
func (b *bridge) tell(diffs []flow.Difference) {
	h := b.host
	diffs = slices.DeleteFunc(slices.Clone(diffs), func(d flow.Difference) bool { return d.Found == flow.PlainSwitch })
	if len(diffs) == 0 {
		return
	}
	b.repaired += int64(len(diffs))
	h.fleet.metrics.drift.WithLabelValues(h.name, b.name).Add(float64(len(diffs)))
	for i, d := range diffs {
		if i == toldRows {
			h.fleet.event(h.name, "DriftRepaired", "", "%s of %s: and %d more rows", b.name, h.name, len(diffs)-i)
			return
		}
		h.fleet.event(h.name, "DriftRepaired", "", "%s of %s: a row %s: %v", b.name, h.name, mended[d.Kind], d.Flow)
	}
}

// drift compares without changing anything.
func (b *bridge) drift(ctx context.Context) ([]report.Drift, error) {
	if b.conn == nil {
		return nil, fmt.Errorf("OpenFlow not connected since %s", b.since.Format(time.TimeOnly))
	}
	wanted, err := b.host.rendered.take(b.host, b)
	if err != nil {
		return nil, err
	}
	limits, err := b.readMeters(ctx)
	if err != nil {
		return nil, err
	}
	cmp := flow.NewComparison(wanted.set, func(s *openflow.FlowStats) bool { return flow.Learned(s.Cookie) && b.toleratesRow(s) })
	counted := refusals{}
	err = b.conn.DumpFlows(ctx, openflow.AllFlows(), func(s *openflow.FlowStats) error {
		limits.keepNamed(b, s)
		counted.note(b, s)
		return cmp.Observe(s)
	})
	if err != nil {
		return nil, err
	}
	b.countRefused(counted)
	diffs, err := cmp.Differences()
	if err != nil {
		return nil, err
	}
	var out []report.Drift
	for _, d := range limits.change(wanted.meters).without(b.left).drifts() {
		out = append(out, report.Drift{Host: b.host.name, Bridge: b.name, Kind: d.kind.String(), Text: d.text, Action: "being repaired"})
		b.auditAt = time.Time{}
	}
	for _, d := range diffs {
		dr := report.Drift{Host: b.host.name, Bridge: b.name, Kind: d.Kind.String(), Text: d.Flow.String(), Cookie: d.Flow.Cookie}
		if d.Kind == flow.Foreign {
			dr.Action = b.tolerates(d.Flow.Cookie)
		}
		if dr.Action == "" {
			dr.Action = "being repaired"
			// The switch announced nothing, or it was missed: look at once instead of at the next audit.
			b.auditAt = time.Time{}
		}
		out = append(out, dr)
	}
	return out, nil
}

// Message implements channel.Events.
func (f *Fleet) Message(c *channel.Conn, _ openflow.Header, m openflow.Message) {
	switch m := m.(type) {
	case *openflow.FlowMonitorPaused:
		f.foreign(c, func(seen *foreign) { seen.whole = true })
	case *openflow.RoleStatus:
		f.cfg.Log.Warn("a switch changed our role", "dpid", fmt.Sprintf("%016x", c.DatapathID()), "role", m.Role, "generation", m.GenerationID)
	}
}

// FlowUpdates implements channel.Events.
func (f *Fleet) FlowUpdates(c *channel.Conn, body []byte) {
	var rows []foreignRow
	whole := false
	learned := sync.OnceValue(func() func(flow.Flow) bool {
		snap, _ := f.cfg.Store.Snapshot()
		host, _, _ := view.Datapath(snap, c.DatapathID())
		return func(row flow.Flow) bool { return stands(snap, host, row) }
	})
	err := openflow.EachFlowUpdate(body, c.Version(), func(u *openflow.FlowUpdate) error {
		switch u.Event {
		case openflow.UpdateAdded, openflow.UpdateModified, openflow.UpdateRemoved:
		case openflow.UpdatePaused:
			whole = true
			return nil
		default:
			return nil
		}
		removed := u.Event == openflow.UpdateRemoved
		if removed && flow.Learned(u.Cookie) {
			return nil
		}
		fl, err := flow.FromStats(&openflow.FlowStats{Table: u.Table, Priority: u.Priority, Cookie: u.Cookie,
			IdleTimeout: u.IdleTimeout, HardTimeout: u.HardTimeout, Match: u.Match, Instructions: u.Instructions}, c.Version())
		if err != nil {
			return err
		}
		if flow.Learned(u.Cookie) && learned()(fl) {
			return nil
		}
		rows = append(rows, foreignRow{removed: removed, flow: fl})
		return nil
	})
	if err != nil {
		f.cfg.Log.Warn("flow update not understood; the bridge is compared", "dpid", fmt.Sprintf("%016x", c.DatapathID()), "err", err)
		whole = true
	}
	if len(rows) > 0 || whole {
		f.foreign(c, func(seen *foreign) {
			seen.rows = append(seen.rows, rows...)
			if whole || len(seen.rows) > maxForeign {
				seen.rows, seen.whole = nil, true
			}
		})
	}
}

func (f *Fleet) foreign(c *channel.Conn, note func(*foreign)) {
	snap, _ := f.cfg.Store.Snapshot()
	name, bridge, _ := view.Datapath(snap, c.DatapathID())
	h := f.find(name)
	if h == nil {
		return
	}
	h.post(func(in *inbox) {
		if in.foreign == nil {
			in.foreign = map[string]*foreign{}
		}
		if in.foreign[bridge] == nil {
			in.foreign[bridge] = &foreign{}
		}
		note(in.foreign[bridge])
	})
}
