package namespaces

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// TestWalk changes what is desired, what br-int holds, and what is there, over and over, with restarts in between: in the
// end all is as desired, and when nothing is desired any more, nothing is left.
func TestWalk(t *testing.T) {
	pool := distributed(1)
	snat := &plan.Snat{RouterID: id('a', 1), Gateway: gateway(70, "172.24.4.40/24"), Interfaces: []plan.Device{port(71, netA, "10.0.1.6/24")}}
	maps.Copy(pool, named(dhcp(), centralised(2), centralised(3), snat, floating(2, 2, "172.24.4.30", "10.0.1.7"), floating(3, 3, "172.24.4.31", "10.0.1.7")))
	all := slices.Sorted(maps.Keys(pool))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	x := keep(t)
	plugged := map[string]bool{}
	for range 25 {
		switch r.IntN(8) {
		case 0, 1, 2:
			desired := map[string]plan.Resource{}
			for _, name := range all {
				if r.IntN(4) > 0 {
					desired[name] = pool[name]
				}
			}
			x.desired = desired
			x.Set(desired, true)
		case 3:
			x.desired = pool
			x.want(pool)
		case 4:
			for _, d := range x.Report().Devices {
				plugged[d.Name] = r.IntN(2) == 0
			}
			now := maps.Clone(plugged)
			maps.DeleteFunc(now, func(_ string, on bool) bool { return !on })
			x.Unplugged(now)
		case 5:
			x.stop()
			x = keep(t)
			x.Unplugged(map[string]bool{})
			plugged = map[string]bool{}
			x.Set(pool, true)
			x.desired = pool
		case 6, 7:
			if there := names(t); len(there) > 0 {
				tamper(r, there[r.IntN(len(there))])
			}
		}
	}
	x.Unplugged(map[string]bool{})
	var off []string
	defer func() {
		if t.Failed() {
			t.Logf("not as desired: %q", off)
		}
	}()
	x.until("all is as desired", func() bool {
		off = nil
		rep := x.Report()
		// What does not fit together stays a problem.
		for _, p := range rep.Problems {
			if p.Reason != Invalid {
				return false
			}
		}
		built, _ := plan.Build(x.desired)
		for name := range built {
			lines, err := x.Describe(t.Context(), name)
			if err != nil {
				off = append(off, err.Error())
			}
			for _, l := range lines {
				if l.State != plan.OK && l.Section != plan.SectionProcess {
					off = append(off, name+" "+l.Section+" "+l.Text+" "+l.State)
				}
			}
		}
		return len(rep.Pending) == 0 && len(off) == 0
	})
	x.nothing()
}

// tamper changes something by hand. What is not there cannot be changed.
func tamper(r *rand.Rand, namespace string) {
	commands := []string{
		"ip netns exec %s sysctl -qw net.ipv4.ip_forward=7", "ip netns exec %s iptables -t nat -F", "ip netns exec %s ip rule flush", "ip netns exec %s ip route flush table all",
		"ip netns exec %s ip neigh flush nud permanent", "ip netns del %s", "for d in $(ip -n %[1]s -br link | grep -o '^[qrsfn][a-z]*-[^ @]*'); do ip -n %[1]s link del $d; break; done",
		"for d in $(ip -n %[1]s -br link | grep -o '^[qrsfn][a-z]*-[^ @]*'); do ip -n %[1]s link set $d down; done",
		"for d in $(ip -n %[1]s -br link | grep -o '^[qrsfn][a-z]*-[^ @]*'); do ip -n %[1]s addr flush dev $d; done",
	}
	_ = exec.Command("sh", "-c", fmt.Sprintf(commands[r.IntN(len(commands))], namespace)).Run() // it need not be possible
}
