package api

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/store"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

const (
	publicID    = "bb000000-0000-4000-8000-000000000010"
	publicSubID = "bb500000-0000-4000-8000-000000000011"
	blueSubID   = "b1500000-0000-4000-8000-000000000012"
	redSubID    = "4e500000-0000-4000-8000-000000000013"
	edgeID      = "ed9e0000-0000-4000-8000-000000000014"
	fipID       = "f1b00000-0000-4000-8000-000000000015"
)

// external is a network that leads outside, and its addresses.
func external(name, id, physnet, subnetID, cidr string) []*weftv1.Object {
	return []*weftv1.Object{
		withID(network(name, func(n *weftv1.Network) {
			n.ProviderNetworkType, n.ProviderPhysicalNetwork, n.RouterExternal = "flat", physnet, proto.Bool(true)
		}), id),
		withID(subnet(name+"-v4", name, cidr, func(s *weftv1.Subnet) { s.EnableDhcp = proto.Bool(false) }), subnetID),
	}
}

// inside is a network with a subnet, without DHCP so that nothing is on it but what a test puts there.
func inside(name, id, subnetID, cidr string) []*weftv1.Object {
	return []*weftv1.Object{withID(network(name), id),
		withID(subnet(name+"-v4", name, cidr, func(s *weftv1.Subnet) { s.EnableDhcp = proto.Bool(false) }), subnetID)}
}

// towns is two networks and an external one, with a port on each of the two: vm1 (10.0.0.5) and vm2 (10.0.1.5).
func (d *door) towns() {
	d.t.Helper()
	objs := external("public", publicID, "physnet1", publicSubID, "203.0.113.0/24")
	objs = append(objs, inside("blue", blueID, blueSubID, "10.0.0.0/24")...)
	objs = append(objs, inside("red", redID, redSubID, "10.0.1.0/24")...)
	d.apply(append(objs,
		withID(port("vm1", "blue", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.0.5"}} }), portID),
		withID(port("vm2", "red", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.1.5"}} }), port2ID))...)
}

// edge is a router between the towns and the outside.
func edge(change ...func(*weftv1.Router)) *weftv1.Object {
	return withID(router("edge", append([]func(*weftv1.Router){func(r *weftv1.Router) {
		r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: "public", ExternalFixedIps: []*weftv1.FixedIP{{IpAddress: "203.0.113.2"}}}
		r.Interfaces = []*weftv1.RouterInterface{{SubnetId: "blue-v4"}, {SubnetId: "red-v4"}}
	}}, change...)...), edgeID)
}

// routerText is what a router is asked to be, in one line.
func routerText(r *weftv1.Router) string {
	s := fmt.Sprintf("up=%v distributed=%v", r.GetAdminStateUp(), r.GetDistributed())
	if gw := r.ExternalGatewayInfo; gw != nil {
		s += fmt.Sprintf(" gateway=%.4s snat=%v", gw.NetworkId, gw.GetEnableSnat())
		for _, f := range gw.ExternalFixedIps {
			s += " " + f.IpAddress
		}
	}
	for _, i := range r.Interfaces {
		s += fmt.Sprintf(" %.4s:%s", i.SubnetId, strings.Join(i.IpAddresses, ","))
	}
	for _, route := range r.Routes {
		s += fmt.Sprintf(" %s>%s", route.Destination, route.Nexthop)
	}
	return s
}

func TestRouterIsChangedFieldByField(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.apply(external("other", "bb110000-0000-4000-8000-000000000016", "physnet2", "bb610000-0000-4000-8000-000000000017", "198.51.100.0/24")...)
	r := must[*weftv1.Router](t)(d.CreateRouter(d.ctx, &weftv1.CreateRouterRequest{Router: withID(router("edge"), edgeID).GetRouter()}))
	if got := routerText(r); got != "up=true distributed=true" || r.ExternalGatewayInfo != nil {
		t.Errorf("a bare router: %s, %v", got, r.ExternalGatewayInfo)
	}
	gateway := func(network string, snat *bool, ips ...string) func(*weftv1.Router) {
		return func(r *weftv1.Router) {
			r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: network, EnableSnat: snat}
			for _, ip := range ips {
				r.ExternalGatewayInfo.ExternalFixedIps = append(r.ExternalGatewayInfo.ExternalFixedIps, &weftv1.FixedIP{IpAddress: ip})
			}
		}
	}
	none := func(*weftv1.Router) {}
	const whole = "external_gateway_info"
	for _, step := range []struct {
		name   string
		change func(*weftv1.Router)
		mask   []string
		want   string
	}{
		{"a gateway with an address", gateway("public", nil, "203.0.113.9"), nil, "up=true distributed=true gateway=bb00 snat=true 203.0.113.9"},
		{"without SNAT, and all else as it is", gateway("", proto.Bool(false)), []string{whole + ".enable_snat"}, "up=true distributed=true gateway=bb00 snat=false 203.0.113.9"},
		{"the same network, given as a whole: the address stays, SNAT is what it is by itself", gateway("public", nil), []string{whole}, "up=true distributed=true gateway=bb00 snat=true 203.0.113.9"},
		{"another address", gateway("public", nil, "203.0.113.10"), nil, "up=true distributed=true gateway=bb00 snat=true 203.0.113.10"},
		{"another network: the address stays behind", gateway("other", nil), nil, "up=true distributed=true gateway=bb11 snat=true 198.51.100.2"},
		{"another network by its field alone", gateway("public", nil), []string{whole + ".network_id"}, "up=true distributed=true gateway=bb00 snat=true 203.0.113.2"},
		{"interfaces", func(r *weftv1.Router) {
			r.Interfaces = []*weftv1.RouterInterface{{SubnetId: "blue-v4"}, {SubnetId: redSubID}}
		}, nil, "up=true distributed=true gateway=bb00 snat=true 203.0.113.2 b150:10.0.0.1 4e50:10.0.1.1"},
		{"routes, of which two share a destination", func(r *weftv1.Router) {
			r.Routes = []*weftv1.Route{{Destination: "192.168.0.0/16", Nexthop: "10.0.0.9"}, {Destination: "192.168.0.0/16", Nexthop: "10.0.1.9"}}
		}, nil, "up=true distributed=true gateway=bb00 snat=true 203.0.113.2 b150:10.0.0.1 4e50:10.0.1.1 192.168.0.0/16>10.0.0.9 192.168.0.0/16>10.0.1.9"},
		{"centralized", func(r *weftv1.Router) { r.Distributed = proto.Bool(false) }, nil,
			"up=true distributed=false gateway=bb00 snat=true 203.0.113.2 b150:10.0.0.1 4e50:10.0.1.1 192.168.0.0/16>10.0.0.9 192.168.0.0/16>10.0.1.9"},
		{"no routes", none, []string{"routes"}, "up=true distributed=false gateway=bb00 snat=true 203.0.113.2 b150:10.0.0.1 4e50:10.0.1.1"},
		{"one interface", func(r *weftv1.Router) { r.Interfaces = []*weftv1.RouterInterface{{SubnetId: "red-v4"}} }, nil,
			"up=true distributed=false gateway=bb00 snat=true 203.0.113.2 4e50:10.0.1.1"},
		{"no gateway, by its network", none, []string{whole + ".network_id"}, "up=true distributed=false 4e50:10.0.1.1"},
		{"the gateway again", gateway("public", proto.Bool(false), "203.0.113.2"), nil, "up=true distributed=false gateway=bb00 snat=false 203.0.113.2 4e50:10.0.1.1"},
		{"no gateway", none, []string{whole}, "up=true distributed=false 4e50:10.0.1.1"},
		{"everything as if never given", none, []string{"*"}, "up=true distributed=true"},
	} {
		t.Run(step.name, func(t *testing.T) {
			got, err := d.UpdateRouter(d.ctx, &weftv1.UpdateRouterRequest{Router: withID(router("", step.change), edgeID).GetRouter(),
				UpdateMask: &fieldmaskpb.FieldMask{Paths: step.mask}})
			if err != nil {
				t.Fatal(err)
			}
			diff(t, "the router", step.want, routerText(got))
			diff(t, "read again", got, must[*weftv1.Router](t)(d.GetRouter(d.ctx, &weftv1.GetRouterRequest{Id: edgeID})))
		})
	}
	must[any](t)(d.DeleteRouter(d.ctx, &weftv1.DeleteRouterRequest{Id: edgeID}))
}

func TestRouterInterfacesOneByOne(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.apply(withID(router("edge"), edgeID), withID(port("inner", "red", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.1.77"}} }), "11110000-0000-4000-8000-000000000018"))
	add := func(req *weftv1.AddRouterInterfaceRequest) (*weftv1.AddRouterInterfaceResponse, error) {
		req.Id = "edge"
		return d.AddRouterInterface(d.ctx, req)
	}
	tried := must[*weftv1.AddRouterInterfaceResponse](t)(add(&weftv1.AddRouterInterfaceRequest{SubnetId: "blue-v4", ValidateOnly: true}))
	if i := tried.Interface; i.SubnetId != blueSubID || len(i.IpAddresses) != 1 || i.IpAddresses[0] != "10.0.0.1" {
		t.Errorf("a try: %v", tried)
	}
	if r := must[*weftv1.Router](t)(d.GetRouter(d.ctx, &weftv1.GetRouterRequest{Id: "edge"})); len(r.Interfaces) != 0 {
		t.Errorf("a try has written %v", r)
	}
	a := must[*weftv1.AddRouterInterfaceResponse](t)(add(&weftv1.AddRouterInterfaceRequest{SubnetId: "blue-v4"}))
	b := must[*weftv1.AddRouterInterfaceResponse](t)(add(&weftv1.AddRouterInterfaceRequest{PortId: "inner"}))
	diff(t, "the router", "up=true distributed=true b150:10.0.0.1 4e50:10.0.1.77", routerText(b.Router))
	if a.Interface.PortId == "" || b.Interface.PortId != "11110000-0000-4000-8000-000000000018" || b.Interface.SubnetId != redSubID {
		t.Errorf("what was added: %v, %v", a.Interface, b.Interface)
	}
	p := must[*weftv1.Port](t)(d.GetPort(d.ctx, &weftv1.GetPortRequest{Id: a.Interface.PortId}))
	if p.DeviceOwner != model.OwnerDistributedInterface || p.DeviceId != edgeID {
		t.Errorf("its port: %v", p)
	}

	edgeRef, blueRef := fmt.Sprintf("router %q (%s)", "edge", edgeID), fmt.Sprintf("subnet %q (%s)", "blue-v4", blueSubID)
	for _, tc := range []struct {
		name string
		err  func() error
		want refusal
	}{
		{"twice", func() error { _, err := add(&weftv1.AddRouterInterfaceRequest{SubnetId: "blue-v4"}); return err },
			refusal{Code: codes.AlreadyExists, Reason: "ALREADY_EXISTS", Resource: "router/" + edgeID,
				Info:       map[string]string{"field": "subnet_id", "value": blueRef, "kind": "router", "id": edgeID},
				Violations: []string{"subnet_id: " + blueRef + " is taken by " + edgeRef}}},
		{"neither subnet nor port", func() error { _, err := add(&weftv1.AddRouterInterfaceRequest{}); return err },
			refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{"subnet_id: is missing; give subnet_id or port_id"}}},
		{"subnet and port", func() error {
			_, err := add(&weftv1.AddRouterInterfaceRequest{SubnetId: "blue-v4", PortId: "inner"})
			return err
		}, refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{"port_id: is given beside subnet_id; give one of them"}}},
		{"what does not exist", func() error { _, err := add(&weftv1.AddRouterInterfaceRequest{SubnetId: "bleu-v4"}); return err },
			refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{`subnet_id: subnet "bleu-v4" does not exist; did you mean "blue-v4"?`}}},
		{"to a router that does not exist", func() error {
			_, err := d.AddRouterInterface(d.ctx, &weftv1.AddRouterInterfaceRequest{Id: "egde", SubnetId: "blue-v4"})
			return err
		}, refusal{Code: codes.NotFound, Reason: "NOT_FOUND", Info: map[string]string{"kind": "router", "name": "egde"}, Resource: "router/egde"}},
		{"an external subnet", func() error { _, err := add(&weftv1.AddRouterInterfaceRequest{SubnetId: "public-v4"}); return err },
			refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{
				fmt.Sprintf(`subnet_id: network "public" (%s) is external: routers have their gateway there, and no interfaces`, publicID)}}},
		{"a router with interfaces", func() error { _, err := d.DeleteRouter(d.ctx, &weftv1.DeleteRouterRequest{Id: "edge"}); return err },
			refusal{Code: codes.FailedPrecondition, Reason: "IN_USE", Info: map[string]string{"kind": "router", "id": edgeID, "users": "2"}, Users: []string{
				fmt.Sprintf(`subnet/%s: subnet "blue-v4" (%s) uses router %s; disconnect it first: weft router remove-subnet`, blueSubID, blueSubID, edgeID),
				fmt.Sprintf(`subnet/%s: subnet "red-v4" (%s) uses router %s; disconnect it first: weft router remove-subnet`, redSubID, redSubID, edgeID)}}},
		{"removing what is not there", func() error {
			_, err := d.RemoveRouterInterface(d.ctx, &weftv1.RemoveRouterInterfaceRequest{Id: "edge", SubnetId: "public-v4"})
			return err
		}, refusal{Code: codes.InvalidArgument, Reason: "INVALID_FIELDS", Violations: []string{"subnet_id: " + edgeRef + " has no such interface"}}},
		{"a port that is a router's", func() error { _, err := d.DeletePort(d.ctx, &weftv1.DeletePortRequest{Id: "inner"}); return err },
			refusal{Code: codes.FailedPrecondition, Reason: "IN_USE", Info: map[string]string{"kind": "port", "id": "11110000-0000-4000-8000-000000000018", "users": "1"}, Users: []string{
				fmt.Sprintf("router/%s: %s uses port %s", edgeID, edgeRef, "11110000-0000-4000-8000-000000000018")}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, _ := d.store.Snapshot()
			diff(t, "refusal", tc.want, refused(t, tc.err()))
			sameState(t, before, d.store)
		})
	}
	gone := must[*weftv1.RemoveRouterInterfaceResponse](t)(d.RemoveRouterInterface(d.ctx, &weftv1.RemoveRouterInterfaceRequest{Id: "edge", PortId: "inner"}))
	diff(t, "the router", "up=true distributed=true b150:10.0.0.1", routerText(gone.Router))
	if gone.Interface.GetSubnetId() != redSubID {
		t.Errorf("what was removed: %v", gone.Interface)
	}
	last := must[*weftv1.RemoveRouterInterfaceResponse](t)(d.RemoveRouterInterface(d.ctx, &weftv1.RemoveRouterInterfaceRequest{Id: "edge", SubnetId: "blue-v4"}))
	diff(t, "the router", "up=true distributed=true", routerText(last.Router))
}

func TestFloatingIPMovesFromPortToPort(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.apply(edge(), withID(port("two", "red", func(p *weftv1.Port) {
		p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.1.50"}, {IpAddress: "10.0.1.51"}}
	}), "22220000-0000-4000-8000-000000000019"))
	f := must[*weftv1.FloatingIP](t)(d.CreateFloatingIP(d.ctx, &weftv1.CreateFloatingIPRequest{
		Floatingip: withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.7" }), fipID).GetFloatingip()}))
	text := func(f *weftv1.FloatingIP) string {
		return fmt.Sprintf("%s %.4s %s %.4s %s", f.FloatingIpAddress, f.PortId, f.FixedIpAddress, f.RouterId, f.Status.Status)
	}
	diff(t, "as it was made", "203.0.113.7    DOWN", text(f))
	for _, step := range []struct {
		name   string
		change func(*weftv1.FloatingIP)
		mask   []string
		want   string
	}{
		{"to a port with one address", func(f *weftv1.FloatingIP) { f.PortId = "vm1" }, nil, "203.0.113.7 9047 10.0.0.5 ed9e DOWN"},
		{"to another one", func(f *weftv1.FloatingIP) { f.PortId = "vm2" }, []string{"port_id"}, "203.0.113.7 9047 10.0.1.5 ed9e DOWN"},
		{"to one with several", func(f *weftv1.FloatingIP) { f.PortId, f.FixedIpAddress = "two", "10.0.1.51" }, nil, "203.0.113.7 2222 10.0.1.51 ed9e DOWN"},
		{"to its other address", func(f *weftv1.FloatingIP) { f.FixedIpAddress = "10.0.1.50" }, nil, "203.0.113.7 2222 10.0.1.50 ed9e DOWN"},
		{"to nobody", func(*weftv1.FloatingIP) {}, []string{"port_id"}, "203.0.113.7    DOWN"},
	} {
		got, err := d.UpdateFloatingIP(d.ctx, &weftv1.UpdateFloatingIPRequest{Floatingip: withID(floatingIP("", step.change), "203.0.113.7").GetFloatingip(),
			UpdateMask: &fieldmaskpb.FieldMask{Paths: step.mask}})
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		diff(t, step.name, step.want, text(got))
	}
	d.apply(withID(floatingIP("", func(f *weftv1.FloatingIP) { f.PortId = "vm1" }), fipID), floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.8" }))
	list := func(req *weftv1.ListFloatingIPsRequest) (addresses []string) {
		for _, f := range must[*weftv1.ListFloatingIPsResponse](t)(d.ListFloatingIPs(d.ctx, req)).Floatingips {
			addresses = append(addresses, f.FloatingIpAddress)
		}
		return addresses
	}
	for _, tc := range []struct {
		req  *weftv1.ListFloatingIPsRequest
		want int
	}{
		{&weftv1.ListFloatingIPsRequest{}, 2},
		{&weftv1.ListFloatingIPsRequest{FloatingNetworkId: "public"}, 2},
		{&weftv1.ListFloatingIPsRequest{FloatingNetworkId: "blue"}, 0},
		{&weftv1.ListFloatingIPsRequest{PortId: "vm1"}, 1},
		{&weftv1.ListFloatingIPsRequest{PortId: "vm1", FloatingNetworkId: "blue"}, 0},
		{&weftv1.ListFloatingIPsRequest{RouterId: "edge"}, 1},
		{&weftv1.ListFloatingIPsRequest{PortId: "vm2"}, 0},
		{&weftv1.ListFloatingIPsRequest{FloatingIpAddress: "203.0.113.8"}, 1},
	} {
		if got := list(tc.req); len(got) != tc.want {
			t.Errorf("%v: %v", tc.req, got)
		}
	}
	if _, err := d.ListFloatingIPs(d.ctx, &weftv1.ListFloatingIPsRequest{FloatingIpAddress: "x"}); refused(t, err).Code != codes.InvalidArgument {
		t.Errorf("a filter that is no address: %v", err)
	}
	must[any](t)(d.DeleteFloatingIP(d.ctx, &weftv1.DeleteFloatingIPRequest{Id: "203.0.113.8"}))
	diff(t, "those left", []string{"203.0.113.7"}, list(&weftv1.ListFloatingIPsRequest{}))
}

func TestPortForwardingSaysItsPortsAsOneOrAsARange(t *testing.T) {
	d := openDoor(t, nil)
	d.towns()
	d.apply(edge(), withID(floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.7" }), fipID))
	const id = "bf000000-0000-4000-8000-000000000020"
	text := func(f *weftv1.PortForwarding) string {
		return fmt.Sprintf("%s %d%s > %.4s %s %d%s", f.Protocol, f.ExternalPort, f.ExternalPortRange, f.InternalPortId, f.InternalIpAddress, f.InternalPort, f.InternalPortRange)
	}
	made := must[*weftv1.PortForwarding](t)(d.CreatePortForwarding(d.ctx, &weftv1.CreatePortForwardingRequest{
		Portforwarding: withID(portForwarding("203.0.113.7", "TCP", 2222, "vm1", 22), id).GetPortforwarding()}))
	diff(t, "as it was made", "tcp 22220 > 9047 10.0.0.5 22", strings.Replace(text(made), "2222 ", "22220 ", 1))
	blank := func(change func(*weftv1.PortForwarding)) *weftv1.PortForwarding {
		return withID(portForwarding("", "", 0, "", 0, change), id).GetPortforwarding()
	}
	for _, step := range []struct {
		name   string
		change func(*weftv1.PortForwarding)
		mask   []string
		want   string
	}{
		{"a range instead of a port", func(f *weftv1.PortForwarding) { f.ExternalPortRange = "8000:8010" }, nil, "tcp 08000:8010 > 9047 10.0.0.5 22"},
		{"as many inside", func(f *weftv1.PortForwarding) { f.InternalPortRange = "9000:9010" }, []string{"internal_port_range"}, "tcp 08000:8010 > 9047 10.0.0.5 09000:9010"},
		{"one port again", func(f *weftv1.PortForwarding) { f.ExternalPort, f.InternalPort = 80, 8080 }, nil, "tcp 80 > 9047 10.0.0.5 8080"},
		{"a range of one", func(f *weftv1.PortForwarding) { f.ExternalPortRange = "81:81" }, nil, "tcp 81 > 9047 10.0.0.5 8080"},
		{"to another port", func(f *weftv1.PortForwarding) { f.InternalPortId = "vm2" }, nil, "tcp 81 > 9047 10.0.1.5 8080"},
		{"another protocol", func(f *weftv1.PortForwarding) { f.Protocol = "udp" }, nil, "udp 81 > 9047 10.0.1.5 8080"},
	} {
		got, err := d.UpdatePortForwarding(d.ctx, &weftv1.UpdatePortForwardingRequest{Portforwarding: blank(step.change), UpdateMask: &fieldmaskpb.FieldMask{Paths: step.mask}})
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		diff(t, step.name, step.want, text(got))
	}
	count := func(req *weftv1.ListPortForwardingsRequest) int {
		return len(must[*weftv1.ListPortForwardingsResponse](t)(d.ListPortForwardings(d.ctx, req)).Portforwardings)
	}
	got := []int{count(&weftv1.ListPortForwardingsRequest{}), count(&weftv1.ListPortForwardingsRequest{FloatingipId: "203.0.113.7"}),
		count(&weftv1.ListPortForwardingsRequest{InternalPortId: "vm2"}), count(&weftv1.ListPortForwardingsRequest{InternalPortId: "vm1"}),
		count(&weftv1.ListPortForwardingsRequest{InternalPortId: "vm2", FloatingipId: fipID})}
	diff(t, "how many the filters let through", []int{1, 1, 1, 0, 1}, got)
	must[any](t)(d.DeletePortForwarding(d.ctx, &weftv1.DeletePortForwardingRequest{Id: id}))
	if _, err := d.GetPortForwarding(d.ctx, &weftv1.GetPortForwardingRequest{Id: id}); refused(t, err).Code != codes.NotFound {
		t.Errorf("deleted, and read: %v", err)
	}
}

// A cloud with everything, given in the wrong order and mostly by names; applied again it is there already.
func TestApplyOfRoutersAndWhatHangsOnThem(t *testing.T) {
	d := openDoor(t, nil)
	objs := func() []*weftv1.Object {
		objs := []*weftv1.Object{
			portForwarding("203.0.113.8", "tcp", 2222, "vm2", 22),
			portForwarding("203.0.113.8", "udp", 0, "vm2", 0, func(f *weftv1.PortForwarding) {
				f.Metadata.Name, f.ExternalPortRange, f.InternalPortRange = "game", "8000:8001", "9000:9001"
			}),
			floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress, f.PortId = "203.0.113.7", "vm1" }),
			floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.8" }),
			floatingIP("public", func(f *weftv1.FloatingIP) { f.Metadata.Name = "any" }),
			router("edge", func(r *weftv1.Router) {
				r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: "public"}
				r.Interfaces = []*weftv1.RouterInterface{{SubnetId: "blue-v4"}, {PortId: "inner"}}
			}),
			port("inner", "red", func(p *weftv1.Port) { p.FixedIps = []*weftv1.FixedIP{{IpAddress: "10.0.1.1"}} }),
			port("vm1", "blue"), port("vm2", "red"),
		}
		objs = append(objs, inside("red", redID, redSubID, "10.0.1.0/24")...)
		objs = append(objs, inside("blue", blueID, blueSubID, "10.0.0.0/24")...)
		return append(objs, external("public", publicID, "physnet1", publicSubID, "203.0.113.0/24")...)
	}
	first := d.apply(objs()...)
	for _, a := range actions(first) {
		if !strings.HasPrefix(a, "created ") {
			t.Errorf("the first time: %s", a)
		}
	}
	ssh := first.Results[0].Object.Id
	diff(t, "again", []string{"unchanged portforwarding " + ssh, "unchanged portforwarding game", "unchanged floatingip 203.0.113.7", "unchanged floatingip 203.0.113.8",
		"unchanged floatingip any", "unchanged router edge", "unchanged port inner", "unchanged port vm1", "unchanged port vm2",
		"unchanged network red", "unchanged subnet red-v4", "unchanged network blue", "unchanged subnet blue-v4", "unchanged network public", "unchanged subnet public-v4"},
		actions(d.apply(objs()...)))
	res := must[*weftv1.ApplyResponse](t)(d.Apply(d.ctx, &weftv1.ApplyRequest{Objects: []*weftv1.Object{
		portForwarding("203.0.113.8", "tcp", 2222, "vm2", 2022),
		floatingIP("", func(f *weftv1.FloatingIP) { f.FloatingIpAddress, f.Metadata.Description = "203.0.113.7", "the shop" })},
		Deletes: []*weftv1.ObjectRef{{Kind: "floatingip", Name: "any"}}}))
	diff(t, "what changed", []string{"updated portforwarding " + ssh + " internal_port:22→2022", "updated floatingip 203.0.113.7 metadata.description:→the shop",
		"deleted floatingip any"}, actions(res))

	// Users and used go in any order, and what Weft made for itself goes with them; but a router lets go of its subnets first.
	deletes := []*weftv1.ObjectRef{{Kind: "securitygroup", Name: "default"}, {Kind: "network", Id: "public"}, {Kind: "network", Id: "blue"}, {Kind: "network", Id: "red"},
		{Kind: "subnet", Id: "public-v4"}, {Kind: "subnet", Id: "blue-v4"}, {Kind: "subnet", Id: "red-v4"}, {Kind: "port", Name: "vm1"}, {Kind: "port", Name: "vm2"},
		{Kind: "router", Name: "edge"}, {Kind: "floatingip", Id: "203.0.113.7"}, {Kind: "floatingip", Id: "203.0.113.8"}}
	if r := d.applyRefused(&weftv1.ApplyRequest{Deletes: deletes}); r.Code != codes.FailedPrecondition || r.Reason != "IN_USE" {
		t.Errorf("a router with interfaces: %+v", r)
	}
	bare := router("edge")
	bare.UpdateMask = &fieldmaskpb.FieldMask{Paths: []string{"interfaces", "external_gateway_info"}}
	must[*weftv1.ApplyResponse](t)(d.Apply(d.ctx, &weftv1.ApplyRequest{Objects: []*weftv1.Object{bare}, Deletes: deletes[10:]}))
	must[*weftv1.ApplyResponse](t)(d.Apply(d.ctx, &weftv1.ApplyRequest{Deletes: deletes[:10]}))
	snap, _ := d.store.Snapshot()
	for _, k := range kinds {
		if n := snap.Len(k); n != 0 {
			t.Errorf("%d %s are left", n, k)
		}
	}
}

// facts reports a host as its agent does.
func (d *door) facts(host, mapping string, roles ...string) {
	d.t.Helper()
	d.report(func(tx *store.Tx) error {
		if _, err := tx.EnsureHost(host); err != nil {
			return err
		}
		f := &model.HostFacts{Host: host, Roles: roles}
		if mapping != "" {
			f.BridgeMappings = map[string]string{mapping: "br-ex"}
		}
		return tx.ReportHost(f)
	})
}
