// Package trace follows a packet from a port to where it ends, over hosts, bridges and namespaces. It asks each host what its
// switch and its kernel do with the packet, as they are now, and puts the answers together; of the desired state it takes only who
// is who, and what cannot be asked: how iptables translates addresses, and what firewall bridges let through.
//
// It sends no packet. What it says is true of one that begins a conversation (the connection tracker says +trk+new), at the
// moment of the question; what a switch would learn from the packet itself it does not learn.
//
// Where it cannot follow a packet it says so, and where, and why. It does not guess.
package trace
