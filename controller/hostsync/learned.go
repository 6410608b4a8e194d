package hostsync

import (
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brtun"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// stands says whether a row that a bridge of a host has learned is one that it may have.
func stands(s state.Snapshot, host string, row flow.Flow) bool {
	h, ok := view.ForHost(s, host)
	if !ok {
		return false
	}
	for _, p := range partsOf(s, host, row.Cookie) {
		if n, ok := view.ForNetwork(s, h, p.ID); ok && brtun.Stands(h, n, row) {
			return true
		}
	}
	return false
}

// toleratesRow says whether a row of a dump that nobody wants may stay.
func (b *bridge) toleratesRow(s *openflow.FlowStats) bool {
	if !flow.Learned(s.Cookie) {
		return b.tolerates(s.Cookie) != ""
	}
	f, err := flow.FromStats(s, b.conn.Version())
	return err == nil && stands(b.host.snap, b.host.name, f)
}
