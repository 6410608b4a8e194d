package store

import (
	"fmt"
	"reflect"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// ReportHost takes what a registered host's agent says about the host. The first report makes bindings possible.
func (t *Tx) ReportHost(in *model.HostFacts) error {
	h := t.Host(in.Host)
	if h == nil {
		return &ErrNotFound{state.Hosts, in.Host}
	}
	f := *in
	f.BridgeMappings = cloneMap(f.BridgeMappings)
	f.Roles = cloneSlice(f.Roles)
	f.Ports = cloneMap(f.Ports)
	old := t.HostFacts(f.Host)
	if old != nil && reflect.DeepEqual(*old, f) {
		return nil
	}
	c := checks{kind: state.HostFacts, violations: f.Validate()}
	if !h.TunnelIP.IsValid() && (old == nil || old.TunnelIP != f.TunnelIP) {
		t.checkTunnelIP(&c, &model.Host{Meta: model.Meta{ID: f.Host}, TunnelIP: f.TunnelIP})
	}
	if err := c.err(); err != nil {
		return err
	}
	before := t.fitness(f.Host)
	t.put(state.HostFacts, &f)
	t.hostChanged(f.Host, before)
	if old == nil {
		c := newClaims()
		for i := range t.InterfacesOf(f.Host) {
			c.interfaceClaims(i)
		}
		t.rebind(c)
	}
	return nil
}

// ReportInterfaces takes what a registered host's agent sees on br-int. upserts are new or changed; with full, all others
// are gone; removed are names of interfaces that went away. Interface.Host and Seen are filled in.
func (t *Tx) ReportInterfaces(host string, full bool, upserts []model.Interface, removed []string) error {
	if t.Host(host) == nil {
		return &ErrNotFound{state.Hosts, host}
	}
	var wrong checks
	there := map[string]bool{}
	for n, i := range upserts {
		there[i.Name] = true
		for _, v := range i.Validate() {
			wrong.add(fmt.Sprintf("interfaces[%d].%s", n, v.Field), "%s", v.Message)
		}
	}
	if err := wrong.err(); err != nil {
		return err
	}
	c := newClaims()
	for _, i := range upserts {
		t.upsertInterface(host, i, c)
	}
	if full {
		for i := range t.InterfacesOf(host) {
			if !there[i.Name] {
				removed = append(removed[:len(removed):len(removed)], i.Name)
			}
		}
	}
	for _, name := range removed {
		if i := t.Interface(host, name); i != nil && !there[name] {
			c.interfaceClaims(i)
			t.delete(state.Interfaces, state.Key(i))
		}
	}
	t.rebind(c)
	return nil
}

func (t *Tx) upsertInterface(host string, i model.Interface, c claims) {
	i.Host = host
	i.AttachedMAC = model.NormalMAC(i.AttachedMAC)
	// Every transaction rests on a clock of its own, later than all before.
	i.Seen = t.base.clock + 1
	old := t.Interface(host, i.Name)
	if old != nil && old.IfaceID == i.IfaceID && old.AttachedMAC == i.AttachedMAC {
		i.Seen = old.Seen
	}
	if old != nil && *old == i {
		return
	}
	if old != nil {
		c.interfaceClaims(old)
	}
	c.interfaceClaims(&i)
	t.put(state.Interfaces, &i)
}

// SetPortState takes what the port's host acknowledged. Status DOWN removes the state. Since is filled in; nothing is
// written when neither Status, Host, Reason nor Message differ. *ErrConflict: the port is not bound to st.Host (any more),
// or is gone.
func (t *Tx) SetPortState(st *model.PortState) error {
	switch st.Status {
	case model.PortDown, model.PortActive, model.PortBuild, model.PortError:
	default:
		return &model.Invalid{Violations: []model.Violation{{Field: "status", Message: fmt.Sprintf("%q is unknown; it is ACTIVE, BUILD, ERROR or DOWN", st.Status)}}}
	}
	b := t.Binding(st.PortID)
	if b == nil || b.Host != st.Host {
		return &ErrConflict{Kind: state.Ports, ID: st.PortID, Why: fmt.Sprintf("is not bound to host %s", st.Host)}
	}
	if st.Status == model.PortDown {
		t.delete(state.PortStates, st.PortID)
		return nil
	}
	now := *st
	now.Since = t.now
	if old := t.PortState(st.PortID); old != nil {
		if old.Status == st.Status {
			now.Since = old.Since
			now.Revision = old.Revision
		}
		if *old == now {
			return nil
		}
		now.Revision = st.Revision
	}
	t.put(state.PortStates, &now)
	return nil
}

// SetHostDown takes what the controllers found out about a host's life. What can be elsewhere moves away from a host that is
// down; one that comes back gets nothing back.
func (t *Tx) SetHostDown(host string, down bool) error {
	if t.Host(host) == nil {
		return &ErrNotFound{state.Hosts, host}
	}
	old := t.HostHealth(host)
	if down == (old != nil && old.Down) {
		return nil
	}
	before := t.fitness(host)
	if down {
		t.put(state.HostHealths, &model.HostHealth{Host: host, Down: true, Since: t.now})
	} else {
		t.delete(state.HostHealths, host)
	}
	t.hostChanged(host, before)
	return nil
}

// SetSwitchFacts takes what a host's switch says that it cannot do; nil: it can do all.
func (t *Tx) SetSwitchFacts(host string, facts *model.SwitchFacts) error {
	if t.Host(host) == nil {
		return &ErrNotFound{state.Hosts, host}
	}
	old := t.SwitchFacts(host)
	switch {
	case facts == nil && old != nil:
		t.delete(state.SwitchFacts, host)
	case facts != nil && (old == nil || *old != *facts):
		now := *facts
		t.put(state.SwitchFacts, &now)
	}
	return nil
}
