package flow

import (
	"fmt"
	"unsafe"

	"github.com/weft-sdn/weft/openflow"
)

// Kind of a difference.
type Kind uint8

// Differences between what is wanted and what a switch has.
const (
	// Missing rows are wanted and not there.
	Missing Kind = iota
	// Changed rows are there with other actions, cookie, timeouts or flags.
	Changed
	// Foreign rows are there and not wanted.
	Foreign
)

func (k Kind) String() string { return [...]string{"missing", "changed", "foreign"}[k] }

// Difference is one row that is not as it should be.
type Difference struct {
	Kind Kind
	// Flow is the row as wanted; for Foreign, as found.
	Flow Flow
	// Owner is the owner of the wanted row; -1 for Foreign. Only a Comparison tells it.
	Owner int
	// Found is the cookie of the row as found; 0 for Missing.
	Found uint64
	// keepCounters says that only the actions differ, so that the row can be modified in place.
	keepCounters bool
}

// FlowMod is what makes the difference go away.
func (d Difference) FlowMod() openflow.FlowMod {
	m := openflow.FlowMod{Table: d.Flow.Table, Priority: d.Flow.Priority, Match: d.Flow.Match,
		BufferID: openflow.NoBuffer, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}
	if d.Kind == Foreign {
		m.Command = openflow.FlowDeleteStrict
		return m
	}
	m.Command = openflow.FlowAdd
	if d.keepCounters {
		m.Command = openflow.FlowModifyStrict
	}
	m.Cookie, m.Actions, m.Flags = d.Flow.Cookie, d.Flow.Actions, d.Flow.Flags
	m.IdleTimeout, m.HardTimeout = d.Flow.IdleTimeout, d.Flow.HardTimeout
	return m
}

// Diff tells what leads from the rows before to the rows after, additions and changes first. It judges rows by their
// wire form, and returns nothing for equal sets.
func Diff(c *Coder, before, after []Flow) ([]Difference, error) {
	if len(before) == 0 && len(after) == 0 {
		return nil, nil
	}
	old := NewSet(c.Version, len(before))
	if err := old.Add(before, 0); err != nil {
		return nil, err
	}
	var out []Difference
	seen := make(map[Key]bool, len(after))
	for i := range after {
		k, row := c.Encode(&after[i])
		if seen[k] {
			return nil, fmt.Errorf("two rows with one match and priority: %v", after[i])
		}
		seen[k] = true
		was := old.rows[k]
		switch {
		case was == nil:
			out = append(out, Difference{Kind: Missing, Flow: after[i]})
		case was.row != row:
			out = append(out, Difference{Kind: Changed, Flow: after[i], Found: was.row.Cookie, keepCounters: onlyInstructions(was.row, row)})
		}
	}
	i := 0
	for w := range old.all {
		if !seen[w.key] {
			out = append(out, Difference{Kind: Foreign, Flow: before[i], Found: before[i].Cookie})
		}
		i++
	}
	return out, nil
}

func onlyInstructions(a, b Row) bool {
	a.Instructions = b.Instructions
	return a == b
}

// Comparison holds a set against a dump of the switch, row by row, as the dump arrives.
type Comparison struct {
	wanted    *Set
	buf       []byte
	out       []Difference
	tolerated func(*openflow.FlowStats) bool
	// Rows counts what the dump held.
	Rows int
}

// NewComparison begins a comparison. Rows that nobody wants are passed over when tolerated says so. It marks
// the set's rows as seen, so a set serves one comparison.
func NewComparison(wanted *Set, tolerated func(*openflow.FlowStats) bool) *Comparison {
	return &Comparison{wanted: wanted, tolerated: tolerated}
}

// Observe takes one row of the dump. The row's bytes are not kept.
func (c *Comparison) Observe(s *openflow.FlowStats) error {
	c.Rows++
	c.buf = append(appendKeyHead(c.buf[:0], s.Table, s.Priority), s.Match...)
	w := c.wanted.find(c.buf)
	if w == nil {
		// A switch may spell a match in another order than we do.
		m, err := s.Match.Decode()
		if err != nil {
			return fmt.Errorf("table %d, priority %d: match: %w", s.Table, s.Priority, err)
		}
		w = c.wanted.find(c.wanted.coder.key(s.Table, s.Priority, openflow.Canonical(m)))
		if w == nil {
			return c.foreign(s)
		}
	}
	w.seen = true
	row := Row{Instructions: unsafe.String(unsafe.SliceData(s.Instructions), len(s.Instructions)), Cookie: s.Cookie,
		IdleTimeout: s.IdleTimeout, HardTimeout: s.HardTimeout, Flags: s.Flags & compared}
	if row == w.row {
		return nil
	}
	actions, err := s.Instructions.Decode(c.wanted.coder.Version)
	if err == nil {
		row.Instructions = string(c.wanted.coder.instructions(actions))
		if row == w.row {
			return nil
		}
	}
	f, err := c.wanted.flow(w)
	if err != nil {
		return err
	}
	c.out = append(c.out, Difference{Kind: Changed, Flow: f, Owner: w.owner, Found: s.Cookie, keepCounters: onlyInstructions(row, w.row)})
	return nil
}

func (c *Comparison) foreign(s *openflow.FlowStats) error {
	if c.tolerated(s) {
		return nil
	}
	f, err := FromStats(s, c.wanted.coder.Version)
	if err != nil {
		return err
	}
	c.out = append(c.out, Difference{Kind: Foreign, Flow: f, Owner: -1, Found: s.Cookie})
	return nil
}

// FromStats turns a row of a dump into a flow that stands by itself.
func FromStats(s *openflow.FlowStats, v openflow.Version) (Flow, error) {
	m, err := s.Match.Decode()
	if err != nil {
		return Flow{}, fmt.Errorf("table %d, priority %d: match: %w", s.Table, s.Priority, err)
	}
	actions, err := s.Instructions.Decode(v)
	if err != nil {
		return Flow{}, fmt.Errorf("table %d, priority %d: actions: %w", s.Table, s.Priority, err)
	}
	return Flow{Table: s.Table, Priority: s.Priority, Match: openflow.Canonical(m), Actions: actions, Cookie: s.Cookie,
		IdleTimeout: s.IdleTimeout, HardTimeout: s.HardTimeout, Flags: s.Flags}, nil
}

// Differences ends the comparison: what the dump showed to be changed or foreign, and what it did not show at all.
func (c *Comparison) Differences() ([]Difference, error) {
	out := c.out
	for w := range c.wanted.all {
		if w.seen {
			continue
		}
		f, err := c.wanted.flow(w)
		if err != nil {
			return nil, err
		}
		out = append(out, Difference{Kind: Missing, Flow: f, Owner: w.owner})
	}
	return out, nil
}
