package viewtest

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// securityKind is the kind of an object that only firewalls have to do with.
func securityKind(o any) (state.Kind, bool) {
	switch o.(type) {
	case *model.SecurityGroup:
		return state.SecurityGroups, true
	case *model.SecurityGroupRule:
		return state.SecurityGroupRules, true
	case *model.AddressGroup:
		return state.AddressGroups, true
	case *model.GroupSet:
		return state.GroupSets, true
	}
	return "", false
}

func (w Walk) group() string { return w.one("group", "g1", "g2", "g3") }

// groups are some groups, sorted.
func (w Walk) groups() []string {
	var out []string
	for _, g := range []string{"g1", "g2", "g3"} {
		if w.bool(g) {
			out = append(out, g)
		}
	}
	return out
}

// beginSecurity secures the VMs of Begin: p1 is of g1, which its members may talk to, p2 of g2, which g1 may talk to.
func (w Walk) beginSecurity(tx Tx) {
	a := vm("p1", "n1", 1, "n1v4", "10.1.0.5", "n1v6", "fd00::5")
	b := vm("p2", "n2", 2, "n2v4", "10.2.0.5")
	for i, p := range []*model.Port{a, b} {
		g := []string{"g1", "g2"}[i]
		p.PortSecurityEnabled, p.SecurityGroups = true, []string{g}
		tx.Put(p, &model.SecurityGroup{Meta: model.Meta{ID: g}, Stateful: true, Number: uint32(1 + i)}, &model.GroupSet{Key: g, Number: uint32(1 + i)},
			&model.SecurityGroupRule{Meta: model.Meta{ID: "R" + g}, SecurityGroupID: g, Direction: model.Ingress, EtherType: model.IPv4, RemoteGroupID: "g1"})
	}
	tx.Put(&model.AddressGroup{Meta: model.Meta{ID: "a1"}, Number: 11, Addresses: []netip.Prefix{w.block()}},
		&model.SecurityGroupRule{Meta: model.Meta{ID: "R1"}, SecurityGroupID: "g1", Direction: model.Egress, EtherType: model.IPv4, RemoteAddressGroupID: "a1"})
}

// securityStep changes something that firewalls have to do with.
func (w Walk) securityStep(tx Tx, network string, gone bool) {
	switch kind := w.one("what", "port", "port", "rules", "rules", "rules", "driver"); kind {
	case "port":
		p := w.portOf(w.port(), network)
		p.PortSecurityEnabled, p.SecurityGroups = w.n("unsecured", 4) > 0, w.groups()
		if w.bool("pair with a MAC") {
			p.AllowedAddressPairs = append(p.AllowedAddressPairs, model.AddressPair{IP: w.block(), MAC: MAC(byte(1 + w.n("pair", 2)))})
		}
		tx.Put(p)
	case "rules":
		w.rulesStep(tx, gone)
	default:
		if h := tx.txn.Host(w.one("host", w.Hosts()...)); h != nil {
			o := *h
			o.FirewallDriver = w.one("driver", "", model.FirewallOpenFlow, model.FirewallHybrid)
			tx.Put(&o)
		}
	}
}

// RulesStep changes rules, groups, and who has which: nothing that makes a difference to anything but firewalls.
func (w Walk) RulesStep(tx Tx) { w.rulesStep(tx, w.n("gone", 3) == 0) }

func (w Walk) rulesStep(tx Tx, gone bool) {
	group, rule := w.group(), w.one("rule", "R1", "R2", "R3", "Rg1", "Rg2")
	switch kind := w.one("what", "regroup", "group", "rule", "rule", "address group", "set"); {
	case kind == "regroup":
		if o := tx.txn.Port(w.port()); o != nil {
			p := *o
			p.PortSecurityEnabled, p.SecurityGroups = w.n("unsecured", 2) > 0, w.groups()
			tx.Put(&p)
		}
	case kind == "group" && gone:
		tx.Delete(state.SecurityGroups, group)
	case kind == "group":
		tx.Put(&model.SecurityGroup{Meta: model.Meta{ID: group}, Stateful: w.n("stateless", 2) > 0, Number: uint32(1 + w.n("number", 3))})
	case kind == "rule" && gone:
		tx.Delete(state.SecurityGroupRules, rule)
	case kind == "rule":
		tx.Put(w.rule(rule))
	case kind == "address group" && gone:
		tx.Delete(state.AddressGroups, "a1")
	case kind == "address group":
		tx.Put(&model.AddressGroup{Meta: model.Meta{ID: "a1"}, Number: uint32(11 + w.n("number", 1)), Addresses: []netip.Prefix{w.block(), w.block()}})
	case gone:
		tx.Delete(state.GroupSets, strings.Join(w.groups(), ","))
	default:
		tx.Put(&model.GroupSet{Key: strings.Join(w.groups(), ","), Number: uint32(1 + w.n("set", 5))})
	}
}

// block is one of a few blocks, some of them members' addresses.
func (w Walk) block() netip.Prefix {
	return netip.MustParsePrefix(w.one("block", "10.1.0.2/32", "10.1.0.0/24", "10.0.0.0/8", "fd00::2/128", "fd00::/64", "0.0.0.0/0"))
}

func (w Walk) rule(id string) *model.SecurityGroupRule {
	r := &model.SecurityGroupRule{
		Meta: model.Meta{ID: id}, SecurityGroupID: w.group(), Direction: w.one("direction", model.Ingress, model.Egress),
		EtherType: w.one("ethertype", model.IPv4, model.IPv6),
	}
	if proto := uint8(w.n("protocol", 17)); slices.Contains([]uint8{1, 6, 17}, proto) {
		r.Protocol = &proto
		if w.bool("ports") {
			from := uint16(w.n("from", 100))
			to := from + uint16(w.n("more", 100))
			r.PortRangeMin, r.PortRangeMax = &from, &to
		}
	}
	switch w.n("remote", 3) {
	case 0:
		r.RemoteIPPrefix = w.block()
	case 1:
		r.RemoteGroupID = w.group()
	case 2:
		r.RemoteAddressGroupID = "a1"
	}
	return r
}
