package cli

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-sdn/weft/cmd/weft/internal/fakeapi"
	"github.com/weft-sdn/weft/cmd/weft/internal/kind"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

const (
	blueID   = "b10e0000-1111-4222-8333-444455556666"
	subnetID = "5b0e0000-1111-4222-8333-444455556666"
	vm1ID    = "11110000-1111-4222-8333-444455556666"
	vm2ID    = "22220000-1111-4222-8333-444455556666"
)

func at(minutes int) *timestamppb.Timestamp {
	return timestamppb.New(fakeapi.Start.Add(time.Duration(minutes) * time.Minute))
}

func meta(id, name string) *weftv1.Metadata {
	return &weftv1.Metadata{Id: id, Name: name, ProjectId: "default", Generation: 1, CreateTime: at(0), UpdateTime: at(0)}
}

func cond(typ, status, reason, message string) *weftv1.Condition {
	return &weftv1.Condition{Type: typ, Status: status, Reason: reason, Message: message, LastTransitionTime: at(5)}
}

func host(name string, n int, ready bool) *weftv1.Host {
	h := &weftv1.Host{Metadata: meta(name, ""), Draining: proto.Bool(false), Roles: []string{"compute"}, Status: &weftv1.HostStatus{
		Status: "Ready", DvrMacAddress: fmt.Sprintf("fa:16:3f:00:00:%02x", n), AppliedRevision: 2, AgentVersion: "0.1.0", OvsVersion: "3.1.0",
		TunnelIp: fmt.Sprintf("192.0.2.%d", n), BridgeMappings: map[string]string{"physnet1": "br-ex"},
		Bridges: []*weftv1.BridgeStatus{
			{Name: "br-int", DatapathId: fmt.Sprintf("00005700000%d0001", n), Connected: ready, Flows: 42, FlowMods: 40, OpenflowVersion: "1.4"},
			{Name: "br-tun", DatapathId: fmt.Sprintf("00005700000%d0002", n), Connected: true, Flows: 57, FlowMods: 57, DriftRepaired: 2, OpenflowVersion: "1.4"}},
		Conditions: []*weftv1.Condition{cond("Agent", "True", "Connected", ""), cond("OpenFlow", "True", "Connected", "")}}}
	if !ready {
		h.Status.Status = "NotReady"
		h.Status.AppliedRevision = 1
		h.Status.Conditions[1] = cond("OpenFlow", "False", "NotConnected", "br-int: no OpenFlow connection since 12:05:00; look at ovs-vsctl show and journalctl -u weft-nsagent on the host")
	}
	return h
}

// cloud is a network with two ports on two hosts, of which one is not well.
func cloud(s *fakeapi.Server) {
	s.Put(
		host("compute1", 1, true),
		host("compute2", 2, false),
		&weftv1.Network{Metadata: meta(blueID, "blue"), AdminStateUp: proto.Bool(true), Mtu: 1450, ProviderNetworkType: "vxlan",
			ProviderSegmentationId: 100, L2Population: proto.Bool(true), RouterExternal: proto.Bool(false), Status: &weftv1.NetworkStatus{Status: "ACTIVE",
				LocalVlans: []*weftv1.LocalVlan{{Host: "compute1", Vlan: 1}, {Host: "compute2", Vlan: 3}}}},
		&weftv1.Subnet{Metadata: meta(subnetID, "blue-v4"), NetworkId: blueID, IpVersion: 4, Cidr: "10.0.1.0/24",
			GatewayIp: proto.String("10.0.1.1"), AllocationPools: []*weftv1.AllocationPool{{Start: "10.0.1.2", End: "10.0.1.254"}}, EnableDhcp: proto.Bool(true)},
		&weftv1.Port{Metadata: meta(vm1ID, "vm1"), NetworkId: blueID, MacAddress: "fa:16:3e:00:00:01", DeviceId: "7d3f", DeviceOwner: "compute:nova",
			AdminStateUp: proto.Bool(true), FixedIps: []*weftv1.FixedIP{{SubnetId: subnetID, IpAddress: "10.0.1.5"}},
			Status: &weftv1.PortStatus{Status: "ACTIVE", Host: "compute1", InterfaceName: "tapvm1", Ofport: 7, BoundBy: "iface-id",
				Conditions: []*weftv1.Condition{cond("Bound", "True", "IfaceID", ""), cond("Programmed", "True", "Acknowledged", "")}}},
		&weftv1.Port{Metadata: meta(vm2ID, "vm2"), NetworkId: blueID, MacAddress: "fa:16:3e:00:00:02", AdminStateUp: proto.Bool(true),
			BindingHostId: "compute2", FixedIps: []*weftv1.FixedIP{{SubnetId: subnetID, IpAddress: "10.0.1.6"}, {SubnetId: subnetID, IpAddress: "10.0.1.66"}},
			Status: &weftv1.PortStatus{Status: "DOWN", Conditions: []*weftv1.Condition{
				cond("Bound", "False", "NoInterface", "no interface on compute2 has external_ids:iface-id=22220000-1111-4222-8333-444455556666; plug the VM, or see weft interfaces compute2 --unbound")}}},
	)
	vm2 := &weftv1.ObjectRef{Kind: "port", Id: vm2ID, Name: "vm2"}
	s.Flows = []*weftv1.Flow{
		{Bridge: "br-int", Text: "cookie=0x570000000001, table=0, priority=1 actions=resubmit(,60)", TableName: "LocalSwitching", Cookie: 0x570000000001,
			Owner: &weftv1.ObjectRef{Kind: "pipeline", Id: "br-int"}, Packets: 12, Bytes: 1176, Age: durationpb.New(3720 * time.Second)},
		{Bridge: "br-tun", Text: "cookie=0x570000000002, table=20, priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:02 actions=pop_vlan,set_field:0x64->tun_id,output:2", Table: 20,
			TableName: "UcastToTun", Cookie: 0x570000000002, Owner: vm2, Packets: 1204, Bytes: 98000, Age: durationpb.New(65 * time.Second)},
		{Bridge: "br-tun", Text: "cookie=0x0, table=20, priority=9,in_port=3 actions=drop", Table: 20, TableName: "UcastToTun", Age: durationpb.New(4 * time.Second)},
	}
	s.Explained = &weftv1.ExplainResponse{TableName: "br-tun/UcastToTun", TableAbout: "known MAC: one tunnel", Owners: []*weftv1.ObjectRef{vm2},
		Text: "frames for port vm2 go through the tunnel to compute2"}
	s.Drift = []*weftv1.Drift{
		{Host: "compute1", Bridge: "br-tun", Kind: "missing", Flow: "table=20, priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:02 actions=output:2", Owner: vm2, Action: "repaired"},
		{Host: "compute1", Bridge: "br-ex", Kind: "foreign", Flow: "table=0, priority=9,in_port=3 actions=drop", Action: "left alone: br-ex is shared"},
	}
	s.Interfaces = []*weftv1.Interface{
		{Host: "compute1", Name: "tapvm1", Ofport: 7, IfaceId: vm1ID, AttachedMac: "fa:16:3e:00:00:01", PortId: vm1ID},
		{Host: "compute2", Name: "tapx", Ofport: 9, IfaceId: "99990000-1111-4222-8333-444455556666", AttachedMac: "fa:16:3e:00:00:99",
			Message: "no port has this id; weft create port --id 99990000-1111-4222-8333-444455556666 would bind it"},
	}
	s.Events = []*weftv1.Event{
		{Time: at(1), Host: "compute1", Reason: "AgentConnected", Message: "agent 0.1.0 connected"},
		{Time: at(2), Host: "compute1", Reason: "PortBound", Message: "tapvm1 carries port vm1", Object: &weftv1.ObjectRef{Kind: "port", Id: vm1ID, Name: "vm1"}},
		{Time: at(5), Host: "compute2", Reason: "SwitchLost", Message: "br-int: read tcp 192.0.2.2:6653: connection reset by peer; programmed rows go on forwarding until it is back"},
	}
}

func ready(w *world) { w.api.Put(host("compute2", 2, true)) }

// several controllers share the store, of which one has been upgraded.
func several(w *world) {
	ready(w)
	w.api.Controllers = []*weftv1.Controller{{Name: "c1", Version: "0.1.0"}, {Name: "c2", Version: "0.1.0", Leader: true}, {Name: "c3", Version: "0.2.0"}}
}

// withoutDHCP is routed where the router forwards, but a network of it has no DHCP server that works.
func withoutDHCP(w *world) {
	routed(w)
	c := cond("Programmed", "False", "DHCPFailed", fmt.Sprintf("it forwards, but in network %q (%s) nobody tells machines their addresses and routes by DHCP: network1: dnsmasq of network %s: "+
		"the program dnsmasq is missing on this host (Debian: apt install dnsmasq-base)", "blue", blueID, blueID))
	c.Host = "network1"
	w.api.Change(func() {
		w.api.Object(kind.Router, edgeID).(*weftv1.Router).Status.Conditions[1] = c
	})
}

// limited has a port whose host cannot enforce its policy.
func limited(w *world) {
	w.api.Change(func() {
		st := w.api.Object(kind.Port, vm1ID).(*weftv1.Port).Status
		st.Conditions = append(st.Conditions, cond("QosEnforced", "False", "NoMeters",
			`the switch of compute1 cannot enforce egress bandwidth_limit of qospolicy "gold": it has no meters`))
	})
}

func lagging(w *world) {
	w.api.Lagging = []*weftv1.HostLag{{Host: "compute2", AppliedRevision: 1, Reason: "br-int: OpenFlow not connected since 12:05:00"}}
}

func noDrift(w *world) { w.api.Drift = nil }

func driftUnknown(w *world) {
	w.api.Drift = nil
	w.api.DriftErrors = map[string]string{"compute2": "br-int: OpenFlow not connected"}
}

func notExplained(w *world) {
	w.api.Explained = &weftv1.ExplainResponse{Text: "cookie 0x0 is not ours"}
}

// hostile puts text that would move the cursor wherever a server could.
func hostile(w *world) {
	bad := "\x1b]0;owned\a\x1b[2Jx\r\u202ey\nz"
	w.api.Put(&weftv1.Port{Metadata: meta("66660000-1111-4222-8333-444455556666", bad), NetworkId: blueID, DeviceId: bad, AdminStateUp: proto.Bool(true),
		Status: &weftv1.PortStatus{Status: "DOWN", Conditions: []*weftv1.Condition{cond("Bound", "False", "X", bad)}}})
	w.api.Flows = []*weftv1.Flow{{Bridge: bad, Text: bad, TableName: bad, Owner: &weftv1.ObjectRef{Kind: bad, Id: bad, Name: bad}}}
	w.api.Drift = []*weftv1.Drift{{Host: bad, Bridge: bad, Kind: bad, Flow: bad, Action: bad}}
	w.api.Events = []*weftv1.Event{{Time: at(1), Host: bad, Reason: bad, Message: bad}}
	w.api.Interfaces = []*weftv1.Interface{{Host: bad, Name: bad, IfaceId: bad, AttachedMac: bad, Message: bad}}
	w.api.Explained = &weftv1.ExplainResponse{TableName: bad, TableAbout: bad, Text: bad}
	w.api.Unknown = []string{bad}
	w.api.Lagging = []*weftv1.HostLag{{Host: bad, Reason: bad}}
}

// many makes lists that take several pages, and names that do not fit.
func many(w *world) {
	w.api.PageSize = 3
	for i := range 12 {
		id := fmt.Sprintf("000000%02d-1111-4222-8333-444455556666", i)
		w.api.Put(&weftv1.Network{Metadata: meta(id, fmt.Sprintf("a-network-with-a-rather-long-name-that-somebody-generated-%02d", i)), Mtu: 1500,
			ProviderNetworkType: "vlan", ProviderPhysicalNetwork: "physical-network-of-the-second-datacentre", ProviderSegmentationId: 1000 + uint32(i),
			Status: &weftv1.NetworkStatus{Status: "ACTIVE"}},
			&weftv1.Port{Metadata: meta(fmt.Sprintf("100000%02d-1111-4222-8333-444455556666", i), fmt.Sprintf("p%02d", i)), NetworkId: id,
				MacAddress: fmt.Sprintf("fa:16:3e:00:01:%02x", i), FixedIps: []*weftv1.FixedIP{{IpAddress: "2001:db8:1234:5678:9abc:def0:1234:5678"}},
				BindingHostId: "compute1", Status: &weftv1.PortStatus{Status: "DOWN"}},
			&weftv1.Port{Metadata: meta(fmt.Sprintf("200000%02d-1111-4222-8333-444455556666", i), ""), NetworkId: blueID, Status: &weftv1.PortStatus{Status: "DOWN"}})
	}
}

// twins makes two networks of one name.
func twins(w *world) {
	for i := range 2 {
		w.api.Put(&weftv1.Network{Metadata: meta(fmt.Sprintf("2%d220000-1111-4222-8333-444455556666", i), "twin"), Mtu: 1500})
	}
}

// richer adds what an export must keep.
func richer(s *fakeapi.Server) {
	grey := "6e000000-1111-4222-8333-444455556666"
	n := &weftv1.Network{Metadata: meta(grey, "grey: \"quoted\" # no comment"), AdminStateUp: proto.Bool(false), Mtu: 9000, ProviderNetworkType: "vlan",
		ProviderPhysicalNetwork: "physnet1", ProviderSegmentationId: 200, L2Population: proto.Bool(false), RouterExternal: proto.Bool(false), Status: &weftv1.NetworkStatus{Status: "DOWN"}}
	n.Metadata.ProjectId, n.Metadata.Description = "web", "two\nlines, and a \u202e mark"
	n.Metadata.Labels = map[string]string{"team": "web", "true": "yes", "empty": "", "number": "010"}
	sub := &weftv1.Subnet{Metadata: meta("6e000001-1111-4222-8333-444455556666", "grey-v6"), NetworkId: grey, IpVersion: 6, Cidr: "fd00::/64",
		GatewayIp: proto.String(""), AllocationPools: []*weftv1.AllocationPool{{Start: "fd00::10", End: "fd00::20"}, {Start: "fd00::30", End: "fd00::40"}}, EnableDhcp: proto.Bool(false)}
	sub.Metadata.ProjectId = "web"
	h := host("network1", 9, true)
	h.TunnelIp, h.BridgeMappings, h.Roles = "192.0.2.99", map[string]string{"physnet1": "br-ex", "physnet2": "br-ex2"}, []string{"compute", "network"}
	s.Put(h, n, sub)
}

// serverErrors makes every call fail.
func serverErrors(w *world) {
	st, err := status.New(codes.ResourceExhausted, `network "blue" has no free address left: add an allocation pool`).WithDetails(
		&errdetails.ErrorInfo{Reason: "EXHAUSTED", Domain: "weft"})
	if err != nil {
		panic(err)
	}
	w.api.Fail = st.Err()
}

const (
	publicID = "bb000000-1111-4222-8333-444455556666"
	edgeID   = "ed9e0000-1111-4222-8333-444455556666"
	fipID    = "f1b00000-1111-4222-8333-444455556666"
	fip2ID   = "f1b20000-1111-4222-8333-444455556666"
)

// routed adds a router to the small cloud, with a floating IP and a port forwarding behind it.
func routed(w *world) {
	network1 := host("network1", 3, true)
	network1.Roles, network1.Draining = []string{"network"}, proto.Bool(false)
	network1.Status.ScheduledRouters, network1.Status.DhcpNetworks = 1, 1
	programmed := cond("Programmed", "True", "Acknowledged", "acknowledged by compute1, network1")
	sched := cond("Scheduled", "True", "Scheduled", "on network1: the only network host that is fit")
	sched.Host = "network1"
	failed := cond("Programmed", "False", "NoIptables", "network1: iptables is missing: install it")
	failed.Host = "network1"
	w.api.Put(network1,
		&weftv1.Network{Metadata: meta(publicID, "public"), AdminStateUp: proto.Bool(true), Mtu: 1500, ProviderNetworkType: "flat",
			ProviderPhysicalNetwork: "physnet1", RouterExternal: proto.Bool(true), Status: &weftv1.NetworkStatus{Status: "ACTIVE"}},
		&weftv1.Subnet{Metadata: meta("bb500000-1111-4222-8333-444455556666", "public-v4"), NetworkId: publicID, IpVersion: 4, Cidr: "203.0.113.0/24",
			GatewayIp: proto.String("203.0.113.1"), EnableDhcp: proto.Bool(false), AllocationPools: []*weftv1.AllocationPool{{Start: "203.0.113.2", End: "203.0.113.254"}}},
		&weftv1.Port{Metadata: meta("1f000000-1111-4222-8333-444455556666", ""), NetworkId: blueID, MacAddress: "fa:16:3e:00:00:0f", AdminStateUp: proto.Bool(true),
			DeviceId: edgeID, DeviceOwner: "network:router_interface_distributed", FixedIps: []*weftv1.FixedIP{{SubnetId: subnetID, IpAddress: "10.0.1.1"}},
			Status: &weftv1.PortStatus{Status: "ACTIVE"}},
		&weftv1.Router{Metadata: meta(edgeID, "edge"), AdminStateUp: proto.Bool(true), Distributed: proto.Bool(true),
			ExternalGatewayInfo: &weftv1.ExternalGatewayInfo{NetworkId: publicID, EnableSnat: proto.Bool(true), PortId: "9a7e0000-1111-4222-8333-444455556666",
				ExternalFixedIps: []*weftv1.FixedIP{{SubnetId: "bb500000-1111-4222-8333-444455556666", IpAddress: "203.0.113.2"}}},
			Interfaces: []*weftv1.RouterInterface{{SubnetId: subnetID, PortId: "1f000000-1111-4222-8333-444455556666", IpAddresses: []string{"10.0.1.1"}}},
			Routes:     []*weftv1.Route{{Destination: "192.168.0.0/16", Nexthop: "10.0.1.9"}},
			Status:     &weftv1.RouterStatus{Status: "ACTIVE", Hosts: []string{"compute1", "network1"}, GatewayHost: "network1", Conditions: []*weftv1.Condition{sched, programmed}}},
		&weftv1.FloatingIP{Metadata: meta(fipID, ""), FloatingNetworkId: publicID, FloatingIpAddress: "203.0.113.7", PortId: vm1ID, FixedIpAddress: "10.0.1.5", RouterId: edgeID,
			Status: &weftv1.FloatingIPStatus{Status: "ACTIVE", Host: "compute1", Namespace: "qrouter-" + edgeID, Conditions: []*weftv1.Condition{programmed}}},
		&weftv1.FloatingIP{Metadata: meta(fip2ID, "shop"), FloatingNetworkId: publicID, FloatingIpAddress: "203.0.113.8", RouterId: edgeID,
			Status: &weftv1.FloatingIPStatus{Status: "ERROR", Host: "network1", Namespace: "snat-" + edgeID, Conditions: []*weftv1.Condition{failed}}},
		&weftv1.PortForwarding{Metadata: meta("bf000000-1111-4222-8333-444455556666", "ssh"), FloatingipId: fip2ID, Protocol: "tcp", ExternalPort: 2222,
			InternalPortId: vm2ID, InternalIpAddress: "10.0.1.6", InternalPort: 22,
			Status: &weftv1.PortForwardingStatus{Status: "ERROR", Host: "network1", Namespace: "snat-" + edgeID, Conditions: []*weftv1.Condition{failed}}},
		&weftv1.PortForwarding{Metadata: meta("bf110000-1111-4222-8333-444455556666", ""), FloatingipId: fip2ID, Protocol: "udp", ExternalPortRange: "8000:8010",
			InternalPortId: vm2ID, InternalIpAddress: "10.0.1.6", InternalPortRange: "9000:9010", Status: &weftv1.PortForwardingStatus{Status: "DOWN"}},
	)
	w.api.Places = map[string][]*weftv1.Place{
		"router/edge": {
			{Host: "compute1", What: "fip-" + publicID, State: "ACTIVE", Why: "it serves the floating IPs of ports that are bound there: 203.0.113.7"},
			{Host: "compute1", What: "qrouter-" + edgeID, State: "ACTIVE", Why: "port vm1 of its networks is bound there"},
			{Host: "network1", What: "qrouter-" + edgeID, State: "ACTIVE", Why: "its snat namespace is there"},
			{Host: "network1", What: "snat-" + edgeID, State: "ERROR", Why: "the only network host that is fit", Message: "network1: iptables is missing: install it", Since: at(3)},
		},
		"floatingip/203.0.113.7": {{Host: "compute1", What: "qrouter-" + edgeID, State: "ACTIVE", Why: "its port is bound there"}},
		"network/blue":           {{What: "qdhcp-" + blueID, State: "DOWN", Why: "no host has the role network: weft set host NAME --role network"}},
	}
	w.api.Namespaces = map[string][]*weftv1.NamespaceLine{
		"compute1 qrouter-edge": {
			{Section: "link", Text: "qr-1f000000-11 up mtu 1450", State: "ok"},
			{Section: "address", Text: "10.0.1.1/24 dev qr-1f000000-11", State: "ok"},
			{Section: "rule", Text: "32768: from 10.0.1.5 lookup 16", State: "missing"},
			{Section: "rule", Text: "100: from 10.0.1.5 lookup 7", State: "foreign"},
		},
		"network1 snat-edge": {{Section: "link", Text: "sg-2f000000-11 up mtu 1450", State: "ok"}},
	}
}

// judged puts what the host of vm1 has counted of its rules, of which the transcript makes some.
func judged(w *world) {
	web, rule := &weftv1.ObjectRef{Kind: "securitygroup", Id: "00000001-0000-4000-8000-000000000000", Name: "web"}, func(id string) *weftv1.SecurityGroupRule {
		return &weftv1.SecurityGroupRule{Metadata: &weftv1.Metadata{Id: id}, SecurityGroupId: "00000001-0000-4000-8000-000000000000"}
	}
	w.api.Rules = map[string]*weftv1.GetPortRulesResponse{"vm1": {
		Port: &weftv1.ObjectRef{Kind: "port", Id: vm1ID, Name: "vm1"}, Host: "compute1", Secured: true, Counted: true, PortsSharing: 12,
		Rules: []*weftv1.PortRule{
			{SecurityGroup: web, Rule: rule("00000004-0000-4000-8000-000000000000"), Text: "ingress IPv4 tcp 80:90 from 0.0.0.0/0", CountedBy: "rule", Packets: 120, Bytes: 98304},
			{SecurityGroup: web, Rule: rule("00000005-0000-4000-8000-000000000000"), Text: "ingress IPv4 icmp type 8 code 0 from securitygroup web", CountedBy: "remote group", Packets: 7, Bytes: 686},
			{SecurityGroup: web, Rule: rule("00000006-0000-4000-8000-000000000000"), Text: "egress IPv4 udp 53 to addressgroup office", CountedBy: "same rule",
				SameAs: &weftv1.ObjectRef{Kind: "securitygrouprule", Id: "00000007-0000-4000-8000-000000000000"}},
		},
		RefusedEgressPackets: 3, RefusedEgressBytes: 180, RefusedIngressPackets: 41, RefusedIngressBytes: 2460,
	}}
}
