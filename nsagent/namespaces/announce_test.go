package namespaces

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// ear counts the gratuitous ARP requests that come out of a tap, by address.
type ear struct {
	mu    sync.Mutex
	heard map[string]int
}

func listen(t *testing.T, tap string) *ear {
	t.Helper()
	const protocol = unix.ETH_P_ARP>>8 | unix.ETH_P_ARP&0xff<<8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := net.InterfaceByName(tap)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: dev.Index}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100000}); err != nil {
		t.Fatal(err)
	}
	e := &ear{heard: map[string]int{}}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer unix.Close(fd)
		b := make([]byte, 2000)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n, _, err := unix.Recvfrom(fd, b, 0)
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) || (err == nil && n < 42) {
				continue
			}
			if err != nil {
				return // the device is gone
			}
			if bytes.Equal(b[28:32], b[38:42]) {
				e.mu.Lock()
				e.heard[net.IP(b[28:32]).String()]++
				e.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	return e
}

func (e *ear) count(ip string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[ip]
}

// TestAnnounced: an address that comes is announced several times, one that goes is not any more, and all of a device are
// when it is bound.
func TestAnnounced(t *testing.T) {
	x := keep(t)
	router := named(centralised(1))
	x.want(router)
	tap := plan.Tap(id('0', 19))
	e := listen(t, tap)
	x.want(with(router, floating(1, 1, "172.24.4.20", "10.0.1.5"), floating(2, 1, "172.24.4.21", "10.0.1.6")))
	x.until("both are announced", func() bool { return e.count("172.24.4.20") > 1 && e.count("172.24.4.21") > 1 })
	x.want(with(router, floating(1, 1, "172.24.4.20", "10.0.1.5")))
	gone := e.count("172.24.4.21")
	still := e.count("172.24.4.20")
	x.until("the one that stays is announced again", func() bool { return e.count("172.24.4.20") >= still+2 })
	if n := e.count("172.24.4.21"); n > gone+1 { // one may have been on its way
		t.Errorf("the one that went was announced %d more times", n-gone)
	}
	x.until("it is over", func() bool { return e.count("172.24.4.20") >= len(rounds) })
	x.Bound(map[string]bool{})
	before, gateway := e.count("172.24.4.20"), e.count("172.24.4.10")
	x.Bound(map[string]bool{tap: true})
	x.until("all are announced when the device is bound", func() bool { return e.count("172.24.4.20") > before+1 && e.count("172.24.4.10") > gateway+1 })
	x.Unplugged(map[string]bool{})
	x.nothing()
}

// Other copies of a router that is distributed no more may have been heard where its gateway is not.
func TestOnlyCopyIsAnnounced(t *testing.T) {
	x := keep(t)
	x.want(distributed(1))
	x.stop()
	y := keep(t) // which has nothing to announce: all is there
	y.want(distributed(1))
	e := listen(t, plan.Tap(id('0', 17)))
	y.want(named(centralised(1)))
	y.until("the gateway is announced", func() bool { return e.count("10.0.1.1") > 1 })
}
