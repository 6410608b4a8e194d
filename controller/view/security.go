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
	// Number is 1..2^31-2, or AllowAll; 0 stands for no groups: nothing is allowed.
	Number uint32
	// Stateless: every packet is judged by itself.
	Stateless bool
}

// AllowAll is the number of a set that allows everything: that of a port whose firewall bridge judges as yet, and is to go. Of its
// connections br-int learns meanwhile.
const AllowAll = 1<<31 - 1

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

// hybrid says whether secured ports of a host get a Linux bridge before br-int, which judges them.
func hybrid(s state.Snapshot, host string) bool {
	h := s.Host(host)
	return h != nil && h.FirewallDriver == model.FirewallHybrid
}

// behindBridge says whether a firewall bridge judges what a port sends before it comes to br-int, as its host says. Until it
// does, br-int judges the port, so that there is no moment in which nobody does.
func behindBridge(s state.Snapshot, b *model.Binding) bool { return hybrid(s, b.Host) && b.Firewalled }

// leaving says whether a firewall bridge judges a port that is to be judged by br-int. The bridge stays until br-int has learned
// which connections there are: one that it does not know, it would take for one that begins.
func leaving(s state.Snapshot, b *model.Binding) bool { return !hybrid(s, b.Host) && b.Firewalled }

// security is what br-int judges a port by that is bound, or nil when it does not.
func security(s state.Snapshot, b *model.Binding, p *model.Port) *Security {
	if !p.Secured() || behindBridge(s, b) {
		return nil
	}
	by := securityOf(s, p)
	if leaving(s, b) {
		by.Set.Number = AllowAll
	}
	return by
}

func securityOf(s state.Snapshot, p *model.Port) *Security {
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

// securedOn is the port that is bound by a binding, if the host judges it, in br-int or before; else nil.
func securedOn(s state.Snapshot, b *model.Binding) *model.Port {
	if p := s.Port(b.PortID); p != nil && p.NetworkID == b.NetworkID && p.Secured() && s.Host(b.Host) != nil {
		return p
	}
	return nil
}

// A judge is one of the two that may judge the ports of a host: it gives the port that is bound by a binding, if it judges
// it. While a port moves from one to the other, both do.
type judge func(s state.Snapshot, b *model.Binding) *model.Port

// byRows is br-int.
func byRows(s state.Snapshot, b *model.Binding) *model.Port {
	if behindBridge(s, b) {
		return nil
	}
	return securedOn(s, b)
}

// byBridge is the firewall bridges of a host: those that it is to have, and those that it has until br-int judges.
func byBridge(s state.Snapshot, b *model.Binding) *model.Port {
	if !hybrid(s, b.Host) && !b.Firewalled {
		return nil
	}
	return securedOn(s, b)
}
