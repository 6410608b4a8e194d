package channel

import (
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

// firstXID is the first after those of the handshake.
const firstXID = 16

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
	o.xid = firstXID
	o.one = map[uint32]*op{}
}

// reserve takes n xids in a row.
func (o *ops) reserve(n int) (first uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// xid 0 is for what nobody asked for; a run that would wrap begins anew.
	if uint64(o.xid)+uint64(n) >= 1<<32 {
		o.xid = firstXID
	}
	first = o.xid
	o.xid += uint32(n)
	return first
}

// begin makes an operation of reserved xids.
func (o *ops) begin(first, last uint32, take func(openflow.Header, []byte) (bool, error)) *op {
	p := &op{first: first, last: last, take: take, finished: make(chan struct{})}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.over:
		p.finish() // wait tells why
	case first == last:
		o.one[first] = p
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
		p.end(err)
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
		p.finish() // not p.end: take may be running in this very goroutine
	}
}

// end ends an operation. The caller holds p.mu.
func (p *op) end(err error) {
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
	var err error
	c.queue.push(0, func(b []byte) []byte {
		out := m.Append(b, c.version, xid)
		if err = checkLength(len(out) - len(b)); err != nil {
			return b
		}
		return out
	})
	return err
}

// checkLength refuses what the 16 bits for a message's length cannot say.
func checkLength(n int) error {
	if n > openflow.MaxMessageLen {
		return fmt.Errorf("a message of %d bytes; at most %d can be sent", n, openflow.MaxMessageLen)
	}
	return nil
}

// reason replaces "closed" by why.
func (c *Conn) reason(err error) error {
	if why := c.Err(); why != nil && errors.Is(err, ErrClosed) {
		return why
	}
	return err
}
