package openflow

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
)

// flowParts gives match and instructions of every row of the corpus's flow dumps.
func flowParts(t testing.TB, each func(v Version, match RawMatch, instructions RawInstructions)) {
	t.Helper()
	rows := 0
	for _, c := range corpus(t) {
		h, m, err := Parse(c.wire)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		reply, ok := m.(*MultipartReply)
		if !ok || reply.Multipart.Type != MultipartFlow {
			continue
		}
		err = EachFlowStats(reply.Body, h.Version, func(s *FlowStats) error {
			each(h.Version, bytes.Clone(s.Match), bytes.Clone(s.Instructions))
			rows++
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	if rows == 0 {
		t.Fatal("no rows in the corpus")
	}
}

func FuzzParseMatch(f *testing.F) {
	flowParts(f, func(_ Version, m RawMatch, _ RawInstructions) { f.Add([]byte(m)) })
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := ParseMatch(b)
		checked, checkErr := ValidateMatch(b)
		if (err == nil) != (checkErr == nil) || n != checked {
			t.Fatalf("parsed %d (%v), validated %d (%v)", n, err, checked, checkErr)
		}
		if err != nil {
			return
		}
		end := int(binary.BigEndian.Uint16(b[2:]))
		if again := AppendMatch(nil, m); !bytes.Equal(again[:end], b[:end]) {
			t.Fatalf("%x encodes to %x", b[:end], again[:end])
		}
		before := slices.Clone(m)
		c := Canonical(m)
		if !slices.Equal(before, m) {
			t.Fatalf("Canonical changed %v to %v", before, m)
		}
		if again := Canonical(c); !slices.Equal(again, c) {
			t.Fatalf("canonical %q, again %q", c, again)
		}
		if c.String() != m.String() {
			t.Fatalf("text %v, canonical %v", m, c)
		}
		_ = c.Check()
		// The text need not be readable: a switch's match can be more than ovs-ofctl has words for.
		_, _ = ParseMatchText(m.String())
	})
}

func FuzzParseInstructions(f *testing.F) {
	flowParts(f, func(v Version, _ RawMatch, b RawInstructions) { f.Add(uint8(v), []byte(b)) })
	f.Fuzz(func(t *testing.T, v uint8, b []byte) {
		version := V13 + Version(v)%3
		acts, err := ParseInstructions(b, version)
		if err != nil {
			return
		}
		if err := ValidateInstructions(b); err != nil {
			t.Fatalf("parsed, but: %v", err)
		}
		if again := AppendInstructions(nil, acts, version); !bytes.Equal(again, b) {
			t.Fatalf("%x encodes to %x", b, again)
		}
		for v := V13; v <= V15; v++ {
			AppendInstructions(nil, acts, v)
		}
		_, _ = ParseActionsText(FormatActions(acts))
	})
}

func FuzzFlowText(f *testing.F) {
	text, err := os.ReadFile("testdata/flows.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f.Add(strings.TrimSpace(line))
	}
	f.Fuzz(func(t *testing.T, s string) {
		flow, err := ParseFlow(s)
		if err != nil {
			return
		}
		text := flow.String()
		again, err := ParseFlow(text)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", s, text, err)
		}
		if again.String() != text {
			t.Fatalf("%q is written as %q and then as %q", s, text, again)
		}
		if len(s) > 4096 {
			return // The lengths of messages have 16 bits.
		}
		for v := V13; v <= V15; v++ {
			b := AppendInstructions(nil, flow.Actions, v)
			acts, err := ParseInstructions(b, v)
			if err != nil {
				t.Fatalf("%q: version %v: %v", s, v, err)
			}
			if wire := AppendInstructions(nil, acts, v); !bytes.Equal(wire, b) {
				t.Fatalf("%q: version %v: %x and then %x", s, v, b, wire)
			}
		}
		m, _, err := ParseMatch(AppendMatch(nil, flow.Match))
		if err != nil || m.String() != flow.Match.String() {
			t.Fatalf("%q: match %v, decoded %v: %v", s, flow.Match, m, err)
		}
	})
}
