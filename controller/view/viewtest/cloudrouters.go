package viewtest

import (
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
)

// Subnets adds subnets of a network, whose gateway_ip are their first addresses: s-<network> for IPv4, s6-<network> for
// IPv6.
func (c *Cloud) Subnets(network string, cidrs ...string) {
	c.t.Helper()
	for _, cidr := range cidrs {
		p := netip.MustParsePrefix(cidr)
		c.Put(&model.Subnet{Meta: model.Meta{ID: subnetID(network, p.Addr())}, NetworkID: network, CIDR: p, GatewayIP: p.Addr().Next(), EnableDHCP: p.Addr().Is4()})
	}
}

func subnetID(network string, ip netip.Addr) string {
	if ip.Is4() {
		return "s-" + network
	}
	return "s6-" + network
}

func fixed(network string, ips []string) (out []model.FixedIP) {
	for _, ip := range ips {
		a := netip.MustParseAddr(ip)
		out = append(out, model.FixedIP{SubnetID: subnetID(network, a), IP: a})
	}
	return out
}

// Router adds a router that is up and joins nothing yet.
func (c *Cloud) Router(id string, distributed bool) {
	c.t.Helper()
	c.Put(&model.Router{Meta: model.Meta{ID: id}, AdminStateUp: true, Distributed: distributed})
}

// Join gives a router a port on a network, with the MAC MAC(n).
func (c *Cloud) Join(router, port, network string, n byte, ips ...string) {
	c.t.Helper()
	r := *c.Snapshot().Router(router)
	p := &model.Port{Meta: model.Meta{ID: port}, NetworkID: network, MAC: MAC(n), AdminStateUp: true, DeviceID: router,
		DeviceOwner: model.OwnerRouterInterface, FixedIPs: fixed(network, ips)}
	if r.Distributed {
		p.DeviceOwner = model.OwnerDistributedInterface
	}
	r.Interfaces = append(append([]model.RouterInterface(nil), r.Interfaces...), model.RouterInterface{SubnetID: p.FixedIPs[0].SubnetID, PortID: port})
	c.Put(&r, p)
}

// RouterAt puts a distributed router on a host, with the OpenFlow numbers of its devices there by port.
func (c *Cloud) RouterAt(router, host string, ofports map[string]uint32) {
	c.t.Helper()
	c.Put(&model.RouterHost{RouterID: router, Host: host})
	for port, n := range ofports {
		c.Put(&model.Interface{Host: host, Name: tap(port), IfaceID: port, OFPort: n})
	}
}

// Own adds a port of ours that is bound to the host, with the MAC MAC(n): a device of a namespace.
func (c *Cloud) Own(owner, device, id, network, host string, n byte, ofport uint32, ips ...string) {
	c.t.Helper()
	c.Put(&model.Port{Meta: model.Meta{ID: id}, NetworkID: network, MAC: MAC(n), AdminStateUp: true, DeviceOwner: owner, DeviceID: device,
		BindingHostID: host, FixedIPs: fixed(network, ips)})
	if ofport != 0 {
		c.Put(&model.Binding{PortID: id, NetworkID: network, Host: host, Interface: tap(id), OFPort: ofport},
			&model.Interface{Host: host, Name: tap(id), IfaceID: id, OFPort: ofport})
	}
}

// Allow gives a port allowed address pairs.
func (c *Cloud) Allow(port string, ips ...string) {
	c.t.Helper()
	p := *c.Snapshot().Port(port)
	for _, ip := range ips {
		a := netip.MustParseAddr(ip)
		p.AllowedAddressPairs = append(p.AllowedAddressPairs[:len(p.AllowedAddressPairs):len(p.AllowedAddressPairs)],
			model.AddressPair{IP: netip.PrefixFrom(a, a.BitLen())})
	}
	c.Put(&p)
}

// tap is view.TapName, whose tests use this package.
func tap(port string) string { return "tap" + port[:min(11, len(port))] }
