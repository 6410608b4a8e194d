// Package view cuts out of a snapshot what one host must know, and says which hosts a change concerns.
//
// What a host must know comes in parts, each of which becomes rows of its bridges and resources of its agent:
// the host itself, each tunnel, each network that it carries, each port of such a network, and what its namespaces are made
// of: routers, external networks, floating IPs, port forwardings, DHCP servers, and the ports that these must know. A part is
// looked up in the snapshot by itself and costs what it holds, so that the cost of a change follows the change: Affected
// names the parts of each host that a change may have altered, and nobody looks at the others. Looking at all Parts is the
// definition; looking at the affected ones is the optimisation, and a test holds the two equal.
//
// The package is pure. It decides nothing that can be taken: every allocation is in the snapshot already. It never
// names a port whose OpenFlow number the host has not reported.
package view
