package hostsync

import (
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/openflow"
)

// refusals are how many packets the rows of a bridge count that refuse what judged ports send, and what they would hear. A
// comparison sees these rows with all others, so that nobody has to ask for them.
type refusals map[string]uint64

// note is given each row of a dump.
func (r refusals) note(b *bridge, s *openflow.FlowStats) {
	if b.role != view.RoleIntegration || s.Table != brint.Refused.ID || s.Packets == openflow.Unknown || !flow.Ours(s.Cookie) {
		return
	}
	switch sent, heard := brint.Drops(); s.Priority {
	case sent.Priority:
		r[model.Egress] = s.Packets
	case heard.Priority:
		r[model.Ingress] = s.Packets
	}
}

// countRefused counts what was refused since the last comparison. A row that was added anew has begun anew, too.
func (b *bridge) countRefused(now refusals) {
	for direction, n := range now {
		since := n
		if before := b.refusals[direction]; n >= before {
			since = n - before
		}
		b.host.fleet.metrics.packets.WithLabelValues(b.host.name, direction).Add(float64(since))
	}
	b.refusals = now
}
