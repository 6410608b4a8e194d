package channel

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// chunk is about how much is encoded, and then written, at a time. What is known to be less gets a buffer of its own:
// five hundred switches that are told one thing each must not need five hundred chunks.
const (
	chunk     = 128 << 10
	chunkRoom = chunk + 64<<10 // with the message that goes over the brim
	small     = 1 << 10
)

var chunks = sync.Pool{New: func() any { b := make([]byte, 0, chunkRoom); return &b }}

// queue is what waits to be written.
type queue struct {
	mu      sync.Mutex
	buf     *[]byte   // what is being filled; nil when nothing waits
	full    []*[]byte // what comes before it
	size    int
	max     int
	ready   chan struct{} // of size one: something waits
	drained chan struct{} // closed when there is room again; nil when nobody waits for that
}

func (q *queue) init(limit int) {
	q.max = limit
	q.ready = make(chan struct{}, 1)
}

// push appends what encode makes, whatever waits already. hint is about how many bytes that will be.
func (q *queue) push(hint int, encode func([]byte) []byte) {
	q.mu.Lock()
	q.grow(hint)
	before := len(*q.buf)
	*q.buf = encode(*q.buf)
	q.size += len(*q.buf) - before
	if len(*q.buf) >= chunk {
		q.full, q.buf = append(q.full, q.buf), nil
	}
	q.mu.Unlock()
	q.wake()
}

// grow makes place for about n bytes.
func (q *queue) grow(n int) {
	if q.buf != nil && (n < small || cap(*q.buf) >= chunk) {
		return
	}
	if q.buf != nil {
		q.full = append(q.full, q.buf)
	}
	if n >= small {
		q.buf = chunks.Get().(*[]byte)
		return
	}
	b := make([]byte, 0, small)
	q.buf = &b
}

// room waits until less than the limit waits to be written.
func (q *queue) room(ctx context.Context, done <-chan struct{}) error {
	for {
		q.mu.Lock()
		ok := q.size < q.max
		if !ok && q.drained == nil {
			q.drained = make(chan struct{})
		}
		drained := q.drained
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

// waiting is how many bytes wait.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// pop takes the oldest buffer, or nil.
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

// wrote accounts for a buffer that is out.
func (q *queue) wrote(b *[]byte) {
	q.mu.Lock()
	q.size -= len(*b)
	if q.drained != nil && q.size < q.max {
		close(q.drained)
		q.drained = nil
	}
	q.mu.Unlock()
	if cap(*b) >= chunk {
		*b = (*b)[:0]
		chunks.Put(b)
	}
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
			if isTimeout(err) {
				err = fmt.Errorf("the peer does not read: of %d bytes, %d were written in %v", len(*b), n, c.cfg.WriteTimeout)
			}
			if err != nil {
				c.fail(err)
				return
			}
			c.queue.wrote(b)
		}
	}
}
