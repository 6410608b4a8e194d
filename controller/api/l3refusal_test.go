package api

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// Every way to ask for something wrong of routers, floating IPs, port forwardings, DHCP and instances: the exact answer, as
// testdata/refusals.txt has it, and that nothing was written.
func TestRefusalsOfLayer3(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	const twoID, sshID = "22220000-0000-4000-8000-000000000019", "bf000000-0000-4000-8000-000000000020"
	d.apply(append(external("bare", "bb220000-0000-4000-8000-000000000030", "physnet2", "bb620000-0000-4000-8000-000000000031", "198.51.100.0/24")[:1],
		edge(), withID(port("two", "red", func(p *weftv1.Port) {
			p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.1.50"}, {IpAddress: "10.0.1.51"}}
		}), twoID),
		withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress, f.PortId = "203.0.113.7", "vm1" }), fipID),
		withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.8" }), "f1b10000-0000-4000-8000-000000000032"),
		withID(portForwarding("203.0.113.8", "tcp", 2222, "vm2", 22), sshID),
		withID(port("free", "blue", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.0.99"}} }), "f4ee0000-0000-4000-8000-000000000035"),
		network("grey"), withID(subnet("grey-v4", "grey", "10.0.0.0/16", func(s *weftv1.Subnet) { s.EnableDhcp = proto.Bool(false) }), "69500000-0000-4000-8000-000000000033"),
		withID(port("lonely", "grey"), "69470000-0000-4000-8000-000000000034"))...)
	newRouter := func(change func(*weftv1.Router)) func() error {
		return func() error {
			_, err := d.CreateRouter(d.ctx, &weftv1.CreateRouterRequest{Router: router("new", change).GetRouter()})
			return err
		}
	}
	editRouter := func(mask []string, change func(*weftv1.Router)) func() error {
		return func() error {
			_, err := d.UpdateRouter(d.ctx, &weftv1.UpdateRouterRequest{Router: withID(router("", change), edgeID).GetRouter(), UpdateMask: maskOf(mask...)})
			return err
		}
	}
	newFIP := func(change func(*weftv1.FloatingIP)) func() error {
		return func() error {
			_, err := d.CreateFloatingIP(d.ctx, &weftv1.CreateFloatingIPRequest{Floatingip: floatingIP("public", change).GetFloatingip()})
			return err
		}
	}
	editFIP := func(change func(*weftv1.FloatingIP)) func() error {
		return func() error {
			_, err := d.UpdateFloatingIP(d.ctx, &weftv1.UpdateFloatingIPRequest{Floatingip: withID(floatingIP("", change), fipID).GetFloatingip()})
			return err
		}
	}
	newPF := func(change func(*weftv1.PortForwarding)) func() error {
		return func() error {
			_, err := d.CreatePortForwarding(d.ctx, &weftv1.CreatePortForwardingRequest{Portforwarding: portForwarding("203.0.113.8", "tcp", 80, "vm2", 80, change).GetPortforwarding()})
			return err
		}
	}
	newSubnet := func(change func(*weftv1.Subnet)) func() error {
		return func() error {
			_, err := d.CreateSubnet(d.ctx, &weftv1.CreateSubnetRequest{Subnet: subnet("new", "blue", "10.7.0.0/24", change).GetSubnet()})
			return err
		}
	}
	newPort := func(change func(*weftv1.Port)) func() error {
		return func() error {
			_, err := d.CreatePort(d.ctx, &weftv1.CreatePortRequest{Port: port("new", "blue", change).GetPort()})
			return err
		}
	}
	subnets := func(refs ...string) func(*weftv1.Router) {
		return func(r *weftv1.Router) {
			for _, ref := range refs {
				r.Interfaces = append(r.Interfaces, &weftv1.RouterInterface{SubnetId: ref})
			}
		}
	}
	gateway := func(network string, ips ...string) func(*weftv1.Router) {
		return func(r *weftv1.Router) {
			r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: network}
			for _, ip := range ips {
				r.ExternalGatewayInfo.ExternalFixedIps = append(r.ExternalGatewayInfo.ExternalFixedIps, &weftv1.FixedIP{IpAddress: ip})
			}
		}
	}
	d.apply(router("plain"))
	var got strings.Builder
	for _, tc := range []struct {
		name string
		do   func() error
	}{
		{"an external network in tunnels", func() error {
			_, err := d.CreateNetwork(d.ctx, &weftv1.CreateNetworkRequest{Network: network("x", func(n *weftv1.Network) { n.RouterExternal = proto.Bool(true) }).GetNetwork()})
			return err
		}},
		{"no longer external, in use", func() error {
			_, err := d.UpdateNetwork(d.ctx, &weftv1.UpdateNetworkRequest{Network: withID(network("", func(n *weftv1.Network) { n.RouterExternal = proto.Bool(false) }), publicID).GetNetwork()})
			return err
		}},
		{"DHCP for IPv6", newSubnet(func(s *weftv1.Subnet) { s.Cidr, s.EnableDhcp = "fd00::/64", proto.Bool(true) })},
		{"everything that DHCP would announce", newSubnet(func(s *weftv1.Subnet) {
			s.DnsNameservers = []string{"", "x", "fd00::1", "10.7.0.53", "10.7.0.53"}
			s.HostRoutes = []*weftv1.Route{{}, {Destination: "10.9.0.1/16", Nexthop: "10.7.0.9"}, {Destination: "10.9.0.0/16", Nexthop: "y"}}
		})},
		{"a host route by somebody elsewhere", newSubnet(func(s *weftv1.Subnet) {
			s.HostRoutes = []*weftv1.Route{{Destination: "10.9.0.0/16", Nexthop: "10.8.0.9"}}
		})},
		{"pairs, options and an instance", newPort(func(p *weftv1.Port) {
			p.AllowedAddressPairs = []*weftv1.AddressPair{{}, {IpAddress: "10.0.0.1/24"}, {IpAddress: "x", MacAddress: "y"}, {IpAddress: "224.0.0.18"}}
			p.ExtraDhcpOpts = []*weftv1.DHCPOption{{}, {OptName: "bootfile-name", OptValue: "a\nb"}, {OptName: "nonsense", OptValue: "x"}, {OptName: "67", OptValue: "x", IpVersion: 5}, {OptName: "67", OptValue: "x", IpVersion: 6}}
			p.Instance = &weftv1.Instance{Hostname: "not a host", UserData: make([]byte, 1<<16+1), PublicKeys: map[string]string{"a": "b\nc"}}
		})},
		{"a port of Weft's own kinds", newPort(func(p *weftv1.Port) { p.DeviceOwner = "network:dhcp" })},

		{"no router at all", func() error { _, err := d.CreateRouter(d.ctx, &weftv1.CreateRouterRequest{}); return err }},
		{"everything of a router wrong at once", newRouter(func(r *weftv1.Router) {
			r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: "publik", ExternalFixedIps: []*weftv1.FixedIP{{IpAddress: "x"}}}
			r.Interfaces = []*weftv1.RouterInterface{{}, {SubnetId: "blue-v5"}, {PortId: "vm3"}}
			r.Routes = []*weftv1.Route{{}, {Destination: "10.0.0.1/8", Nexthop: "z"}}
		})},
		{"SNAT without a gateway", newRouter(func(r *weftv1.Router) {
			r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{EnableSnat: proto.Bool(true)}
		})},
		{"SNAT of a router without a gateway", func() error {
			_, err := d.UpdateRouter(d.ctx, &weftv1.UpdateRouterRequest{Router: withID(router("", func(r *weftv1.Router) {
				r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{EnableSnat: proto.Bool(true)}
			}), "plain").GetRouter()})
			return err
		}},
		{"subnets that overlap", newRouter(func(r *weftv1.Router) {
			r.Interfaces = []*weftv1.RouterInterface{{SubnetId: "grey-v4"}, {PortId: "free"}}
		})},
		{"a gateway address in use", newRouter(subnets("blue-v4"))},
		{"a subnet twice", newRouter(subnets("grey-v4", "grey-v4"))},
		{"an interface on an external network", newRouter(subnets("public-v4"))},
		{"a port that is somebody's", newRouter(func(r *weftv1.Router) { r.Interfaces = []*weftv1.RouterInterface{{PortId: "vm1"}} })},
		{"a gateway on a network that leads nowhere", newRouter(gateway("blue"))},
		{"an external network without a subnet", newRouter(gateway("bare"))},
		{"a gateway address outside", newRouter(gateway("public", "198.51.100.5"))},
		{"a gateway address that is taken", newRouter(gateway("public", "203.0.113.2"))},
		{"the address of the next router", newRouter(gateway("public", "203.0.113.1"))},
		{"a route by somebody elsewhere", editRouter(nil, func(r *weftv1.Router) {
			r.Routes = []*weftv1.Route{{Destination: "192.168.0.0/16", Nexthop: "172.16.0.1"}}
		})},
		{"a route by the router itself", editRouter(nil, func(r *weftv1.Router) {
			r.Routes = []*weftv1.Route{{Destination: "192.168.0.0/16", Nexthop: "10.0.0.1"}}
		})},
		{"no gateway, under floating IPs", editRouter([]string{"external_gateway_info"}, func(*weftv1.Router) {})},
		{"no interface, under a floating IP", editRouter([]string{"interfaces"}, func(*weftv1.Router) {})},
		{"fields that there are not", editRouter([]string{"external_gateway_info.snat", "gateway", "interfaces.subnet_id"}, func(*weftv1.Router) {})},

		{"a floating IP of no network", newFIP(func(f *weftv1.FloatingIP) { f.FloatingNetworkId = "" })},
		{"of a network that is not external", newFIP(func(f *weftv1.FloatingIP) { f.FloatingNetworkId = "blue" })},
		{"of one without a subnet", newFIP(func(f *weftv1.FloatingIP) { f.FloatingNetworkId = "bare" })},
		{"outside its subnet", newFIP(func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "198.51.100.7" })},
		{"an address that is taken", newFIP(func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.7" })},
		{"a router's address", newFIP(func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.2" })},
		{"another network's subnet", newFIP(func(f *weftv1.FloatingIP) { f.SubnetId = blueSubID })},
		{"an address without a port", newFIP(func(f *weftv1.FloatingIP) { f.FixedIpAddress = "10.0.0.5" })},
		{"no router between", newFIP(func(f *weftv1.FloatingIP) { f.PortId = "lonely" })},
		{"a port with several addresses", newFIP(func(f *weftv1.FloatingIP) { f.PortId = "two" })},
		{"an address that the port has not", newFIP(func(f *weftv1.FloatingIP) { f.PortId, f.FixedIpAddress = "two", "10.0.1.99" })},
		{"a port that has one", newFIP(func(f *weftv1.FloatingIP) { f.PortId = "vm1" })},
		{"a port that ports are forwarded to", newFIP(func(f *weftv1.FloatingIP) { f.PortId = "vm2" })},
		{"another address, afterwards", editFIP(func(f *weftv1.FloatingIP) { f.FloatingIpAddress, f.FloatingNetworkId = "203.0.113.9", "bare" })},
		{"a port that does not exist", editFIP(func(f *weftv1.FloatingIP) { f.PortId = "vm3" })},

		{"everything of a port forwarding wrong at once", newPF(func(f *weftv1.PortForwarding) {
			f.FloatingipId, f.Protocol, f.ExternalPort, f.InternalPort, f.InternalPortId, f.InternalIpAddress = "203.0.113.9", "sctp", 70000, 0, "vm3", "x"
		})},
		{"port and range", newPF(func(f *weftv1.PortForwarding) { f.ExternalPortRange, f.InternalPortRange = "1:2", "3:1" })},
		{"ranges that are none", newPF(func(f *weftv1.PortForwarding) {
			f.ExternalPort, f.ExternalPortRange, f.InternalPort, f.InternalPortRange = 0, "8010:8000", 0, "a:b"
		})},
		{"ranges of different length", newPF(func(f *weftv1.PortForwarding) {
			f.ExternalPort, f.ExternalPortRange, f.InternalPort, f.InternalPortRange = 0, "8000:8010", 0, "9000:9001"
		})},
		{"ports that are taken", newPF(func(f *weftv1.PortForwarding) { f.ExternalPort, f.ExternalPortRange = 0, "2220:2230" })},
		{"a floating IP that stands for a port", newPF(func(f *weftv1.PortForwarding) { f.FloatingipId = "203.0.113.7" })},
		{"a VM with a floating IP", newPF(func(f *weftv1.PortForwarding) { f.InternalPortId = "vm1" })},
		{"a VM that no router leads to", newPF(func(f *weftv1.PortForwarding) { f.InternalPortId = "lonely" })},
		{"a VM with several addresses", newPF(func(f *weftv1.PortForwarding) { f.InternalPortId = "two" })},
		{"what there is not", func() error {
			_, err := d.DeleteFloatingIP(d.ctx, &weftv1.DeleteFloatingIPRequest{Id: "203.0.113.77"})
			return err
		}},
		{"nameless and matchless", func() error {
			_, err := d.Apply(d.ctx, &weftv1.ApplyRequest{Objects: []*weftv1.Object{router(""), floatingIP("public"), portForwarding("203.0.113.8", "", 1, "vm2", 1),
				floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.8" }), floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.8" })}})
			return err
		}},
	} {
		before, _ := d.store.Snapshot()
		r := refused(t, tc.do())
		sameState(t, before, d.store)
		fmt.Fprintf(&got, "## %s\n%s %s", tc.name, r.Code, r.Reason)
		if r.Resource != "" {
			fmt.Fprintf(&got, " %s", r.Resource)
		}
		fmt.Fprintln(&got)
		for _, line := range append(r.Violations, r.Users...) {
			fmt.Fprintf(&got, "  %s\n", line)
		}
	}
	const file = "testdata/refusals.txt"
	if *updateGolden {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, file, string(want), got.String())
}
