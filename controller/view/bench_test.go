package view

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// routedCloud is a distributed router with a gateway on n hosts, with a port on each, and m floating IPs of the port on
// host1.
func routedCloud(b *testing.B, n, m int) *viewtest.Cloud {
	c := viewtest.New(b)
	c.Network("red", model.VXLAN, 100, true)
	c.Network("ext", model.Flat, 0, false)
	c.Subnets("red", "10.0.0.0/16")
	c.Subnets("ext", "172.16.0.0/12")
	c.Router("dr", true)
	c.Join("dr", "gw-red", "red", 0x91, "10.0.0.1")
	r := *c.Snapshot().Router("dr")
	r.Gateway = &model.ExternalGateway{NetworkID: "ext", PortID: "qg"}
	c.Change(func(tx viewtest.Tx) {
		tx.Put(&r)
		for i := range n {
			host := fmt.Sprintf("host%d", i+1)
			tx.Put(&model.Host{Meta: model.Meta{ID: host}, Number: uint16(i + 1)}, &model.HostFacts{Host: host, BridgeMappings: map[string]string{"physnet1": "br-ex"}},
				&model.LocalVLAN{Host: host, NetworkID: "red", VLAN: 1}, &model.RouterHost{RouterID: "dr", Host: host})
			port(tx, i, host)
		}
		tx.Put(&model.Port{Meta: model.Meta{ID: "fg"}, NetworkID: "ext", DeviceOwner: model.OwnerFIPGateway, DeviceID: "host1"})
		for i := range m {
			floating(tx, i)
		}
	})
	return c
}

func port(tx viewtest.Tx, i int, host string) {
	id := fmt.Sprintf("p%d", i)
	tx.Put(&model.Port{Meta: model.Meta{ID: id}, NetworkID: "red", AdminStateUp: true, MAC: model.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)},
		FixedIPs: []model.FixedIP{{SubnetID: "s-red", IP: netip.AddrFrom4([4]byte{10, 0, byte(1 + i>>8), byte(i)})}}},
		&model.Binding{PortID: id, NetworkID: "red", Host: host, OFPort: uint32(i + 10)})
}

func floating(tx viewtest.Tx, i int) {
	tx.Put(&model.FloatingIP{Meta: model.Meta{ID: fmt.Sprintf("f%d", i)}, FloatingNetworkID: "ext", RouterID: "dr", PortID: "p0",
		FixedIP: addr("10.0.1.0"), Address: netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)})})
}

// resources is what all hosts look up when something has changed.
func resources(before, after state.Snapshot, changes []state.Change) (n int) {
	for host, parts := range Affected(before, after, changes) {
		for p := range parts {
			PartResources(after, host, p)
			n++
		}
	}
	return n
}

// BenchmarkRoutedPort is what one more port costs, on a network with a distributed router, on a number of hosts.
func BenchmarkRoutedPort(b *testing.B) {
	for _, hosts := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			c := routedCloud(b, hosts, 0)
			before, after, changes := c.Change(func(tx viewtest.Tx) { port(tx, 5000, "host1") })
			parts := 0
			for b.Loop() {
				parts = resources(before, after, changes)
			}
			if parts != 2*hosts {
				b.Fatalf("%d parts, want a port and an endpoint on each of %d hosts", parts, hosts)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*hosts), "ns/host")
		})
	}
}

// BenchmarkFloatingIP is what one more floating IP of a router costs.
func BenchmarkFloatingIP(b *testing.B) {
	for _, m := range []int{0, 1000} {
		b.Run(fmt.Sprintf("others=%d", m), func(b *testing.B) {
			c := routedCloud(b, 2, m)
			before, after, changes := c.Change(func(tx viewtest.Tx) { floating(tx, m) })
			for b.Loop() {
				if n := resources(before, after, changes); n != 2 {
					b.Fatalf("%d parts, want the floating IP and its router", n)
				}
			}
		})
	}
}
