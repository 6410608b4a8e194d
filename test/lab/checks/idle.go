package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
	"github.com/weft-sdn/weft/test/lab"
	"github.com/weft-sdn/weft/test/lab/cloud"
)

// idleDriverMoves lets connections begin while br-int judges, moves their host to firewall bridges, lets others begin there, and
// moves it back. They are of TCP, UDP, SCTP, ICMP and GRE, and go by all paths. While the host moves nobody says anything, but for SCTP
// on the way there. Then the side speaks first that has not begun the connection: that is an answer, whatever the rules say of what its
// side may begin, and of ICMP the tracker has to know what it answers to. Behind the bridges connections of TCP get further than br-int
// would believe, and some end, and begin anew between the same ports when the host is back. When the rules go by which they began, all
// are over.
func idleDriverMoves(ctx context.Context, s *cloud.Scope) (string, error) {
	t, err := buildIdle(ctx, s)
	if err != nil {
		return "", err
	}
	h := s.Lab.Hosts[0]
	s.Defer(func(ctx context.Context) error { return noBridges(ctx, h) })
	s.Defer(func(ctx context.Context) error { return driver(ctx, s, h.Name, inSwitch) })
	var lines idleLines
	defer func() { lines.close() }()
	ended, err := t.openAgain(ctx)
	if err != nil {
		return "", err
	}
	defer func() { ended.close() }()
	var took [2]time.Duration
	for i, to := range []string{onBridge, inSwitch} {
		if err := lines.open(ctx, t, i); err != nil {
			return "", fmt.Errorf("before the host moves to %s: %w", to, err)
		}
		quiet := func() error { return nil }
		if to == onBridge {
			quiet = lines.talk()
		}
		start := time.Now()
		err := t.move(ctx, h, to)
		took[i] = time.Since(start)
		if err := errors.Join(err, quiet()); err != nil {
			return "", fmt.Errorf("to %s: %w", to, err)
		}
		if err := errors.Join(lines.say(lab.Answerer), lines.say(lab.Opener)); err != nil {
			return "", fmt.Errorf("moved to %s: %w", to, err)
		}
		if to == onBridge {
			if err := lines.pour(); err != nil {
				return "", fmt.Errorf("moved to %s: %w", to, err)
			}
			for _, l := range ended {
				if err := l.Reset(); err != nil {
					return "", err
				}
			}
		}
	}
	again, err := t.openAgain(ctx)
	if err != nil {
		return "", fmt.Errorf("between ports whose connection ended behind a bridge: %w", err)
	}
	lines = append(lines, again...)
	for _, r := range t.rules {
		if _, err := s.SecurityGroupRules.DeleteSecurityGroupRule(ctx, &weftv1.DeleteSecurityGroupRuleRequest{Id: r.GetMetadata().GetId()}); err != nil {
			return "", err
		}
	}
	if err := s.Settle(ctx); err != nil {
		return "", err
	}
	heard, err := lines.cut(lab.Answerer)
	if err != nil {
		return "", err
	}
	if _, err := lines.cut(lab.Opener); err != nil {
		return "", err
	}
	return fmt.Sprintf("moved in %s, and back in %s; %d idle connections went on, and were cut %s after their rules", ms(took[0]), ms(took[1]), len(lines), ms(heard)), nil
}

// move gives the host a firewall, and waits until all of its machines are where that is.
func (t *idleSite) move(ctx context.Context, h *lab.Host, to string) error {
	if err := driver(ctx, t.scope, h.Name, to); err != nil {
		return err
	}
	if err := t.scope.Settle(ctx); err != nil {
		return err
	}
	if to == inSwitch {
		return noBridges(ctx, h)
	}
	for _, vm := range t.vm {
		if vm.Host != h.Name {
			continue
		}
		if err := behindBridge(ctx, h, vm); err != nil {
			return err
		}
	}
	return nil
}

// idleLines are connections on which nobody speaks unless it is asked for.
type idleLines []*lab.Line

// open opens one of each protocol on each way by the first or second addresses. An answer is due on all of them then.
func (all *idleLines) open(ctx context.Context, t *idleSite, second int) error {
	for _, way := range t.ways(second) {
		for _, protocol := range []string{"tcp", "udp", "icmp", "sctp", fmt.Sprintf("ip:%d", gre)} {
			l, err := lab.OpenLine(ctx, protocol, way, idlePorts[0]+uint16(len(*all)))
			if err != nil {
				return err
			}
			*all = append(*all, l)
		}
	}
	return all.say(lab.Opener)
}

// openAgain opens one of TCP on each way by the first addresses, always between the same ports.
func (t *idleSite) openAgain(ctx context.Context) (all idleLines, err error) {
	for i, way := range t.ways(0) {
		way.Port = 30000 + uint16(i)
		l, err := lab.OpenLine(ctx, "tcp", way, idlePorts[1]-uint16(i))
		if err != nil {
			return all, err
		}
		all = append(all, l)
	}
	return all, nil
}

// talk has the ends of associations of SCTP speak in turn until it is told to be quiet: what tells these from others is known to their
// ends only.
func (all idleLines) talk() (quiet func() error) {
	var g errgroup.Group
	done := make(chan struct{})
	for _, l := range all {
		if l.Protocol != "sctp" {
			continue
		}
		g.Go(func() error {
			for end := lab.Opener; ; end = 1 - end {
				if err := l.Say(end, 3*time.Second); err != nil {
					return err
				}
				select {
				case <-done:
					return nil
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
	return func() error { close(done); return g.Wait() }
}

// say has one end of all speak at once, and fails for those that are not heard.
func (all idleLines) say(end int) error {
	return errors.Join(all.each(func(_ int, l *lab.Line) error { return l.Say(end, 3*time.Second) })...)
}

// pour has both ends of all streams say more than fits into a window. Whoever has tracked them before has no idea then where they are.
func (all idleLines) pour() error {
	return errors.Join(all.each(func(_ int, l *lab.Line) error {
		if !l.Stream() {
			return nil
		}
		return errors.Join(l.Pour(lab.Opener, poured, 20*time.Second), l.Pour(lab.Answerer, poured, 20*time.Second))
	})...)
}

// poured is some windows of TCP, in bytes.
const poured = 1 << 18

// cut has one end of all speak until it is not heard any more: a switch that has acknowledged rows goes by the old ones for a moment
// yet. It says how long the last one was heard.
func (all idleLines) cut(end int) (time.Duration, error) {
	heard := make([]time.Duration, len(all))
	start := time.Now()
	errs := all.each(func(i int, l *lab.Line) error {
		for l.Say(end, 300*time.Millisecond) == nil {
			if heard[i] = time.Since(start); heard[i] > 5*time.Second {
				return fmt.Errorf("%v: its rule is gone, and it goes on", l)
			}
		}
		return nil
	})
	return slices.Max(heard), errors.Join(errs...)
}

func (all idleLines) each(do func(int, *lab.Line) error) []error {
	errs := make([]error, len(all))
	var g sync.WaitGroup
	for i, l := range all {
		g.Go(func() { errs[i] = do(i, l) })
	}
	g.Wait()
	return errs
}

func (all idleLines) close() {
	for _, l := range all {
		l.Close()
	}
}
