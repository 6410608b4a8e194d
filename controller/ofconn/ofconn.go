package ofconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/weft-sdn/weft/openflow"
	"github.com/weft-sdn/weft/openflow/channel"
)

// Handler is told of switches. Its methods are called by one goroutine for each connection and must not block.
type Handler interface {
	// Admit says whether a switch with that datapath id may connect. Its error is logged and the connection closed.
	Admit(datapathID uint64, remote net.Addr) error
	// Connected gives the handler an admitted connection. An earlier one of the same switch was Disconnected before.
	Connected(*channel.Conn)
	// Disconnected tells that a connection which was Connected is over, and why. channel.ErrClosed: we closed it.
	Disconnected(*channel.Conn, error)
}

// Config is how switches connect. The zero value is usable.
type Config struct {
	// Channel is how each connection behaves.
	Channel channel.Config
	// TLS, if set, is demanded of every peer.
	TLS *tls.Config
	// MaxHandshakes is how many connections may be under way to being admitted; further ones wait to be accepted. Default
	// 256.
	MaxHandshakes int
	// ProbeTimeout is how long a connected switch has to answer when another with its datapath id turns up; if it does
	// not, the newcomer takes its place. Default 2 s.
	ProbeTimeout time.Duration
	// Log is where cuts are told. Default slog.Default.
	Log *slog.Logger
}

// errReplaced is why a connection ended whose switch did not answer while another connection with its datapath id came.
var errReplaced = errors.New("it does not answer, and a newer connection takes its place")

func (c Config) withDefaults() Config {
	if c.MaxHandshakes == 0 {
		c.MaxHandshakes = 256
	}
	if c.ProbeTimeout == 0 {
		c.ProbeTimeout = 2 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Serve accepts connections until the context ends; then it closes the listener and all connections, waits until all
// are Disconnected, and returns nil. Any other error is the listener's.
func (c Config) Serve(ctx context.Context, l net.Listener, h Handler) error {
	s := &server{Config: c.withDefaults(), handler: h, switches: map[uint64]*connected{}}
	s.slots = make(chan struct{}, s.MaxHandshakes)
	s.refusals = newRefusals(s.Log)
	ctx, cancel := context.WithCancel(ctx)
	defer s.conns.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		nc, err := accept(ctx, l, s.Log)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept OpenFlow connections on %v: %w", l.Addr(), err)
		}
		s.conns.Go(func() { s.serve(ctx, nc) })
	}
}

// accept waits for a connection. When only this one could not be had, as when files run out, it tries again.
func accept(ctx context.Context, l net.Listener, log *slog.Logger) (net.Conn, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		nc, err := l.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) || !isPassing(err) {
			return nc, err
		}
		log.Warn("OpenFlow connection not accepted; trying again", "listen", l.Addr().String(), "err", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type server struct {
	Config
	handler  Handler
	slots    chan struct{} // taken by connections that are not admitted yet
	conns    sync.WaitGroup
	refusals *refusals

	mu       sync.Mutex
	switches map[uint64]*connected
}

// connected is an admitted connection. gone is closed after Disconnected.
type connected struct {
	conn *channel.Conn
	gone chan struct{}
	why  error // why we closed it; guarded by server.mu
}

// serve takes one connection from its first byte to its last.
func (s *server) serve(ctx context.Context, nc net.Conn) {
	remote := nc.RemoteAddr()
	if s.TLS != nil {
		nc = tls.Server(nc, s.TLS)
	}
	conn, c, err := s.admit(ctx, nc)
	<-s.slots
	if err != nil {
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, syscall.ECONNRESET):
			// A switch that was told to connect anew, as agents do when a controller is back. Nobody was refused.
			s.Log.Debug("OpenFlow connection given up by the switch", "remote", remote.String(), "err", err)
		default:
			s.refusals.log(remote, err)
		}
		return
	}
	defer close(c.gone)
	select {
	case <-conn.Done():
	case <-ctx.Done():
		conn.Close()
		<-conn.Done()
	}
	s.mu.Lock()
	err = conn.Err()
	if c.why != nil {
		err = c.why
	}
	if s.switches[conn.DatapathID()] == c {
		delete(s.switches, conn.DatapathID())
	}
	s.mu.Unlock()
	s.handler.Disconnected(conn, err)
	if !errors.Is(err, channel.ErrClosed) {
		s.Log.Warn("OpenFlow connection cut", "remote", remote.String(), "datapath", datapath(conn.DatapathID()), "err", err)
	}
}

// admit makes a switch of a connection.
func (s *server) admit(ctx context.Context, nc net.Conn) (*channel.Conn, *connected, error) {
	conn, err := s.Channel.Handshake(ctx, nc)
	if err != nil {
		return nil, nil, err
	}
	if err := s.handler.Admit(conn.DatapathID(), conn.RemoteAddr()); err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("switch %s refused: %w", datapath(conn.DatapathID()), err)
	}
	c := &connected{conn: conn, gone: make(chan struct{})}
	if err := s.register(ctx, c); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, c, nil
}

// register makes c the connection of its switch. One that is there already stays if it answers: two switches that have
// one datapath id must not throw each other out for ever.
func (s *server) register(ctx context.Context, c *connected) error {
	id := c.conn.DatapathID()
	for {
		s.mu.Lock()
		old := s.switches[id]
		if old == nil {
			s.switches[id] = c
			s.handler.Connected(c.conn)
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		probe, cancel := context.WithTimeout(ctx, s.ProbeTimeout)
		_, err := old.conn.Request(probe, &openflow.EchoRequest{})
		cancel()
		if err == nil {
			return fmt.Errorf("switch %s refused: it is connected from %v already, and answers there", datapath(id), old.conn.RemoteAddr())
		}
		s.mu.Lock()
		if old.why == nil && old.conn.Err() == nil {
			old.why = errReplaced
		}
		s.mu.Unlock()
		old.conn.Close()
		select {
		case <-old.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func datapath(id uint64) string { return fmt.Sprintf("%016x", id) }
