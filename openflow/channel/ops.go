package channel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/weft-sdn/weft/openflow"
)

// ops are the operations that wait for answers, by the xids that they use.
type ops struct {
	mu   sync.Mutex
	xid  uint32
	over bool
	one  map[uint32]*op
	// runs are operations with many xids in a row; there are few at a time.
	runs []*op
}

// op is one operation: a request, a dump, a window of flow-mods.
type op struct {
	first, last uint32
	// take is given each message that carries one of the xids, in the reader. It returns true when the operation is over.
	take func(h openflow.Header, b []byte) (over bool, err error)

	mu       sync.Mutex // held while take runs
	ended    bool
	once     sync.Once
	finished chan struct{}
	err      error
}

func (o *ops) init() {
	o.xid = 16 // the handshake used the first ones
	o.one = map[uint32]*op{}
}

// begin reserves n xids in a row for an operation.
func (o *ops) begin(n int, take func(openflow.Header, []byte) (bool, error)) *op {
	o.mu.Lock()
	defer o.mu.Unlock()
	// xid 0 is for what nobody asked for; a run that would wrap begins anew.
	if uint64(o.xid)+uint64(n) >= 1<<32 {
		o.xid = 16
	}
	p := &op{first: o.xid, last: o.xid + uint32(n) - 1, take: take, finished: make(chan struct{})}
	o.xid += uint32(n)
	switch {
	case o.over:
		p.end(nil)
	case n == 1:
		o.one[p.first] = p
	default:
		o.runs = append(o.runs, p)
	}
	return p
}

// take gives a message to the operation whose xid it carries.
func (o *ops) take(h openflow.Header, b []byte) (bool, error) {
	o.mu.Lock()
	p := o.one[h.XID]
	if p == nil {
		for _, r := range o.runs {
			if h.XID >= r.first && h.XID <= r.last {
				p = r
				break
			}
		}
	}
	o.mu.Unlock()
	if p == nil {
		return false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return true, nil
	}
	over, err := p.take(h, b)
	if over || err != nil {
		p.endLocked(err)
		o.forget(p)
	}
	// An answer that no decoder understands ends the channel: what follows cannot be trusted either.
	var own *callerError
	if errors.As(err, &own) {
		err = nil
	}
	return true, err
}

func (o *ops) forget(p *op) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.one, p.first)
	for i, r := range o.runs {
		if r == p {
			o.runs = append(o.runs[:i:i], o.runs[i+1:]...)
			return
		}
	}
}

// endAll ends every operation, when the channel is over.
func (o *ops) endAll() {
	o.mu.Lock()
	o.over = true
	all := o.runs
	for _, p := range o.one {
		all = append(all, p)
	}
	o.one, o.runs = map[uint32]*op{}, nil
	o.mu.Unlock()
	for _, p := range all {
		// Not p.end: take may be running in this very goroutine.
		p.finish()
	}
}

func (p *op) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(err)
}

func (p *op) endLocked(err error) {
	if !p.ended {
		p.ended, p.err = true, err
		p.finish()
	}
}

func (p *op) finish() { p.once.Do(func() { close(p.finished) }) }

// wait waits for an operation. After it returns, take does not run any more.
func (c *Conn) wait(ctx context.Context, p *op) error {
	var err error
	select {
	case <-p.finished:
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	over := p.ended
	p.ended = true
	if over {
		err = p.err
	}
	p.mu.Unlock()
	c.ops.forget(p)
	if err == nil && !over {
		<-c.done
		err = c.err
	}
	return err
}

// callerError is an error of a callback, not of the peer: it ends the operation and not the channel.
type callerError struct{ err error }

func (e *callerError) Error() string { return e.err.Error() }
func (e *callerError) Unwrap() error { return e.err }

// send queues one message, when there is room.
func (c *Conn) send(ctx context.Context, m openflow.Message, xid uint32) error {
	if err := c.queue.room(ctx, c.done); err != nil {
		return c.reason(err)
	}
	c.queue.push(func(b []byte) []byte { return m.Append(b, c.version, xid) })
	return nil
}

// reason replaces "closed" by why.
func (c *Conn) reason(err error) error {
	if why := c.Err(); why != nil && errors.Is(err, ErrClosed) {
		return why
	}
	return err
}

// Request sends a message and waits for the one that answers it. An error message becomes a *openflow.Error.
func (c *Conn) Request(ctx context.Context, m openflow.Message) (openflow.Message, error) {
	var reply openflow.Message
	p := c.ops.begin(1, func(h openflow.Header, b []byte) (bool, error) {
		_, m, err := openflow.Parse(bytes.Clone(b))
		if err != nil {
			return true, err
		}
		if e, ok := m.(*openflow.Error); ok {
			return true, &callerError{e}
		}
		reply = m
		return true, nil
	})
	if err := c.send(ctx, m, p.first); err != nil {
		c.ops.forget(p)
		return nil, err
	}
	if err := c.wait(ctx, p); err != nil {
		return nil, err
	}
	return reply, nil
}

// Barrier returns when the switch has done everything that was sent before.
func (c *Conn) Barrier(ctx context.Context) error {
	m, err := c.Request(ctx, &openflow.BarrierRequest{})
	if err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	if _, ok := m.(*openflow.BarrierReply); !ok {
		return fmt.Errorf("barrier: answered by %T", m)
	}
	return nil
}

// ErrStale says that the switch has seen a higher generation id: another controller is master by now.
var ErrStale = errors.New("the switch has a newer master")

// SetRole asks for a role, with a generation id that rises with every change of mastership. ErrStale: the switch has
// seen a higher one.
func (c *Conn) SetRole(ctx context.Context, role openflow.Role, generationID uint64) error {
	m, err := c.Request(ctx, &openflow.RoleRequest{RoleState: openflow.RoleState{Role: role, ShortID: 0xffff, GenerationID: generationID}})
	var refused *openflow.Error
	if errors.As(err, &refused) && refused.Type == openflow.ErrorRoleRequestFailed && refused.Code == 0 {
		return fmt.Errorf("generation %d: %w", generationID, ErrStale)
	}
	if err != nil {
		return err
	}
	if r, ok := m.(*openflow.RoleReply); !ok || (r.Role != role && role != openflow.RoleNoChange) {
		return fmt.Errorf("role %v asked for, the switch answers %+v", role, m)
	}
	return nil
}

// multipart sends a request and gives each part's body to each, in the reader.
func (c *Conn) multipart(ctx context.Context, t openflow.MultipartType, body []byte, each func([]byte) error) error {
	p := c.ops.begin(1, func(h openflow.Header, b []byte) (bool, error) {
		_, m, err := openflow.Parse(b)
		if err != nil {
			return true, err
		}
		switch m := m.(type) {
		case *openflow.Error:
			m.Data = bytes.Clone(m.Data)
			return true, &callerError{m}
		case *openflow.MultipartReply:
			if m.Type != t {
				return true, fmt.Errorf("a %v request is answered by %v", t, m.Type)
			}
			return !m.More(), each(m.Body)
		}
		return true, fmt.Errorf("a %v request is answered by a %v", t, h.Type)
	})
	req := &openflow.MultipartRequest{Multipart: openflow.Multipart{Type: t, Body: body}}
	if err := c.send(ctx, req, p.first); err != nil {
		c.ops.forget(p)
		return err
	}
	return c.wait(ctx, p)
}

// DumpFlows reads all rows that the request chooses, however many parts they come in, and gives them to each in the
// order of arrival. each runs in the channel's reader; the row and its bytes are good until it returns. Its error ends
// the dump and is returned.
func (c *Conn) DumpFlows(ctx context.Context, req openflow.FlowStatsRequest, each func(*openflow.FlowStats) error) error {
	err := c.multipart(ctx, openflow.MultipartFlow, req.Append(nil, c.version), func(body []byte) error {
		return openflow.EachFlowStats(body, c.version, func(s *openflow.FlowStats) error {
			if err := each(s); err != nil {
				return &callerError{err}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("dump flows: %w", err)
	}
	return nil
}

// PortDescs lists the switch's ports.
func (c *Conn) PortDescs(ctx context.Context) ([]openflow.Port, error) {
	var ports []openflow.Port
	var body []byte
	if c.version >= openflow.V15 {
		body = []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0} // OFPP_ANY
	}
	err := c.multipart(ctx, openflow.MultipartPortDesc, body, func(b []byte) error {
		ps, err := openflow.ParseAll(b, c.version, openflow.ParsePort)
		ports = append(ports, ps...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("port desc: %w", err)
	}
	return ports, nil
}
