package openflow

import (
	"bytes"
	"testing"
)

// seed gives a fuzz target everything that a switch sent and everything that we can encode.
func seed(f *testing.F, v Version) {
	for _, c := range corpus(f) {
		if len(c.wire) < 8<<10 { // longer ones only slow the fuzzer down
			f.Add(c.wire)
		}
	}
	eachSample(func(_ string, sv Version, m Message) {
		if sv == v {
			f.Add(m.Append(nil, v, sampleXID))
		}
	})
}

func FuzzMessage13(f *testing.F) { fuzzMessage(f, V13) }
func FuzzMessage14(f *testing.F) { fuzzMessage(f, V14) }
func FuzzMessage15(f *testing.F) { fuzzMessage(f, V15) }

// What decodes, encodes to something that decodes and encodes to the same.
func fuzzMessage(f *testing.F, v Version) {
	seed(f, v)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 {
			b[0] = byte(v)
		}
		h, m, err := Parse(b)
		if err != nil {
			return
		}
		if r, ok := m.(*MultipartReply); ok {
			reencodeBody(&r.Multipart, v) // that it does not panic
		}
		once := m.Append(nil, v, h.XID)
		if len(once) > MaxMessageLen {
			return // what came was shorter by what it left out, and now cannot be said
		}
		h2, m2, err := Parse(once)
		if err != nil {
			t.Fatalf("%v: what we encode does not decode: %v\n in %x\nout %x", h.Type, err, b, once)
		}
		if twice := m2.Append(nil, v, h2.XID); !bytes.Equal(once, twice) {
			t.Fatalf("%v: %s", h.Type, difference(twice, once))
		}
	})
}

var bodyTypes = []MultipartType{MultipartDesc, MultipartFlow, MultipartAggregate, MultipartTable, MultipartPort, MultipartQueue,
	MultipartGroup, MultipartGroupDesc, MultipartGroupFeatures, MultipartMeter, MultipartMeterConfig, MultipartMeterFeatures,
	MultipartTableFeatures, MultipartPortDesc, MultipartTableDesc, MultipartFlowMonitor}

// The decoder of every body, in every version.
func FuzzMultipart(f *testing.F) {
	add := func(v Version, m Message) {
		if r, ok := m.(*MultipartReply); ok && len(r.Body) < 8<<10 {
			f.Add(r.Body, uint8(r.Type), uint8(v-V13))
		}
	}
	for _, c := range corpus(f) {
		if h, m, err := Parse(c.wire); err == nil {
			add(h.Version, m)
		}
	}
	eachSample(func(_ string, v Version, m Message) { add(v, m) })
	f.Fuzz(func(t *testing.T, body []byte, typ, version uint8) {
		v := V13 + Version(version%3)
		m := Multipart{Type: bodyTypes[int(typ)%len(bodyTypes)], Body: body}
		once, err := reencodeBody(&m, v)
		if err != nil {
			return
		}
		m.Body = once
		twice, err := reencodeBody(&m, v)
		if err != nil {
			t.Fatalf("%v: what we encode does not decode: %v\n in %x\nout %x", m.Type, err, body, once)
		}
		if !bytes.Equal(once, twice) {
			t.Fatalf("%v: %s", m.Type, difference(twice, once))
		}
	})
}

// The decoders of what a controller asks for; a switch in memory reads them.
func FuzzMultipartRequest(f *testing.F) {
	eachSample(func(_ string, v Version, m Message) {
		if r, ok := m.(*MultipartRequest); ok {
			f.Add(r.Body, uint8(v-V13))
		}
	})
	f.Fuzz(func(t *testing.T, body []byte, version uint8) {
		v := V13 + Version(version%3)
		if r, err := ParseFlowStatsRequest(body, v); err == nil {
			again, err := ParseFlowStatsRequest(r.Append(nil, v), v)
			if err != nil {
				t.Fatalf("%+v, then %+v: %v", r, again, err)
			}
		}
		if all, err := ParseAll(body, v, ParseFlowMonitorRequest); err == nil {
			for _, r := range all {
				if _, _, err := ParseFlowMonitorRequest(r.Append(nil, v), v); err != nil {
					t.Fatalf("%+v: %v", r, err)
				}
			}
		}
		ParseNumber(body)
		ParseQueueStatsRequest(body)
	})
}

func FuzzFlowMonitor(f *testing.F) {
	eachSample(func(_ string, v Version, m Message) {
		if r, ok := m.(*MultipartReply); ok && r.Type == MultipartFlowMonitor {
			f.Add(r.Body, uint8(v-V13))
		}
	})
	f.Fuzz(func(t *testing.T, body []byte, version uint8) {
		v := V13 + Version(version%3)
		EachFlowUpdate(body, v, func(u *FlowUpdate) error {
			if !u.Event.full() {
				return nil
			}
			if _, err := decodeMatch(u.Match); err != nil {
				t.Fatalf("a match that was found good does not decode: %v", err)
			}
			ParseInstructions(u.Instructions, v) // actions in actions may still be bad
			return nil
		})
	})
}

func FuzzFlowStats(f *testing.F) {
	for _, c := range corpus(f) {
		if h, m, err := Parse(c.wire); err == nil {
			if r, ok := m.(*MultipartReply); ok && r.Type == MultipartFlow {
				f.Add(r.Body, uint8(h.Version-V13))
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, version uint8) {
		v := V13 + Version(version%3)
		EachFlowStats(body, v, func(s *FlowStats) error {
			if _, err := decodeMatch(s.Match); err != nil {
				t.Fatalf("a match that was found good does not decode: %v", err)
			}
			ParseInstructions(s.Instructions, v) // actions in actions may still be bad
			return nil
		})
	})
}
