// Package dnsmasq runs the DHCP servers of networks: one dnsmasq in each network's namespace.
//
// Ensure is told what the server of a network must give out, and writes dnsmasq's files; how servers are started, made to read
// them again, found and ended is package daemon's.
//
// Only ports that Ensure was told of are served, each with its own address. An address that was given to a port which
// has gone is released at once, so that the next port can have it.
//
// What people choose – names, domains, options – is held to what a line of dnsmasq's files can carry; what could
// be taken for anything else is refused, and the rest of the network is served all the same.
package dnsmasq
