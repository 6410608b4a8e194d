package ovsdb

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// protocols are the OpenFlow versions that our bridges speak: we use 1.3 to 1.5; 1.0 is for people, whose ovs-ofctl
// speaks it when nothing is said.
var protocols = []string{"OpenFlow10", "OpenFlow13", "OpenFlow14", "OpenFlow15"}

// Columns of a Controller row, ovs-vswitchd.conf.db(5). A bridge that lost its controller tries again after at most a
// second, so that it is back at once when the controller is.
const (
	connectionMode  = "out-of-band"
	maxBackoff      = 1000  // milliseconds; also the least that OVS takes
	inactivityProbe = 10000 // milliseconds
)

// bridgeConfig is what a bridge's other_config must hold; other keys are left alone. The MAC table is sized as Neutron
// sizes it: the default of 2,048 addresses is too small for an integration bridge.
func bridgeConfig(b Bridge) map[string]string {
	return map[string]string{"datapath-id": b.DatapathID, "disable-in-band": "true", "mac-table-size": "50000"}
}

func (x *differ) bridge(b Bridge) {
	row := x.have.bridges[b.Name]
	if row == nil {
		x.newBridge(b)
		return
	}
	if b.Role == Physical && !owned(row.ExternalIDs) && datapath(row.DatapathType) != datapath(x.want.DatapathType) {
		x.problem(b.Resource(), "", DatapathMismatch,
			"%s has datapath type %q, the integration bridge has %q, and patch ports do not connect the two; start the agent with --datapath-type %s or re-create %s",
			b.Name, datapath(row.DatapathType), datapath(x.want.DatapathType), datapath(row.DatapathType), b.Name)
		return
	}
	x.bridges[b.Name] = row.UUID
	x.mendBridge(b, row)
	if local := x.have.interfaces[b.Name]; local != nil {
		x.judge(b.Resource(), local)
	}
}

// datapath spells out the default.
func datapath(t string) string {
	if t == "" {
		return "system"
	}
	return t
}

func (x *differ) newBridge(b Bridge) {
	if _, out := x.problems[b.Resource()]; out {
		return
	}
	if x.have.ports[b.Name] != nil || x.have.interfaces[b.Name] != nil {
		x.problem(b.Resource(), "name", NameTaken, "a port named %s exists, so no bridge can have the name; remove the port", b.Name)
		return
	}
	x.change(Change{Resource: b.Resource(), Text: "bridge " + b.Name + " was missing"}, func(o *operations) {
		i := o.insert(tableInterface, ovsdb.Row{"name": b.Name, "type": "internal"})
		p := o.insert(tablePort, ovsdb.Row{"name": b.Name, "interfaces": refs(i)})
		var controllers []string
		for _, target := range b.Controllers {
			controllers = append(controllers, o.insert(tableController, newController(target)))
		}
		x.bridges[b.Name] = o.insert(tableBridge, ovsdb.Row{
			"name": b.Name, "ports": refs(p), "fail_mode": "secure", "datapath_type": x.want.DatapathType, "protocols": strs(protocols...),
			"other_config": dict(bridgeConfig(b)), "external_ids": dict(map[string]string{ownedKey: "true"}), "controller": refs(controllers...),
		})
		o.mutate(tableRoot, x.have.root.UUID, addRef("bridges", x.bridges[b.Name]))
	})
	x.problem(b.Resource(), "", NotApplied, "the switch has not made bridge %s yet", b.Name)
}

func (x *differ) mendBridge(b Bridge, row *bridgeRow) {
	var wrong []string
	flushes := false
	x.change(Change{Resource: b.Resource()}, func(o *operations) {
		set := ovsdb.Row{}
		if value(row.FailMode) != "secure" {
			wrong = append(wrong, fmt.Sprintf("fail_mode of %s was %q", b.Name, value(row.FailMode)))
			set["fail_mode"] = "secure"
		}
		if datapath(row.DatapathType) != datapath(x.want.DatapathType) {
			wrong = append(wrong, fmt.Sprintf("datapath_type of %s was %q", b.Name, row.DatapathType))
			set["datapath_type"] = x.want.DatapathType
		}
		if !slices.Equal(slices.Sorted(slices.Values(row.Protocols)), protocols) {
			wrong = append(wrong, fmt.Sprintf("protocols of %s were %v", b.Name, row.Protocols))
			set["protocols"] = strs(protocols...)
		}
		if len(set) > 0 {
			o.update(tableBridge, row.UUID, set)
		}
		config := bridgeConfig(b)
		for _, k := range slices.Sorted(maps.Keys(config)) {
			if row.OtherConfig[k] == config[k] {
				delete(config, k)
			} else {
				wrong = append(wrong, fmt.Sprintf("%s of %s was %q", k, b.Name, row.OtherConfig[k]))
			}
		}
		if len(config) > 0 {
			o.mutate(tableBridge, row.UUID, setKeys("other_config", config)...)
		}
		ws, f := x.controllers(o, b, row)
		wrong, flushes = append(wrong, ws...), f
	})
	if len(wrong) > 0 {
		x.tell(wrong)
		x.changes[len(x.changes)-1].Flushes = flushes
	}
}

// controllers makes a bridge have its controllers, in one step: rows that are right stay, and while at least one stays
// or comes Open vSwitch keeps the flows. On a bridge that others use too, their controllers stay.
func (x *differ) controllers(o *operations, b Bridge, row *bridgeRow) (wrong []string, flushes bool) {
	if len(b.Controllers) == 0 {
		return nil, false
	}
	kept := map[string]bool{}
	for _, u := range row.Controllers {
		c := x.have.controllers[u]
		switch {
		case c == nil:
		case slices.Contains(b.Controllers, c.Target) && !kept[c.Target]:
			kept[c.Target] = true
			wrong = append(wrong, mendController(o, b.Name, c)...)
		case b.Role != Physical || owned(c.ExternalIDs):
			wrong = append(wrong, fmt.Sprintf("%s had controller %s", b.Name, c.Target))
			o.mutate(tableBridge, row.UUID, dropRef("controller", u))
		}
	}
	for _, target := range b.Controllers {
		if !kept[target] {
			wrong = append(wrong, fmt.Sprintf("controller %s of %s was missing", target, b.Name))
			o.mutate(tableBridge, row.UUID, addRef("controller", o.insert(tableController, newController(target))))
		}
	}
	return wrong, len(row.Controllers) == 0
}

func newController(target string) ovsdb.Row {
	return ovsdb.Row{"target": target, "connection_mode": connectionMode, "max_backoff": maxBackoff,
		"inactivity_probe": inactivityProbe, "external_ids": dict(map[string]string{ownedKey: "true"})}
}

// mendController changes columns of a row in place.
func mendController(o *operations, bridge string, c *controllerRow) (wrong []string) {
	if value(c.ConnectionMode) != connectionMode || value(c.MaxBackoff) != maxBackoff || value(c.InactivityProbe) != inactivityProbe {
		wrong = append(wrong, fmt.Sprintf("controller %s of %s had connection_mode %q, max_backoff %d, inactivity_probe %d",
			c.Target, bridge, value(c.ConnectionMode), value(c.MaxBackoff), value(c.InactivityProbe)))
		o.update(tableController, c.UUID, ovsdb.Row{"connection_mode": connectionMode, "max_backoff": maxBackoff, "inactivity_probe": inactivityProbe})
	}
	if !owned(c.ExternalIDs) {
		wrong = append(wrong, fmt.Sprintf("controller %s of %s was not marked as ours", c.Target, bridge))
		o.mutate(tableController, c.UUID, setKeys("external_ids", map[string]string{ownedKey: "true"})...)
	}
	return wrong
}
