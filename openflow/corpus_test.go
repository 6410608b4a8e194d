package openflow

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// corpusMessage is one message that a real Open vSwitch sent.
type corpusMessage struct {
	name string
	wire []byte
}

func corpus(t testing.TB) []corpusMessage {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*/*.bin")
	if err != nil || len(files) == 0 {
		t.Fatalf("corpus: %d files, %v", len(files), err)
	}
	var out []corpusMessage
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, corpusMessage{filepath.ToSlash(f[len("testdata/corpus/"):]), b})
	}
	return out
}

// Every message that Open vSwitch sent decodes, down to the last element of the last list, and encodes to the same bytes.
func TestCorpusRoundTrip(t *testing.T) {
	for _, c := range corpus(t) {
		t.Run(c.name, func(t *testing.T) {
			h, m, err := Parse(c.wire)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Append(nil, h.Version, h.XID); !bytes.Equal(got, c.wire) {
				t.Errorf("message: %s", difference(got, c.wire))
			}
			if r, ok := m.(*MultipartReply); ok {
				got, err := reencodeBody(&r.Multipart, h.Version)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, r.Body) {
					t.Errorf("body of %v: %s", r.Type, difference(got, r.Body))
				}
			}
			if r, ok := m.(*Raw); ok {
				t.Errorf("%v decoded into %T", h.Type, r)
			}
		})
	}
}

// difference says where two encodings part.
func difference(got, want []byte) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("byte %d is %#02x, not %#02x (of %d, %d)\n got %x\nwant %x", i, got[i], want[i], len(got), len(want),
				got[max(0, i-16):min(len(got), i+16)], want[max(0, i-16):min(len(want), i+16)])
		}
	}
	return fmt.Sprintf("%d bytes, not %d", len(got), len(want))
}

var errNoElements = errors.New("no decoder for the body")

// reencodeBody decodes the body of a multipart reply completely and encodes it again.
func reencodeBody(m *Multipart, v Version) ([]byte, error) {
	switch m.Type {
	case MultipartDesc:
		e, err := ParseSwitchDesc(m.Body)
		return e.Append(nil), err
	case MultipartFlow:
		return reencodeFlows(m.Body, v)
	case MultipartAggregate:
		e, err := ParseAggregate(m.Body, v)
		return AppendAggregate(nil, &e, v), err
	case MultipartTable:
		return reencode(m.Body, v, ParseTableStats, (*TableStats).Append)
	case MultipartPort:
		return reencode(m.Body, v, ParsePortStats, (*PortStats).Append)
	case MultipartQueue:
		return reencode(m.Body, v, ParseQueueStats, (*QueueStats).Append)
	case MultipartGroup:
		return reencode(m.Body, v, ParseGroupStats, (*GroupStats).Append)
	case MultipartGroupDesc:
		return reencode(m.Body, v, ParseGroupDesc, (*GroupDesc).Append)
	case MultipartGroupFeatures:
		e, err := ParseGroupFeatures(m.Body)
		return e.Append(nil), err
	case MultipartMeter:
		return reencode(m.Body, v, ParseMeterStats, (*MeterStats).Append)
	case MultipartMeterConfig:
		return reencode(m.Body, v, ParseMeterConfig, (*MeterConfig).Append)
	case MultipartMeterFeatures:
		e, err := ParseMeterFeatures(m.Body)
		return e.Append(nil), err
	case MultipartTableFeatures:
		return reencode(m.Body, v, ParseTableFeatures, (*TableFeatures).Append)
	case MultipartPortDesc:
		return reencode(m.Body, v, ParsePort, func(p *Port, b []byte, v Version) []byte { return AppendPort(b, p, v) })
	case MultipartTableDesc:
		return reencode(m.Body, v, ParseTableDesc, (*TableDesc).Append)
	case MultipartFlowMonitor:
		var out []byte
		err := EachFlowUpdate(m.Body, v, func(u *FlowUpdate) error {
			out = u.Append(out, v)
			return nil
		})
		return out, err
	}
	return nil, errNoElements
}

func reencode[T any](b []byte, v Version, parse func([]byte, Version) (T, int, error), add func(*T, []byte, Version) []byte) ([]byte, error) {
	all, err := ParseAll(b, v, parse)
	var out []byte
	for i := range all {
		out = add(&all[i], out, v)
	}
	return out, err
}

// reencodeFlows also decodes each match and each instruction.
func reencodeFlows(b []byte, v Version) ([]byte, error) {
	var out []byte
	err := EachFlowStats(b, v, func(s *FlowStats) error {
		match, err := decodeMatch(s.Match)
		if err != nil {
			return err
		}
		actions, err := ParseInstructions(s.Instructions, v)
		if err != nil {
			return err
		}
		e := *s
		e.Match = AppendMatch(nil, match)
		e.Instructions = AppendInstructions(nil, actions, v)
		out = e.Append(out, v)
		return nil
	})
	return out, err
}
