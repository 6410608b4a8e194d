package view

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Affected names, for each host, the parts that may differ between two snapshots, given all the changes between them.
// A part that is in neither snapshot's view any more is named too: it now comes to nothing.
//
// The cost follows the change. A port costs the hosts that carry its network, or have a namespace that knows it; a host
// that begins or ceases to carry a network costs the hosts that carry it and the ports of that network; an address or a
// port number of a tunnel costs what uses the tunnel; a router costs its hosts, and the ports of a network only when it
// joins or leaves that. An address that joins a security group costs the hosts with rules that name the group, one part
// each; a rule costs the hosts with ports that have its group. States of ports and the health of hosts, which no host
// looks at, cost nothing.
func Affected(before, after state.Snapshot, changes []state.Change) map[string]PartSet {
	a := affected{before: before, after: after, hosts: map[string]PartSet{}}
	var touched, ports set
	for _, c := range changes {
		a.security(c)
		a.policy(c)
		switch c.Kind {
		case state.Hosts, state.HostFacts, state.SwitchFacts:
			touched.add(c.Key)
		case state.Networks:
			a.network(sides[model.Network](c))
			a.networkOfNamespaces(sides[model.Network](c))
		case state.Ports:
			o, n := sides[model.Port](c)
			if portChanged(o, n) {
				ports.add(c.Key)
			}
			a.portOfNamespaces(o, n, &ports)
		case state.Bindings:
			o, n := sides[model.Binding](c)
			if moved(o, n) {
				ports.add(c.Key)
				a.boundOfNamespaces(o, n)
			} else {
				a.rebound(o, n)
			}
		case state.LocalVLANs:
			o, n := sides[model.LocalVLAN](c)
			a.localVLAN(o, n)
			a.localVLANOfNamespaces(o, n)
		default:
			a.changeOfNamespaces(c)
		}
	}
	for id := range ports {
		a.port(id)
	}
	for h := range touched {
		a.host(h)
		a.hostOfNamespaces(h)
	}
	a.resolveNamespaces()
	a.resolveSecurity()
	return a.hosts
}

// sides is a change's object before and after; nil where there is none.
func sides[T any](c state.Change) (before, after *T) {
	before, _ = c.Old.(*T)
	after, _ = c.New.(*T)
	return before, after
}

type affected struct {
	before, after state.Snapshot
	hosts         map[string]PartSet
	namespaces    namespaces
	sec           securityChange
}

func (a *affected) add(host string, k PartKind, id string) {
	ps := a.hosts[host]
	if ps == nil {
		ps = PartSet{}
		a.hosts[host] = ps
	}
	ps.Add(Part{k, id})
}

// snapshots yields both sides: what was there must go, what is there must come.
func (a *affected) snapshots() iter.Seq[state.Snapshot] {
	return slices.Values([]state.Snapshot{a.before, a.after})
}

func (a *affected) network(o, n *model.Network) {
	if o != nil && n != nil && o.MTU != n.MTU {
		a.networkMTU(n.ID)
	}
	same := o != nil && n != nil && o.Type == n.Type && o.L2Population == n.L2Population
	if same && o.PhysicalNetwork == n.PhysicalNetwork && o.SegmentID == n.SegmentID && o.AdminStateUp == n.AdminStateUp {
		return
	}
	id := ""
	if o != nil {
		id = o.ID
	} else {
		id = n.ID
	}
	for s := range a.snapshots() {
		for v := range s.LocalVLANsOf(id) {
			a.add(v.Host, NetworkPart, id)
		}
		for b := range s.BindingsOf(id) {
			a.portOf(s, b)
		}
		if w := s.Network(id); w != nil && !same && model.Tunnelled(w.Type) {
			a.tunnelsOf(s, w)
		}
	}
}

// networkMTU adds the ports whose firewall bridges have the network's MTU.
func (a *affected) networkMTU(id string) {
	for s := range a.snapshots() {
		for b := range s.BindingsOf(id) {
			if byBridge(s, b) != nil {
				a.add(b.Host, PortPart, b.PortID)
			}
		}
	}
}

// tunnelsOf adds the tunnels that a network may be the reason for.
func (a *affected) tunnelsOf(s state.Snapshot, n *model.Network) {
	for v := range s.LocalVLANsOf(n.ID) {
		for r := range reachedBy(s, n) {
			if r != v.Host {
				a.add(v.Host, TunnelPart, TunnelID(n.Type, r))
			}
		}
	}
}

// portChanged says whether a host that knows the port must look at it again.
func portChanged(o, n *model.Port) bool {
	return o == nil || n == nil || o.NetworkID != n.NetworkID || o.MAC != n.MAC || o.AdminStateUp != n.AdminStateUp ||
		o.DeviceOwner != n.DeviceOwner || !slices.Equal(o.FixedIPs, n.FixedIPs) || !slices.Equal(o.AllowedAddressPairs, n.AllowedAddressPairs)
}

// moved says whether a binding came, went, or changed for other hosts than its own.
func moved(o, n *model.Binding) bool {
	return o == nil || n == nil || o.Host != n.Host || o.NetworkID != n.NetworkID
}

// rebound is a binding that has changed for its own host only.
func (a *affected) rebound(o, n *model.Binding) {
	if o.OFPort != n.OFPort || o.Interface != n.Interface || o.Firewalled != n.Firewalled {
		a.add(n.Host, PortPart, n.PortID)
	}
}

func (a *affected) port(id string) {
	for s := range a.snapshots() {
		if b := s.Binding(id); b != nil {
			a.portOf(s, b)
		}
	}
}

// portOf adds a port on every host that knows it.
func (a *affected) portOf(s state.Snapshot, b *model.Binding) {
	a.add(b.Host, PortPart, b.PortID)
	if n := s.Network(b.NetworkID); n != nil && knowsRemote(n) {
		for v := range s.LocalVLANsOf(n.ID) {
			a.add(v.Host, PortPart, b.PortID)
		}
	}
}

func (a *affected) localVLAN(o, n *model.LocalVLAN) {
	if o != nil && n != nil && o.VLAN == n.VLAN {
		return
	}
	v := n
	if v == nil {
		v = o
	}
	a.add(v.Host, NetworkPart, v.NetworkID)
	for s := range a.snapshots() {
		w := s.Network(v.NetworkID)
		if w == nil {
			continue
		}
		a.portsSeenBy(s, v.Host, w)
		if (o == nil || n == nil) && model.Tunnelled(w.Type) {
			a.carrier(s, v.Host, w)
		}
	}
}

// portsSeenBy adds all ports of a network on one host.
func (a *affected) portsSeenBy(s state.Snapshot, host string, n *model.Network) {
	bindings := s.BindingsAt(host, n.ID)
	if knowsRemote(n) {
		bindings = s.BindingsOf(n.ID)
	}
	for b := range bindings {
		a.add(host, PortPart, b.PortID)
	}
}

// carrier is a host that begins or ceases to carry a tunnelled network: it and the others lose or gain sight of each
// other.
func (a *affected) carrier(s state.Snapshot, host string, n *model.Network) {
	for r := range reachedBy(s, n) {
		if r != host {
			a.add(host, TunnelPart, TunnelID(n.Type, r))
		}
	}
	if n.L2Population {
		a.seenByOthers(s, host, n)
	}
}

// seenByOthers adds, on the other hosts that carry the network, all that leads to a host.
func (a *affected) seenByOthers(s state.Snapshot, host string, n *model.Network) {
	for v := range s.LocalVLANsOf(n.ID) {
		if v.Host == host {
			continue
		}
		a.add(v.Host, TunnelPart, TunnelID(n.Type, host))
		a.add(v.Host, NetworkPart, n.ID)
		if knowsRemote(n) {
			for b := range s.BindingsAt(host, n.ID) {
				a.add(v.Host, PortPart, b.PortID)
			}
		}
	}
}

func (a *affected) host(name string) {
	was, existed := ForHost(a.before, name)
	is, exists := ForHost(a.after, name)
	if existed != exists {
		for s := range a.snapshots() {
			for p := range Parts(s, name) {
				a.add(name, p.Kind, p.ID)
			}
		}
	}
	if was.DVRMAC != is.DVRMAC {
		for s := range a.snapshots() {
			for o := range s.Hosts() {
				if o.ID != name {
					a.add(o.ID, HostPart, "")
				}
			}
		}
	}
	if was.TunnelIP != is.TunnelIP {
		a.tunnelIP(name)
	}
	if existed && exists {
		a.hostItself(was, is)
	}
	a.tunnelPorts(was, is)
}

// tunnelIP is a change of a host's tunnel address. The host itself may now reach others that it could not (an address
// of the other family), and others reach it by another port.
func (a *affected) tunnelIP(name string) {
	for s := range a.snapshots() {
		if h, ok := ForHost(s, name); ok {
			for _, id := range tunnelIDs(s, h) {
				a.add(name, TunnelPart, id)
			}
		}
		for v := range s.LocalVLANsOn(name) {
			n := s.Network(v.NetworkID)
			if n == nil || !model.Tunnelled(n.Type) {
				continue
			}
			a.add(name, NetworkPart, n.ID)
			a.portsSeenBy(s, name, n)
			if n.L2Population {
				a.seenByOthers(s, name, n)
			}
		}
		for n := range s.Networks() {
			if model.Tunnelled(n.Type) && !n.L2Population {
				a.seenByOthers(s, name, n)
			}
		}
	}
}

// hostItself is a change of what the host's own rows, bridges and provider networks are made of.
func (a *affected) hostItself(was, is Host) {
	o, n := a.before.Host(was.Name), a.after.Host(is.Name)
	if was.AnswersND != is.AnswersND || was.Meters != is.Meters {
		// Another datapath, or switch, is rare enough to look at everything again.
		for s := range a.snapshots() {
			for p := range Parts(s, is.Name) {
				a.add(is.Name, p.Kind, p.ID)
			}
		}
	}
	if o.Number != n.Number || was.DVRMAC != is.DVRMAC || was.PatchTun != is.PatchTun || was.PatchInt != is.PatchInt ||
		!slices.Equal(was.Physical, is.Physical) {
		a.add(is.Name, HostPart, "")
	}
	bridged := !slices.Equal(was.Physical, is.Physical) || !maps.Equal(was.mappings, is.mappings)
	if !bridged && was.PatchInt == is.PatchInt {
		return
	}
	for s := range a.snapshots() {
		for v := range s.LocalVLANsOn(is.Name) {
			n := s.Network(v.NetworkID)
			switch {
			case n == nil:
			case model.Tunnelled(n.Type):
				// Only where the switch learns does a network's row name the port to br-int.
				if was.PatchInt != is.PatchInt && !n.L2Population {
					a.add(is.Name, NetworkPart, n.ID)
				}
			case bridged:
				a.add(is.Name, NetworkPart, n.ID)
			}
		}
	}
}

// tunnelPorts is a change of the port numbers of tunnels: what leaves by them changes, and, because a tunnel is used when
// both ends are there, what the other hosts send into them.
func (a *affected) tunnelPorts(was, is Host) {
	if maps.Equal(was.ports, is.ports) {
		return
	}
	for s := range a.snapshots() {
		h, ok := ForHost(s, cmp.Or(is.Name, was.Name))
		if !ok {
			continue
		}
		for r := range s.Hosts() {
			for _, typ := range []string{model.VXLAN, model.GRE, model.Geneve} {
				t, ok := tunnel(s, h, typ, r.ID)
				if ok && r.ID != h.Name && was.ports[t.Name] != is.ports[t.Name] {
					a.tunnelPort(s, h.Name, typ, r.ID)
					a.tunnelPort(s, r.ID, typ, h.Name)
				}
			}
		}
	}
}

func (a *affected) tunnelPort(s state.Snapshot, host, networkType, remote string) {
	a.add(host, TunnelPart, TunnelID(networkType, remote))
	for v := range s.LocalVLANsOn(host) {
		n := s.Network(v.NetworkID)
		if n == nil || n.Type != networkType {
			continue
		}
		switch {
		case !n.L2Population:
			a.add(host, NetworkPart, n.ID)
		case s.LocalVLAN(remote, n.ID) != nil:
			a.add(host, NetworkPart, n.ID)
			for b := range s.BindingsAt(remote, n.ID) {
				a.add(host, PortPart, b.PortID)
			}
		}
	}
}
