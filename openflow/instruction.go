package openflow

import (
	"encoding/binary"
	"fmt"
)

// Instruction types (OpenFlow 1.3.5, 7.2.4).
const (
	typeGotoTable     = 1
	typeWriteMetadata = 2
	typeWriteActions  = 3
	typeApplyActions  = 4
	typeClearActions  = 5
	typeMeterInst     = 6 // until 1.4
)

// Meter drops packets above a meter's rate. It is an instruction until OpenFlow 1.4 and an action in 1.5.
type Meter struct{ ID uint32 }

func (a Meter) String() string { return string(a.appendText(nil)) }

func (a Meter) appendText(b []byte) []byte { return appendArg(b, "meter:", uint64(a.ID)) }

func (a Meter) appendWire(b []byte, v Version) []byte {
	typ := byte(typeMeterInst)
	if v >= V15 {
		typ = typeMeter
	}
	return appendU32(append(b, 0, typ, 0, 8), a.ID)
}

// ClearActions empties the action set.
type ClearActions struct{}

func (a ClearActions) String() string { return "clear_actions" }

func (a ClearActions) appendText(b []byte) []byte { return append(b, "clear_actions"...) }

func (a ClearActions) appendWire(b []byte, _ Version) []byte {
	return append(b, 0, typeClearActions, 0, 8, 0, 0, 0, 0)
}

// WriteActions puts actions into the action set, which is executed when the packet leaves the tables.
type WriteActions struct{ Actions []Action }

func (a WriteActions) String() string { return string(a.appendText(nil)) }

func (a WriteActions) appendText(b []byte) []byte {
	return append(appendActionList(append(b, "write_actions("...), a.Actions), ')')
}

func (a WriteActions) appendWire(b []byte, v Version) []byte {
	start := len(b)
	b = append(b, 0, typeWriteActions, 0, 0, 0, 0, 0, 0)
	return finishAction(AppendActions(b, a.Actions, v), start)
}

// WriteMetadata sets those bits of the metadata that Mask has.
type WriteMetadata struct{ Value, Mask uint64 }

func (a WriteMetadata) String() string { return string(a.appendText(nil)) }

func (a WriteMetadata) appendText(b []byte) []byte {
	b = appendHex(append(b, "write_metadata:"...), a.Value)
	if a.Mask != 1<<64-1 {
		b = appendHex(append(b, '/'), a.Mask)
	}
	return b
}

func (a WriteMetadata) appendWire(b []byte, _ Version) []byte {
	return appendU64(appendU64(append(b, 0, typeWriteMetadata, 0, 24, 0, 0, 0, 0), a.Value), a.Mask)
}

// GotoTable goes on in a later table.
type GotoTable struct{ Table uint8 }

func (a GotoTable) String() string { return string(a.appendText(nil)) }

func (a GotoTable) appendText(b []byte) []byte { return appendArg(b, "goto_table:", uint64(a.Table)) }

func (a GotoTable) appendWire(b []byte, _ Version) []byte {
	return append(b, 0, typeGotoTable, 0, 8, a.Table, 0, 0, 0)
}

// UnknownInstruction is an instruction that this package does not know.
type UnknownInstruction struct {
	// Raw is the whole instruction in wire form, header included.
	Raw string
}

func (a UnknownInstruction) String() string { return string(a.appendText(nil)) }

func (a UnknownInstruction) appendText(b []byte) []byte {
	return fmt.Appendf(b, "instruction(%x)", a.Raw)
}

func (a UnknownInstruction) appendWire(b []byte, _ Version) []byte { return append(b, a.Raw...) }

// instructionType is the type of what is an instruction of its own in version v, and 0 for an ordinary action.
func instructionType(a Action, v Version) uint16 {
	switch a.(type) {
	case GotoTable:
		return typeGotoTable
	case WriteMetadata:
		return typeWriteMetadata
	case WriteActions:
		return typeWriteActions
	case ClearActions:
		return typeClearActions
	case Meter:
		if v < V15 {
			return typeMeterInst
		}
	case UnknownInstruction:
		return typeExperimental
	}
	return 0
}

// AppendInstructions appends actions as the instructions of a flow. Runs of ordinary actions are put into one
// apply-actions instruction.
func AppendInstructions(b []byte, acts []Action, v Version) []byte {
	apply := -1
	for _, a := range acts {
		if instructionType(a, v) != 0 {
			b = endApply(b, &apply)
		} else if apply < 0 {
			apply = len(b)
			b = append(b, 0, typeApplyActions, 0, 0, 0, 0, 0, 0)
		}
		b = a.appendWire(b, v)
	}
	return endApply(b, &apply)
}

func endApply(b []byte, start *int) []byte {
	if *start >= 0 {
		putLen(b, *start+2, len(b)-*start)
		*start = -1
	}
	return b
}

// ParseInstructions decodes the instructions of a flow. What this package does not know comes as UnknownInstruction or
// UnknownAction, so that only lengths can be wrong.
func ParseInstructions(b []byte, v Version) ([]Action, error) {
	p := actionParser{version: v}
	var acts []Action
	for len(b) > 0 {
		n, err := instructionLen(b)
		if err != nil {
			return nil, err
		}
		if acts, err = p.instruction(acts, b[:n:n]); err != nil {
			return nil, err
		}
		b = b[n:]
	}
	return acts, nil
}

// instructionLen checks the frame of the instruction at the beginning of b (ofp_instruction).
func instructionLen(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, fmt.Errorf("instruction: %d bytes are no header", len(b))
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 8 || n%8 != 0 || n > len(b) {
		return 0, fmt.Errorf("instruction of type %d: length %d, with %d bytes there", binary.BigEndian.Uint16(b), n, len(b))
	}
	return n, nil
}

func (p *actionParser) instruction(acts []Action, b []byte) ([]Action, error) {
	c := cursor{b: b}
	typ := c.u16()
	c.skip(2)
	var a Action
	switch typ {
	case typeApplyActions:
		c.skip(4)
		if p.applied || binary.BigEndian.Uint32(b[4:]) != 0 || len(c.b) == 0 {
			if err := validateActions(c.b); err != nil {
				return nil, err
			}
			break
		}
		p.applied = true
		return p.actions(acts, c.rest(), 0)
	case typeWriteActions:
		c.skip(4)
		set, err := p.actions(nil, c.rest(), 1)
		if err != nil {
			return nil, err
		}
		a = WriteActions{Actions: set}
	case typeGotoTable:
		a = GotoTable{Table: c.u8()}
	case typeWriteMetadata:
		c.skip(4)
		a = WriteMetadata{Value: c.u64(), Mask: c.u64()}
	case typeClearActions:
		a = ClearActions{}
	case typeMeterInst:
		if p.version < V15 {
			a = Meter{ID: c.u32()}
		}
	}
	if a == nil || c.short || !p.reencodes(a, b) {
		a = UnknownInstruction{Raw: string(b)}
	}
	return append(acts, a), nil
}

// RawInstructions are the instructions of a flow in wire form, as AppendInstructions writes them.
type RawInstructions []byte

// Decode decodes the instructions. What it returns does not alias r.
func (r RawInstructions) Decode(v Version) ([]Action, error) { return ParseInstructions(r, v) }

// ValidateInstructions checks the lengths in the instructions of a flow, and those of the actions in them, without
// decoding them.
func ValidateInstructions(b []byte) error {
	for len(b) > 0 {
		n, err := instructionLen(b)
		if err != nil {
			return err
		}
		switch typ := binary.BigEndian.Uint16(b); typ {
		case typeApplyActions, typeWriteActions:
			if err := validateActions(b[8:n]); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}
