package store

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

func group(t testing.TB, s *Store, project, name string) *model.SecurityGroup {
	t.Helper()
	return made(t, s, func(tx *Tx) (*model.SecurityGroup, error) {
		return tx.CreateSecurityGroup(&model.SecurityGroup{Meta: model.Meta{Name: name, ProjectID: project}, Stateful: true})
	})
}

// rules are what the rules of a group allow, sorted.
func rules(s *Store, group string) string {
	snap, _ := s.Snapshot()
	var out []string
	for r := range snap.RulesOf(group) {
		out = append(out, strings.ReplaceAll(r.Traffic(), group, "itself"))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func num[T any](v T) *T { return &v }

func TestDefaultGroup(t *testing.T) {
	s := newStore(t)
	blue := network(t, s, "blue")
	p := port(t, s, &model.Port{Meta: model.Meta{ProjectID: "acme"}, NetworkID: blue.ID, PortSecurityEnabled: true})
	snap, _ := s.Snapshot()
	g := snap.SecurityGroup(p.SecurityGroups[0])
	if g.Name != "default" || !g.Default || !g.Stateful || g.ProjectID != "acme" || g.Number == 0 {
		t.Errorf("%+v", *g)
	}
	if got, want := rules(s, g.ID), "egress IPv4 to anybody\negress IPv6 to anybody\ningress IPv4 from securitygroup itself\ningress IPv6 from securitygroup itself"; got != want {
		t.Errorf("rules:\n%s\nwant:\n%s", got, want)
	}
	if again := port(t, s, &model.Port{Meta: model.Meta{ProjectID: "acme"}, NetworkID: blue.ID, PortSecurityEnabled: true}); !slices.Equal(again.SecurityGroups, p.SecurityGroups) {
		t.Errorf("the second port has %v", again.SecurityGroups)
	} else {
		update(t, s, func(tx *Tx) error { return tx.DeletePort(again.ID, 0) })
	}
	none := port(t, s, &model.Port{Meta: model.Meta{ProjectID: "acme"}, NetworkID: blue.ID, PortSecurityEnabled: true, SecurityGroups: []string{}})
	if len(none.SecurityGroups) != 0 {
		t.Errorf("a port without groups has %v", none.SecurityGroups)
	}
	open := port(t, s, &model.Port{Meta: model.Meta{ProjectID: "other"}, NetworkID: blue.ID})
	invariants(t, snapshot(s))
	c := *open
	c.PortSecurityEnabled = true
	secured := made(t, s, func(tx *Tx) (*model.Port, error) { return tx.UpdatePort(&c, 0) })
	if len(secured.SecurityGroups) != 1 || secured.SecurityGroups[0] == g.ID {
		t.Errorf("secured later, in another project: %v", secured.SecurityGroups)
	}
	invariants(t, snapshot(s))

	named := group(t, s, "third", "web")
	if got, want := rules(s, named.ID), "egress IPv4 to anybody\negress IPv6 to anybody"; got != want {
		t.Errorf("rules of a new group:\n%s", got)
	}
	third := (&Tx{Snapshot: snapshot(s)}).defaultGroup("third")
	refused[*ErrInUse](t, s, func(tx *Tx) error { return tx.DeleteSecurityGroup(third.ID, 0) },
		fmt.Sprintf(`the default group of project "third" is in use by securitygroup "web" (%s)`, named.ID))
	refused[*ErrInUse](t, s, func(tx *Tx) error { return tx.DeleteSecurityGroup(g.ID, 0) },
		fmt.Sprintf(`securitygroup %s is in use by port %s`, g.ID, p.ID))
	update(t, s, func(tx *Tx) error {
		for _, id := range []string{p.ID, none.ID, secured.ID} {
			if err := tx.DeletePort(id, 0); err != nil {
				return err
			}
		}
		for _, id := range []string{named.ID, third.ID, g.ID, secured.SecurityGroups[0]} {
			if err := tx.DeleteSecurityGroup(id, 0); err != nil {
				return err
			}
		}
		return tx.DeleteNetwork(blue.ID, 0)
	})
	for _, k := range []state.Kind{state.SecurityGroups, state.SecurityGroupRules, state.GroupSets, state.Ports} {
		if n := snapshot(s).Len(k); n != 0 {
			t.Errorf("%d %s are left", n, k)
		}
	}
}

func snapshot(s *Store) state.Snapshot {
	snap, _ := s.Snapshot()
	return snap
}

func TestGroupSets(t *testing.T) {
	s := newStore(t)
	blue := network(t, s, "blue")
	a, b := group(t, s, "", "a"), group(t, s, "", "b")
	both := []string{a.ID, b.ID}
	slices.Sort(both)
	backwards := []string{both[1], both[0]}
	p := port(t, s, &model.Port{NetworkID: blue.ID, PortSecurityEnabled: true, SecurityGroups: backwards})
	q := port(t, s, &model.Port{NetworkID: blue.ID, PortSecurityEnabled: true, SecurityGroups: both})
	set := snapshot(s).GroupSet(strings.Join(both, ","))
	if set == nil || set.Number == 0 || snapshot(s).Len(state.GroupSets) != 1 {
		t.Fatalf("%+v of %d", set, snapshot(s).Len(state.GroupSets))
	}
	c := *p
	c.SecurityGroups = []string{a.ID}
	update(t, s, func(tx *Tx) error { _, err := tx.UpdatePort(&c, 0); return err })
	if one := snapshot(s).GroupSet(a.ID); one == nil || one.Number == set.Number {
		t.Errorf("%+v", one)
	}
	invariants(t, snapshot(s))
	update(t, s, func(tx *Tx) error { return tx.DeletePort(q.ID, 0) })
	if snapshot(s).GroupSet(set.Key) != nil {
		t.Error("the set outlives its last port")
	}
	c.PortSecurityEnabled, c.SecurityGroups = false, nil
	update(t, s, func(tx *Tx) error { _, err := tx.UpdatePort(&c, 0); return err })
	if n := snapshot(s).Len(state.GroupSets); n != 0 {
		t.Errorf("%d sets without ports", n)
	}
}

func TestSecurityRefusals(t *testing.T) {
	s := newStore(t)
	blue := network(t, s, "blue")
	web, db := group(t, s, "acme", "web"), group(t, s, "acme", "db")
	loose := made(t, s, func(tx *Tx) (*model.SecurityGroup, error) {
		return tx.CreateSecurityGroup(&model.SecurityGroup{Meta: model.Meta{Name: "loose", ProjectID: "acme"}})
	})
	office := made(t, s, func(tx *Tx) (*model.AddressGroup, error) {
		return tx.CreateAddressGroup(&model.AddressGroup{Meta: model.Meta{Name: "office"}, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	})
	ssh := &model.SecurityGroupRule{SecurityGroupID: web.ID, Direction: model.Ingress, EtherType: model.IPv4, Protocol: num[uint8](6),
		PortRangeMin: num[uint16](22), PortRangeMax: num[uint16](22)}
	first := made(t, s, create2(ssh))
	same := *ssh
	same.RemoteIPPrefix = netip.MustParsePrefix("0.0.0.0/0")
	refused[*ErrAlreadyExists](t, s, create((*Tx).CreateSecurityGroupRule, &same),
		fmt.Sprintf(`remote_ip_prefix: the rule "ingress IPv4 tcp 22 from anybody" of %s is taken by securitygrouprule %s`, refTo(state.SecurityGroups, web), first.ID))
	lost := *ssh
	lost.RemoteGroupID = uid(77)
	refused[*model.Invalid](t, s, create((*Tx).CreateSecurityGroupRule, &lost), fmt.Sprintf("remote_group_id: securitygroup %q does not exist", uid(77)))
	lost.RemoteGroupID, lost.RemoteAddressGroupID = "", uid(78)
	refused[*model.Invalid](t, s, create((*Tx).CreateSecurityGroupRule, &lost), fmt.Sprintf("remote_address_group_id: addressgroup %q does not exist", uid(78)))

	lost.RemoteAddressGroupID = office.ID
	fromOffice := made(t, s, create2(&lost))
	refused[*ErrInUse](t, s, func(tx *Tx) error { return tx.DeleteAddressGroup(office.ID, 0) },
		fmt.Sprintf("addressgroup %s is in use by securitygrouprule %s", office.ID, fromOffice.ID))
	fromDB := *ssh
	fromDB.RemoteGroupID = db.ID
	about := made(t, s, create2(&fromDB))
	refused[*ErrInUse](t, s, func(tx *Tx) error { return tx.DeleteSecurityGroup(db.ID, 0) },
		fmt.Sprintf("securitygroup %s is in use by securitygrouprule %s", db.ID, about.ID))

	mixed := &model.Port{NetworkID: blue.ID, PortSecurityEnabled: true, SecurityGroups: []string{web.ID, loose.ID}}
	refused[*model.Invalid](t, s, create((*Tx).CreatePort, mixed), fmt.Sprintf("security_groups: %s is stateful, but %s is not: a port has groups of one sort only",
		refTo(state.SecurityGroups, web), refTo(state.SecurityGroups, loose)))
	mixed.SecurityGroups = []string{uid(79), web.ID, web.ID}
	refused[*model.Invalid](t, s, create((*Tx).CreatePort, mixed),
		"security_groups[2]: is the same as security_groups[1]", fmt.Sprintf("security_groups[0]: securitygroup %q does not exist", uid(79)))
	mixed.PortSecurityEnabled, mixed.SecurityGroups = false, []string{web.ID}
	refused[*model.Invalid](t, s, create((*Tx).CreatePort, mixed),
		"security_groups: are no use while port_security_enabled is false: nobody would mind them; empty the list, in an update with security_groups in update_mask, or enable port security")

	mixed.PortSecurityEnabled = true
	p := port(t, s, mixed)
	w := *web
	w.Stateful = false
	refused[*ErrInUse](t, s, replace((*Tx).UpdateSecurityGroup, &w, 0), fmt.Sprintf("stateful of %s is in use by port %s", refTo(state.SecurityGroups, web), p.ID))
	standard := *(&Tx{Snapshot: snapshot(s)}).defaultGroup("acme")
	standard.Name = "other"
	refused[*model.Invalid](t, s, replace((*Tx).UpdateSecurityGroup, &standard, 0),
		"metadata.name: is default and cannot be changed: ports of the project that name no group get this one")
	refused[*ErrAlreadyExists](t, s, create((*Tx).CreateSecurityGroup, &model.SecurityGroup{Meta: model.Meta{Name: "default", ProjectID: "acme"}, Stateful: true}),
		fmt.Sprintf(`metadata.name: default is taken by securitygroup "default" (%s)`, standard.ID))
	invariants(t, snapshot(s))
}

func create2(r *model.SecurityGroupRule) func(*Tx) (*model.SecurityGroupRule, error) {
	return func(tx *Tx) (*model.SecurityGroupRule, error) { return tx.CreateSecurityGroupRule(r) }
}

// What was exported has the rules that groups are made with, under their old ids.
func TestRulesOfANewGroupGiveWay(t *testing.T) {
	s := newStore(t)
	web := &model.SecurityGroup{Meta: model.Meta{ID: uid(1), Name: "web"}, Stateful: true}
	out := &model.SecurityGroupRule{Meta: model.Meta{ID: uid(2)}, SecurityGroupID: web.ID, Direction: model.Egress, EtherType: model.IPv4}
	update(t, s, func(tx *Tx) error {
		if _, err := tx.CreateSecurityGroup(web); err != nil {
			return err
		}
		_, err := tx.CreateSecurityGroupRule(out)
		return err
	})
	if snapshot(s).SecurityGroupRule(out.ID) == nil {
		t.Error("the rule is not there under its own id")
	}
	if got := rules(s, web.ID); got != "egress IPv4 to anybody\negress IPv6 to anybody" {
		t.Errorf("rules:\n%s", got)
	}
	again := *out
	again.ID = ""
	refused[*ErrAlreadyExists](t, s, create((*Tx).CreateSecurityGroupRule, &again),
		fmt.Sprintf(`direction: the rule "egress IPv4 to anybody" of %s is taken by securitygrouprule %s`, refTo(state.SecurityGroups, web), out.ID))
	invariants(t, snapshot(s))
}
