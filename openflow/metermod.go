package openflow

import (
	"encoding/binary"
	"fmt"
)

// MeterCommand says what a meter-mod does.
type MeterCommand uint16

// Meter-mod commands (OpenFlow 1.5.1, 7.3.4.5).
const (
	MeterAdd    MeterCommand = 0
	MeterModify MeterCommand = 1
	MeterDelete MeterCommand = 2
)

// Meters that stand for others.
const (
	MeterMax        uint32 = 0xffff0000
	MeterSlowPath   uint32 = 0xfffffffd
	MeterController uint32 = 0xfffffffe
	MeterAll        uint32 = 0xffffffff
)

// Meter flags.
const (
	MeterKbps    uint16 = 1 << 0
	MeterPktps   uint16 = 1 << 1
	MeterBurst   uint16 = 1 << 2
	MeterKeeping uint16 = 1 << 3 // OFPMF_STATS
)

// Codes of ErrorMeterModFailed (OpenFlow 1.5.1, 7.5.4.13).
const (
	MeterExists  uint16 = 1
	MeterUnknown uint16 = 3
)

// Meter band types.
const (
	BandDrop       uint16 = 1
	BandDSCPRemark uint16 = 2
)

// MeterBand says what happens above a rate.
type MeterBand struct {
	Type uint16
	// Rate is in kbit/s or packets/s, as the meter's flags say.
	Rate uint32
	// Burst is in kbit or packets.
	Burst uint32
	// Extra are the four bytes that depend on the type; for BandDSCPRemark the first is by how much to raise the drop
	// precedence.
	Extra [4]byte
}

const meterBandLen = 16

func appendBands(b []byte, bands []MeterBand) []byte {
	for _, m := range bands {
		b = appendU32(appendU32(appendU16(appendU16(b, m.Type), meterBandLen), m.Rate), m.Burst)
		b = append(b, m.Extra[:]...)
	}
	return b
}

// parseBands decodes meter bands until b ends; at is where b begins in its message.
func parseBands(b []byte, at int) ([]MeterBand, error) {
	var out []MeterBand
	for ; len(b) > 0; b, at = b[meterBandLen:], at+meterBandLen {
		if len(b) < meterBandLen {
			return nil, fmt.Errorf("meter band at byte %d: %w", at, errShort)
		}
		if n := binary.BigEndian.Uint16(b[2:]); n != meterBandLen {
			return nil, fmt.Errorf("meter band at byte %d says that it is %d bytes long, not %d", at, n, meterBandLen)
		}
		out = append(out, MeterBand{Type: binary.BigEndian.Uint16(b), Rate: binary.BigEndian.Uint32(b[4:]),
			Burst: binary.BigEndian.Uint32(b[8:]), Extra: [4]byte(b[12:])})
	}
	return out, nil
}

// MeterMod adds, changes or removes a meter. There is no reply but to a refusal.
type MeterMod struct {
	Command MeterCommand
	Flags   uint16
	MeterID uint32
	Bands   []MeterBand
}

// Append implements Message.
func (m *MeterMod) Append(b []byte, v Version, xid uint32) []byte {
	start := len(b)
	b = appendU16(appendU16(appendHeader(b, v, TypeMeterMod, xid), uint16(m.Command)), m.Flags)
	return finish(appendBands(appendU32(b, m.MeterID), m.Bands), start)
}

func parseMeterMod(b []byte) (*MeterMod, error) {
	c := body(b)
	m := &MeterMod{Command: MeterCommand(c.u16()), Flags: c.u16(), MeterID: c.u32()}
	at := c.off
	bands := c.rest()
	if err := c.err(); err != nil {
		return nil, err
	}
	var err error
	m.Bands, err = parseBands(bands, at)
	return m, err
}
