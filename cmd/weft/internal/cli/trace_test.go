package cli

import (
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/cmd/weft/internal/fakeapi"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// traced puts ways of packets, one for each verdict.
func traced(w *world) {
	vm1, vm2 := &weftv1.ObjectRef{Kind: "port", Id: vm1ID, Name: "vm1"}, &weftv1.ObjectRef{Kind: "port", Id: vm2ID, Name: "vm2"}
	at := timestamppb.New(fakeapi.Start)
	sent := []*weftv1.TraceStep{
		{Bridge: "br-int", TableName: "LocalSwitching", Row: "cookie=0x570000000001, table=0, priority=1,in_port=3 actions=goto_table:71", Cookie: 0x570000000001, Owner: vm1},
		{Bridge: "br-int", Table: 72, TableName: "RulesEgress", Row: "cookie=0x570900000001, table=72, priority=70,ip,reg7=0x1 actions=goto_table:74", Cookie: 0x570900000001,
			Owner: &weftv1.ObjectRef{Kind: "securitygrouprule", Id: "00000004-0000-4000-8000-000000000000"},
			Rules: []*weftv1.ExplainedRule{{SecurityGroup: &weftv1.ObjectRef{Kind: "securitygroup", Name: "web"}, Text: "egress IPv4 to anybody"}}},
		{Bridge: "br-int", Table: 74, TableName: "AcceptOrIngress", Row: "cookie=0x570f00000001, table=74, priority=0 actions=goto_table:91", Cookie: 0x570f00000001, Trivial: true},
		{Bridge: "br-int", Table: 91, TableName: "AcceptedEgress", Row: "cookie=0x570f00000001, table=91, priority=0 actions=goto_table:94", Cookie: 0x570f00000001, Trivial: true},
		{Bridge: "br-tun", Table: 20, TableName: "UcastToTun", Row: "cookie=0x570000000002, table=20, priority=2,dl_vlan=1 actions=output:2", Cookie: 0x570000000002, Owner: vm2},
	}
	out := &weftv1.TraceLeg{Host: "compute1", Place: "br-int→br-tun", Text: "LocalSwitching→RulesEgress→Forward | UcastToTun; vxlan 100 to compute2", Steps: sent}
	w.api.Traces = map[string]*weftv1.TraceResponse{
		"vm1 vm2": {Source: vm1, Destination: vm2, SourceAddress: "10.0.1.5", DestinationAddress: "10.0.1.6", Packet: "icmp echo request", Verdict: "DELIVERED", Text: "to port vm2 on compute2",
			Host: "compute2", Place: "tap22220000-11", Revision: 418, Time: at, Hosts: []*weftv1.TraceHost{{Host: "compute1", InSync: true}, {Host: "compute2", InSync: true}},
			Legs: []*weftv1.TraceLeg{out, {Host: "compute2", Place: "br-tun→br-int", Text: "Classify→VxlanTunToLv→LearnFromTun | AcceptOrIngress→RulesIngress→Deliver; to tap22220000-11",
				Steps: []*weftv1.TraceStep{{Bridge: "br-int", Table: 92, TableName: "Deliver", Row: "cookie=0x1, table=92, priority=9 actions=output:5", Cookie: 1}}, Notes: []string{"flooded: it also goes to tap9"}}}},
		"vm1 db": {Source: vm1, Destination: &weftv1.ObjectRef{Kind: "port", Name: "db"}, SourceAddress: "10.0.1.5", DestinationAddress: "10.0.1.7", Packet: "tcp to port 81", Verdict: "DROPPED",
			Text: "in br-int table 82 RulesIngress on compute2: no rule of groups db, default lets port db hear tcp to port 81 from 10.0.1.5", Host: "compute2", Place: "br-int table 82 RulesIngress",
			Next: "weft rules db", Revision: 418, Time: at, Hosts: []*weftv1.TraceHost{{Host: "compute1", InSync: true}, {Host: "compute2"}},
			Legs: []*weftv1.TraceLeg{out, {Host: "compute2", Place: "br-tun→br-int", Text: "Classify→VxlanTunToLv→LearnFromTun | AcceptOrIngress→RulesIngress→Refused",
				Steps: []*weftv1.TraceStep{{Bridge: "br-int", Table: 99, Row: "no row matches"}}}}},
		"vm1 198.51.100.1": {Source: vm1, SourceAddress: "10.0.1.5", DestinationAddress: "198.51.100.1", Packet: "udp to port 53", Verdict: "LEFT", Text: "by eth2 of br-ex on compute1, from 203.0.113.7 to 198.51.100.1",
			Revision: 418, Time: at, Hosts: []*weftv1.TraceHost{{Host: "compute1", InSync: true}},
			Legs: []*weftv1.TraceLeg{{Host: "compute1", Place: "qrouter-1f000000-1111-4222-8333-444455556666", Text: "route by table 16 to 169.254.64.1, dev rfp-1f000000-1, ttl 64→63, neighbour 0a:f9:90:6d:3b:39 PERMANENT",
				Notes: []string{"nat: source 10.0.1.5 → 203.0.113.7, by floating IP 203.0.113.7"}}}},
		"vm1 gone": {Source: vm1, SourceAddress: "10.0.1.5", DestinationAddress: "10.0.1.8", Packet: "icmp echo request", Verdict: "UNKNOWN", Next: "weft describe host compute3", Revision: 418, Time: at,
			Text: "what becomes of it in br-tun of compute3 could not be found out: its agent is not connected since 12:01:07"},
	}
}

func TestTraceAsks(t *testing.T) {
	w := newWorld(t)
	traced(w)
	for _, c := range []struct {
		args []string
		want *weftv1.TraceRequest
	}{
		{[]string{"vm1", "port/vm2"}, &weftv1.TraceRequest{Source: "vm1", Destination: "vm2"}},
		{[]string{"vm1", "vm2", "--icmp"}, &weftv1.TraceRequest{Source: "vm1", Destination: "vm2"}},
		{[]string{"vm1", "vm2", "--tcp", "80", "--source-port", "7", "--from", "10.0.1.9"},
			&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "tcp", DestinationPort: 80, SourcePort: 7, SourceAddress: "10.0.1.9"}},
		{[]string{"vm1", "vm2", "--udp=53"}, &weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "udp", DestinationPort: 53}},
		{[]string{"vm1", "vm2", "--sctp=9"}, &weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "sctp", DestinationPort: 9}},
		{[]string{"vm1", "vm2", "--protocol", "gre"}, &weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "gre"}},
	} {
		if code, _, stderr := w.run(append([]string{"trace"}, c.args...)...); code != 0 {
			t.Errorf("%v: %d %s", c.args, code, stderr)
		}
		if got := w.api.Asked.(*weftv1.TraceRequest); got.String() != c.want.String() {
			t.Errorf("%v: asked %v, want %v", c.args, got, c.want)
		}
	}
}
