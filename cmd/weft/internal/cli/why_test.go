package cli

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/cmd/weft/internal/fakeapi"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// healthy is routed, where vm1 reaches all that it needs.
func healthy(w *world) {
	routed(w)
	const isolatedID, lonelyID = "b1ac0000-1111-4222-8333-444455556666", "5b020000-1111-4222-8333-444455556666"
	w.api.Put(
		&weftv1.Port{Metadata: meta("d4c90000-1111-4222-8333-444455556666", ""), NetworkId: blueID, MacAddress: "fa:16:3e:00:00:0d", AdminStateUp: proto.Bool(true), DeviceOwner: "network:dhcp",
			FixedIps: []*weftv1.FixedIP{{SubnetId: subnetID, IpAddress: "10.0.1.2"}}, Status: &weftv1.PortStatus{Status: "ACTIVE", Host: "network1"}},
		&weftv1.Network{Metadata: meta(isolatedID, "island"), AdminStateUp: proto.Bool(true), Mtu: 1450, ProviderNetworkType: "vxlan", Status: &weftv1.NetworkStatus{Status: "ACTIVE"}},
		&weftv1.Subnet{Metadata: meta(lonelyID, "island-v4"), NetworkId: isolatedID, IpVersion: 4, Cidr: "10.0.9.0/24", GatewayIp: proto.String("10.0.9.1"), EnableDhcp: proto.Bool(false)},
		&weftv1.Port{Metadata: meta("10e10000-1111-4222-8333-444455556666", "crusoe"), NetworkId: isolatedID, MacAddress: "fa:16:3e:00:00:0c", AdminStateUp: proto.Bool(true),
			FixedIps: []*weftv1.FixedIP{{SubnetId: lonelyID, IpAddress: "10.0.9.5"}},
			Status:   &weftv1.PortStatus{Status: "ACTIVE", Host: "compute1", Conditions: []*weftv1.Condition{cond("Bound", "True", "IfaceID", "interface tapcrusoe of compute1 has its id as iface-id")}}})
	w.api.Traces = map[string]*weftv1.TraceResponse{}
	for to, text := range map[string]string{"10.0.1.2": "DELIVERED to 10.0.1.2, an address of qdhcp-b1000000 on network1", "10.0.1.1": "DELIVERED to 10.0.1.1, an address of qrouter-ed9e0000 on compute1",
		"169.254.169.254": "DELIVERED the metadata service in qrouter-ed9e0000 of compute1 answers", "203.0.113.1": "LEFT by eth2 of br-ex on compute1, from 203.0.113.7 to 203.0.113.1"} {
		w.verdict(to, text)
	}
}

// verdict is what becomes of a packet from vm1.
func (w *world) verdict(to, text string) {
	var v string
	for i, r := range text {
		if r == ' ' {
			v, text = text[:i], text[i+1:]
			break
		}
	}
	w.api.Traces[vm1ID+" "+to] = &weftv1.TraceResponse{Verdict: v, Text: text, Time: timestamppb.New(fakeapi.Start)}
}

// ill is healthy, where one of what vm1 needs is out of reach, and of another nobody knows.
func ill(w *world) {
	healthy(w)
	w.verdict("169.254.169.254", "DROPPED in br-int table 72 RulesEgress on compute1: no rule of groups db lets port vm1 send tcp to port 80 to 169.254.169.254")
	w.verdict("203.0.113.1", "UNKNOWN what becomes of it in snat-ed9e0000 of network1 could not be found out: agent not connected since 12:00:01")
}
