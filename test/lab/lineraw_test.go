package lab

import (
	"bytes"
	"testing"
)

// TestRawEnds: each end takes what the other says on the Line, and nothing that is of another one, its own, or torn off.
func TestRawEnds(t *testing.T) {
	for _, protocol := range []uint8{protoICMP, protoICMPv6, 47} {
		ends, others := rawEnds(protocol), rawEnds(protocol)
		for i, end := range ends {
			said := end.packet([]byte("word0001"))
			if got := ends[1-i].word(bytes.Clone(said)); string(got) != "word0001" {
				t.Errorf("protocol %d: %x is heard as %q", protocol, said, got)
			}
			for name, wrong := range map[string][]byte{"its own": end.word(bytes.Clone(said)), "another line's": others[1-i].word(bytes.Clone(said)), "torn": ends[1-i].word(said[:5])} {
				if wrong != nil {
					t.Errorf("protocol %d: %s packet is heard as %q", protocol, name, wrong)
				}
			}
		}
	}
	// A router has chosen another identifier of echo: the answer has it, too.
	ends := rawEnds(protoICMP)
	asked := ends[Opener].packet([]byte("word0001"))
	asked[4], asked[5] = 0xab, 0xcd
	if ends[Answerer].word(asked) == nil {
		t.Fatal("the question is not heard")
	}
	answer := ends[Answerer].packet([]byte("word0002"))
	if answer[0] != 0 || answer[4] != 0xab || answer[5] != 0xcd || checksum(answer) != 0 {
		t.Errorf("the answer is %x", answer)
	}
	if ends[Opener].word(answer) != nil {
		t.Error("an answer to somebody else's question is heard")
	}
}
