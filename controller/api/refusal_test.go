package api

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Every way to ask for something wrong: the exact answer, and that nothing was written.
func TestRefusals(t *testing.T) {
	d := openDoor(t, func(c *store.Config) { c.Ranges.VLAN = map[string][]store.Range{"physnet1": {{Min: 7, Max: 7}}} })
	const subnetID, hostPort, otherSubnet = "50b00000-0000-4000-8000-000000000005", "90472222-0000-4000-8000-000000000006", "50b11111-0000-4000-8000-000000000007"
	d.apply(host("compute1", func(h *weftv1.Host) { h.TunnelIp = "192.0.2.1" }),
		withID(network("blue"), blueID), withID(subnet("blue-v4", "blue", "10.0.0.0/29"), subnetID),
		withID(network("wire", func(n *weftv1.Network) {
			n.ProviderNetworkType, n.ProviderPhysicalNetwork, n.Metadata.Labels = "vlan", "physnet1", map[string]string{"a": "1"}
		}), redID),
		withID(subnet("wire-v4", "wire", "10.9.0.0/24"), otherSubnet),
		withID(port("web", "blue", func(p *weftv1.Port) {
			p.MacAddress, p.FixedIps = "fa:16:3e:00:00:01", []*weftv1.FixedIP{{IpAddress: "10.0.0.2"}}
		}), portID),
		withID(port("db", "blue", func(p *weftv1.Port) {
			p.MacAddress, p.FixedIps = "fa:16:3e:00:00:02", []*weftv1.FixedIP{{IpAddress: "10.0.0.3"}}
		}), port2ID),
		withID(port("", "blue", func(p *weftv1.Port) {
			p.BindingHostId, p.FixedIps = "compute1", []*weftv1.FixedIP{{IpAddress: "10.0.0.4"}}
		}), hostPort))
	fields := func(v ...string) refusal {
		return refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: v}
	}
	newNetwork := func(change func(*weftv1.Network)) func() error {
		return func() error {
			_, err := d.CreateNetwork(d.ctx, &weftv1.CreateNetworkRequest{Network: network("new", change).GetNetwork()})
			return err
		}
	}
	newSubnet := func(change func(*weftv1.Subnet)) func() error {
		return func() error {
			_, err := d.CreateSubnet(d.ctx, &weftv1.CreateSubnetRequest{Subnet: subnet("new", "blue", "10.1.0.0/24", change).GetSubnet()})
			return err
		}
	}
	newPort := func(change func(*weftv1.Port)) func() error {
		return func() error {
			_, err := d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("new", "blue", change).GetPort()})
			return err
		}
	}
	newHost := func(change func(*weftv1.Host)) func() error {
		return func() error {
			_, err := d.CreateHost(d.ctx, &weftv1.CreateHostRequest{Host: host("compute9", change).GetHost()})
			return err
		}
	}
	edit := func(mask []string, change func(*weftv1.Network)) func() error {
		return func() error {
			_, err := d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: withID(network("", change), blueID).GetNetwork(),
				UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
			return err
		}
	}
	web := fmt.Sprintf("port %q (%s)", "web", portID)
	blueV4 := fmt.Sprintf("subnet %q (%s)", "blue-v4", subnetID)

	for _, tc := range []struct {
		name string
		do   func() error
		want refusal
	}{
		{"no object at all", func() error { _, err := d.CreateNetwork(d.ctx, &weftv1.CreateNetworkRequest{}); return err },
			fields("network: is missing")},
		{"everything of a network wrong at once", newNetwork(func(n *weftv1.Network) {
			n.Metadata.Id, n.Metadata.Name = "1234", "a\x07b"
			n.Mtu, n.ProviderNetworkType, n.ProviderSegmentationId, n.ProviderPhysicalNetwork = 20, "vlan", 5000, "a:b"
		}), fields(
			`metadata.id: "1234" is not a UUID: write e.g. 3f0c9d52-6f0e-4c9b-9d5e-0a4b1c2d3e4f`,
			`metadata.name: contains the unprintable character U+0007; remove it`,
			`mtu: 20 is not in 68..65535; 0 has it computed`,
			`provider_physical_network: "a:b" is not a physical network's name: use 1..64 visible ASCII characters without ':' and ','`,
			`provider_segmentation_id: 5000 is not in 1..4094, the range of vlan; 0 has one chosen`)},
		{"an unknown type", newNetwork(func(n *weftv1.Network) { n.ProviderNetworkType = "vxlam" }),
			fields(`provider_network_type: "vxlam" is unknown; choose one of vxlan, gre, geneve, vlan, flat`)},
		{"an MTU above the underlay's", newNetwork(func(n *weftv1.Network) { n.Mtu = 1500 }),
			fields("mtu: 1500 is too large; at most 1450 fit (underlay MTU 1500 minus 50 for vxlan over IPv4)")},
		{"a VLAN that is taken", newNetwork(func(n *weftv1.Network) {
			n.ProviderNetworkType, n.ProviderPhysicalNetwork, n.ProviderSegmentationId = "vlan", "physnet1", 7
		}), refusal{Code: codes.AlreadyExists, Reason: "ALREADY_EXISTS", Resource: "network/" + redID,
			Info:       map[string]string{"field": "provider_segmentation_id", "value": "7", "kind": "network", "id": redID},
			Violations: []string{fmt.Sprintf(`provider_segmentation_id: 7 is taken by network "wire" (%s)`, redID)}}},
		{"no VLAN left", newNetwork(func(n *weftv1.Network) { n.ProviderNetworkType, n.ProviderPhysicalNetwork = "vlan", "physnet1" }),
			refusal{Code: codes.ResourceExhausted, Reason: "EXHAUSTED", Violations: []string{
				`provider_segmentation_id: no segment id is left in the controller's vlan ranges of physical network "physnet1": delete networks or configure more`}}},
		{"an id that is taken", newNetwork(func(n *weftv1.Network) { n.Metadata.Id = blueID }),
			refusal{Code: codes.AlreadyExists, Reason: "ALREADY_EXISTS", Resource: "network/" + blueID,
				Info:       map[string]string{"field": "metadata.id", "value": blueID, "kind": "network", "id": blueID},
				Violations: []string{fmt.Sprintf(`metadata.id: %s is taken by network "blue" (%s)`, blueID, blueID)}}},
		{"more labels than there may be", newNetwork(func(n *weftv1.Network) {
			n.Metadata.Labels = map[string]string{}
			for i := range 65 {
				n.Metadata.Labels[fmt.Sprint(i)] = ""
			}
		}), fields("metadata.labels: there are 65; at most 64 are allowed")},

		{"everything of a subnet wrong at once", newSubnet(func(s *weftv1.Subnet) {
			s.NetworkId, s.IpVersion, s.GatewayIp = "blu", 6, proto.String("10.2.0.1")
			s.AllocationPools = []*weftv1.AllocationPool{{Start: "10.1.0.20", End: "10.1.0.10"}, {Start: "10.1.0", End: "10.3.0.1"}, {}}
		}), fields(
			`network_id: network "blu" does not exist; did you mean "blue"?`,
			`ip_version: 6 does not go with cidr 10.1.0.0/24; leave it out to take it from cidr`,
			`allocation_pools[1].start: "10.1.0" is not an IP address: write e.g. 10.0.1.5 or fd00::5`,
			`gateway_ip: 10.2.0.1 is outside 10.1.0.0/24`,
			`allocation_pools[0]: 10.1.0.20-10.1.0.10 is reversed; write 10.1.0.10-10.1.0.20`,
			`allocation_pools[2].start: is missing`,
			`allocation_pools[2].end: is missing`)},
		{"host bits", newSubnet(func(s *weftv1.Subnet) { s.Cidr = "10.1.0.5/24" }),
			fields(`cidr: "10.1.0.5/24" has host bits; did you mean 10.1.0.0/24?`)},
		{"no block", newSubnet(func(s *weftv1.Subnet) { s.Cidr, s.IpVersion = "", 5 }),
			fields("ip_version: 5 is neither 4 nor 6; leave it out to take it from cidr", "cidr: is missing: write e.g. 10.0.1.0/24 or fd00:1::/64")},
		{"an overlap", newSubnet(func(s *weftv1.Subnet) { s.Cidr = "10.0.0.0/8" }),
			fields("cidr: 10.0.0.0/8 overlaps 10.0.0.0/29 of " + blueV4 + ", which is on the same network")},
		{"a gateway in a pool", newSubnet(func(s *weftv1.Subnet) {
			s.AllocationPools = []*weftv1.AllocationPool{{Start: "10.1.0.1", End: "10.1.0.9"}}
		}), fields("allocation_pools[0]: 10.1.0.1-10.1.0.9 contains the gateway 10.1.0.1; split the pool around it")},
		{"too many pools", newSubnet(func(s *weftv1.Subnet) { s.AllocationPools = make([]*weftv1.AllocationPool, 257) }),
			fields("allocation_pools: has 257 items; at most 256 are allowed")},

		{"everything of a port wrong at once", newPort(func(p *weftv1.Port) {
			p.MacAddress, p.BindingHostId = "fa:16:3e", "compute9"
			p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.0.300"}, {SubnetId: "blue-v6"}, {IpAddress: "10.7.0.1"}, {IpAddress: "10.0.0.2"}, {}, {SubnetId: otherSubnet}}
			p.DeviceId = strings.Repeat("x", 256)
		}), fields(
			`mac_address: "fa:16:3e" is not a MAC address: write six pairs of hex digits, e.g. fa:16:3e:00:00:01`,
			`binding_host_id: host "compute9" does not exist; did you mean "compute1"?`,
			`fixed_ips[0].ip_address: "10.0.0.300" is not an IP address: write e.g. 10.0.1.5 or fd00::5`,
			`fixed_ips[1].subnet_id: subnet "blue-v6" does not exist; did you mean "blue-v4"?`,
			`fixed_ips[4]: is empty; give subnet_id, ip_address or both`,
			`device_id: has 256 characters; at most 255 are allowed`,
			`fixed_ips[2].ip_address: 10.7.0.1 is in no subnet of the network (10.0.0.0/29)`,
			fmt.Sprintf(`fixed_ips[5].subnet_id: subnet "wire-v4" (%s) is on another network`, otherSubnet),
			`fixed_ips[3].ip_address: 10.0.0.2 is taken by `+web)},
		{"a network that cannot be meant", newPort(func(p *weftv1.Port) { p.NetworkId = "" }), fields("network_id: is missing")},
		{"an address and a MAC that are taken", newPort(func(p *weftv1.Port) {
			p.MacAddress, p.FixedIps = "FA-16-3E-00-00-01", []*weftv1.FixedIP{{IpAddress: "10.0.0.2"}}
		}), refusal{Code: codes.AlreadyExists, Reason: "ALREADY_EXISTS", Resource: "port/" + portID,
			Info:       map[string]string{"field": "mac_address", "value": "fa:16:3e:00:00:01", "kind": "port", "id": portID},
			Violations: []string{"mac_address: fa:16:3e:00:00:01 is taken by " + web, "fixed_ips[0].ip_address: 10.0.0.2 is taken by " + web}}},
		{"a multicast MAC", newPort(func(p *weftv1.Port) { p.MacAddress = "01:00:5e:00:00:01" }),
			fields("mac_address: 01:00:5e:00:00:01 is a multicast address; the first byte must be even, e.g. 00")},
		{"no address left", func() error {
			_, err := d.Apply(d.ctx, &weftv1.ApplyRequest{Objects: []*weftv1.Object{port("n1", "blue"), port("n2", "blue"), port("n3", "blue")}})
			return err
		}, refusal{Code: codes.ResourceExhausted, Reason: "EXHAUSTED", Violations: []string{
			"objects[2].port.fixed_ips: no address is left in the allocation pools of " + blueV4 + ": delete ports, enlarge the pools or add a subnet"}}},

		{"everything of a host wrong at once", newHost(func(h *weftv1.Host) {
			h.Metadata.Id, h.TunnelIp, h.Roles = "not a host", "fe80::1%eth0", []string{"compute", "compute", "storage"}
			h.BridgeMappings = map[string]string{"physnet1": "br-int"}
		}), fields(
			`tunnel_ip: "fe80::1%eth0" has a zone id, which only one host understands; did you mean fe80::1?`,
			`metadata.id: "not a host" is not a hostname: use letters, digits, '-', '_' and '.', and begin with a letter or digit`,
			`bridge_mappings["physnet1"]: br-int is the controller's own bridge; name the bridge that leads to the physical network`,
			`roles[1]: compute is listed twice`,
			`roles[2]: "storage" is unknown; choose compute or network`)},
		{"a tunnel address that is taken", newHost(func(h *weftv1.Host) { h.TunnelIp = "192.0.2.1" }),
			refusal{Code: codes.AlreadyExists, Reason: "ALREADY_EXISTS", Resource: "host/compute1",
				Info:       map[string]string{"field": "tunnel_ip", "value": "192.0.2.1", "kind": "host", "id": "compute1"},
				Violations: []string{"tunnel_ip: 192.0.2.1 is taken by host compute1"}}},

		{"a mask with fields that there are not", edit([]string{"mtuu", "metadata.labels.a", "mtu.x", "metadata.nme", "mtu"}, func(*weftv1.Network) {}), fields(
			`update_mask: "mtuu" is no field of a network; did you mean "mtu"?; valid are metadata.name, metadata.project_id, metadata.description, metadata.labels, admin_state_up, mtu, provider_network_type, provider_physical_network, provider_segmentation_id, l2_population, router_external, port_security_enabled, qos_policy_id`,
			`update_mask: "metadata.labels.a" is a part of "metadata.labels", which is written as a whole`,
			`update_mask: "mtu.x" is a part of "mtu", which is written as a whole`,
			`update_mask: "metadata.nme" is no field of a network; did you mean "metadata.name"?; valid are metadata.name, metadata.project_id, metadata.description, metadata.labels, admin_state_up, mtu, provider_network_type, provider_physical_network, provider_segmentation_id, l2_population, router_external, port_security_enabled, qos_policy_id`)},
		{"what cannot be changed", edit(nil, func(n *weftv1.Network) { n.ProviderNetworkType, n.ProviderSegmentationId = "gre", 4711 }), fields(
			"provider_network_type: is vxlan and cannot be changed", "provider_segmentation_id: is 1 and cannot be changed")},
		{"an update of nothing", func() error {
			_, err := d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: network("x").GetNetwork()})
			return err
		}, fields("metadata.id: is missing; give an id, the beginning of one, or a name")},
		{"an update of what does not exist", func() error {
			_, err := d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: withID(network("x"), "bleu").GetNetwork()})
			return err
		}, refusal{Code: codes.NotFound, Reason: "NOT_FOUND", Info: map[string]string{"kind": "network", "name": "bleu"}, Resource: "network/bleu"}},

		{"a network in use", func() error { _, err := d.DeleteNetwork(d.ctx, &weftv1.DeleteNetworkRequest{Id: "blue"}); return err },
			refusal{Code: codes.FailedPrecondition, Reason: "IN_USE", Info: map[string]string{"kind": "network", "id": blueID, "users": "4"}, Users: []string{
				"port/" + portID + ": " + web + " uses network " + blueID,
				"port/" + port2ID + `: port "db" (` + port2ID + ") uses network " + blueID,
				"port/" + hostPort + ": port " + hostPort + " uses network " + blueID,
				"subnet/" + subnetID + ": " + blueV4 + " uses network " + blueID}}},
		{"a subnet in use", func() error { _, err := d.DeleteSubnet(d.ctx, &weftv1.DeleteSubnetRequest{Id: "blue-v4"}); return err },
			refusal{Code: codes.FailedPrecondition, Reason: "IN_USE", Info: map[string]string{"kind": "subnet", "id": subnetID, "users": "3"}, Users: []string{
				"port/" + portID + ": " + web + " uses subnet " + subnetID,
				"port/" + port2ID + `: port "db" (` + port2ID + ") uses subnet " + subnetID,
				"port/" + hostPort + ": port " + hostPort + " uses subnet " + subnetID}}},
		{"a host in use", func() error { _, err := d.DeleteHost(d.ctx, &weftv1.DeleteHostRequest{Id: "compute1"}); return err },
			refusal{Code: codes.FailedPrecondition, Reason: "IN_USE", Info: map[string]string{"kind": "host", "id": "compute1", "users": "1"}, Users: []string{
				"port/" + hostPort + ": port " + hostPort + " uses host compute1"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, _ := d.store.Snapshot()
			diff(t, "refusal", tc.want, refused(t, tc.do()))
			sameState(t, before, d.store)
		})
	}
}

// An error travels in headers: whatever is in a request, it stays small.
func TestRefusalsStaySmall(t *testing.T) {
	d := openDoor(t, nil)
	huge := strings.Repeat("a:", 1<<20)
	var objs []*weftv1.Object
	for i := range 500 {
		objs = append(objs, network(fmt.Sprint("n", i), func(n *weftv1.Network) {
			n.ProviderNetworkType, n.ProviderPhysicalNetwork = "flat", strings.Repeat("é:", 300)
		}))
	}
	_, err := d.Apply(d.ctx, &weftv1.ApplyRequest{Objects: objs})
	if r := refused(t, err); len(r.Violations) != maxViolations || r.Info["violations"] != "500" {
		t.Errorf("%d violations, info %v", len(r.Violations), r.Info)
	}
	for name, err := range map[string]error{
		"many objects": err,
		"a huge reference": func() error {
			_, err := d.GetNetwork(d.ctx, &weftv1.GetNetworkRequest{Id: huge})
			return err
		}(),
		"a huge field": func() error {
			_, err := d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("p", huge, func(p *weftv1.Port) { p.MacAddress = huge }).GetPort()})
			return err
		}(),
	} {
		if n := proto.Size(status.Convert(err).Proto()); n == 0 || n > 300<<10 {
			t.Errorf("%s: an error of %d bytes", name, n)
		}
	}
}

func TestPanicInATransactionIsAnError(t *testing.T) {
	d := openDoor(t, nil)
	_, err := d.server.write(d.ctx, false, func(tx *store.Tx) error {
		if _, err := tx.CreateNetwork(&model.Network{}); err != nil {
			return err
		}
		panic("a mistake")
	})
	if got := status.Convert(d.server.refuse(err)); got.Code() != codes.Internal || got.Message() != "internal error: the controller's log tells more" {
		t.Errorf("got %v", got)
	}
	if snap, _ := d.store.Snapshot(); snap.Len("networks") != 0 {
		t.Error("what came before the panic was written")
	}
}
