package replay

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"time"

	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// restore replays the saved set into a bridge that has no row of ours, unless a controller fills it.
func (b *bridge) restore(ctx context.Context, conn *channel.Conn) error {
	defer b.forget()
	if found, err := b.filled(ctx, conn); found || err != nil {
		return err
	}
	set := b.ahead
	if set == nil {
		set = b.load()
	}
	if set == nil && b.Uplink == "" {
		return nil
	}
	// What the database says of the master may be from before the crash, so it only buys time. And no time when there is
	// much to do: the controller has to make the rows first, and we have them.
	grace := b.cfg.Grace
	if set != nil && len(set.Flows) > many {
		grace = 0
	}
	for end := time.Now().Add(grace); b.cfg.Facts(b.Name).Master && time.Now().Before(end); pause(ctx, look) {
		if found, err := b.filled(ctx, conn); found || err != nil {
			return err
		}
	}
	if set == nil {
		return b.bootstrap(ctx, conn)
	}
	began := time.Now()
	now, err := b.ports(ctx, conn)
	if err != nil {
		return err
	}
	p := set.place(now)
	// Once more, and right before: a controller may have come meanwhile.
	if found, err := b.filled(ctx, conn); found || err != nil {
		return err
	}
	if err := restoreMeters(ctx, conn, set.Meters); err != nil {
		return err
	}
	n, refused, err := bundle(ctx, conn, p.ready)
	if err != nil {
		return err
	}
	b.restored = time.Now()
	b.wait(set, p.waiting, now)
	b.log.Info("flows replayed: the switch had none, and no controller spoke", "rev", set.Revision, "flows", n,
		"waiting", len(p.waiting), "refused", refused, "took", time.Since(began))
	b.notify(FlowsReplayed, "%s had no flows and no controller spoke: %d flows of revision %d were replayed, %d wait for interfaces, %d were refused",
		b.Name, n, set.Revision, len(p.waiting), refused)
	return nil
}

// forget drops what was read ahead, and gives its memory back when it was much.
func (b *bridge) forget() {
	if s := b.ahead; s != nil && len(s.Flows) > many {
		defer debug.FreeOSMemory()
	}
	b.ahead = nil
}

// wait keeps rows until the bridge has other ports than these.
func (b *bridge) wait(set *Set, rows []openflow.FlowMod, ports map[uint32]Interface) {
	b.waiting, b.waitedWith = nil, ports
	if len(rows) > 0 {
		b.waiting = &Set{Bridge: set.Bridge, Revision: set.Revision, Ports: set.Ports, Flows: rows}
	}
}

// believable is how old what the database says of masters may be: ovs-vswitchd writes it every five seconds.
const believable = 10 * time.Second

// restoreWaiting adds the rows whose interfaces have come since. Once a controller is master they are its business.
func (b *bridge) restoreWaiting(ctx context.Context, conn *channel.Conn) error {
	if b.waiting == nil {
		return nil
	}
	if b.cfg.Facts(b.Name).Master {
		if time.Since(b.restored) > believable {
			b.waiting = nil
		}
		return nil
	}
	now, err := b.ports(ctx, conn)
	if err != nil || maps.Equal(now, b.waitedWith) {
		return err
	}
	p := b.waiting.place(now)
	n, refused, err := bundle(ctx, conn, p.ready)
	if err != nil {
		return err
	}
	if n > 0 {
		b.log.Info("flows replayed to interfaces that came", "flows", n, "waiting", len(p.waiting), "refused", refused)
		b.notify(FlowsReplayed, "%s: %d more flows of revision %d were replayed, %d still wait for interfaces", b.Name, n, b.waiting.Revision, len(p.waiting))
	}
	b.wait(b.waiting, p.waiting, now)
	return nil
}

// filled says whether the bridge has a row of ours. Every pipeline has some in table 0, and that table is small.
func (b *bridge) filled(ctx context.Context, conn *channel.Conn) (bool, error) {
	table0 := openflow.AllFlows()
	table0.Table = 0
	return has(ctx, conn, table0, func(s *openflow.FlowStats) bool { return flow.Ours(s.Cookie) })
}

var errFound = errors.New("found")

// has says whether any of the rows is as asked for.
func has(ctx context.Context, conn *channel.Conn, rows openflow.FlowStatsRequest, is func(*openflow.FlowStats) bool) (bool, error) {
	err := conn.DumpFlows(ctx, rows, func(s *openflow.FlowStats) error {
		if is(s) {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// bundle adds rows at one moment. A row that the switch refuses is left out, and the rest goes in.
func bundle(ctx context.Context, conn *channel.Conn, mods []openflow.FlowMod) (n, refused int, err error) {
	for {
		err := conn.Bundle(ctx, mods)
		var be *channel.BundleError
		if !errors.As(err, &be) || len(be.Errors) == 0 {
			return len(mods), refused, err
		}
		bad := map[int]bool{}
		for _, e := range be.Errors {
			bad[e.Index] = true
		}
		refused += len(bad)
		var rest []openflow.FlowMod
		for i := range mods {
			if !bad[i] {
				rest = append(rest, mods[i])
			}
		}
		mods = rest
	}
}

// bootstrap makes the bridge of a physical network a plain switch, when it has no row at all. The first controller that
// comes puts its own rows in the place of these.
func (b *bridge) bootstrap(ctx context.Context, conn *channel.Conn) error {
	if found, err := has(ctx, conn, openflow.AllFlows(), func(*openflow.FlowStats) bool { return true }); found || err != nil {
		return err
	}
	now, err := b.ports(ctx, conn)
	if err != nil {
		return err
	}
	for number, i := range now {
		if i.Name != b.Uplink {
			continue
		}
		cookie := flow.PlainSwitch
		rows := []openflow.FlowMod{
			add(flow.Flow{Priority: 2, Cookie: cookie, Match: openflow.Match{openflow.U32(openflow.InPort, number)}}),
			add(flow.Flow{Priority: 0, Cookie: cookie, Actions: []openflow.Action{openflow.Output{Port: openflow.PortNormal}}}),
		}
		if err := conn.Bundle(ctx, rows); err != nil {
			return err
		}
		b.notify(FlowsReplayed, "%s had no flows, none were saved and no controller spoke: it forwards as a plain switch, without %s", b.Name, b.Uplink)
		return nil
	}
	return errors.New("no flows were saved, and the patch port " + b.Uplink + " is not there yet")
}
