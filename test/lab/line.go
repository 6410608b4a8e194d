package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netns"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Way is where a Line is to go.
type Way struct {
	// Name is for people; it may be empty.
	Name     string
	From, To *nsbox.Box
	// Called is the address that is called. Source is the caller's, if it matters; Own is that of To where a router translates.
	Called, Source, Own netip.Addr
	// Port is the caller's, of TCP; 0 for any.
	Port uint16
}

// own is where To listens.
func (w Way) own() netip.Addr {
	if w.Own.IsValid() {
		return w.Own
	}
	return w.Called
}

func (w Way) String() string {
	text := fmt.Sprintf("%s calls %s of %s", w.From.Name, w.Called, w.To.Name)
	if w.Name != "" {
		text = w.Name + ": " + text
	}
	return text
}

// Line is a connection between two boxes on which nothing is said but what somebody asks for.
type Line struct {
	// Protocol is what it was opened by.
	Protocol string
	name     string
	ends     [2]voice // who has opened it, and who has answered
}

// voice is one end of a Line.
type voice interface {
	Write([]byte) (int, error)
	Read([]byte) (int, error)
	SetReadDeadline(time.Time) error
	Close() error
}

// The ends of a Line.
const (
	Opener = iota
	Answerer
)

// patience is how long an end waits for the other while a Line is opened.
const patience = 5 * time.Second

// OpenLine opens a connection: "tcp", "udp", "icmp" for questions and answers of echo, or "sctp" for an association, or "ip:47" for packets of another
// protocol, by its number. The port is of TCP and UDP, and one where nobody listens yet. In the end both sides have said something.
func OpenLine(ctx context.Context, protocol string, way Way, port uint16) (*Line, error) {
	l := &Line{Protocol: protocol, name: fmt.Sprintf("%s by %s", way, protocol)}
	var err error
	switch protocol {
	case "tcp":
		err = l.openStream(ctx, way, port)
	case "udp":
		err = l.openDatagrams(ctx, way, port)
	case "sctp":
		err = l.openAssociation(way)
	default:
		err = l.openRaw(protocol, way)
	}
	if err == nil {
		err = errors.Join(l.Say(Opener, patience), l.Say(Answerer, patience))
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	return l, nil
}

func (l *Line) openStream(ctx context.Context, way Way, port uint16) error {
	var door *net.TCPListener
	if err := within(way.To, func() (err error) {
		door, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(way.own(), port)))
		return err
	}); err != nil {
		return err
	}
	defer door.Close()
	d := net.Dialer{Timeout: patience}
	if way.Source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(way.Source, way.Port))
	}
	if err := within(way.From, func() error {
		c, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(way.Called, port).String())
		if err == nil {
			l.ends[Opener] = c
		}
		return err
	}); err != nil {
		return err
	}
	if err := door.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	c, err := door.Accept()
	if err == nil {
		l.ends[Answerer] = c
	}
	return err
}

func (l *Line) openDatagrams(ctx context.Context, way Way, port uint16) error {
	var d net.Dialer
	if way.Source.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(way.Source, 0))
	}
	if err := within(way.From, func() error {
		c, err := d.DialContext(ctx, "udp", netip.AddrPortFrom(way.Called, port).String())
		if err == nil {
			l.ends[Opener] = c
		}
		return err
	}); err != nil {
		return err
	}
	return within(way.To, func() error {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(way.own(), port)))
		if err == nil {
			l.ends[Answerer] = &packets{PacketConn: c}
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

// words counts what has been said on all Lines: no two say the same.
var words atomic.Uint64

// Say lets one end say something, and waits until the other has heard it.
func (l *Line) Say(end int, within time.Duration) error {
	who := [2]string{"who opened it", "who answered"}[end]
	word := fmt.Sprintf("word%08d", words.Add(1))
	if _, err := l.ends[end].Write([]byte(word)); err != nil {
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
		if string(heard[:n]) == word {
			return nil
		}
	}
}

// Stream says whether more can be said on it than what is in one packet.
func (l *Line) Stream() bool { _, is := l.ends[Opener].(*net.TCPConn); return is }

// Pour lets one end of a stream say so many bytes, and waits until the other has heard all of them.
func (l *Line) Pour(end, size int, within time.Duration) error {
	said := make(chan error, 1)
	go func() {
		_, err := l.ends[end].Write(make([]byte, size)) // Close ends it if the other does not hear
		said <- err
	}()
	err := l.ends[1-end].SetReadDeadline(time.Now().Add(within))
	if err == nil {
		_, err = io.CopyN(io.Discard, l.ends[1-end], int64(size))
	}
	if err != nil {
		return fmt.Errorf("%s: %d bytes are not heard: %w", l.name, size, err)
	}
	return <-said
}

// Reset ends one of TCP, and leaves nothing of it at its ends.
func (l *Line) Reset() error {
	for _, end := range l.ends {
		if err := end.(*net.TCPConn).SetLinger(0); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	l.Close()
	return nil
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
