package openflow

// Subtypes of Nicira's experimenter actions (Open vSwitch, lib/ofp-actions.c, NXAST_*).
const (
	subtypePopQueue        = 5
	subtypeRegMove         = 6
	subtypeRegLoad         = 7
	subtypeNote            = 8
	subtypeMultipath       = 10
	subtypeResubmitTable   = 14
	subtypeOutputReg       = 15
	subtypeLearn           = 16
	subtypeExit            = 17
	subtypeFinTimeout      = 19
	subtypeController      = 20
	subtypeDecTTLIDs       = 21
	subtypeStackPush       = 27
	subtypeStackPop        = 28
	subtypeOutputReg2      = 32
	subtypeRegLoad2        = 33
	subtypeConjunction     = 34
	subtypeCT              = 35
	subtypeNAT             = 36
	subtypeController2     = 37
	subtypeOutputTrunc     = 39
	subtypeClone           = 42
	subtypeCTClear         = 43
	subtypeResubmitTableCT = 44
	subtypeLearn2          = 45
	subtypeCheckPktLarger  = 49
	subtypeDeleteField     = 50
)

// experimental returns nil for an action that it does not know. An error means that lengths inside are wrong.
func (p *actionParser) experimental(c *cursor, depth int) (Action, error) {
	if c.u32() != experimenterNicira {
		return nil, nil
	}
	switch c.u16() {
	case subtypePopQueue:
		return PopQueue{}, nil
	case subtypeExit:
		return Exit{}, nil
	case subtypeCTClear:
		return CTClear{}, nil
	case subtypeNote:
		return Note{Data: string(c.rest())}, nil
	case subtypeResubmitTable:
		return Resubmit{Port: wide(c.u16()), Table: c.u8()}, nil
	case subtypeResubmitTableCT:
		return Resubmit{Port: wide(c.u16()), Table: c.u8(), CT: true}, nil
	case subtypeRegLoad:
		return parseLoad(c), nil
	case subtypeRegLoad2:
		return parseLoad2(c), nil
	case subtypeRegMove:
		return parseMove(c, inNicira), nil
	case subtypeOutputReg:
		return parseOutputReg(c, false), nil
	case subtypeOutputReg2:
		return parseOutputReg(c, true), nil
	case subtypeOutputTrunc:
		return OutputTrunc{Port: wide(c.u16()), MaxLen: c.u32()}, nil
	case subtypeStackPush:
		return parseStack(c, true), nil
	case subtypeStackPop:
		return parseStack(c, false), nil
	case subtypeConjunction:
		return Conjunction{Clause: c.u8() + 1, N: c.u8(), ID: c.u32()}, nil
	case subtypeController:
		return parseController(c), nil
	case subtypeController2:
		return parseController2(c), nil
	case subtypeDecTTLIDs:
		return parseDecTTLIDs(c), nil
	case subtypeFinTimeout:
		return FinTimeout{Idle: c.u16(), Hard: c.u16()}, nil
	case subtypeMultipath:
		return parseMultipath(c), nil
	case subtypeCheckPktLarger:
		return parseCheckPktLarger(c), nil
	case subtypeDeleteField:
		return parseDeleteField(c), nil
	case subtypeLearn:
		return parseLearn(c, false), nil
	case subtypeLearn2:
		return parseLearn(c, true), nil
	case subtypeNAT:
		return parseNAT(c), nil
	case subtypeCT:
		return p.ct(c, depth)
	case subtypeClone:
		c.skip(6)
		acts, err := p.actions(nil, c.rest(), depth+1)
		return Clone{Actions: acts}, err
	}
	return nil, nil
}

// wide turns a 16-bit port number into one of 32 bits, narrow turns it back: reserved ports are the same but for the
// upper half (OpenFlow 1.0.2, 5.2.1).
func wide(port uint16) uint32 {
	if port >= 0xff00 {
		return 0xffff0000 | uint32(port)
	}
	return uint32(port)
}

func narrow(port uint32) uint16 { return uint16(port) }

// appendNicira16 appends a Nicira action of 16 bytes, the last 6 of which are given.
func appendNicira16(b []byte, subtype uint16, x0, x1, x2, x3, x4, x5 byte) []byte {
	return append(b, 0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, byte(subtype>>8), byte(subtype), x0, x1, x2, x3, x4, x5)
}

// PopQueue undoes SetQueue.
type PopQueue struct{}

func (a PopQueue) String() string { return "pop_queue" }

func (a PopQueue) appendText(b []byte) []byte { return append(b, "pop_queue"...) }

func (a PopQueue) appendWire(b []byte, _ Version) []byte {
	return appendNicira16(b, subtypePopQueue, 0, 0, 0, 0, 0, 0)
}

// Exit ends the packet's way through the tables.
type Exit struct{}

func (a Exit) String() string { return "exit" }

func (a Exit) appendText(b []byte) []byte { return append(b, "exit"...) }

func (a Exit) appendWire(b []byte, _ Version) []byte {
	return appendNicira16(b, subtypeExit, 0, 0, 0, 0, 0, 0)
}

// CTClear forgets what the connection tracker said of the packet.
type CTClear struct{}

func (a CTClear) String() string { return "ct_clear" }

func (a CTClear) appendText(b []byte) []byte { return append(b, "ct_clear"...) }

func (a CTClear) appendWire(b []byte, _ Version) []byte {
	return appendNicira16(b, subtypeCTClear, 0, 0, 0, 0, 0, 0)
}

// Note does nothing and says something.
type Note struct {
	// Data is filled up with zeros to 6 bytes more than a multiple of 8, on the wire and when it is read back.
	Data string
}

func (a Note) String() string { return string(a.appendText(nil)) }

func (a Note) appendText(b []byte) []byte { return appendDotted(append(b, "note:"...), a.Data) }

func (a Note) appendWire(b []byte, _ Version) []byte {
	start := len(b)
	return finishAction(append(appendNicira(b, subtypeNote, 0), a.Data...), start)
}

// Resubmit looks the packet up again, as if it had come from Port, in Table.
type Resubmit struct {
	// Port is PortInPort for the packet's own.
	Port uint32
	// Table is AllTables for the same.
	Table uint8
	// CT matches by the original direction's addresses and ports of the packet's connection.
	CT bool
}

// ResubmitTable looks the packet up in a table.
func ResubmitTable(table uint8) Resubmit { return Resubmit{Port: PortInPort, Table: table} }

func (a Resubmit) String() string { return string(a.appendText(nil)) }

func (a Resubmit) appendText(b []byte) []byte {
	if a.Port != PortInPort && a.Table == AllTables {
		return appendPort(append(b, "resubmit:"...), a.Port)
	}
	b = append(b, "resubmit("...)
	if a.Port != PortInPort {
		b = appendPort(b, a.Port)
	}
	b = append(b, ',')
	if a.Table != AllTables {
		b = appendArg(b, "", uint64(a.Table))
	}
	if a.CT {
		b = append(b, ",ct"...)
	}
	return append(b, ')')
}

func (a Resubmit) appendWire(b []byte, _ Version) []byte {
	subtype := uint16(subtypeResubmitTable)
	if a.CT {
		subtype = subtypeResubmitTableCT
	}
	port := narrow(a.Port)
	return appendNicira16(b, subtype, byte(port>>8), byte(port), a.Table, 0, 0, 0)
}

// Conjunction says that the packet meets one clause of a conjunctive match (ovs-fields(7), "Conjunctive match fields").
type Conjunction struct {
	ID uint32
	// Clause is 1 to N.
	Clause, N uint8
}

func (a Conjunction) String() string { return string(a.appendText(nil)) }

func (a Conjunction) appendText(b []byte) []byte {
	b = appendArg(b, "conjunction(", uint64(a.ID))
	b = appendArg(b, ",", uint64(a.Clause))
	return append(appendArg(b, "/", uint64(a.N)), ')')
}

func (a Conjunction) appendWire(b []byte, _ Version) []byte {
	b = append(appendNicira(b, subtypeConjunction, 16), a.Clause-1, a.N)
	return appendU32(b, a.ID)
}

// FinTimeout shortens the flow's timeouts when it sees the end of a TCP connection. They are in seconds; 0 is unchanged.
type FinTimeout struct{ Idle, Hard uint16 }

func (a FinTimeout) String() string { return string(a.appendText(nil)) }

func (a FinTimeout) appendText(b []byte) []byte {
	b = append(b, "fin_timeout("...)
	if a.Idle != 0 {
		b = append(appendArg(b, "idle_timeout=", uint64(a.Idle)), ',')
	}
	if a.Hard != 0 {
		b = append(appendArg(b, "hard_timeout=", uint64(a.Hard)), ',')
	}
	return closeList(b)
}

func (a FinTimeout) appendWire(b []byte, _ Version) []byte {
	return appendNicira16(b, subtypeFinTimeout, byte(a.Idle>>8), byte(a.Idle), byte(a.Hard>>8), byte(a.Hard), 0, 0)
}

// Clone executes actions on a copy of the packet.
type Clone struct{ Actions []Action }

func (a Clone) String() string { return string(a.appendText(nil)) }

func (a Clone) appendText(b []byte) []byte {
	return append(appendActionList(append(b, "clone("...), a.Actions), ')')
}

func (a Clone) appendWire(b []byte, v Version) []byte {
	start := len(b)
	b = appendZeros(appendNicira(b, subtypeClone, 0), 6)
	return finishAction(AppendActions(b, a.Actions, v), start)
}

// appendDotted appends bytes as Open vSwitch writes notes and user data: 01.02.ff.
func appendDotted(b []byte, data string) []byte {
	const digits = "0123456789abcdef"
	for i := range len(data) {
		if i > 0 {
			b = append(b, '.')
		}
		b = append(b, digits[data[i]>>4], digits[data[i]&15])
	}
	return b
}

// closeList replaces the last comma of a list by its closing parenthesis.
func closeList(b []byte) []byte {
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, ')')
}
