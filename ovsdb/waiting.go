package ovsdb

import (
	"strings"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// waiting makes interfaces dead that say which port they are for and are bound to none yet. Without any tag they would
// hear what is flooded in every VLAN, for as long as nobody binds them.
//
// A bound interface is never touched, also by an agent that has just started and knows nothing: it has a tag, and carries
// our mark. Nor is one that somebody gave a VLAN, or that does not say what it is for.
func (x *differ) waiting() {
	hub, ok := x.want.bridge(Integration)
	if !ok {
		return
	}
	found := map[string]*interfaceRow{}
	for name, iface := range x.have.interfaces {
		port := x.have.portOf[iface.UUID]
		if iface.ExternalIDs[ifaceKey] == "" || iface.ExternalIDs[portKey] != "" || x.claimed[name] != "" || x.plugged[name] != "" || x.leaving[name] {
			continue
		}
		if port == nil || len(port.Interfaces) != 1 || owned(port.ExternalIDs) {
			continue
		}
		if on := x.have.bridgeOf[port.UUID]; on == nil || on.Name != hub.Name || port.Tag != nil || port.VLANMode != nil || len(port.Trunks) > 0 {
			continue
		}
		found[name] = iface
	}
	for _, iface := range byName(found) {
		x.change(Change{Resource: interfaceResource + iface.Name, Row: iface.UUID, Text: iface.Name + " had no tag, and is bound to nothing yet"}, func(o *operations) {
			o.update(tablePort, x.have.portOf[iface.UUID].UUID, ovsdb.Row{"tag": DeadVLAN})
		})
	}
}

// interfaceResource begins the names of what no resource of the node protocol stands for.
const interfaceResource = "interface/"

// Waiting says whether a resource is an interface that waits to be bound, and which.
func Waiting(resource string) (iface string, ok bool) {
	return strings.CutPrefix(resource, interfaceResource)
}
