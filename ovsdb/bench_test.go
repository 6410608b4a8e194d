package ovsdb

import (
	"fmt"
	"testing"
)

// BenchmarkOneTagAmongThousand is one binding that changes on a host with 1,000 bound ports, up to the database's
// answer; "switch" also waits until ovs-vswitchd has followed.
func BenchmarkOneTagAmongThousand(b *testing.B) {
	h := newHost(b)
	d := threeBridges()
	h.settle(d)
	for i := 0; i < 1000; i += 50 {
		var args []string
		for j := i; j < i+50; j++ {
			args = append(args, "--", "add-port", "br-int", fmt.Sprintf("tap%d", j), "--", "set", "interface", fmt.Sprintf("tap%d", j),
				"type=internal", fmt.Sprintf("external_ids:iface-id=port%d", j))
			d.Bindings = append(d.Bindings, Binding{PortID: fmt.Sprintf("port%d", j), Interface: fmt.Sprintf("tap%d", j), VLAN: uint16(j + 1)})
		}
		h.Vsctl(args[1:]...)
	}
	h.settle(d)
	b.Run("nothing", func(b *testing.B) {
		for b.Loop() {
			h.apply(d)
		}
	})
	b.Run("database", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			d.Bindings[7].Installed = int64(i)
			h.apply(d)
		}
	})
	b.Run("switch", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			d.Bindings[7].VLAN = uint16(i%2 + 1)
			cfg := h.apply(d).Cfg
			if err := h.s.await(b.Context(), func(st *State) bool { return st.Applied(cfg) }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("vsctl", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			h.Vsctl("set", "port", "tap8", fmt.Sprintf("tag=%d", i%2+1))
		}
	})
}
