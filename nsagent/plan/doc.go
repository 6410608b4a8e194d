// Package plan says what must be in the network namespaces of a host, and by which steps what is there becomes that.
//
// It is pure: resources of the node protocol go in, links, addresses, routes, rules, neighbours, sysctls, iptables
// rules, DHCP servers and metadata listeners come out, and the difference between two such states is a list of steps,
// adds before deletes.
package plan
