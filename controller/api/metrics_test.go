package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/weft-sdn/weft/controller/model"
	"github.com/weft-sdn/weft/controller/state"
)

// What the store keeps is counted, what no API shows too: a leak of allocations shows as a number that only grows.
func TestStoreIsCounted(t *testing.T) {
	d := openDoor(t, nil)
	d.apply(network("blue"), subnet("s", "blue", "10.0.0.0/24"), withID(port("web", "blue"), portID))
	d.plug("compute1", model.Interface{Name: "tap0", OFPort: 3, IfaceID: portID})
	want := map[state.Kind]int{
		state.Hosts: 1, state.HostFacts: 1, state.Networks: 1, state.Subnets: 1, state.Ports: 1, state.Interfaces: 1, state.Bindings: 1,
		state.LocalVLANs: 1, state.SecurityGroups: 1, state.SecurityGroupRules: 4, state.GroupSets: 1,
	}
	var text strings.Builder
	text.WriteString("# HELP weft_store_objects " + storedHelp + "\n# TYPE weft_store_objects gauge\n")
	for _, k := range state.Kinds {
		fmt.Fprintf(&text, "weft_store_objects{kind=%q} %d\n", k, want[k])
	}
	if err := testutil.GatherAndCompare(d.reg, strings.NewReader(text.String()), "weft_store_objects"); err != nil {
		t.Error(err)
	}
}
