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
	// Gap is the longest run of requests without an answer, as time.
	Gap time.Duration
}

var pulseSeq = regexp.MustCompile(`icmp_seq=(\d+) ttl`)

// StartPulse begins to ping. It returns when the first answer has come.
func (l *Lab) StartPulse(ctx context.Context, from *nsbox.Box, to netip.Addr) (*Pulse, error) {
	p := &Pulse{name: "pulse-" + uuid.NewString(), box: from}
	p.log = l.log(p.name)
	if _, err := from.Start(ctx, nsbox.Command{
		Name: p.name, Log: p.log, Argv: []string{"ping", "-n", "-i", fmt.Sprint(PulseEvery.Seconds()), "-W", "1", to.String()},
	}); err != nil {
		return nil, fmt.Errorf("pulse from %s: %w", from.Name, err)
	}
	if err := p.Await(ctx, 1, 10*time.Second); err != nil {
		_, stopErr := p.Stop(context.WithoutCancel(ctx))
		return nil, errors.Join(fmt.Errorf("pulse from %s to %s: %w", from.Name, to, err), stopErr)
	}
	return p, nil
}

// answers are the numbers of the requests that were answered so far, without repetitions.
func (p *Pulse) answers() (seen map[int]bool, last int, err error) {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return nil, 0, fmt.Errorf("pulse: %w", err)
	}
	seen = map[int]bool{}
	turn, before := 0, 0
	for _, m := range pulseSeq.FindAllSubmatch(text, -1) {
		// ping numbers with 16 bits.
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return nil, 0, fmt.Errorf("pulse: %w", err)
		}
		if n+1<<15 < before {
			turn++
		}
		before = n
		n += turn << 16
		seen[n] = true
		last = max(last, n)
	}
	return seen, last, nil
}

// Await waits until n more answers than now have come.
func (p *Pulse) Await(ctx context.Context, n int, limit time.Duration) error {
	base := -1
	return Poll(ctx, limit, func() error {
		seen, _, err := p.answers()
		if err != nil {
			return err
		}
		if base < 0 {
			base = len(seen)
			if n == 1 && base > 0 {
				return nil
			}
		}
		if len(seen) < base+n {
			return fmt.Errorf("pulse from %s: %d answers of %d", p.box.Name, len(seen)-base, n)
		}
		return nil
	})
}

// Stop ends the pulse and counts. What was sent and could not be answered any more when it ended is not counted as lost.
func (p *Pulse) Stop(ctx context.Context) (PulseResult, error) {
	if err := p.box.Stop(ctx, p.name, syscall.SIGINT, 10*time.Second); err != nil {
		return PulseResult{}, err
	}
	seen, last, err := p.answers()
	if err != nil {
		return PulseResult{}, err
	}
	r := PulseResult{Sent: last, Received: len(seen)}
	run := 0
	for n := 1; n <= last; n++ {
		if seen[n] {
			run = 0
			continue
		}
		run++
		r.Gap = max(r.Gap, time.Duration(run)*PulseEvery)
	}
	return r, nil
}
