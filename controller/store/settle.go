package store

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view"
)

// set is a set of keys.
type set[K comparable] map[K]bool

func (s *set[K]) add(k K) {
	if *s == nil {
		*s = set[K]{}
	}
	(*s)[k] = true
}

// drain empties the set, and returns what was in it in order.
func drain[K cmp.Ordered](s *set[K]) []K {
	keys := slices.Sorted(maps.Keys(*s))
	*s = nil
	return keys
}

// pending is what changes have left to be put right: where the centralised parts of routers are, which hosts distributed
// routers are on, who serves networks by DHCP, which hosts serve floating IPs, and which ports lack an address that their
// machine makes itself.
//
// Operations note here what they touched, and settle puts it right once, when all of a transaction's operations are done:
// the cost follows what changed, and not how many operations it took.
type pending struct {
	// fitness says that a host became fit, or unfit, for what is put on network hosts.
	fitness bool
	// routers are those whose centralised part, or whose need for one, may have changed.
	routers set[string]
	// networks are those whose DHCP ports may have changed.
	networks set[string]
	// spread are networks of distributed routers that may be on other hosts now; places likewise, on one host.
	spread set[string]
	places set[place]
	// floating are hosts that may serve other external networks now.
	floating set[string]
	// selfMade are subnets of which ports may lack the address that their machines make themselves.
	selfMade set[string]
	// freed counts by network the addresses that were given back.
	freed map[string]int
}

func (p *pending) empty() bool {
	return !p.fitness && len(p.routers)+len(p.networks)+len(p.spread)+len(p.places)+len(p.floating)+len(p.selfMade)+len(p.freed) == 0
}

// freedAddress notes that an address was given back.
func (p *pending) freedAddress(network string) {
	if p.freed == nil {
		p.freed = map[string]int{}
	}
	if p.freed[network] < math.MaxInt {
		p.freed[network]++
	}
}

// freedAll notes that any number of addresses may have become free.
func (p *pending) freedAll(network string) {
	p.freedAddress(network)
	p.freed[network] = math.MaxInt
}

// join adds what another has.
func (p *pending) join(o pending) {
	p.fitness = p.fitness || o.fitness
	joinSets(&p.routers, o.routers)
	joinSets(&p.networks, o.networks)
	joinSets(&p.spread, o.spread)
	joinSets(&p.places, o.places)
	joinSets(&p.floating, o.floating)
	joinSets(&p.selfMade, o.selfMade)
	for n := range o.freed {
		p.freedAll(n)
	}
}

func joinSets[K comparable](s *set[K], o set[K]) {
	for k := range o {
		s.add(k)
	}
}

// maxRounds bounds how often what was put right may in turn touch something else: a port that is bound brings a router to
// a host, which takes a VLAN there, and so on. A handful is what it takes.
const maxRounds = 100

// settle puts right what is pending. It never refuses: what cannot be had (no host that is fit, no address left) is not
// there, and is tried again when that changes. What a transaction cannot hold beside the rest stays pending.
func (t *Tx) settle() {
	var f fleet
	for range maxRounds {
		t.drainFitness()
		t.drainFreed()
		if t.pending.empty() {
			return
		}
		t.while(&t.pending.routers, func(id string) { t.schedule(&f, id) })
		t.while(&t.pending.selfMade, t.spreadSelfMade)
		t.while(&t.pending.networks, func(id string) { t.serveDHCP(&f, id) })
		t.spreadRouters()
		for _, host := range drain(&t.pending.floating) {
			t.serveFloating(host)
		}
		if t.spent() {
			return
		}
	}
	t.err = errors.Join(t.err, errors.New("the store cannot make up its mind where routers and DHCP servers are to be: this is a bug"))
}

// while drains a set as long as the transaction has room.
func (t *Tx) while(s *set[string], do func(string)) {
	for _, id := range drain(s) {
		if t.spent() {
			s.add(id)
		} else {
			do(id)
		}
	}
}

// spent says that a transaction has come to half of what it may hold. An object takes about half a kilobyte.
func (t *Tx) spent() bool {
	return t.writes > t.cfg.MaxTxnOps/2 || t.writes > t.cfg.MaxTxnBytes/1024
}

// everything is pending.
func (t *Tx) everything() {
	t.pending.fitness = true
	for r := range t.Routers() {
		t.pending.routers.add(r.ID)
		t.pending.spreadOf(t, r.ID)
	}
	for h := range t.Hosts() {
		t.pending.floating.add(h.ID)
	}
	for s := range t.Subnets() {
		if s.SelfMade() {
			t.pending.selfMade.add(s.ID)
		}
	}
}

// spreadOf notes that the hosts of a router may change.
func (p *pending) spreadOf(t *Tx, router string) {
	for i := range t.distributedPorts(router) {
		p.spread.add(i.NetworkID)
	}
}

// fitness is what decides what can be put on a host.
type fitness struct {
	unfit string
	// stays: what is there goes on until it is elsewhere.
	stays    bool
	mappings map[string]string
}

func (t *Tx) fitness(host string) fitness {
	return fitness{t.Unfit(host, nil), t.stays(host), maps.Clone(t.BridgeMappings(host))}
}

// hostChanged notes what a change of a host, which was like that before, makes pending. Where no network host is concerned
// that is next to nothing.
func (t *Tx) hostChanged(host string, before fitness) {
	after := t.fitness(host)
	mapped := maps.Equal(before.mappings, after.mappings)
	if !mapped {
		t.pending.floating.add(host)
	}
	fit, was := after.unfit == "", before.unfit == ""
	if fit != was || after.stays != before.stays || fit && !mapped {
		t.pending.fitness = true
	}
}

// drainFitness finds what could be elsewhere, or could be somewhere at last, now that the fitness of a host has changed.
func (t *Tx) drainFitness() {
	if !t.pending.fitness {
		return
	}
	t.pending.fitness = false
	for r := range t.Routers() {
		if s := t.Schedule(r.ID); t.Centralised(r) && (s == nil || s.Next != "" || t.Unfit(s.Host, t.PhysicalNetworks(r)) != "") {
			t.pending.routers.add(r.ID)
		}
	}
	for s := range t.Subnets() {
		if s.EnableDHCP {
			t.pending.networks.add(s.NetworkID)
		}
	}
}

// drainFreed finds who may have waited for an address that became free. Nobody did where there were others.
func (t *Tx) drainFreed() {
	freed := t.pending.freed
	t.pending.freed = nil
	for id, n := range freed {
		network := t.Network(id)
		if network == nil || !network.RouterExternal && !t.lacksDHCP(id) || !t.wasFull(id, n) {
			continue
		}
		t.pending.networks.add(id)
		for f := range t.FloatingIPsOfNetwork(id) {
			if host := view.FIPHost(t.Snapshot, f); host != "" {
				t.pending.floating.add(host)
			}
		}
	}
}

// wasFull says whether an IPv4 subnet of the network has no more free addresses than were given back.
func (t *Tx) wasFull(network string, freed int) bool {
	for _, s := range t.subnets4(network) {
		if freed == math.MaxInt {
			return true
		}
		n := 0
		for range t.freeAddresses(s) {
			if n++; n > freed {
				break
			}
		}
		if n <= freed {
			return true
		}
	}
	return false
}

// distributedPorts iterates over the ports of a distributed router on its subnets.
func (t *Tx) distributedPorts(router string) func(func(*model.Port) bool) {
	return func(yield func(*model.Port) bool) {
		for p := range t.PortsOfDevice(router) {
			if p.DeviceOwner == model.OwnerDistributedInterface && !yield(p) {
				return
			}
		}
	}
}
