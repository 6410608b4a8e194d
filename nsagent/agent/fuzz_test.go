package agent

import (
	"testing"

	"google.golang.org/protobuf/proto"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// FuzzDelta: whatever a controller says is wanted, each resource of it is held or refused by name, and what is held can be
// asked for and is told in the next Hello.
func FuzzDelta(f *testing.F) {
	for _, d := range []*nodev1.Delta{
		{Full: true, Revision: 3, Unchanged: []string{"port/9"}, Upserts: []*nodev1.Resource{
			{Name: "bridge/br-int", Version: "1", Spec: &nodev1.Resource_Bridge{Bridge: &nodev1.Bridge{Name: "br-int", Role: "integration", DatapathId: "0000000000000011", Controllers: []string{"tcp:127.0.0.1:6653"}}}},
			{Name: "port/1", Version: "1", Spec: &nodev1.Resource_Port{Port: &nodev1.PortBinding{PortId: "1", Interface: "tap1", MacAddress: "fa:16:3e:00:00:01", Vlan: 5000}}},
			{Name: "tunnel/vxlan-c0000202", Version: "1", Spec: &nodev1.Resource_Tunnel{Tunnel: &nodev1.Tunnel{Name: "vxlan-c0000202", Type: "vxlan", LocalIp: "192.0.2.1", RemoteIp: "192.0.2.2"}}},
		}},
		{Removed: []string{"port/1", ""}, Upserts: []*nodev1.Resource{{}}},
	} {
		b, err := proto.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d nodev1.Delta
		if proto.Unmarshal(b, &d) != nil {
			return
		}
		h := nothingHeld(site{integration: "br-int", tunnel: "br-tun", datapathType: "netdev"})
		for range 2 {
			next, _ := h.merge(&d)
			for _, r := range d.Upserts {
				if (next.resources[r.Name] == nil) == (next.rejected[r.Name] == nil) && !twice(&d, r.Name) {
					t.Errorf("%q is held: %v, and rejected: %v", r.Name, next.resources[r.Name], next.rejected[r.Name])
				}
			}
			if len(next.versions()) != len(next.resources) || len(next.wants) != len(next.resources) {
				t.Errorf("%d resources, of which %d are told and %d wanted", len(next.resources), len(next.versions()), len(next.wants))
			}
			next.desired()
			h = next
		}
	})
}

func twice(d *nodev1.Delta, name string) bool {
	n := 0
	for _, r := range d.Upserts {
		if r.Name == name {
			n++
		}
	}
	return n > 1
}
