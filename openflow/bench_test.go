package openflow

import "testing"

// table20 is the row that a tunnel bridge has once for each MAC of the cloud.
func table20() *FlowMod {
	return &FlowMod{Command: FlowAdd, Table: 20, Priority: 2, Cookie: 0xfeed, BufferID: NoBuffer, OutPort: PortAny, OutGroup: GroupAny, Match: toVM, Actions: tunnel}
}

func BenchmarkEncodeFlowMod(b *testing.B) {
	m, buf := table20(), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = m.Append(buf[:0], V13, 1)
	}
}

func BenchmarkEncodeBundleAdd(b *testing.B) {
	m, buf := table20(), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendBundleAdd(buf[:0], V14, 1, 2, BundleAtomic|BundleOrdered, m)
	}
}

func BenchmarkDecodeFlowMod(b *testing.B) {
	wire := table20().Append(nil, V13, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse(wire); err != nil {
			b.Fatal(err)
		}
	}
}

// flowReply is a full part of a dump of a tunnel bridge.
func flowReply(v Version) (wire []byte, rows int) {
	s := FlowStats{Table: 20, Priority: 2, Cookie: 0xfeed, Counters: Counters{DurationSec: 5, IdleAge: ^uint32(0), Flows: ^uint32(0), Packets: 1, Bytes: 60}, Match: raw(toVM), Instructions: rawInstructions(v, tunnel...)}
	var body []byte
	for len(body) < 65000 {
		body = s.Append(body, v)
		rows++
	}
	m := MultipartReply{Multipart{Type: MultipartFlow, Flags: MultipartMore, Body: body}}
	return m.Append(nil, v, 1), rows
}

func benchmarkDecode(b *testing.B, v Version, each func(*FlowStats) error) {
	wire, rows := flowReply(v)
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		_, m, err := Parse(wire)
		if err != nil {
			b.Fatal(err)
		}
		if err := EachFlowStats(m.(*MultipartReply).Body, v, each); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mflows/s")
}

// Checked and split, as for a comparison with rows in wire form.
func BenchmarkDecodeFlowStats13(b *testing.B) {
	benchmarkDecode(b, V13, func(*FlowStats) error { return nil })
}

func BenchmarkDecodeFlowStats15(b *testing.B) {
	benchmarkDecode(b, V15, func(*FlowStats) error { return nil })
}

// With match and actions as values.
func BenchmarkDecodeFlowStatsWhole(b *testing.B) {
	benchmarkDecode(b, V13, func(s *FlowStats) error {
		if _, err := decodeMatch(s.Match); err != nil {
			return err
		}
		_, err := ParseInstructions(s.Instructions, V13)
		return err
	})
}

func BenchmarkEncodeMatchAndInstructions(b *testing.B) {
	m, buf := table20(), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendInstructions(AppendMatch(buf[:0], m.Match), m.Actions, V13)
	}
}

func BenchmarkCanonical(b *testing.B) {
	m := Match{MACField(EthDst, mac("fa:16:3e:00:00:02")), U16Masked(VlanVID, 0x1003, 0x1fff)}
	b.ReportAllocs()
	for b.Loop() {
		Canonical(m)
	}
}

const table20Text = "cookie=0xfeed, table=20, priority=2,dl_vlan=3,dl_dst=fa:16:3e:00:00:02 actions=pop_vlan,set_field:0x2b->tun_id,output:2"

func BenchmarkPrintFlow(b *testing.B) {
	f, err := ParseFlow(table20Text)
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = f.AppendText(buf[:0])
	}
}

func BenchmarkParseFlow(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseFlow(table20Text); err != nil {
			b.Fatal(err)
		}
	}
}
