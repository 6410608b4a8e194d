package ofapps

import (
	"fmt"
	"maps"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// Groups, with ids whose beginnings can be seen in cookies.
const (
	web    = "e0e0e0e0-0001-4000-8000-000000000000"
	db     = "e0e0e0e0-0002-4000-8000-000000000000"
	singly = "e0e0e0e0-0003-4000-8000-000000000000"
	office = "a0a0a0a0-0004-4000-8000-000000000000"
)

// virtual is a MAC that ports share (RFC 5798, 7.3).
var virtual = model.MAC{0, 0, 0x5e, 0, 1, 10}

// groups adds web (the group of the original's dumps, with 7 rules), db and singly (stateless), and office (addresses).
func groups(c *viewtest.Cloud) {
	c.AddressGroup(office, 4, "192.0.2.0/24", "2001:db8::/32")
	c.Group(web, 1,
		"egress ipv4", "egress ipv6",
		"ingress ipv4 icmp", "ingress ipv6 icmpv6",
		"ingress ipv4 tcp 22", "ingress ipv4 tcp 80-90 from 10.0.0.0/8", "ingress ipv4 udp from "+web)
	c.Group(db, 2,
		"egress ipv4 udp 53 to 192.0.2.53/32", "egress ipv4 icmp 8/0",
		"ingress ipv4 tcp 5432 from "+web, "ingress ipv6 tcp 5432 from "+web, "ingress ipv4 tcp 5000-5500 from "+office)
	c.StatelessGroup(singly, 3, "egress ipv4 tcp", "ingress ipv4 tcp 7-9", "ingress ipv4 icmp 3/4")
}

// securedTenants is red with judged ports: 1 and 6 (web; 6 has pairs) and 7 (db), 8 (stateless), 9 (no groups) on host1, 2
// (web) and 3 (web and db) on host2; 10 on host1 is not judged. Blue has one judged port with the same addresses.
func securedTenants(t viewtest.T) *viewtest.Cloud {
	c := threeHosts(t)
	c.Network(red, model.VXLAN, 0x64, true)
	c.Network(blue, model.VXLAN, 0xc8, true)
	for i, h := range []string{"host1", "host2"} {
		c.Carry(h, red, uint16(i+1))
		c.Carry(h, blue, uint16(i+7))
	}
	groups(c)
	c.Bind(portID(1), red, "host1", 1, firstPort, "10.1.0.1", "fd00::1")
	c.Bind(portID(2), red, "host2", 2, 20, "10.1.0.2", "fd00::2")
	c.Bind(portID(3), red, "host2", 3, 21, "10.1.0.3")
	c.Bind(portID(4), blue, "host1", 4, firstPort+1, "10.1.0.1")
	for n := 6; n <= 10; n++ {
		c.Bind(portID(n), red, "host1", byte(n), uint32(firstPort+n-4), fmt.Sprintf("10.1.0.%d", n))
	}
	c.Secure(portID(1), web)
	c.Secure(portID(2), web)
	c.Secure(portID(3), web, db)
	c.Secure(portID(4), web)
	c.Secure(portID(6), web)
	c.Secure(portID(7), db)
	c.Secure(portID(8), singly)
	c.Secure(portID(9))
	c.Pair(portID(6), "10.1.0.100/32", virtual)
	c.Pair(portID(6), "10.9.0.0/16", model.MAC{})
	return c
}

// securedProvider is a VLAN network with a judged port and one that is not.
func securedProvider(t viewtest.T) *viewtest.Cloud {
	c := provider(t)
	groups(c)
	c.Secure(portID(1), web)
	return c
}

// securedRouted is vrrp with judged ports.
func securedRouted(t viewtest.T) *viewtest.Cloud {
	c := vrrp(t)
	groups(c)
	for n := 1; n <= 4; n++ {
		c.Secure(portID(n), web)
	}
	return c
}

// securedRoutedProvider is routedProvider with judged ports.
func securedRoutedProvider(t viewtest.T) *viewtest.Cloud {
	c := vrrpProvider(t)
	groups(c)
	for n := 1; n <= 4; n++ {
		c.Secure(portID(n), web)
	}
	return c
}

// hybrid is securedTenants on a host where a Linux bridge before br-int judges.
func hybrid(t viewtest.T) *viewtest.Cloud {
	c := securedTenants(t)
	h := *c.Snapshot().Host("host1")
	h.FirewallDriver = model.FirewallHybrid
	c.Put(&h)
	for b := range c.Snapshot().BindingsOn("host1") {
		if c.Snapshot().Port(b.PortID).Secured() {
			behind := *b
			behind.Firewalled = true
			c.Put(&behind)
		}
	}
	return c
}

// released is hybrid on a host that has just been told that br-int is to judge.
func released(t viewtest.T) *viewtest.Cloud {
	c := hybrid(t)
	h := *c.Snapshot().Host("host1")
	h.FirewallDriver = model.FirewallOpenFlow
	c.Put(&h)
	return c
}

func init() {
	maps.Copy(scenarios, map[string]func(viewtest.T) *viewtest.Cloud{
		"secured-tenants": securedTenants, "secured-provider": securedProvider, "secured-routed": securedRouted,
		"secured-routed-provider": securedRoutedProvider, "secured-hybrid": hybrid,
	})
}
