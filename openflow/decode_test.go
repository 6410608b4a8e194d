package openflow

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What we encode decodes to the same values, but for the lists that are kept in wire form too.
func TestMessagesDecodeToWhatTheyWere(t *testing.T) {
	opts := cmp.Options{
		cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(Hello{}, "Elements"),
		cmpopts.IgnoreFields(Port{}, "Properties"),
		cmpopts.IgnoreFields(Bucket{}, "Properties"),
		cmpopts.IgnoreFields(FlowRemoved{}, "Counters"), // said in part
	}
	eachSample(func(name string, v Version, m Message) {
		if _, wire := m.(*PacketIn2); wire || strings.HasPrefix(name, "flow monitor") {
			return // has a test of its own; is another message in another version
		}
		want := m
		switch m := m.(type) {
		case *FlowMod:
			if v == V13 {
				m.Importance = 0
			}
		case *GroupMod:
			if v < V15 {
				c := *m
				c.BucketID, c.Buckets = 0, append([]Bucket(nil), m.Buckets...)
				for i := range c.Buckets {
					c.Buckets[i].ID = 0
				}
				want = &c
			}
		case *PacketOut:
			if v >= V15 {
				c := *m
				c.Match = Match{U32(InPort, m.InPort)}
				want = &c
			}
		case *GetAsyncReply, *SetAsync:
			if v == V13 {
				return // the order of the masks is 1.3's
			}
		}
		_, got, err := Parse(m.Append(nil, v, sampleXID))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if d := cmp.Diff(want, got, opts); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	})
}

func TestPacketIn2Decodes(t *testing.T) {
	_, m, err := Parse((&PacketIn2{Properties: packetIn2Properties()}).Append(nil, V13, 0))
	if err != nil {
		t.Fatal(err)
	}
	p := m.(*PacketIn2)
	match, err := p.Match()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Match{U32(InPort, 7)}, match); d != "" {
		t.Errorf("metadata (-want +got):\n%s", d)
	}
	p.Metadata = nil
	want := &PacketIn2{Properties: packetIn2Properties(), Data: arpPacket, FullLen: 60, BufferID: NoBuffer, Table: 3, Cookie: 0xfeed,
		Reason: PacketAction, Userdata: []byte{1, 2, 3}}
	if d := cmp.Diff(want, p); d != "" {
		t.Errorf("packet-in (-want +got):\n%s", d)
	}
}

// An ARP packet padded to the shortest Ethernet frame ended the process of another controller: it read the properties
// that follow from the packet's length without its padding. Every length of packet must do.
func TestPacketIn2OfAnyLength(t *testing.T) {
	for n := range 100 {
		packet := make([]byte, n)
		b := appendProperty(nil, packetIn2Packet, packet)
		b = appendProperty(b, packetIn2Table, []byte{9})
		_, m, err := Parse((&PacketIn2{Properties: b}).Append(nil, V13, 0))
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if p := m.(*PacketIn2); len(p.Data) != n || p.Table != 9 {
			t.Errorf("%d bytes decode to %d, table %d", n, len(p.Data), p.Table)
		}
	}
}

// A message that ends anywhere within is refused, or is a shorter message; it never reads past its end.
func TestTruncatedMessages(t *testing.T) {
	eachSample(func(name string, v Version, m Message) {
		whole := m.Append(nil, v, sampleXID)
		for n := range len(whole) {
			cut := append([]byte(nil), whole[:n]...)
			if _, _, err := Parse(cut); err == nil {
				t.Errorf("%s: %d of %d bytes are taken for the whole", name, n, len(whole))
			}
			if n < HeaderLen {
				continue
			}
			binary.BigEndian.PutUint16(cut[2:], uint16(n))
			h, got, err := Parse(cut)
			if err != nil {
				if !strings.HasPrefix(err.Error(), h.Type.String()+": ") {
					t.Errorf("%s cut to %d bytes: the error does not name the message: %v", name, n, err)
				}
				continue
			}
			if r, ok := got.(*MultipartReply); ok {
				reencodeBody(&r.Multipart, v) // that it does not panic
			}
		}
	})
}

// Decoders may not need much more memory than the message has bytes, whatever it says.
func TestDecodersUseBoundedMemory(t *testing.T) {
	const limit = 40 // bytes for each byte of the message; a row of 8 bytes may become a struct of some 100
	short := func(n int, element ...byte) (b []byte) {
		for len(b) < n {
			b = append(b, element...)
		}
		return b[:n/len(element)*len(element)]
	}
	bodies := map[MultipartType][]byte{
		MultipartTableDesc:     short(60000, 0, 8, 1, 0, 0, 0, 0, 0),
		MultipartTable:         make([]byte, 24*2500),
		MultipartQueue:         short(60000, 0, 48, 0, 0, 0, 0, 0, 0),
		MultipartMeterConfig:   short(60000, 0, 8, 0, 0, 0, 0, 0, 1),
		MultipartGroup:         short(60000, 0, 40, 0, 0, 0, 0, 0, 1),
		MultipartGroupDesc:     short(60000, 0, 8, 0, 0, 0, 0, 0, 1),
		MultipartMeter:         short(60000, 0, 0, 0, 1, 0, 40, 0, 0),
		MultipartPortDesc:      short(60000, 0, 0, 0, 1, 0, 40, 0, 0),
		MultipartTableFeatures: short(60000, 0, 64, 0, 0, 0, 0, 0, 0),
		MultipartFlowMonitor:   short(60000, 0, 8, 0, 4, 0, 0, 0, 0),
	}
	for typ, body := range bodies {
		for v := V13; v <= V15; v++ {
			used := allocated(func() { reencodeBody(&Multipart{Type: typ, Body: body}, v) })
			if used > uint64(limit*len(body)) {
				t.Errorf("%v of OpenFlow %v: %d bytes of memory for a body of %d", typ, v, used, len(body))
			}
		}
	}
	messages := map[string][]byte{
		"hello": append([]byte{5, 0, 0xea, 0x60, 0, 0, 0, 0}, short(60000-8, 0, 2, 0, 4)...),
		"group-mod of 8-byte buckets": append([]byte{6, 15, 0xea, 0x60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xea, 0x60 - 24, 0, 0, 0, 0, 0, 0},
			short(60000-24, 0, 8, 0, 0, 0, 0, 0, 0)...),
		"packet-in of 4-byte properties": append([]byte{5, 4, 0xea, 0x60, 0, 0, 0, 0, 0, 0, 0x23, 0x20, 0, 0, 0, 30}, short(60000-16, 0, 99, 0, 4, 0, 0, 0, 0)...),
		"set-async":                      append([]byte{5, 28, 0xea, 0x60, 0, 0, 0, 0}, short(60000-8, 0, 1, 0, 8, 0, 0, 0, 0)...),
	}
	for name, b := range messages {
		used := allocated(func() {
			if _, _, err := Parse(b); err != nil && name != "hello" {
				t.Errorf("%s: %v", name, err)
			}
		})
		if used > uint64(limit*len(b)) {
			t.Errorf("%s: %d bytes of memory for %d", name, used, len(b))
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestErrorNames(t *testing.T) {
	for _, tc := range []struct {
		err  Error
		want string
	}{
		{Error{Type: 5, Code: 1}, "OFPFMFC_TABLE_FULL"},
		{Error{Type: 11, Code: 0}, "OFPRRFC_STALE"},
		{Error{Type: 17, Code: 13}, "OFPBFC_MSG_FAILED"},
		{Error{Type: ErrorExperimenter, Experimenter: ExperimenterONF, Code: 2313}, "OFPBFC_MSG_FAILED"},
		{Error{Type: ErrorExperimenter, Experimenter: ExperimenterNicira, Code: 15}, "NXBAC_BAD_CONJUNCTION"},
		{Error{Type: 77, Code: 5}, "error of type 77, code 5"},
		{Error{Type: ErrorExperimenter, Experimenter: 0x1234, Code: 5}, "error of experimenter 0x00001234, type 5"},
		{Error{Type: ErrorHelloFailed, Data: []byte("not you")}, `OFPHFC_INCOMPATIBLE: "not you"`},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("%+v reads %q, want %q", tc.err, got, tc.want)
		}
	}
}

func TestNegotiate(t *testing.T) {
	both := []Version{V13, V14}
	for _, tc := range []struct {
		name   string
		ours   []Version
		header Version
		bitmap uint32
		want   Version
		err    string
	}{
		{"the highest that both have", both, V15, 1<<V13 | 1<<V14 | 1<<V15, V14, ""},
		{"the bitmap counts, not the header", both, V15, 1<<1 | 1<<V13, V13, ""},
		{"no bitmap", both, V13, 0, V13, ""},
		{"no bitmap, a newer version", both, V15, 0, V14, ""},
		{"a version of the future", both, 0x1f, 1<<31 | 1<<V14, V14, ""},
		{"nothing in common", both, V15, 1<<1 | 1<<V15, 0, "no common OpenFlow version: we offer 1.3, 1.4, the peer offers 1.0, 1.5"},
		{"an old peer", both, 1, 0, 0, "no common OpenFlow version: we offer 1.3, 1.4, the peer offers up to 1.0"},
	} {
		got, err := Negotiate(tc.ours, Header{Version: tc.header}, &Hello{Bitmap: tc.bitmap})
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tc.want || text != tc.err {
			t.Errorf("%s: %v, %q, want %v, %q", tc.name, got, text, tc.want, tc.err)
		}
	}
}

// A message of a type or version that we do not know is kept as it is.
func TestUnknownMessagesStayTheSame(t *testing.T) {
	for _, wire := range [][]byte{
		{5, 99, 0, 12, 0, 0, 0, 1, 1, 2, 3, 4},
		{4, 33, 0, 9, 0, 0, 0, 1, 1},                      // 1.4's bundle-control in 1.3
		{1, 14, 0, 10, 0, 0, 0, 1, 1, 2},                  // OpenFlow 1.0
		{5, 4, 0, 16, 0, 0, 0, 1, 0, 0, 9, 9, 0, 0, 0, 1}, // somebody's experiment
		{5, 18, 0, 18, 0, 0, 0, 1, 0, 77, 0, 0, 0, 0, 0, 0, 5, 5},
	} {
		h, m, err := Parse(wire)
		if err != nil {
			t.Errorf("%x: %v", wire, err)
			continue
		}
		if d := cmp.Diff(wire, m.Append(nil, h.Version, h.XID)); d != "" {
			t.Errorf("%T (-want +got):\n%s", m, d)
		}
	}
}

// The encoders of what is sent by the thousand allocate nothing.
func TestFlowModsEncodeWithoutAllocation(t *testing.T) {
	m, buf := table20(), make([]byte, 0, 512)
	for name, f := range map[string]func(){
		"flow-mod":   func() { buf = m.Append(buf[:0], V13, 1) },
		"bundle-add": func() { buf = AppendBundleAdd(buf[:0], V14, 1, 2, BundleAtomic, m) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	wire, rows := flowReply(V13)
	body, seen := wire[16:], 0
	walk := func() {
		if err := EachFlowStats(body, V13, func(*FlowStats) error { seen++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10, walk); n > 1 || seen != 11*rows {
		t.Errorf("%d rows: %v allocations", seen, n)
	}
}
