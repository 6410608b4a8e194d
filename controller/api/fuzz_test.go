package api

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/report"
	"github.com/weft-sdn/weft/controller/state"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// bareServer is a server without a connection before it: what goes wrong in it is not caught on the way.
func bareServer(t testing.TB) *Server {
	t.Helper()
	return New(Config{Store: openStore(t, nil), Fleet: &fakeFleet{hosts: map[string]report.Host{}}, Journal: &fakeJournal{}, Tables: tables,
		Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
}

// checkApply applies a request, and fails unless it was done wholly or refused properly.
func checkApply(t rapid.TB, s *Server, req *weftv1.ApplyRequest) {
	t.Helper()
	before, rev := s.cfg.Store.Snapshot()
	res, err := s.Apply(context.Background(), req)
	after, now := s.cfg.Store.Snapshot()
	switch status.Code(err) {
	case codes.OK:
		if len(res.Results) != len(req.Objects)+len(req.Deletes) {
			t.Fatalf("%d results for %v", len(res.Results), req)
		}
		for i, r := range res.Results {
			if r == nil || r.Object == nil || r.Action == "" {
				t.Fatalf("result %d of %v: %v", i, req, r)
			}
		}
	case codes.Unknown, codes.Internal:
		t.Fatalf("%v: %v", req, err)
	}
	if (err != nil || req.ValidateOnly) && now != rev {
		t.Fatalf("%v: refused or tried with %v, but revision %d became %d: %d networks before, %d after", req, err, rev, now, before.Len("networks"), after.Len("networks"))
	}
	if err != nil || req.ValidateOnly || len(req.Deletes) > 0 || slices.ContainsFunc(req.Objects, onlyOnce) {
		return
	}
	// What has been applied is true: to apply it again changes nothing.
	again, err := s.Apply(context.Background(), req)
	if err != nil {
		t.Fatalf("%v: applied again: %v", req, err)
	}
	for i, r := range again.Results {
		if r.Action != unchanged {
			t.Fatalf("%v: applied again, object %d is %v", req, i, r)
		}
	}
}

// onlyOnce holds for what cannot be said twice: the second time the etag is stale, and the old name is gone.
func onlyOnce(o *weftv1.Object) bool {
	_, obj := unwrap(o)
	md := obj.GetMetadata()
	return md.GetEtag() != "" || md.GetId() != "" && md.GetName() != ""
}

// FuzzApply reads requests as they come from the network. That a random one is valid is rare, but its fields may hold
// anything.
func FuzzApply(f *testing.F) {
	for _, req := range []*weftv1.ApplyRequest{
		{Objects: []*weftv1.Object{network("blue"), subnet("s", "blue", "10.0.0.0/24"), port("p", "blue"), host("compute1")}},
		{Objects: []*weftv1.Object{withID(network("blue"), blueID), port("p", blueID[:5], func(p *weftv1.Port) {
			p.MacAddress, p.FixedIps, p.BindingHostId = "fa:16:3e:00:00:01", []*weftv1.FixedIP{{SubnetId: "s"}, {IpAddress: "fd00::1"}, {}}, "compute1"
		})}, Deletes: []*weftv1.ObjectRef{{Kind: "port", Id: "p"}, {Kind: "host", Name: "compute1"}}},
		{Objects: []*weftv1.Object{subnet("s6", "blue", "fd00::/64", func(s *weftv1.Subnet) {
			s.GatewayIp, s.IpVersion, s.AllocationPools = proto.String("none"), 6, []*weftv1.AllocationPool{{Start: "fd00::2", End: "fd00::9"}, nil}
		}), {}, {Object: &weftv1.Object_Host{}}}, ValidateOnly: true},
		{Objects: append(external("public", publicID, "physnet1", publicSubID, "203.0.113.0/24"), subnet("s", "blue", "10.0.0.0/24", func(s *weftv1.Subnet) {
			s.EnableDhcp, s.DnsNameservers, s.HostRoutes = proto.Bool(true), []string{"10.0.0.53"}, []*weftv1.Route{{Destination: "10.9.0.0/16", Nexthop: "10.0.0.9"}}
		}), network("blue"), port("p", "blue", func(p *weftv1.Port) {
			p.AllowedAddressPairs, p.ExtraDhcpOpts = []*weftv1.AddressPair{{IpAddress: "10.0.0.9", MacAddress: "fa:16:3e:00:00:09"}}, []*weftv1.DHCPOption{{OptName: "67", OptValue: "x", IpVersion: 4}}
			p.Instance = &weftv1.Instance{Hostname: "p", UserData: []byte("#!"), PublicKeys: map[string]string{"a": "b"}, Meta: map[string]string{"a": "b"}}
		}), router("edge", func(r *weftv1.Router) {
			r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: "public", EnableSnat: proto.Bool(false), ExternalFixedIps: []*weftv1.FixedIP{{IpAddress: "203.0.113.2"}}}
			r.Interfaces, r.Routes = []*weftv1.RouterInterface{{SubnetId: "s"}}, []*weftv1.Route{{Destination: "192.168.0.0/16", Nexthop: "10.0.0.9"}}
		}), floatingIP("public", func(f *weftv1.FloatingIP) {
			f.FloatingIpAddress, f.PortId, f.FixedIpAddress = "203.0.113.7", "p", "10.0.0.2"
		}),
			floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress, f.SubnetId = "203.0.113.8", publicSubID }), port("q", "blue"),
			portForwarding("203.0.113.8", "tcp", 80, "q", 80), portForwarding("203.0.113.8", "udp", 0, "q", 0, func(f *weftv1.PortForwarding) {
				f.ExternalPortRange, f.InternalPortRange, f.InternalIpAddress = "1:2", "3:4", "10.0.0.4"
			}))},
	} {
		b, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	s := bareServer(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		req := &weftv1.ApplyRequest{}
		if proto.Unmarshal(b, req) != nil {
			return
		}
		checkApply(t, s, req)
	})
}

// Requests out of few words meet the same objects again and again: names that are taken, renamed, deleted, ambiguous.
func TestApplyOfRandomRequests(t *testing.T) {
	s := bareServer(t)
	rapid.Check(t, func(t *rapid.T) {
		empty(t, s)
		for range rapid.IntRange(1, 12).Draw(t, "requests") {
			req := &weftv1.ApplyRequest{
				Objects:      rapid.SliceOfN(rapid.Custom(randomObject), 0, 4).Draw(t, "objects"),
				Deletes:      rapid.SliceOfN(rapid.Custom(randomRef), 0, oneOf(t, "deletes at most", 0, 0, 1, 3)).Draw(t, "deletes"),
				ValidateOnly: rapid.IntRange(0, 9).Draw(t, "validate only") == 0,
			}
			checkApply(t, s, req)
		}
	})
}

// empty deletes everything, in one request that is in the wrong order.
func empty(t rapid.TB, s *Server) {
	t.Helper()
	snap, _ := s.cfg.Store.Snapshot()
	req := &weftv1.ApplyRequest{}
	disconnect := &weftv1.ApplyRequest{}
	for _, k := range kinds {
		for obj := range snap.ByIDPrefix(k, "") {
			if p, ok := obj.(*model.Port); ok && model.OwnedByWeft(p.DeviceOwner) {
				continue // goes with what it was made for
			}
			if r, ok := obj.(*model.Router); ok {
				bare := withID(router(""), r.ID)
				bare.UpdateMask = maskOf("interfaces", "routes")
				disconnect.Objects = append(disconnect.Objects, bare)
			}
			if k != state.FloatingIPs && k != state.PortForwardings {
				req.Deletes = append(req.Deletes, spellRef(refTo(k, obj)))
			}
		}
	}
	for obj := range snap.FloatingIPs() {
		disconnect.Deletes = append(disconnect.Deletes, &weftv1.ObjectRef{Kind: "floatingip", Id: obj.ID})
	}
	for _, req := range []*weftv1.ApplyRequest{disconnect, req} {
		if _, err := s.Apply(context.Background(), req); err != nil {
			t.Fatalf("delete everything: %v", err)
		}
	}
}

func oneOf[T any](t *rapid.T, name string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, name)
}

// mostly is one of the good values, but for one time in twenty.
func mostly[T any](t *rapid.T, name string, good, bad []T) T {
	if rapid.IntRange(0, 19).Draw(t, "spoil "+name) == 0 {
		return rapid.SampledFrom(bad).Draw(t, name)
	}
	return rapid.SampledFrom(good).Draw(t, name)
}

var (
	networkNames = []string{"blue", "red", "green"}
	subnetNames  = []string{"v4", "v6", "small"}
	portNames    = []string{"a", "b", "c", "d"}
	routerNames  = []string{"edge", "core"}
	fipNames     = []string{"", "web", "shop"}
	fipAddresses = []string{"", "203.0.113.7", "203.0.113.8"}
	hostNames    = []string{"compute1", "compute2"}
	oddNames     = []string{"", "b10e0000", "compute1", "a", "é\x00"}
	oddIDs       = []string{blueID, redID, portID, port2ID, "b10e", "904", "9047", "blue", "-"}
	oddIPs       = []string{"10.0.0.1", "10.0.0.255", "fe80::1%eth0", "none", "x", "0.0.0.0", "::ffff:10.0.0.2"}
	someIPs      = []string{"", "", "10.0.0.2", "10.0.0.3", "10.1.0.2", "10.1.0.9", "fd00::2"}
)

func randomRef(t *rapid.T) *weftv1.ObjectRef {
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 5:
		return &weftv1.ObjectRef{Kind: "router", Name: mostly(t, "name", routerNames, oddNames)}
	case 6:
		return &weftv1.ObjectRef{Kind: "floatingip", Name: mostly(t, "name", append(fipNames[1:], fipAddresses[1:]...), oddNames)}
	case 7:
		return &weftv1.ObjectRef{Kind: "portforwarding", Name: mostly(t, "name", []string{"ssh"}, oddNames)}
	case 0:
		return &weftv1.ObjectRef{Kind: "network", Name: mostly(t, "name", networkNames, oddNames), Id: mostly(t, "id", []string{""}, oddIDs)}
	case 1:
		return &weftv1.ObjectRef{Kind: "subnet", Name: mostly(t, "name", subnetNames, oddNames)}
	case 2:
		return &weftv1.ObjectRef{Kind: "host", Id: mostly(t, "id", hostNames, oddIDs)}
	}
	return &weftv1.ObjectRef{Kind: mostly(t, "kind", []string{"port"}, []string{"", "vpn", "router"}), Name: mostly(t, "name", portNames, oddNames)}
}

func randomObject(t *rapid.T) *weftv1.Object {
	md := func(names []string) *weftv1.Metadata {
		return &weftv1.Metadata{Id: mostly(t, "id", []string{""}, oddIDs), Name: mostly(t, "name", names, oddNames), ProjectId: mostly(t, "project", []string{""}, []string{"acme"}),
			Description: oneOf(t, "description", "", "x", "y"), Etag: mostly(t, "etag", []string{""}, []string{"1", "?"})}
	}
	up := oneOf(t, "up", nil, proto.Bool(true), proto.Bool(false))
	network := func() string { return mostly(t, "network", networkNames, append(oddNames, oddIDs...)) }
	switch rapid.IntRange(0, 15).Draw(t, "object") {
	case 10:
		return wrap(&weftv1.Network{Metadata: md([]string{"public"}), ProviderNetworkType: "flat", ProviderPhysicalNetwork: "physnet1",
			RouterExternal: oneOf(t, "external", nil, proto.Bool(true), proto.Bool(true), proto.Bool(false))})
	case 11:
		return wrap(&weftv1.Subnet{Metadata: md([]string{"public-v4"}), NetworkId: "public", Cidr: "203.0.113.0/24", EnableDhcp: oneOf(t, "dhcp", nil, proto.Bool(false))})
	case 12, 13:
		r := &weftv1.Router{Metadata: md(routerNames), AdminStateUp: up, Distributed: oneOf(t, "distributed", nil, proto.Bool(true), proto.Bool(false))}
		if rapid.Bool().Draw(t, "gateway") {
			r.ExternalGatewayInfo = &weftv1.ExternalGatewayInfo{NetworkId: mostly(t, "network", []string{"public"}, append(oddNames, "blue")), EnableSnat: oneOf(t, "snat", nil, proto.Bool(false))}
		}
		for range rapid.IntRange(0, 2).Draw(t, "interfaces") {
			r.Interfaces = append(r.Interfaces, &weftv1.RouterInterface{SubnetId: mostly(t, "subnet", []string{"v4", "small"}, oddNames), PortId: mostly(t, "port", []string{""}, portNames)})
		}
		if rapid.IntRange(0, 3).Draw(t, "routes") == 0 {
			r.Routes = []*weftv1.Route{{Destination: mostly(t, "destination", []string{"192.168.0.0/16"}, oddIPs), Nexthop: mostly(t, "nexthop", []string{"10.1.0.9", "10.0.0.3"}, oddIPs)}}
		}
		return wrap(r)
	case 14:
		return wrap(&weftv1.FloatingIP{Metadata: md(fipNames), FloatingNetworkId: mostly(t, "network", []string{"public"}, oddNames),
			FloatingIpAddress: mostly(t, "address", fipAddresses, oddIPs), PortId: mostly(t, "port", append(portNames, ""), oddNames), FixedIpAddress: mostly(t, "fixed", []string{""}, someIPs)})
	case 15:
		return wrap(&weftv1.PortForwarding{Metadata: md([]string{"", "ssh"}), FloatingipId: mostly(t, "floatingip", append(fipNames[1:], fipAddresses[1:]...), oddIDs),
			Protocol: mostly(t, "protocol", []string{"tcp", "udp"}, []string{"", "icmp"}), ExternalPort: mostly(t, "external", []uint32{80, 22}, []uint32{0, 70000}),
			ExternalPortRange: mostly(t, "external range", []string{""}, []string{"1:9", "9:1", "x"}), InternalPort: mostly(t, "internal", []uint32{80}, []uint32{0, 1 << 20}),
			InternalPortRange: mostly(t, "internal range", []string{""}, []string{"1:9"}), InternalPortId: mostly(t, "port", portNames, oddNames)})
	case 0, 1:
		return wrap(&weftv1.Network{Metadata: md(networkNames), AdminStateUp: up, Mtu: mostly(t, "mtu", []int32{0, 1400, 1300}, []int32{1000, -1, 9000}),
			ProviderNetworkType:     mostly(t, "type", []string{""}, []string{"gre", "vlan", "flat", "x"}),
			ProviderPhysicalNetwork: mostly(t, "physical", []string{""}, []string{"physnet1"}),
			ProviderSegmentationId:  mostly(t, "segment", []uint32{0}, []uint32{1, 2, 1 << 24})})
	case 2, 3:
		block := oneOf(t, "block", [2]string{"v4", "10.1.0.0/24"}, [2]string{"v6", "fd00::/64"}, [2]string{"small", "10.0.0.0/29"})
		return wrap(&weftv1.Subnet{Metadata: md(block[:1]), NetworkId: network(), IpVersion: mostly(t, "version", []int32{0}, []int32{4, 6, 5}),
			Cidr:      mostly(t, "cidr", block[1:], []string{"", "10.0.0.0/30", "10.0.0.1/24", "10.0.0.0/32", "::/0"}),
			GatewayIp: mostly(t, "gateway", []*string{nil}, []*string{proto.String(""), proto.String("10.1.0.9"), proto.String("x")})})
	case 4, 5, 6, 7:
		p := &weftv1.Port{Metadata: md(portNames), NetworkId: network(), AdminStateUp: up,
			MacAddress:    mostly(t, "mac", []string{""}, []string{"fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "x"}),
			BindingHostId: mostly(t, "host", []string{"", "compute1"}, []string{"compute2", "nowhere"})}
		for range rapid.IntRange(0, 2).Draw(t, "fixed ips") {
			p.FixedIps = append(p.FixedIps, &weftv1.FixedIP{SubnetId: mostly(t, "subnet", []string{"", "v4", "v6", "small"}, oddNames), IpAddress: mostly(t, "ip", someIPs, oddIPs)})
		}
		return wrap(p)
	case 8:
		return wrap(&weftv1.Host{Metadata: &weftv1.Metadata{Id: mostly(t, "id", hostNames, oddIDs)},
			TunnelIp: mostly(t, "tunnel", []string{"", "192.0.2.1", "192.0.2.2"}, oddIPs), Roles: mostly(t, "roles", [][]string{nil, {"compute"}}, [][]string{{"x", "x"}}),
			BridgeMappings: mostly(t, "mappings", []map[string]string{nil, {"physnet1": "br-ex"}}, []map[string]string{{"": "br-int", "a:b": ""}})})
	}
	return mostly(t, "nothing", []*weftv1.Object{host("compute1")}, []*weftv1.Object{{}})
}
