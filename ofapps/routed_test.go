package ofapps

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

const (
	r1 = "99999999-0009-4000-8000-000000000000"
	r2 = "99999999-0010-4000-8000-000000000000"
)

// Ports of routers, and the last bytes of their MACs.
var (
	gwRed, gwRed6, gwBlue, gwVLAN, gwFlat = portID(91), portID(92), portID(93), portID(94), portID(95)
	sgRed, qrRed                          = portID(96), portID(97)
)

const (
	mGwRed, mGwRed6, mGwBlue, mGwVLAN, mGwFlat byte = 0x91, 0x92, 0x93, 0x94, 0x95
	mSgRed, mQrRed                             byte = 0x96, 0x97
)

// Devices of routers on every host that has them.
var devices = map[string]uint32{gwRed: 31, gwRed6: 32, gwBlue: 33, gwVLAN: 34, gwFlat: 35}

func only(ports ...string) map[string]uint32 {
	some := maps.Clone(devices)
	maps.DeleteFunc(some, func(p string, _ uint32) bool {
		for _, q := range ports {
			if p == q {
				return false
			}
		}
		return true
	})
	return some
}

// routedHosts are three hosts that reach each other and the physical network.
func routedHosts(t viewtest.T) *viewtest.Cloud {
	c := viewtest.New(t)
	c.Host(1, host1Ports())
	c.Host(2, map[string]uint32{"patch-tun": 3, "int-br-ex": 4, "patch-int": 3, "phy-br-ex": 3, "vxlan-0a000001": 5, "vxlan-0a000003": 6})
	c.Host(3, map[string]uint32{"patch-tun": 3, "int-br-ex": 4, "patch-int": 3, "phy-br-ex": 3, "vxlan-0a000001": 5, "vxlan-0a000002": 6})
	return c
}

// routedTunnels is a distributed router between red, of both families with one router port for each as Neutron has it, and
// blue; its snat namespace and a centralised router on red are on host3.
func routedTunnels(t viewtest.T) *viewtest.Cloud {
	c := routedHosts(t)
	c.Network(red, model.VXLAN, 0x64, true)
	c.Network(blue, model.VXLAN, 0xc8, true)
	c.Subnets(red, "10.1.0.0/24", "fd00:1::/64")
	c.Subnets(blue, "10.2.0.0/24")
	for i, h := range []string{"host1", "host2", "host3"} {
		c.Carry(h, red, uint16(i+1))
		c.Carry(h, blue, uint16(i+7))
		c.RouterAt(r1, h, only(gwRed, gwRed6, gwBlue))
	}
	c.Router(r1, true)
	c.Join(r1, gwRed, red, mGwRed, "10.1.0.1")
	c.Join(r1, gwRed6, red, mGwRed6, "fd00:1::1")
	c.Join(r1, gwBlue, blue, mGwBlue, "10.2.0.1")
	c.Router(r2, false)
	c.Put(&model.Schedule{RouterID: r2, Host: "host3"}, &model.Schedule{RouterID: r1, Host: "host3"})
	c.Own(model.OwnerRouterInterface, r2, qrRed, red, "host3", mQrRed, 41, "10.1.0.254")
	c.Own(model.OwnerCentralizedSNAT, r1, sgRed, red, "host3", mSgRed, 42, "10.1.0.9")
	c.Bind(portID(1), red, "host1", 1, firstPort, "10.1.0.5", "fd00:1::5")
	c.Bind(portID(2), red, "host2", 2, 20, "10.1.0.6", "fd00:1::6")
	c.Bind(portID(3), blue, "host2", 3, 21, "10.2.0.5")
	c.Bind(portID(4), blue, "host1", 4, firstPort+1, "10.2.0.6")
	return c
}

// routedProvider is a distributed router between a VLAN and a flat network.
func routedProvider(t viewtest.T) *viewtest.Cloud {
	c := routedHosts(t)
	c.Network(vlan42, model.VLAN, 42, true)
	c.Network(flat, model.Flat, 0, true)
	c.Subnets(vlan42, "10.4.0.0/24", "fd00:4::/64")
	c.Subnets(flat, "10.5.0.0/24")
	for i, h := range []string{"host1", "host2"} {
		c.Carry(h, vlan42, uint16(i+5))
		c.Carry(h, flat, uint16(i+8))
		c.RouterAt(r1, h, only(gwVLAN, gwFlat))
	}
	c.Router(r1, true)
	c.Join(r1, gwVLAN, vlan42, mGwVLAN, "10.4.0.1", "fd00:4::1")
	c.Join(r1, gwFlat, flat, mGwFlat, "10.5.0.1")
	c.Bind(portID(1), vlan42, "host1", 1, firstPort, "10.4.0.5", "fd00:4::5")
	c.Bind(portID(2), flat, "host1", 2, firstPort+1, "10.5.0.5")
	c.Bind(portID(3), vlan42, "host2", 3, 20, "10.4.0.6")
	c.Bind(portID(4), flat, "host2", 4, 21, "10.5.0.6")
	return c
}

// vrrp lets two ports of red, on different hosts, share an address of each family; one of them also has the other's own.
func vrrp(t viewtest.T) *viewtest.Cloud {
	c := routedTunnels(t)
	c.Allow(portID(1), "10.1.0.100", "fd00:1::100", "10.1.0.6")
	c.Allow(portID(2), "10.1.0.100", "fd00:1::100")
	return c
}

// vrrpProvider is vrrp on a VLAN network.
func vrrpProvider(t viewtest.T) *viewtest.Cloud {
	c := routedProvider(t)
	c.Allow(portID(1), "10.4.0.100")
	c.Allow(portID(3), "10.4.0.100")
	return c
}

// deviceless is routedTunnels with a router on host1 whose devices are not there yet.
func deviceless(t viewtest.T) *viewtest.Cloud {
	c := routedTunnels(t)
	c.Change(func(tx viewtest.Tx) {
		for _, p := range []string{gwRed, gwRed6, gwBlue} {
			tx.Delete(state.Interfaces, "host1/tap"+p[:11])
		}
	})
	return c
}

// twoRouters is two distributed routers on red: r1 has the gateway_ip of its first subnet, r2 that of a second one. Port 1
// has addresses on both.
func twoRouters(t viewtest.T) *viewtest.Cloud {
	c := routedTunnels(t)
	second := &model.Subnet{Meta: model.Meta{ID: "second"}, NetworkID: red, CIDR: netip.MustParsePrefix("10.9.0.0/24"), GatewayIP: netip.MustParseAddr("10.9.0.1")}
	c.Put(second)
	c.Router(r2, true)
	c.Join(r2, qrRed, red, mQrRed, "10.1.0.253")
	p := *c.Snapshot().Port(qrRed)
	p.FixedIPs = append(p.FixedIPs, model.FixedIP{SubnetID: "second", IP: second.GatewayIP})
	vm := *c.Snapshot().Port(portID(1))
	vm.FixedIPs = append(vm.FixedIPs[:len(vm.FixedIPs):len(vm.FixedIPs)], model.FixedIP{SubnetID: "second", IP: netip.MustParseAddr("10.9.0.5")})
	c.Change(func(tx viewtest.Tx) {
		tx.Put(&p, &vm)
		tx.Delete(state.Bindings, qrRed)
		tx.Delete(state.Interfaces, "host3/tap"+qrRed[:11])
		tx.Delete(state.Schedules, r2)
	})
	c.RouterAt(r2, "host1", map[string]uint32{qrRed: 36})
	return c
}

func init() {
	maps.Copy(scenarios, map[string]func(viewtest.T) *viewtest.Cloud{
		"routed-tunnels": routedTunnels, "routed-provider": routedProvider, "routed-vrrp": vrrp, "routed-vrrp-provider": vrrpProvider,
		"routed-without-devices": deviceless, "routed-two-routers": twoRouters,
	})
}

const (
	dm1 = "fa:16:3f:00:00:01"
	dm2 = "fa:16:3f:00:00:02"
)

func mac(last byte) string { return fmt.Sprintf("fa:16:3e:00:00:%02x", last) }

func qr(port string) string { return "tap" + port[:11] }

func ip4(dst byte, to string) string { return "dl_dst=" + mac(dst) + ",dl_type=0x0800,nw_dst=" + to }

func ip6(dst byte, to string) string { return "dl_dst=" + mac(dst) + ",dl_type=0x86dd,ipv6_dst=" + to }

func arpReply(dst, tha, spa string) string {
	return "dl_dst=" + dst + ",dl_type=0x0806,arp_op=2,arp_spa=" + spa + ",arp_tha=" + tha
}

func na(dst, target string) string {
	return "dl_dst=" + dst + ",dl_type=0x86dd,nw_proto=58,nw_ttl=255,icmpv6_type=136,icmpv6_code=0,nd_target=" + target
}

// routedTraces traces packets on several hosts of a cloud.
func routedTraces(t *testing.T, cloud func(viewtest.T) *viewtest.Cloud, byHost map[string][]packet) {
	c := cloud(t)
	tracesOnHosts(t, "", c.Snapshot(), byHost)
	// With limits and marks on all networks, everything comes to the same ports.
	limitAll(c)
	tracesOnHosts(t, "limited ", c.Snapshot(), byHost)
}

// limitAll limits and marks what all ports of people send and hear.
func limitAll(c *viewtest.Cloud) {
	q := &model.QoSPolicy{Meta: model.Meta{ID: "90500000-0000-4000-8000-000000000001"}, Rules: []model.QoSRule{{Type: model.DSCPMarking, Direction: model.Egress, DSCPMark: 46}}}
	for _, direction := range []string{model.Egress, model.Ingress} {
		q.Rules = append(q.Rules, model.QoSRule{Type: model.BandwidthLimit, Direction: direction, MaxKbps: 1000},
			model.QoSRule{Type: model.PacketRateLimit, Direction: direction, MaxKpps: 1})
	}
	c.Put(q)
	for n := range c.Snapshot().Networks() {
		limited := *n
		limited.QoSPolicyID = q.ID
		c.Put(&limited)
	}
}

func tracesOnHosts(t *testing.T, kind string, s state.Snapshot, byHost map[string][]packet) {
	for _, host := range []string{"host1", "host2", "host3"} {
		if byHost[host] == nil {
			continue
		}
		h := startNamed(t, s, host)
		learn(s, h, host)
		for _, p := range byHost[host] {
			t.Run(kind+host+": "+p.name, func(t *testing.T) {
				slices.Sort(p.leaves)
				if d := cmp.Diff(p.leaves, h.traceMACs(t, p.bridge, p.is)); d != "" {
					t.Errorf("%s leaves by (-want +got):\n%s", p.is, d)
				}
			})
		}
	}
}

// learn lets br-int know where each device and machine is, as if each had been heard once.
func learn(s state.Snapshot, h *realHost, host string) {
	for _, p := range view.HostResources(s, host).Ports {
		h.Appctl("fdb/add", "br-int", p.Interface, fmt.Sprint(p.VLAN), p.MAC.String())
	}
	for v := range s.LocalVLANsOn(host) {
		uplink := view.PatchTun
		if !model.Tunnelled(s.Network(v.NetworkID).Type) {
			uplink = view.IntPort("br-ex")
		}
		for o := range s.Hosts() {
			if o.ID != host {
				h.Appctl("fdb/add", "br-int", uplink, fmt.Sprint(v.VLAN), o.DVRMAC.String())
			}
		}
		for b := range s.BindingsOf(v.NetworkID) {
			if b.Host == host {
				continue
			}
			port := view.PatchTun
			if !model.Tunnelled(s.Network(v.NetworkID).Type) {
				port = view.IntPort("br-ex")
			}
			h.Appctl("fdb/add", "br-int", port, fmt.Sprint(v.VLAN), s.Port(b.PortID).MAC.String())
		}
	}
}

// A (red, host1) sends to B (blue, host2): host1's copy of the router takes the packet and routes it, host2 delivers it.
func TestRoutedPacketsOnTunnelledNetworks(t *testing.T) {
	routedTraces(t, routedTunnels, map[string][]packet{
		"host1": {
			{"what a machine sends to its gateway the copy at home takes", "br-int", from(tap(1), mac(1), ip4(mGwRed, "10.2.0.5")), []string{qr(gwRed)}},
			{"the other family's likewise", "br-int", from(tap(1), mac(1), ip6(mGwRed6, "fd00:2::5")), []string{qr(gwRed6)}},
			{"what the copy has routed leaves for the port's host, from this host's DVR MAC", "br-int", from(qr(gwBlue), mac(mGwBlue), ip4(3, "10.2.0.5")),
				[]string{"vxlan-0a000002 key 0xc8 from " + dm1}},
			{"or for a port of this host, as it is", "br-int", from(qr(gwBlue), mac(mGwBlue), ip4(4, "10.2.0.6")), []string{tap(4)}},
			{"without a floating IP it leaves for the snat namespace", "br-int", from(qr(gwRed), mac(mGwRed), ip4(mSgRed, "198.51.100.1")),
				[]string{"vxlan-0a000003 key 0x64 from " + dm1}},
			{"to the gateway's MAC, when the copy has gone, nothing leaves", "br-tun", from("patch-int", mac(1), "dl_vlan=1", ip4(mGwRed, "10.2.0.5")), nil},

			{"a question for the gateway does not leave", "br-int", from(tap(1), mac(1), arp("10.1.0.5", "10.1.0.1")), []string{qr(gwRed), qr(gwRed6)}},
			{"nor one for that of the other family", "br-int", from(tap(1), mac(1), ns("fd00:1::5", "01", "fd00:1::1", ",nd_options_type=1,nd_sll="+mac(1))),
				[]string{qr(gwRed), qr(gwRed6)}},
			{"nor the gateway's own announcement", "br-int", from(qr(gwRed), mac(mGwRed), arp("10.1.0.1", "10.1.0.1")), []string{tap(1), qr(gwRed6)}},
			{"nor its question whether its link-local address is free", "br-int",
				from(qr(gwRed), mac(mGwRed), ns("::", "91", "fe80::f816:3eff:fe00:91", "")), []string{tap(1), qr(gwRed6)}},
			{"nor its router advertisements", "br-int", from(qr(gwRed6), mac(mGwRed6), "dl_dst=33:33:00:00:00:01,dl_type=0x86dd,nw_proto=58,icmpv6_type=134,icmpv6_code=0"),
				[]string{tap(1), qr(gwRed)}},
			{"an answer to a question of the router's is given here, and finds the device that asked", "br-int",
				from(qr(gwRed), mac(mGwRed), arp("10.1.0.1", "10.1.0.6")+",arp_sha="+mac(mGwRed)),
				[]string{qr(gwRed) + " from " + mac(2) + " to " + mac(mGwRed), qr(gwRed6), tap(1)}},
			{"neighbour discovery likewise", "br-int",
				from(qr(gwRed6), mac(mGwRed6), ns("fe80::f816:3eff:fe00:92", "06", "fd00:1::6", ",nd_options_type=1,nd_sll="+mac(mGwRed6))),
				[]string{qr(gwRed), qr(gwRed6) + " from " + mac(2) + " to " + mac(mGwRed6), tap(1)}},
			{"a device without a tag of its own", "br-int", from(qr(gwRed), mac(mGwRed), "dl_vlan=7", bcast, "dl_type=0x0800"), nil},
		},
		"host2": {
			{"it is delivered from the MAC of the port's own gateway", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0xc8", ip4(3, "10.2.0.5")),
				[]string{tap(3) + " from " + mac(mGwBlue)}},
			{"IPv4 from that of IPv4", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0x64", ip4(2, "10.1.0.6")), []string{tap(2) + " from " + mac(mGwRed)}},
			{"IPv6 from that of IPv6", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0x64", ip6(2, "fd00:1::6")), []string{tap(2) + " from " + mac(mGwRed6)}},
			{"to a port that is not here it goes nowhere else than the ports of the network", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0x64", ip4(9, "10.1.0.9")),
				[]string{tap(2), qr(gwRed), qr(gwRed6)}},
			{"what is not routed is as ever", "br-tun", from("vxlan-0a000001", mac(1), "tun_id=0x64", ip4(2, "10.1.0.6")), []string{tap(2)}},
			{"an answer to this host's DVR MAC is for the router", "br-tun", from("vxlan-0a000001", mac(1), "tun_id=0x64", "dl_dst="+dm2+",dl_type=0x0800"),
				[]string{qr(gwRed) + " to " + mac(mGwRed)}},
			{"of the other family for the other port", "br-tun", from("vxlan-0a000001", mac(1), "tun_id=0x64", "dl_dst="+dm2+",dl_type=0x86dd"),
				[]string{qr(gwRed6) + " to " + mac(mGwRed6)}},
		},
		"host3": {
			{"the snat namespace gets it from the gateway's MAC", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0x64", ip4(mSgRed, "198.51.100.1")),
				[]string{qr(sgRed) + " from " + mac(mGwRed)}},
			{"a centralised router on the same network is reached as any port", "br-tun", from("vxlan-0a000001", mac(1), "tun_id=0x64", ip4(mQrRed, "203.0.113.1")),
				[]string{qr(qrRed)}},
			{"and sends as any port", "br-int", from(qr(qrRed), mac(mQrRed), ip4(1, "10.1.0.5")), []string{"vxlan-0a000001 key 0x64"}},
		},
	})
}

func TestRoutedPacketsOnProviderNetworks(t *testing.T) {
	routedTraces(t, routedProvider, map[string][]packet{
		"host1": {
			{"the copy at home takes it", "br-int", from(tap(1), mac(1), ip4(mGwVLAN, "10.5.0.6")), []string{qr(gwVLAN)}},
			{"from VLAN to flat it leaves without a tag, from the DVR MAC", "br-int", from(qr(gwFlat), mac(mGwFlat), ip4(4, "10.5.0.6")),
				[]string{"eth0 from " + dm1}},
			{"from flat to VLAN with the provider's", "br-int", from(qr(gwVLAN), mac(mGwVLAN), ip4(3, "10.4.0.6")), []string{"eth0 vlan 42 from " + dm1}},
			{"a question for the gateway does not leave", "br-int", from(tap(1), mac(1), arp("10.4.0.5", "10.4.0.1")), []string{qr(gwVLAN)}},
			{"one of the router's does, from the DVR MAC", "br-int", from(qr(gwVLAN), mac(mGwVLAN), arp("10.4.0.1", "10.4.0.6")), []string{"eth0 vlan 42 from " + dm1, tap(1)}},
			{"the answer comes to the router's own MAC", "br-ex", from("eth0", mac(3), "dl_vlan=42", arpReply(mac(mGwVLAN), mac(mGwVLAN), "10.4.0.6")), []string{qr(gwVLAN)}},
			{"or to the DVR MAC, from who goes by the frame", "br-ex", from("eth0", mac(3), "dl_vlan=42", arpReply(dm1, mac(mGwVLAN), "10.4.0.6")),
				[]string{qr(gwVLAN) + " to " + mac(mGwVLAN)}},
			{"on the flat network", "br-ex", from("eth0", mac(4), arpReply(dm1, mac(mGwFlat), "10.5.0.6")), []string{qr(gwFlat) + " to " + mac(mGwFlat)}},
		},
		"host2": {
			{"with the provider's VLAN it is delivered from the gateway's MAC", "br-ex", from("eth0", dm1, "dl_vlan=42", ip4(3, "10.4.0.6")),
				[]string{tap(3) + " from " + mac(mGwVLAN)}},
			{"without a tag likewise", "br-ex", from("eth0", dm1, ip4(4, "10.5.0.6")), []string{tap(4) + " from " + mac(mGwFlat)}},
			{"of another VLAN it is dropped", "br-ex", from("eth0", dm1, "dl_vlan=43", ip4(3, "10.4.0.6")), nil},
			{"a local VLAN's number means nothing outside", "br-ex", from("eth0", dm1, "dl_vlan=6", ip4(3, "10.4.0.6")), nil},
			{"a question of another host's copy reaches the ports", "br-ex", from("eth0", dm1, "dl_vlan=42", arp("10.4.0.1", "10.4.0.100")), []string{tap(3), qr(gwVLAN)}},
		},
	})
}

// An address that moves between ports is nobody's in the tables: routers ask for it, and whoever answers is heard by the
// copy that asked, wherever it is.
func TestAddressThatMovesBetweenPorts(t *testing.T) {
	routedTraces(t, vrrp, map[string][]packet{
		"host1": {
			{"the router's question goes to every host", "br-int", from(qr(gwRed), mac(mGwRed), arp("10.1.0.1", "10.1.0.100")),
				[]string{qr(gwRed6), tap(1), "vxlan-0a000002 key 0x64 from " + dm1, "vxlan-0a000003 key 0x64 from " + dm1}},
			{"so does that for a port's own address which another port may use", "br-int", from(qr(gwRed), mac(mGwRed), arp("10.1.0.1", "10.1.0.6")),
				[]string{qr(gwRed6), tap(1), "vxlan-0a000002 key 0x64 from " + dm1, "vxlan-0a000003 key 0x64 from " + dm1}},
			{"the answer of another host's port comes to the router's MAC", "br-tun", from("vxlan-0a000002", mac(2), "tun_id=0x64", arpReply(mac(mGwRed), mac(mGwRed), "10.1.0.100")),
				[]string{qr(gwRed)}},
			{"and that of the new owner on this host also leaves it", "br-int", from(tap(1), mac(1), arpReply(mac(mGwRed), mac(mGwRed), "10.1.0.100")),
				[]string{qr(gwRed), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
			{"its announcement reaches every copy", "br-int", from(tap(1), mac(1), arp("10.1.0.100", "10.1.0.100")),
				[]string{qr(gwRed), qr(gwRed6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
			{"IPv6 likewise", "br-int", from(tap(1), mac(1), na(mac(mGwRed6), "fd00:1::100")),
				[]string{qr(gwRed6), "vxlan-0a000002 key 0x64", "vxlan-0a000003 key 0x64"}},
			{"a port of one address answers the router at home only", "br-int", from(tap(4), mac(4), arpReply(mac(mGwBlue), mac(mGwBlue), "10.2.0.6")), []string{qr(gwBlue)}},
			{"other packets to the router do not leave", "br-int", from(tap(1), mac(1), ip4(mGwRed, "10.2.0.5")), []string{qr(gwRed)}},
		},
		"host2": {
			{"the question comes as it was asked, and goes to all ports", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0x64", arp("10.1.0.1", "10.1.0.100")),
				[]string{qr(gwRed), qr(gwRed6), tap(2)}},
			{"IPv6 likewise", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0x64", ns("fe80::f816:3eff:fe00:92", "00", "fd00:1::100", ",nd_options_type=1,nd_sll="+mac(mGwRed6))),
				[]string{qr(gwRed), qr(gwRed6), tap(2)}},
			{"the router's probe, too", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0x64", "dl_dst="+mac(2)+",dl_type=0x0806,arp_op=1,arp_spa=10.1.0.1,arp_tpa=10.1.0.100"),
				[]string{tap(2)}},
			{"the answer leaves for the other copies", "br-int", from(tap(2), mac(2), arpReply(mac(mGwRed), mac(mGwRed), "10.1.0.100")),
				[]string{qr(gwRed), "vxlan-0a000001 key 0x64", "vxlan-0a000003 key 0x64"}},
			{"packets to the address come from the gateway's MAC", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0x64", ip4(2, "10.1.0.100")), []string{tap(2) + " from " + mac(mGwRed)}},
			{"to a MAC of VRRP's own they are flooded on the host", "br-tun", from("vxlan-0a000001", dm1, "tun_id=0x64", "dl_dst=00:00:5e:00:01:07,dl_type=0x0800,nw_dst=10.1.0.100"),
				[]string{qr(gwRed), qr(gwRed6), tap(2)}},
		},
	})
}

func TestAddressThatMovesBetweenPortsOfAProviderNetwork(t *testing.T) {
	routedTraces(t, vrrpProvider, map[string][]packet{
		"host1": {
			{"the answer also leaves the host", "br-int", from(tap(1), mac(1), arpReply(mac(mGwVLAN), mac(mGwVLAN), "10.4.0.100")), []string{"eth0 vlan 42", qr(gwVLAN)}},
			{"one from outside is heard", "br-ex", from("eth0", mac(3), "dl_vlan=42", arpReply(mac(mGwVLAN), mac(mGwVLAN), "10.4.0.100")), []string{qr(gwVLAN)}},
		},
	})
}

// What was flooded because the device was not there yet would be routed by every other host's copy at once.
func TestRouterWithoutItsDeviceDoesNotLeak(t *testing.T) {
	routedTraces(t, deviceless, map[string][]packet{
		"host1": {
			{"packets to the gateway", "br-int", from(tap(1), mac(1), ip4(mGwRed, "10.2.0.5")), nil},
			{"questions for it", "br-int", from(tap(1), mac(1), arp("10.1.0.5", "10.1.0.1")), nil},
		},
	})
}
