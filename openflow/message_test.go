package openflow

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package's tests")

// sample is a message that is interesting to encode, in the versions that have it.
type sample struct {
	name string
	from Version // the first version that has it
	to   Version // the last, or 0
	msg  func(v Version) Message
}

func always(m Message) func(Version) Message { return func(Version) Message { return m } }

// raw encodes a match and instructions for the messages that hold them in wire form.
func raw(m Match) RawMatch { return RawMatch(AppendMatch(nil, m)) }

func rawInstructions(v Version, a ...Action) RawInstructions {
	return RawInstructions(AppendInstructions(nil, a, v))
}

func mac(s string) [6]byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil {
		panic(err)
	}
	return [6]byte(b)
}

var (
	vlan2   = Match{U16(VlanVID, 0x1002)}
	toVM    = Match{MACField(EthDst, mac("fa:16:3e:00:00:02")), U16(VlanVID, 0x1003)}
	tunnel  = []Action{PopVLAN{}, SetField{U64(TunID, 0x2b)}, Output{Port: 2}}
	port7   = Port{Number: 7, HardwareAddr: mac("fa:16:3e:12:34:56"), Name: "tap0123456789ab", Config: PortConfigNoFwd, State: PortStateLive, Ethernet: &PortEthernet{Current: 1 << 5, CurrentSpeed: 1000000, MaxSpeed: 10000000}}
	counted = Counters{DurationSec: 61, DurationNsec: 250_000_000, IdleAge: ^uint32(0), Flows: ^uint32(0), Packets: 12, Bytes: 3456}
)

func multipartSample(t MultipartType, body func(b []byte, v Version) []byte) func(Version) Message {
	return func(v Version) Message { return &MultipartReply{Multipart{Type: t, Body: body(nil, v)}} }
}

func requestSample(t MultipartType, body func(b []byte, v Version) []byte) func(Version) Message {
	return func(v Version) Message { return &MultipartRequest{Multipart{Type: t, Body: body(nil, v)}} }
}

func none(b []byte, _ Version) []byte { return b }

func byNumber(n uint32) func([]byte, Version) []byte {
	return func(b []byte, _ Version) []byte { return AppendNumber(b, n) }
}

func samples() []sample {
	flow := FlowStats{Table: 20, Priority: 2, IdleTimeout: 30, HardTimeout: 300, Flags: FlagSendFlowRem, Cookie: 0xfeed, Counters: counted, Match: raw(toVM)}
	allFlows, narrow := AllFlows(), FlowStatsRequest{Table: 20, OutPort: 2, OutGroup: GroupAny, Cookie: 0x100, CookieMask: 0xff00, Match: vlan2}
	watch := FlowMonitorRequest{ID: 1, Flags: MonitorInitial | MonitorAdd | MonitorDelete | MonitorModify | MonitorInstructions | MonitorOwn, Table: 20, OutPort: PortAny, OutGroup: GroupAny, Match: vlan2}
	bucket := Bucket{ID: 5, WatchPort: PortAny, WatchGroup: GroupAny, Actions: []Action{Output{Port: 1}}}
	other := Bucket{ID: 6, WatchPort: PortAny, WatchGroup: GroupAny, Actions: []Action{Output{Port: 9}}}
	weighted := Bucket{ID: 6, Weight: 3, WatchPort: PortAny, WatchGroup: GroupAny, Actions: []Action{PopVLAN{}, Output{Port: 2}}}
	failover := Bucket{ID: 7, WatchPort: 4, WatchGroup: GroupAny, Actions: []Action{Output{Port: 4}}}
	bands := []MeterBand{{Type: BandDrop, Rate: 1000, Burst: 200}, {Type: BandDSCPRemark, Rate: 500, Extra: [4]byte{2}}}
	masks := AsyncConfig{Masks: []AsyncMask{{AsyncPacketInSlave, 0}, {AsyncPacketIn, 3}, {AsyncPortStatusSlave, 0}, {AsyncPortStatus, 7}, {AsyncFlowRemovedSlave, 0}, {AsyncFlowRemoved, 15}}}
	role := RoleState{Role: RoleMaster, GenerationID: 42}
	return []sample{
		{"hello", V13, 0, always(NewHello(V13, V14))},
		{"hello without bitmap", V13, 0, always(&Hello{})},
		{"error", V13, 0, always(&Error{Type: ErrorBadMatch, Code: 9, Data: (&BarrierRequest{}).Append(nil, V13, 7)})},
		{"error hello failed", V13, 0, always(&Error{Type: ErrorHelloFailed, Data: []byte("no common version")})},
		{"error of ONF", V13, V13, always(&Error{Type: ErrorExperimenter, Experimenter: ExperimenterONF, Code: 2302})},
		{"echo request", V13, 0, always(&EchoRequest{Data: []byte("weft")})},
		{"echo reply", V13, 0, always(&EchoReply{})},
		{"features request", V13, 0, always(&FeaturesRequest{})},
		{"features reply", V13, 0, always(&FeaturesReply{DatapathID: 0xabc, Tables: 254, Capabilities: 0x4f})},
		{"get-config request", V13, 0, always(&GetConfigRequest{})},
		{"get-config reply", V13, 0, always(&GetConfigReply{SwitchConfig{MissSendLen: 128}})},
		{"set-config", V13, 0, always(&SetConfig{SwitchConfig{Flags: 1, MissSendLen: 0xffff}})},
		{"packet-in", V13, 0, always(&PacketIn{BufferID: NoBuffer, TotalLen: 60, Reason: PacketAction, Table: 3, Cookie: 5, Match: raw(Match{U32(InPort, 7)}), Data: arpPacket})},
		{"packet-in of Nicira", V13, 0, always(&PacketIn2{Properties: packetIn2Properties()})},
		{"packet-out", V13, 0, always(&PacketOut{BufferID: NoBuffer, InPort: PortController, Actions: []Action{Output{Port: 3}}, Data: arpPacket})},
		{"flow-removed", V13, 0, always(&FlowRemoved{Cookie: 9, Priority: 2, Reason: RemovedHardTimeout, Table: 20, HardTimeout: 300, Counters: counted, Match: raw(toVM)})},
		{"port-status", V13, 0, always(&PortStatus{Reason: PortAdded, Port: port7})},
		{"flow-mod add", V13, 0, always(&FlowMod{Command: FlowAdd, Table: 20, Priority: 2, Cookie: 0xfeed, IdleTimeout: 30, HardTimeout: 300, BufferID: NoBuffer, OutPort: PortAny, OutGroup: GroupAny, Flags: FlagSendFlowRem, Match: toVM, Actions: tunnel})},
		{"flow-mod add with importance", V14, 0, always(&FlowMod{Command: FlowAdd, Importance: 7, BufferID: NoBuffer, OutPort: PortAny, OutGroup: GroupAny, Actions: []Action{Output{Port: PortNormal}}})},
		{"flow-mod modify strict", V13, 0, always(&FlowMod{Command: FlowModifyStrict, Table: 1, Priority: 9, BufferID: NoBuffer, OutPort: PortAny, OutGroup: GroupAny, Match: vlan2, Actions: []Action{GotoTable{60}}})},
		{"flow-mod delete by cookie and port", V13, 0, always(&FlowMod{Command: FlowDelete, Table: AllTables, Cookie: 0x100, CookieMask: 0xff00, BufferID: NoBuffer, OutPort: 7, OutGroup: GroupAny})},
		{"flow-mod delete strict", V13, 0, always(&FlowMod{Command: FlowDeleteStrict, Table: 20, Priority: 2, BufferID: NoBuffer, OutPort: PortAny, OutGroup: GroupAny, Match: toVM})},
		{"group-mod add all", V13, 0, always(&GroupMod{Command: GroupAdd, Type: GroupTypeAll, GroupID: 1, BucketID: BucketAll, Buckets: []Bucket{bucket, other}})},
		{"group-mod modify select", V13, 0, always(&GroupMod{Command: GroupModify, Type: GroupTypeSelect, GroupID: 2, BucketID: BucketAll, Buckets: []Bucket{weighted}})},
		{"group-mod add failover", V13, 0, always(&GroupMod{Command: GroupAdd, Type: GroupTypeFailover, GroupID: 3, BucketID: BucketAll, Buckets: []Bucket{failover}})},
		{"group-mod delete", V13, 0, always(&GroupMod{Command: GroupDelete, GroupID: GroupAll, BucketID: BucketAll})},
		{"group-mod remove bucket", V15, 0, always(&GroupMod{Command: GroupRemoveBucket, GroupID: 1, BucketID: 5})},
		{"meter-mod add", V13, 0, always(&MeterMod{Command: MeterAdd, Flags: MeterKbps | MeterBurst, MeterID: 4, Bands: bands})},
		{"meter-mod delete", V13, 0, always(&MeterMod{Command: MeterDelete, MeterID: MeterAll})},
		{"barrier request", V13, 0, always(&BarrierRequest{})},
		{"barrier reply", V13, 0, always(&BarrierReply{})},
		{"role request", V13, 0, always(&RoleRequest{role})},
		{"role reply", V13, 0, always(&RoleReply{RoleState{Role: RoleSlave, GenerationID: 42}})},
		{"role-status", V13, 0, always(&RoleStatus{Role: RoleSlave, Reason: RoleMasterRequest, GenerationID: 43})},
		{"get-async request", V13, 0, always(&GetAsyncRequest{})},
		{"get-async reply", V13, 0, always(&GetAsyncReply{masks})},
		{"set-async", V13, 0, always(&SetAsync{masks})},
		{"set-async role-status", V14, 0, always(&SetAsync{AsyncConfig{Masks: []AsyncMask{{AsyncRoleStatus, 3}}}})},
		{"tell role-status", V13, 0, TellRoleStatus},
		{"table-status", V14, 0, always(&TableStatus{Reason: 3, Table: TableDesc{Table: 5, Config: 8, Properties: appendProperty(nil, 3, []byte{10, 80, 9, 0})}})},
		{"request-forward", V13, 0, func(v Version) Message {
			return &RequestForward{Request: (&GroupMod{Command: GroupDelete, GroupID: 7, BucketID: BucketAll}).Append(nil, v, 9)}
		}},
		{"bundle open", V13, 0, always(&BundleControl{ID: 5, Type: BundleOpenRequest, Flags: BundleAtomic | BundleOrdered})},
		{"bundle commit reply", V13, 0, always(&BundleControl{ID: 5, Type: BundleCommitReply, Flags: BundleAtomic})},
		{"bundle discard", V13, 0, always(&BundleControl{ID: 5, Type: BundleDiscardRequest})},
		{"bundle add", V13, 0, func(v Version) Message {
			mod := &FlowMod{Command: FlowAdd, Table: 20, Priority: 2, BufferID: NoBuffer, OutPort: PortAny, OutGroup: GroupAny, Match: toVM, Actions: tunnel}
			return &BundleAdd{ID: 5, Flags: BundleAtomic, Message: mod.Append(nil, v, sampleXID)}
		}},
		{"desc request", V13, 0, requestSample(MultipartDesc, none)},
		{"desc reply", V13, 0, multipartSample(MultipartDesc, func(b []byte, _ Version) []byte {
			d := SwitchDesc{"Nicira, Inc.", "Open vSwitch", "3.1.0", "None", "br-tun"}
			return d.Append(b)
		})},
		{"flow request", V13, 0, requestSample(MultipartFlow, allFlows.Append)},
		{"flow request, narrow", V13, 0, requestSample(MultipartFlow, narrow.Append)},
		{"flow reply", V13, 0, multipartSample(MultipartFlow, func(b []byte, v Version) []byte {
			one, two := flow, flow
			one.Instructions, two.Instructions = rawInstructions(v, tunnel...), rawInstructions(v, GotoTable{22})
			two.Match, two.Table = raw(nil), 21
			return two.Append(one.Append(b, v), v)
		})},
		{"aggregate request", V13, 0, requestSample(MultipartAggregate, narrow.Append)},
		{"aggregate reply", V13, 0, multipartSample(MultipartAggregate, func(b []byte, v Version) []byte {
			c := noCounters()
			c.Flows, c.Packets, c.Bytes = 3, 12, 3456
			return AppendAggregate(b, &c, v)
		})},
		{"table request", V13, 0, requestSample(MultipartTable, none)},
		{"table reply", V13, 0, multipartSample(MultipartTable, func(b []byte, v Version) []byte {
			return (&TableStats{Table: 1, Lookups: 5}).Append((&TableStats{Active: 2, Lookups: 9, Matches: 5}).Append(b, v), v)
		})},
		{"port request", V13, 0, requestSample(MultipartPort, byNumber(PortAny))},
		{"port reply", V13, 0, multipartSample(MultipartPort, (&PortStats{Port: 7, DurationSec: 3, RxPackets: 1, TxPackets: 2, RxBytes: 3, TxBytes: 4, RxDropped: 5, TxDropped: 6, RxErrors: 7, TxErrors: 8, RxFrameErr: 9, RxOverErr: 10, RxCRCErr: 11, Collisions: 12}).Append)},
		{"queue request", V13, 0, requestSample(MultipartQueue, func(b []byte, _ Version) []byte { return QueueStatsRequest{PortAny, ^uint32(0)}.Append(b) })},
		{"queue reply", V13, 0, multipartSample(MultipartQueue, (&QueueStats{Port: 7, Queue: 1, TxBytes: 2, TxPackets: 3, TxErrors: 4, DurationSec: 5}).Append)},
		{"group request", V13, 0, requestSample(MultipartGroup, byNumber(GroupAll))},
		{"group reply", V13, 0, multipartSample(MultipartGroup, (&GroupStats{GroupID: 1, References: 2, Packets: 3, Bytes: 4, DurationSec: 5, Buckets: []BucketCounter{{6, 7}, {8, 9}}}).Append)},
		{"group desc request", V13, V14, requestSample(MultipartGroupDesc, none)},
		{"group desc request", V15, 0, requestSample(MultipartGroupDesc, byNumber(1))},
		{"group desc reply", V13, 0, multipartSample(MultipartGroupDesc, (&GroupDesc{Type: GroupTypeSelect, GroupID: 2, Buckets: []Bucket{weighted}}).Append)},
		{"group features request", V13, 0, requestSample(MultipartGroupFeatures, none)},
		{"group features reply", V13, 0, multipartSample(MultipartGroupFeatures, func(b []byte, _ Version) []byte {
			return (&GroupFeatures{Types: 15, Capabilities: 7, MaxGroups: [4]uint32{1, 2, 3, 4}, Actions: [4]uint32{1, 1, 1, 1}}).Append(b)
		})},
		{"meter request", V13, 0, requestSample(MultipartMeter, byNumber(MeterAll))},
		{"meter reply", V13, 0, multipartSample(MultipartMeter, (&MeterStats{MeterID: 4, Flows: 1, Packets: 2, Bytes: 3, DurationSec: 4, Bands: []BucketCounter{{5, 6}}}).Append)},
		{"meter config request", V13, 0, requestSample(MultipartMeterConfig, byNumber(4))},
		{"meter config reply", V13, 0, multipartSample(MultipartMeterConfig, (&MeterConfig{Flags: MeterPktps, MeterID: 4, Bands: bands}).Append)},
		{"meter features request", V13, 0, requestSample(MultipartMeterFeatures, none)},
		{"meter features reply", V13, 0, multipartSample(MultipartMeterFeatures, func(b []byte, _ Version) []byte {
			return (&MeterFeatures{MaxMeter: 10, BandTypes: 2, Capabilities: 15, MaxBands: 1}).Append(b)
		})},
		{"table features request", V13, 0, requestSample(MultipartTableFeatures, none)},
		{"port desc request", V13, V14, requestSample(MultipartPortDesc, none)},
		{"port desc request", V15, 0, requestSample(MultipartPortDesc, byNumber(PortAny))},
		{"port desc reply", V13, 0, multipartSample(MultipartPortDesc, func(b []byte, v Version) []byte { return AppendPort(b, &port7, v) })},
		{"table desc request", V14, 0, requestSample(MultipartTableDesc, none)},
		{"table desc reply", V14, 0, multipartSample(MultipartTableDesc, (&TableDesc{Table: 5, Config: 4}).Append)},
		{"flow monitor request", V13, 0, requestSample(MultipartFlowMonitor, watch.Append)},
		{"flow monitor cancel", V13, 0, always(&FlowMonitorCancel{ID: 1})},
		{"flow monitor reply", V13, 0, multipartSample(MultipartFlowMonitor, func(b []byte, v Version) []byte {
			added := FlowUpdate{Event: UpdateAdded, Table: 20, Priority: 2, IdleTimeout: 30, Cookie: 0xfeed, Match: raw(toVM), Instructions: rawInstructions(v, tunnel...)}
			removed := FlowUpdate{Event: UpdateRemoved, Reason: RemovedDelete, Table: 21, HardTimeout: 5, Match: raw(nil)}
			modified := FlowUpdate{Event: UpdateModified, Match: raw(vlan2)}
			own := FlowUpdate{Event: UpdateAbbrev, XID: 0x77}
			return own.Append(modified.Append(removed.Append(added.Append(b, v), v), v), v)
		})},
		{"flow monitor paused", V13, 0, always(&FlowMonitorPaused{})},
		{"flow monitor resumed", V13, 0, always(&FlowMonitorResumed{})},
	}
}

const sampleXID = 0x1234

var arpPacket, _ = hex.DecodeString("ffffffffffff" + "fa163e000001" + "0806" + "0001080006040001" + "fa163e000001" + "0a000001" + "000000000000" + "0a000002" + "000000000000000000000000000000000000")

func packetIn2Properties() []byte {
	b := appendProperty(nil, packetIn2Packet, arpPacket)
	b = appendProperty(b, packetIn2Table, []byte{3})
	b = appendProperty(b, packetIn2Cookie, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xed})
	b = appendProperty(b, packetIn2Reason, []byte{1})
	b = appendProperty(b, packetIn2Metadata, raw(Match{U32(InPort, 7)})[4:12])
	return appendProperty(b, packetIn2Userdata, []byte{1, 2, 3})
}

func eachSample(f func(name string, v Version, m Message)) {
	for _, s := range samples() {
		for v := s.from; v <= V15 && (s.to == 0 || v <= s.to); v++ {
			f(fmt.Sprintf("%s, OpenFlow %v", s.name, v), v, s.msg(v))
		}
	}
}

// What we encode, we decode, and encode to the same bytes again.
func TestMessagesRoundTrip(t *testing.T) {
	eachSample(func(name string, v Version, m Message) {
		wire := m.Append([]byte("before"), v, sampleXID)[len("before"):]
		h, got, err := Parse(wire)
		if err != nil {
			t.Errorf("%s: %v\n%x", name, err, wire)
			return
		}
		if int(h.Length) != len(wire) || h.XID != sampleXID || h.Version != v {
			t.Errorf("%s: header %+v of %d bytes", name, h, len(wire))
		}
		if _, unknown := got.(*Raw); unknown {
			t.Errorf("%s: decoded into %T", name, got)
		}
		if again := got.Append(nil, v, h.XID); !bytes.Equal(again, wire) {
			t.Errorf("%s: %s", name, difference(again, wire))
		}
		r, ok := got.(*MultipartReply)
		if !ok {
			return
		}
		if body, err := reencodeBody(&r.Multipart, v); err != nil || !bytes.Equal(body, r.Body) {
			t.Errorf("%s: body: %v, %s", name, err, difference(body, r.Body))
		}
	})
}

// Open vSwitch reads what we encode as what we mean. The golden file is its own text.
func TestOpenVSwitchReadsOurMessages(t *testing.T) {
	const golden = "testdata/print.golden"
	var got strings.Builder
	eachSample(func(name string, v Version, m Message) {
		out, err := exec.Command("ovs-ofctl", "ofp-print", hex.EncodeToString(m.Append(nil, v, sampleXID)), "2").Output()
		if err != nil || bytes.Contains(out, []byte("decode error")) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		fmt.Fprintf(&got, "# %s\n%s\n", name, bytes.TrimSpace(out))
	})
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("ovs-ofctl ofp-print (-want +got):\n%s", d)
	}
}
