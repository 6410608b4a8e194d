package openflow

import (
	"encoding/binary"
	"fmt"
)

// PacketReason says why a packet came to the controller.
type PacketReason uint8

// Reasons (OpenFlow 1.5.1, 7.4.1). OpenFlow 1.3 knows the first three.
const (
	PacketNoMatch    PacketReason = 0 // OFPR_TABLE_MISS
	PacketAction     PacketReason = 1 // OFPR_APPLY_ACTION
	PacketInvalidTTL PacketReason = 2
	PacketActionSet  PacketReason = 3
	PacketGroup      PacketReason = 4
	PacketPacketOut  PacketReason = 5
)

// PacketIn is a packet that the switch hands over.
type PacketIn struct {
	// BufferID is NoBuffer unless the switch keeps the packet.
	BufferID uint32
	// TotalLen is the length of the packet on the wire; Data may be less.
	TotalLen uint16
	Reason   PacketReason
	Table    uint8
	Cookie   uint64
	// Match holds the packet's metadata, in_port among them.
	Match RawMatch
	Data  []byte
}

// Append implements Message.
func (m *PacketIn) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU16(appendU32(appendHeader(b, v, TypePacketIn, xid), m.BufferID), m.TotalLen)
	b = appendU64(append(b, byte(m.Reason), m.Table), m.Cookie)
	b = appendZeros(append(b, m.Match...), 2)
	return finish(append(b, m.Data...), start)
}

func parsePacketIn(b []byte) (*PacketIn, error) {
	c := body(b)
	m := &PacketIn{BufferID: c.u32(), TotalLen: c.u16(), Reason: PacketReason(c.u8()), Table: c.u8(), Cookie: c.u64()}
	at := c.off
	m.Match = c.match()
	c.skip(2)
	m.Data = c.rest()
	if err := c.err(); err != nil {
		return nil, err
	}
	if err := checkMatch(m.Match); err != nil {
		return nil, fmt.Errorf("match at byte %d: %w", at, err)
	}
	return m, nil
}

// nxtPacketIn2 is the Nicira message that carries a packet with properties (nicira-ext.h, NXT_PACKET_IN2).
const nxtPacketIn2 = 30

// Properties of NXT_PACKET_IN2 (nicira-ext.h, NXPINT_*).
const (
	packetIn2Packet       = 0
	packetIn2FullLen      = 1
	packetIn2BufferID     = 2
	packetIn2Table        = 3
	packetIn2Cookie       = 4
	packetIn2Reason       = 5
	packetIn2Metadata     = 6
	packetIn2Userdata     = 7
	packetIn2Continuation = 8
)

// packetIn2Sizes are the bytes of the properties that are numbers.
var packetIn2Sizes = map[uint16]int{packetIn2FullLen: 4, packetIn2BufferID: 4, packetIn2Table: 1, packetIn2Cookie: 8, packetIn2Reason: 1}

// PacketIn2 is a packet that the switch hands over in the Nicira form, which a controller(…) action with userdata or
// pause uses.
type PacketIn2 struct {
	// Properties are as received; Append writes them. The other fields are read from them.
	Properties []byte

	Data []byte
	// FullLen is the length of the packet on the wire; Data may be less.
	FullLen  uint32
	BufferID uint32
	Table    uint8
	// Cookie is all ones when the packet came by no row.
	Cookie uint64
	Reason PacketReason
	// Metadata are OXMs without the header of a match.
	Metadata []byte
	Userdata []byte
	// Continuation is what a resume must give back. Its content is private to the switch.
	Continuation []byte
}

// Append implements Message.
func (m *PacketIn2) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU32(appendU32(appendHeader(b, v, TypeExperimenter, xid), ExperimenterNicira), nxtPacketIn2)
	return finish(append(b, m.Properties...), start)
}

// Match decodes the packet's metadata.
func (m *PacketIn2) Match() (Match, error) { return decodeMatch(looseMatch(m.Metadata)) }

// looseMatch puts the header of a match before OXMs.
func looseMatch(oxms []byte) RawMatch {
	b := append(appendU16(appendU16(nil, 1), uint16(4+len(oxms))), oxms...)
	return RawMatch(pad(b, 0))
}

func parsePacketIn2(c cursor) (*PacketIn2, error) {
	m := &PacketIn2{Properties: c.b, BufferID: NoBuffer, Cookie: Unknown}
	err := properties(c.b, c.off, func(typ uint16, value []byte) error {
		want := packetIn2Sizes[typ]
		if typ == packetIn2Cookie && len(value) == 12 {
			value = value[4:] // a 64-bit value is aligned
		}
		if want != 0 && len(value) != want {
			return fmt.Errorf("%d bytes of value, not %d", len(value), want)
		}
		switch typ {
		case packetIn2Packet:
			m.Data = value
		case packetIn2FullLen:
			m.FullLen = binary.BigEndian.Uint32(value)
		case packetIn2BufferID:
			m.BufferID = binary.BigEndian.Uint32(value)
		case packetIn2Table:
			m.Table = value[0]
		case packetIn2Cookie:
			m.Cookie = binary.BigEndian.Uint64(value)
		case packetIn2Reason:
			m.Reason = PacketReason(value[0])
		case packetIn2Metadata:
			m.Metadata = value
			return checkMatch(looseMatch(value))
		case packetIn2Userdata:
			m.Userdata = value
		case packetIn2Continuation:
			m.Continuation = value
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if m.FullLen == 0 {
		m.FullLen = uint32(len(m.Data))
	}
	return m, nil
}
