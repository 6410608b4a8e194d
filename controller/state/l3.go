package state

import (
	"fmt"
	"iter"
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
)

// Router returns the router, or nil.
func (s Snapshot) Router(id string) *model.Router { return get[model.Router](s, Routers, "id", id) }

// FloatingIP returns the floating IP, or nil.
func (s Snapshot) FloatingIP(id string) *model.FloatingIP {
	return get[model.FloatingIP](s, FloatingIPs, "id", id)
}

// PortForwarding returns the port forwarding, or nil.
func (s Snapshot) PortForwarding(id string) *model.PortForwarding {
	return get[model.PortForwarding](s, PortForwardings, "id", id)
}

// RouterHost returns the router's place on the host, or nil when the distributed router is not there.
func (s Snapshot) RouterHost(router, host string) *model.RouterHost {
	return get[model.RouterHost](s, RouterHosts, "id", router+"/"+host)
}

// Schedule returns where the router's centralised part is, or nil when it is nowhere.
func (s Snapshot) Schedule(router string) *model.Schedule {
	return get[model.Schedule](s, Schedules, "id", router)
}

// SwitchFacts returns what the host's switch cannot do, or nil: it can do all as far as anybody knows.
func (s Snapshot) SwitchFacts(host string) *model.SwitchFacts {
	return get[model.SwitchFacts](s, SwitchFacts, "id", host)
}

// HostHealth returns what is known of the host's life, or nil: it is alive as far as anybody knows.
func (s Snapshot) HostHealth(host string) *model.HostHealth {
	return get[model.HostHealth](s, HostHealths, "id", host)
}

// Routers iterates over all routers in order of id; FloatingIPs and PortForwardings likewise.
func (s Snapshot) Routers() iter.Seq[*model.Router] { return all[model.Router](s, Routers, "id") }

// FloatingIPs iterates over all floating IPs.
func (s Snapshot) FloatingIPs() iter.Seq[*model.FloatingIP] {
	return all[model.FloatingIP](s, FloatingIPs, "id")
}

// PortForwardings iterates over all port forwardings.
func (s Snapshot) PortForwardings() iter.Seq[*model.PortForwarding] {
	return all[model.PortForwarding](s, PortForwardings, "id")
}

// Schedules iterates over the places of all centralised parts of routers.
func (s Snapshot) Schedules() iter.Seq[*model.Schedule] {
	return all[model.Schedule](s, Schedules, "id")
}

// RoutersByGateway iterates over the routers with a gateway on an external network.
func (s Snapshot) RoutersByGateway(network string) iter.Seq[*model.Router] {
	return all[model.Router](s, Routers, "gateway", network)
}

// RouterHostsOf iterates over the hosts that a distributed router is on.
func (s Snapshot) RouterHostsOf(router string) iter.Seq[*model.RouterHost] {
	return all[model.RouterHost](s, RouterHosts, "router", router)
}

// RouterHostsOn iterates over the distributed routers on a host.
func (s Snapshot) RouterHostsOn(host string) iter.Seq[*model.RouterHost] {
	return all[model.RouterHost](s, RouterHosts, "host", host)
}

// SchedulesOn iterates over the routers whose centralised part is on a host, or is moving there.
func (s Snapshot) SchedulesOn(host string) iter.Seq[*model.Schedule] {
	return all[model.Schedule](s, Schedules, "host", host)
}

// FloatingIPsOfRouter iterates over the floating IPs that a router serves.
func (s Snapshot) FloatingIPsOfRouter(router string) iter.Seq[*model.FloatingIP] {
	return all[model.FloatingIP](s, FloatingIPs, "router", router)
}

// FloatingIPsOfPort iterates over the floating IPs that are associated with a port.
func (s Snapshot) FloatingIPsOfPort(port string) iter.Seq[*model.FloatingIP] {
	return all[model.FloatingIP](s, FloatingIPs, "port", port)
}

// FloatingIPsOfNetwork iterates over the floating IPs of an external network.
func (s Snapshot) FloatingIPsOfNetwork(network string) iter.Seq[*model.FloatingIP] {
	return all[model.FloatingIP](s, FloatingIPs, "network", network)
}

// FloatingIPsByAddress iterates over the floating IPs with an address: one in each external network that has it.
func (s Snapshot) FloatingIPsByAddress(address netip.Addr) iter.Seq[*model.FloatingIP] {
	return all[model.FloatingIP](s, FloatingIPs, "address", address.String())
}

// FloatingIPByRule returns the floating IP whose rule in the router has that priority, or nil.
func (s Snapshot) FloatingIPByRule(router string, priority uint32) *model.FloatingIP {
	return get[model.FloatingIP](s, FloatingIPs, "rule", router, fmt.Sprint(priority))
}

// PortForwardingsOf iterates over the port forwardings of a floating IP.
func (s Snapshot) PortForwardingsOf(floatingIP string) iter.Seq[*model.PortForwarding] {
	return all[model.PortForwarding](s, PortForwardings, "floatingip", floatingIP)
}

// PortForwardingsTo iterates over the port forwardings that lead to a port of a network.
func (s Snapshot) PortForwardingsTo(port string) iter.Seq[*model.PortForwarding] {
	return all[model.PortForwarding](s, PortForwardings, "port", port)
}

// PortsOwned iterates over a network's ports of one device owner, such as model.OwnerDHCP.
func (s Snapshot) PortsOwned(network, deviceOwner string) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "netowner", network, deviceOwner)
}

// PortsAllowed iterates over a network's ports whose allowed address pairs have exactly this address.
func (s Snapshot) PortsAllowed(network, address string) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "allowed", network, address)
}

// AnyAllowed says whether some port of a network has an allowed address pair for one address.
func (s Snapshot) AnyAllowed(network string) bool {
	return s.first(Ports, "allowed", network) != nil
}

// PortsByIP iterates over a network's ports with that address. The store makes none that share one.
func (s Snapshot) PortsByIP(network string, ip netip.Addr) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "ip", network, ip.String())
}

// AnyOwned says whether a network has a port whose device owner is one of Neutron's own ("network:…"), as those of routers
// and DHCP are.
func (s Snapshot) AnyOwned(network string) bool {
	return s.beginning(Ports, "netowner", network, "network:") != nil
}

// Any says whether there is any object of a kind.
func (s Snapshot) Any(k Kind) bool { return s.Len(k) > 0 }
