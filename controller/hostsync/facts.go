package hostsync

import (
	"context"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
)

// Facts keeps what agents report in the store, as agentconn asks.
type Facts struct{ Store *store.Store }

// ReportHost implements agentconn.Facts. A host that nobody made before registers itself.
func (f Facts) ReportHost(ctx context.Context, facts *model.HostFacts) error {
	_, err := f.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.EnsureHost(facts.Host); err != nil {
			return err
		}
		now := *facts
		if old := tx.HostFacts(facts.Host); now.Ports == nil && old != nil {
			now.Ports, now.OVSVersion = old.Ports, old.OVSVersion // the database of the switch is told of later
		}
		return tx.ReportHost(&now)
	})
	return err
}

// ReportInterfaces implements agentconn.Facts.
func (f Facts) ReportInterfaces(ctx context.Context, host string, full bool, upserts []model.Interface, removed []string) error {
	_, err := f.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.ReportInterfaces(host, full, upserts, removed)
	})
	return err
}
