package ofapps

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/controller/view/viewtest"
)

// crowd is one network with n ports, half of them on host1 and half on host2, and then one more on host2.
func crowd(b *testing.B, n int) (before, after state.Snapshot, changes []state.Change) {
	c := viewtest.New(b)
	c.Host(1, host1Ports())
	c.Host(2, map[string]uint32{"vxlan-0a000001": 2})
	c.Network(red, model.VXLAN, 100, true)
	c.Carry("host1", red, 1)
	c.Carry("host2", red, 1)
	add := func(tx viewtest.Tx, i int, host string) {
		id := fmt.Sprintf("%08x-ffff-4000-8000-000000000000", i)
		tx.Put(&model.Port{
			Meta: model.Meta{ID: id}, NetworkID: red, MAC: model.MAC{0xfa, 0x16, 0x3e, byte(i >> 16), byte(i >> 8), byte(i)}, AdminStateUp: true,
			FixedIPs: []model.FixedIP{{IP: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}},
		}, &model.Binding{PortID: id, NetworkID: red, Host: host, OFPort: uint32(100 + i)})
	}
	c.Change(func(tx viewtest.Tx) {
		for i := range n {
			add(tx, i, []string{"host1", "host2"}[i%2])
		}
	})
	return c.Change(func(tx viewtest.Tx) { add(tx, n, "host2") })
}

// BenchmarkRenderOnePort is what one host does when one remote port is added to a network with many.
func BenchmarkRenderOnePort(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("ports=%d", n), func(b *testing.B) {
			before, after, changes := crowd(b, n)
			rows := 0
			b.ReportAllocs()
			for b.Loop() {
				rows = 0
				for _, p := range view.Affected(before, after, changes)["host1"].Sorted() {
					rows += len(Render(after, "host1", p)[view.BrTun])
				}
			}
			if rows != 2 {
				b.Fatalf("%d rows, want 2", rows)
			}
		})
	}
}

// BenchmarkRenderAll is what one host does when it begins from nothing, told by the port.
func BenchmarkRenderAll(b *testing.B) {
	const n = 10_000
	_, s, _ := crowd(b, n)
	for b.Loop() {
		RenderAll(s, "host1")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/port")
}
