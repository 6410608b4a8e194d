package view

import (
	"cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Security is what a port of this host is judged by.
type Security struct {
	// Set stands for the port's security groups, which it may share with others.
	Set Set
	// Senders are the addresses that the port may send from, sorted.
	Senders []model.Sender
}

// Set names a set of security groups in rows.
type Set struct {
	// Number is 1..2^31-1; 0 stands for no groups: nothing is allowed.
	Number uint32
	// Stateless: every packet is judged by itself.
	Stateless bool
}

// compare orders sets by number, the stateful one first.
func (s Set) compare(t Set) int {
	stateless := func(s Set) int {
		if s.Stateless {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(s.Number, t.Number), stateless(s)-stateless(t))
}

// judges says whether br-int of a host judges what ports send and hear. It does unless a Linux bridge before it does.
func judges(s state.Snapshot, host string) bool {
	h := s.Host(host)
	return h != nil && h.FirewallDriver != model.FirewallHybrid
}

// security is what a port is judged by on a host, or nil when nobody judges it there.
func security(s state.Snapshot, host string, p *model.Port) *Security {
	if !p.Secured() || !judges(s, host) {
		return nil
	}
	return &Security{Set: setOf(s, p.SecurityGroups, p.GroupSetKey()), Senders: p.Senders()}
}

// setOf looks up a set of groups by its key. The groups of a set are either all stateful or all stateless.
func setOf(s state.Snapshot, groups []string, key string) Set {
	gs := s.GroupSet(key)
	if gs == nil || len(groups) == 0 {
		return Set{}
	}
	set := Set{Number: gs.Number}
	for _, id := range groups {
		if g := s.SecurityGroup(id); g != nil {
			if g.Stateful {
				set.Stateless = false
				break
			}
			set.Stateless = true
		}
	}
	return set
}

// securedOn is the port that is bound by a binding, if the host judges it; else nil.
func securedOn(s state.Snapshot, b *model.Binding) *model.Port {
	if p := s.Port(b.PortID); p != nil && p.NetworkID == b.NetworkID && p.Secured() {
		return p
	}
	return nil
}
