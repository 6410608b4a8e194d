package channel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/weft-sdn/weft/openflow"
)

// small is the buffer of an idle channel; large ones are borrowed for the time that there is much to read.
const (
	smallBuffer = 2 << 10
	largeBuffer = 128 << 10
)

var largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}

var errUnfinished = errors.New("the rest is overdue")

// reader cuts a byte stream into messages.
type reader struct {
	nc    net.Conn
	small []byte
	large *[]byte
	buf   []byte // small or *large
	r, w  int    // what is read and not taken is buf[r:w]
}

// await waits until something is there.
func (r *reader) await() error {
	if r.w > r.r {
		return nil
	}
	r.idle()
	return r.fill(1)
}

// next returns the next message whole. It is good until the next call. accept judges by the header, before the rest is
// waited for: what is not OpenFlow may announce any length.
func (r *reader) next(accept func(openflow.Header) error) ([]byte, error) {
	if err := r.fill(openflow.HeaderLen); err != nil {
		return nil, err
	}
	h, err := openflow.ParseHeader(r.buf[r.r:r.w])
	if err == nil {
		err = accept(h)
	}
	if err != nil {
		return nil, err
	}
	n := int(h.Length)
	if err := r.fill(n); err != nil {
		if isTimeout(err) {
			err = errUnfinished
		}
		return nil, fmt.Errorf("%v of %d bytes, of which %d came: %w", h.Type, n, r.w-r.r, err)
	}
	b := r.buf[r.r : r.r+n : r.r+n]
	r.r += n
	return b, nil
}

// fill reads until n bytes are there.
func (r *reader) fill(n int) error {
	if r.w-r.r >= n {
		return nil
	}
	r.room(n)
	for r.w-r.r < n {
		m, err := r.nc.Read(r.buf[r.w:])
		r.w += m
		if err != nil && r.w-r.r < n {
			if err == io.EOF && r.w > r.r {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// room makes place for n bytes from r.r on.
func (r *reader) room(n int) {
	if r.small == nil {
		r.small = make([]byte, smallBuffer)
		r.buf = r.small
	}
	if r.r+n <= len(r.buf) && r.w < len(r.buf) {
		return
	}
	to := r.buf
	// A buffer that is full to the brim says that there is much to come.
	if r.large == nil && (n > len(r.small) || r.w == len(r.small)) {
		r.large = largeBuffers.Get().(*[]byte)
		to = *r.large
	}
	r.w = copy(to, r.buf[r.r:r.w])
	r.r, r.buf = 0, to
}

// idle gives a large buffer back when nothing is in it.
func (r *reader) idle() {
	if r.r != r.w {
		return
	}
	r.r, r.w = 0, 0
	r.release()
}

func (r *reader) release() {
	if r.large != nil {
		largeBuffers.Put(r.large)
		r.large, r.buf = nil, r.small
	}
}
