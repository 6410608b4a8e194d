package namespaces

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// rounds are the times after which addresses are announced, after the one before. The first may be lost because the port
// is not bound yet, later ones because a switch on the way was busy.
var rounds = []time.Duration{0, 50 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond,
	400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 3200 * time.Millisecond}

// restPerRound is how many times as long as a round took the worker does something else before the next one: a thousand addresses
// take a while, and a change of one must not wait for them again and again.
const restPerRound = 10

// announcer announces addresses that have come, several times.
type announcer struct {
	addresses map[string]map[netip.Addr]bool // by device
	round     int
	at        time.Time // of the next round; zero for none
}

func (a *announcer) add(dev string, list []netip.Addr) {
	if len(list) == 0 {
		return
	}
	if a.addresses == nil {
		a.addresses = map[string]map[netip.Addr]bool{}
	}
	if a.addresses[dev] == nil {
		a.addresses[dev] = map[netip.Addr]bool{}
	}
	for _, ip := range list {
		a.addresses[dev][ip] = true
	}
	a.round, a.at = 0, time.Now()
}

// becameOnlyOne says whether a router was one of the copies of a distributed one, and is the only one now. Others, which are still
// there for a moment, may have been heard outside their hosts as soon as rows did not keep them in: switches believe that
// the gateway is where they were, until they hear of it again.
func becameOnlyOne(was, is *plan.Sources) bool {
	return was != nil && was.Router != nil && was.Router.Distributed && is.Router != nil && !is.Router.Distributed
}

// announceAll announces what there is, as if it had just come.
func (w *worker) announceAll() {
	for _, l := range w.target.Links {
		w.announcer.add(l.Name, w.target.Announcements(l.Name))
	}
}

// announce announces what is due: of what was to be announced, that which is still so.
func (w *worker) announce() {
	w.k.mu.Lock()
	arrived := w.arrived
	w.arrived = nil
	w.k.mu.Unlock()
	for _, l := range w.target.Links {
		if slices.Contains(arrived, l.Tap.Name) {
			w.announcer.add(l.Name, w.target.Announcements(l.Name))
		}
	}
	a := &w.announcer
	if a.at.IsZero() || time.Now().Before(a.at) || w.ns == nil {
		if w.ns == nil {
			*a = announcer{}
		}
		return
	}
	var list []plan.Announce
	for dev, ips := range a.addresses {
		still := slices.DeleteFunc(w.target.Announcements(dev), func(ip netip.Addr) bool { return !ips[ip] })
		if len(still) > 0 {
			list = append(list, plan.Announce{Dev: dev, Addresses: still})
		}
	}
	began := time.Now()
	if err := w.ns.Announce(list); err != nil {
		w.k.log.Warn("addresses not announced", "namespace", w.name, "err", err)
	}
	if a.round++; a.round == len(rounds) {
		*a = announcer{}
		return
	}
	now := time.Now()
	a.at = now.Add(max(rounds[a.round], restPerRound*now.Sub(began)))
}
