package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weft-sdn/weft/openflow"
)

// Config is how a channel behaves. The zero value is usable.
type Config struct {
	// Versions are offered in the hello. Default 1.4 and 1.3: both have bundles and the flow monitor in Open vSwitch,
	// and rows read back as they were written.
	Versions []openflow.Version
	// EchoInterval is how long the peer may be silent before it is asked for a sign of life; default 5 s.
	EchoInterval time.Duration
	// EchoTimeout is how long it may then be silent before it is cut off, and how long the rest of a message may take;
	// default 10 s.
	EchoTimeout time.Duration
	// WriteTimeout is how long one write may take before the peer is cut off; default 10 s.
	WriteTimeout time.Duration
	// HandshakeTimeout bounds the whole handshake; default 10 s.
	HandshakeTimeout time.Duration
	// MaxQueue is about how many bytes may wait to be written; default 1 MiB. Requests wait for room.
	MaxQueue int
	// Events is told what nobody asked for. Nil: it is dropped.
	Events Events
}

// Events takes what a switch says by itself. The methods run in the channel's reader, in order; they must not block, must
// not wait for an answer on this channel, and must not keep the messages, whose bytes are used again.
type Events interface {
	// Message takes packet-in, flow-removed, port-status, role-status and the like.
	Message(c *Conn, h openflow.Header, m openflow.Message)
	// FlowUpdates takes what the flow monitor tells, after Monitor: a body for openflow.EachFlowUpdate.
	FlowUpdates(c *Conn, body []byte)
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.EchoInterval, 5*time.Second)
	def(&c.EchoTimeout, 10*time.Second)
	def(&c.WriteTimeout, 10*time.Second)
	def(&c.HandshakeTimeout, 10*time.Second)
	if c.MaxQueue == 0 {
		c.MaxQueue = 1 << 20
	}
	if len(c.Versions) == 0 {
		c.Versions = []openflow.Version{openflow.V14, openflow.V13}
	}
	return c
}

// ErrClosed is the error of a channel that was closed by Close.
var ErrClosed = errors.New("closed")

// Conn is a channel after its handshake. All methods may be called concurrently.
type Conn struct {
	cfg      Config
	nc       net.Conn
	version  openflow.Version
	features openflow.FeaturesReply

	done  chan struct{}
	close sync.Once
	err   error // set before done is closed

	queue queue
	ops   ops
	in    reader

	stats struct{ flowMods, errors, sent, received atomic.Uint64 }
}

// Stats counts what went over a channel.
type Stats struct {
	// FlowMods were sent, committed or not; Errors came back.
	FlowMods, Errors uint64
	// BytesSent and BytesReceived include headers.
	BytesSent, BytesReceived uint64
}

// DatapathID is the number that the switch presented in its features reply.
func (c *Conn) DatapathID() uint64 { return c.features.DatapathID }

// Version is the wire version that was agreed on.
func (c *Conn) Version() openflow.Version { return c.version }

// Features is what the switch presented.
func (c *Conn) Features() openflow.FeaturesReply { return c.features }

// RemoteAddr is the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Done is closed when the channel is over.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the channel is over: nil before Done, ErrClosed after Close.
func (c *Conn) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Stats returns the counts so far.
func (c *Conn) Stats() Stats {
	return Stats{FlowMods: c.stats.flowMods.Load(), Errors: c.stats.errors.Load(),
		BytesSent: c.stats.sent.Load(), BytesReceived: c.stats.received.Load()}
}

// Close ends the channel. What is under way fails with ErrClosed.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	return nil
}

// fail ends the channel for a reason.
func (c *Conn) fail(err error) {
	c.close.Do(func() {
		c.err = err
		close(c.done)
		c.nc.Close()
		c.queue.wake()
		c.ops.endAll()
	})
}

// configure lets rows match the ports of fragments, and asks for no bytes of packets. The switch keeps that for all
// channels, and forgets it when it restarts. It does not answer.
func (c *Conn) configure() error {
	return c.writeNow(&openflow.SetConfig{SwitchConfig: openflow.SwitchConfig{Flags: openflow.FragmentsKnown}}, c.version, 3)
}

// Handshake says hello on a fresh connection, agrees on a version and learns who the peer is. The connection belongs to
// the channel from now on, and is closed when Handshake fails.
func (c Config) Handshake(ctx context.Context, nc net.Conn) (*Conn, error) {
	cfg := c.withDefaults()
	conn := &Conn{cfg: cfg, nc: nc, done: make(chan struct{}), in: reader{nc: nc}}
	conn.queue.init(cfg.MaxQueue)
	conn.ops.init()
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.HandshakeTimeout, fmt.Errorf("not done in %v", cfg.HandshakeTimeout))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	err := conn.handshake()
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("OpenFlow handshake: %w", err)
	}
	nc.SetDeadline(time.Time{})
	go conn.readLoop()
	go conn.writeLoop()
	return conn, nil
}

func (c *Conn) handshake() error {
	highest := openflow.Version(0)
	for _, v := range c.cfg.Versions {
		highest = max(highest, v)
	}
	if err := c.writeNow(openflow.NewHello(c.cfg.Versions...), highest, 1); err != nil {
		return err
	}
	h, m, err := c.readNow()
	if err != nil {
		return err
	}
	hello := m.(*openflow.Hello)
	if c.version, err = openflow.Negotiate(c.cfg.Versions, h, hello); err != nil {
		refusal := &openflow.Error{Type: openflow.ErrorHelloFailed, Data: []byte(err.Error())}
		return errors.Join(err, c.writeNow(refusal, min(highest, h.Version), h.XID))
	}
	if err := c.writeNow(&openflow.FeaturesRequest{}, c.version, 2); err != nil {
		return err
	}
	for {
		h, m, err := c.readNow()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *openflow.FeaturesReply:
			c.features = *m
			return c.configure()
		case *openflow.EchoRequest:
			if err := c.writeNow(&openflow.EchoReply{Data: m.Data}, c.version, h.XID); err != nil {
				return err
			}
		case *openflow.Error:
			return fmt.Errorf("the peer refuses: %w", m)
		}
	}
}

// writeNow and readNow are for the handshake, when no goroutine reads or writes yet.
func (c *Conn) writeNow(m openflow.Message, v openflow.Version, xid uint32) error {
	_, err := c.nc.Write(m.Append(nil, v, xid))
	return err
}

func (c *Conn) readNow() (openflow.Header, openflow.Message, error) {
	b, err := c.in.next(c.accept)
	if err != nil {
		return openflow.Header{}, nil, err
	}
	return openflow.Parse(b)
}

// accept judges a message by its header.
func (c *Conn) accept(h openflow.Header) error {
	switch {
	case c.version == 0 && h.Type != openflow.TypeHello:
		return fmt.Errorf("it begins with %v of version %v, not with a hello", h.Type, h.Version)
	case c.version != 0 && h.Version != c.version && h.Type != openflow.TypeHello:
		return fmt.Errorf("%v of version %v after %v was agreed on", h.Type, h.Version, c.version)
	}
	return nil
}

// readLoop takes messages until the channel is over.
func (c *Conn) readLoop() {
	for {
		b, err := c.nextMessage()
		if err == nil {
			err = c.take(b)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("the peer closed the connection: %w", err)
			} else {
				err = fmt.Errorf("after %d bytes from the peer: %w", c.stats.received.Load(), err)
			}
			c.fail(err)
			c.in.release()
			return
		}
		c.stats.received.Add(uint64(len(b)))
	}
}

// nextMessage waits for a message. When the peer is silent it is asked for a sign of life, once.
func (c *Conn) nextMessage() ([]byte, error) {
	asked := false
	for {
		wait := c.cfg.EchoInterval
		if asked {
			wait = c.cfg.EchoTimeout
		}
		c.nc.SetReadDeadline(time.Now().Add(wait))
		err := c.in.await()
		switch {
		case err == nil:
			c.nc.SetReadDeadline(time.Now().Add(c.cfg.EchoTimeout))
			return c.in.next(c.accept)
		case !isTimeout(err):
			return nil, err
		case asked:
			return nil, fmt.Errorf("silent for %v, and no answer to an echo request", c.cfg.EchoInterval+c.cfg.EchoTimeout)
		}
		asked = true
		if err := c.answer(&openflow.EchoRequest{}, 0); err != nil {
			return nil, err
		}
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return err != nil && errors.As(err, &t) && t.Timeout()
}

// answerRoom is how far answers to the peer may go over the limit of the queue.
const answerRoom = 64 << 10

// answer queues a message out of turn: the reader must not wait for room.
func (c *Conn) answer(m openflow.Message, xid uint32) error {
	if n := c.queue.waiting(); n > c.cfg.MaxQueue+answerRoom {
		return fmt.Errorf("the peer asks and does not read: %d bytes wait to be written", n)
	}
	c.queue.push(0, func(b []byte) []byte { return m.Append(b, c.version, xid) })
	return nil
}

// isAnswer says whether messages of a type answer one of ours. A switch gives the others xids of its own choice.
func isAnswer(t openflow.Type) bool {
	switch t {
	case openflow.TypeHello, openflow.TypeEchoRequest, openflow.TypePacketIn, openflow.TypeFlowRemoved, openflow.TypePortStatus,
		openflow.TypeRoleStatus, openflow.TypeTableStatus, openflow.TypeRequestForward:
		return false
	}
	return true
}

// take hands one message to whom it concerns.
func (c *Conn) take(b []byte) error {
	h, err := openflow.ParseHeader(b)
	if err != nil {
		return err
	}
	if h.Type == openflow.TypeError {
		c.stats.errors.Add(1)
	}
	if h.XID != 0 && isAnswer(h.Type) {
		if taken, err := c.ops.take(h, b); taken || err != nil {
			return err
		}
	}
	_, m, err := openflow.Parse(b)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *openflow.EchoRequest:
		return c.answer(&openflow.EchoReply{Data: m.Data}, h.XID)
	case *openflow.MultipartReply:
		if m.Type == openflow.MultipartFlowMonitor {
			c.updates(m.Body)
		}
	case *openflow.Hello, *openflow.EchoReply, *openflow.Error, *openflow.BarrierReply, *openflow.BundleControl, *openflow.RoleReply:
		// Answers that nobody waits for, or does not any more.
	default:
		if c.cfg.Events != nil {
			c.cfg.Events.Message(c, h, m)
		}
	}
	return nil
}
