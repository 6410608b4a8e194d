package dnsmasq

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/nsagent/daemon"
	"github.com/weft-sdn/weft/nsagent/plan"
)

// A lease of an IPv6 address names its machine by a DUID, which has nothing to do with the port's MAC. dnsmasq gives the
// address to no other DUID as long as the lease lasts. To know that a lease is that of a port which had the address before,
// the ports' addresses are noted when all leases are in order.

// holder is how a port is noted.
func holder(h plan.ServerHost) string { return h.PortID + " " + h.MAC }

// holders are the ports by their IPv6 addresses, as noted.
func holders(dir string) map[netip.Addr]string {
	out := map[netip.Addr]string{}
	for line := range strings.Lines(daemon.Read(dir, holderFile)) {
		address, who, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if ip, err := netip.ParseAddr(address); ok && err == nil {
			out[ip] = who
		}
	}
	return out
}

// writeHolders notes the ports.
func writeHolders(dir string, s plan.Server) error {
	var lines []string
	for ip, h := range owners(s) {
		if ip.Is6() {
			lines = append(lines, fmt.Sprintf("%s %s\n", ip, holder(h)))
		}
	}
	if len(lines) == 0 && daemon.Read(dir, holderFile) == "" {
		return nil
	}
	slices.Sort(lines)
	_, err := daemon.Write(dir, holderFile, strings.Join(lines, ""))
	return err
}
