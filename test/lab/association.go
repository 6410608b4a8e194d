package lab

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/sctp"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// AssociationPort is the port of both ends of associations of SCTP.
const AssociationPort = 5000

// openAssociation opens an association of SCTP, which both ends speak by raw IP: not every kernel has it.
func (l *Line) openAssociation(way Way) error {
	network := "ip4:132"
	if way.Called.Is6() {
		network = "ip6:132"
	}
	source, called := "", way.Called
	if way.Source.IsValid() {
		source = way.Source.String()
	}
	var wires [2]*wire
	for end, e := range []struct {
		box *nsbox.Box
		own string
		to  netip.Addr
	}{Opener: {way.From, source, called}, Answerer: {way.To, way.own().String(), netip.Addr{}}} {
		if err := within(e.box, func() error {
			c, err := net.ListenPacket(network, e.own)
			if err == nil {
				wires[end] = &wire{PacketConn: c, to: e.to}
			}
			return err
		}); err != nil {
			closeAll(wires)
			return err
		}
	}
	logs := logging.NewDefaultLoggerFactory()
	logs.DefaultLogLevel = logging.LogLevelDisabled
	// Who waits for the other end does so until its wire is cut.
	late := time.AfterFunc(patience, func() { closeAll(wires) })
	defer late.Stop()
	var g sync.WaitGroup
	var errs [2]error
	for end, begin := range []func(sctp.Config) (*sctp.Association, error){
		Opener:   func(c sctp.Config) (*sctp.Association, error) { return sctp.ClientWithOptions(c) },
		Answerer: func(c sctp.Config) (*sctp.Association, error) { return sctp.ServerWithOptions(c) },
	} {
		g.Go(func() {
			a, err := begin(sctp.Config{Name: l.name, NetConn: wires[end], LoggerFactory: logs, RTOMax: 500})
			if err == nil {
				var stream *sctp.Stream
				if stream, err = a.OpenStream(1, sctp.PayloadTypeWebRTCBinary); err == nil {
					l.ends[end] = speaker{stream, a}
				}
			}
			errs[end] = err
		})
	}
	g.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		closeAll(wires)
		return err
	}
	return nil
}

// speaker is one end of an association.
type speaker struct {
	*sctp.Stream
	association *sctp.Association
}

// Close says nothing to the other end, which is closed too.
func (s speaker) Close() error { return s.association.Close() }

// wire takes the packets of an association to the other end.
type wire struct {
	net.PacketConn
	mu sync.Mutex
	// to is the other end; whoever begins is who it is.
	to netip.Addr
}

func (w *wire) Read(b []byte) (int, error) {
	for {
		n, from, err := w.ReadFrom(b)
		if err != nil {
			return 0, err
		}
		a, _ := netip.AddrFromSlice(from.(*net.IPAddr).IP)
		a = a.Unmap()
		w.mu.Lock()
		if !w.to.IsValid() && n >= sctpHeader && binary.BigEndian.Uint32(b[4:]) == 0 { // what begins one has no tag
			w.to = a
		}
		ours := a == w.to
		w.mu.Unlock()
		if ours {
			return n, nil
		}
	}
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	to := w.to
	w.mu.Unlock()
	if !to.IsValid() {
		return 0, errors.New("nobody has begun an association")
	}
	return w.WriteTo(b, &net.IPAddr{IP: to.AsSlice()})
}

// RemoteAddr is the other end's.
func (w *wire) RemoteAddr() net.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &net.IPAddr{IP: w.to.AsSlice()}
}

// closeAll closes those that have been opened. Nobody uses them any more.
func closeAll(wires [2]*wire) {
	for _, w := range wires {
		if w != nil {
			_ = w.Close()
		}
	}
}
