package fakeswitch

import (
	"maps"
	"slices"
	"time"

	"github.com/weft-sdn/weft/openflow"
)

// maxMeters is how many meters the switch has, as Open vSwitch's userspace datapath.
const maxMeters = 1 << 18

var (
	errMeterExists  = &openflow.Error{Type: openflow.ErrorMeterModFailed, Code: openflow.MeterExists}
	errMeterUnknown = &openflow.Error{Type: openflow.ErrorMeterModFailed, Code: openflow.MeterUnknown}
	errInvalidMeter = &openflow.Error{Type: openflow.ErrorMeterModFailed, Code: 2}  // OFPMMFC_INVALID_METER
	errNoMeters     = &openflow.Error{Type: openflow.ErrorMeterModFailed, Code: 10} // OFPMMFC_OUT_OF_METERS
)

// meterMod keeps meters and limits nothing.
func (s *Switch) meterMod(m *openflow.MeterMod) *openflow.Error {
	_, there := s.meters[m.MeterID]
	config := openflow.MeterConfig{Flags: m.Flags, MeterID: m.MeterID, Bands: m.Bands}
	switch {
	case s.cfg.NoMeters:
		return errNoMeters
	case m.Command == openflow.MeterDelete:
		s.metersGone = time.Now()
		delete(s.meters, m.MeterID)
		s.removeMetered(m.MeterID)
	case m.Command == openflow.MeterAdd && there:
		return errMeterExists
	case m.Command == openflow.MeterModify && !there:
		return errMeterUnknown
	default:
		if rest := time.Since(s.metersGone); m.Command == openflow.MeterAdd && !s.metersGone.IsZero() && (s.meterRest == 0 || rest < s.meterRest) {
			s.meterRest = rest
		}
		s.meters[m.MeterID] = config
	}
	return nil
}

// removeMetered removes the rows that name a meter (OpenFlow 1.3.5, 6.5). As in Open vSwitch, also the connection that removed
// the meter is told of each as of somebody else's doing.
func (s *Switch) removeMetered(id uint32) {
	t := &transaction{s: s, reason: openflow.RemovedMeterDelete}
	for _, r := range s.table.sorted() {
		actions, err := openflow.ParseInstructions([]byte(r.instructions), r.version)
		if err != nil {
			panic("fakeswitch: stored instructions do not parse: " + err.Error())
		}
		if slices.Contains(actions, openflow.Action(openflow.Meter{ID: id})) {
			t.set(r.key, nil, openflow.UpdateRemoved, r, 0)
		}
	}
	t.finish()
}

// lacksMeter says whether actions name a meter that is not there.
func (s *Switch) lacksMeter(actions []openflow.Action) bool {
	return slices.ContainsFunc(actions, func(a openflow.Action) bool {
		m, ok := a.(openflow.Meter)
		return ok && len(s.meters[m.ID].Bands) == 0
	})
}

// Meters are the switch's meters by their number.
func (s *Switch) Meters() map[uint32]openflow.MeterConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.meters)
}

// MeterRest is the least time that passed between a meter that a controller removed and one that it added; 0 if it never did both.
// In Open vSwitch such meters can end the process when they come right after each other.
func (s *Switch) MeterRest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meterRest
}

// SetMeter changes a meter behind everybody's back; one without bands goes, with the rows that name it.
func (s *Switch) SetMeter(c openflow.MeterConfig) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meters[c.MeterID] = c; len(c.Bands) == 0 {
		delete(s.meters, c.MeterID)
		s.removeMetered(c.MeterID)
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
	c.s.counts.MeterDumps++
	for _, id := range slices.Sorted(maps.Keys(c.s.meters)) {
		m := c.s.meters[id]
		reply.body = m.Append(reply.body, c.version)
		reply.cut()
	}
}
