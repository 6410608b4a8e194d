// Package policy says what security groups and port security mean: whether a packet from one address to another is
// allowed, and by which rule. It knows no flows and no hosts; the tables of br-int and the chains of a firewall bridge
// must come to the same.
//
// What it does not say: whether the packet would get there at all (routers, networks that are down), and what becomes of
// a fragment, which is the packet's that it belongs to.
package policy
