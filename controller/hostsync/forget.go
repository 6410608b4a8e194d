package hostsync

import (
	"context"
	"errors"
	"fmt"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// forgetPending makes the switch forget the connections of those who had a local VLAN or an address before one that is about
// to get its rows (docs/decisions/0063).
func (b *bridge) forgetPending(ctx context.Context) error {
	if b.role != view.RoleIntegration {
		return nil
	}
	return b.forget(ctx, view.Newcomers(b.base, b.host.snap, b.host.name, b.pending))
}

// forgetGone makes the switch forget the connections of networks that have left the host, once their rows are gone.
func (b *bridge) forgetGone(ctx context.Context) error {
	if b.role != view.RoleIntegration {
		return nil
	}
	return b.forget(ctx, view.Leavers(b.base, b.host.snap, b.host.name, b.pending))
}

// forgetMissing is the same for a switch that was asked for its rows. A connection that begins is told by them alone: what
// this controller has seen, and not sent, says nothing. A port whose right to send is missing is new to the switch.
func (b *bridge) forgetMissing(ctx context.Context, groups map[view.Part]*group) error {
	if b.role != view.RoleIntegration {
		return nil
	}
	missing := view.PartSet{}
	var held []view.Stale
	for p, g := range groups {
		for _, d := range g.diffs {
			if p.Kind == view.PortPart && d.Kind == flow.Missing && d.Flow.Table == brint.BaseEgress.ID {
				missing.Add(p)
				held = append(held, view.Holds(b.host.snap, b.host.name, p.ID)...)
				break
			}
		}
	}
	if b.fresh {
		return b.forget(ctx, held)
	}
	return b.forget(ctx, view.Newcomers(b.base, b.host.snap, b.host.name, missing))
}

// forget is done when the switch has done it.
func (b *bridge) forget(ctx context.Context, stale []view.Stale) error {
	h := b.host
	var orders []openflow.Message
	for _, s := range stale {
		if !s.Address.IsValid() {
			orders = append(orders, &openflow.CTFlush{Zone: s.Zone})
			continue
		}
		orders = append(orders, &openflow.CTFlush{Zone: s.Zone, Src: s.Address}, &openflow.CTFlush{Zone: s.Zone, Dst: s.Address})
	}
	if len(orders) == 0 {
		return nil
	}
	err := b.conn.Tell(ctx, orders...)
	var refused *channel.BundleError
	if errors.As(err, &refused) {
		// Nobody is worse off than before, and nothing else works less for it.
		h.fleet.event(h.name, "ConnectionsKept", "", "%s of %s does not forget the connections of one address, which Open vSwitch can since version 3.1: %v; "+
			"answers to those of a former holder pass until they time out", b.name, h.name, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("forget connections: %w", err)
	}
	return nil
}
