package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/ofapps/flow"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// tracing is a door to a cloud with vm1 and vm2 on compute1, a port that is bound nowhere, and one without addresses.
func tracing(t *testing.T) *door {
	d := openDoor(t, nil)
	at := func(ips ...string) func(*weftv1.Port) {
		return func(p *weftv1.Port) {
			for _, ip := range ips {
				p.FixedIps = append(p.FixedIps, &weftv1.FixedIP{IpAddress: ip})
			}
		}
	}
	d.apply(network("blue"), subnet("v4", "blue", "10.0.0.0/24"), subnet("v6", "blue", "fd00::/64", func(s *weftv1.Subnet) { s.EnableDhcp = proto.Bool(false) }), network("bare"),
		securityGroup("web"), withID(rule("web", "ingress", func(r *weftv1.SecurityGroupRule) { r.Protocol = "tcp" }), "4e1e0001-0000-4000-8000-000000000000"),
		withID(port("vm1", "blue", at("10.0.0.11", "fd00::11"), func(p *weftv1.Port) {
			p.AllowedAddressPairs = []*weftv1.AddressPair{{IpAddress: "10.0.0.99"}}
		}), portID),
		withID(port("vm2", "blue", at("10.0.0.12", "fd00::12"), func(p *weftv1.Port) { p.SecurityGroups = []string{"web"} }), port2ID),
		port("four", "blue", at("10.0.0.13")), port("nowhere", "blue"), port("bare", "bare"))
	d.plug("compute1", model.Interface{Name: "tap1", OFPort: 3, IfaceID: portID})
	d.plug("compute1", model.Interface{Name: "tap2", OFPort: 4, IfaceID: port2ID})
	return d
}

func TestTrace(t *testing.T) {
	d := tracing(t)
	var asked report.TraceQuestion
	d.fleet.set(report.Host{Name: "compute1", AgentConnected: true, Applied: 1 << 40})
	d.fleet.trace = func(host string, q report.TraceQuestion) (report.TraceAnswer, error) {
		asked = q
		return report.TraceAnswer{
			Text: fmt.Sprintf("Flow: tcp,in_port=3,dl_src=a,dl_dst=b\n\nbridge(\"br-int\")\n---\n 0. in_port=3, priority 1, cookie 0x%x\n    goto_table:60\n60. priority 0, cookie 0x%x\n    goto_table:82\n"+
				"82. tcp, priority 70, cookie 0x%x\n    output:4\n\nFinal flow: unchanged\nMegaflow: tcp\nDatapath actions: 7\n",
				flow.Cookie(flow.PortCookie, portID), flow.Cookie(flow.PipelineCookie, "br-int"), flow.Cookie(flow.SecurityGroupRuleCookie, "4e1e0001-0000-4000-8000-000000000000")),
			Ports: "netdev@ovs-netdev: hit:0 missed:0\n  br-int:\n    tap1 3/6: (system)\n    tap2 4/7: (system)\n"}, nil
	}
	got := must[*weftv1.TraceResponse](t)(d.Trace(d.ctx, &weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "TCP", DestinationPort: 80}))
	rev := got.Revision
	if got.Time == nil || rev == 0 {
		t.Errorf("when and at which revision? %v", got)
	}
	got.Time, got.Revision = nil, 0
	want := &weftv1.TraceResponse{
		Source: &weftv1.ObjectRef{Kind: "port", Id: portID, Name: "vm1"}, Destination: &weftv1.ObjectRef{Kind: "port", Id: port2ID, Name: "vm2"},
		SourceAddress: "10.0.0.11", DestinationAddress: "10.0.0.12", Packet: "tcp to port 80", Verdict: "DELIVERED", Text: "to port vm2 on compute1", Host: "compute1", Place: "tap2",
		Hosts: []*weftv1.TraceHost{{Host: "compute1", InSync: true}},
		Legs: []*weftv1.TraceLeg{{Host: "compute1", Place: "br-int", Text: "LocalSwitching→82; to tap2", Steps: []*weftv1.TraceStep{
			{Bridge: "br-int", TableName: "LocalSwitching", Row: fmt.Sprintf("cookie=0x%x, table=0, priority=1,in_port=3 actions=goto_table:60", flow.Cookie(flow.PortCookie, portID)),
				Cookie: flow.Cookie(flow.PortCookie, portID), Owner: &weftv1.ObjectRef{Kind: "port", Id: portID, Name: "vm1"}},
			{Bridge: "br-int", Table: 60, TableName: "Transient", Trivial: true, Row: fmt.Sprintf("cookie=0x%x, table=60, priority=0 actions=goto_table:82", flow.Cookie(flow.PipelineCookie, "br-int")),
				Cookie: flow.Cookie(flow.PipelineCookie, "br-int"), Owner: &weftv1.ObjectRef{Kind: "pipeline", Id: "br-int"}},
			{Bridge: "br-int", Table: 82, TableName: "82", Row: fmt.Sprintf("cookie=0x%x, table=82, priority=70,tcp actions=output:4", flow.Cookie(flow.SecurityGroupRuleCookie, "4e1e0001-0000-4000-8000-000000000000")),
				Cookie: flow.Cookie(flow.SecurityGroupRuleCookie, "4e1e0001-0000-4000-8000-000000000000"), Owner: &weftv1.ObjectRef{Kind: "securitygrouprule", Id: "4e1e0001-0000-4000-8000-000000000000"},
				Rules: []*weftv1.ExplainedRule{{SecurityGroup: got.Legs[0].Steps[2].Rules[0].SecurityGroup, Rule: &weftv1.ObjectRef{Kind: "securitygrouprule", Id: "4e1e0001-0000-4000-8000-000000000000"},
					Text: "ingress IPv4 tcp from anybody"}}},
		}}},
	}
	if !proto.Equal(want, got) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if n := got.Legs[0].Steps[2].Rules[0].SecurityGroup.GetName(); n != "web" {
		t.Errorf("the rule is of group %q", n)
	}
	for _, c := range []struct {
		req  *weftv1.TraceRequest
		want string
	}{
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "tcp", DestinationPort: 80, SourcePort: 7}, "10.0.0.11 10.0.0.12 6 7 80"},
		{&weftv1.TraceRequest{Source: portID, Destination: "vm2"}, "10.0.0.11 10.0.0.12 1 8 0"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", SourceAddress: "fd00::11"}, "fd00::11 fd00::12 58 128 0"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "fd00::12", Protocol: "icmp"}, "fd00::11 fd00::12 58 128 0"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "10.0.0.12", SourceAddress: "10.0.0.99", Protocol: "udp", DestinationPort: 53}, "10.0.0.99 10.0.0.12 17 40000 53"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "sctp", DestinationPort: 7}, "10.0.0.11 10.0.0.12 132 40000 7"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "47"}, "10.0.0.11 10.0.0.12 47 0 0"},
	} {
		res := must[*weftv1.TraceResponse](t)(d.Trace(d.ctx, c.req))
		if got := fmt.Sprint(asked.Src, asked.Dst, asked.Protocol, asked.SrcPort, asked.DstPort); got != c.want || asked.InPort != "tap1" {
			t.Errorf("%v: asked %s by %s, want %s", c.req, got, asked.InPort, c.want)
		}
		if res.Verdict != "DELIVERED" || res.Destination.GetName() != "vm2" {
			t.Errorf("%v: %s to %v", c.req, res.Verdict, res.Destination)
		}
	}
	d.fleet.set(report.Host{Name: "compute1"})
	d.fleet.trace = nil
	if got := must[*weftv1.TraceResponse](t)(d.Trace(d.ctx, &weftv1.TraceRequest{Source: "vm1", Destination: "vm2"})); got.Verdict != "UNKNOWN" || !strings.Contains(got.Text, "agent not connected") || len(got.Hosts) > 0 {
		t.Errorf("an agent that is away: %v", got)
	}
}

func TestTraceRefusals(t *testing.T) {
	d := tracing(t)
	d.fleet.trace = func(string, report.TraceQuestion) (report.TraceAnswer, error) {
		t.Error("a host was asked")
		return report.TraceAnswer{}, nil
	}
	vm1 := fmt.Sprintf(`port "vm1" (%s)`, portID)
	for _, c := range []struct {
		req  *weftv1.TraceRequest
		code codes.Code
		want string
	}{
		{&weftv1.TraceRequest{}, codes.InvalidArgument, "source: is missing; give an id, the beginning of one, or a name"},
		{&weftv1.TraceRequest{Source: "vm3", Destination: "vm2"}, codes.NotFound, `source: port "vm3" does not exist; did you mean "vm1" or "vm2"?`},
		{&weftv1.TraceRequest{Source: "vm1"}, codes.InvalidArgument, "destination: is missing; give an id, the beginning of one, or a name"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm3"}, codes.NotFound, `destination: port "vm3" does not exist; did you mean "vm1" or "vm2"?`},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm1"}, codes.InvalidArgument, "destination: is the source itself: what a machine sends to itself does not leave it"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "224.0.0.1"}, codes.InvalidArgument, "destination: 224.0.0.1 is no address that one machine sends to another by; give that of a port, a floating IP, or one outside"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "fe80::1%eth0"}, codes.InvalidArgument, ""},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", SourceAddress: "10.0.0.50"}, codes.InvalidArgument, "source_address: 10.0.0.50 is not an address that " + vm1 + " may send from; it has 10.0.0.11, fd00::11"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", SourceAddress: "x"}, codes.InvalidArgument, `source_address: "x" is not an IP address: write e.g. 10.0.1.5 or fd00::5`},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "10.0.0.12", SourceAddress: "fd00::11"}, codes.InvalidArgument, "source_address: fd00::11 is of another IP version than the destination, 10.0.0.12"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "carrier-pigeon"}, codes.InvalidArgument, ""},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "300"}, codes.InvalidArgument, ""},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "icmpv6"}, codes.InvalidArgument, "protocol: icmpv6 is of IPv6, and 10.0.0.11 is not; write icmp"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "fd00::12", Protocol: "1"}, codes.InvalidArgument, "protocol: 1 is of IPv4, and fd00::11 is not; write icmpv6"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", DestinationPort: 80}, codes.InvalidArgument, "destination_port: is given, but icmp has no ports; give protocol tcp, udp or sctp"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "gre", SourcePort: 80}, codes.InvalidArgument, "source_port: is given, but gre has no ports; give protocol tcp, udp or sctp"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "tcp"}, codes.InvalidArgument, "destination_port: is missing; tcp needs one, 1..65535"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "udp", DestinationPort: 70000}, codes.InvalidArgument, "destination_port: 70000 is not in 1..65535"},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "vm2", Protocol: "udp", DestinationPort: 7, SourcePort: 70000}, codes.InvalidArgument, "source_port: 70000 is not in 1..65535"},
		{&weftv1.TraceRequest{Source: "nowhere", Destination: "vm2"}, codes.InvalidArgument, ""},
		{&weftv1.TraceRequest{Source: "vm1", Destination: "bare"}, codes.InvalidArgument, ""},
		{&weftv1.TraceRequest{Source: "vm2", Destination: "four", SourceAddress: "fd00::12"}, codes.InvalidArgument, "source_address: fd00::12 is of another IP version than the destination, 10.0.0.13"},
		{&weftv1.TraceRequest{Source: "bare", Destination: "vm2"}, codes.InvalidArgument, ""},
	} {
		_, err := d.Trace(d.ctx, c.req)
		r := refused(t, err)
		if r.Code != c.code || len(r.Violations) != 1 {
			t.Errorf("%v: %+v, want %v", c.req, r, c.code)
			continue
		}
		if d := cmp.Diff(c.want, r.Violations[0]); d != "" && c.want != "" {
			t.Errorf("%v (-want +got):\n%s", c.req, d)
		}
		if c.want == "" {
			t.Logf("%v: %s", c.req, r.Violations[0])
		}
	}
}
