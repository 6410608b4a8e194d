package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"
	"github.com/weft-sdn/weft/test/ovs"
)

// Open vSwitch 3.1 keeps sending what comes for a tunnel to the host itself when the last tunnel of that type went and one
// came back within seconds, under traffic.
func TestFirstTunnelOfATypeMakesTheUserspaceDatapathForget(t *testing.T) {
	c := listen(t, "", 7)
	h := newHost(t, c)
	h.Appctl("vlog/set", "unixctl:file:dbg")
	purges := func() int {
		t.Helper()
		log, err := os.ReadFile(filepath.Join(h.Dir, "ovs-vswitchd.log"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(log), "received request revalidator/purge")
	}
	h.start()
	c.hello(1)
	c.delta(&nodev1.Delta{Nonce: "1", Revision: 40, Full: true, Upserts: three()})
	c.await("ack 1 rev 40")
	for i, step := range []struct {
		delta *nodev1.Delta
		want  int
	}{
		{&nodev1.Delta{Nonce: "2", Upserts: []*nodev1.Resource{tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21")}}, 1},
		{&nodev1.Delta{Nonce: "3", Upserts: []*nodev1.Resource{tunnel("vxlan-0a5b0016", "vxlan", "10.91.0.22")}}, 1},
		{&nodev1.Delta{Nonce: "4", Upserts: []*nodev1.Resource{tunnel("gre-0a5b0016", "gre", "10.91.0.22")}}, 2},
		{&nodev1.Delta{Nonce: "5", Removed: []string{"tunnel/vxlan-0a5b0015", "tunnel/vxlan-0a5b0016"}}, 2},
		{&nodev1.Delta{Nonce: "6", Upserts: []*nodev1.Resource{tunnel("vxlan-0a5b0015", "vxlan", "10.91.0.21")}}, 3},
	} {
		c.delta(step.delta)
		c.await("ack " + step.delta.Nonce + " rev 0")
		// Open vSwitch writes its log some time after what it tells.
		ovs.Await(t, fmt.Sprintf("%d purges in step %d", step.want, i+1), func() bool { return purges() >= step.want })
		if got := purges(); got != step.want {
			t.Errorf("step %d: %d purges so far, want %d", i+1, got, step.want)
		}
	}
}
