package flow

import (
	"errors"
	"fmt"
	"slices"

	"github.com/weft-sdn/weft/openflow"
)

// Check holds the rows of one bridge against what its tables declare and against the contract that every pipeline
// keeps:
//
//   - every row is in a declared table and matches, sets, learns and goes only as the table says;
//   - packets move forward only, so that they come to an end;
//   - no two rows of a table have one priority and match, so that the outcome does not hang on their order;
//   - every table has rows that take what no other row takes, so that what is dropped is counted;
//   - values fit into the bits that they are written to;
//   - every row has an owner, and none names a port that the bridge does not have: ports lists those that it has.
//
// The error names every row at fault.
func Check(tables []*Table, rows []Flow, ports []uint32) error {
	c := checker{byID: map[uint8]*Table{}, byName: map[string]*Table{}, ports: ports}
	c.tables(tables)
	type key struct {
		table    uint8
		priority uint16
		match    string
	}
	seen := map[key]Flow{}
	misses := map[uint8][]Flow{}
	for _, f := range rows {
		k := key{f.Table, f.Priority, f.Match.String()}
		if old, twice := seen[k]; twice {
			c.fault(f, "has the match and priority of %q", old.Line())
		}
		seen[k] = f
		misses[f.Table] = append(misses[f.Table], f)
		c.row(f)
	}
	for _, t := range tables {
		if !coversAll(misses[t.ID]) {
			c.errs = append(c.errs, fmt.Errorf("table %d %s has no row for packets that match none", t.ID, t.Name))
		}
	}
	return errors.Join(c.errs...)
}

type checker struct {
	byID   map[uint8]*Table
	byName map[string]*Table
	ports  []uint32
	errs   []error
}

func (c *checker) fault(f Flow, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("row %q %s", f.Line(), fmt.Sprintf(format, args...)))
}

func (c *checker) tables(tables []*Table) {
	for _, t := range tables {
		if c.byID[t.ID] != nil || c.byName[t.Name] != nil {
			c.errs = append(c.errs, fmt.Errorf("table %d %s is declared twice", t.ID, t.Name))
		}
		c.byID[t.ID], c.byName[t.Name] = t, t
	}
	for _, t := range tables {
		for _, name := range slices.Concat(t.Next, t.Learns) {
			if next := c.byName[name]; next == nil || next.ID <= t.ID {
				c.errs = append(c.errs, fmt.Errorf("table %d %s leads to %s, which is no later table", t.ID, t.Name, name))
			}
		}
	}
}

func (c *checker) row(f Flow) {
	t := c.byID[f.Table]
	if t == nil {
		c.fault(f, "is in a table that is not declared")
		return
	}
	if _, _, ours := ParseCookie(f.Cookie); !ours {
		c.fault(f, "has the cookie 0x%x, which leads to nobody", f.Cookie)
	}
	for _, o := range f.Match {
		if !slices.Contains(t.Match, o.Field) {
			c.fault(f, "matches %v, which table %s does not declare", o.Field, t.Name)
		}
		switch o.Field {
		case openflow.InPort:
			c.port(f, uint32(o.Uint()))
		case openflow.CTTPSrc, openflow.CTTPDst:
			if !matches(f, openflow.CTNwProto) {
				c.fault(f, "matches %v without ct_nw_proto, which a switch does not show again", o.Field)
			}
		}
	}
	for _, a := range f.Actions {
		c.action(f, t, a)
	}
}

func (c *checker) action(f Flow, t *Table, a openflow.Action) {
	switch a := a.(type) {
	case openflow.Output:
		if a.Port < openflow.PortMax {
			c.port(f, a.Port)
		}
	case openflow.GotoTable:
		c.next(f, t, a.Table, t.Next)
	case openflow.SetField:
		c.sets(f, t, a.Field)
	case openflow.Move:
		c.sets(f, t, a.Dst.Field)
		c.fits(f, a.Dst)
		c.fits(f, a.Src)
	case openflow.Load:
		c.sets(f, t, a.Dst.Field)
		c.fits(f, a.Dst)
		if a.Dst.Bits < 64 && a.Value>>a.Dst.Bits != 0 {
			c.fault(f, "loads %#x into %d bits", a.Value, a.Dst.Bits)
		}
	case openflow.CheckPktLarger:
		c.sets(f, t, a.Dst.Field)
		c.fits(f, a.Dst)
	case openflow.Meter:
		// It is an instruction in OpenFlow 1.3, which the switch carries out before all actions.
		if f.Actions[0] != openflow.Action(a) {
			c.fault(f, "meters what it has dealt with already")
		}
	case openflow.PushVLAN, openflow.PopVLAN:
		c.sets(f, t, openflow.VlanVID)
	case openflow.Learn:
		c.next(f, t, a.Table, t.Learns)
	case openflow.CT:
		c.track(f, t, a)
	case openflow.Clone:
		for _, inner := range a.Actions {
			c.action(f, t, inner)
		}
	case openflow.Resubmit:
		c.next(f, t, a.Table, t.Next)
	case openflow.Conjunction:
		if slices.ContainsFunc(f.Actions, func(o openflow.Action) bool { _, ok := o.(openflow.Conjunction); return !ok }) {
			c.fault(f, "does something beside its conjunctions, which a switch never would")
		}
	default:
		c.fault(f, "does %v, which no table of ours may", a)
	}
}

func matches(f Flow, field openflow.Field) bool {
	return slices.ContainsFunc(f.Match, func(o openflow.OXM) bool { return o.Field == field })
}

// track checks a way through the connection tracker, which a switch allows for IP packets only.
func (c *checker) track(f Flow, t *Table, a openflow.CT) {
	if i := slices.IndexFunc(f.Match, func(o openflow.OXM) bool { return o.Field == openflow.EthType }); i < 0 ||
		f.Match[i].Uint() != 0x0800 && f.Match[i].Uint() != 0x86dd {
		c.fault(f, "tracks the connections of packets that may be neither IPv4 nor IPv6")
	}
	if a.ZoneSrc.Field != 0 {
		c.fits(f, a.ZoneSrc)
	}
	if a.Table != openflow.NoTable {
		c.next(f, t, a.Table, t.Next)
	}
	for _, inner := range a.Exec {
		c.action(f, t, inner)
	}
}

func (c *checker) sets(f Flow, t *Table, field openflow.Field) {
	if !slices.Contains(t.Set, field) {
		c.fault(f, "sets %v, which table %s does not declare", field, t.Name)
	}
}

func (c *checker) fits(f Flow, s openflow.Subfield) {
	if int(s.Ofs)+int(s.Bits) > s.Field.Bits() || s.Bits == 0 {
		c.fault(f, "names bits %d to %d of %v, which has %d", s.Ofs, s.Ofs+s.Bits-1, s.Field, s.Field.Bits())
	}
}

func (c *checker) next(f Flow, t *Table, id uint8, declared []string) {
	next := c.byID[id]
	if next == nil || !slices.Contains(declared, next.Name) {
		c.fault(f, "leads to table %d, which table %s does not declare", id, t.Name)
	}
}

func (c *checker) port(f Flow, port uint32) {
	if !slices.Contains(c.ports, port) {
		c.fault(f, "names port %d, which the bridge does not have", port)
	}
}

// coversAll says whether every packet meets a row: there is one that matches all, or two of one priority that match
// the two values of one bit, as unicast and multicast do.
func coversAll(rows []Flow) bool {
	for i, f := range rows {
		if len(f.Match) == 0 {
			return true
		}
		for _, g := range rows[:i] {
			if f.Priority == g.Priority && complementary(f.Match, g.Match) {
				return true
			}
		}
	}
	return false
}

func complementary(m, n openflow.Match) bool {
	if len(m) != 1 || len(n) != 1 || m[0].Field != n[0].Field || m[0].Mask == "" || m[0].Mask != n[0].Mask {
		return false
	}
	bits := 0
	for i := range len(m[0].Mask) {
		for b := m[0].Mask[i]; b != 0; b &= b - 1 {
			bits++
		}
	}
	return bits == 1 && m[0].Value != n[0].Value
}
