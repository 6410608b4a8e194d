package plan

import (
	"fmt"
	"net/netip"
	"testing"
)

// BenchmarkFloatingIPs is what one more floating IP costs a router that has 1,000.
func BenchmarkFloatingIPs(b *testing.B) {
	resources := readAll(b, cloud()[2:3])
	for i := range 1000 {
		f := &FloatingIP{ID: fmt.Sprintf("f%07x-0000-4000-8000-000000000000", i), RouterID: legacy, Place: PlaceRouter, NetworkID: external,
			Floating: netip.AddrFrom4([4]byte{172, 24, byte(i >> 8), byte(i)}), Fixed: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}
		resources[f.Resource()] = f
	}
	have, _ := Build(resources)
	more := &FloatingIP{ID: "ffffffff-0000-4000-8000-000000000000", RouterID: legacy, Place: PlaceRouter, NetworkID: external,
		Floating: netip.MustParseAddr("172.25.0.1"), Fixed: netip.MustParseAddr("10.1.0.1")}
	resources[more.Resource()] = more
	b.ReportAllocs()
	for b.Loop() {
		want, _ := Build(resources)
		if n := len(Diff(want[QRouter+legacy], have[QRouter+legacy])); n != 3 {
			b.Fatalf("%d steps", n)
		}
	}
}
