package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/weft-sdn/weft/test/lab/nsbox"
)

// PulseEvery is the time between two pings of a pulse: 200 a second.
const PulseEvery = 5 * time.Millisecond

// Pulse is a steady ping to an address, whoever has it: unlike a probe it needs nothing at the other end, and the answers
// come from the address that was pinged.
type Pulse struct {
	name, log string
	box       *nsbox.Box
}

// PulseResult is what a pulse counted.
type PulseResult struct {
	Sent, Received int
	// Gap is the longest time between two answers.
	Gap time.Duration
}

// pulseAnswer is a line of "ping -D": "[1700000000.123456] 64 bytes from 10.0.0.1: icmp_seq=9 ttl=64 time=0.5 ms".
var pulseAnswer = regexp.MustCompile(`(?m)^\[(\d+)\.(\d{6})\] .* icmp_seq=(\d+) ttl`)

// StartPulse begins to ping. It returns when the first answer has come.
func (l *Lab) StartPulse(ctx context.Context, from *nsbox.Box, to netip.Addr) (*Pulse, error) {
	p := &Pulse{name: "pulse-" + uuid.NewString(), box: from}
	p.log = l.log(p.name)
	if _, err := from.Start(ctx, nsbox.Command{
		Name: p.name, Log: p.log, Argv: []string{"ping", "-n", "-D", "-i", fmt.Sprint(PulseEvery.Seconds()), "-W", "1", to.String()},
	}); err != nil {
		return nil, fmt.Errorf("pulse from %s: %w", from.Name, err)
	}
	if err := p.Await(ctx, 1, 10*time.Second); err != nil {
		_, stopErr := p.Stop(context.WithoutCancel(ctx))
		return nil, errors.Join(fmt.Errorf("pulse from %s to %s: %w", from.Name, to, err), stopErr)
	}
	return p, nil
}

// answers counts what came so far: each request once.
func (p *Pulse) answers() (r PulseResult, err error) {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return r, fmt.Errorf("pulse: %w", err)
	}
	seen := map[int]bool{}
	turn, before := 0, 0
	var last time.Time
	for _, m := range pulseAnswer.FindAllSubmatch(text, -1) {
		var n [3]int64
		for i := range n {
			if n[i], err = strconv.ParseInt(string(m[i+1]), 10, 64); err != nil {
				return r, fmt.Errorf("pulse: %w", err)
			}
		}
		// ping numbers with 16 bits.
		seq := int(n[2])
		if seq+1<<15 < before {
			turn++
		}
		before = seq
		seq += turn << 16
		seen[seq] = true
		r.Sent = max(r.Sent, seq)
		at := time.Unix(n[0], n[1]*1000)
		if !last.IsZero() {
			r.Gap = max(r.Gap, at.Sub(last))
		}
		last = at
	}
	r.Received = len(seen)
	return r, nil
}

// Await waits until n more answers than now have come.
func (p *Pulse) Await(ctx context.Context, n int, limit time.Duration) error {
	base := -1
	return Poll(ctx, limit, func() error {
		r, err := p.answers()
		if err != nil {
			return err
		}
		if base < 0 {
			base = r.Received
		}
		if r.Received < base+n {
			return fmt.Errorf("pulse from %s: %d answers of %d", p.box.Name, r.Received-base, n)
		}
		return nil
	})
}

// Stop ends the pulse and counts. What was sent after the last answer is not counted.
func (p *Pulse) Stop(ctx context.Context) (PulseResult, error) {
	if err := p.box.Stop(ctx, p.name, syscall.SIGINT, 10*time.Second); err != nil {
		return PulseResult{}, err
	}
	return p.answers()
}
