package checks

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/weft-sdn/weft/test/lab"
)

// ear hears frames, and counts those with each mark.
type ear struct {
	*lab.Capture
	heard map[uint16]int
}

// try has a villain try tricks at targets: the honest twin must arrive there, the trick at none of silent. It answers how many
// frames it has sent.
func (t *theatre) try(ctx context.Context, by string, tricks []trick, targets, silent []string) (int, error) {
	sent := 0
	var errs []error
	for _, target := range targets {
		first := t.sent + 1
		left, lacking := tricks, error(nil)
		// As pings, a twin may be lost on a busy machine: then both are tried again.
		for round := 0; round < pingRounds && len(left) > 0; round++ {
			var frames [][]byte
			honest := map[uint16]twin{}
			for _, k := range left {
				x := attempt{me: t.known[by], neighbour: t.known["near"], gateway: t.known["router"], outsider: t.known[outsiders[0]], to: t.known[target],
					bridged: t.driver == onBridge, whole: t.driver == onBridge || !isStateless(by) && !isStateless(target)}
				if target == "near" {
					x.neighbour = t.known["far"]
				}
				x.mark = markOf(t.sent + 1)
				frames = append(frames, k.evil(x)...)
				t.evil[t.sent+1] = crime{k.name, target, silent}
				x.mark = markOf(t.sent + 2)
				of := k.honest(x)
				frames = append(frames, of...)
				honest[t.sent+2] = twin{k, len(of)}
				t.sent += 2
			}
			sent += len(frames)
			if err := lab.Inject(ctx, t.machine[by].Box, "eth0", frames...); err != nil {
				return sent, err
			}
			left, lacking = t.arrived(ctx, target, honest)
		}
		errs = append(errs, lacking, t.unheard(func(yield func(uint16) bool) {
			for n := first; n <= t.sent && yield(n); n += 2 {
			}
		}))
	}
	return sent, errors.Join(errs...)
}

// unheard fails if somebody has heard of evil marks who must not.
func (t *theatre) unheard(marks iter.Seq[uint16]) error {
	var errs []error
	heard := map[string]map[uint16]int{}
	for who := range t.ears {
		var err error
		if heard[who], err = t.hears(who); err != nil {
			return err
		}
	}
	for n := range marks {
		c := t.evil[n]
		for _, who := range c.silent {
			if times := heard[who][n]; times > 0 {
				errs = append(errs, fmt.Errorf("%s, tried at %s: %s hears %d frames", c.name, c.target, who, times))
			}
		}
	}
	return errors.Join(errs...)
}

// twin is what must be heard beside a trick.
type twin struct {
	trick
	frames int
}

// arrived waits until the honest twins have all been heard, and answers the tricks of which they have not.
func (t *theatre) arrived(ctx context.Context, target string, honest map[uint16]twin) (left []trick, err error) {
	at := []string{target}
	if target == everybody {
		at = listeners
	}
	err = lab.Poll(ctx, 3*time.Second, func() error {
		left = nil
		var lacking []string
		for _, who := range at {
			heard, err := t.hears(who)
			if err != nil {
				return err
			}
			for number, want := range honest {
				if heard[number] < want.frames {
					left = append(left, want.trick)
					lacking = append(lacking, fmt.Sprintf("%s hears %d of %d honest frames beside %q", who, heard[number], want.frames, want.name))
				}
			}
		}
		if len(lacking) > 0 {
			slices.Sort(lacking)
			return errors.New(strings.Join(lacking, "; "))
		}
		return nil
	})
	return left, err
}

// hears counts the frames with each mark that somebody has heard.
func (t *theatre) hears(who string) (map[uint16]int, error) {
	all := map[uint16]int{}
	for _, e := range t.ears[who] {
		frames, err := e.Next()
		if err != nil {
			return nil, err
		}
		for _, f := range frames {
			for _, n := range marksIn(f) {
				e.heard[n]++
			}
		}
		for n, times := range e.heard {
			all[n] += times
		}
	}
	return all, nil
}
