package flow

import (
	"encoding/binary"
	"fmt"

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
	k := c.key(f.Table, f.Priority, f.Match)
	return k, Row{Instructions: c.instructions(f.Actions), Cookie: f.Cookie,
		IdleTimeout: f.IdleTimeout, HardTimeout: f.HardTimeout, Flags: f.Flags & compared}
}

func (c *Coder) key(table uint8, priority uint16, m openflow.Match) Key {
	c.buf = appendKeyHead(c.buf[:0], table, priority)
	c.buf = openflow.AppendMatch(c.buf, m)
	return Key(c.buf)
}

func (c *Coder) instructions(actions []openflow.Action) string {
	c.buf = openflow.AppendInstructions(c.buf[:0], actions, c.Version)
	return string(c.buf)
}

func appendKeyHead(b []byte, table uint8, priority uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, table), priority)
}

// Set is what a bridge, or a part of it, should hold.
type Set map[Key]*Wanted

// Wanted is one wanted row: the flow itself and its comparable form.
type Wanted struct {
	Flow Flow
	Row  Row
	// Owner is what Add was told.
	Owner int
	// Seen is for the use of a comparison: whether the switch has the row already.
	Seen bool
}

// Add puts flows into the set. owner is kept with them, for the caller's use. Two flows with one key are an error: one of
// them would silently replace the other.
func (s Set) Add(c *Coder, flows []Flow, owner int) error {
	for i := range flows {
		k, row := c.Encode(&flows[i])
		if old := s[k]; old != nil {
			return fmt.Errorf("two rows with one match and priority: %v and %v", old.Flow, flows[i])
		}
		s[k] = &Wanted{Flow: flows[i], Row: row, Owner: owner}
	}
	return nil
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
