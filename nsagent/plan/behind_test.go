package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
)

// TestBehind: what is behind another router leaves as what is on the subnet between them does.
func TestBehind(t *testing.T) {
	r := dvrRouter()
	r.Routes = []*nodev1.Route{
		{Destination: "192.168.50.0/24", Nexthop: "10.0.1.99"},
		{Destination: "192.168.50.0/24", Nexthop: "10.0.1.98"},
		{Destination: "192.168.51.0/24", Nexthop: "10.0.2.99"},
		{Destination: "0.0.0.0/0", Nexthop: "10.0.2.99"},
	}
	router := &nodev1.Resource{Name: "router/" + dvr, Spec: &nodev1.Resource_Router{Router: r}}
	all := slices.DeleteFunc(cloud(), func(o *nodev1.Resource) bool { return o.Name == router.Name })
	got, errs := Build(readAll(t, append(all, router)))
	if len(errs) > 0 {
		t.Errorf("errors: %v", errs)
	}
	var rules []string
	for line := range strings.Lines(got[QRouter+dvr].Text()) {
		if strings.Contains(line, ": from 192.168.") || strings.Contains(line, ": from 0.0.0.0") {
			rules = append(rules, strings.TrimSpace(line))
		}
	}
	want := []string{"167772417: from 192.168.50.0/24 lookup 167772417", "167772673: from 192.168.51.0/24 lookup 167772673"}
	if d := cmp.Diff(want, rules); d != "" {
		t.Errorf("rules (-want +got):\n%s", d)
	}
}
