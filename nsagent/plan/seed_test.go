package plan

import (
	"testing"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// The ids and addresses of the real system whose dumps are in testdata/neutron: a distributed router 81689e42 on three
// networks, a centralised one 4d0af959 on two, and the external network 224d3150.
const (
	dvr      = "81689e42-91a4-4094-b699-3bef28777c0b"
	legacy   = "4d0af959-8950-470c-bd3f-006894f199ab"
	external = "224d3150-8195-46e6-ba6f-981409215638"
	private1 = "fd8c89c7-cb77-4836-a5b3-e3d47510a3f3"
	private2 = "00000000-0000-4000-8000-000000000002"
	private3 = "00000000-0000-4000-8000-000000000003"
	private4 = "00000000-0000-4000-8000-000000000004"
	private5 = "00000000-0000-4000-8000-000000000005"
	subnet1  = "5ab00000-0000-4000-8000-000000000001"
	subnet6  = "5ab00000-0000-4000-8000-000000000006"
)

func device(port, network, mac string, mtu uint32, addresses ...string) *nodev1.Device {
	return &nodev1.Device{PortId: port, NetworkId: network, MacAddress: mac, Mtu: mtu, Addresses: addresses}
}

// advertisement tells of subnets of which machines make themselves addresses.
func advertisement(prefixes ...string) *nodev1.RouterAdvertisement {
	out := &nodev1.RouterAdvertisement{DefaultRouter: true, DnsNameservers: []string{"2001:4860:4860::8888"}}
	for _, p := range prefixes {
		out.Prefixes = append(out.Prefixes, &nodev1.AdvertisedPrefix{Prefix: p, Autonomous: true})
	}
	return out
}

// dvrRouter is the distributed router of the dumps.
func dvrRouter() *nodev1.Router {
	in := func(d *nodev1.Device, via ...string) *nodev1.RouterInterface {
		return &nodev1.RouterInterface{Device: d, SnatAddresses: via}
	}
	told := in(device("48adc8c6-aa00-4000-8000-000000000000", private1, "fa:16:3e:e5:e9:4a", 1450, "fd00:1::/64"), "fd00:1::1b6")
	told.Advertisement = advertisement("fd00:1::/64")
	return &nodev1.Router{RouterId: dvr, Distributed: true, Metadata: true, LinkLocal: "169.254.88.134/31", FipNetworkId: external, Interfaces: []*nodev1.RouterInterface{
		in(device("341474f8-a800-4000-8000-000000000000", private3, "fa:16:3e:99:eb:02", 1500, "10.0.3.1/24"), "10.0.3.140"),
		in(device("36804f37-fa00-4000-8000-000000000000", private1, "fa:16:3e:fb:a2:de", 1450, "10.0.1.1/24"), "10.0.1.154"),
		told,
		in(device("83589833-8000-4000-8000-000000000000", private2, "fa:16:3e:f6:2a:5f", 1450, "10.0.2.1/24"), "10.0.2.168"),
	}}
}

func dvrSnat() *nodev1.Snat {
	return &nodev1.Snat{RouterId: dvr, Gateway: gateway("eee872fe-7600-4000-8000-000000000000", "fa:16:3e:a8:66:9f", "172.24.4.196/24"), Interfaces: []*nodev1.Device{
		device("6754e950-1100-4000-8000-000000000000", private3, "fa:16:3e:39:fc:dd", 1500, "10.0.3.140/24"),
		device("410438a8-5f00-4000-8000-000000000000", private1, "fa:16:3e:4c:08:aa", 1450, "fd00:1::1b6/64"),
		device("bc499024-3500-4000-8000-000000000000", private2, "fa:16:3e:81:c1:a0", 1450, "10.0.2.168/24"),
		device("d2f21bf8-8b00-4000-8000-000000000000", private1, "fa:16:3e:32:d7:6d", 1450, "10.0.1.154/24"),
	}}
}

func gateway(port, mac, address string) *nodev1.Gateway {
	return &nodev1.Gateway{Device: device(port, external, mac, 1500, address), GatewayIps: []string{"172.24.4.1"}, EnableSnat: true}
}

// legacyRouter is the centralised router of the dumps.
func legacyRouter() *nodev1.Router {
	in := func(d *nodev1.Device) *nodev1.RouterInterface { return &nodev1.RouterInterface{Device: d} }
	return &nodev1.Router{RouterId: legacy, Metadata: true, Gateway: gateway("b97be1fd-3c00-4000-8000-000000000000", "fa:16:3e:7b:c8:4d", "172.24.4.92/24"),
		Routes: []*nodev1.Route{{Destination: "192.168.77.0/24", Nexthop: "10.0.4.99"}}, Interfaces: []*nodev1.RouterInterface{
			in(device("06d9855a-1a00-4000-8000-000000000000", private4, "fa:16:3e:c7:86:ee", 1458, "10.0.4.1/24")),
			in(device("d25b7d0d-e700-4000-8000-000000000000", private5, "fa:16:3e:80:50:54", 1442, "10.0.5.1/24")),
		}}
}

func fipNamespace() *nodev1.FipNamespace {
	return &nodev1.FipNamespace{NetworkId: external, Device: device("8b1e4a23-c300-4000-8000-000000000000", external, "fa:16:3e:13:e9:a5", 1500, "172.24.4.22/24"), GatewayIps: []string{"172.24.4.1"}}
}

func dhcpNamespace() *nodev1.Dhcp {
	return &nodev1.Dhcp{NetworkId: private1, Device: device("d0678fc4-4d00-4000-8000-000000000000", private1, "fa:16:3e:79:8f:e6", 1450, "10.0.1.2/24", "fd00:1::f816:3eff:fe79:8fe6/64"),
		Domain: "openstacklocal", Metadata: true, Subnets: []*nodev1.DhcpSubnet{{SubnetId: subnet1, Cidr: "10.0.1.0/24", GatewayIp: "10.0.1.1", MetadataVia: "10.0.1.1", DhcpAddresses: []string{"10.0.1.2"}}}}
}

func floating(id, router, place, floating, fixed string, priority uint32) *nodev1.FloatingIp {
	return &nodev1.FloatingIp{Id: id, RouterId: router, Place: place, FloatingIpAddress: floating, FixedIpAddress: fixed, RulePriority: priority, NetworkId: external}
}

func forwarding(id string, external uint32, internal string, port uint32) *nodev1.PortForwarding {
	return &nodev1.PortForwarding{Id: id, RouterId: legacy, Place: PlaceRouter, FloatingIpAddress: "172.24.4.72", Protocol: "tcp", ExternalFirst: external, ExternalLast: external,
		InternalIpAddress: internal, InternalFirst: port, InternalLast: port}
}

func endpoint(id, mac string, addresses ...string) *nodev1.Endpoint {
	e := &nodev1.Endpoint{PortId: id, NetworkId: private1, MacAddress: mac, Neighbour: true, Dhcp: true, Metadata: true, DeviceId: "i-" + id[:8]}
	for i, a := range addresses {
		e.Addresses = append(e.Addresses, &nodev1.EndpointAddress{SubnetId: []string{subnet1, subnet6}[i], IpAddress: a})
	}
	return e
}

// cloud are the resources of a host that has everything of the dumps at once.
func cloud() []*nodev1.Resource {
	return []*nodev1.Resource{
		{Name: "router/" + dvr, Spec: &nodev1.Resource_Router{Router: dvrRouter()}},
		{Name: "snat/" + dvr, Spec: &nodev1.Resource_Snat{Snat: dvrSnat()}},
		{Name: "router/" + legacy, Spec: &nodev1.Resource_Router{Router: legacyRouter()}},
		{Name: "fip/" + external, Spec: &nodev1.Resource_FipNamespace{FipNamespace: fipNamespace()}},
		{Name: "dhcp/" + private1, Spec: &nodev1.Resource_Dhcp{Dhcp: dhcpNamespace()}},
		floatingResource(floating("f1000000-0000-4000-8000-000000000001", dvr, PlaceFip, "172.24.4.147", "10.0.1.148", 63204)),
		floatingResource(floating("f1000000-0000-4000-8000-000000000002", legacy, PlaceRouter, "172.24.4.133", "10.0.4.103", 0)),
		floatingResource(floating("f1000000-0000-4000-8000-000000000003", dvr, PlaceSnat, "172.24.4.150", "10.0.1.99", 0)),
		forwardingResource(forwarding("65e771e2-0000-4000-8000-000000000000", 2229, "10.0.5.249", 80)),
		forwardingResource(forwarding("858b4139-0000-4000-8000-000000000000", 2230, "10.0.5.249", 22)),
		endpointResource(endpoint("e0000000-0000-4000-8000-000000000001", "fa:16:3e:81:89:24", "10.0.1.148", "fd00:1::f816:3eff:fe81:8924")),
		endpointResource(endpoint("e0000000-0000-4000-8000-000000000002", "fa:16:3e:6b:b1:7b", "10.0.1.252", "fd00:1::f816:3eff:fe6b:b17b")),
	}
}

func floatingResource(f *nodev1.FloatingIp) *nodev1.Resource {
	return &nodev1.Resource{Name: "floatingip/" + f.Id, Spec: &nodev1.Resource_FloatingIp{FloatingIp: f}}
}

func forwardingResource(p *nodev1.PortForwarding) *nodev1.Resource {
	return &nodev1.Resource{Name: "portforwarding/" + p.Id, Spec: &nodev1.Resource_PortForwarding{PortForwarding: p}}
}

func endpointResource(e *nodev1.Endpoint) *nodev1.Resource {
	return &nodev1.Resource{Name: "endpoint/" + e.PortId, Spec: &nodev1.Resource_Endpoint{Endpoint: e}}
}

func readAll(t testing.TB, list []*nodev1.Resource) map[string]Resource {
	t.Helper()
	out := map[string]Resource{}
	for _, r := range list {
		x, err := Read(r)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		out[r.Name] = x
	}
	return out
}
