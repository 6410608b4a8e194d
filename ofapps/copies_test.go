package ofapps

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/view"
	"github.com/weft-sdn/weft/ofapps/brint"
	"github.com/weft-sdn/weft/ofapps/flow"
)

var copiedTo = regexp.MustCompile(`set_field:(0x[0-9a-f]+)->reg7`)

// TestUntrackedCopiesComeFirst: fragments that no rule allowed reached a port with a stateless group. A multicast packet of somebody
// whom nobody judges was looked up in the connection tracker for a stateful group first, which let go of fragments that it had kept,
// and these went along with the copy that nobody tracks.
func TestUntrackedCopiesComeFirst(t *testing.T) {
	n := view.Network{ID: "network", VLAN: 5}
	sets := []view.Set{{Number: 1}, {Number: 1, Stateless: true}, {Number: 2}, {Number: 3, Stateless: true}, {Number: view.AllowAll}}
	var m view.Multicast
	var s view.Station
	m.Network, s.Network = n, n
	for i, set := range sets {
		m.Judged = append(m.Judged, view.Hearers{Set: set, Ports: []uint32{uint32(i + 1)}})
		s.Receivers = append(s.Receivers, view.Receiver{ID: "port", OFPort: uint32(i + 1), Set: set})
	}
	want := []string{"0x80000001", "0x80000003", "0x1", "0x2", "0x7fffffff"}
	for name, rows := range map[string][]flow.Flow{"multicast": brint.Multicast(m), "a MAC of several": brint.Station(s)} {
		var got []string
		i := slices.IndexFunc(rows, func(f flow.Flow) bool { return f.Table == brint.AcceptOrIngress.ID })
		if i < 0 {
			t.Fatalf("%s: no row of table %d", name, brint.AcceptOrIngress.ID)
		}
		for _, c := range copiedTo.FindAllStringSubmatch(rows[i].String(), -1) {
			got = append(got, c[1])
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, rows[i], d)
		}
	}
}
