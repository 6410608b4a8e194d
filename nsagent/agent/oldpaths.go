package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/nsagent/namespaces"
	"github.com/weft-sdn/weft/nsagent/unixctl"
	"github.com/weft-sdn/weft/ovsdb"
)

// purgeTimeout bounds a conversation with ovs-vswitchd.
const purgeTimeout = 2 * time.Second

// noteOldPaths notes that the switch may go on as before with what comes by old paths: tunnels of a type were made which it had none
// of, or a port has taken another's place and number.
func (a *Agent) noteOldPaths(out ovsdb.Outcome) {
	if a.cfg.DatapathType != "netdev" {
		return
	}
	made := map[string]bool{}
	for _, c := range out.Changes {
		if name, ok := strings.CutPrefix(c.Resource, "tunnel/"); ok {
			made[name] = true
		}
		if name, ok := ovsdb.Plugged(c.Resource); ok && slices.ContainsFunc(a.report.Devices, func(d namespaces.Device) bool { return d.Name == name && d.Instead != "" }) {
			a.oldPaths = max(a.oldPaths, out.Cfg)
		}
	}
	before := map[string]bool{}
	ports := out.State.Interfaces(a.cfg.TunnelBridge)
	for name, i := range ports {
		before[i.Type] = before[i.Type] || !made[name]
	}
	for name := range made {
		if i, ok := ports[name]; ok && !before[i.Type] {
			a.oldPaths = max(a.oldPaths, out.Cfg)
		}
	}
}

// forgetOldPaths makes the userspace datapath forget what it does with packets. When it has made the first tunnel of a type:
// while there was none, packets of the other end went to the host itself; Open vSwitch 3.1 can miss that they do not any more,
// and then the tunnel is deaf as long as such packets come. When a port has taken another's place, it can miss that packets are
// for the new one. Each flow costs one look at the tables; nothing is lost.
func (a *Agent) forgetOldPaths(ctx context.Context, st *ovsdb.State) {
	if a.oldPaths == 0 || !st.Applied(a.oldPaths) {
		return
	}
	a.oldPaths = 0
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	for _, command := range []string{"revalidator/wait", "revalidator/purge"} {
		if _, err := unixctl.Call(ctx, a.cfg.RunDir, "ovs-vswitchd", command); err != nil {
			a.log.Warn("a new tunnel, or a port that takes another's place, may stay deaf for some seconds", "err", err)
			return
		}
	}
}
