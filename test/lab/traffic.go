package lab

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// Pings says how to ping.
type Pings struct {
	// Count of echo requests; 0 means 3. They go out 50 ms apart.
	Count int
	// Size of the whole IP packet in bytes; 0 means ping's own 84. Such packets may not be fragmented, unless Fragments says
	// so.
	Size      int
	Fragments bool
	// Wait for the last answer; 0 means a second.
	Wait time.Duration
}

// PingResult is what ping counted.
type PingResult struct {
	Sent, Received int
	// Missing are the numbers of the requests, from 1, that were not answered.
	Missing []int
	// Average round trip time; 0 when nothing came back.
	Average time.Duration
}

var (
	pingCounts = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)
	pingAnswer = regexp.MustCompile(`(?m)^\d+ bytes from .*icmp_seq=(\d+) `)
	pingTimes  = regexp.MustCompile(`rtt min/avg/max/mdev = [\d.]+/([\d.]+)/`)
)

// Ping pings an address from a box. Answers that do not come are no error.
func Ping(ctx context.Context, from *nsbox.Box, to netip.Addr, p Pings) (PingResult, error) {
	if p.Count == 0 {
		p.Count = 3
	}
	if p.Wait == 0 {
		p.Wait = time.Second
	}
	argv := []string{"ping", "-n", "-i", "0.05", "-c", strconv.Itoa(p.Count), "-W", fmt.Sprintf("%.3f", p.Wait.Seconds())}
	if p.Size > 0 {
		headers := 28 // IPv4 20, ICMP 8
		if to.Is6() {
			headers = 48
		}
		may := "do"
		if p.Fragments {
			may = "dont"
		}
		argv = append(argv, "-M", may, "-s", strconv.Itoa(p.Size-headers))
	}
	argv = append(argv, to.String())
	out, err := from.Run(ctx, nsbox.Once{Argv: argv})
	if err != nil {
		return PingResult{}, err
	}
	// 1 says that answers are missing, which is for the caller to judge.
	counts := pingCounts.FindSubmatch(out.Stdout)
	if out.Code > 1 || counts == nil {
		return PingResult{}, &nsbox.ExitError{Box: from.Name, Argv: argv, Output: out}
	}
	var r PingResult
	if r.Sent, err = strconv.Atoi(string(counts[1])); err != nil {
		return r, fmt.Errorf("ping: %w", err)
	}
	if r.Received, err = strconv.Atoi(string(counts[2])); err != nil {
		return r, fmt.Errorf("ping: %w", err)
	}
	answered := map[string]bool{}
	for _, m := range pingAnswer.FindAllSubmatch(out.Stdout, -1) {
		answered[string(m[1])] = true
	}
	for seq := 1; seq <= r.Sent; seq++ {
		if !answered[strconv.Itoa(seq)] {
			r.Missing = append(r.Missing, seq)
		}
	}
	if times := pingTimes.FindSubmatch(out.Stdout); times != nil {
		ms, err := strconv.ParseFloat(string(times[1]), 64)
		if err != nil {
			return r, fmt.Errorf("ping: %w", err)
		}
		r.Average = time.Duration(ms * float64(time.Millisecond))
	}
	return r, nil
}

// WaitPing pings until an answer comes, at most limit.
func WaitPing(ctx context.Context, from *nsbox.Box, to netip.Addr, limit time.Duration) error {
	return Poll(ctx, limit, func() error {
		r, err := Ping(ctx, from, to, Pings{Count: 1, Wait: 200 * time.Millisecond})
		if err == nil && r.Received == 0 {
			err = fmt.Errorf("%s: no answer from %s", from.Name, to)
		}
		return err
	})
}

// Probe is traffic that runs both ways between two boxes until it is stopped.
type Probe struct {
	name string
	ends [2]*nsbox.Box
	file [2]string
}

// OneWay is what became of the packets in one direction.
type OneWay struct {
	Sent, Received, Repeated uint64
	// Lost packets: Sent less Received, once the probe was stopped.
	Lost uint64
	// LongestGap is the longest time without an arriving packet after the first.
	LongestGap time.Duration
}

// ProbeResult is both directions.
type ProbeResult struct {
	AToB, BToA OneWay
}

// Lost is the sum of both directions.
func (r ProbeResult) Lost() uint64 { return r.AToB.Lost + r.BToA.Lost }

// StartProbe lets a and b send each other numbered UDP packets, rate per second in each direction.
func (l *Lab) StartProbe(ctx context.Context, a, b *nsbox.Box, addrA, addrB netip.Addr, rate int) (*Probe, error) {
	p := &Probe{name: "probe-" + uuid.NewString(), ends: [2]*nsbox.Box{a, b}}
	for i, peer := range [2]netip.Addr{addrB, addrA} {
		log := l.log(fmt.Sprintf("%s-%d", p.name, i))
		p.file[i] = filepath.Join(l.Dir, "log", fmt.Sprintf("%s-%d.json", p.name, i))
		if _, err := p.ends[i].Start(ctx, nsbox.Command{
			Name: p.name, Log: log,
			Argv: nsbox.Applet("probe", "-peer", peer.String(), "-rate", strconv.Itoa(rate), "-report", p.file[i]),
		}); err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
	}
	return p, nil
}

// Received is the number of packets that have arrived so far, in the direction that has fewer.
func (p *Probe) Received() (uint64, error) {
	var r [2]probeReport
	for i, file := range p.file {
		if err := readReport(file, &r[i]); err != nil {
			return 0, fmt.Errorf("probe: %w", err)
		}
	}
	return min(r[0].Received, r[1].Received), nil
}

// Await waits until n more packets than now have arrived in both directions.
func (p *Probe) Await(ctx context.Context, n uint64, limit time.Duration) error {
	var base uint64
	begun := false
	return Poll(ctx, limit, func() error {
		got, err := p.Received()
		if err != nil {
			return err
		}
		if !begun {
			base, begun = got, true
		}
		if got < base+n {
			return fmt.Errorf("probe: %d packets arrived of %d", got-base, n)
		}
		return nil
	})
}

// Stop ends the traffic and counts.
func (p *Probe) Stop(ctx context.Context) (ProbeResult, error) {
	g, stopping := errgroup.WithContext(ctx)
	for _, end := range p.ends {
		g.Go(func() error { return end.Stop(stopping, p.name, syscall.SIGINT, 4*farewell) })
	}
	if err := g.Wait(); err != nil {
		return ProbeResult{}, fmt.Errorf("probe: %w", err)
	}
	var r [2]probeReport
	for i, file := range p.file {
		if err := readReport(file, &r[i]); err != nil {
			return ProbeResult{}, fmt.Errorf("probe: %w", err)
		}
		if !r[i].Done {
			return ProbeResult{}, fmt.Errorf("probe: %s: no final report", p.ends[i].Name)
		}
	}
	way := func(from, to probeReport) OneWay {
		return OneWay{
			Sent: from.Sent, Received: to.Received, Repeated: to.Repeated, Lost: from.Sent - to.Received, LongestGap: to.LongestGap,
		}
	}
	return ProbeResult{AToB: way(r[0], r[1]), BToA: way(r[1], r[0])}, nil
}
