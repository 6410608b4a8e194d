package plan

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// TestReadRefuses: each resource is right but for one thing, and the error names it.
func TestReadRefuses(t *testing.T) {
	router := func(f func(*nodev1.Router)) *nodev1.Resource {
		r := dvrRouter()
		f(r)
		return &nodev1.Resource{Name: "router/" + r.RouterId, Spec: &nodev1.Resource_Router{Router: r}}
	}
	old := func(f func(*nodev1.Router)) *nodev1.Resource {
		r := legacyRouter()
		f(r)
		return &nodev1.Resource{Name: "router/" + r.RouterId, Spec: &nodev1.Resource_Router{Router: r}}
	}
	snat := func(f func(*nodev1.Snat)) *nodev1.Resource {
		s := dvrSnat()
		f(s)
		return &nodev1.Resource{Name: "snat/" + s.RouterId, Spec: &nodev1.Resource_Snat{Snat: s}}
	}
	fip := func(f func(*nodev1.FloatingIp)) *nodev1.Resource {
		x := floating("f1000000-0000-4000-8000-000000000001", dvr, PlaceFip, "172.24.4.147", "10.0.1.148", 63204)
		f(x)
		return floatingResource(x)
	}
	pf := func(f func(*nodev1.PortForwarding)) *nodev1.Resource {
		x := forwarding("65e771e2-0000-4000-8000-000000000000", 2229, "10.0.5.249", 80)
		f(x)
		return forwardingResource(x)
	}
	dhcp := func(f func(*nodev1.Dhcp)) *nodev1.Resource {
		x := dhcpNamespace()
		f(x)
		return &nodev1.Resource{Name: "dhcp/" + x.NetworkId, Spec: &nodev1.Resource_Dhcp{Dhcp: x}}
	}
	dhcp6 := func(f func(*nodev1.DhcpSubnet)) *nodev1.Resource {
		return dhcp(func(d *nodev1.Dhcp) {
			d.Subnets[0] = &nodev1.DhcpSubnet{SubnetId: d.Subnets[0].SubnetId, Cidr: "fd00::/64"}
			f(d.Subnets[0])
		})
	}
	end := func(f func(*nodev1.Endpoint)) *nodev1.Resource {
		x := endpoint("e0000000-0000-4000-8000-000000000001", "fa:16:3e:81:89:24", "10.0.1.148")
		f(x)
		return endpointResource(x)
	}
	tells := func(f func(*nodev1.RouterAdvertisement)) *nodev1.Resource {
		return router(func(r *nodev1.Router) { f(r.Interfaces[2].Advertisement) })
	}
	for field, r := range map[string]*nodev1.Resource{
		"spec":                             {Name: "bridge/br-int", Spec: &nodev1.Resource_Bridge{Bridge: &nodev1.Bridge{}}},
		"name":                             {Name: "router/other", Spec: &nodev1.Resource_Router{Router: dvrRouter()}},
		"router_id":                        router(func(r *nodev1.Router) { r.RouterId = "../../etc" }),
		"gateway":                          router(func(r *nodev1.Router) { r.Gateway = legacyRouter().Gateway }),
		"link_local":                       router(func(r *nodev1.Router) { r.LinkLocal = "169.254.64.1/31" }),
		"link_local ":                      router(func(r *nodev1.Router) { r.LinkLocal = "10.0.0.0/31" }),
		"link_local  ":                     old(func(r *nodev1.Router) { r.LinkLocal = "169.254.64.0/31"; r.FipNetworkId = external }),
		"fip_network_id":                   router(func(r *nodev1.Router) { r.FipNetworkId = "" }),
		"fip_network_id ":                  router(func(r *nodev1.Router) { r.LinkLocal = "" }),
		"interfaces[0].device":             router(func(r *nodev1.Router) { r.Interfaces[0].Device = nil }),
		"interfaces[1].device.port_id":     router(func(r *nodev1.Router) { r.Interfaces[1].Device.PortId = "36804F37-fa00-4000-8000-000000000000" }),
		"interfaces[1].device.network_id":  router(func(r *nodev1.Router) { r.Interfaces[1].Device.NetworkId = "" }),
		"interfaces[1].device.mac_address": router(func(r *nodev1.Router) { r.Interfaces[1].Device.MacAddress = "01:00:5e:00:00:01" }),
		"interfaces[1].device.mtu":         router(func(r *nodev1.Router) { r.Interfaces[1].Device.Mtu = 67 }),
		"interfaces[2].device.mtu":         router(func(r *nodev1.Router) { r.Interfaces[2].Device.Mtu = 1279 }),
		"interfaces[1].device.addresses[0]": router(func(r *nodev1.Router) {
			r.Interfaces[1].Device.Addresses = []string{"10.0.1.1"}
		}),
		"interfaces[1].device.addresses[1]": router(func(r *nodev1.Router) {
			r.Interfaces[1].Device.Addresses = []string{"10.0.1.1/24", "10.0.1.1/16"}
		}),
		"interfaces[1].snat_addresses[0]":                  router(func(r *nodev1.Router) { r.Interfaces[1].SnatAddresses = []string{"10.0.9.9"} }),
		"interfaces[1].snat_addresses":                     old(func(r *nodev1.Router) { r.Interfaces[1].SnatAddresses = []string{"10.0.5.9"} }),
		"interfaces":                                       old(func(r *nodev1.Router) { r.Interfaces[1].Device.PortId = r.Interfaces[0].Device.PortId[:35] + "1" }),
		"interfaces[2].advertisement.prefixes":             tells(func(a *nodev1.RouterAdvertisement) { a.Prefixes = nil }),
		"interfaces[2].advertisement.prefixes[0].prefix":   tells(func(a *nodev1.RouterAdvertisement) { a.Prefixes[0].Prefix = "fd00:2::/64" }),
		"interfaces[2].advertisement.prefixes[0].prefix ":  tells(func(a *nodev1.RouterAdvertisement) { a.Prefixes[0].Prefix = "fd00:1::1/64" }),
		"interfaces[2].advertisement.prefixes[0].prefix  ": tells(func(a *nodev1.RouterAdvertisement) { a.Prefixes[0].Prefix = "fd00:1::/65" }),
		"interfaces[2].advertisement.prefixes[1].prefix":   tells(func(a *nodev1.RouterAdvertisement) { a.Prefixes = append(a.Prefixes, a.Prefixes[0]) }),
		"interfaces[1].advertisement.prefixes[0].prefix":   router(func(r *nodev1.Router) { r.Interfaces[1].Advertisement = advertisement("10.0.1.0/24") }),
		"interfaces[2].advertisement.prefixes[0].prefix   ": router(func(r *nodev1.Router) {
			r.Interfaces[2].Device.Addresses, r.Interfaces[2].SnatAddresses, r.Interfaces[2].Advertisement = []string{"fe80::1/64"}, nil, advertisement("fe80::/64")
		}),
		"interfaces[2].advertisement.prefixes[0].autonomous": router(func(r *nodev1.Router) {
			r.Interfaces[2].Device.Addresses, r.Interfaces[2].Advertisement = []string{"fd00:1::1/60"}, advertisement("fd00:1::/60")
		}),
		"interfaces[2].advertisement.dns_nameservers": tells(func(a *nodev1.RouterAdvertisement) {
			for i := range 16 {
				a.DnsNameservers = append(a.DnsNameservers, fmt.Sprintf("fd00::%x", i+1))
			}
		}),
		"interfaces[2].advertisement.dns_nameservers[0]":  tells(func(a *nodev1.RouterAdvertisement) { a.DnsNameservers[0] = "9.9.9.9" }),
		"interfaces[2].advertisement.dns_nameservers[0] ": tells(func(a *nodev1.RouterAdvertisement) { a.DnsNameservers[0] = "ff02::1" }),
		"interfaces[2].advertisement.dns_nameservers[1]": tells(func(a *nodev1.RouterAdvertisement) {
			a.DnsNameservers = append(a.DnsNameservers, a.DnsNameservers[0])
		}),
		"routes[0].destination":          old(func(r *nodev1.Router) { r.Routes[0].Destination = "192.168.77.1/24" }),
		"routes[0].nexthop":              old(func(r *nodev1.Router) { r.Routes[0].Nexthop = "fd00::1" }),
		"routes[1]":                      old(func(r *nodev1.Router) { r.Routes = append(r.Routes, r.Routes[0]) }),
		"gateway.gateway_ips[1]":         old(func(r *nodev1.Router) { r.Gateway.GatewayIps = []string{"172.24.4.1", "172.24.4.2"} }),
		"gateway.gateway_ips[0]":         old(func(r *nodev1.Router) { r.Gateway.GatewayIps = []string{"0.0.0.0"} }),
		"gateway.device":                 snat(func(s *nodev1.Snat) { s.Gateway = nil }),
		"place":                          fip(func(f *nodev1.FloatingIp) { f.Place = "here; reboot" }),
		"rule_priority":                  fip(func(f *nodev1.FloatingIp) { f.RulePriority = 72768 }),
		"floating_ip_address":            fip(func(f *nodev1.FloatingIp) { f.FloatingIpAddress = "2001:db8::1" }),
		"fixed_ip_address":               fip(func(f *nodev1.FloatingIp) { f.FixedIpAddress = f.FloatingIpAddress }),
		"fixed_ip_address ":              fip(func(f *nodev1.FloatingIp) { f.FixedIpAddress = "10.0.1.148 -j ACCEPT" }),
		"id":                             fip(func(f *nodev1.FloatingIp) { f.Id = "1" }),
		"protocol":                       pf(func(p *nodev1.PortForwarding) { p.Protocol = "icmp" }),
		"external_first":                 pf(func(p *nodev1.PortForwarding) { p.ExternalFirst = 0 }),
		"external_last":                  pf(func(p *nodev1.PortForwarding) { p.ExternalLast = 1 }),
		"internal_first":                 pf(func(p *nodev1.PortForwarding) { p.InternalFirst = 1 << 16 }),
		"internal_last":                  pf(func(p *nodev1.PortForwarding) { p.InternalLast = 90 }),
		"place ":                         pf(func(p *nodev1.PortForwarding) { p.Place = PlaceFip }),
		"subnets":                        dhcp(func(d *nodev1.Dhcp) { d.Subnets = nil }),
		"subnets[1].subnet_id":           dhcp(func(d *nodev1.Dhcp) { d.Subnets = append(d.Subnets, d.Subnets[0]) }),
		"subnets[0].cidr":                dhcp6(func(d *nodev1.DhcpSubnet) { d.Cidr = "fd00::/63" }),
		"subnets[0].cidr ":               dhcp6(func(d *nodev1.DhcpSubnet) { d.Stateless, d.Cidr = true, "fd00::/65" }),
		"subnets[0].stateless":           dhcp(func(d *nodev1.Dhcp) { d.Subnets[0].Stateless = true }),
		"subnets[0].gateway_ip ":         dhcp6(func(d *nodev1.DhcpSubnet) { d.GatewayIp = "fd00::1" }),
		"subnets[0].metadata_via ":       dhcp6(func(d *nodev1.DhcpSubnet) { d.MetadataVia = "10.0.1.1" }),
		"subnets[0].dns_nameservers[0]":  dhcp6(func(d *nodev1.DhcpSubnet) { d.DnsNameservers = []string{"9.9.9.9"} }),
		"subnets[0].dns_nameservers[0] ": dhcp(func(d *nodev1.Dhcp) { d.Subnets[0].DnsNameservers = []string{"fd00::53"} }),
		"subnets[0].dhcp_addresses[0]":   dhcp6(func(d *nodev1.DhcpSubnet) { d.DhcpAddresses = []string{"10.0.1.2"} }),
		"subnets[0].host_routes": dhcp6(func(d *nodev1.DhcpSubnet) {
			d.HostRoutes = []*nodev1.Route{{Destination: "fd01::/64", Nexthop: "fd00::1"}}
		}),
		"subnets[0].gateway_ip":         dhcp(func(d *nodev1.Dhcp) { d.Subnets[0].GatewayIp = "x" }),
		"subnets[0].dns_nameservers[1]": dhcp(func(d *nodev1.Dhcp) { d.Subnets[0].DnsNameservers = []string{"9.9.9.9", "0.0.0.0"} }),
		"subnets[0].metadata_via":       dhcp(func(d *nodev1.Dhcp) { d.Subnets[0].MetadataVia = "fd00::1" }),
		"subnets[0].host_routes[0].destination": dhcp(func(d *nodev1.Dhcp) {
			d.Subnets[0].HostRoutes = []*nodev1.Route{{Destination: "fd00::/64", Nexthop: "fd00::1"}}
		}),
		"domain":                  dhcp(func(d *nodev1.Dhcp) { d.Domain = "a,b" }),
		"port_id":                 end(func(e *nodev1.Endpoint) { e.PortId = "x" }),
		"mac_address":             end(func(e *nodev1.Endpoint) { e.MacAddress = "00:00:00:00:00:00" }),
		"addresses[0].ip_address": end(func(e *nodev1.Endpoint) { e.Addresses[0].IpAddress = "127.0.0.1" }),
		"addresses[0].subnet_id":  end(func(e *nodev1.Endpoint) { e.Addresses[0].SubnetId = "" }),
		"hostname":                end(func(e *nodev1.Endpoint) { e.Hostname = "a,b" }),
		"dhcp_options[0].name":    end(func(e *nodev1.Endpoint) { e.DhcpOptions = []*nodev1.DhcpOption{{Name: "255", Value: "1"}} }),
		"dhcp_options[0].name ":   end(func(e *nodev1.Endpoint) { e.DhcpOptions = []*nodev1.DhcpOption{{Name: "tag:x", Value: "1"}} }),
		"dhcp_options[0].value": end(func(e *nodev1.Endpoint) {
			e.DhcpOptions = []*nodev1.DhcpOption{{Name: "42", Value: "1\ndhcp-script=/x"}}
		}),
		"instance.user_data": end(func(e *nodev1.Endpoint) { e.Instance = &nodev1.InstanceData{UserData: make([]byte, maxUserData+1)} }),
		"device_id":          end(func(e *nodev1.Endpoint) { e.DeviceId = "x\r\nX-Tenant-ID: y" }),
		"project_id":         end(func(e *nodev1.Endpoint) { e.ProjectId = strings.Repeat("x", 256) }),
	} {
		_, err := Read(r)
		var f *FieldError
		if !errors.As(err, &f) || f.Field != strings.TrimSpace(field) || f.Message == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestServer: what a DHCP server is told.
func TestServer(t *testing.T) {
	d := dhcpNamespace()
	d.Subnets[0].DnsNameservers = []string{"0.0.0.0"}
	other := endpoint("e0000000-0000-4000-8000-000000000003", "fa:16:3e:81:89:25", "10.0.1.150")
	other.Dhcp = false
	got, errs := Build(readAll(t, []*nodev1.Resource{{Name: "dhcp/" + private1, Spec: &nodev1.Resource_Dhcp{Dhcp: d}},
		endpointResource(endpoint("e0000000-0000-4000-8000-000000000001", "fa:16:3e:81:89:24", "10.0.1.148", "fd00:1::5")), endpointResource(other)}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	s := got[QDHCP+private1].Server
	if len(s.Hosts) != 1 || s.Hosts[0].Hostname != "host-10-0-1-148" || len(s.Hosts[0].Addresses) != 1 || !s.Subnets[0].NoDNS {
		t.Errorf("server %+v", s)
	}
	if l := got[QDHCP+private1].Listener; len(l.Callers) != 3 || l.Addr != "169.254.169.254:80" {
		t.Errorf("listener %+v", l)
	}
}

// TestNameServersOfSeveralSubnets: two subnets on one device may have as many name servers as subnets may have, each.
func TestNameServersOfSeveralSubnets(t *testing.T) {
	r := legacyRouter()
	r.Interfaces[0].Device.Addresses = append(r.Interfaces[0].Device.Addresses, "fd00:8::1/64", "fd00:9::1/64")
	a := advertisement("fd00:8::/64", "fd00:9::/64")
	a.DnsNameservers = nil
	for i := range 32 {
		a.DnsNameservers = append(a.DnsNameservers, fmt.Sprintf("fd00::%x", i+1))
	}
	r.Interfaces[0].Advertisement = a
	got, errs := Build(readAll(t, []*nodev1.Resource{{Name: "router/" + legacy, Spec: &nodev1.Resource_Router{Router: r}}}))
	if len(errs) > 0 || len(got[QRouter+legacy].Advertiser.Devices[0].DNS) != 32 {
		t.Errorf("%v %+v", errs, got[QRouter+legacy].Advertiser)
	}
}

// TestAdvertiser: what a centralised router tells, device by device; one without says nothing.
func TestAdvertiser(t *testing.T) {
	r := legacyRouter()
	for i, network := range []string{private4, private5} {
		d := r.Interfaces[1-i].Device
		d.Addresses = append(d.Addresses, fmt.Sprintf("fd00:%d::1/64", i+4), fmt.Sprintf("fd00:%d:1::1/72", i+4))
		if d.NetworkId != network {
			r.Interfaces[1-i].Advertisement = advertisement(fmt.Sprintf("fd00:%d::/64", i+4))
		}
	}
	r.Interfaces[0].Advertisement.Prefixes = append(r.Interfaces[0].Advertisement.Prefixes, &nodev1.AdvertisedPrefix{Prefix: "fd00:5:1::/72"})
	r.Interfaces[0].Advertisement.Managed, r.Interfaces[0].Advertisement.DefaultRouter = true, false
	r.Interfaces[1].Advertisement.OtherConfig, r.Interfaces[1].Advertisement.DnsNameservers = true, nil
	slices.Reverse(r.Interfaces)
	got, errs := Build(readAll(t, []*nodev1.Resource{{Name: "router/" + legacy, Spec: &nodev1.Resource_Router{Router: r}}}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	prefix := netip.MustParsePrefix
	want := &Advertiser{RouterID: legacy, Namespace: QRouter + legacy, Devices: []AdvertisingDevice{
		{Name: "qr-06d9855a-1a", MTU: 1458, Advertisement: Advertisement{Managed: true, DNS: []netip.Addr{netip.MustParseAddr("2001:4860:4860::8888")},
			Prefixes: []AdvertisedPrefix{{Prefix: prefix("fd00:5::/64"), Autonomous: true}, {Prefix: prefix("fd00:5:1::/72")}}}},
		{Name: "qr-d25b7d0d-e7", MTU: 1442, Advertisement: Advertisement{DefaultRouter: true, OtherConfig: true, Prefixes: []AdvertisedPrefix{{Prefix: prefix("fd00:4::/64"), Autonomous: true}}}},
	}}
	if d := cmp.Diff(want, got[QRouter+legacy].Advertiser, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Errorf("advertiser (-want +got):\n%s", d)
	}
	if text := want.line(); text != "radvd for router "+legacy+" on qr-06d9855a-1a, qr-d25b7d0d-e7" {
		t.Errorf("text %q", text)
	}
	for _, r := range r.Interfaces {
		r.Advertisement = nil
	}
	got, _ = Build(readAll(t, []*nodev1.Resource{{Name: "router/" + legacy, Spec: &nodev1.Resource_Router{Router: r}}}))
	if a := got[QRouter+legacy].Advertiser; a != nil {
		t.Errorf("advertiser %+v", a)
	}
}

// TestServerOfBothFamilies: an address is served when its subnet is, and that is of its family.
func TestServerOfBothFamilies(t *testing.T) {
	d := dhcpNamespace()
	d.Subnets = append(d.Subnets, &nodev1.DhcpSubnet{SubnetId: subnet6, Cidr: "fd00:1::/64", Stateless: true, DnsNameservers: []string{"fd00:1::53", "2001:db8::53"}})
	const first, second = "e0000000-0000-4000-8000-000000000001", "e0000000-0000-4000-8000-000000000002"
	got, errs := Build(readAll(t, []*nodev1.Resource{{Name: "dhcp/" + private1, Spec: &nodev1.Resource_Dhcp{Dhcp: d}},
		endpointResource(endpoint(first, "fa:16:3e:81:89:24", "10.0.1.148", "fd00:1::5")), endpointResource(endpoint(second, "fa:16:3e:81:89:25", "fd00:1::6"))}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	s := got[QDHCP+private1].Server
	want := []ServerHost{{PortID: first, MAC: "fa:16:3e:81:89:24", Hostname: "host-10-0-1-148",
		Addresses: []SubnetAddress{{subnet1, netip.MustParseAddr("10.0.1.148")}, {subnet6, netip.MustParseAddr("fd00:1::5")}}}}
	if !reflect.DeepEqual(s.Hosts, want) {
		t.Errorf("hosts %+v, want %+v", s.Hosts, want)
	}
	subnet := ServerSubnet{ID: subnet6, CIDR: netip.MustParsePrefix("fd00:1::/64"), Stateless: true, DNS: []netip.Addr{netip.MustParseAddr("fd00:1::53"), netip.MustParseAddr("2001:db8::53")}}
	if !reflect.DeepEqual(s.Subnets[1], subnet) {
		t.Errorf("subnet %+v, want %+v", s.Subnets[1], subnet)
	}
	for _, none := range []string{"0.0.0.0", "::"} {
		d.Subnets[1].DnsNameservers = []string{none}
		x, err := Read(&nodev1.Resource{Name: "dhcp/" + private1, Spec: &nodev1.Resource_Dhcp{Dhcp: d}})
		if err != nil || !x.(*DHCP).Subnets[1].NoDNS {
			t.Errorf("dns_nameservers %s: %+v, %v", none, x, err)
		}
	}
}

// TestUnfit: what does not fit together is the problem of one resource, by its field.
func TestUnfit(t *testing.T) {
	alone := floating("f1000000-0000-4000-8000-000000000009", legacy, PlaceSnat, "172.24.4.9", "10.0.1.9", 0)
	wrong := floating("f1000000-0000-4000-8000-00000000000a", dvr, PlaceRouter, "172.24.4.10", "10.0.1.10", 0)
	wrong2 := floating("f1000000-0000-4000-8000-00000000000b", legacy, PlaceFip, "172.24.4.11", "10.0.1.11", 40000)
	r := legacyRouter()
	r.Routes = append(r.Routes, &nodev1.Route{Destination: "0.0.0.0/0", Nexthop: "10.0.4.9"})
	_, errs := Build(readAll(t, append(cloud()[:2], floatingResource(alone), floatingResource(wrong), floatingResource(wrong2),
		&nodev1.Resource{Name: "router/" + legacy, Spec: &nodev1.Resource_Router{Router: r}})))
	var got []string
	for _, name := range slices.Sorted(maps.Keys(errs)) {
		got = append(got, name+" "+errs[name].Field)
	}
	want := []string{"floatingip/" + alone.Id + " router_id", "floatingip/" + wrong.Id + " place", "floatingip/" + wrong2.Id + " place",
		"router/" + legacy + " routes[1]", "router/" + dvr + " fip_network_id"}
	if !slices.Equal(got, want) {
		t.Errorf("errors %q", got)
	}
}

// FuzzRead: whatever comes, it is refused or becomes rules of one line each, and names that are no paths.
func FuzzRead(f *testing.F) {
	for _, r := range cloud() {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r nodev1.Resource
		if proto.Unmarshal(b, &r) != nil {
			return
		}
		x, err := Read(&r)
		if err != nil {
			var f *FieldError
			if !errors.As(err, &f) || f.Field == "" {
				t.Errorf("error %v", err)
			}
			return
		}
		got, _ := Build(map[string]Resource{r.Name: x})
		for name, n := range got {
			if strings.ContainsAny(name, "/\x00\n ") {
				t.Errorf("namespace %q", name)
			}
			if a := n.Advertiser; a != nil {
				for _, d := range a.Devices {
					if len(d.Prefixes) == 0 || len(d.DNS) > maxAdvertisedDNS || d.MTU < 1280 || !slices.ContainsFunc(n.Links, func(l Link) bool { return l.Name == d.Name }) {
						t.Errorf("advertises %+v", d)
					}
				}
			}
			for _, l := range n.Links {
				if len(l.Name) > 15 || len(l.Tap.Name) > 15 {
					t.Errorf("device %q, %q", l.Name, l.Tap.Name)
				}
			}
			for _, s := range Diff(n, Namespace{}) {
				if x, ok := s.(Restore); ok {
					_, foreign := ParseSave(x.Text)
					if len(foreign) > 0 {
						t.Errorf("%q", foreign)
					}
				}
			}
		}
	})
}
