package view

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
)

// routedHosts: the distributed router dr joins red and blue on host1 and host2, its snat namespace is on host3, which also
// has the centralised router cr on blue, and DHCP of blue. ext is outside.
func routedHosts(t viewtest.T) *viewtest.Cloud {
	c := viewtest.New(t)
	for i := range byte(3) {
		c.Host(i+1, nil)
	}
	c.Network("red", model.VXLAN, 100, true)
	c.Network("blue", model.VXLAN, 200, true)
	c.Network("ext", model.Flat, 0, false)
	for _, n := range []string{"red", "blue", "ext"} {
		w := *c.Snapshot().Network(n)
		w.MTU = 1450
		c.Put(&w)
	}
	c.Subnets("red", "10.1.0.0/24", "fd00:1::/64")
	c.Subnets("blue", "10.2.0.0/24")
	c.Subnets("ext", "172.24.4.0/24")
	for i, h := range []string{"host1", "host2", "host3"} {
		for j, n := range []string{"red", "blue", "ext"} {
			c.Carry(h, n, uint16(1+3*i+j))
		}
	}
	c.Router("dr", true)
	c.Join("dr", "gw-red", "red", 0x91, "10.1.0.1", "fd00:1::1")
	c.Join("dr", "gw-blue", "blue", 0x92, "10.2.0.1")
	c.RouterAt("dr", "host1", map[string]uint32{"gw-red": 31, "gw-blue": 32})
	c.RouterAt("dr", "host2", nil)
	c.RouterAt("dr", "host3", nil)
	c.Own(model.OwnerRouterGateway, "dr", "qg-dr", "ext", "host3", 0x93, 33, "172.24.4.10")
	c.Own(model.OwnerCentralizedSNAT, "dr", "sg-red", "red", "host3", 0x94, 34, "10.1.0.9")
	c.Own(model.OwnerCentralizedSNAT, "dr", "sg-blue", "blue", "host3", 0x95, 0, "10.2.0.9")
	dr := *c.Snapshot().Router("dr")
	dr.Gateway = &model.ExternalGateway{NetworkID: "ext", EnableSNAT: true, PortID: "qg-dr"}
	c.Put(&dr, &model.Schedule{RouterID: "dr", Host: "host3"}, &model.RouterHost{RouterID: "dr", Host: "host1", LinkLocal: 3})
	c.Router("cr", false)
	c.Join("cr", "qr-blue", "blue", 0x96, "10.2.0.254")
	c.Put(&model.Schedule{RouterID: "cr", Host: "host3"})
	c.Own(model.OwnerDHCP, "blue", "ns-blue", "blue", "host3", 0x97, 37, "10.2.0.2")
	c.Own(model.OwnerFIPGateway, "host1", "fg-ext", "ext", "host1", 0x98, 38, "172.24.4.11")
	c.Bind("vm1", "red", "host1", 1, 11, "10.1.0.5", "fd00:1::5")
	c.Bind("vm2", "blue", "host2", 2, 12, "10.2.0.5")
	for _, id := range []string{"vm1", "vm2"} {
		p := *c.Snapshot().Port(id)
		p.DeviceID, p.ProjectID, p.DeviceOwner = "instance-"+id, "project", "compute:nova"
		p.Instance = &model.Instance{Hostname: "name-" + id, UserData: []byte(id)}
		c.Put(&p)
	}
	c.Put(&model.FloatingIP{Meta: model.Meta{ID: "f1"}, FloatingNetworkID: "ext", Address: addr("172.24.4.101"), PortID: "vm1",
		FixedIP: addr("10.1.0.5"), RouterID: "dr", RulePriority: 32768})
	return c
}

func put[T any](tx viewtest.Tx, o *T, change func(*T)) {
	n := *o
	change(&n)
	tx.Put(&n)
}

func TestWhereAFloatingIPIsServed(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s state.Snapshot, tx viewtest.Tx)
		want Place
	}{
		{"on the port's own host, by a distributed router", func(state.Snapshot, viewtest.Tx) {}, Place{Host: "host1", In: PlaceFIP}},
		{"in the snat namespace, when the host's fip namespace has no port", func(_ state.Snapshot, tx viewtest.Tx) {
			tx.Delete(state.Ports, "fg-ext")
		}, Place{Host: "host3", In: PlaceSNAT}},
		{"when the port is bound nowhere", func(_ state.Snapshot, tx viewtest.Tx) {
			tx.Delete(state.Bindings, "vm1")
		}, Place{Host: "host3", In: PlaceSNAT}},
		{"when the host does not lead to the external network", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.HostFacts("host1"), func(f *model.HostFacts) { f.BridgeMappings = map[string]string{"physnet2": "br-ex"} })
		}, Place{Host: "host3", In: PlaceSNAT}},
		{"when the router is not on the host", func(_ state.Snapshot, tx viewtest.Tx) {
			tx.Delete(state.RouterHosts, "dr/host1")
		}, Place{Host: "host3", In: PlaceSNAT}},
		{"where a centralised router is", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Router("dr"), func(r *model.Router) { r.Distributed = false })
		}, Place{Host: "host3", In: PlaceRouter}},
		{"nowhere, when that is nowhere", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Router("dr"), func(r *model.Router) { r.Distributed = false })
			tx.Delete(state.Schedules, "dr")
		}, Place{}},
		{"when the router is down", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Router("dr"), func(r *model.Router) { r.AdminStateUp = false })
		}, Place{}},
		{"when the router leads to another network", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Router("dr"), func(r *model.Router) { r.Gateway = &model.ExternalGateway{NetworkID: "other", PortID: "qg-dr"} })
		}, Place{}},
		{"when it is not associated", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.FloatingIP("f1"), func(f *model.FloatingIP) { f.PortID = "" })
		}, Place{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := routedHosts(t)
			_, s, _ := cl.Change(func(tx viewtest.Tx) { c.do(cl.Snapshot(), tx) })
			at, ok := FloatingIPPlace(s, s.FloatingIP("f1"))
			if at != c.want || ok != (c.want != Place{}) {
				t.Errorf("served at %v (%v), want %v", at, ok, c.want)
			}
			for _, h := range []string{"host1", "host2", "host3"} {
				if n := len(PartResources(s, h, Part{FloatingIPPart, "f1"}).FloatingIPs); n != map[bool]int{true: 1}[h == c.want.Host] {
					t.Errorf("%s serves it %d times", h, n)
				}
			}
		})
	}
}

func TestNamespacesOfAHost(t *testing.T) {
	s := routedHosts(t).Snapshot()
	dev := func(id, network string, mac byte, ips ...string) Device {
		d := Device{PortID: id, NetworkID: network, MAC: viewtest.MAC(mac), MTU: 1450}
		for _, ip := range ips {
			d.Addresses = append(d.Addresses, prefix(ip))
		}
		return d
	}
	interfaces := []RouterInterface{
		{dev("gw-red", "red", 0x91, "10.1.0.1/24", "fd00:1::1/64"), []netip.Addr{addr("10.1.0.9")}, nil},
		{dev("gw-blue", "blue", 0x92, "10.2.0.1/24"), []netip.Addr{addr("10.2.0.9")}, nil},
	}
	gateway := ExternalGateway{dev("qg-dr", "ext", 0x93, "172.24.4.10/24"), []netip.Addr{addr("172.24.4.1")}, true}
	neighbour := func(id, network string, mac byte, ips ...model.FixedIP) Endpoint {
		return Endpoint{PortID: id, NetworkID: network, MAC: viewtest.MAC(mac), Addresses: ips, Neighbour: true}
	}
	told := func(e Endpoint, dhcp bool) Endpoint {
		e.DHCP, e.Metadata, e.Hostname, e.ProjectID, e.DeviceID = dhcp, true, "name-"+e.PortID, "project", "instance-"+e.PortID
		e.Instance = &model.Instance{Hostname: "name-" + e.PortID, UserData: []byte(e.PortID)}
		return e
	}
	at := func(network, ip string) model.FixedIP {
		if addr(ip).Is4() {
			return model.FixedIP{SubnetID: "s-" + network, IP: addr(ip)}
		}
		return model.FixedIP{SubnetID: "s6-" + network, IP: addr(ip)}
	}
	vm1 := neighbour("vm1", "red", 1, at("red", "10.1.0.5"), at("red", "fd00:1::5"))
	vm2 := neighbour("vm2", "blue", 2, at("blue", "10.2.0.5"))
	others := []Endpoint{
		neighbour("ns-blue", "blue", 0x97, at("blue", "10.2.0.2")),
		neighbour("sg-blue", "blue", 0x95, at("blue", "10.2.0.9")), neighbour("sg-red", "red", 0x94, at("red", "10.1.0.9")),
	}

	for host, want := range map[string]Resources{
		"host1": {
			Routers: []Router{{ID: "dr", Distributed: true, Interfaces: interfaces, Metadata: true,
				LinkLocal: prefix("169.254.64.6/31"), FIPNetworkID: "ext"}},
			FIPNamespaces: []FIPNamespace{{dev("fg-ext", "ext", 0x98, "172.24.4.11/24"), []netip.Addr{addr("172.24.4.1")}}},
			FloatingIPs: []FloatingIP{{ID: "f1", RouterID: "dr", NetworkID: "ext", Address: addr("172.24.4.101"), FixedIP: addr("10.1.0.5"),
				In: PlaceFIP, RulePriority: 32768}},
			Endpoints: []Endpoint{others[0], others[1], others[2], told(vm1, false), vm2},
			Taps:      []Tap{{"tapgw-red", "gw-red", 31}, {"tapgw-blue", "gw-blue", 32}, {"tapfg-ext", "fg-ext", 38}},
		},
		"host2": {
			Routers:   []Router{{ID: "dr", Distributed: true, Interfaces: interfaces, Metadata: true}},
			Endpoints: []Endpoint{others[0], others[1], others[2], vm1, told(vm2, false)},
			Taps:      []Tap{{"tapgw-red", "gw-red", 0}, {"tapgw-blue", "gw-blue", 0}},
		},
		"host3": {
			Routers: []Router{
				{ID: "dr", Distributed: true, Interfaces: interfaces, Metadata: true},
				{ID: "cr", Interfaces: []RouterInterface{{Device: dev("qr-blue", "blue", 0x96, "10.2.0.254/24")}}, Metadata: true},
			},
			SNATs: []SNAT{{RouterID: "dr", Gateway: gateway, Interfaces: []Device{dev("sg-blue", "blue", 0x95, "10.2.0.9/24"), dev("sg-red", "red", 0x94, "10.1.0.9/24")}}},
			DHCPs: []DHCP{{Device: dev("ns-blue", "blue", 0x97, "10.2.0.2/24"), Domain: "weft.internal", Subnets: []DHCPSubnet{
				{ID: "s-blue", CIDR: prefix("10.2.0.0/24"), GatewayIP: addr("10.2.0.1"), MetadataVia: addr("10.2.0.1"), DHCPAddresses: []netip.Addr{addr("10.2.0.2")}}}}},
			Endpoints: []Endpoint{others[0], others[1], others[2], vm1, told(vm2, true)},
			Taps: []Tap{{"tapgw-red", "gw-red", 0}, {"tapgw-blue", "gw-blue", 0}, {"tapsg-blue", "sg-blue", 0}, {"tapsg-red", "sg-red", 34}, {"tapqg-dr", "qg-dr", 33},
				{"tapqr-blue", "qr-blue", 0}, {"tapns-blue", "ns-blue", 37}},
		},
	} {
		got := HostResources(s, host)
		got.Bridges, got.Tunnels, got.Ports = nil, nil, nil
		slices.SortFunc(got.Endpoints, func(a, b Endpoint) int { return strings.Compare(a.PortID, b.PortID) })
		if d := cmp.Diff(want, got, same); d != "" {
			t.Errorf("%s (-want +got):\n%s", host, d)
		}
	}
	var bound []PortBinding
	for _, b := range HostResources(s, "host1").Ports {
		if b.PortID == "gw-red" || b.PortID == "gw-blue" {
			bound = append(bound, b)
		}
	}
	want := []PortBinding{{"gw-red", "red", "tapgw-red", 1, viewtest.MAC(0x91)}, {"gw-blue", "blue", "tapgw-blue", 2, viewtest.MAC(0x92)}}
	if d := cmp.Diff(want, bound); d != "" {
		t.Errorf("devices of host1's copy (-want +got):\n%s", d)
	}
}

// Where no router is a subnet's gateway, nobody but DHCP can serve metadata.
func TestMetadataOfAnIsolatedSubnet(t *testing.T) {
	c := routedHosts(t)
	_, s, _ := c.Change(func(tx viewtest.Tx) {
		tx.Delete(state.Ports, "gw-blue")
		put(tx, c.Snapshot().Router("dr"), func(r *model.Router) { r.Interfaces = r.Interfaces[:1] })
		put(tx, c.Snapshot().Router("cr"), func(r *model.Router) { r.AdminStateUp = false })
	})
	d := HostResources(s, "host3").DHCPs[0]
	if via := d.Subnets[0].MetadataVia; !d.Metadata || via != addr("10.2.0.2") {
		t.Errorf("metadata %v by %s", d.Metadata, via)
	}
	e := PartResources(s, "host3", Part{EndpointPart, "vm2"}).Endpoints
	if len(e) != 1 || !e[0].Metadata || string(e[0].Instance.UserData) != "vm2" {
		t.Errorf("vm2: %+v", e)
	}
}

func TestAddressThatTwoPortsMayUseIsNoNeighbour(t *testing.T) {
	c := routedHosts(t)
	c.Bind("vm3", "red", "host2", 3, 13, "10.1.0.6")
	neighbours := func() (ids []string) {
		for _, e := range HostResources(c.Snapshot(), "host1").Endpoints {
			if e.Neighbour && e.NetworkID == "red" {
				ids = append(ids, e.PortID)
			}
		}
		return ids
	}
	if d := cmp.Diff([]string{"sg-red", "vm1", "vm3"}, neighbours()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	c.Allow("vm3", "10.1.0.5", "10.1.0.100")
	if d := cmp.Diff([]string{"sg-red", "vm3"}, neighbours()); d != "" {
		t.Errorf("when vm3 may use vm1's address (-want +got):\n%s", d)
	}
	s := c.Snapshot()
	h, _ := ForHost(s, "host2")
	if _, _, r := ForPort(s, h, "vm1"); r != nil && cmp.Diff([]netip.Addr{addr("fd00:1::5")}, r.IPs, same) != "" {
		t.Errorf("host2 answers for %v of vm1", r.IPs)
	}
	h1, _ := ForHost(s, "host1")
	if _, l, _ := ForPort(s, h1, "vm1"); len(l.Hearers) != 1 || l.Hearers[0].ID != "gw-red" {
		t.Errorf("who must hear vm1: %+v", l.Hearers)
	}
}

// Cost follows the change.
func TestChangesOfRoutersConcernOnlyWhomTheyConcern(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s state.Snapshot, tx viewtest.Tx)
		want map[string][]string
	}{
		{"a port that is bound nowhere, on a network without DHCP", func(_ state.Snapshot, tx viewtest.Tx) {
			tx.Put(&model.Port{Meta: model.Meta{ID: "new"}, NetworkID: "red", AdminStateUp: true, FixedIPs: []model.FixedIP{{SubnetID: "s-red", IP: addr("10.1.0.7")}}})
		}, map[string][]string{}},
		{"on one with DHCP", func(_ state.Snapshot, tx viewtest.Tx) {
			tx.Put(&model.Port{Meta: model.Meta{ID: "new"}, NetworkID: "blue", AdminStateUp: true, FixedIPs: []model.FixedIP{{SubnetID: "s-blue", IP: addr("10.2.0.7")}}})
		}, map[string][]string{"host3": {"endpoint/new"}}},
		{"a port that is bound", func(_ state.Snapshot, tx viewtest.Tx) {
			tx.Put(&model.Port{Meta: model.Meta{ID: "new"}, NetworkID: "red", AdminStateUp: true, FixedIPs: []model.FixedIP{{SubnetID: "s-red", IP: addr("10.1.0.7")}}},
				&model.Binding{PortID: "new", NetworkID: "red", Host: "host2", OFPort: 50})
		}, map[string][]string{"host1": {"port/new", "endpoint/new"}, "host2": {"port/new", "endpoint/new"}, "host3": {"port/new", "endpoint/new"}}},
		{"what a machine is told", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Port("vm1"), func(p *model.Port) { p.Instance = &model.Instance{UserData: []byte("other")} })
		}, map[string][]string{"host1": {"endpoint/vm1"}}},
		{"an extra DHCP option", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Port("vm2"), func(p *model.Port) { p.ExtraDHCPOpts = []model.DHCPOption{{Name: "ntp-server", Value: "10.0.0.1"}} })
		}, map[string][]string{"host3": {"endpoint/vm2"}}},
		{"another name for a port, a router, a floating IP", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Port("vm1"), func(p *model.Port) { p.Name = "x" })
			put(tx, s.Router("dr"), func(r *model.Router) { r.Name = "x" })
			put(tx, s.FloatingIP("f1"), func(f *model.FloatingIP) { f.Name = "x" })
		}, map[string][]string{"host1": {"router/dr", "floatingip/f1"}}},
		{"one more floating IP", func(_ state.Snapshot, tx viewtest.Tx) {
			tx.Put(&model.FloatingIP{Meta: model.Meta{ID: "f2"}, FloatingNetworkID: "ext", Address: addr("172.24.4.102"), PortID: "vm2",
				FixedIP: addr("10.2.0.5"), RouterID: "dr"})
		}, map[string][]string{"host3": {"floatingip/f2"}}},
		{"a port with a floating IP moves to another host", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Binding("vm1"), func(b *model.Binding) { b.Host = "host2" })
		}, map[string][]string{
			"host1": {"port/vm1", "router/dr", "floatingip/f1", "endpoint/vm1"},
			"host2": {"port/vm1", "endpoint/vm1"},
			"host3": {"port/vm1", "floatingip/f1"},
		}},
		{"a route", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Router("dr"), func(r *model.Router) {
				r.Routes = []model.Route{{Destination: prefix("192.0.2.0/24"), NextHop: addr("10.1.0.5")}}
			})
		}, map[string][]string{"host1": {"router/dr"}, "host2": {"router/dr"}, "host3": {"router/dr"}}},
		{"a route of a centralised router", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Router("cr"), func(r *model.Router) {
				r.Routes = []model.Route{{Destination: prefix("192.0.2.0/24"), NextHop: addr("10.2.0.5")}}
			})
		}, map[string][]string{"host3": {"router/cr"}}},
		{"the device of a router comes", func(_ state.Snapshot, tx viewtest.Tx) {
			tx.Put(&model.Interface{Host: "host2", Name: "tapgw-red", IfaceID: "gw-red", OFPort: 31})
		}, map[string][]string{"host2": {"network/red", "router/dr"}}},
		{"the snat namespace moves", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Schedule("dr"), func(at *model.Schedule) { at.Host = "host2" })
		}, map[string][]string{"host1": {"router/dr", "floatingip/f1"}, "host2": {"router/dr"}, "host3": {"router/dr"}}},
		{"why it is where it is", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Schedule("dr"), func(at *model.Schedule) { at.Reason = "x" })
		}, map[string][]string{}},
		{"a host is down", func(_ state.Snapshot, tx viewtest.Tx) { tx.Put(&model.HostHealth{Host: "host3", Down: true}) }, map[string][]string{}},
		{"a subnet's name servers", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Subnet("s-blue"), func(sub *model.Subnet) { sub.DNSNameservers = []netip.Addr{addr("192.0.2.53")} })
		}, map[string][]string{"host3": {"dhcp/blue"}}},
		{"an address that two ports may use", func(s state.Snapshot, tx viewtest.Tx) {
			put(tx, s.Port("vm2"), func(p *model.Port) { p.AllowedAddressPairs = []model.AddressPair{{IP: prefix("10.2.0.9/32")}} })
		}, map[string][]string{
			// vm2 roams; sg-blue, whose address that is, is bound nowhere, but was a neighbour.
			"host1": {"port/vm2", "endpoint/sg-blue"}, "host2": {"port/vm2", "endpoint/sg-blue"}, "host3": {"port/vm2", "endpoint/sg-blue"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := routedHosts(t)
			before, after, changes := cl.Change(func(tx viewtest.Tx) { c.do(cl.Snapshot(), tx) })
			if d := cmp.Diff(c.want, names(Affected(before, after, changes))); d != "" {
				t.Errorf("affected (-want +got):\n%s", d)
			}
		})
	}
}

func TestAdvertisement(t *testing.T) {
	c := routedHosts(t)
	six := func(id, cidr, gateway, mode string, dns ...string) {
		s := &model.Subnet{Meta: model.Meta{ID: id}, NetworkID: "red", CIDR: prefix(cidr), GatewayIP: addr(gateway), IPv6RAMode: mode}
		for _, a := range dns {
			s.DNSNameservers = append(s.DNSNameservers, addr(a))
		}
		c.Put(s)
	}
	six("made", "fd00:a::/64", "fd00:a::1", model.SLAAC, "fd00::53")
	six("told", "fd00:b::/64", "fd00:b::1", model.DHCPv6Stateful, "fd00::54", "fd00::53")
	six("rest", "fd00:c::/64", "fd00:c::1", model.DHCPv6Stateless)
	six("quiet", "fd00:d::/64", "fd00:d::1", "")
	for _, x := range []struct {
		name string
		at   []model.FixedIP
		want *Advertisement
	}{
		{"nothing to say", []model.FixedIP{{SubnetID: "quiet", IP: addr("fd00:d::1")}, {SubnetID: "gone", IP: addr("fd00:e::1")}}, nil},
		{"SLAAC", []model.FixedIP{{SubnetID: "made", IP: addr("fd00:a::1")}, {SubnetID: "quiet", IP: addr("fd00:d::1")}}, &Advertisement{
			DefaultRouter: true, Prefixes: []AdvertisedPrefix{{prefix("fd00:a::/64"), true}}, DNSNameservers: []netip.Addr{addr("fd00::53")}}},
		{"stateless, and not the gateway", []model.FixedIP{{SubnetID: "rest", IP: addr("fd00:c::2")}}, &Advertisement{
			OtherConfig: true, Prefixes: []AdvertisedPrefix{{prefix("fd00:c::/64"), true}}}},
		{"stateful beside SLAAC", []model.FixedIP{{SubnetID: "told", IP: addr("fd00:b::1")}, {SubnetID: "made", IP: addr("fd00:a::2")}}, &Advertisement{
			DefaultRouter: true, Managed: true, OtherConfig: true,
			Prefixes:       []AdvertisedPrefix{{prefix("fd00:b::/64"), false}, {prefix("fd00:a::/64"), true}},
			DNSNameservers: []netip.Addr{addr("fd00::54"), addr("fd00::53")}}},
	} {
		got := advertisement(c.Snapshot(), &model.Port{NetworkID: "red", FixedIPs: x.at})
		if d := cmp.Diff(x.want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", x.name, d)
		}
	}
}
