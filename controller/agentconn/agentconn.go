// Package agentconn is the controller's end of the streams on which node agents receive what must be true on their
// host (proto/weft/node/v1). It knows who is connected, keeps what they report in the store, and hands messages both
// ways; what to send is the host loop's business.
//
// An agent proves who it is by its TLS certificate, whose common name or DNS name must be the host's name. Without TLS
// (an explicit --insecure) a name belongs to the address that holds it, as long as that stream lives.
package agentconn

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// helloTimeout is how long a new stream may stay silent.
const helloTimeout = 10 * time.Second

// Facts keeps what agents report.
type Facts interface {
	// ReportHost records what a host says of itself and makes the host known if it was not. A nil Ports keeps the
	// ports, and the version of Open vSwitch, that were reported before.
	ReportHost(ctx context.Context, f *model.HostFacts) error
	// ReportInterfaces records the interfaces of a host's br-int; full means that others are gone.
	ReportInterfaces(ctx context.Context, host string, full bool, upserts []model.Interface, removed []string) error
}

// Handler is told about streams. Its methods must not block.
type Handler interface {
	AgentConnected(s *Session)
	AgentDisconnected(s *Session, err error)
	// AgentAcked says that the Delta with that nonce is in force but for what failed.
	AgentAcked(s *Session, nonce string, failed []report.Failure)
	// AgentNotice passes on what the agent finds worth telling.
	AgentNotice(s *Session, reason, message, resource string)
}

// Server implements the NodeService.
type Server struct {
	nodev1.UnimplementedNodeServiceServer

	facts   Facts
	handler Handler
	epoch   uint64
	log     *slog.Logger
	signs   signs

	mu       sync.Mutex
	sessions map[string]*Session
}

// New makes a server. The epoch goes with every message, so that agents can refuse an outdated controller.
func New(facts Facts, handler Handler, epoch uint64, log *slog.Logger) *Server {
	return &Server{facts: facts, handler: handler, epoch: epoch, log: log, sessions: map[string]*Session{}}
}

// Register adds the service to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) { nodev1.RegisterNodeServiceServer(r, s) }

// Session is the stream of one agent.
type Session struct {
	// Host is the host's name.
	Host string
	// Versions is what the agent held when it connected: resource name → version.
	Versions map[string]string

	addr   string
	hello  *nodev1.Hello
	epoch  uint64
	out    chan *nodev1.SyncResponse
	cancel context.CancelCauseFunc
	ctx    context.Context
	// inventory is the last known state of the interfaces; only the stream's reader uses it.
	inventory map[string]*nodev1.InterfaceFact
	// version is Open vSwitch's, as it was told with the inventory.
	version   string
	questions questions
	conn      *heardConn // nil when it did not come by a listener of Heard
}

// Done is closed when the stream has ended.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// SendDelta queues a Delta. The caller sends one at a time and waits for its acknowledgement, which bounds the queue.
func (s *Session) SendDelta(d *nodev1.Delta) error {
	return s.send(&nodev1.SyncResponse{Epoch: s.epoch, Message: &nodev1.SyncResponse_Delta{Delta: d}})
}

// SendCheckpoint tells the agent that a bridge's flows are complete at a revision.
func (s *Session) SendCheckpoint(bridge string, revision int64) error {
	return s.send(&nodev1.SyncResponse{Epoch: s.epoch, Message: &nodev1.SyncResponse_Checkpoint{
		Checkpoint: &nodev1.Checkpoint{Bridge: bridge, Revision: revision}}})
}

// beatEvery is how often an agent is told that the controller is there.
const beatEvery = time.Second

var errQueueFull = errors.New("the agent does not read: its queue is full")

func (s *Session) send(m *nodev1.SyncResponse) error {
	select {
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	case s.out <- m:
		return nil
	default:
		s.cancel(errQueueFull)
		return errQueueFull
	}
}

// Sync serves one agent.
func (s *Server) Sync(stream grpc.BidiStreamingServer[nodev1.SyncRequest, nodev1.SyncResponse]) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	// The agent speaks when it knows that this controller takes it.
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	in := make(chan *nodev1.SyncRequest)
	go receive(ctx, stream, in, cancel)

	hello, err := awaitHello(ctx, in)
	if err != nil {
		return err
	}
	p, _ := peer.FromContext(ctx)
	if err := authenticate(p, hello.Host); err != nil {
		s.log.Warn("agent refused", "host", hello.Host, "remote", remote(p), "err", err)
		return err
	}
	facts, err := hostFacts(hello)
	if err != nil {
		return err
	}
	if hello.Epoch > s.epoch {
		return status.Errorf(codes.FailedPrecondition,
			"this controller's epoch %d is older than %d, which the agent has seen: another controller took over", s.epoch, hello.Epoch)
	}
	sess := &Session{Host: hello.Host, Versions: hello.ResourceVersions, addr: remote(p), hello: hello, epoch: s.epoch,
		out: make(chan *nodev1.SyncResponse, 64), cancel: cancel, ctx: ctx, inventory: map[string]*nodev1.InterfaceFact{},
		conn: s.signs.find(remote(p))}
	if err := s.admit(sess); err != nil {
		s.log.Warn("agent refused", "host", hello.Host, "remote", sess.addr, "err", err)
		return err
	}
	defer s.remove(sess)

	if err := s.facts.ReportHost(ctx, facts); err != nil {
		return status.Errorf(codes.Unavailable, "host %s: %v", hello.Host, err)
	}
	s.handler.AgentConnected(sess)
	err = s.serve(sess, stream, in)
	s.handler.AgentDisconnected(sess, err)
	return err
}

func (s *Server) serve(sess *Session, stream grpc.BidiStreamingServer[nodev1.SyncRequest, nodev1.SyncResponse], in <-chan *nodev1.SyncRequest) error {
	go func() {
		beat := time.NewTicker(beatEvery)
		defer beat.Stop()
		for {
			m := &nodev1.SyncResponse{Epoch: sess.epoch, Message: &nodev1.SyncResponse_Beat{Beat: &nodev1.Beat{}}}
			select {
			case <-sess.ctx.Done():
				return
			case m = <-sess.out:
			case <-beat.C:
			}
			if err := stream.Send(m); err != nil {
				sess.cancel(err)
				return
			}
		}
	}()
	for {
		select {
		case <-sess.ctx.Done():
			return ended(context.Cause(sess.ctx))
		case m := <-in:
			if err := s.message(sess, m); err != nil {
				return err
			}
		}
	}
}

// ended turns the end of a stream into what the agent is told.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Unavailable, err.Error())
}

func (s *Server) message(sess *Session, m *nodev1.SyncRequest) error {
	switch m := m.Message.(type) {
	case *nodev1.SyncRequest_Ack:
		s.handler.AgentAcked(sess, m.Ack.Nonce, nil)
	case *nodev1.SyncRequest_Nack:
		var failed []report.Failure
		for _, e := range m.Nack.Errors {
			msg := e.Message
			if e.Field != "" {
				msg = e.Field + ": " + msg
			}
			failed = append(failed, report.Failure{Object: e.Resource, Reason: e.Reason, Message: msg})
		}
		s.handler.AgentAcked(sess, m.Nack.Nonce, failed)
	case *nodev1.SyncRequest_Notice:
		s.handler.AgentNotice(sess, m.Notice.Reason, m.Notice.Message, m.Notice.Resource)
	case *nodev1.SyncRequest_Answer:
		sess.questions.answer(m.Answer)
	case *nodev1.SyncRequest_Inventory:
		if err := s.inventory(sess, m.Inventory); err != nil {
			return status.Errorf(codes.Unavailable, "host %s: inventory: %v", sess.Host, err)
		}
	default:
		return status.Errorf(codes.InvalidArgument, "host %s: %T is not expected here", sess.Host, m)
	}
	return nil
}

// inventory records interfaces: those of br-int that a port may own one by one, patch and tunnel ports by name in the
// host's facts.
func (s *Server) inventory(sess *Session, inv *nodev1.Inventory) error {
	before := ports(sess.inventory)
	if inv.Full {
		sess.inventory = map[string]*nodev1.InterfaceFact{}
	}
	for _, name := range inv.RemovedInterfaces {
		delete(sess.inventory, name)
	}
	var upserts []model.Interface
	removed := slices.Clone(inv.RemovedInterfaces)
	for _, f := range inv.Interfaces {
		sess.inventory[f.Name] = f
		switch {
		case !carriesPort(f):
		case f.Ofport == 0:
			removed = append(removed, f.Name)
		default:
			i := model.Interface{Host: sess.Host, Name: f.Name, OFPort: f.Ofport,
				IfaceID: f.IfaceId, AttachedMAC: f.AttachedMac, Firewalled: f.Firewalled}
			if bad := i.Validate(); len(bad) > 0 {
				// Anybody may write into the switch's database. What no port can be called is told, and keeps no other interface
				// of the host from being bound.
				s.handler.AgentNotice(sess, "InterfaceRefused", fmt.Sprintf("interface %q: %v", f.Name, &model.Invalid{Violations: bad}), "interface/"+f.Name)
				removed = append(removed, f.Name)
				continue
			}
			upserts = append(upserts, i)
		}
	}
	if inv.OvsVersion != nil {
		sess.version = *inv.OvsVersion
		if bad := (&model.HostFacts{Host: sess.Host, OVSVersion: sess.version}).Validate(); len(bad) > 0 {
			sess.version = "" // anybody may write into the switch's database
		}
	}
	if after := ports(sess.inventory); inv.Full || inv.OvsVersion != nil || !maps.Equal(before, after) {
		facts, err := hostFacts(sess.hello)
		if err != nil {
			return err
		}
		facts.Ports, facts.OVSVersion = after, sess.version
		if err := s.facts.ReportHost(sess.ctx, facts); err != nil {
			return err
		}
	}
	if len(upserts) == 0 && len(removed) == 0 && !inv.Full {
		return nil
	}
	return s.facts.ReportInterfaces(sess.ctx, sess.Host, inv.Full, upserts, removed)
}

// carriesPort says whether an interface can carry a port: anything on br-int that is not plumbing.
func carriesPort(f *nodev1.InterfaceFact) bool {
	return f.Bridge == "br-int" && f.Type != "patch" && f.Name != f.Bridge
}

// ports lists the plumbing that OVS could really add.
func ports(inv map[string]*nodev1.InterfaceFact) map[string]uint32 {
	out := map[string]uint32{}
	for name, f := range inv {
		switch f.Type {
		case "patch", model.VXLAN, model.GRE, model.Geneve:
			if f.Ofport != 0 {
				out[name] = f.Ofport
			}
		}
	}
	return out
}

func (s *Server) admit(sess *Session) error {
	s.mu.Lock()
	old := s.sessions[sess.Host]
	if old != nil && host(old.addr) != host(sess.addr) {
		s.mu.Unlock()
		return status.Errorf(codes.AlreadyExists,
			"host %s is connected from %s; an agent may present only its own host's name", sess.Host, old.addr)
	}
	s.sessions[sess.Host] = sess
	s.mu.Unlock()
	if old != nil {
		old.cancel(status.Errorf(codes.Aborted, "host %s: replaced by a newer stream", sess.Host))
	}
	return nil
}

func (s *Server) remove(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[sess.Host] == sess {
		delete(s.sessions, sess.Host)
	}
}

func receive(ctx context.Context, stream grpc.BidiStreamingServer[nodev1.SyncRequest, nodev1.SyncResponse], in chan<- *nodev1.SyncRequest, cancel context.CancelCauseFunc) {
	for {
		m, err := stream.Recv()
		if err != nil {
			cancel(err)
			return
		}
		select {
		case in <- m:
		case <-ctx.Done():
			return
		}
	}
}

func awaitHello(ctx context.Context, in <-chan *nodev1.SyncRequest) (*nodev1.Hello, error) {
	t := time.NewTimer(helloTimeout)
	defer t.Stop()
	select {
	case m := <-in:
		if h := m.GetHello(); h != nil {
			return h, nil
		}
		return nil, status.Error(codes.InvalidArgument, "the first message must be a hello")
	case <-t.C:
		return nil, status.Errorf(codes.DeadlineExceeded, "no hello within %v", helloTimeout)
	case <-ctx.Done():
		return nil, ended(context.Cause(ctx))
	}
}

// hostFacts checks a hello and turns it into facts without ports.
func hostFacts(h *nodev1.Hello) (*model.HostFacts, error) {
	if h.Host == "" || len(h.Host) > 253 {
		return nil, status.Errorf(codes.InvalidArgument, "host: a hostname of 1 to 253 characters is needed, not %q", h.Host)
	}
	f := &model.HostFacts{Host: h.Host, BootID: h.BootId, AgentVersion: h.AgentVersion,
		DatapathType: h.DatapathType, BridgeMappings: h.BridgeMappings, Roles: h.Roles}
	if h.TunnelIp != "" {
		ip, err := netip.ParseAddr(h.TunnelIp)
		if err != nil || ip.Zone() != "" {
			return nil, status.Errorf(codes.InvalidArgument, "host %s: tunnel_ip: %q is not an IP address", h.Host, h.TunnelIp)
		}
		f.TunnelIP = ip.Unmap()
	}
	return f, nil
}

// authenticate holds a TLS peer to the name in its certificate.
func authenticate(p *peer.Peer, name string) error {
	if p == nil {
		return status.Error(codes.Unauthenticated, "no peer")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil // plaintext, which only --insecure or loopback allow
	}
	if len(info.State.PeerCertificates) == 0 {
		return status.Error(codes.Unauthenticated, "a client certificate is needed")
	}
	cert := info.State.PeerCertificates[0]
	if !slices.Contains(names(cert), name) {
		return status.Errorf(codes.PermissionDenied, "the certificate is for %q, not for host %q", names(cert), name)
	}
	return nil
}

func names(c *x509.Certificate) []string {
	return append([]string{c.Subject.CommonName}, c.DNSNames...)
}

func remote(p *peer.Peer) string {
	if p == nil || p.Addr == nil {
		return ""
	}
	return p.Addr.String()
}

func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}

// String names the session for logs.
func (s *Session) String() string { return fmt.Sprintf("%s (%s)", s.Host, s.addr) }
