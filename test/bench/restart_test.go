package bench

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/weft-sdn/weft/openflow/channel"
)

// restartRounds is how often each restart is measured.
const restartRounds = 7

// outage is how long the controller is gone: long enough for everybody to wait as long between two attempts as they do.
const outage = 3 * time.Second

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}

func ms(d time.Duration) string { return fmt.Sprint(d.Round(time.Millisecond)) }

// BenchmarkControllerRestart kills a controller, and measures from the start of the next one until every host that is
// there is connected and has acknowledged everything. 25,000 VMs elsewhere are 50,000 rows in br-tun of every host, all of them
// right. The reference is ovs-ofctl, which reads the rows of all hosts one after the other.
func BenchmarkControllerRestart(b *testing.B) {
	fmt.Printf("%6s %10s %10s %10s %10s %12s %12s %12s %12s %12s %8s %10s\n", "hosts", "rows/host", "ready", "agents", "bridges", "in sync", "fastest", "slowest", "CPU", "ovs-ofctl", "ratio", "flow-mods")
	for _, hosts := range []int{1, 2} {
		pl := newPlant(b, hosts)
		revision := pl.fill(25_000)
		var took, ready, agents, bridges, spent, theirs []time.Duration
		var mods int64
		perHost := 0
		for range restartRounds {
			begin := time.Now()
			for _, h := range pl.hosts {
				h.Ofctl("dump-flows", "br-int")
				h.Ofctl("dump-flows", "br-tun")
			}
			theirs = append(theirs, time.Since(begin))
			pl.controller.kill()
			time.Sleep(outage)
			begin = time.Now()
			pl.startController()
			mods = 0
			for _, h := range pl.hosts {
				pl.await(h.name+" in sync", func() bool {
					s := pl.status(h)
					return inSync(s, revision)
				})
			}
			took = append(took, time.Since(begin))
			spent = append(spent, pl.controller.cpu())
			for _, h := range pl.hosts {
				s := pl.status(h)
				mods, perHost = mods+flowMods(s), rowsOf(s)
			}
			ready = append(ready, pl.controller.when(begin, "msg=ready"))
			agents = append(agents, pl.controller.when(begin, "reason=AgentConnected"))
			bridges = append(bridges, pl.controller.when(begin, "reason=SwitchConnected"))
		}
		t := median(took)
		fmt.Printf("%6d %10d %10s %10s %10s %12s %12s %12s %12s %12s %8.2f %10d\n", hosts, perHost, ms(median(ready)), ms(median(agents)), ms(median(bridges)),
			ms(t), ms(slices.Min(took)), ms(slices.Max(took)), ms(median(spent)), ms(median(theirs)), float64(t)/float64(median(theirs)), mods)
	}
	b.ReportMetric(0, "ns/op")
}

// dialBridge talks to a bridge as ovs-ofctl does. It waits until somebody answers.
func (pl *plant) dialBridge(h *plantHost, bridge string) *channel.Conn {
	pl.b.Helper()
	var c *channel.Conn
	pl.await(bridge+" answers", func() bool {
		nc, err := net.Dial("unix", filepath.Join(h.Dir, bridge+".mgmt"))
		if err != nil {
			return false
		}
		c, err = channel.Config{EchoInterval: time.Minute}.Handshake(context.Background(), nc)
		return err == nil
	})
	return c
}

// count is how many rows a bridge has; it asks for the tables' counters and not for the rows.
func (pl *plant) count(c *channel.Conn) (n int) {
	pl.b.Helper()
	tables, err := c.TableStats(context.Background())
	if err != nil {
		pl.b.Fatal(err)
	}
	for _, t := range tables {
		n += int(t.Active)
	}
	return n
}

// BenchmarkSwitchRestart kills an ovs-vswitchd whose br-tun has 50,000 rows, and measures how long after it answers again its
// tables are complete: with a controller, and without one, when the agent replays them. The reference is ovs-ofctl, which
// puts the same rows into the same bridge out of a file.
func BenchmarkSwitchRestart(b *testing.B) {
	fmt.Printf("%12s %10s %14s %12s %12s %12s %8s\n", "controller", "rows", "ovs-vswitchd", "complete", "slowest", "ovs-ofctl", "ratio")
	pl := newPlant(b, 1)
	revision := pl.fill(25_000)
	h := pl.hosts[0]
	for _, controlled := range []bool{true, false} {
		if !controlled {
			pl.controller.kill()
		}
		c := pl.dialBridge(h, "br-tun")
		want := pl.count(c)
		c.Close()
		file := filepath.Join(pl.dir, "flows")
		dump(b, h, file)
		var own, took, theirs []time.Duration
		for range restartRounds {
			h.KillSwitchd()
			begin := time.Now()
			h.StartSwitchd()
			c := pl.dialBridge(h, "br-tun")
			up := time.Now()
			pl.await("all rows", func() bool { return pl.count(c) == want })
			own, took = append(own, up.Sub(begin)), append(took, time.Since(up))
			c.Close()
			if controlled {
				pl.await("in sync", func() bool { return inSync(pl.status(h), revision) })
			}
			time.Sleep(outage)
		}
		// Into a bridge of its own, which nobody else fills.
		h.Vsctl("add-br", "ref", "--", "set", "bridge", "ref", "datapath_type=netdev", "fail_mode=secure", "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15")
		for range restartRounds {
			h.Ofctl("del-flows", "ref")
			begin := time.Now()
			h.Ofctl("--bundle", "add-flows", "ref", file)
			theirs = append(theirs, time.Since(begin))
		}
		h.Vsctl("del-br", "ref")
		t := median(took)
		fmt.Printf("%12v %10d %14s %12s %12s %12s %8.2f\n", controlled, want, ms(median(own)), ms(t), ms(slices.Max(took)), ms(median(theirs)),
			float64(t)/float64(median(theirs)))
	}
	b.ReportMetric(0, "ns/op")
}

// dump writes the rows of br-tun into a file, as ovs-ofctl takes them.
func dump(b *testing.B, h *plantHost, file string) {
	b.Helper()
	cmd := exec.Command("sh", "-c", `ovs-ofctl -O OpenFlow13 --no-stats dump-flows "$1" | sed 's/reset_counts //' > "$2"`, "sh", "unix:"+filepath.Join(h.Dir, "br-tun.mgmt"), file)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}
