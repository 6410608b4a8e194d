package agentconn

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// signs are the signs of life of the agents' connections, by the peer's address.
type signs struct {
	mu    sync.Mutex
	conns map[string]*heardConn
}

// Heard makes a listener that notes when a byte came from each agent: also those of HTTP/2's pings, of which gRPC tells
// nobody. Session.Heard knows only of connections that such a listener accepted.
func (s *Server) Heard(ln net.Listener) net.Listener { return heardListener{ln, &s.signs} }

type heardListener struct {
	net.Listener
	signs *signs
}

func (l heardListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &heardConn{Conn: nc, signs: l.signs}
	c.at.Store(time.Now().UnixNano())
	l.signs.mu.Lock()
	defer l.signs.mu.Unlock()
	if l.signs.conns == nil {
		l.signs.conns = map[string]*heardConn{}
	}
	l.signs.conns[nc.RemoteAddr().String()] = c
	return c, nil
}

type heardConn struct {
	net.Conn
	signs *signs
	at    atomic.Int64 // Unix time of the last sign, in nanoseconds
}

// Read notes the time: that the peer closes the connection is a sign of life, too, its last.
func (c *heardConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		c.at.Store(time.Now().UnixNano())
	}
	return n, err
}

func (c *heardConn) Close() error {
	c.signs.mu.Lock()
	if addr := c.RemoteAddr().String(); c.signs.conns[addr] == c {
		delete(c.signs.conns, addr)
	}
	c.signs.mu.Unlock()
	return c.Conn.Close()
}

func (s *signs) find(addr string) *heardConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[addr]
}

// Heard is when the agent last gave a sign of life; the zero time when nobody listened for it.
func (s *Session) Heard() time.Time {
	if s.conn == nil {
		return time.Time{}
	}
	return time.Unix(0, s.conn.at.Load())
}
