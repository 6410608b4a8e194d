package ovsdb

import (
	"fmt"
	"maps"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Plug is a device of the host that is a port of the integration bridge because we put it there: the outer end of a veth
// pair into a namespace. It is dead until a binding gives it its VLAN.
type Plug struct {
	// Interface is the device's name.
	Interface string
	// PortID becomes external_ids:iface-id, by which the controller knows whose it is.
	PortID string
	// MAC becomes external_ids:attached-mac; "" is none.
	MAC string
	// Instead is a port of the integration bridge whose place this one takes: in one transaction that one leaves, and this one
	// gets its OpenFlow port number and its VLAN, so that the rows about it go on being about this one.
	Instead string
	// Lent says that the port belongs to somebody else, who will take it away: it is not marked as ours.
	Lent bool
	// Absent says that the device does not exist yet. No port is made for it, and one that is there stays.
	Absent bool
}

// Resource names what a problem or a change is about: plug/tap0123…. The node protocol knows no such resource; what the
// device is for is known to those who want it.
func (p Plug) Resource() string { return "plug/" + p.Interface }

// plug makes a device a port of the integration bridge.
func (x *differ) plug(p Plug) {
	if p.Absent {
		return
	}
	hub, _ := x.want.bridge(Integration)
	bridgeUUID, ok := x.bridges[hub.Name]
	if !ok {
		x.problem(p.Resource(), "", BridgeMissing, "the integration bridge for port %s is not there", p.Interface)
		return
	}
	port, on := x.have.find(p.Interface)
	iface := x.have.interfaces[p.Interface]
	x.leaving[p.Instead] = true
	switch {
	case port == nil && iface == nil:
		x.change(Change{Resource: p.Resource(), Text: "port " + p.Interface + " was missing"}, func(o *operations) { x.putIn(o, p, hub, bridgeUUID) })
		x.problem(p.Resource(), "", NotApplied, "the switch has not added port %s yet", p.Interface)
		return
	case port == nil || iface == nil || x.have.portOf[iface.UUID] != port:
		x.problem(p.Resource(), "", NameTaken, "the name %s is taken by a bonded port or a part of one", p.Interface)
		return
	case on == nil || on.Name != hub.Name:
		where := "no bridge"
		if on != nil {
			where = on.Name
		}
		x.problem(p.Resource(), "", NameTaken, "port %s exists, but on %s and not on %s; remove it there", p.Interface, where, hub.Name)
		return
	case !owned(port.ExternalIDs) && iface.ExternalIDs[ifaceKey] != p.PortID:
		x.problem(p.Resource(), "", NameTaken, "port %s of %s is somebody else's: it has iface-id %q and not %q; remove it", p.Interface, hub.Name, iface.ExternalIDs[ifaceKey], p.PortID)
		return
	}
	x.plugged[p.Interface] = p.PortID
	if old, on := x.have.find(p.Instead); old != nil && on != nil && on.Name == hub.Name {
		x.change(Change{Resource: p.Resource(), Row: old.UUID, Text: "port " + p.Instead + " was there, whose place " + p.Interface + " has taken"}, func(o *operations) {
			o.mutate(tableBridge, bridgeUUID, dropRef("ports", old.UUID))
		})
	}
	x.mendPlug(p, port, iface)
	x.noteDevice(p, iface)
	x.judge(p.Resource(), iface)
}

// putIn adds a port, and takes the one out whose place it takes.
func (x *differ) putIn(o *operations, p Plug, hub Bridge, bridgeUUID string) {
	ids := map[string]string{}
	iface, row := ovsdb.Row{"name": p.Interface}, ovsdb.Row{"name": p.Interface, "tag": DeadVLAN}
	if old, on := x.have.find(p.Instead); old != nil && on != nil && on.Name == hub.Name {
		if i := x.have.interfaces[p.Instead]; i != nil {
			ids = maps.Clone(i.ExternalIDs)
			delete(ids, deviceKey)
			if n := i.ofport(); n != 0 {
				iface["ofport_request"] = int(n)
			}
		}
		if old.Tag != nil {
			row["tag"] = *old.Tag
		}
		o.mutate(tableBridge, bridgeUUID, dropRef("ports", old.UUID))
	}
	ids[ifaceKey] = p.PortID
	if p.MAC != "" {
		ids["attached-mac"] = p.MAC
	}
	iface["external_ids"] = dict(ids)
	row["interfaces"] = refs(o.insert(tableInterface, iface))
	if !p.Lent {
		row["external_ids"] = dict(map[string]string{ownedKey: "true"})
	}
	o.mutate(tableBridge, bridgeUUID, addRef("ports", o.insert(tablePort, row)))
}

// mendPlug brings a port that exists into its form. Its VLAN is the binding's affair while one is wanted, and while the
// mark of one tells that it has yet to be taken back.
func (x *differ) mendPlug(p Plug, port *portRow, iface *interfaceRow) {
	var wrong []string
	x.change(Change{Resource: p.Resource()}, func(o *operations) {
		if iface.Type != "" || len(iface.Options) > 0 {
			wrong = append(wrong, fmt.Sprintf("%s was of type %q with options %v", iface.Name, iface.Type, iface.Options))
			o.update(tableInterface, iface.UUID, ovsdb.Row{"type": "", "options": dict(nil)})
		}
		if iface.ExternalIDs[ifaceKey] != p.PortID {
			wrong = append(wrong, fmt.Sprintf("%s of %s was %q", ifaceKey, iface.Name, iface.ExternalIDs[ifaceKey]))
			o.mutate(tableInterface, iface.UUID, setKeys("external_ids", map[string]string{ifaceKey: p.PortID})...)
		}
		if !owned(port.ExternalIDs) && !p.Lent {
			wrong = append(wrong, port.Name+" was not marked as ours")
			o.mutate(tablePort, port.UUID, setKeys("external_ids", map[string]string{ownedKey: "true"})...)
		}
		if !x.bound[p.Interface] && iface.ExternalIDs[portKey] == "" && (value(port.Tag) != DeadVLAN || port.VLANMode != nil || len(port.Trunks) > 0) {
			wrong = append(wrong, fmt.Sprintf("%s had %s, and is bound to nothing", port.Name, vlans(port)))
			o.update(tablePort, port.UUID, ovsdb.Row{"tag": DeadVLAN, "vlan_mode": empty, "trunks": empty})
		}
	})
	x.tell(wrong)
}

// Plugged says whether a resource is that of a plug, and of which interface.
func Plugged(resource string) (iface string, ok bool) { return strings.CutPrefix(resource, "plug/") }
