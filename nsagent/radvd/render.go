package radvd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Times in seconds.
const (
	// minInterval and maxInterval bound the time between two advertisements that nobody asked for (Neutron's min_rtr_adv_interval
	// and max_rtr_adv_interval).
	minInterval, maxInterval = 30, 100
	// dnsLifetime is how long machines know name servers: one advertisement may be lost, which it may not with radvd's default. Of
	// longer times radvd warns.
	dnsLifetime = 2 * maxInterval
	// maxServers is how many name servers radvd takes in one RDNSS section.
	maxServers = 3
)

// render writes the configuration file, in the words of Neutron's (neutron.agent.linux.ra).
func render(a plan.Advertiser) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, d := range a.Devices {
		line("interface %s\n{", d.Name)
		line("   AdvSendAdvert on;")
		line("   MinRtrAdvInterval %d;", minInterval)
		line("   MaxRtrAdvInterval %d;", maxInterval)
		line("   AdvLinkMTU %d;", d.MTU)
		if !d.DefaultRouter {
			line("   AdvDefaultLifetime 0;")
		}
		if d.Managed {
			line("   AdvManagedFlag on;")
		}
		if d.OtherConfig {
			line("   AdvOtherConfigFlag on;")
		}
		for servers := range slices.Chunk(d.DNS, maxServers) {
			texts := make([]string, 0, maxServers)
			for _, s := range servers {
				texts = append(texts, address(s))
			}
			line("   RDNSS %s\n   {\n      AdvRDNSSLifetime %d;\n   };", strings.Join(texts, " "), dnsLifetime)
		}
		for _, p := range d.Prefixes {
			autonomous := "off"
			if p.Autonomous {
				autonomous = "on"
			}
			line("   prefix %s/%d\n   {\n      AdvOnLink on;\n      AdvAutonomous %s;\n   };", address(p.Prefix.Addr()), p.Prefix.Bits(), autonomous)
		}
		line("};")
	}
	return b.String()
}

// address is an address in a form that radvd's scanner knows: it takes none that begins with "::".
func address(a netip.Addr) string {
	if s := a.String(); !strings.HasPrefix(s, "::") {
		return s
	}
	return a.StringExpanded()
}
