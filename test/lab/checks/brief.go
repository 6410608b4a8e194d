package checks

import "slices"

// brief are the names of Brief.
var brief = []string{
	"same network, two hosts, VXLAN",
	"ARP and ND are answered on the host",
	"tenants with overlapping subnets",
	"distributed: east-west by VXLAN",
	"distributed: floating IP and the world",
	"distributed: VIP of two VMs moves",
	"distributed: floating IP removed cuts",
	"distributed: rebuilt from disk, no controller",
	"served: leases by udhcpc and dhclient",
	"served: metadata",
	"IPv6: addresses by SLAAC",
	"IPv6: addresses by DHCPv6",
	"security groups by remote group",
	"connections that are forbidden are cut",
	"a hostile machine",
	"a hostile machine, bridge",
	"a host moves to firewall bridges and back",
	"packet rate limit, and DSCP marks",
	"controller killed under traffic",
	"ovs-vswitchd killed under traffic",
}

// Brief lists some of All, in their order: what a newcomer would like to see, in some minutes less.
func Brief() []Check {
	return slices.DeleteFunc(All(), func(c Check) bool { return !slices.Contains(brief, c.Name) })
}
