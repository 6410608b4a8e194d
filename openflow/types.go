package openflow

// Version is an OpenFlow wire version.
type Version uint8

// Wire versions (OpenFlow 1.5.1, 7.1.1).
const (
	V13 Version = 0x04
	V14 Version = 0x05
	V15 Version = 0x06
)

// Field is one field that a match, a set-field action or a subfield can name. Its constants are named as ovs-fields(7)
// spells them, in Go case: InPort, EthDst, VlanVID, TunID, Reg0, XXReg1, CTState, ARPSPA, NDTarget …
type Field uint16

// OXM is one element of a match: a field, its value, and, when Mask is not empty, the bits of it that count.
//
// Value and Mask hold big-endian bytes, exactly as long as the field on the wire. Strings keep the type comparable and
// immutable; use the constructors.
type OXM struct {
	Field Field
	Value string
	Mask  string
}

// Match is a conjunction of OXMs. The canonical order is Open vSwitch's own (the order in which a dump lists them);
// Canonical puts a match into it.
type Match []OXM

// Subfield is a run of bits of a field: NXM_NX_REG0[0..15] is {Reg0, 0, 16}.
type Subfield struct {
	Field Field
	// Ofs is the first bit, from the least significant.
	Ofs uint16
	// Bits is how many bits.
	Bits uint16
	// Width is the width of a tunnel metadata field in bytes, as the switch's TLV map has it; 0 for all other fields, and
	// for tunnel metadata of full width.
	Width uint8
}

// Action is one action or instruction, as ovs-ofctl lists them: what OpenFlow 1.3 calls instructions (goto_table,
// meter, write_metadata, clear_actions, write_actions) is kept in the same list, in the order of execution.
type Action interface {
	// String prints the action as ovs-ofctl -O OpenFlow13 does.
	String() string
	// appendText appends what String returns.
	appendText(b []byte) []byte
	// appendWire appends the wire form of the action for that version.
	appendWire(b []byte, v Version) []byte
}

// Reserved port numbers (OpenFlow 1.3.5, 7.2.1).
const (
	PortMax        uint32 = 0xffffff00
	PortInPort     uint32 = 0xfffffff8
	PortTable      uint32 = 0xfffffff9
	PortNormal     uint32 = 0xfffffffa
	PortFlood      uint32 = 0xfffffffb
	PortAll        uint32 = 0xfffffffc
	PortController uint32 = 0xfffffffd
	PortLocal      uint32 = 0xfffffffe
	PortAny        uint32 = 0xffffffff
)
