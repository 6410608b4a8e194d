package metadata

import (
	"net"
	"net/netip"
	"sync"
)

// limited is a listener that gives no machine more connections than its share, so that none can take those of others.
type limited struct {
	net.Listener
	mu    sync.Mutex
	total int
	by    map[netip.Addr]int
}

func newLimited(ln net.Listener) *limited {
	return &limited{Listener: ln, by: map[netip.Addr]int{}}
}

// Accept waits for a connection within the limits; others are closed at once.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := source(c)
		if l.take(from) {
			return &counted{Conn: c, release: sync.OnceFunc(func() { l.give(from) })}, nil
		}
		c.Close()
	}
}

func source(c net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func (l *limited) take(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxConns || l.by[from] >= maxConnsPerCaller {
		return false
	}
	l.total++
	l.by[from]++
	return true
}

func (l *limited) give(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.by[from]--; l.by[from] == 0 {
		delete(l.by, from)
	}
}

// counted is a connection that gives its place back when it is closed.
type counted struct {
	net.Conn
	release func()
}

func (c *counted) Close() error {
	c.release()
	return c.Conn.Close()
}
