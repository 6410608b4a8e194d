package channel

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/weft-sdn/weft/openflow"
)

// dribble is a connection that gives its bytes a few at a time.
type dribble struct {
	net.Conn
	b     []byte
	sizes []byte // how many come at each read, over and over
	reads int
}

func (d *dribble) Read(b []byte) (int, error) {
	if len(d.b) == 0 {
		return 0, io.EOF
	}
	n := 1
	if len(d.sizes) > 0 {
		n += int(d.sizes[d.reads%len(d.sizes)]) * 300
	}
	d.reads++
	n = copy(b[:min(n, len(b))], d.b)
	d.b = d.b[n:]
	return n, nil
}

// However a stream is cut into reads, what comes out are its messages, in order, until the first that is none.
func FuzzReader(f *testing.F) {
	three := (&openflow.EchoRequest{Data: make([]byte, 3000)}).Append(nil, openflow.V14, 1)
	three = (&openflow.BarrierReply{}).Append(three, openflow.V14, 2)
	three = (&openflow.EchoReply{Data: make([]byte, 65000)}).Append(three, openflow.V14, 3)
	f.Add(three, []byte{0, 7, 255})
	f.Add(three[:len(three)-1], []byte{200})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte{})
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		var want [][]byte
		for rest := stream; ; {
			h, err := openflow.ParseHeader(rest)
			if err != nil || int(h.Length) > len(rest) {
				break
			}
			want, rest = append(want, rest[:h.Length]), rest[h.Length:]
		}
		r := reader{nc: &dribble{b: stream, sizes: sizes}}
		defer r.release()
		for i := 0; ; i++ {
			err := r.await()
			var got []byte
			if err == nil {
				got, err = r.next(func(openflow.Header) error { return nil })
			}
			if err != nil {
				if i != len(want) {
					t.Fatalf("%d messages of %d, then %v", i, len(want), err)
				}
				return
			}
			if i >= len(want) || !bytes.Equal(got, want[i]) {
				t.Fatalf("message %d is not what was sent", i)
			}
		}
	})
}

// An idle channel holds no large buffer.
func TestReaderGivesLargeBuffersBack(t *testing.T) {
	big := (&openflow.EchoRequest{Data: make([]byte, 60_000)}).Append(nil, openflow.V14, 1)
	r := reader{nc: &dribble{b: big, sizes: []byte{255}}}
	if _, err := r.next(func(openflow.Header) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if r.large == nil {
		t.Fatal("a message of 60 kB fit into the small buffer")
	}
	if err := r.await(); err != io.EOF {
		t.Fatal(err)
	}
	if r.large != nil || len(r.buf) != smallBuffer {
		t.Errorf("the large buffer is kept")
	}
}
