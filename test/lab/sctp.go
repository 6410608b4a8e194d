package lab

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// Chunks of SCTP (RFC 9260, sections 3.2 and 3.3): the first two packets of an association, made by hand, because not every
// kernel has SCTP.
const (
	sctpHeader  = 12
	chunkInit   = 1
	chunkAck    = 2
	chunkLength = 20
)

// sctpInit asks for an association from a port that is the number.
func sctpInit(number, port uint16) []byte {
	return sctpPacket(number, port, 0, chunkInit, uint32(number))
}

// sctpAck answers to a sctpInit; nil when it is none. It has no state cookie: nobody goes on.
func sctpAck(payload []byte) []byte {
	if len(payload) != sctpHeader+chunkLength || payload[sctpHeader] != chunkInit || !bytes.Equal(payload, sctpSealed(payload)) {
		return nil
	}
	u16, tag := binary.BigEndian.Uint16, binary.BigEndian.Uint32(payload[sctpHeader+4:])
	return sctpPacket(u16(payload[2:]), u16(payload), tag, chunkAck, tag)
}

// sctpPacket is a packet of one chunk: tag is what the receiver verifies, and initiate what the sender will.
func sctpPacket(from, to uint16, tag uint32, chunk byte, initiate uint32) []byte {
	b := binary.BigEndian.AppendUint16(nil, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint32(b, tag)
	b = append(b, 0, 0, 0, 0, chunk, 0, 0, chunkLength)
	b = binary.BigEndian.AppendUint32(b, initiate)
	b = append(b, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1) // window, streams out and in, first sequence number
	return sctpSealed(b)
}

// sctpSealed is a packet with its checksum (RFC 9260, appendix A): CRC32c, in the order of bytes that is not the network's.
func sctpSealed(b []byte) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[8:], 0)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}
