package ovsdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// deviceKey is, in external_ids of a plug's interface, the number (ifindex) of the device that the switch has opened.
const deviceKey = "weft-device"

// noteDevice keeps the number of the device that the switch has opened, as long as it has one open.
func (x *differ) noteDevice(p Plug, iface *interfaceRow) {
	if datapath(x.want.DatapathType) != "netdev" {
		return
	}
	opened, now := iface.ExternalIDs[deviceKey], ""
	if value(iface.OFPort) > 0 && value(iface.IfIndex) > 0 {
		now = strconv.Itoa(*iface.IfIndex)
	}
	switch {
	case deaf(iface):
		x.problem(p.Resource(), "", NotApplied, "the switch still listens to device %s, which %s was before; it is %s now", opened, iface.Name, now)
	case (opened == "" && now != "") || (opened != "" && value(iface.OFPort) < 0):
		x.change(Change{Resource: p.Resource(), Text: "device of " + iface.Name + " was not noted", Bookkeeping: true}, func(o *operations) {
			o.mutate(tableInterface, iface.UUID, setKeys("external_ids", map[string]string{deviceKey: now})...)
		})
	}
}

// deaf says whether the switch has another device open than the one that has the name now.
func deaf(iface *interfaceRow) bool {
	opened := iface.ExternalIDs[deviceKey]
	return opened != "" && value(iface.OFPort) > 0 && value(iface.IfIndex) > 0 && strconv.Itoa(*iface.IfIndex) != opened
}

// Deaf lists the plugs whose device was deleted and made again while the switch had it open. The userspace datapath of
// Open vSwitch 3.1 sends to the new one, and goes on listening to the old.
func (s *State) Deaf(plugs []Plug) (names []string) {
	for _, p := range plugs {
		if i := s.interfaces[p.Interface]; !p.Absent && i != nil && deaf(i) {
			names = append(names, p.Interface)
		}
	}
	return names
}

// Replug takes ports out of their bridge and puts them back as they were, with their VLAN and their OpenFlow port number,
// so that the switch opens their devices anew. In between it waits for the switch.
func (s *Session) Replug(ctx context.Context, st *State, names []string) error {
	var out, in operations
	for _, name := range names {
		port, bridge := st.find(name)
		iface := st.interfaces[name]
		if port == nil || bridge == nil || iface == nil {
			continue
		}
		out.mutate(tableBridge, bridge.UUID, dropRef("ports", port.UUID))
		ids := maps.Clone(iface.ExternalIDs)
		delete(ids, deviceKey)
		i := in.insert(tableInterface, ovsdb.Row{"name": name, "external_ids": dict(ids), "ofport_request": int(iface.ofport())})
		row := ovsdb.Row{"name": name, "interfaces": refs(i), "external_ids": dict(port.ExternalIDs)}
		if port.Tag != nil {
			row["tag"] = *port.Tag
		}
		in.mutate(tableBridge, bridge.UUID, addRef("ports", in.insert(tablePort, row)))
	}
	if len(out.ops) == 0 {
		return nil
	}
	what := fmt.Sprint(slices.Sorted(slices.Values(names)))
	cfg, err := s.commit(ctx, st, "weft-nsagent: unplug "+what+", whose devices are others now", out.ops)
	if err != nil {
		return err
	}
	// The switch must see that they were gone.
	waited := s.await(ctx, func(st *State) bool { return st.Applied(cfg) })
	if _, err := s.commit(context.WithoutCancel(ctx), st, "weft-nsagent: plug "+what+" in again", in.ops); err != nil {
		return err
	}
	return waited
}
