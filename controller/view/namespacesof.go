package view

import (
	"maps"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// What changes of the objects of layer 2 mean for namespaces.

func (a *affected) networkOfNamespaces(o, n *model.Network) {
	changed := o == nil || n == nil || o.Type != n.Type || o.PhysicalNetwork != n.PhysicalNetwork
	if !changed && o.MTU == n.MTU && o.AdminStateUp == n.AdminStateUp && o.SegmentID == n.SegmentID && o.L2Population == n.L2Population {
		return
	}
	either := n
	if either == nil {
		either = o
	}
	a.namespaces.dhcp.add(either.ID)
	for s := range a.snapshots() {
		a.devicesOn(s, either.ID, func(*model.Port) bool { return true })
		if changed {
			for f := range s.FloatingIPsOfNetwork(either.ID) {
				a.namespaces.floating.add(f.ID)
			}
		}
	}
}

// portOfNamespaces takes a change of a port. It adds to ports those that may, or may no longer, hold an address of theirs
// alone.
func (a *affected) portOfNamespaces(o, n *model.Port, ports *set) {
	for i, p := range []*model.Port{o, n} {
		if p == nil {
			continue
		}
		if a.anyOwned(i, p.NetworkID) {
			a.namespaces.endpoints.add(p.ID)
		}
		other := []*model.Port{n, o}[i]
		for _, pair := range p.AllowedAddressPairs {
			if !pair.IP.IsSingleIP() || other != nil && other.NetworkID == p.NetworkID && slices.Contains(other.AllowedAddressPairs, pair) {
				continue
			}
			for s := range a.snapshots() {
				for q := range s.PortsByIP(p.NetworkID, pair.IP.Addr()) {
					ports.add(q.ID)
					a.namespaces.endpoints.add(q.ID)
				}
			}
		}
		if model.OwnedByWeft(p.DeviceOwner) && (other == nil || deviceChanged(p, other)) {
			a.device(p)
		}
	}
}

func deviceChanged(p, q *model.Port) bool {
	return p.MAC != q.MAC || p.AdminStateUp != q.AdminStateUp || p.NetworkID != q.NetworkID || p.DeviceID != q.DeviceID ||
		p.DeviceOwner != q.DeviceOwner || p.BindingHostID != q.BindingHostID || !slices.Equal(p.FixedIPs, q.FixedIPs)
}

// device is a change of a port of ours.
func (a *affected) device(p *model.Port) {
	switch p.DeviceOwner {
	case model.OwnerDistributedInterface, model.OwnerRouterInterface:
		a.namespaces.routers.add(p.DeviceID)
		a.joined(p.NetworkID)
	case model.OwnerRouterGateway, model.OwnerCentralizedSNAT:
		a.namespaces.routers.add(p.DeviceID)
	case model.OwnerFIPGateway:
		a.add(p.DeviceID, FIPNetworkPart, p.NetworkID)
		a.floatingIPsOn(p.DeviceID)
	case model.OwnerDHCP:
		a.namespaces.dhcp.add(p.NetworkID)
	}
}

// floatingIPsOn adds the floating IPs of the ports on a host, and the distributed routers there: it may, or may no longer,
// be able to serve them.
func (a *affected) floatingIPsOn(host string) {
	for s := range a.snapshots() {
		for b := range s.BindingsOn(host) {
			a.floatingIPsTo(b.PortID)
		}
		for at := range s.RouterHostsOn(host) {
			a.add(host, RouterPart, at.RouterID)
		}
	}
}

// boundOfNamespaces is a port that is bound to another host than before.
func (a *affected) boundOfNamespaces(o, n *model.Binding) {
	for i, b := range []*model.Binding{o, n} {
		if b != nil && a.anyOwned(i, b.NetworkID) {
			a.namespaces.endpoints.add(b.PortID)
		}
	}
	if a.after.Any(state.FloatingIPs) {
		either := n
		if either == nil {
			either = o
		}
		a.floatingIPsTo(either.PortID)
	}
}

// anyOwned says whether a network has ports of ours before (0) or after (1): on one without, no namespace knows any port.
func (a *affected) anyOwned(side int, network string) bool {
	known := &a.namespaces.owned[side]
	if known.network != network {
		known.network, known.any = network, a.side(side).AnyOwned(network)
	}
	return known.any
}

func (a *affected) localVLANOfNamespaces(o, n *model.LocalVLAN) {
	if o != nil && n != nil && o.VLAN == n.VLAN {
		return
	}
	v := n
	if v == nil {
		v = o
	}
	for s := range a.snapshots() {
		for p := range s.PortsOwned(v.NetworkID, model.OwnerDistributedInterface) {
			if s.RouterHost(p.DeviceID, v.Host) != nil {
				a.add(v.Host, RouterPart, p.DeviceID)
			}
		}
	}
}

// hostOfNamespaces is a change of what the rows of distributed routers name, or of which external networks can be reached.
func (a *affected) hostOfNamespaces(name string) {
	was, existed := ForHost(a.before, name)
	is, exists := ForHost(a.after, name)
	if existed != exists || !maps.Equal(was.mappings, is.mappings) {
		a.floatingIPsOn(name)
	}
	if !existed || !exists {
		return
	}
	if was.DVRMAC == is.DVRMAC && was.PatchTun == is.PatchTun && slices.Equal(was.Physical, is.Physical) && maps.Equal(was.mappings, is.mappings) {
		return
	}
	for s := range a.snapshots() {
		for at := range s.RouterHostsOn(name) {
			a.add(name, RouterPart, at.RouterID)
		}
		for v := range s.LocalVLANsOn(name) {
			if len(routedPorts(s, v.NetworkID)) == 0 {
				continue
			}
			a.add(name, NetworkPart, v.NetworkID)
			for b := range s.BindingsAt(name, v.NetworkID) {
				a.add(name, PortPart, b.PortID)
			}
		}
	}
}

// side is the snapshot before (0) or after (1).
func (a *affected) side(i int) state.Snapshot { return []state.Snapshot{a.before, a.after}[i] }
