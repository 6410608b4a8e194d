package openflow

import (
	"encoding/binary"
	"fmt"
)

// maxActionDepth is how deep actions can lie in actions. Open vSwitch needs 3 (write_actions, clone, ct); a hostile
// peer could otherwise nest 8,000 deep in one message.
const maxActionDepth = 8

// Action types (OpenFlow 1.5.1, 7.2.6.1). 26 and 27 are for PBB, which Open vSwitch does not do.
const (
	typeOutput       = 0
	typeSetMPLSTTL   = 15
	typeDecMPLSTTL   = 16
	typePushVLAN     = 17
	typePopVLAN      = 18
	typePushMPLS     = 19
	typePopMPLS      = 20
	typeSetQueue     = 21
	typeGroup        = 22
	typeSetTTL       = 23
	typeDecTTL       = 24
	typeSetField     = 25
	typeCopyField    = 28 // 1.5
	typeMeter        = 29 // 1.5; an instruction before that
	typeExperimental = 0xffff
)

// AppendActions appends a bare list of actions, as packet-outs and group buckets carry it. What is an instruction in
// version v is left out: such a list has no place for it.
func AppendActions(b []byte, acts []Action, v Version) []byte {
	for _, a := range acts {
		if instructionType(a, v) == 0 {
			b = a.appendWire(b, v)
		}
	}
	return b
}

// ParseActionList decodes a bare list of actions. What this package does not know comes as UnknownAction, so that only
// lengths can be wrong.
func ParseActionList(b []byte, v Version) ([]Action, error) {
	p := actionParser{version: v}
	return p.actions(nil, b, 0)
}

// actionParser decodes actions.
type actionParser struct {
	version Version
	// scratch is where what was decoded is encoded again.
	scratch []byte
	// applied says that there was an apply-actions instruction: a second one would be merged with it.
	applied bool
}

func (p *actionParser) actions(acts []Action, b []byte, depth int) ([]Action, error) {
	if depth > maxActionDepth {
		return nil, fmt.Errorf("actions: more than %d levels deep", maxActionDepth)
	}
	if acts == nil && len(b) > 0 {
		n := 0
		for rest := b; len(rest) > 0; n++ {
			size, err := actionLen(rest)
			if err != nil {
				return nil, err
			}
			rest = rest[size:]
		}
		acts = make([]Action, 0, n)
	}
	for len(b) > 0 {
		n, err := actionLen(b)
		if err != nil {
			return nil, err
		}
		a, err := p.action(b[:n:n], depth)
		if err != nil {
			return nil, err
		}
		acts, b = append(acts, a), b[n:]
	}
	return acts, nil
}

// actionLen checks the frame of the action at the beginning of b (ofp_action_header).
func actionLen(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, fmt.Errorf("action: %d bytes are no header", len(b))
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 8 || n%8 != 0 || n > len(b) {
		return 0, fmt.Errorf("action of type %d: length %d, with %d bytes there", binary.BigEndian.Uint16(b), n, len(b))
	}
	return n, nil
}

// validateActions walks the frames of a list of actions.
func validateActions(b []byte) error {
	for len(b) > 0 {
		n, err := actionLen(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// action decodes one action, whose frame has been checked. Whatever would not re-encode to the same bytes (an unknown
// type, padding that is not zero, another code for a field) is kept as it is.
func (p *actionParser) action(b []byte, depth int) (Action, error) {
	c := cursor{b: b}
	typ := c.u16()
	c.skip(2)
	var a Action
	var err error
	if typ == typeExperimental {
		a, err = p.experimental(&c, depth)
	} else {
		a = parseStandardAction(typ, &c, p.version)
	}
	if err != nil {
		return nil, err
	}
	if a == nil || c.short || !p.reencodes(a, b) {
		return UnknownAction{Raw: string(b)}, nil
	}
	return a, nil
}

func (p *actionParser) reencodes(a Action, b []byte) bool {
	p.scratch = a.appendWire(p.scratch[:0], p.version)
	return string(p.scratch) == string(b)
}

// UnknownAction is an action that this package does not know.
type UnknownAction struct {
	// Raw is the whole action in wire form, header included.
	Raw string
}

func (a UnknownAction) String() string { return string(a.appendText(nil)) }

func (a UnknownAction) appendText(b []byte) []byte { return fmt.Appendf(b, "unknown(%x)", a.Raw) }

func (a UnknownAction) appendWire(b []byte, _ Version) []byte { return append(b, a.Raw...) }

// appendAction begins an action of a standard type; finishAction ends it.
func appendAction(b []byte, typ uint16) []byte { return append(b, byte(typ>>8), byte(typ), 0, 0) }

// finishAction fills the action that begins at start up to a multiple of 8 bytes and sets its length.
func finishAction(b []byte, start int) []byte {
	b = pad(b, start)
	putLen(b, start+2, len(b)-start)
	return b
}
