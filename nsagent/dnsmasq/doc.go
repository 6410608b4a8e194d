// Package dnsmasq runs the DHCP servers of networks: one dnsmasq in each network's namespace.
//
// Ensure is told what the server of a network must give out, and writes dnsmasq's files; how servers are started, made to read
// them again, found and ended is package daemon's.
//
// Only ports that Ensure was told of are served, each with its own address. An address that was given to a port which
// has gone is released at once, so that the next port can have it.
//
// Subnets are of IPv4 and of IPv6. Those of IPv6 are served by DHCPv6: ports of a stateful subnet get their address, one of each
// subnet, and those of a stateless one name servers and domain only. Routers advertise themselves; dnsmasq advertises nothing.
//
// A lease of an IPv6 address is a machine's by its DUID and IAID. dnsmasq gives the address to no other before the lease ends, even
// when it is the same port's, and lets any port rebind an address of another. So the agent hears what machines solicit, from Ensure
// to Stop or Close, and releases leases that others have of the addresses of the port whose MAC a Solicit is from: a machine that was
// installed anew has its address with its second Solicit. As long as no agent runs it is refused.
//
// What people choose – names, domains, options – is held to what a line of dnsmasq's files can carry; what could
// be taken for anything else is refused, and the rest of the network is served all the same.
package dnsmasq
