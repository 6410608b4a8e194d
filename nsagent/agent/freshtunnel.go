package agent

import (
	"context"
	"strings"
	"time"

	"github.com/weft-sdn/weft/nsagent/unixctl"
	"github.com/weft-sdn/weft/ovsdb"
)

// purgeTimeout bounds a conversation with ovs-vswitchd.
const purgeTimeout = 2 * time.Second

// noteFreshTunnels notes that tunnels of a type were made which the switch had none of.
func (a *Agent) noteFreshTunnels(out ovsdb.Outcome) {
	if a.cfg.DatapathType != "netdev" {
		return
	}
	made := map[string]bool{}
	for _, c := range out.Changes {
		if name, ok := strings.CutPrefix(c.Resource, "tunnel/"); ok {
			made[name] = true
		}
	}
	before := map[string]bool{}
	ports := out.State.Interfaces(a.cfg.TunnelBridge)
	for name, i := range ports {
		before[i.Type] = before[i.Type] || !made[name]
	}
	for name := range made {
		if i, ok := ports[name]; ok && !before[i.Type] {
			a.freshTunnel = max(a.freshTunnel, out.Cfg)
		}
	}
}

// forgetOldPaths makes the userspace datapath forget what it does with packets, when it has made the first tunnel of a
// type. While there was none, packets of the other end went to the host itself; Open vSwitch 3.1 can miss that
// they do not any more, and then the tunnel is deaf as long as such packets come. Each flow costs one look at
// the tables; nothing is lost.
func (a *Agent) forgetOldPaths(ctx context.Context, st *ovsdb.State) {
	if a.freshTunnel == 0 || !st.Applied(a.freshTunnel) {
		return
	}
	a.freshTunnel = 0
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	for _, command := range []string{"revalidator/wait", "revalidator/purge"} {
		if _, err := unixctl.Call(ctx, a.cfg.RunDir, "ovs-vswitchd", command); err != nil {
			a.log.Warn("a new tunnel may stay deaf for some seconds", "err", err)
			return
		}
	}
}
