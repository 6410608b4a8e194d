package store

import (
	"fmt"
	"math"
	"slices"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// checkSecurity refuses security groups that do not exist or do not go together, and allowed address pairs where nobody
// would mind them. It sorts the groups.
//
// Without port security a port may send from any address. On a network that has none either, allowed address pairs still
// say which addresses may move between ports, and routers mind that.
func (t *Tx) checkSecurity(c *checks, p *model.Port) {
	var stateful, stateless *model.SecurityGroup
	for i, id := range p.SecurityGroups {
		g := t.SecurityGroup(id)
		switch {
		case g == nil:
			c.add(fmt.Sprintf("security_groups[%d]", i), "securitygroup %q does not exist", id)
		case g.Stateful && stateful == nil:
			stateful = g
		case !g.Stateful && stateless == nil:
			stateless = g
		}
	}
	if stateful != nil && stateless != nil {
		c.add("security_groups", "%s is stateful, but %s is not: a port has groups of one sort only", refTo(state.SecurityGroups, stateful), refTo(state.SecurityGroups, stateless))
	}
	if n := t.Network(p.NetworkID); n != nil && n.PortSecurityEnabled && !p.PortSecurityEnabled && len(p.AllowedAddressPairs) > 0 {
		c.add("allowed_address_pairs", "are no use while port_security_enabled is false: the port may send from any address; empty the list, in an update with allowed_address_pairs in update_mask, or enable port security")
	}
	slices.Sort(p.SecurityGroups)
}

// giveDefaultGroup gives a port its project's default group.
func (t *Tx) giveDefaultGroup(p *model.Port) error {
	g, err := t.ensureDefaultGroup(p.ProjectID)
	if err == nil {
		p.SecurityGroups = []string{g.ID}
	}
	return err
}

// groupSetChanged makes the set of groups that a port has now, and removes the one that nobody has any more.
func (t *Tx) groupSetChanged(old, p *model.Port) {
	was, is := groupSetOf(old), groupSetOf(p)
	if was == is {
		return
	}
	if is != "" && t.GroupSet(is) == nil {
		t.put(state.GroupSets, &model.GroupSet{Key: is, Number: t.freeSetNumber()})
	}
	if was == "" {
		return
	}
	for range t.PortsWithGroupSet(was) {
		return
	}
	t.delete(state.GroupSets, was)
}

// groupSetOf is the key of the set that a port needs; empty when it needs none.
func groupSetOf(p *model.Port) string {
	if p == nil || !p.PortSecurityEnabled {
		return ""
	}
	return p.GroupSetKey()
}

// maxGroupNumber bounds the numbers of groups and of sets of groups: rows have one more bit for other things.
const maxGroupNumber = math.MaxInt32

// freeGroupNumber chooses a number that no security group and no address group has.
func (t *Tx) freeGroupNumber() (uint32, error) {
	if t.Len(state.SecurityGroups)+t.Len(state.AddressGroups) >= maxGroupNumber {
		return 0, &ErrExhausted{What: "no number is left for the group: delete security groups or address groups"}
	}
	return t.freeNumber("groups", func(n uint32) bool {
		return t.SecurityGroupByNumber(n) == nil && t.AddressGroupByNumber(n) == nil
	}), nil
}

// freeSetNumber chooses a number that no set of groups has. There are fewer sets than ports, and never as many ports as
// numbers.
func (t *Tx) freeSetNumber() uint32 {
	return t.freeNumber("groupsets", func(n uint32) bool { return t.GroupSetByNumber(n) == nil })
}

// freeNumber takes the next free number after the one that was given out last, so that a number is not used again at once:
// rows of its former owner may still be in a switch. One must be free.
func (t *Tx) freeNumber(of string, free func(uint32) bool) uint32 {
	for n := t.hints.segment(of); ; {
		if n++; n > maxGroupNumber {
			n = 1
		}
		if free(n) {
			t.hints.setSegment(of, n)
			return n
		}
	}
}
