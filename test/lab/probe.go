package lab

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// probePort is the UDP port of probes, at both ends.
const probePort = 7777

// probeReport is what one end of a probe knows. It is written every reportEvery, and once more at the end.
type probeReport struct {
	// Sent and Received count packets; Received counts each sequence number once.
	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
	// Repeated counts packets that came more than once.
	Repeated uint64 `json:"repeated"`
	// LongestGap is the longest time without a packet after the first.
	LongestGap time.Duration `json:"longest_gap_ns"`
	Done       bool          `json:"done"`
}

const (
	reportEvery = 20 * time.Millisecond
	// farewell is how long a probe that was told to stop waits for the other end's last word.
	farewell = 3 * time.Second
)

// A packet is a kind, in byte 0, and a number, in bytes 8 to 15. The length is that of an ordinary small packet.
const (
	kindHello  = 'h' // says that the sender listens
	kindData   = 'd' // the number is the sequence number, from 1
	kindDone   = 'e' // says that no more data follows
	packetSize = 64
)

// probe is one end: it sends numbered packets at a steady rate, and counts those of the other end.
type probe struct {
	conn *net.UDPConn
	peer netip.AddrPort

	mu     sync.Mutex
	report probeReport
	seen   map[uint64]bool
	last   time.Time
	// met is when the other end was first heard; data is sent from then on, so that none is sent to nobody.
	met time.Time
	// byes counts the other end's last words.
	byes int
}

// probeMain is the applet "probe -peer ADDRESS -rate N -report FILE". It sends once it has heard the other end. SIGINT
// makes it stop sending; when the other end has stopped too, or after farewell, it ends.
func probeMain(args []string) error {
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	peer := flags.String("peer", "", "address of the other end")
	rate := flags.Int("rate", 200, "packets per second")
	file := flags.String("report", "", "file to write the report to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	address, err := netip.ParseAddr(*peer)
	if err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	if *rate < 1 || *file == "" {
		return errors.New("need -rate of 1 or more and -report")
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: probePort})
	if err != nil {
		return err
	}
	p := &probe{conn: conn, peer: netip.AddrPortFrom(address, probePort), seen: map[uint64]bool{}}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT)
	go p.receive()
	return p.run(*rate, *file, stop)
}

func (p *probe) run(rate int, file string, stop <-chan os.Signal) error {
	reports := time.NewTicker(reportEvery)
	defer reports.Stop()
	sends := time.NewTicker(time.Second / time.Duration(rate))
	defer sends.Stop()
	for {
		select {
		case now := <-sends.C:
			p.sendDue(now, rate)
		case <-reports.C:
			if err := p.write(file, false); err != nil {
				return err
			}
		case <-stop:
			p.parting()
			return p.write(file, true)
		}
	}
}

// sendDue sends what is due by the clock, so that a late tick does not lower the rate.
func (p *probe) sendDue(now time.Time, rate int) {
	p.mu.Lock()
	met, from := p.met, p.report.Sent
	due := from
	if !met.IsZero() {
		// A tick that waited while the other end was heard is older than that: nothing is due by it.
		due = max(from, uint64(max(0, now.Sub(met).Seconds())*float64(rate)))
	}
	p.report.Sent = due
	p.mu.Unlock()
	if from == 0 {
		// Still needed when the other end has been heard: it may not have heard us.
		p.send(kindHello, 0)
	}
	for seq := from + 1; seq <= due; seq++ {
		p.send(kindData, seq)
	}
}

// parting tells the other end that no more follows, until it has said the same and must have heard us.
func (p *probe) parting() {
	deadline := time.After(farewell)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for said := 1; ; said++ {
		p.mu.Lock()
		heard := p.byes
		p.mu.Unlock()
		p.send(kindDone, 0)
		if said >= 10 && heard > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			return
		}
	}
}

// send sends one packet. One that the kernel refuses is as lost as any other, and the other end's count tells.
func (p *probe) send(kind byte, number uint64) {
	var b [packetSize]byte
	b[0] = kind
	binary.BigEndian.PutUint64(b[8:], number)
	_, _ = p.conn.WriteToUDPAddrPort(b[:], p.peer)
}

func (p *probe) receive() {
	var b [packetSize]byte
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(b[:])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		if n == packetSize && from.Addr().Unmap() == p.peer.Addr() {
			p.count(b[0], binary.BigEndian.Uint64(b[8:]), time.Now())
		}
	}
}

func (p *probe) count(kind byte, number uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.met.IsZero() {
		p.met = now
	}
	switch {
	case kind == kindHello:
		return
	case kind == kindDone:
		p.byes++
		return
	case p.seen[number]:
		p.report.Repeated++
		return
	}
	p.seen[number] = true
	p.report.Received++
	if !p.last.IsZero() {
		p.report.LongestGap = max(p.report.LongestGap, now.Sub(p.last))
	}
	p.last = now
}

func (p *probe) write(file string, done bool) error {
	p.mu.Lock()
	r := p.report
	p.mu.Unlock()
	r.Done = done
	return writeReport(file, r)
}

// writeReport replaces a report as a whole: a reader sees the old or the new one. It does not wait for the disk; reports
// need not outlive the machine, and are written many times a second.
func writeReport(file string, report any) error {
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// readReport reads what writeReport wrote.
func readReport(file string, report any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, report); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
