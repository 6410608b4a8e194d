package flow

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/weft-sdn/weft/openflow"
)

// Key identifies a row of a bridge: table, priority and canonical match, as bytes.
type Key string

// Row is a flow in the form in which it is compared: what the switch is told, without what identifies it.
type Row struct {
	// Instructions is the wire form of the actions.
	Instructions string
	Cookie       uint64
	IdleTimeout  uint16
	HardTimeout  uint16
	Flags        uint16
}

// compared are the flow-mod flags that say how a row is. check_overlap and reset_counts only concern the moment of adding
// (OpenFlow 1.3.5, 7.3.4.1), though Open vSwitch shows them in dumps.
const compared = openflow.FlagSendFlowRem | openflow.FlagNoPacketCounts | openflow.FlagNoByteCounts

// Coder turns flows into keys and rows. It keeps a buffer; one goroutine at a time may use it.
type Coder struct {
	// Version is the wire version that rows are compared in.
	Version openflow.Version
	buf     []byte
}

// Encode returns the key and the row of a flow.
func (c *Coder) Encode(f *Flow) (Key, Row) {
	k := Key(c.key(f.Table, f.Priority, f.Match))
	return k, row(f, string(c.instructions(f.Actions)))
}

func row(f *Flow, instructions string) Row {
	return Row{Instructions: instructions, Cookie: f.Cookie, IdleTimeout: f.IdleTimeout, HardTimeout: f.HardTimeout, Flags: f.Flags & compared}
}

// key writes a key into the buffer, where it is until the coder is used again.
func (c *Coder) key(table uint8, priority uint16, m openflow.Match) []byte {
	c.buf = openflow.AppendMatch(appendKeyHead(c.buf[:0], table, priority), m)
	return c.buf
}

// instructions writes actions into the buffer.
func (c *Coder) instructions(actions []openflow.Action) []byte {
	c.buf = openflow.AppendInstructions(c.buf[:0], actions, c.Version)
	return c.buf
}

const keyHead = 3

func appendKeyHead(b []byte, table uint8, priority uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, table), priority)
}

// Set is what a bridge, or a part of it, should hold. A bridge may hold 100,000 rows, so they are kept in the form in which
// they are compared, and made flows again when one is not as it should be.
type Set struct {
	coder Coder
	rows  map[Key]*wanted
	// blocks are memory for the rows, in the order in which these came; the last one has room.
	blocks [][]wanted
	bytes  strings.Builder
}

// wanted is one row of a set.
type wanted struct {
	key   Key
	row   Row
	flags uint16 // all of them
	owner int
	// seen is for the use of a comparison: whether the switch has the row already.
	seen bool
}

// NewSet makes an empty set of about that many rows, in the form of a wire version.
func NewSet(v openflow.Version, size int) *Set {
	return &Set{coder: Coder{Version: v}, rows: make(map[Key]*wanted, size)}
}

// Len is how many rows there are.
func (s *Set) Len() int { return len(s.rows) }

// Add puts flows into the set. owner is kept with them, for the caller's use. Two flows with one key are an error: one of
// them would silently replace the other.
func (s *Set) Add(flows []Flow, owner int) error {
	for i := range flows {
		f := &flows[i]
		b := s.coder.key(f.Table, f.Priority, f.Match)
		if old := s.find(b); old != nil {
			return fmt.Errorf("two rows with one match and priority: %v and %v", s.text(old), flows[i])
		}
		k := Key(s.keep(b))
		w := s.room()
		*w = wanted{key: k, row: row(f, s.keep(s.coder.instructions(f.Actions))), flags: f.Flags, owner: owner}
		s.rows[k] = w
	}
	return nil
}

// Take takes the rows of another set, which is not used any more. An error is as that of Add.
func (s *Set) Take(o *Set) error {
	for w := range o.all {
		if old := s.rows[w.key]; old != nil {
			return fmt.Errorf("two rows with one match and priority: %v and %v", s.text(old), s.text(w))
		}
		s.rows[w.key] = w
	}
	s.blocks = append(o.blocks, s.blocks...) // the last one still is what has room
	return nil
}

// Rows in a block: a set of few needs little, and what is there is never copied.
const (
	leastRows = 4
	mostRows  = 1024
)

func (s *Set) room() *wanted {
	n := len(s.blocks)
	if n == 0 || len(s.blocks[n-1]) == cap(s.blocks[n-1]) {
		size := leastRows
		if n > 0 {
			size = min(2*cap(s.blocks[n-1]), mostRows)
		}
		s.blocks = append(s.blocks, make([]wanted, 0, size))
		n++
	}
	b := &s.blocks[n-1]
	*b = append(*b, wanted{})
	return &(*b)[len(*b)-1]
}

// all goes through the rows.
func (s *Set) all(yield func(*wanted) bool) {
	for _, b := range s.blocks {
		for i := range b {
			if !yield(&b[i]) {
				return
			}
		}
	}
}

// find is the row with a key, or nil.
func (s *Set) find(key []byte) *wanted { return s.rows[Key(key)] }

// Sizes of the pieces of memory that hold the bytes of rows: a set of few needs little.
const (
	leastBytes = 1 << 10
	mostBytes  = 1 << 18
)

// keep copies bytes to where they stay.
func (s *Set) keep(b []byte) string {
	if size := s.bytes.Cap(); size-s.bytes.Len() < len(b) {
		s.bytes.Reset()
		s.bytes.Grow(max(len(b), leastBytes, min(2*size, mostBytes)))
	}
	begin := s.bytes.Len()
	s.bytes.Write(b)
	return s.bytes.String()[begin:]
}

// flow makes a row a flow again.
func (s *Set) flow(w *wanted) (Flow, error) {
	return FromStats(&openflow.FlowStats{Table: w.key[0], Priority: binary.BigEndian.Uint16([]byte(w.key[1:keyHead])), Match: openflow.RawMatch(w.key[keyHead:]),
		Instructions: openflow.RawInstructions(w.row.Instructions), Cookie: w.row.Cookie, IdleTimeout: w.row.IdleTimeout, HardTimeout: w.row.HardTimeout,
		Flags: w.flags}, s.coder.Version)
}

func (s *Set) text(w *wanted) string {
	f, err := s.flow(w)
	if err != nil {
		return err.Error()
	}
	return f.String()
}

// Ours says whether a cookie is one that Cookie made.
func Ours(cookie uint64) bool { return cookie>>56 == cookieMark }

// Learned says whether a row was learned by the switch, by a learn action of ours.
func Learned(cookie uint64) bool {
	value, mask := LearnedCookies()
	return cookie&mask == value
}

// LearnedCookies is what the cookies of all learned rows have in common.
func LearnedCookies() (value, mask uint64) {
	return Cookie(LearnedCookie, "") &^ cookieID, ^uint64(cookieID)
}
