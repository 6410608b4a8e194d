// Package kernel observes and changes network namespaces: links, addresses, routes, rules, neighbours, sysctls, iptables
// and conntrack. It knows what a plan.Step means and nothing of why.
//
// Namespaces are persistent: mounted in /run/netns, as "ip netns add" does, so that "ip netns exec" works and nothing is
// lost when the agent ends. A name that stands for something else is refused. Every step may be done twice.
package kernel
