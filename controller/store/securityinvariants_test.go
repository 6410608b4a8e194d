package store

import (
	"net/netip"
	"slices"

	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// securedRight checks security groups, rules, and the sets of groups that ports have.
func securedRight(t failer, s state.Snapshot, unique func(owner, format string, args ...any)) {
	t.Helper()
	standard := map[string]bool{}
	for g := range s.SecurityGroups() {
		unique(g.ID, "group number %d", g.Number)
		if g.Number == 0 {
			t.Errorf("security group %s has no number", g.ID)
		}
		if g.Default != (g.Name == "default") {
			t.Errorf("security group %s is called %q, default: %v", g.ID, g.Name, g.Default)
		}
		if g.Default {
			unique(g.ID, "default group of %q", g.ProjectID)
			standard[g.ProjectID] = true
		}
	}
	for g := range s.SecurityGroups() {
		if !standard[g.ProjectID] {
			t.Errorf("project %q has %s, but no default group", g.ProjectID, g.ID)
		}
	}
	for g := range s.AddressGroups() {
		unique(g.ID, "group number %d", g.Number)
	}
	for r := range s.SecurityGroupRules() {
		if s.SecurityGroup(r.SecurityGroupID) == nil || r.RemoteGroupID != "" && s.SecurityGroup(r.RemoteGroupID) == nil ||
			r.RemoteAddressGroupID != "" && s.AddressGroup(r.RemoteAddressGroupID) == nil {
			t.Errorf("rule %s (%s) of %s: a group does not exist", r.ID, r.Traffic(), r.SecurityGroupID)
		}
		unique(r.ID, "rule %s of %s", r.Traffic(), r.SecurityGroupID)
	}
	sets := map[string]bool{}
	for p := range s.Ports() {
		if !p.PortSecurityEnabled {
			if len(p.SecurityGroups) > 0 {
				t.Errorf("port %s without port security has %v", p.ID, p.SecurityGroups)
			}
			continue
		}
		if model.OwnedByWeft(p.DeviceOwner) {
			t.Errorf("port %s of %s is secured", p.ID, p.DeviceOwner)
		}
		if !standard[p.ProjectID] && len(p.SecurityGroups) > 0 && s.SecurityGroup(p.SecurityGroups[0]).ProjectID == p.ProjectID {
			t.Errorf("port %s: no default group", p.ID)
		}
		stateful := map[bool]bool{}
		for _, id := range p.SecurityGroups {
			g := s.SecurityGroup(id)
			if g == nil {
				t.Errorf("port %s: no security group %s", p.ID, id)
				continue
			}
			stateful[g.Stateful] = true
		}
		if len(stateful) > 1 || !slices.IsSorted(p.SecurityGroups) {
			t.Errorf("port %s: groups %v", p.ID, p.SecurityGroups)
		}
		if key := p.GroupSetKey(); key != "" {
			sets[key] = true
			if s.GroupSet(key) == nil {
				t.Errorf("port %s: no set %s", p.ID, key)
			}
		}
	}
	for obj := range s.ByIDPrefix(state.GroupSets, "") {
		set := obj.(*model.GroupSet)
		unique(set.Key, "set number %d", set.Number)
		if !sets[set.Key] || set.Number == 0 {
			t.Errorf("set %s (%d) has no port", set.Key, set.Number)
		}
	}
}

// secureDraw is what a port asks for of port security.
func (w walker) secureDraw(t *rapid.T, p *model.Port) {
	p.PortSecurityEnabled = rapid.Bool().Draw(t, "secured")
	switch pick(t, "groups", "default", "none", "one", "two") {
	case "none":
		p.SecurityGroups = []string{}
	case "one":
		p.SecurityGroups = []string{w.id(t, state.SecurityGroups)}
	case "two":
		p.SecurityGroups = []string{w.id(t, state.SecurityGroups), w.id(t, state.SecurityGroups)}
	}
}

func (w walker) group(t *rapid.T) {
	g := &model.SecurityGroup{Meta: model.Meta{Name: pick(t, "name", "web", "default")}, Stateful: rapid.Bool().Draw(t, "stateful")}
	if rapid.Bool().Draw(t, "change") {
		g.ID = w.id(t, state.SecurityGroups)
		w.do(t, func(tx *Tx) error { _, err := tx.UpdateSecurityGroup(g, 0); return err })
		return
	}
	w.do(t, func(tx *Tx) error { _, err := tx.CreateSecurityGroup(g); return err })
}

func (w walker) addressGroup(t *rapid.T) {
	g := &model.AddressGroup{Addresses: []netip.Prefix{netip.MustParsePrefix(pick(t, "block", walkCIDRs...))}}
	w.do(t, func(tx *Tx) error { _, err := tx.CreateAddressGroup(g); return err })
}

func (w walker) rule(t *rapid.T) {
	r := &model.SecurityGroupRule{SecurityGroupID: w.id(t, state.SecurityGroups), Direction: pick(t, "direction", model.Ingress, model.Egress),
		EtherType: pick(t, "ethertype", model.IPv4, model.IPv6)}
	if rapid.Bool().Draw(t, "tcp") {
		r.Protocol = num[uint8](6)
	}
	switch pick(t, "remote", "", "prefix", "group", "addressgroup") {
	case "prefix":
		r.RemoteIPPrefix = netip.MustParsePrefix(pick(t, "block", "10.0.0.0/29", "fd00::/125"))
	case "group":
		r.RemoteGroupID = w.id(t, state.SecurityGroups)
	case "addressgroup":
		r.RemoteAddressGroupID = w.id(t, state.AddressGroups)
	}
	if rapid.Bool().Draw(t, "change") {
		r.ID = w.id(t, state.SecurityGroupRules)
		w.do(t, func(tx *Tx) error {
			if old := tx.SecurityGroupRule(r.ID); old != nil {
				r.SecurityGroupID = old.SecurityGroupID
			}
			_, err := tx.UpdateSecurityGroupRule(r, 0)
			return err
		})
		return
	}
	w.do(t, func(tx *Tx) error { _, err := tx.CreateSecurityGroupRule(r); return err })
}

// lastDefault puts default groups behind the others, which need them.
func lastDefault(groups []any) []any {
	slices.SortStableFunc(groups, func(a, b any) int {
		switch x, y := a.(*model.SecurityGroup).Default, b.(*model.SecurityGroup).Default; {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	})
	return groups
}
