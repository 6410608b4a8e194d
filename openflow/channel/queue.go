package channel

import (
	"context"
	"sync"
	"time"
)

// chunk is about how much is encoded, and then written, at a time.
const chunk = 128 << 10

var chunks = sync.Pool{New: func() any { b := make([]byte, 0, chunk+64<<10); return &b }}

// queue is what waits to be written.
type queue struct {
	mu      sync.Mutex
	buf     *[]byte // nil when nothing waits
	max     int
	full    []*[]byte // chunks that are complete
	size    int
	ready   chan struct{} // of size one: something waits
	drained chan struct{} // closed and replaced when there is room again
}

func (q *queue) init(limit int) {
	q.max = limit
	q.ready, q.drained = make(chan struct{}, 1), make(chan struct{})
}

// push appends what encode makes, whatever waits already.
func (q *queue) push(encode func([]byte) []byte) {
	q.mu.Lock()
	if q.buf == nil {
		q.buf = chunks.Get().(*[]byte)
	}
	before := len(*q.buf)
	*q.buf = encode(*q.buf)
	q.size += len(*q.buf) - before
	if len(*q.buf) >= chunk {
		q.full, q.buf = append(q.full, q.buf), nil
	}
	q.mu.Unlock()
	q.wake()
}

// room waits until less than the limit waits to be written.
func (q *queue) room(ctx context.Context, done <-chan struct{}) error {
	for {
		q.mu.Lock()
		ok, drained := q.size < q.max, q.drained
		q.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-drained:
		case <-done:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// pop takes the oldest chunk, or nil.
func (q *queue) pop() *[]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.buf
	if len(q.full) > 0 {
		b = q.full[0]
		q.full = q.full[1:]
	} else {
		q.buf, q.full = nil, nil
	}
	return b
}

// wrote accounts for a chunk that is out.
func (q *queue) wrote(b *[]byte) {
	q.mu.Lock()
	q.size -= len(*b)
	close(q.drained)
	q.drained = make(chan struct{})
	q.mu.Unlock()
	*b = (*b)[:0]
	chunks.Put(b)
}

// writeLoop writes what is queued until the channel is over.
func (c *Conn) writeLoop() {
	for {
		select {
		case <-c.done:
			return
		case <-c.queue.ready:
		}
		for b := c.queue.pop(); b != nil; b = c.queue.pop() {
			c.nc.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout))
			n, err := c.nc.Write(*b)
			c.stats.sent.Add(uint64(n))
			if err != nil {
				if isTimeout(err) {
					err = &slowError{c.cfg.WriteTimeout}
				}
				c.fail(err)
				return
			}
			c.queue.wrote(b)
		}
	}
}

type slowError struct{ after time.Duration }

func (e *slowError) Error() string {
	return "the peer does not read: a write took longer than " + e.after.String()
}
