package flow

import (
	"fmt"

	"github.com/weft-sdn/weft/openflow"
)

// Meter is a limit that rows of a bridge name by its number.
type Meter struct {
	ID uint32
	// Packets says that Rate is in packets a second and Burst in packets; else they are in kbit/s and kbit.
	Packets     bool
	Rate, Burst uint32
}

// Config is the meter as a switch shows it.
func (m Meter) Config() openflow.MeterConfig {
	flags := openflow.MeterKbps | openflow.MeterBurst
	if m.Packets {
		flags = openflow.MeterPktps | openflow.MeterBurst
	}
	return openflow.MeterConfig{Flags: flags, MeterID: m.ID, Bands: []openflow.MeterBand{{Type: openflow.BandDrop, Rate: m.Rate, Burst: m.Burst}}}
}

// Is says whether a switch has the meter as it should be. Whether it also counts is nobody's business.
func (m Meter) Is(c openflow.MeterConfig) bool {
	want := m.Config()
	return c.Flags&^openflow.MeterKeeping == want.Flags && len(c.Bands) == 1 && c.Bands[0].Type == want.Bands[0].Type &&
		c.Bands[0].Rate == m.Rate && c.Bands[0].Burst == m.Burst
}

// Mod is the message that adds, changes or removes the meter.
func (m Meter) Mod(command openflow.MeterCommand) *openflow.MeterMod {
	if command == openflow.MeterDelete {
		return &openflow.MeterMod{Command: command, MeterID: m.ID}
	}
	c := m.Config()
	return &openflow.MeterMod{Command: command, Flags: c.Flags, MeterID: c.MeterID, Bands: c.Bands}
}

// String is the meter as ovs-ofctl takes it, but for its band's type, which is always drop.
func (m Meter) String() string {
	unit := "kbps"
	if m.Packets {
		unit = "pktps"
	}
	return fmt.Sprintf("meter=%d,%s,burst,rate=%d,burst_size=%d", m.ID, unit, m.Rate, m.Burst)
}
