package ovsdb

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Keys of external_ids that a bound interface carries.
const (
	portKey = "weft-port"
	// ifaceKey is the id of the port that an interface is for.
	ifaceKey = "iface-id"
	// installedKey is the revision whose flows are in the switch: those who plugged the interface wait for it.
	installedKey = "weft-installed"
)

// standIns makes bindings follow to the plug that takes the place of their interface.
func (x *differ) standIns() {
	by := map[string]Plug{}
	for _, p := range x.want.Plugs {
		if p.Instead != "" {
			by[p.Instead] = p
		}
	}
	for i, b := range x.want.Bindings {
		if p, ok := by[b.Interface]; ok && p.PortID == b.PortID {
			x.want.Bindings[i].Interface = p.Interface
		}
	}
}

// binding puts an interface into its VLAN.
func (x *differ) binding(b Binding) {
	hub, _ := x.want.bridge(Integration)
	iface := x.have.interfaces[b.Interface]
	var port *portRow
	var on *bridgeRow
	if iface != nil {
		if port = x.have.portOf[iface.UUID]; port != nil {
			on = x.have.bridgeOf[port.UUID]
		}
	}
	switch {
	case hub.Name == "":
		x.problem(b.Resource(), "", BridgeMissing, "there is no integration bridge")
		return
	case on == nil || on.Name != hub.Name:
		x.problem(b.Resource(), "interface", InterfaceMissing, "no interface %s is on %s", b.Interface, hub.Name)
		return
	case x.plugged[b.Interface] != b.PortID && !b.owns(iface.ExternalIDs[ifaceKey], iface.ExternalIDs["attached-mac"]):
		x.problem(b.Resource(), "interface", InterfaceMismatch,
			"%s carries iface-id %q and attached-mac %q, which are not those of the port", b.Interface, iface.ExternalIDs[ifaceKey], iface.ExternalIDs["attached-mac"])
		return
	case x.claimed[b.Interface] != "":
		x.problem(b.Resource(), "interface", InterfaceTaken, "%s is bound to port %s", b.Interface, x.claimed[b.Interface])
		return
	}
	x.claimed[b.Interface] = b.PortID
	marks := map[string]string{portKey: b.PortID, installedKey: ""}
	if b.Installed > 0 {
		marks[installedKey] = strconv.FormatInt(b.Installed, 10)
	}
	x.bind(Change{Resource: b.Resource(), Row: iface.UUID}, port, iface, int(b.VLAN), marks)
	x.judge(b.Resource(), iface)
}

// bind gives a port one VLAN, untagged, and its interface the marks. vlan_mode and trunks are cleared: those who plug
// VMs set them so that nothing passes before the port is bound.
func (x *differ) bind(c Change, port *portRow, iface *interfaceRow, vlan int, marks map[string]string) {
	var wrong []string
	x.change(c, func(o *operations) {
		if value(port.Tag) != vlan || port.VLANMode != nil || len(port.Trunks) > 0 {
			wrong = append(wrong, fmt.Sprintf("%s had %s", port.Name, vlans(port)))
			o.update(tablePort, port.UUID, ovsdb.Row{"tag": vlan, "vlan_mode": empty, "trunks": empty})
		}
		set := map[string]string{}
		for _, k := range []string{portKey, installedKey} {
			if iface.ExternalIDs[k] != marks[k] {
				wrong = append(wrong, fmt.Sprintf("%s of %s was %q", k, iface.Name, iface.ExternalIDs[k]))
				set[k] = marks[k]
			}
		}
		if len(set) > 0 {
			o.mutate(tableInterface, iface.UUID, setKeys("external_ids", set)...)
		}
	})
	x.tell(wrong)
}

// stale makes interfaces dead that carry the mark of a binding which is theirs no more: a tag that stayed would leave
// them in a network, and none at all would let them speak in every VLAN.
func (x *differ) stale() {
	if _, ok := x.want.bridge(Integration); !ok {
		return
	}
	known := make(map[string]bool, len(x.want.Bindings))
	for _, b := range x.want.Bindings {
		known[b.PortID] = true
	}
	marked := map[string]*interfaceRow{}
	for name, iface := range x.have.interfaces {
		if id := iface.ExternalIDs[portKey]; id != "" && x.claimed[name] == "" && !x.leaving[name] && x.have.portOf[iface.UUID] != nil && (known[id] || x.want.Prune) {
			marked[name] = iface
		}
	}
	for _, iface := range byName(marked) {
		x.bind(Change{Resource: "port/" + iface.ExternalIDs[portKey], Row: iface.UUID}, x.have.portOf[iface.UUID], iface, DeadVLAN, nil)
	}
}

// prune removes what is ours and not wanted.
func (x *differ) prune() {
	wanted := map[string]string{} // port → bridge
	for _, p := range x.want.patches() {
		wanted[p.name] = p.bridge
	}
	hub, _ := x.want.bridge(Tunnel)
	for _, t := range x.want.Tunnels {
		wanted[t.Name] = hub.Name
	}
	hub, _ = x.want.bridge(Integration)
	for _, p := range x.want.Plugs {
		wanted[p.Interface] = hub.Name
	}
	for _, b := range byName(x.have.bridges) {
		for _, u := range b.Ports {
			p := x.have.portByUUID[u]
			if p == nil || !owned(p.ExternalIDs) || wanted[p.Name] == b.Name || x.leaving[p.Name] {
				continue
			}
			x.change(Change{Resource: x.resourceOf(p, b), Row: u, Text: "port " + p.Name + " is no longer wanted"}, func(o *operations) {
				o.mutate(tableBridge, b.UUID, dropRef("ports", u))
			})
		}
	}
	for _, b := range byName(x.have.bridges) {
		unwanted := !slices.ContainsFunc(x.want.Bridges, func(w Bridge) bool { return w.Name == b.Name })
		if unwanted && owned(b.ExternalIDs) && !x.used(b) {
			x.change(Change{Resource: "bridge/" + b.Name, Row: b.UUID, Text: "bridge " + b.Name + " is no longer wanted"}, func(o *operations) {
				o.mutate(tableRoot, x.have.root.UUID, dropRef("bridges", b.UUID))
			})
		}
	}
}

// used says whether a bridge has ports that are not ours. Such a bridge stays, with its flows, even when we made it.
func (x *differ) used(b *bridgeRow) bool {
	return slices.ContainsFunc(b.Ports, func(u string) bool {
		p := x.have.portByUUID[u]
		return p != nil && p.Name != b.Name && !owned(p.ExternalIDs)
	})
}

// resourceOf names the resource that an owned port belonged to.
func (x *differ) resourceOf(p *portRow, b *bridgeRow) string {
	i := x.have.interfaces[p.Name]
	switch {
	case i == nil || i.Type == "patch":
		return "bridge/" + b.Name
	case i.Type == "":
		return Plug{Interface: p.Name}.Resource()
	}
	return "tunnel/" + p.Name
}
