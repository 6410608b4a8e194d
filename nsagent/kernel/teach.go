package kernel

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// teachRounds is how often it is looked whether br-int knows all connections: while it is told of one, the other side may speak
// first once more.
const teachRounds = 3

// teach makes br-int know the connections that firewall bridges have tracked, each in the direction in which it has begun. br-int
// tracks all packets already. It is shown a packet of each connection of which it has seen none, or only some of the other side, or
// those from before there were bridges: the packets are made up, but for TCP's sequence numbers, which machines are asked for. What it
// knows from before and is over it forgets.
func (n *Namespace) teach(ctx context.Context, bridges []plan.Bridge) error {
	if n.host.Tracker == nil {
		return nil
	}
	l := &lesson{n: n, bridges: bridges, at: map[string]map[plan.Connection]numbers{}, asked: map[string]map[plan.Connection]bool{}}
	for _, b := range bridges {
		l.at[b.Name], l.asked[b.Name] = map[plan.Connection]numbers{}, map[plan.Connection]bool{}
	}
	for range teachRounds {
		if err := l.look(ctx); err != nil {
			return err
		}
		if err := l.forget(ctx); err != nil {
			return err
		}
		if len(l.missing) == 0 {
			return nil
		}
		if err := l.ask(ctx); err != nil {
			return err
		}
		shown, err := l.show(ctx)
		if err != nil {
			return err
		}
		if shown == 0 {
			break // nobody says more
		}
	}
	if err := l.look(ctx); err != nil {
		return err
	}
	for _, b := range bridges {
		if left := len(l.missing[b.Name]); left > 0 && n.host.Unlearned != nil {
			n.host.Unlearned(b.PortID, false, left)
		}
	}
	return nil
}

// lesson is what br-int does not know yet.
type lesson struct {
	n       *Namespace
	bridges []plan.Bridge
	// missing and wrong are, by bridge, as plan.Unlearned has them.
	missing, wrong map[string][]plan.Connection
	// outdated are those among the missing that br-int knows from before there was a bridge, until it has been shown them; nil before
	// anybody has looked.
	outdated map[string]map[plan.Connection]bool
	// gone are those that br-int knows from then and that are over.
	gone map[string][]plan.Connection
	// at is where connections of TCP have got to, by bridge, as far as machines have told.
	at map[string]map[plan.Connection]numbers
	// asked are those that machines have been asked for: one that has said nothing says nothing the next time.
	asked map[string]map[plan.Connection]bool
}

// look compares both trackers.
func (l *lesson) look(ctx context.Context) error {
	known := tracked{n: l.n}
	for _, b := range l.bridges {
		if b.Zone != 0 {
			if _, err := known.by(ctx, b); err != nil {
				return err
			}
		}
	}
	kernel, err := l.n.connections()
	if err != nil {
		return err
	}
	defer kernel.Close()
	flows, err := kernel.Dump(nil)
	if err != nil {
		return fmt.Errorf("connections of %s: %w", l.n.name, err)
	}
	have := map[uint16][]plan.Connection{}
	for _, f := range flows {
		have[f.Zone] = append(have[f.Zone], connection(f))
	}
	l.missing, l.wrong = map[string][]plan.Connection{}, map[string][]plan.Connection{}
	first := l.outdated == nil
	l.outdated, l.gone = map[string]map[plan.Connection]bool{}, map[string][]plan.Connection{}
	for _, b := range l.bridges {
		if b.Zone == 0 {
			continue
		}
		known, err := known.by(ctx, b)
		if err != nil {
			return err
		}
		missing, wrong := plan.Unlearned(have[b.Zone], known, b.Senders)
		if len(missing) > 0 {
			l.missing[b.Name], l.wrong[b.Name] = missing, wrong
		}
		if first { // one of which the machine says nothing br-int keeps as it knows it
			l.outdated[b.Name] = map[plan.Connection]bool{}
			for _, c := range plan.Outdated(have[b.Zone], known, b.Senders) {
				l.missing[b.Name], l.outdated[b.Name][c] = append(l.missing[b.Name], c), true
			}
			l.gone[b.Name] = plan.Gone(have[b.Zone], known, b.Senders)
		}
	}
	return nil
}

// forget makes br-int forget what is over.
func (l *lesson) forget(ctx context.Context) error {
	for _, b := range l.bridges {
		if gone := l.gone[b.Name]; len(gone) > 0 {
			if err := l.n.host.Tracker.Correct(ctx, b.VLAN, gone, nil); err != nil {
				return fmt.Errorf("connections of port %s in br-int: %w", b.PortID, err)
			}
		}
	}
	return nil
}

// ask asks machines, all at the same time, where those connections are that they have not been asked for yet.
func (l *lesson) ask(ctx context.Context) error {
	var g sync.WaitGroup
	errs := make([]error, len(l.bridges))
	for i, b := range l.bridges {
		var ask []plan.Connection
		for _, c := range l.missing[b.Name] {
			if c.Asks() && !l.asked[b.Name][c] {
				l.asked[b.Name][c] = true
				ask = append(ask, c)
			}
		}
		if len(ask) > 0 && len(b.Taps) > 0 {
			g.Go(func() { errs[i] = l.n.ask(ctx, b.Taps[0], b.Senders, ask, l.at[b.Name]) })
		}
	}
	g.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("ask the machine of port %s for its connections: %w", l.bridges[i].PortID, err)
		}
	}
	return nil
}

// show shows br-int packets of the connections that it does not know, and says of how many. Those that it has the wrong way round, or
// from before, it forgets right before.
func (l *lesson) show(ctx context.Context) (shown int, err error) {
	for _, b := range l.bridges {
		var packets []plan.Packet
		var forget []plan.Connection
		for _, c := range l.missing[b.Name] {
			at, told := l.at[b.Name][c]
			if c.Asks() && !told {
				continue
			}
			frames, err := exchange(c, at)
			if err != nil {
				return shown, err
			}
			for _, f := range frames {
				packets = append(packets, plan.Packet{Frame: f, Mark: c.BrIntMark()})
			}
			if i := slices.IndexFunc(l.wrong[b.Name], c.Opposes); i >= 0 && !slices.Contains(forget, l.wrong[b.Name][i]) {
				forget = append(forget, l.wrong[b.Name][i])
			}
			if l.outdated[b.Name][c] {
				forget = append(forget, c)
			}
			shown++
		}
		if err := l.n.host.Tracker.Correct(ctx, b.VLAN, forget, packets); err != nil {
			return shown, fmt.Errorf("connections of port %s in br-int: %w", b.PortID, err)
		}
	}
	return shown, nil
}
