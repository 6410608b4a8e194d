package fakeswitch

import (
	"maps"
	"slices"

	"github.com/weft-sdn/weft/openflow"
)

// maxMeters is how many meters the switch has, as Open vSwitch's userspace datapath.
const maxMeters = 1 << 18

var (
	errMeterExists  = &openflow.Error{Type: openflow.ErrorMeterModFailed, Code: openflow.MeterExists}
	errMeterUnknown = &openflow.Error{Type: openflow.ErrorMeterModFailed, Code: openflow.MeterUnknown}
	errNoMeters     = &openflow.Error{Type: openflow.ErrorMeterModFailed, Code: 10} // OFPMMFC_OUT_OF_METERS
)

// meterMod keeps meters and limits nothing. Rows with a meter do not go with it, as they do in Open vSwitch.
func (s *Switch) meterMod(m *openflow.MeterMod) *openflow.Error {
	_, there := s.meters[m.MeterID]
	config := openflow.MeterConfig{Flags: m.Flags, MeterID: m.MeterID, Bands: m.Bands}
	switch {
	case s.cfg.NoMeters:
		return errNoMeters
	case m.Command == openflow.MeterDelete:
		delete(s.meters, m.MeterID)
	case m.Command == openflow.MeterAdd && there:
		return errMeterExists
	case m.Command == openflow.MeterModify && !there:
		return errMeterUnknown
	default:
		s.meters[m.MeterID] = config
	}
	return nil
}

// Meters are the switch's meters by their number.
func (s *Switch) Meters() map[uint32]openflow.MeterConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.meters)
}

// SetMeter changes a meter behind everybody's back; one without bands goes.
func (s *Switch) SetMeter(c openflow.MeterConfig) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meters[c.MeterID] = c; len(c.Bands) == 0 {
		delete(s.meters, c.MeterID)
	}
}

func (c *conn) meterFeatures(reply *parts) {
	f := openflow.MeterFeatures{MaxMeter: maxMeters, BandTypes: 1 << openflow.BandDrop, MaxBands: 8,
		Capabilities: uint32(openflow.MeterKbps | openflow.MeterPktps | openflow.MeterBurst | openflow.MeterKeeping)}
	if c.s.cfg.NoMeters {
		f = openflow.MeterFeatures{}
	}
	reply.body = f.Append(reply.body)
}

func (c *conn) meterConfigs(reply *parts) {
	for _, id := range slices.Sorted(maps.Keys(c.s.meters)) {
		m := c.s.meters[id]
		reply.body = m.Append(reply.body, c.version)
		reply.cut()
	}
}
