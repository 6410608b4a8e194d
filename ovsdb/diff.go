package ovsdb

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Change is something that was made true.
type Change struct {
	// Resource is what it was made for.
	Resource string
	// Text says what was not as it should be, e.g. "tag of tap1 was 7".
	Text string
	// Flushes is true for the first controller of a bridge that was there before: Open vSwitch empties such a bridge.
	Flushes bool
	// Row tells incarnations of a thing apart: a binding's interface that was unplugged and plugged again has another. It
	// is empty for bridges and tunnels that are wanted, whose name says it all.
	Row string
	// Bookkeeping: nothing was wrong; it notes what the switch has done.
	Bookkeeping bool

	ops []ovsdb.Operation
}

// Reasons of problems.
const (
	// NotApplied: the switch has not done yet what the database says.
	NotApplied = "NotApplied"
	// PortFailed: the switch could not add a port and says why.
	PortFailed = "PortFailed"
	// NameTaken: something foreign bears the name.
	NameTaken = "NameTaken"
	// BridgeMissing: the bridge that the resource needs is not wanted, or cannot be had.
	BridgeMissing = "BridgeMissing"
	// InterfaceMissing: no interface of that name is on the integration bridge.
	InterfaceMissing = "InterfaceMissing"
	// InterfaceMismatch: the interface of that name does not carry the port's iface-id or attached-mac.
	InterfaceMismatch = "InterfaceMismatch"
	// InterfaceTaken: two bindings want one interface.
	InterfaceTaken = "InterfaceTaken"
	// DatapathMismatch: a bridge that is not ours has another datapath type, and patch ports do not connect those.
	DatapathMismatch = "DatapathMismatch"
	// SSLMissing: a controller is at an ssl: target, and nobody said which certificate the switch has.
	SSLMissing = "SSLMissing"
	// SSLForeign: somebody else has said which, and the bridge is not connected.
	SSLForeign = "SSLForeign"
	// Rejected: the database refuses the change.
	Rejected = "Rejected"
)

// Problem is a resource that is not true, and why.
type Problem struct {
	Resource string
	// Field is the field at fault, as the node protocol names it; often none.
	Field string
	// Reason is one of the constants above.
	Reason  string
	Message string
}

// differ compares what is wanted with what is there.
type differ struct {
	want Desired
	have *State

	named    int               // rows inserted so far, over all changes
	bridges  map[string]string // name → UUID, or the name of the row that is being inserted
	claimed  map[string]string // interface → port id
	bound    map[string]bool   // interfaces that some binding wants
	plugged  map[string]string // interface → port id, for ports that we put there
	leaving  map[string]bool   // interfaces whose place a plug takes
	changes  []Change
	problems map[string]Problem
}

// diff is the whole difference: the changes in an order in which each depends only on those before it, and, by resource,
// the problem that keeps it from being true. Resources that are to be left out have a problem already.
func diff(want Desired, have *State, leftOut map[string]Problem) ([]Change, map[string]Problem) {
	x := &differ{want: want.sorted(), have: have, bridges: map[string]string{}, claimed: make(map[string]string, len(want.Bindings)),
		bound: make(map[string]bool, len(want.Bindings)), plugged: map[string]string{}, leaving: map[string]bool{}, problems: maps.Clone(leftOut)}
	if x.problems == nil {
		x.problems = map[string]Problem{}
	}
	for _, b := range x.want.Bridges {
		x.bridge(b)
	}
	x.ssl()
	for _, p := range x.want.patches() {
		x.port(p.resource, p.bridge, p.name, "patch", map[string]string{"peer": p.peer})
	}
	hub, _ := x.want.bridge(Tunnel)
	for _, t := range x.want.Tunnels {
		x.port(t.Resource(), hub.Name, t.Name, t.Type, t.options())
	}
	x.standIns()
	for _, b := range x.want.Bindings {
		x.bound[b.Interface] = true
	}
	for _, p := range x.want.Plugs {
		x.plug(p)
	}
	for _, b := range x.want.Bindings {
		x.binding(b)
	}
	x.stale()
	x.waiting()
	if x.want.Prune {
		x.prune()
	}
	// What was left out stays out, whichever way it would have come in.
	x.changes = slices.DeleteFunc(x.changes, func(c Change) bool { _, out := leftOut[c.Resource]; return out })
	return x.changes, x.problems
}

// change adds a change made of operations; without any there is none.
func (x *differ) change(c Change, f func(o *operations)) {
	o := operations{n: x.named}
	f(&o)
	x.named = o.n
	if len(o.ops) > 0 {
		c.ops = o.ops
		x.changes = append(x.changes, c)
	}
}

// problem keeps the first problem of each resource; one that waiting may cure yields to any other.
func (x *differ) problem(resource, field, reason, format string, args ...any) {
	if old, ok := x.problems[resource]; ok && (old.Reason != NotApplied || reason == NotApplied) {
		return
	}
	x.problems[resource] = Problem{resource, field, reason, fmt.Sprintf(format, args...)}
}

// port makes a patch or tunnel port of ours.
func (x *differ) port(resource, bridge, name, typ string, options map[string]string) {
	bridgeUUID, ok := x.bridges[bridge]
	if !ok {
		x.problem(resource, "", BridgeMissing, "the bridge %q for port %s is not there", bridge, name)
		return
	}
	port, on := x.have.find(name)
	iface := x.have.interfaces[name]
	switch {
	case port == nil && iface == nil:
		x.change(Change{Resource: resource, Text: "port " + name + " was missing"}, func(o *operations) {
			i := o.insert(tableInterface, ovsdb.Row{"name": name, "type": typ, "options": dict(options)})
			p := o.insert(tablePort, ovsdb.Row{"name": name, "interfaces": refs(i), "external_ids": dict(map[string]string{ownedKey: "true"})})
			o.mutate(tableBridge, bridgeUUID, addRef("ports", p))
		})
		x.problem(resource, "", NotApplied, "the switch has not added port %s yet", name)
		return
	case port == nil || iface == nil || x.have.portOf[iface.UUID] != port:
		x.problem(resource, "name", NameTaken, "the name %s is taken by a bonded port or a part of one", name)
		return
	case on == nil || on.Name != bridge:
		where := "no bridge"
		if on != nil {
			where = on.Name
		}
		x.problem(resource, "name", NameTaken, "port %s exists, but on %s and not on %s; remove it there", name, where, bridge)
		return
	}
	x.mend(resource, port, iface, typ, options)
	x.judge(resource, iface)
}

// mend brings a port that exists into its form. It carries all VLANs, so it has no tag.
func (x *differ) mend(resource string, port *portRow, iface *interfaceRow, typ string, options map[string]string) {
	var wrong []string
	x.change(Change{Resource: resource}, func(o *operations) {
		if iface.Type != typ || !maps.Equal(iface.Options, options) {
			wrong = append(wrong, fmt.Sprintf("%s was of type %q with options %v", iface.Name, iface.Type, iface.Options))
			o.update(tableInterface, iface.UUID, ovsdb.Row{"type": typ, "options": dict(options)})
		}
		if port.Tag != nil || port.VLANMode != nil || len(port.Trunks) > 0 {
			wrong = append(wrong, fmt.Sprintf("%s was limited to %s", port.Name, vlans(port)))
			o.update(tablePort, port.UUID, ovsdb.Row{"tag": empty, "vlan_mode": empty, "trunks": empty})
		}
		if !owned(port.ExternalIDs) {
			wrong = append(wrong, port.Name+" was not marked as ours")
			o.mutate(tablePort, port.UUID, setKeys("external_ids", map[string]string{ownedKey: "true"})...)
		}
	})
	x.tell(wrong)
}

// tell writes into the change that was just added what was wrong.
func (x *differ) tell(wrong []string) {
	if len(wrong) > 0 {
		x.changes[len(x.changes)-1].Text = strings.Join(wrong, "; ")
	}
}

// judge says what the switch makes of a port that the database has right.
func (x *differ) judge(resource string, iface *interfaceRow) {
	switch {
	case value(iface.Error) != "":
		x.problem(resource, "", PortFailed, "%s: %s", iface.Name, *iface.Error)
	case value(iface.OFPort) < 0:
		x.problem(resource, "", PortFailed, "%s: the switch could not add the port", iface.Name)
	case iface.OFPort == nil:
		x.problem(resource, "", NotApplied, "the switch has not added port %s yet", iface.Name)
	}
}

// vlans describes the VLANs of a port.
func vlans(p *portRow) string {
	var parts []string
	if p.Tag != nil {
		parts = append(parts, fmt.Sprintf("tag %d", *p.Tag))
	}
	if p.VLANMode != nil {
		parts = append(parts, "vlan_mode "+*p.VLANMode)
	}
	if len(p.Trunks) > 0 {
		parts = append(parts, fmt.Sprintf("trunks %v", p.Trunks))
	}
	return cmp.Or(strings.Join(parts, ", "), "no tag")
}
