package dnsmasq

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// subnet6 is the served subnet that an IPv6 address is of.
func subnet6(s plan.Server, ip netip.Addr) (n plan.ServerSubnet, ok bool) {
	i := slices.IndexFunc(s.Subnets, func(n plan.ServerSubnet) bool { return ip.Is6() && n.CIDR.Contains(ip) })
	if i < 0 {
		return n, false
	}
	return s.Subnets[i], true
}

// leased says whether an address is one that the server gives out.
func leased(s plan.Server, ip netip.Addr) bool {
	n, ok := subnet6(s, ip)
	return ip.Is4() || ok && !n.Stateless
}

// hostLines are the lines of a port in the hosts file: one for each IPv4 address, and one for all that DHCPv6 gives out, since
// dnsmasq looks at one line only when a machine asks: the last that has an address of the subnet, or none at all.
func hostLines(s plan.Server, h plan.ServerHost, name string) (lines []string) {
	var v6 string
	stateless := false
	for _, a := range h.Addresses {
		if n, ok := subnet6(s, a.IP); ok && n.Stateless {
			stateless = true
		} else if ok {
			// Of several addresses of a subnet dnsmasq gives out the last that it reads.
			v6 = fmt.Sprintf(",[%s]%s", a.IP, v6)
		}
	}
	if stateless && v6 == "" {
		// That makes the machine known, and no more. It must come first, or it would be the line for IPv4, too. With a name it
		// would get the address of that name in addn_hosts.
		lines = append(lines, h.MAC)
	}
	for _, a := range h.Addresses {
		if a.IP.Is4() {
			// An own line with the name and no IPv4 address would get the one of the name, and dnsmasq complain of two lines for it.
			lines = append(lines, fmt.Sprintf("%s,%s,%s%s", h.MAC, name, a.IP, v6))
			v6 = ""
		}
	}
	if v6 != "" {
		lines = append(lines, h.MAC+","+name+v6)
	}
	return lines
}

// addnLine is the line of an address in addn_hosts, "" when it has none.
func addnLine(s plan.Server, h plan.ServerHost, name string, ip netip.Addr) string {
	_, served := subnet6(s, ip)
	switch {
	case ip.Is4() && s.Domain != "":
		return fmt.Sprintf("%s\t%s %s", ip, name, h.Hostname)
	// A line of the hosts file that has no IPv6 address gets the one that addn_hosts has for its name, without domain. Machines
	// of stateless subnets would be given theirs.
	case ip.Is4(), served && s.Domain != "", leased(s, ip):
		return fmt.Sprintf("%s\t%s", ip, name)
	}
	return ""
}

// subnetOptions6 are the options of an IPv6 subnet. As with IPv4, one without a value keeps dnsmasq from naming itself.
func subnetOptions6(n plan.ServerSubnet, domain string) (lines []string) {
	var dns string
	for _, a := range n.DNS {
		if a.Is6() && !n.NoDNS {
			dns += fmt.Sprintf(",[%s]", a)
		}
	}
	if dns != "" || n.NoDNS || len(n.DNS) > 0 {
		lines = append(lines, "option6:dns-server"+dns)
	}
	if domain != "" {
		lines = append(lines, "option6:domain-search,"+domain)
	}
	return lines
}

// statelessOptions are for machines that ask for nothing but options, when there are several IPv6 subnets: dnsmasq does not know
// then which they are of, and sets no tag. They are told the name servers of all stateless subnets.
func statelessOptions(s plan.Server) []string {
	count := 0
	all := plan.ServerSubnet{}
	for _, n := range s.Subnets {
		if !n.CIDR.Addr().Is6() {
			continue
		}
		count++
		if !n.Stateless {
			continue
		}
		all.Stateless = true
		all.NoDNS = all.NoDNS || n.NoDNS
		for _, a := range n.DNS {
			if !n.NoDNS && !slices.Contains(all.DNS, a) {
				all.DNS = append(all.DNS, a)
			}
		}
	}
	if count < 2 || !all.Stateless {
		return nil
	}
	all.NoDNS = all.NoDNS && len(all.DNS) == 0
	return subnetOptions6(all, s.Domain)
}
