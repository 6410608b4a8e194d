package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// While the rules change, those whom none refuses must get in, each time and at once; those whom none allows, never.
const (
	// patient is how long they wait who must get in.
	patient = 4 * time.Second
	// noDelay is how long they wait who must not get in.
	noDelay = 50 * time.Millisecond
	// fewKnocks would say nothing.
	fewKnocks = 10
)

// admitted adds a rule for somebody who opens connections in vain, and says how long it took until the first that was answered began.
func admitted(ctx context.Context, s *cloud.Scope, from *lab.VM, to netip.AddrPort, g *weftv1.SecurityGroup, rule *weftv1.SecurityGroupRule) (time.Duration, error) {
	knocks, err := s.Lab.StartKnocks(ctx, from.Box, to, noDelay)
	if err != nil {
		return 0, err
	}
	s.Defer(func(ctx context.Context) error { _, err := knocks.Stop(ctx); return err })
	if err := lab.Poll(ctx, limit, func() error {
		r, err := knocks.Now()
		if err == nil && r.Refused < 3 {
			err = fmt.Errorf("%s has knocked at %s %d times", from.Name, to, r.Refused)
		}
		return err
	}); err != nil {
		return 0, err
	}
	start := time.Now()
	if _, err := s.Allow(ctx, g, rule); err != nil {
		return 0, err
	}
	var r lab.KnockReport
	if err := lab.Poll(ctx, 10*time.Second, func() error {
		if r, err = knocks.Now(); err == nil && r.Answered == 0 {
			err = fmt.Errorf("%s is not let in at %s by a new rule: %s", from.Name, to, r.Why)
		}
		return err
	}); err != nil {
		return 0, err
	}
	took := r.First.Sub(start)
	switch {
	case took < 0:
		return took, fmt.Errorf("%s was let in at %s before the rule was there", from.Name, to)
	case took > time.Second:
		return took, fmt.Errorf("%s was let in at %s only %s after the call", from.Name, to, ms(took))
	}
	return took, nil
}

// knock is somebody who opens connections all the time.
type knock struct {
	what   string
	from   *lab.VM
	port   uint16
	may    bool
	knocks *lab.Knocks
}

// whileKnocking does something while connections to the server are opened all the time, by those who may and by those who may not.
// While rows change, Open vSwitch loses a packet now and then that none of them refuses (docs/decisions/0061), so that somebody waits
// for a second until TCP tries again: who has to wait for the rules does so more than once, and in every round.
func (g *guarded) whileKnocking(ctx context.Context, do func(context.Context) error) (measured string, err error) {
	for range pingRounds {
		var late error
		if measured, late, err = g.knocking(ctx, do); err != nil || late == nil {
			return measured, err
		}
		err = late
	}
	return "", err
}

func (g *guarded) knocking(ctx context.Context, do func(context.Context) error) (measured string, late, err error) {
	server := g.vm["server"]
	all := []knock{
		{what: "a member, by its group", from: g.vm["far"], port: web, may: true},
		{what: "who is listed, by the address group", from: g.vm["listed"], port: web + 1, may: true},
		{what: "anybody, by a rule about anybody", from: g.vm["outcast"], port: web + 2, may: true},
		{what: "a stranger on the same host", from: g.vm["outcast"], port: web},
		{what: "a stranger on another host", from: g.vm["listed"], port: web},
	}
	stopped := false
	stop := func(ctx context.Context) (reports []lab.KnockReport, err error) {
		if stopped {
			return nil, nil
		}
		stopped = true
		for _, k := range all {
			var r lab.KnockReport
			if k.knocks != nil {
				var stopErr error
				r, stopErr = k.knocks.Stop(ctx)
				err = errors.Join(err, stopErr)
			}
			reports = append(reports, r)
		}
		return reports, err
	}
	g.scope.Defer(func(ctx context.Context) error { _, err := stop(ctx); return err })
	for i, k := range all {
		patience := noDelay
		if k.may {
			patience = patient
		}
		if all[i].knocks, err = g.scope.Lab.StartKnocks(ctx, k.from.Box, netip.AddrPortFrom(addr(server), k.port), patience); err != nil {
			return "", nil, err
		}
	}
	doErr := do(ctx)
	reports, err := stop(ctx)
	if err := errors.Join(doErr, err); err != nil {
		return "", nil, err
	}
	var errs []error
	opened, refused, waited, longest := 0, 0, 0, time.Duration(0)
	for i, r := range reports {
		k := all[i]
		switch {
		case r.Answered+r.Refused < fewKnocks:
			errs = append(errs, fmt.Errorf("%s: tried %d times only", k.what, r.Answered+r.Refused))
		case k.may && r.Refused > 0:
			errs = append(errs, fmt.Errorf("%s: %d of %d did not get in: %s", k.what, r.Refused, r.Answered+r.Refused, r.Why))
		case !k.may && r.Answered > 0:
			errs = append(errs, fmt.Errorf("%s: got in %d times of %d", k.what, r.Answered, r.Answered+r.Refused))
		}
		opened, refused, waited, longest = opened+r.Answered, refused+r.Refused, waited+r.Late, max(longest, r.Longest)
	}
	if waited > 1 {
		late = fmt.Errorf("%d who may get in have waited for %d s together, one of them for %s", opened, waited, ms(longest))
	}
	return fmt.Sprintf("%d new connections meanwhile, the slowest after %s, and %d refused", opened, ms(longest), refused), late, errors.Join(errs...)
}
