package openflow

import (
	"encoding/binary"
	"strings"
	"testing"
)

// A switch lists in its table features every field that it can match, mask and set. All of them are known here, by the
// code that it uses.
func TestFieldsOfTableFeatures(t *testing.T) {
	seen := map[Field]bool{}
	for _, c := range corpus(t) {
		h, m, err := Parse(c.wire)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		reply, ok := m.(*MultipartReply)
		if !ok || reply.Multipart.Type != MultipartTableFeatures {
			continue
		}
		tables, err := ParseAll(reply.Body, h.Version, ParseTableFeatures)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, table := range tables {
			eachFieldProperty(t, table.Properties, func(head oxmHead) {
				seen[head.field] = true
				if n := head.payload; head.masked && n != 2*head.field.Bytes() || !head.masked && n != head.field.Bytes() {
					t.Errorf("%v: %d bytes, masked %v", head.field, n, head.masked)
				}
				if head.masked && !head.field.Maskable() && head.field != VlanVID {
					t.Errorf("%v is maskable in the switch", head.field)
				}
			}, h.Version)
		}
	}
	for f := PacketType; f < UnknownField; f++ {
		switch {
		case seen[f]:
		case f == PacketType, f == DPHash, f == RecircID, f == InPort16, f == VlanTCI, f == IPTOS:
			// No table lists them: they are the datapath's, or other forms of fields that are listed.
		case f.info().codes == "":
			t.Errorf("field %d has no code", f)
		default:
			t.Errorf("%v is in no table of a switch", f)
		}
	}
}

// eachFieldProperty gives the OXM ids in the properties match (8), wildcards (10), and the three kinds of set-field
// (12 to 15) of a table (OpenFlow 1.3.5, 7.3.5.5.2).
func eachFieldProperty(t *testing.T, b []byte, each func(oxmHead), v Version) {
	t.Helper()
	for len(b) >= 4 {
		typ, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			t.Fatalf("property of %d bytes", n)
		}
		if ids := b[4:n]; typ >= 8 && typ <= 15 {
			for len(ids) > 0 {
				head, err := readOXMHeader(ids, v.place())
				if err != nil {
					t.Fatal(err)
				}
				if head.field == UnknownField {
					t.Errorf("property %d: %x is unknown", typ, ids[:head.head])
				} else {
					each(head)
				}
				ids = ids[head.head:]
			}
		}
		b = b[min(len(b), n+pad8(n)):]
	}
}

func TestFieldNames(t *testing.T) {
	for f := PacketType; f < UnknownField; f++ {
		info := f.info()
		if f != InPort {
			if got, ok := FieldNamed(f.String()); !ok || got != f {
				t.Errorf("%v is named %v", f, got)
			}
		}
		for i, c := range info.wire {
			if got, ok := FieldNamed(c.name); !ok || got != f {
				t.Errorf("%s is %v, not %v", c.name, got, f)
			}
			if strings.Contains(c.name, "EXPERIMENTER") || c.name == "" {
				t.Errorf("%v: code %d is named %q", f, i, c.name)
			}
			spelled := f | Field(i+1)<<spellingShift
			for _, p := range []place{inMatch, inNicira, inMatch15} {
				got := fieldOfCode(c.header, c.experimenter, p)
				if want := f; got != want && got != spelled {
					t.Errorf("%s in place %d is %v", c.name, p, got)
				}
				if got.code(p) != &info.wire[i] {
					t.Errorf("%s in place %d is encoded as %s", c.name, p, got.code(p).name)
				}
			}
		}
		if len(info.wire) == 0 {
			t.Errorf("%v has no code", f)
		}
	}
	if f, ok := FieldNamed("tunnel_id"); !ok || f != TunID {
		t.Errorf("tunnel_id is %v", f)
	}
	if f, ok := FieldNamed("nonsense"); ok {
		t.Errorf("nonsense is %v", f)
	}
	for _, f := range []Field{0, UnknownField, numFields, 1<<16 - 1} {
		if f.String() != "unknown" || f.Bytes() != 0 || f.code(inMatch) != nil {
			t.Errorf("field %d: %v, %d bytes", f, f, f.Bytes())
		}
	}
}

func TestNumberedFields(t *testing.T) {
	for want, f := range map[string]Field{"reg0": Reg(0), "reg15": Reg(15), "xreg7": XReg(7), "xxreg3": XXReg(3),
		"tun_metadata63": TunMetadata(63), "nsh_c4": NSHC4, "ct_zone": CTZone} {
		if f.String() != want {
			t.Errorf("%v where %s should be", f, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("there is no register 16")
		}
	}()
	Reg(16)
}
