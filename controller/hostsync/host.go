package hostsync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-sdn/weft/controller/agentconn"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/openflow/channel"
)

// Retries after a failure.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	// lookAgain is for what waits for other hosts, which nobody announces.
	lookAgain = 20 * time.Millisecond
)

// host is the loop of one host. Everything below the inbox belongs to the loop's goroutine.
type host struct {
	fleet *Fleet
	name  string
	wake  chan struct{} // of size one
	end   chan struct{}

	mu    sync.Mutex
	inbox inbox

	snap    state.Snapshot
	rev     int64
	seen    bool // whether snap is set
	bridges map[string]*bridge
	agent   agent
	// rendered is shared by the bridges, which catch up side by side.
	rendered rendered
	// unsettled are the ports whose state in the store may have to change.
	unsettled map[string]bool
	behind    bool // some of them could not be told to the store yet
	// moving are the routers that move here once their namespaces are made; telling says that the store is being told.
	moving  map[string]bool
	telling atomic.Bool
	retry   time.Duration
	retryAt time.Time

	// told is the store's revision when the agent last acknowledged something. The fleet's lock guards it.
	told int64

	published atomic.Pointer[published]
	// session is the agent's stream, for those who ask outside of the loop; nil while there is none.
	session atomic.Pointer[agentconn.Session]
}

// published is what others may read of a loop.
type published struct {
	report report.Host
	// settled says that everything up to report.Applied, and all that was seen since, is done.
	settled bool
	// reason says what is not done.
	reason string
	// programming says that rows of a connected bridge are about to change.
	programming bool
}

// inbox collects what happened since the loop last looked.
type inbox struct {
	snap     state.Snapshot
	rev      int64
	all      bool
	parts    view.PartSet
	marks    []string
	conns    []bridgeConn
	gone     []lostConn
	foreign  map[string]*foreign
	sessions []sessionEvent
	calls    []func(context.Context)
}

type bridgeConn struct {
	bridge string
	conn   *channel.Conn
}

type lostConn struct {
	bridgeConn
	err error
}

func (in *inbox) see(s state.Snapshot, rev int64) { in.snap, in.rev = s, rev }

func (in *inbox) dirty(parts view.PartSet) {
	if in.parts == nil {
		in.parts = view.PartSet{}
	}
	maps.Copy(in.parts, parts)
}

func newHost(f *Fleet, name string) *host {
	h := &host{fleet: f, name: name, wake: make(chan struct{}, 1), end: make(chan struct{}),
		bridges: map[string]*bridge{}, unsettled: map[string]bool{}, moving: map[string]bool{}}
	h.agent = agent{host: h, since: time.Now()}
	h.published.Store(&published{report: report.Host{Name: name, AgentSince: h.agent.since}, reason: "not looked at yet"})
	return h
}

// post changes the inbox and wakes the loop.
func (h *host) post(change func(*inbox)) {
	h.mu.Lock()
	change(&h.inbox)
	// Until the loop has looked, nobody may believe that it is done.
	q := *h.published.Load()
	if q.settled {
		q.settled, q.reason = false, "being programmed"
	}
	q.programming = q.programming || len(h.inbox.parts) > 0 || h.inbox.all
	h.published.Store(&q)
	h.mu.Unlock()
	h.rouse()
}

// rouse wakes the loop.
func (h *host) rouse() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *host) stop() { close(h.end) }

func (h *host) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-h.end:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() {
		for _, b := range h.bridges {
			b.close()
		}
	}()
	timer := time.NewTimer(h.fleet.cfg.AuditInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-timer.C:
		}
		begin := time.Now()
		h.round(ctx)
		h.fleet.metrics.rounds.WithLabelValues(h.name).Observe(time.Since(begin).Seconds())
		timer.Reset(h.nextLook())
	}
}

// nextLook is how long the loop may sleep when nothing happens.
func (h *host) nextLook() time.Duration {
	next := time.Now().Add(h.fleet.cfg.AuditInterval)
	for _, b := range h.bridges {
		if b.conn != nil && b.auditAt.Before(next) {
			next = b.auditAt
		}
		if b.watchesMeters() && b.metersAt.Before(next) {
			next = b.metersAt
		}
	}
	if !h.retryAt.IsZero() && h.retryAt.Before(next) {
		next = h.retryAt
	}
	if t := h.rendered.held(); !t.IsZero() && t.Before(next) {
		next = t
	}
	return max(time.Until(next), time.Millisecond)
}

// round brings the host as near to what is wanted as can be now.
func (h *host) round(ctx context.Context) {
	in := h.take()
	defer h.rendered.drop(h)
	for _, call := range in.calls {
		call(ctx)
	}
	if h.seen {
		h.bridgeSet()
	}
	for _, g := range in.gone {
		h.lost(g)
	}
	for _, c := range in.conns {
		h.connected(c)
	}
	h.agent.events(in.sessions)
	if !h.seen {
		return
	}
	h.agent.want(in.all, in.parts, in.marks)
	h.agent.sendUpserts()
	h.awaitMoves(in.all, in.parts)
	h.tellPrepared(ctx)
	h.program(ctx, &in)
	h.settlePorts(in)
	if h.bridgesSettled() {
		h.agent.sendRest()
		h.agent.checkpoint()
	}
	h.planRetry()
	h.publish()
}

// take empties the inbox and adopts its snapshot.
func (h *host) take() inbox {
	h.mu.Lock()
	in := h.inbox
	h.inbox = inbox{}
	h.mu.Unlock()
	if in.rev > h.rev || (in.rev > 0 && !h.seen) {
		h.snap, h.rev, h.seen = in.snap, in.rev, true
	}
	return in
}

// bridgeSet keeps one entry for each bridge that the host should have.
func (h *host) bridgeSet() {
	want := map[string]bool{}
	for _, br := range view.PartResources(h.snap, h.name, view.Part{Kind: view.HostPart}).Bridges {
		want[br.Name] = true
		if h.bridges[br.Name] == nil {
			h.bridges[br.Name] = &bridge{host: h, name: br.Name, role: br.Role, since: time.Now(), failed: map[view.Part]string{}}
		}
	}
	for name, b := range h.bridges {
		if !want[name] {
			b.close()
			delete(h.bridges, name)
		}
	}
}

// connected puts a new connection in the place of an older one.
func (h *host) connected(c bridgeConn) {
	b := h.bridges[c.bridge]
	if b == nil {
		c.conn.Close()
		return
	}
	b.close()
	b.conn, b.fresh, b.since, b.err = c.conn, true, time.Now(), ""
	h.fleet.event(h.name, "SwitchConnected", "", "%s of %s connected from %s with OpenFlow %s",
		b.name, h.name, c.conn.RemoteAddr(), c.conn.Version())
}

// connectedBridges are the names of those that have a connection, or one that the loop has not seen yet, sorted.
func (h *host) connectedBridges() (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, b := range h.bridges {
		if b.conn != nil || slices.ContainsFunc(h.inbox.conns, func(c bridgeConn) bool { return c.bridge == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (h *host) lost(g lostConn) {
	b := h.bridges[g.bridge]
	if b == nil || b.conn != g.conn {
		return
	}
	b.conn, b.since = nil, time.Now()
	b.replayed.Store(b.willBeReplayed())
	b.err = "not connected"
	if g.err != nil {
		b.err = g.err.Error()
	}
	h.fleet.event(h.name, "SwitchLost", "", "%s of %s: %s; what is programmed goes on", b.name, h.name, b.err)
}

// program lets every connected bridge catch up, side by side: none waits for another. One that connects meanwhile does not
// wait for the next round: after a start of the controller, or of the switch, all of them come within milliseconds, and to
// compare the first may take as long as to compare the largest.
func (h *host) program(ctx context.Context, in *inbox) {
	finished := make(chan struct{})
	running, started := 0, map[string]bool{}
	start := func(b *bridge) {
		running, started[b.name] = running+1, true
		go func() {
			b.catchUp(ctx, in.foreign[b.name])
			finished <- struct{}{}
		}()
	}
	for _, b := range h.bridges {
		b.dirty(in.all, in.parts)
		if b.conn != nil {
			start(b)
		}
	}
	woken := false
	for running > 0 {
		select {
		case <-finished:
			running--
		case <-h.wake:
			woken = true
			for _, c := range h.newcomers(started) {
				h.connected(c)
				start(h.bridges[c.bridge])
				in.conns = append(in.conns, c)
			}
		}
	}
	if woken {
		h.rouse()
	}
}

// newcomers takes a connection of each bridge that is not at work yet out of the inbox.
func (h *host) newcomers(started map[string]bool) []bridgeConn {
	h.mu.Lock()
	defer h.mu.Unlock()
	var come, rest []bridgeConn
	taken := maps.Clone(started)
	for _, c := range h.inbox.conns {
		if taken[c.bridge] || h.bridges[c.bridge] == nil {
			rest = append(rest, c)
			continue
		}
		taken[c.bridge] = true
		come = append(come, c)
	}
	h.inbox.conns = rest
	return come
}

// bridgesSettled says whether every bridge has all that the snapshot wants.
func (h *host) bridgesSettled() bool {
	for _, b := range h.bridges {
		if !b.settled() {
			return false
		}
	}
	return len(h.bridges) > 0
}

// planRetry makes the loop look again after a failure, later each time.
func (h *host) planRetry() {
	failing := h.behind
	for _, b := range h.bridges {
		failing = failing || (b.conn != nil && !b.settled())
	}
	if !failing {
		h.retry, h.retryAt = 0, time.Time{}
		if h.agent.held {
			h.retryAt = time.Now().Add(lookAgain)
		}
		return
	}
	if h.retryAt.IsZero() || !time.Now().Before(h.retryAt) {
		h.retry = min(max(2*h.retry, firstRetry), lastRetry)
		h.retryAt = time.Now().Add(h.retry)
	}
}

// publish tells others where the loop is.
func (h *host) publish() {
	p := &published{report: report.Host{Name: h.name, AgentConnected: h.agent.session != nil, AgentSince: h.agent.since,
		Failed: h.agent.failures()}}
	for _, b := range h.sortedBridges() {
		p.report.Bridges = append(p.report.Bridges, b.report())
		p.report.Failed = append(p.report.Failed, b.failures()...)
	}
	h.fleet.metrics.agent(h.name, h.agent.count, len(h.agent.failed))
	p.reason = h.unsettledReason()
	p.settled = p.reason == ""
	if old := h.published.Load(); old != nil {
		p.report.Applied = old.report.Applied
	}
	if p.settled && h.fleet.hasSeen(h) {
		p.report.Applied = h.rev
	}
	h.mu.Lock()
	if p.settled && !h.inbox.empty() {
		p.settled, p.reason = false, "being programmed"
	}
	p.programming = len(h.inbox.parts) > 0 || h.inbox.all
	h.published.Store(p)
	h.mu.Unlock()
	h.fleet.mu.Lock()
	h.fleet.progress()
	h.fleet.mu.Unlock()
}

func (in *inbox) empty() bool {
	return in.rev == 0 && len(in.conns) == 0 && len(in.gone) == 0 && len(in.foreign) == 0 && len(in.sessions) == 0
}

// unsettledReason says what keeps the host from being done; empty means nothing does.
func (h *host) unsettledReason() string {
	if !h.seen {
		return "not looked at yet"
	}
	for _, b := range h.sortedBridges() {
		if r := b.unsettledReason(); r != "" {
			return b.name + ": " + r
		}
	}
	if len(h.bridges) == 0 {
		return "its agent has never reported"
	}
	if r := h.agent.unsettledReason(); r != "" {
		return r
	}
	if len(h.moving) > 0 {
		return fmt.Sprintf("%d routers move here", len(h.moving))
	}
	return ""
}

func (h *host) sortedBridges() []*bridge {
	out := make([]*bridge, 0, len(h.bridges))
	for _, name := range slices.Sorted(maps.Keys(h.bridges)) {
		out = append(out, h.bridges[name])
	}
	return out
}

// splitObject cuts "port/1f0c…" into kind and id.
func splitObject(object string) (kind, id string) {
	kind, id, ok := strings.Cut(object, "/")
	if !ok {
		return "", ""
	}
	return kind, id
}
