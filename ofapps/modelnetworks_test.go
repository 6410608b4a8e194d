package ofapps

import (
	"net/netip"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// Numbers of the first router's device, and of the first network outside of a host.
const device, segment = 31, 100

// router draws a distributed router on one of the networks, on both, or none.
func (d drawn) router(c *viewtest.Cloud) {
	const router = "r"
	c.Router(router, true)
	devices := map[string]uint32{}
	for n, network := range []string{"n1", "n2"} {
		c.Put(&model.Subnet{Meta: model.Meta{ID: "s-" + network}, NetworkID: network, CIDR: netip.MustParsePrefix("10.0.0.0/24"), GatewayIP: netip.MustParseAddr("10.0.0.254")},
			&model.Subnet{Meta: model.Meta{ID: "s6-" + network}, NetworkID: network, CIDR: netip.MustParsePrefix("fd00::/64"), GatewayIP: netip.MustParseAddr("fd00::fe")})
		if d.n(1) == 1 {
			port := "gw-" + network
			c.Join(router, port, network, byte(1+n), "10.0.0.254", "fd00::fe")
			devices[port] = uint32(device + n)
		}
	}
	for _, host := range []string{"host1", "host2"} {
		c.RouterAt(router, host, devices)
	}
}

// routes says whether a network has a distributed router.
func routes(s state.Snapshot, network string) bool {
	for range s.PortsOwned(network, model.OwnerDistributedInterface) {
		return true
	}
	return false
}

// uplink is the port by which a place's network comes from other hosts.
func uplink(s state.Snapshot, at place) string {
	if model.Tunnelled(s.Network(at.network()).Type) {
		return at.host + "-tun"
	}
	return at.host + "-ex"
}
