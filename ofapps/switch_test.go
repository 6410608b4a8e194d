package ofapps

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-sdn/weft/controller/state"
	"github.com/weft-sdn/weft/ofapps/flow"
	"github.com/weft-sdn/weft/test/ovs"
)

// load puts the rows of each bridge into a switch, in one bundle a bridge.
func load(t *testing.T, sw *ovs.Switch, rows Rows) {
	t.Helper()
	for bridge, flows := range rows {
		file := filepath.Join(t.TempDir(), bridge)
		if err := os.WriteFile(file, []byte(strings.Join(texts(flows), "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		sw.Ofctl("--bundle", "add-flows", bridge, file)
	}
}

func texts(flows []flow.Flow) []string {
	var out []string
	for _, f := range flows {
		out = append(out, f.String())
	}
	slices.Sort(out)
	return out
}

// What a row says in the code must be what the switch says it has, letter for letter: operators compare the two.
func TestSwitchHasTheRowsAsTheyAreSpelled(t *testing.T) {
	sw := ovs.Start(t)
	n := 0
	eachScenario(t, func(t *testing.T, s state.Snapshot) {
		n++
		rows := RenderAll(s, "host1")
		// Bridges of another name each time: the switch is the same.
		for _, bridge := range slices.Sorted(maps.Keys(rows)) {
			br := fmt.Sprintf("%s%d", bridge, n)
			sw.Vsctl("add-br", br, "--", "set", "bridge", br, "fail_mode=secure", "datapath_type=dummy")
			load(t, sw, Rows{br: rows[bridge]})
			got := sw.Flows(br)
			slices.Sort(got)
			if d := cmp.Diff(texts(rows[bridge]), got); d != "" {
				t.Errorf("%s (-rendered +dumped):\n%s", bridge, d)
			}
		}
	})
}
