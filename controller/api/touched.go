package api

import (
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
)

// touchedBy finds the objects that changes concern, and of each whether it is new or only different.
func touchedBy(s state.Snapshot, changes []state.Change) map[ident]string {
	touched := map[ident]string{}
	touch := func(k state.Kind, id string) {
		if id != "" && touched[ident{k, id}] == "" {
			touched[ident{k, id}] = eventModified
		}
	}
	for _, c := range changes {
		for _, side := range []any{c.Old, c.New} {
			switch o := side.(type) {
			case *model.Network:
				touch(state.Networks, o.ID)
				if old, ok := c.Old.(*model.Network); ok && old.AdminStateUp != o.AdminStateUp {
					for p := range s.PortsOf(o.ID) {
						touch(state.Ports, p.ID)
					}
				}
				if old, ok := c.Old.(*model.Network); ok && old.Name != o.Name {
					touchRoutersOn(s, o.ID, touch) // they name it when its DHCP failed
				}
				if before, after := networkPolicies(c); before != after {
					touchPolicy(o.QoSPolicyID, touch)
					touchPorts(s, o.ID, touch)
				}
			case *model.Subnet:
				touch(state.Subnets, o.ID)
				touch(state.Networks, o.NetworkID) // its DHCP
			case *model.Port:
				touch(state.Ports, o.ID)
				touchUsers(s, o, touch)
				touchGroups(o, c, touch)
				if before, after := portPolicies(c); before != after {
					touchPolicy(o.QoSPolicyID, touch)
				}
				touch(state.Hosts, o.BindingHostID) // its DHCP servers
				// Those with the same MAC are, or are no longer, ambiguous.
				for p := range s.PortsByAttachedMAC(o.MAC) {
					touch(state.Ports, p.ID)
				}
			case *model.Host:
				touchHost(s, o.ID, touch)
			case *model.HostFacts:
				touchHost(s, o.Host, touch)
			case *model.HostHealth:
				touchHost(s, o.Host, touch)
			case *model.SwitchFacts:
				for b := range s.BindingsOn(o.Host) {
					touch(state.Ports, b.PortID)
				}
			case *model.LocalVLAN:
				touch(state.Networks, o.NetworkID)
				touchRouters(s, o.NetworkID, "", touch)
			case *model.Binding:
				touchPort(s, o.PortID, touch)
				touch(state.Hosts, o.Host)
				touchRouters(s, o.NetworkID, o.Host, touch)
			case *model.PortState:
				touchPort(s, o.PortID, touch)
			case *model.Interface:
				touch(state.Hosts, o.Host)
				touchClaimed(s, o, touch)
			case *model.Router:
				touchRouter(s, o.ID, touch)
			case *model.RouterHost:
				touchRouter(s, o.RouterID, touch)
				touch(state.Hosts, o.Host) // its unbound interfaces
			case *model.Schedule:
				touchRouter(s, o.RouterID, touch)
				touch(state.Hosts, o.Host)
			case *model.FloatingIP:
				touchFloatingIP(s, o.ID, touch)
			case *model.PortForwarding:
				touch(state.PortForwardings, o.ID)
				touch(state.FloatingIPs, o.FloatingIPID)
			case *model.SecurityGroup:
				touch(state.SecurityGroups, o.ID)
			case *model.SecurityGroupRule:
				touch(state.SecurityGroupRules, o.ID)
				touch(state.SecurityGroups, o.SecurityGroupID)
			case *model.AddressGroup:
				touch(state.AddressGroups, o.ID)
			case *model.QoSPolicy:
				touch(state.QoSPolicies, o.ID)
				for p := range s.PortsWithQoS(o.ID) {
					touch(state.Ports, p.ID)
				}
				for n := range s.NetworksWithQoS(o.ID) {
					touchPorts(s, n.ID, touch)
				}
			}
		}
		if c.Old == nil && slices.Contains(kinds, c.Kind) {
			touched[ident{c.Kind, c.Key}] = eventAdded
		}
	}
	return touched
}

// touchGroups touches the security groups of a port, whose status counts their ports, when it has got or lost some.
func touchGroups(p *model.Port, c state.Change, touch func(state.Kind, string)) {
	before, _ := c.Old.(*model.Port)
	after, _ := c.New.(*model.Port)
	if before != nil && after != nil && slices.Equal(before.SecurityGroups, after.SecurityGroups) {
		return
	}
	for _, id := range p.SecurityGroups {
		touch(state.SecurityGroups, id)
	}
}

// touchHost also touches the networks that the host carries, whose ways begin and end there, and the ports that
// interfaces on it claim, which are not bound before the host has reported.
func touchHost(s state.Snapshot, host string, touch func(state.Kind, string)) {
	touch(state.Hosts, host)
	for v := range s.LocalVLANsOn(host) {
		touch(state.Networks, v.NetworkID)
	}
	for i := range s.InterfacesOf(host) {
		touchClaimed(s, i, touch)
	}
	for rh := range s.RouterHostsOn(host) {
		touchRouter(s, rh.RouterID, touch)
	}
	for at := range s.SchedulesOn(host) {
		touchRouter(s, at.RouterID, touch)
	}
	for p := range s.PortsWantedOn(host) {
		touchUsers(s, p, touch)
	}
	// What has no host may be told another reason now.
	for r := range s.Routers() {
		if s.Centralised(r) && s.Schedule(r.ID) == nil {
			touchRouter(s, r.ID, touch)
		}
	}
	for n := range s.Networks() {
		if wantsDHCP(s, n) && !hasDHCP(s, n) {
			touch(state.Networks, n.ID)
		}
	}
}

func hasDHCP(s state.Snapshot, n *model.Network) bool {
	for range s.PortsOwned(n.ID, model.OwnerDHCP) {
		return true
	}
	return false
}

// touchClaimed touches the ports that an interface may carry, or could but for some obstacle.
func touchClaimed(s state.Snapshot, i *model.Interface, touch func(state.Kind, string)) {
	touchPort(s, i.IfaceID, touch)
	if mac, err := model.ParseMAC(i.AttachedMAC); err == nil {
		for p := range s.PortsByAttachedMAC(mac) {
			touch(state.Ports, p.ID)
		}
	}
}

// touchPort touches a port and those whose status depends on how it is.
func touchPort(s state.Snapshot, id string, touch func(state.Kind, string)) {
	touch(state.Ports, id)
	if p := s.Port(id); p != nil {
		touchUsers(s, p, touch)
	}
}

// touchUsers touches those whose status depends on how a port is: its floating IPs, and what it is a device of.
func touchUsers(s state.Snapshot, p *model.Port, touch func(state.Kind, string)) {
	for f := range s.FloatingIPsOfPort(p.ID) {
		touch(state.FloatingIPs, f.ID)
	}
	switch p.DeviceOwner {
	case model.OwnerRouterInterface, model.OwnerDistributedInterface, model.OwnerRouterGateway, model.OwnerCentralizedSNAT:
		touchRouter(s, p.DeviceID, touch)
	case model.OwnerDHCP:
		touch(state.Networks, p.NetworkID)
		touchRoutersOn(s, p.NetworkID, touch)
	case model.OwnerFIPGateway:
		for f := range s.FloatingIPsOfNetwork(p.NetworkID) {
			if view.FIPHost(s, f) == p.DeviceID {
				touch(state.FloatingIPs, f.ID)
			}
		}
	}
}

// touchRouter touches a router, its ports, and what it serves.
func touchRouter(s state.Snapshot, id string, touch func(state.Kind, string)) {
	touch(state.Routers, id)
	if r := s.Router(id); r != nil {
		for _, i := range r.Interfaces {
			touch(state.Ports, i.PortID)
		}
	}
	for f := range s.FloatingIPsOfRouter(id) {
		touchFloatingIP(s, f.ID, touch)
	}
}

// touchRouters touches the distributed routers of a network; when a host is given, those only that are not there.
func touchRouters(s state.Snapshot, network, host string, touch func(state.Kind, string)) {
	for p := range s.PortsOwned(network, model.OwnerDistributedInterface) {
		if host == "" || s.RouterHost(p.DeviceID, host) == nil {
			touch(state.Routers, p.DeviceID)
		}
	}
}

// touchRoutersOn touches the routers with an interface on a network, who tell when its DHCP failed.
func touchRoutersOn(s state.Snapshot, network string, touch func(state.Kind, string)) {
	for _, owner := range []string{model.OwnerRouterInterface, model.OwnerDistributedInterface} {
		for p := range s.PortsOwned(network, owner) {
			touch(state.Routers, p.DeviceID)
		}
	}
}

// touchFloatingIP touches a floating IP and its port forwardings.
func touchFloatingIP(s state.Snapshot, id string, touch func(state.Kind, string)) {
	touch(state.FloatingIPs, id)
	for pf := range s.PortForwardingsOf(id) {
		touch(state.PortForwardings, pf.ID)
	}
}

// portPolicies and networkPolicies are the QoS policies that a port, or a network, named and names.
func portPolicies(c state.Change) (before, after string) {
	if o, _ := c.Old.(*model.Port); o != nil {
		before = o.QoSPolicyID
	}
	if n, _ := c.New.(*model.Port); n != nil {
		after = n.QoSPolicyID
	}
	return before, after
}

func networkPolicies(c state.Change) (before, after string) {
	if o, _ := c.Old.(*model.Network); o != nil {
		before = o.QoSPolicyID
	}
	if n, _ := c.New.(*model.Network); n != nil {
		after = n.QoSPolicyID
	}
	return before, after
}

// touchPolicy touches a QoS policy, whose status counts who names it.
func touchPolicy(policy string, touch func(state.Kind, string)) {
	if policy != "" {
		touch(state.QoSPolicies, policy)
	}
}

// touchPorts touches the bound ports of a network, whose status tells whether the network's QoS policy is in force.
func touchPorts(s state.Snapshot, network string, touch func(state.Kind, string)) {
	for b := range s.BindingsOf(network) {
		touch(state.Ports, b.PortID)
	}
}
