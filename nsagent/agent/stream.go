package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

const (
	// pingEvery and pingTimeout find a controller that is gone without a word. 10 s is the least that gRPC allows.
	pingEvery   = 10 * time.Second
	pingTimeout = 5 * time.Second
	// maxMessage is the largest Delta: 100,000 resources of 300 bytes, and some.
	maxMessage = 64 << 20
	// outgoing is how many messages may wait for a controller that does not read.
	outgoing = 1024
)

// stream is one conversation with a controller.
type stream struct {
	addr   string
	out    chan *nodev1.SyncRequest
	cancel context.CancelCauseFunc
	// beats hears that the controller has said something, and whether it was that it is there.
	beats chan bool
}

// streamEvent is what happened to a stream: it began (no message, no error), a message came, or it ended.
type streamEvent struct {
	stream  *stream
	message *nodev1.SyncResponse
	err     error
}

var errNotRead = errors.New("the controller does not read what the agent sends")

// send queues a message. A controller that does not read loses the stream, and is told everything on the next.
func (s *stream) send(m *nodev1.SyncRequest) {
	select {
	case s.out <- m:
	default:
		s.cancel(errNotRead)
	}
}

// keepController talks to one controller after the other, as long as each will.
func (a *Agent) keepController(ctx context.Context) {
	wait := dialBackoff()
	var outage once
	for i := 0; ctx.Err() == nil; i++ {
		addr := a.cfg.Controllers[i%len(a.cfg.Controllers)]
		spoke, err := a.talk(ctx, addr)
		if ctx.Err() != nil {
			return
		}
		if spoke {
			wait.Reset()
			outage = once{}
		}
		var elsewhere *leadsElsewhere
		if errors.As(err, &elsewhere) {
			i = slices.Index(a.cfg.Controllers, elsewhere.addr) - 1
			continue
		}
		// A round of all controllers without a pause, then one.
		if whole := (i+1)%len(a.cfg.Controllers) == 0; spoke || whole {
			if whole && outage.now() {
				a.log.Warn("no controller; the host stays as it is", "controller", addr, "err", err)
			}
			sleep(ctx, wait.NextBackOff())
		}
	}
}

func (a *Agent) dial(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(a.cfg.Credentials),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Second, Multiplier: 1, MaxDelay: time.Second}, MinConnectTimeout: pingTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
}

// talk has one conversation. spoke says whether the controller said anything.
func (a *Agent) talk(ctx context.Context, addr string) (spoke bool, err error) {
	conn, err := a.dial(addr)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	rpc, err := nodev1.NewNodeServiceClient(conn).Sync(ctx)
	if err != nil {
		return false, err
	}
	if err := accepted(rpc); err != nil {
		return false, fmt.Errorf("controller %s: %w", addr, err)
	}
	s := &stream{addr: addr, out: make(chan *nodev1.SyncRequest, outgoing), cancel: cancel, beats: make(chan bool, 1)}
	var sender sync.WaitGroup
	defer sender.Wait()
	defer cancel(nil)
	sender.Go(func() { s.write(ctx, rpc) })
	sender.Go(func() { a.heedSilence(ctx, s) })
	if !a.post(ctx, streamEvent{stream: s}) {
		return false, context.Cause(ctx)
	}
	for {
		m, err := rpc.Recv()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			cancel(err)
			a.post(context.WithoutCancel(ctx), streamEvent{stream: s, err: err})
			return spoke, fmt.Errorf("controller %s: %w", addr, err)
		}
		spoke = true
		select {
		case s.beats <- m.GetBeat() != nil:
		default: // of the last one nobody has heard yet
		}
		if m.GetBeat() != nil {
			continue
		}
		if !a.post(ctx, streamEvent{stream: s, message: m}) {
			continue // the reason comes with the next Recv
		}
	}
}

// silence is how long a controller that tells that it is there may say nothing, before the agent asks the others whether one of them leads;
// from then on it asks every askEvery.
const (
	silence  = 3 * time.Second
	askEvery = time.Second
)

// leadsElsewhere is why a stream ends whose controller is silent while another leads.
type leadsElsewhere struct{ addr string }

func (e *leadsElsewhere) Error() string { return "it is silent, and " + e.addr + " leads" }

// heedSilence leaves a controller that has fallen silent for one that leads, as soon as there is one. Its connections alone do not tell:
// they stay when its machine dies, or its process stands still.
func (a *Agent) heedSilence(ctx context.Context, s *stream) {
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for beating := false; ; {
		select {
		case <-ctx.Done():
			return
		case beat := <-s.beats:
			beating = beating || beat
			timer.Reset(silence)
		case <-timer.C:
			if beating {
				if other := a.leads(ctx, s.addr); other != "" {
					s.cancel(&leadsElsewhere{other})
					return
				}
			}
			timer.Reset(askEvery)
		}
	}
}

// leads finds a controller, other than one, that leads.
func (a *Agent) leads(ctx context.Context, but string) (addr string) {
	for _, addr := range a.cfg.Controllers {
		if addr == but {
			continue
		}
		conn, err := a.dial(addr)
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, askEvery)
		r, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
		cancel()
		conn.Close()
		if err == nil && r.GetStatus() == healthv1.HealthCheckResponse_SERVING {
			return addr
		}
	}
	return ""
}

// accepted waits until the controller has taken the stream. One that stands by refuses it, and must not be told what happened meanwhile.
func accepted(rpc grpc.BidiStreamingClient[nodev1.SyncRequest, nodev1.SyncResponse]) error {
	header, err := rpc.Header()
	if err == nil && header == nil {
		_, err = rpc.Recv() // has the reason
	}
	return err
}

func (s *stream) write(ctx context.Context, rpc grpc.BidiStreamingClient[nodev1.SyncRequest, nodev1.SyncResponse]) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-s.out:
			if err := rpc.Send(m); err != nil {
				return // Recv has the reason
			}
		}
	}
}

// post hands an event to the loop.
func (a *Agent) post(ctx context.Context, e streamEvent) bool {
	select {
	case a.streams <- e:
		return true
	case <-a.over:
		return false
	case <-ctx.Done():
		return false
	}
}

// streamEvent takes what happened to a stream.
func (a *Agent) streamEvent(ctx context.Context, e streamEvent) {
	switch {
	case e.message == nil && e.err == nil:
		a.streamUp(e.stream)
	case e.stream != a.stream:
		// An older stream.
	case e.err != nil:
		a.streamDown(e.err)
	case e.message.Epoch < a.epoch:
		err := fmt.Errorf("its mastership epoch %d is older than %d, which this host has seen: another controller took over", e.message.Epoch, a.epoch)
		e.stream.cancel(err)
		a.streamDown(err)
	default:
		a.message(ctx, e.message)
	}
}

// streamUp begins a conversation: who we are, what we hold, what we see, what happened meanwhile.
func (a *Agent) streamUp(s *stream) {
	a.stream, a.delta, a.answered, a.inventory = s, nil, "", nil
	a.replaced, a.called, a.connected = false, false, nil
	a.met.controller.Set(1)
	a.log.Info("controller connected", "controller", s.addr)
	hello := &nodev1.Hello{Host: a.cfg.Host, BootId: a.cfg.BootID, AgentVersion: a.cfg.Version, DatapathType: a.cfg.DatapathType,
		TunnelIp: a.cfg.TunnelIP, BridgeMappings: a.cfg.BridgeMappings, Roles: a.cfg.Roles, ResourceVersions: a.held.versions(), Epoch: a.epoch}
	s.send(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Hello{Hello: hello}})
	for _, n := range a.notices {
		s.send(&nodev1.SyncRequest{Message: &nodev1.SyncRequest_Notice{Notice: n}})
	}
	a.notices = nil
}

func (a *Agent) streamDown(err error) {
	a.log.Warn("controller lost; what it made stays in force", "controller", a.stream.addr, "err", err)
	a.met.controller.Set(0)
	a.stream, a.delta = nil, nil
}

// message takes a message of a controller that is not outdated.
func (a *Agent) message(ctx context.Context, m *nodev1.SyncResponse) {
	raised := m.Epoch > a.epoch
	a.epoch, a.replaced = m.Epoch, a.replaced || raised
	switch msg := m.Message.(type) {
	case *nodev1.SyncResponse_Delta:
		a.takeDelta(msg.Delta, raised)
	case *nodev1.SyncResponse_Checkpoint:
		a.keeper.Checkpoint(msg.Checkpoint.GetBridge(), msg.Checkpoint.GetRevision())
	case *nodev1.SyncResponse_Ask:
		a.answerAsk(ctx, a.stream, msg.Ask)
	default:
		a.log.Warn("message of an unknown kind; the controller is newer than this agent", "controller", a.stream.addr)
	}
}

// takeDelta changes what is desired, and writes it down before anything is answered.
func (a *Agent) takeDelta(d *nodev1.Delta, raised bool) {
	next, touched := a.held.merge(d)
	a.held = next
	a.delta, a.answered, a.quiet = d, "", time.Time{}
	if d.Full {
		a.connected = d.Connected
	}
	a.met.deltas.Inc()
	for _, name := range touched {
		delete(a.settled, name)
		delete(a.late, name)
		a.unsaved[name] = true
	}
	a.log.Debug("delta", "rev", d.Revision, "full", d.Full, "touched", len(touched), "rejected", len(next.rejected))
	a.met.resources.Set(float64(len(next.resources)))
	a.keepFlows()
	a.forgetPlugs()
	a.wantSpaces()
	// Beside the work on namespaces; the switch is not touched, and nothing answered, before it is done.
	if len(touched) > 0 || raised || len(a.unsaved) > 0 {
		a.save()
	}
}

// save writes the desired state to disk. What could not be written is told with the answer and tried again.
func (a *Agent) save() {
	if err := a.dir.Save(a.held.state(a.epoch)); err != nil {
		a.log.Error("desired state not saved", "err", err)
		a.saveErr, a.saveAt = err, time.Now().Add(firstRetry)
		return
	}
	clear(a.unsaved)
	a.saveErr, a.saveAt = nil, time.Time{}
}
