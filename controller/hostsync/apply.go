package hostsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// group is what has to change for one part. Parts succeed and fail as wholes.
type group struct {
	part  view.Part
	diffs []flow.Difference
	// extra are flow-mods that no difference of wanted rows stands for.
	extra []openflow.FlowMod
}

func ordered(groups map[view.Part]*group) []*group {
	parts := slices.SortedFunc(maps.Keys(groups), view.Part.Compare)
	out := make([]*group, len(parts))
	for i, p := range parts {
		out[i] = groups[p]
	}
	return out
}

// handOver drops the removal of a row that another part adds: the row changes hands, and the removal would win.
func handOver(c *flow.Coder, groups map[view.Part]*group) {
	kept := map[flow.Key]bool{}
	removals := false
	for _, g := range groups {
		for i := range g.diffs {
			if g.diffs[i].Kind == flow.Foreign {
				removals = true
				continue
			}
			k, _ := c.Encode(&g.diffs[i].Flow)
			kept[k] = true
		}
	}
	if !removals {
		return
	}
	for _, g := range groups {
		g.diffs = slices.DeleteFunc(g.diffs, func(d flow.Difference) bool {
			k, _ := c.Encode(&d.Flow)
			return d.Kind == flow.Foreign && kept[k]
		})
	}
}

// forgetLearned removes what the switch learned to send to a tunnel that is gone: no row may name a port that does not
// exist, and the number may be given to another.
func (b *bridge) forgetLearned(groups map[view.Part]*group) {
	for p := range b.pending {
		if p.Kind != view.TunnelPart {
			continue
		}
		before, after := b.tunnelPort(p, false), b.tunnelPort(p, true)
		if before == 0 || before == after {
			continue
		}
		if groups[p] == nil {
			groups[p] = &group{part: p}
		}
		cookie, mask := flow.LearnedCookies()
		groups[p].extra = append(groups[p].extra, openflow.FlowMod{Command: openflow.FlowDelete, Table: openflow.AllTables,
			Cookie: cookie, CookieMask: mask, BufferID: openflow.NoBuffer, OutPort: before, OutGroup: openflow.GroupAny})
	}
}

func (b *bridge) tunnelPort(p view.Part, now bool) uint32 {
	s := b.base
	if now {
		s = b.host.snap
	}
	if h, ok := view.ForHost(s, b.host.name); ok {
		if t, ok := view.ForTunnel(s, h, p.ID); ok {
			return t.OFPort
		}
	}
	return 0
}

// apply makes the groups true in one atomic bundle. When the switch refuses it, nothing has changed: the groups to
// blame are tried by themselves, so that one bad object keeps no other waiting. The error is about the connection.
func (b *bridge) apply(ctx context.Context, groups []*group) error {
	var mods []openflow.FlowMod
	var from []int // index of the mod → index of its group
	for i, g := range groups {
		for _, d := range g.diffs {
			mods = append(mods, d.FlowMod())
			from = append(from, i)
		}
		for _, m := range g.extra {
			mods = append(mods, m)
			from = append(from, i)
		}
	}
	if len(mods) == 0 {
		return nil
	}
	err := b.conn.Bundle(ctx, mods)
	if err == nil {
		b.count(groups, len(mods))
		return nil
	}
	var refused *channel.BundleError
	if !errors.As(err, &refused) {
		return fmt.Errorf("bundle of %d flow-mods: %w", len(mods), err)
	}
	if len(groups) == 1 {
		b.fail(groups[0], refused)
		return nil
	}
	blamed := map[int]bool{}
	for _, e := range refused.Errors {
		if e.Index >= 0 && e.Index < len(from) {
			blamed[from[e.Index]] = true
		}
	}
	var good, bad []*group
	for i, g := range groups {
		if blamed[i] {
			bad = append(bad, g)
		} else {
			good = append(good, g)
		}
	}
	if len(bad) == 0 || len(good) == 0 {
		good, bad = groups[:len(groups)/2], groups[len(groups)/2:]
	}
	if err := b.apply(ctx, good); err != nil {
		return err
	}
	return b.apply(ctx, bad)
}

// count keeps the books after a bundle was committed.
func (b *bridge) count(groups []*group, mods int) {
	for _, g := range groups {
		delete(b.failed, g.part)
		for _, d := range g.diffs {
			switch d.Kind {
			case flow.Missing:
				b.rows++
			case flow.Foreign:
				b.rows--
			}
		}
	}
	b.host.fleet.metrics.flowMods.WithLabelValues(b.host.name, b.name).Add(float64(mods))
}

func (b *bridge) fail(g *group, err *channel.BundleError) {
	reason := err.Error()
	if b.failed[g.part] != reason {
		b.host.fleet.event(b.host.name, "FlowsRefused", g.part.String(), "%s of %s refuses the rows of %v: %v", b.name, b.host.name, g.part, err)
	}
	b.failed[g.part] = reason
	b.host.fleet.metrics.refused.WithLabelValues(b.host.name, b.name).Inc()
}

// settlePorts tells the store which of the host's ports now are as they should be, and which cannot be.
func (h *host) settlePorts(in inbox) {
	if in.all || len(in.conns) > 0 || slices.ContainsFunc(in.sessions, func(e sessionEvent) bool {
		// A failure may have come or gone; an acknowledgement concerns ports that are on the list already.
		return e.kind != sessionAcked || len(e.failed) > 0
	}) {
		for bd := range h.snap.BindingsOn(h.name) {
			h.unsettled[bd.PortID] = true
		}
	}
	for p := range in.parts {
		if p.Kind == view.PortPart {
			h.unsettled[p.ID] = true
		}
	}
	h.behind = false
	for id := range h.unsettled {
		st, done := h.portState(id)
		if !done {
			continue
		}
		if st != nil {
			select {
			case h.fleet.states <- *st:
			default:
				h.behind = true // the store is; the port stays on the list
				continue
			}
		}
		delete(h.unsettled, id)
	}
}

// portState judges a port: done when its state is certain, with the state to write if that is news.
func (h *host) portState(id string) (st *model.PortState, done bool) {
	bd := h.snap.Binding(id)
	if bd == nil || bd.Host != h.name {
		return nil, true
	}
	st = &model.PortState{PortID: id, Host: h.name, Status: model.PortActive, Revision: h.rev}
	part := view.Part{Kind: view.PortPart, ID: id}
	for _, b := range h.bridges {
		if reason, bad := b.failed[part]; bad {
			st.Status, st.Reason, st.Message = model.PortError, "FlowsRefused", b.name+": "+reason
		}
		if _, waits := b.pending[part]; waits || b.conn == nil || b.fresh || b.all {
			return nil, false
		}
	}
	for _, resource := range []string{"port/" + id, firewallName(id)} {
		if resource != "port/"+id && h.agent.wanted[resource] == nil {
			continue // br-int judges it, or nobody
		}
		if f := h.agent.failure(resource); f != nil {
			st.Status, st.Reason, st.Message = model.PortError, f.Reason, f.Message
			break
		}
		if !h.agent.has(resource) {
			return nil, false
		}
	}
	if old := h.snap.PortState(id); old != nil && old.Host == h.name && old.Status == st.Status && old.Reason == st.Reason {
		return nil, true
	}
	return st, true
}
