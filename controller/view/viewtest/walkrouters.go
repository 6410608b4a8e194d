package viewtest

import (
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// Ports of a walk: any of them may come to be anything.
var walkPorts = []string{"p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"}

func (w Walk) port() string { return w.one("port", walkPorts...) }

func (w Walk) router() string { return w.one("router", "r1", "r2") }

func (w Walk) subnet() string { return w.one("subnet", "n1v4", "n1v6", "n2v4", "n3v4") }

// Begin puts a cloud with everything in it: n1 (VXLAN, of both families) and n2 (VLAN) behind the distributed router r1,
// n1 also behind the centralised r2, n3 (flat) outside, VMs p1 on h1 and p2 on h2 with floating IPs.
func (w Walk) Begin(tx Tx) {
	for i, h := range w.Hosts() {
		f := w.facts(h)
		f.BridgeMappings = map[string]string{"physnet1": "br-ex"}
		f.TunnelIP = netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})
		tx.Put(&model.Host{Meta: model.Meta{ID: h}, Number: uint16(i + 1), DVRMAC: DVRMAC(byte(i + 1))}, f)
		for j, n := range []string{"n1", "n2", "n3"} {
			tx.Put(&model.LocalVLAN{Host: h, NetworkID: n, VLAN: uint16(1 + j)})
		}
		tx.Put(&model.RouterHost{RouterID: "r1", Host: h, LinkLocal: uint16(i)})
		for j, p := range []string{"p3", "p4"} {
			tx.Put(&model.Interface{Host: h, Name: "tap" + p, IfaceID: p, OFPort: uint32(40 + j)})
		}
	}
	tx.Put(&model.Network{Meta: model.Meta{ID: "n1"}, Type: model.VXLAN, SegmentID: 1, L2Population: true, AdminStateUp: true, MTU: 1450},
		&model.Network{Meta: model.Meta{ID: "n2"}, Type: model.VLAN, SegmentID: 2, PhysicalNetwork: "physnet1", AdminStateUp: true, MTU: 1500},
		&model.Network{Meta: model.Meta{ID: "n3"}, Type: model.Flat, PhysicalNetwork: "physnet1", AdminStateUp: true, MTU: 1500, RouterExternal: true})
	for _, s := range []string{"n1v4", "n1v6", "n2v4", "n3v4"} {
		tx.Put(w.subnetOf(s, true))
	}
	tx.Put(
		vm("p1", "n1", 1, "n1v4", "10.1.0.5", "n1v6", "fd00::5"), &model.Binding{PortID: "p1", NetworkID: "n1", Host: "h1", OFPort: 31, Interface: "tap"},
		vm("p2", "n2", 2, "n2v4", "10.2.0.5"), &model.Binding{PortID: "p2", NetworkID: "n2", Host: "h2", OFPort: 32, Interface: "tap"},
		ours("p3", model.OwnerDistributedInterface, "r1", "", "n1", 3, "n1v4", "10.1.0.1", "n1v6", "fd00::1"),
		ours("p4", model.OwnerDistributedInterface, "r1", "", "n2", 4, "n2v4", "10.2.0.1"),
		ours("p5", model.OwnerRouterGateway, "r1", "h3", "n3", 5, "n3v4", "10.3.0.5"),
		ours("p6", model.OwnerCentralizedSNAT, "r1", "h3", "n1", 6, "n1v4", "10.1.0.6"),
		ours("p7", model.OwnerFIPGateway, "h1", "h1", "n3", 7, "n3v4", "10.3.0.7"),
		ours("p8", model.OwnerDHCP, "n1", "h3", "n1", 8, "n1v4", "10.1.0.8"),
		&model.Router{Meta: model.Meta{ID: "r1"}, AdminStateUp: true, Distributed: true,
			Gateway:    &model.ExternalGateway{NetworkID: "n3", EnableSNAT: true, PortID: "p5"},
			Interfaces: []model.RouterInterface{{SubnetID: "n1v4", PortID: "p3"}, {SubnetID: "n2v4", PortID: "p4"}}},
		&model.Schedule{RouterID: "r1", Host: "h3"},
		&model.FloatingIP{Meta: model.Meta{ID: "f1"}, FloatingNetworkID: "n3", Address: netip.MustParseAddr("10.3.0.101"), PortID: "p1",
			FixedIP: netip.MustParseAddr("10.1.0.5"), RouterID: "r1", RulePriority: 32768},
		&model.FloatingIP{Meta: model.Meta{ID: "f2"}, FloatingNetworkID: "n3", Address: netip.MustParseAddr("10.3.0.102"), PortID: "p2",
			FixedIP: netip.MustParseAddr("10.2.0.5"), RouterID: "r1", RulePriority: 32769},
		&model.PortForwarding{Meta: model.Meta{ID: "x1"}, FloatingIPID: "f1", Protocol: "tcp", InternalPortID: "p1"},
	)
	if w.bool("secured") {
		w.beginSecurity(tx)
	}
}

func vm(id, network string, mac byte, at ...string) *model.Port {
	return ours(id, "compute:nova", "vm-"+id, "", network, mac, at...)
}

// ours is a port with addresses: subnet, address, subnet, address …
func ours(id, owner, device, host, network string, mac byte, at ...string) *model.Port {
	p := &model.Port{Meta: model.Meta{ID: id}, NetworkID: network, MAC: MAC(mac), AdminStateUp: true, DeviceOwner: owner, DeviceID: device, BindingHostID: host}
	for i := 0; i < len(at); i += 2 {
		p.FixedIPs = append(p.FixedIPs, model.FixedIP{SubnetID: at[i], IP: netip.MustParseAddr(at[i+1])})
	}
	return p
}

func (w Walk) subnetOf(id string, dhcp bool) *model.Subnet {
	s := &model.Subnet{Meta: model.Meta{ID: id}, NetworkID: id[:2], CIDR: netip.MustParsePrefix("10." + id[1:2] + ".0.0/24"), EnableDHCP: dhcp}
	if id[2:] == "v6" {
		s.CIDR, s.EnableDHCP = netip.MustParsePrefix("fd00::/64"), false
		if dhcp {
			s.IPv6RAMode = w.one("ra mode", "", model.SLAAC, model.DHCPv6Stateless, model.DHCPv6Stateful)
			s.IPv6AddressMode = w.one("address mode", "", s.IPv6RAMode)
			s.EnableDHCP = s.WantsDHCPv6()
		}
	}
	s.GatewayIP = s.CIDR.Addr().Next()
	return s
}

// ip is one of a few addresses of a subnet, so that ports meet.
func (w Walk) ip(subnet string) netip.Addr {
	ip := w.subnetOf(subnet, false).CIDR.Addr()
	for range 1 + w.n("ip", 4) {
		ip = ip.Next()
	}
	return ip
}

// portOf draws a port: of a VM, or of ours.
func (w Walk) portOf(id, network string) *model.Port {
	p := &model.Port{Meta: model.Meta{ID: id}, NetworkID: network, MAC: MAC(byte(w.n("mac", 3))), AdminStateUp: w.n("dead", 3) != 0}
	for range w.n("addresses", 2) {
		s := w.subnet()
		p.FixedIPs = append(p.FixedIPs, model.FixedIP{SubnetID: s, IP: w.ip(s)})
	}
	if w.bool("of a VM") {
		p.DeviceOwner, p.DeviceID = "compute:nova", w.one("instance", "i1", "i2")
		if w.bool("pairs") {
			ip := w.ip(w.subnet())
			p.AllowedAddressPairs = []model.AddressPair{{IP: netip.PrefixFrom(ip, ip.BitLen())}}
		}
		if w.bool("told") {
			p.Instance = &model.Instance{Hostname: w.one("hostname", "a", "b"), UserData: []byte(w.one("user data", "x", "y"))}
			p.ExtraDHCPOpts = []model.DHCPOption{{Name: "tftp-server", Value: w.one("option", "1.2.3.4", "5.6.7.8"), IPVersion: 4}}
		}
		return p
	}
	p.DeviceOwner = w.one("owner", model.OwnerRouterInterface, model.OwnerDistributedInterface, model.OwnerDistributedInterface,
		model.OwnerRouterGateway, model.OwnerCentralizedSNAT, model.OwnerFloatingIP, model.OwnerFIPGateway, model.OwnerDHCP)
	switch p.DeviceOwner {
	case model.OwnerFIPGateway:
		p.DeviceID = w.one("device", w.Hosts()...)
	case model.OwnerDHCP:
		p.DeviceID = network
	default:
		p.DeviceID = w.router()
	}
	if w.bool("placed") {
		p.BindingHostID = w.one("place", w.Hosts()...)
	}
	return p
}

// routerStep changes something that only routers, DHCP and metadata have to do with.
func (w Walk) routerStep(tx Tx, host, network string, gone bool) {
	router := w.router()
	fip := w.one("floating ip", "f1", "f2")
	switch kind := w.one("what", "router", "router host", "schedule", "floating ip", "forwarding", "subnet", "tap"); {
	case kind == "router" && gone:
		tx.Delete(state.Routers, router)
	case kind == "router":
		tx.Put(w.routerOf(router))
	case kind == "router host" && gone:
		tx.Delete(state.RouterHosts, router+"/"+host)
	case kind == "router host":
		tx.Put(&model.RouterHost{RouterID: router, Host: host, LinkLocal: uint16(w.n("link local", 2))})
	case kind == "schedule" && gone:
		tx.Delete(state.Schedules, router)
	case kind == "schedule":
		tx.Put(&model.Schedule{RouterID: router, Host: host, Next: w.one("next", "", "h1", "h2"), Reason: w.one("reason", "a", "b")})
	case kind == "floating ip" && gone:
		tx.Delete(state.FloatingIPs, fip)
	case kind == "floating ip":
		f := &model.FloatingIP{Meta: model.Meta{ID: fip}, FloatingNetworkID: network, Address: w.ip("n3v4"), RouterID: router}
		if w.n("associated", 3) > 0 {
			f.PortID, f.FixedIP = w.port(), w.ip("n1v4")
		}
		tx.Put(f)
	case kind == "forwarding" && gone:
		tx.Delete(state.PortForwardings, "x1")
	case kind == "forwarding":
		tx.Put(&model.PortForwarding{Meta: model.Meta{ID: "x1"}, FloatingIPID: fip, Protocol: w.one("protocol", "tcp", "udp"), InternalPortID: w.port()})
	case kind == "subnet" && gone:
		tx.Delete(state.Subnets, w.subnet())
	case kind == "subnet":
		s := w.subnetOf(w.subnet(), w.bool("dhcp"))
		if w.n("no gateway", 3) == 0 {
			s.GatewayIP = w.ip(s.ID)
		}
		if w.bool("dns") {
			s.DNSNameservers = []netip.Addr{netip.MustParseAddr("192.0.2.53")}
			if s.CIDR.Addr().Is6() {
				s.DNSNameservers[0] = netip.MustParseAddr("fd00::53")
			}
		}
		tx.Put(s)
	case gone:
		tx.Delete(state.Interfaces, host+"/tap"+w.port())
	default:
		p := w.port()
		tx.Put(&model.Interface{Host: host, Name: "tap" + p, IfaceID: w.one("iface-id", p, p, p, "other"), OFPort: uint32(40 + w.n("tap", 2))})
	}
}

func (w Walk) routerOf(id string) *model.Router {
	r := &model.Router{Meta: model.Meta{ID: id}, AdminStateUp: w.n("router down", 4) != 0, Distributed: w.n("centralised", 2) != 0}
	if w.n("gateway", 3) > 0 {
		r.Gateway = &model.ExternalGateway{NetworkID: w.one("external", "n3", "n3", "n2"), EnableSNAT: w.bool("snat"), PortID: w.port()}
	}
	for range w.n("interfaces", 3) {
		r.Interfaces = append(r.Interfaces, model.RouterInterface{SubnetID: w.subnet(), PortID: w.port()})
	}
	if w.bool("routes") {
		r.Routes = []model.Route{{Destination: netip.MustParsePrefix("192.0.2.0/24"), NextHop: w.ip("n1v4")}}
	}
	return r
}
