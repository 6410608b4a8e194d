package agent

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/nsagent/plan"
	"github.com/weft-sdn/weft/nsagent/statefile"
	"github.com/weft-sdn/weft/ovsdb"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// Reasons of resource errors that are not the database's.
const (
	// invalid: the resource cannot be true on any host. What was in force before stays.
	invalid = "Invalid"
	// unsupported: this agent does not know such resources.
	unsupported = "Unsupported"
	// notHeld: a Delta says that a resource is unchanged, and the agent does not hold it.
	notHeld = "NotHeld"
	// notSaved: the resource is in force, and could not be written to disk.
	notSaved = "NotSaved"
	// databaseAway: ovsdb-server does not answer.
	databaseAway = "DatabaseUnavailable"
)

// site is what is said of the host when its agent is started: the names of the two bridges of which it has one each,
// the type of their datapath, and with which files the switch connects.
type site struct {
	integration, tunnel, datapathType string
	// ssl are the files for bridges whose controllers are at ssl: targets.
	ssl ovsdb.SSL
}

// held is the desired state. It is not changed once it is made.
type held struct {
	site
	revision  int64
	resources map[string]*nodev1.Resource
	// wants is the same, checked and read.
	wants map[string]any // ovsdb.Bridge, ovsdb.TunnelPort, ovsdb.Binding or plan.Resource
	// rejected are resources that were sent and could not be taken in.
	rejected map[string]*nodev1.ResourceError
	// wanted is all that is wanted, sorted; made when it is first asked for.
	wanted *ovsdb.Desired
	// taps are the devices of namespaces on the integration bridge; made when they are first asked for.
	taps map[string]tapDevice
	// complete says that a full Delta was taken in since the agent began.
	complete bool
}

func nothingHeld(s site) *held {
	return &held{site: s, resources: map[string]*nodev1.Resource{}, wants: map[string]any{}, rejected: map[string]*nodev1.ResourceError{}}
}

// restore takes in what was on disk.
func restore(s statefile.State, on site) *held {
	h := nothingHeld(on)
	h.revision = s.Revision
	for _, r := range s.Resources {
		h.take(r)
	}
	return h
}

// merge is the state after a Delta, and which resources changed or went.
func (h *held) merge(d *nodev1.Delta) (next *held, touched []string) {
	next = &held{site: h.site, revision: d.Revision, complete: h.complete || d.Full,
		resources: maps.Clone(h.resources), wants: maps.Clone(h.wants), rejected: maps.Clone(h.rejected)}
	if d.Full {
		next.rejected = map[string]*nodev1.ResourceError{}
		stays := map[string]bool{}
		for _, name := range d.Unchanged {
			stays[name] = true
			if h.resources[name] == nil {
				next.reject(name, "", notHeld, "it is said to be unchanged, and this agent does not hold it")
			}
		}
		for _, r := range d.Upserts {
			stays[r.Name] = true
		}
		for name := range h.resources {
			if !stays[name] {
				next.drop(name)
			}
		}
	}
	for _, name := range d.Removed {
		next.drop(name)
	}
	for _, r := range d.Upserts {
		delete(next.rejected, r.Name)
		next.take(r)
	}
	for name, r := range next.resources {
		if h.resources[name] != r {
			touched = append(touched, name)
		}
	}
	for name := range h.resources {
		if next.resources[name] == nil {
			touched = append(touched, name)
		}
	}
	slices.Sort(touched)
	return next, touched
}

func (h *held) drop(name string) {
	delete(h.resources, name)
	delete(h.wants, name)
	delete(h.rejected, name)
}

// take takes a resource in, or rejects it.
func (h *held) take(r *nodev1.Resource) {
	if old := h.resources[r.Name]; old != nil && old.Version == r.Version && r.Version != "" {
		return // equal versions mean equal content
	}
	want, e := h.read(r)
	if e != nil {
		h.reject(r.Name, e.Field, e.Reason, e.Message)
		return
	}
	h.resources[r.Name], h.wants[r.Name] = r, want
}

func (h *held) reject(name, field, reason, message string) {
	h.rejected[name] = &nodev1.ResourceError{Resource: name, Field: field, Reason: reason, Message: message}
}

// versions is what a Hello tells.
func (h *held) versions() map[string]string {
	out := make(map[string]string, len(h.resources))
	for name, r := range h.resources {
		out[name] = r.Version
	}
	return out
}

// state is what goes to disk.
func (h *held) state(epoch uint64) statefile.State {
	s := statefile.State{Epoch: epoch, Revision: h.revision}
	for _, name := range slices.Sorted(maps.Keys(h.resources)) {
		s.Resources = append(s.Resources, h.resources[name])
	}
	return s
}

// desired is what the database must hold, but for the devices of namespaces. It is not to be changed.
func (h *held) desired() ovsdb.Desired {
	if h.wanted != nil {
		return *h.wanted
	}
	d := ovsdb.Desired{DatapathType: h.datapathType, SSL: h.ssl, Prune: h.complete}
	for _, name := range slices.Sorted(maps.Keys(h.wants)) {
		switch w := h.wants[name].(type) {
		case ovsdb.Bridge:
			d.Bridges = append(d.Bridges, w)
		case ovsdb.TunnelPort:
			d.Tunnels = append(d.Tunnels, w)
		case ovsdb.Binding:
			d.Bindings = append(d.Bindings, w)
		}
	}
	h.wanted = &d
	return d
}

// read checks a resource, from whoever it comes, before anything is made of it.
func (n site) read(r *nodev1.Resource) (want any, e *nodev1.ResourceError) {
	var resource string
	var err error
	switch s := r.Spec.(type) {
	case *nodev1.Resource_Bridge:
		b := ovsdb.Bridge{Name: s.Bridge.GetName(), Role: ovsdb.Role(s.Bridge.GetRole()), DatapathID: s.Bridge.GetDatapathId(), Controllers: s.Bridge.GetControllers()}
		want, resource, err = b, b.Resource(), b.Check()
		if err == nil {
			err = n.check(b)
		}
	case *nodev1.Resource_Tunnel:
		t := ovsdb.TunnelPort{Name: s.Tunnel.GetName(), Type: s.Tunnel.GetType()}
		if t.LocalIP, err = readAddr("local_ip", s.Tunnel.GetLocalIp()); err == nil {
			t.RemoteIP, err = readAddr("remote_ip", s.Tunnel.GetRemoteIp())
		}
		if err == nil {
			err = t.Check()
		}
		want, resource = t, t.Resource()
	case *nodev1.Resource_Port:
		p := s.Port
		b := ovsdb.Binding{PortID: p.GetPortId(), Interface: p.GetInterface(), MAC: strings.ToLower(p.GetMacAddress()), Installed: p.GetInstalledRevision()}
		if p.GetVlan() > ovsdb.DeadVLAN {
			return nil, &nodev1.ResourceError{Field: "vlan", Reason: invalid, Message: fmt.Sprintf("%d is not in 1..4095", p.GetVlan())}
		}
		b.VLAN = uint16(p.GetVlan())
		want, resource, err = b, b.Resource(), b.Check()
	default:
		var p plan.Resource
		if p, err = plan.Read(r); err != nil {
			break
		}
		want, resource = p, p.Resource()
	case nil:
		return nil, &nodev1.ResourceError{Reason: unsupported, Message: "this agent does not know what it is; a newer agent may know it"}
	}
	if err == nil && r.Name != resource {
		err = &ovsdb.FieldError{Field: "name", Message: fmt.Sprintf("%q is the name of a resource whose own name would be %q", r.Name, resource)}
	}
	if err == nil && r.Version == "" {
		err = &ovsdb.FieldError{Field: "version", Message: "it is empty"}
	}
	if err != nil {
		return nil, fieldError(err)
	}
	return want, nil
}

func fieldError(err error) *nodev1.ResourceError {
	e := &nodev1.ResourceError{Reason: invalid, Message: err.Error()}
	switch f := err.(type) {
	case *ovsdb.FieldError:
		e.Field, e.Message = f.Field, f.Message
	case *plan.FieldError:
		e.Field, e.Message = f.Field, f.Message
	}
	return e
}

func readAddr(field, s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, &ovsdb.FieldError{Field: field, Message: fmt.Sprintf("%q is not an IP address", s)}
	}
	return a.Unmap(), nil
}

// check holds a bridge to this host's names: there can be one integration bridge and one tunnel bridge.
func (n site) check(b ovsdb.Bridge) error {
	want := map[ovsdb.Role]string{ovsdb.Integration: n.integration, ovsdb.Tunnel: n.tunnel}[b.Role]
	switch {
	case want != "" && b.Name != want:
		return &ovsdb.FieldError{Field: "name", Message: fmt.Sprintf("the %s bridge of this host is %s, as its agent was started, not %s", b.Role, want, b.Name)}
	case b.Role == ovsdb.Physical && (b.Name == n.integration || b.Name == n.tunnel):
		return &ovsdb.FieldError{Field: "name", Message: fmt.Sprintf("%s cannot be the bridge of a physical network, because it is this host's integration or tunnel bridge", b.Name)}
	}
	return nil
}
