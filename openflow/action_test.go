package openflow

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A row that another controller put there may hold anything. It comes back byte for byte, and its text too.
func TestUnknownActionsKeepBytes(t *testing.T) {
	for _, c := range []struct {
		name, wire, text string
		version          Version
	}{
		{"a type that does not exist", "0004 0010 00000000 00ee 0008 01020304", "unknown(00ee000801020304)", V13},
		{"an experimenter that nobody knows", "0004 0018 00000000 ffff 0010 deadbeef 0001 020304050607", "unknown(ffff0010deadbeef0001020304050607)", V13},
		{"a Nicira action that nobody knows", "0004 0018 00000000 ffff 0010 00002320 00fe 000000000000", "unknown(ffff00100000232000fe000000000000)", V13},
		{"padding that says something", "0004 0018 00000000 0000 0010 00000001 0000 000000000001", "unknown(00000010000000010000000000000001)", V13},
		{"a known action cut short", "0004 0010 00000000 ffff 0008 00002320", "unknown(ffff000800002320)", V13},
		{"a load of 128 bits' last", "0004 0020 00000000 ffff 0018 00002320 0007 3fc0 0001de10 0000000000000007", "unknown(ffff00180000232000073fc00001de100000000000000007)", V13},
		{"a mask in a set-field of 1.3", "0004 0018 00000000 0019 0010 00010108 00000005 0000000f", "unknown(001900100001010800000005" + "0000000f)", V13},
		{"an instruction that does not exist", "0009 0008 00000000", "instruction(0009000800000000)", V13},
		{"an experimenter's instruction", "ffff 0010 deadbeef 0102030405060708", "instruction(ffff0010deadbeef0102030405060708)", V13},
		{"actions applied twice", "0004 0010 00000000 0012 0008 00000000 0004 0010 00000000 0012 0008 00000000", "pop_vlan,instruction(00040010000000000012000800000000)", V13},
		{"a meter as instruction in 1.5", "0006 0008 00000001", "instruction(0006000800000001)", V15},
		{"no actions applied", "0004 0008 00000000", "instruction(0004000800000000)", V13},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire := unhex(t, c.wire)
			acts, err := ParseInstructions(wire, c.version)
			if err != nil {
				t.Fatal(err)
			}
			if again := AppendInstructions(nil, acts, c.version); !bytes.Equal(again, wire) {
				t.Errorf("%x encodes to %x", wire, again)
			}
			if got := FormatActions(acts); got != c.text {
				t.Errorf("text %s, want %s", got, c.text)
			}
			back, err := ParseActionsText(c.text)
			if d := cmp.Diff(acts, back); err != nil || d != "" {
				t.Errorf("%v, text is read as (-decoded +text):\n%s", err, d)
			}
		})
	}
}

func TestInstructionsRefuseWrongLengths(t *testing.T) {
	for want, wire := range map[string]string{
		"instruction: 2 bytes are no header":                    "0004",
		"instruction of type 4: length 4, with 8 bytes there":   "0004 0004 00000000",
		"instruction of type 4: length 16, with 8 bytes there":  "0004 0010 00000000",
		"instruction of type 1: length 12, with 16 bytes there": "0001 000c 00000000 00000000 00000000",
		"action of type 0: length 4, with 8 bytes there":        "0004 0010 00000000 0000 0004 00000000",
		"action of type 0: length 24, with 16 bytes there":      "0004 0018 00000000 0000 0018 00000001 00000000 00000000",
		"action of type 18: length 0, with 8 bytes there":       "0003 0010 00000000 0012 0000 00000000",
		"action of type 65535: length 64, with 16 bytes there":  "0004 0018 00000000 ffff 0040 00002320 0023 000000000000",
	} {
		b := unhex(t, wire)
		if acts, err := ParseInstructions(b, V13); errorText(err) != want {
			t.Errorf("%s is %v, %v; want %s", wire, acts, err, want)
		}
		if err := ValidateInstructions(b); errorText(err) != want {
			t.Errorf("%s is valid or %v; want %s", wire, err, want)
		}
	}
}

// Actions in actions in actions: a hostile peer cannot make the decoder recurse as deep as a message is long.
func TestActionsNestToALimit(t *testing.T) {
	var a Action = PopVLAN{}
	for range maxActionDepth {
		a = Clone{Actions: []Action{a}}
	}
	list := AppendActions(nil, []Action{a}, V13)
	if _, err := ParseActionList(list, V13); err != nil {
		t.Errorf("%d levels: %v", maxActionDepth, err)
	}
	if _, err := ParseActionsText(a.String()); err != nil {
		t.Errorf("text of %d levels: %v", maxActionDepth, err)
	}
	a = Clone{Actions: []Action{a}}
	want := "actions: more than 8 levels deep"
	if _, err := ParseActionList(AppendActions(nil, []Action{a}, V13), V13); errorText(err) != want {
		t.Errorf("one level more: %v", err)
	}
	if _, err := ParseActionsText(a.String()); errorText(err) != strings.Repeat("clone: ", 9)+want {
		t.Errorf("text of one level more: %v", err)
	}
}

// The width of tunnel metadata is the switch's affair, and part of a field's header in actions.
func TestTunnelMetadataWidth(t *testing.T) {
	sub := Subfield{Field: TunMetadata(3), Bits: 32, Width: 4}
	acts := []Action{Move{Src: sub, Dst: Reg(0).Whole()}, DeleteField{Field: sub}, SetField{U64Masked(TunMetadata(3), 5, 0xff)}, SetField{U64(TunMetadata(3), 0)}}
	wire := AppendActions(nil, acts, V13)
	want := unhex(t, "ffff 0018 00002320 0006 0020 0000 0000 00015604 00010004"+
		"ffff 0018 00002320 0032 00015604 00000000000000000000"+
		"ffff 0010 00002320 0021 00015702 05 ff"+"0019 0008 00015600")
	if !bytes.Equal(wire, want) {
		t.Errorf("wire\n%x, want\n%x", wire, want)
	}
	back, err := ParseActionList(wire, V13)
	if err != nil {
		t.Fatal(err)
	}
	text := "move:NXM_NX_TUN_METADATA3[]->NXM_NX_REG0[],delete_field:tun_metadata3,set_field:0x5/0xff->tun_metadata3,set_field:0->tun_metadata3"
	if got := FormatActions(back); got != text {
		t.Errorf("text %s, want %s", got, text)
	}
	if again := AppendActions(nil, back, V13); !bytes.Equal(again, wire) {
		t.Errorf("%x encodes to %x", wire, again)
	}
}

// In OpenFlow 1.5 there are set-field and copy-field only.
func TestActionsOf15(t *testing.T) {
	acts := []Action{Load{Value: 3, Dst: Reg(1).Range(4, 7)}, SetField{U32Masked(Reg(1), 0x30, 0xf0)}, Move{Src: EthSrc.Whole(), Dst: EthDst.Whole()}, Meter{ID: 1}}
	want := unhex(t, "0004 0048 00000000"+
		"0019 0010 00010308 00000030 000000f0 0019 0010 00010308 00000030 000000f0"+
		"001c 0018 0030 0000 0000 0000 80000806 80000606 00000000"+
		"001d 0008 00000001")
	got := AppendInstructions(nil, acts, V15)
	if !bytes.Equal(got, want) {
		t.Errorf("wire\n%x, want\n%x", got, want)
	}
	back, err := ParseInstructions(got, V15)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Action{acts[1], acts[1], acts[2], acts[3]}, back); d != "" {
		t.Errorf("decoded (-want +got):\n%s", d)
	}
}

// Bare lists have no place for instructions.
func TestActionListLeavesInstructionsOut(t *testing.T) {
	got := AppendActions(nil, []Action{GotoTable{Table: 3}, PopVLAN{}, Meter{ID: 1}, ClearActions{}}, V13)
	if want := unhex(t, "0012 0008 00000000"); !bytes.Equal(got, want) {
		t.Errorf("wire %x, want %x", got, want)
	}
}

// Encoding and validating happen for every row of every dump and bundle: neither may allocate.
func TestEncodingDoesNotAllocate(t *testing.T) {
	text, err := os.ReadFile("testdata/flows.txt")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f, err := ParseFlow(line)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(10, func() {
			buf = AppendMatch(buf[:0], f.Match)
			buf = AppendInstructions(buf, f.Actions, V13)
		}); n != 0 {
			t.Errorf("%s: %v allocations to encode", line, n)
		}
		end, err := ValidateMatch(buf)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(10, func() {
			if _, err := ValidateMatch(buf); err != nil {
				t.Fatal(err)
			}
			if err := ValidateInstructions(buf[end:]); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations to validate", line, n)
		}
	}
}
