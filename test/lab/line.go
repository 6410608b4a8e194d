package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"time"

	"github.com/vishvananda/netns"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Line is a connection between two boxes on which nothing is said but what somebody asks for.
type Line struct {
	name   string
	ends   [2]net.Conn // who has opened it, and who has answered
	packet bool
}

// The ends of a Line.
const (
	Opener = iota
	Answerer
)

// OpenLine opens a connection, of "tcp" or "udp", from a box to an address of another one, where nobody listens yet. Both sides have
// said something then.
func OpenLine(ctx context.Context, network string, from, to *nsbox.Box, address netip.AddrPort) (*Line, error) {
	l := &Line{name: fmt.Sprintf("%s from %s to %s of %s", network, from.Name, address, to.Name), packet: network == "udp"}
	err := l.open(ctx, network, from, to, address)
	if err == nil {
		err = errors.Join(l.Say(Opener, 5*time.Second), l.Say(Answerer, 5*time.Second))
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	return l, nil
}

func (l *Line) open(ctx context.Context, network string, from, to *nsbox.Box, address netip.AddrPort) (err error) {
	var d net.Dialer
	dial := func() (err error) { l.ends[Opener], err = d.DialContext(ctx, network, address.String()); return err }
	if !l.packet {
		var door *net.TCPListener
		if err := within(to, func() (err error) { door, err = net.ListenTCP(network, net.TCPAddrFromAddrPort(address)); return err }); err != nil {
			return err
		}
		defer door.Close()
		if err := within(from, dial); err != nil {
			return err
		}
		if err := door.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		l.ends[Answerer], err = door.Accept()
		return err
	}
	// The answerer's socket is connected, too, so that it can speak first.
	if err := within(from, dial); err != nil {
		return err
	}
	back := l.ends[Opener].LocalAddr().(*net.UDPAddr)
	return within(to, func() error {
		c, err := net.DialUDP(network, net.UDPAddrFromAddrPort(address), back)
		if err == nil {
			l.ends[Answerer] = c
		}
		return err
	})
}

// within runs a function on a thread in the network namespace of a box. Sockets that it makes belong there.
func within(box *nsbox.Box, f func() error) error {
	ns, err := netns.GetFromPid(box.PID())
	if err != nil {
		return fmt.Errorf("network of %s: %w", box.Name, err)
	}
	defer ns.Close()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with this goroutine: nobody else may be in there
		err := netns.Set(ns)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// Say lets one end say something, and waits until the other has heard it.
func (l *Line) Say(end int, within time.Duration) error {
	who := [2]string{"who opened it", "who answered"}[end]
	word := []byte(fmt.Sprint(time.Now().UnixNano()))
	if _, err := l.ends[end].Write(word); err != nil {
		return fmt.Errorf("%s: %s says: %w", l.name, who, err)
	}
	other := l.ends[1-end]
	if err := other.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	for heard := make([]byte, 1<<12); ; {
		n, err := other.Read(heard)
		if err != nil {
			return fmt.Errorf("%s: what %s says is not heard: %w", l.name, who, err)
		}
		if string(heard[:n]) == string(word) {
			return nil
		}
	}
}

func (l *Line) String() string { return l.name }

// Close ends it.
func (l *Line) Close() {
	for _, c := range l.ends {
		if c != nil {
			c.Close()
		}
	}
}
