package hostsync

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/report"
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
	f.health.feel(s.Host, true, func(p *pulse) { p.agent = s })
	f.agentEvent(sessionEvent{session: s, kind: sessionConnected})
}

// AgentDisconnected implements agentconn.Handler.
func (f *Fleet) AgentDisconnected(s *agentconn.Session, err error) {
	f.health.feel(s.Host, false, func(p *pulse) {
		p.listen(time.Now())
		if p.agent == s {
			p.agent = nil
		}
	})
	f.agentEvent(sessionEvent{session: s, kind: sessionGone, err: err})
}

// AgentAcked implements agentconn.Handler. What the agent said before, such as that a device of a router has come to br-int, is in
// the store: the host is not done before that has come round, and rows are made of it.
func (f *Fleet) AgentAcked(s *agentconn.Session, nonce string, failed []report.Failure) {
	_, rev := f.cfg.Store.Snapshot()
	f.mu.Lock()
	if h := f.hosts[s.Host]; h != nil {
		h.told = rev
	}
	f.mu.Unlock()
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
		switch e.kind {
		case sessionConnected:
			h.session.Store(e.session)
		case sessionGone:
			h.session.CompareAndSwap(e.session, nil)
		}
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
	// lacking are the parts that lack something on the host, and what: the OpenFlow port number of a tunnel or of the device
	// of a namespace, which no row can lead to yet, or a local VLAN.
	lacking map[view.Part]string
	remotes map[string]string // tunnel → the host at its other end
	// count is how many of each kind are wanted.
	count map[string]int

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
		a.wantPart(p, view.PartResources(a.host.snap, a.host.name, p))
	}
	for _, id := range marks {
		p := view.Part{Kind: view.PortPart, ID: id}
		a.wantPart(p, view.PartResources(a.host.snap, a.host.name, p))
	}
}

func (a *agent) wantAll() {
	a.wanted, a.owner, a.byPart = map[string]*nodev1.Resource{}, map[string]view.Part{}, map[view.Part][]string{}
	a.removals, a.lacking, a.count = map[string]bool{}, map[view.Part]string{}, map[string]int{}
	if h, ok := view.ForHost(a.host.snap, a.host.name); ok {
		l := view.NewLookup(a.host.snap, h)
		for p := range view.ResourceParts(a.host.snap, a.host.name) {
			a.wantPart(p, l.Resources(p))
		}
	}
	for name := range a.sent {
		if a.wanted[name] == nil {
			a.removals[name] = true
		}
	}
}

func (a *agent) wantPart(p view.Part, res view.Resources) {
	was := a.byPart[p]
	delete(a.byPart, p)
	if delete(a.lacking, p); lack(res) != "" {
		a.lacking[p] = lack(res)
	}
	for _, r := range a.spell(res) {
		if a.wanted[r.Name] == nil {
			a.count[kindOf(r.Name)]++
		}
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
			a.count[kindOf(name)]--
			if _, there := a.sent[name]; there {
				a.removals[name] = true
			}
		}
	}
}

// checkpoint tells the agent which bridges are complete, so that it saves their rows.
func (a *agent) checkpoint() {
	if a.session == nil {
		return
	}
	for name, b := range a.host.bridges {
		if b.changed > a.checkpoints[name] || b.retell {
			a.checkpoints[name], b.retell = b.changed, false
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
	case len(a.lacking) > 0:
		return "waiting for " + slices.Sorted(maps.Values(a.lacking))[0]
	}
	return ""
}

// lack is the first thing that resources lack to be of use; else "".
func lack(res view.Resources) string {
	for _, t := range res.Tunnels {
		if t.OFPort == 0 {
			return "the port number of " + tunnelName(t)
		}
	}
	for _, t := range res.Taps {
		if t.OFPort == 0 {
			return "the port of " + t.Name
		}
	}
	for _, n := range res.Uncarried {
		return "a local VLAN for network " + n
	}
	return ""
}

// kindOf is what stands before the id in a resource's name.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	return kind
}
