package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// streamPort is where sinks listen, for TCP and UDP.
const streamPort = 7779

// udpOverhead is what an Ethernet frame has besides the payload of UDP over IPv4: 14, 20 and 8 bytes. The header of IPv6 is longer.
const udpOverhead, moreOfIPv6 = 42, 20

// Heard is what a sink has counted.
type Heard struct {
	// At is when.
	At time.Time `json:"at"`
	// Bits are those of Ethernet frames with UDP in them, and those of TCP's payload alone.
	Bits uint64 `json:"bits"`
	// Packets of UDP; Marks counts them by their differentiated services codepoint.
	Packets uint64            `json:"packets"`
	Marks   map[string]uint64 `json:"marks"`
	// Connections of TCP that were opened.
	Connections int `json:"connections"`
}

type sink struct {
	mu    sync.Mutex
	heard Heard
}

// sinkMain is the applet "sink FILE": it counts what arrives, until SIGINT.
func sinkMain(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: sink FILE")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT)
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{Port: streamPort})
	if err != nil {
		return err
	}
	datagrams, err := net.ListenUDP("udp", &net.UDPAddr{Port: streamPort})
	if err != nil {
		return err
	}
	if err := tellMarks(datagrams); err != nil {
		return err
	}
	s := &sink{heard: Heard{Marks: map[string]uint64{}}}
	go s.accept(listener)
	go s.receive(datagrams)
	reports := time.NewTicker(reportEvery)
	defer reports.Stop()
	for {
		select {
		case now := <-reports.C:
			s.mu.Lock()
			s.heard.At = now
			err := writeReport(args[0], s.heard)
			s.mu.Unlock()
			if err != nil {
				return err
			}
		case <-stop:
			return nil
		}
	}
}

// tellMarks has the kernel tell the TOS byte of each datagram, and of one of IPv6 the traffic class.
func tellMarks(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		inner = errors.Join(unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVTOS, 1),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20))
	})
	return errors.Join(err, inner)
}

func (s *sink) accept(l *net.TCPListener) {
	for {
		conn, err := l.AcceptTCP()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		s.mu.Lock()
		s.heard.Connections++
		s.mu.Unlock()
		go func() {
			defer conn.Close()
			buffer := make([]byte, 1<<16)
			for {
				n, err := conn.Read(buffer)
				s.mu.Lock()
				s.heard.Bits += 8 * uint64(n)
				s.mu.Unlock()
				if err != nil {
					return
				}
			}
		}()
	}
}

func (s *sink) receive(c *net.UDPConn) {
	buffer, control := make([]byte, 1<<16), make([]byte, 256)
	for {
		n, oobn, _, from, err := c.ReadMsgUDPAddrPort(buffer, control)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		mark, size := "?", n+udpOverhead
		if !from.Addr().Unmap().Is4() {
			size += moreOfIPv6
		}
		if messages, err := unix.ParseSocketControlMessage(control[:oobn]); err == nil {
			for _, m := range messages {
				switch {
				case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TOS && len(m.Data) > 0:
					mark = strconv.Itoa(int(m.Data[0] >> 2))
				case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_TCLASS && len(m.Data) >= 4:
					mark = strconv.Itoa(int(binary.NativeEndian.Uint32(m.Data) >> 2))
				}
			}
		}
		s.mu.Lock()
		s.heard.Packets++
		s.heard.Bits += 8 * uint64(size)
		s.heard.Marks[mark]++
		s.mu.Unlock()
	}
}

// blastMain is the applet "blast tcp|udp ADDRESS:PORT RATE SIZE": it sends as fast as TCP lets it, or UDP datagrams of SIZE
// bytes, RATE a second, until it is killed.
func blastMain(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: blast tcp|udp ADDRESS:PORT RATE SIZE")
	}
	rate, err := strconv.Atoi(args[2])
	if err != nil {
		return fmt.Errorf("rate: %w", err)
	}
	size, err := strconv.Atoi(args[3])
	if err != nil {
		return fmt.Errorf("size: %w", err)
	}
	conn, err := net.DialTimeout(args[0], args[1], 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if args[0] == "tcp" {
		_, err := io.CopyBuffer(struct{ io.Writer }{conn}, endless{}, make([]byte, 1<<16))
		return err
	}
	datagram := make([]byte, size)
	start, sent := time.Now(), 0
	for range time.Tick(2 * time.Millisecond) {
		for due := int(time.Since(start).Seconds() * float64(rate)); sent < due; sent++ {
			// One that the kernel refuses is as lost as any other.
			_, _ = conn.Write(datagram)
		}
	}
	return nil
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// Sink counts what arrives in a box.
type Sink struct {
	name, file string
	box        *nsbox.Box
}

// StartSink starts to count in a box.
func (l *Lab) StartSink(ctx context.Context, box *nsbox.Box) (*Sink, error) {
	s := &Sink{name: "sink-" + uuid.NewString(), box: box}
	s.file = filepath.Join(l.Dir, "log", s.name+".json")
	if _, err := box.Start(ctx, nsbox.Command{Name: s.name, Log: l.log(s.name), Argv: nsbox.Applet("sink", s.file)}); err != nil {
		return nil, fmt.Errorf("sink in %s: %w", box.Name, err)
	}
	return s, Poll(ctx, 15*time.Second, func() error { _, err := s.Now(); return err })
}

// Now is what was counted until a moment ago.
func (s *Sink) Now() (Heard, error) {
	var h Heard
	err := readReport(s.file, &h)
	return h, err
}

// Stop ends the counting.
func (s *Sink) Stop(ctx context.Context) error {
	return s.box.Stop(ctx, s.name, syscall.SIGINT, farewell)
}

// Over is what is counted in a while from now on.
func (s *Sink) Over(ctx context.Context, while time.Duration) (Flowed, error) {
	first, err := s.Now()
	if err != nil {
		return Flowed{}, err
	}
	last := first
	err = Poll(ctx, while+15*time.Second, func() error {
		if last, err = s.Now(); err == nil && last.At.Sub(first.At) < while {
			err = fmt.Errorf("%s: counted for %v only", s.box.Name, last.At.Sub(first.At))
		}
		return err
	})
	f := Flowed{While: last.At.Sub(first.At), Bits: last.Bits - first.Bits, Packets: last.Packets - first.Packets, Marks: map[string]uint64{},
		Connections: last.Connections - first.Connections}
	for mark, n := range last.Marks {
		if n -= first.Marks[mark]; n > 0 {
			f.Marks[mark] = n
		}
	}
	return f, err
}

// Flowed is what arrived within a while; its fields are as those of Heard.
type Flowed struct {
	While         time.Duration
	Bits, Packets uint64
	Marks         map[string]uint64
	Connections   int
}

// Mbps is megabits a second.
func (f Flowed) Mbps() float64 { return float64(f.Bits) / f.While.Seconds() / 1e6 }

// PPS is packets a second.
func (f Flowed) PPS() float64 { return float64(f.Packets) / f.While.Seconds() }

// Blast says what to send.
type Blast struct {
	// TCP sends as fast as it can; else UDP datagrams of Size bytes, Rate a second.
	TCP        bool
	Rate, Size int
}

// UDPAt is a stream of UDP whose frames, of 1,242 bytes, come to so many bits a second.
func UDPAt(mbps float64) Blast {
	const size = 1200
	return Blast{Rate: int(mbps * 1e6 / 8 / (size + udpOverhead)), Size: size}
}

// StartBlast sends from a box to the sink that has an address. The result ends it.
func (l *Lab) StartBlast(ctx context.Context, box *nsbox.Box, to netip.Addr, b Blast) (stop func(context.Context) error, err error) {
	name, network := "blast-"+uuid.NewString(), "udp"
	if b.TCP {
		network = "tcp"
	}
	argv := nsbox.Applet("blast", network, netip.AddrPortFrom(to, streamPort).String(), strconv.Itoa(b.Rate), strconv.Itoa(b.Size))
	if _, err := box.Start(ctx, nsbox.Command{Name: name, Log: l.log(name), Argv: argv}); err != nil {
		return nil, fmt.Errorf("blast from %s: %w", box.Name, err)
	}
	return func(ctx context.Context) error { return box.Stop(ctx, name, syscall.SIGKILL, farewell) }, nil
}
