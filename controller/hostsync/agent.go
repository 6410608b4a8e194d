package hostsync

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// sessionEvent is something that happened on an agent's stream.
type sessionEvent struct {
	session *agentconn.Session
	// kind: connected, gone or acked.
	kind   sessionKind
	err    error
	nonce  string
	failed []report.Failure
}

type sessionKind uint8

const (
	sessionConnected sessionKind = iota
	sessionGone
	sessionAcked
)

// AgentConnected implements agentconn.Handler.
func (f *Fleet) AgentConnected(s *agentconn.Session) {
	f.agentEvent(sessionEvent{session: s, kind: sessionConnected})
}

// AgentDisconnected implements agentconn.Handler.
func (f *Fleet) AgentDisconnected(s *agentconn.Session, err error) {
	f.agentEvent(sessionEvent{session: s, kind: sessionGone, err: err})
}

// AgentAcked implements agentconn.Handler.
func (f *Fleet) AgentAcked(s *agentconn.Session, nonce string, failed []report.Failure) {
	f.agentEvent(sessionEvent{session: s, kind: sessionAcked, nonce: nonce, failed: failed})
}

// AgentNotice implements agentconn.Handler.
func (f *Fleet) AgentNotice(s *agentconn.Session, reason, message, resource string) {
	f.event(s.Host, reason, resource, "%s: %s", s.Host, message)
}

func (f *Fleet) agentEvent(e sessionEvent) {
	f.mu.Lock()
	h := f.hosts[e.session.Host]
	if h == nil && e.kind == sessionConnected && f.ctx != nil {
		// The host was registered a moment ago, and the change has not come round yet.
		h = f.startHost(e.session.Host)
	}
	f.mu.Unlock()
	if h != nil {
		h.post(func(in *inbox) { in.sessions = append(in.sessions, e) })
	}
}

// agent is the loop's side of the agent's stream: which resources the agent has, and which it should have.
//
// One Delta is on its way at a time. What changes meanwhile waits, and goes out as one.
type agent struct {
	host    *host
	session *agentconn.Session
	since   time.Time

	wanted map[string]*nodev1.Resource // by name
	owner  map[string]view.Part        // name → the part that wants it
	byPart map[view.Part][]string
	// portless are the tunnels that the host has not told the OpenFlow port number of: no row can lead there yet.
	portless map[string]bool
	remotes  map[string]string // tunnel → the host at its other end

	sent     map[string]string // name → version that was sent or that the agent told it holds
	acked    map[string]string // name → version that the agent acknowledged
	upserts  map[string]bool   // names to send
	removals map[string]bool   // names to remove, when no flow needs them any more
	held     bool              // some of them wait for other hosts
	full     bool              // the next Delta begins the stream
	nonce    uint64
	inflight *nodev1.Delta // sent and not acknowledged
	failed   []report.Failure
	// checkpoints is what the agent was told of each bridge.
	checkpoints map[string]int64
}

// events takes what happened on the stream.
func (a *agent) events(es []sessionEvent) {
	f := a.host.fleet
	for _, e := range es {
		switch {
		case e.kind == sessionConnected:
			a.session, a.since = e.session, time.Now()
			a.full, a.inflight, a.failed = true, nil, nil
			a.sent, a.acked = map[string]string{}, map[string]string{}
			maps.Copy(a.sent, e.session.Versions)
			maps.Copy(a.acked, e.session.Versions)
			a.upserts, a.removals, a.checkpoints = map[string]bool{}, map[string]bool{}, map[string]int64{}
			a.wanted, a.remotes = nil, map[string]string{} // look at everything
			f.event(a.host.name, "AgentConnected", "", "the agent of %s connected", e.session)
		case e.session != a.session:
			// An older stream; its end and its words no longer count.
		case e.kind == sessionGone:
			a.session, a.since, a.inflight = nil, time.Now(), nil
			f.event(a.host.name, "AgentLost", "", "the agent of %s is gone (%v); what it made stays in force", e.session, e.err)
		case e.kind == sessionAcked:
			a.answered(e)
		}
	}
}

// answered takes an acknowledgement. An agent answers a Delta again when what failed has changed since.
func (a *agent) answered(e sessionEvent) {
	if d := a.inflight; d != nil {
		if e.nonce != d.Nonce {
			return
		}
		for _, r := range d.Upserts {
			a.acked[r.Name] = r.Version
		}
		for _, name := range d.Removed {
			delete(a.acked, name)
		}
		a.inflight = nil
	}
	for _, n := range e.failed {
		if !slices.Contains(a.failed, n) {
			a.host.fleet.event(a.host.name, "ResourceFailed", n.Object, "%s: %s: %s", a.host.name, n.Object, n.Message)
		}
	}
	a.failed = e.failed
}

// want brings the wanted resources up to date with the snapshot: of everything, or of some parts, or of the ports that
// got their mark.
func (a *agent) want(all bool, parts view.PartSet, marks []string) {
	if a.session == nil {
		a.wanted = nil
		return
	}
	if a.wanted == nil || all {
		a.wantAll()
		return
	}
	for p := range parts {
		a.wantPart(p)
	}
	for _, id := range marks {
		a.wantPart(view.Part{Kind: view.PortPart, ID: id})
	}
}

func (a *agent) wantAll() {
	a.wanted, a.owner, a.byPart = map[string]*nodev1.Resource{}, map[string]view.Part{}, map[view.Part][]string{}
	a.removals, a.portless = map[string]bool{}, map[string]bool{}
	for p := range view.Parts(a.host.snap, a.host.name) {
		a.wantPart(p)
	}
	for name := range a.sent {
		if a.wanted[name] == nil {
			a.removals[name] = true
		}
	}
}

func (a *agent) wantPart(p view.Part) {
	was := a.byPart[p]
	delete(a.byPart, p)
	for _, r := range a.resources(p) {
		a.wanted[r.Name], a.owner[r.Name] = r, p
		a.byPart[p] = append(a.byPart[p], r.Name)
		delete(a.removals, r.Name)
		if a.sent[r.Name] == r.Version {
			delete(a.upserts, r.Name)
		} else {
			a.upserts[r.Name] = true
		}
	}
	for _, name := range was {
		if a.owner[name] == p && !slices.Contains(a.byPart[p], name) {
			delete(a.wanted, name)
			delete(a.owner, name)
			delete(a.upserts, name)
			delete(a.portless, name)
			if _, there := a.sent[name]; there {
				a.removals[name] = true
			}
		}
	}
}

// resources spells a part's resources as the node protocol does.
func (a *agent) resources(p view.Part) []*nodev1.Resource {
	h := a.host
	res := view.PartResources(h.snap, h.name, p)
	var out []*nodev1.Resource
	for _, b := range res.Bridges {
		out = append(out, &nodev1.Resource{Name: "bridge/" + b.Name, Spec: &nodev1.Resource_Bridge{Bridge: &nodev1.Bridge{
			Name: b.Name, DatapathId: fmt.Sprintf("%016x", b.DatapathID), Role: b.Role, Controllers: h.fleet.cfg.Controllers}}})
	}
	for _, t := range res.Tunnels {
		name := "tunnel/" + t.Name
		if delete(a.portless, name); t.OFPort == 0 {
			a.portless[name] = true
		}
		a.remotes[name] = t.Remote
		out = append(out, &nodev1.Resource{Name: name, Spec: &nodev1.Resource_Tunnel{Tunnel: &nodev1.Tunnel{
			Name: t.Name, Type: t.Type, LocalIp: t.LocalIP.String(), RemoteIp: t.RemoteIP.String()}}})
	}
	for _, b := range res.Ports {
		out = append(out, &nodev1.Resource{Name: "port/" + b.PortID, Spec: &nodev1.Resource_Port{Port: &nodev1.PortBinding{
			PortId: b.PortID, Interface: b.Interface, Vlan: uint32(b.VLAN), MacAddress: b.MAC.String(), NetworkId: b.NetworkID,
			InstalledRevision: installed(h.snap, b.PortID, h.name)}}})
	}
	for _, r := range out {
		r.Version = version(r)
	}
	return out
}

// installed is the revision whose flows are in the switches, for a port that is ACTIVE here; else 0.
func installed(s state.Snapshot, port, host string) int64 {
	if st := s.PortState(port); st != nil && st.Status == model.PortActive && st.Host == host {
		return st.Revision
	}
	return 0
}

// version is a digest of a resource: equal for equal content, whichever controller made it.
func version(r *nodev1.Resource) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		// Only a string that is not UTF-8 can fail, and the API lets none in.
		return err.Error()
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// sendUpserts sends what is new or changed. The first Delta of a stream also tells what stays; what must go stays until
// no flow needs it.
func (a *agent) sendUpserts() {
	if a.session == nil || a.inflight != nil || (len(a.upserts) == 0 && !a.full) {
		return
	}
	d := &nodev1.Delta{Full: a.full}
	for _, name := range slices.Sorted(maps.Keys(a.upserts)) {
		d.Upserts = append(d.Upserts, a.wanted[name])
		a.sent[name] = a.wanted[name].Version
	}
	if a.full {
		for _, name := range slices.Sorted(maps.Keys(a.sent)) {
			if !a.upserts[name] {
				d.Unchanged = append(d.Unchanged, name)
			}
		}
	}
	clear(a.upserts)
	a.full = false
	a.send(d)
}

// sendRemovals takes away what nothing needs. The loop calls it when every bridge has acknowledged the snapshot. A tunnel
// also stays while the host at its other end is being programmed: until then that may still send into it.
func (a *agent) sendRemovals() {
	if a.session == nil || a.inflight != nil || a.full || len(a.removals) == 0 {
		return
	}
	d := &nodev1.Delta{}
	for _, name := range slices.Sorted(maps.Keys(a.removals)) {
		if a.host.fleet.programming(a.remotes[name]) {
			continue
		}
		d.Removed = append(d.Removed, name)
		delete(a.sent, name)
		delete(a.removals, name)
		delete(a.remotes, name)
	}
	if a.held = len(a.removals) > 0; len(d.Removed) > 0 {
		a.send(d)
	}
}

func (a *agent) send(d *nodev1.Delta) {
	a.nonce++
	a.inflight = d
	d.Nonce, d.Revision = fmt.Sprint(a.nonce), a.host.rev
	// On an error the stream is over, and its end is on its way to us.
	if err := a.session.SendDelta(d); err != nil {
		a.host.fleet.cfg.Log.Warn("delta not sent", "host", a.host.name, "err", err)
	}
}

// checkpoint tells the agent which bridges are complete, so that it saves their rows.
func (a *agent) checkpoint() {
	if a.session == nil {
		return
	}
	for name, b := range a.host.bridges {
		if b.changed > a.checkpoints[name] {
			a.checkpoints[name] = b.changed
			if err := a.session.SendCheckpoint(name, b.changed); err != nil {
				a.host.fleet.cfg.Log.Warn("checkpoint not sent", "host", a.host.name, "bridge", name, "err", err)
			}
		}
	}
}

// has says whether the agent has acknowledged the resource as it is wanted now.
func (a *agent) has(name string) bool {
	r := a.wanted[name]
	return a.session != nil && r != nil && a.acked[name] == r.Version && a.failure(name) == nil
}

func (a *agent) failure(name string) *report.Failure {
	for i := range a.failed {
		if a.failed[i].Object == name {
			return &a.failed[i]
		}
	}
	return nil
}

func (a *agent) failures() []report.Failure { return slices.Clone(a.failed) }

func (a *agent) unsettledReason() string {
	switch {
	case a.session == nil:
		return "agent not connected since " + a.since.Format(time.TimeOnly)
	case a.full || a.inflight != nil || len(a.upserts) > 0 || len(a.removals) > 0:
		return "waiting for the agent"
	case len(a.failed) > 0:
		var names []string
		for _, f := range a.failed {
			names = append(names, f.Object+": "+f.Message)
		}
		return strings.Join(names, "; ")
	case len(a.portless) > 0:
		return "waiting for the port number of " + slices.Sorted(maps.Keys(a.portless))[0]
	}
	return ""
}
